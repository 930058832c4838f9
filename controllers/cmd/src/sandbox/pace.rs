//! How fast sandbox time passes.
//!
//! Responsible for holding the sandbox's clock back to a multiple of the wall clock. The runtime's own clock is paused
//! and jumps to the next timer whenever nothing is left to do; holding it back is blocking its one thread, until a bell
//! tells that somebody outside wants something. Knows nothing of what happens meanwhile.

use std::time::Duration;

use tokio::{task::yield_now, time::Instant};

use super::gateway::Bell;
use crate::cli::Speed;

/// The wall time between two steps.
const STEP: Duration = Duration::from_millis(50);

/// Keeps the pace.
pub(super) struct Pace {
    speed: Speed,
    virtual_start: Instant,
    wall_start: std::time::Instant,
    next: Instant,
    bell: Bell,
}

impl Pace {
    /// A pace that counts from now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that compares the sandbox's clock with the wall's"
    )]
    pub(super) fn new(speed: Speed, bell: Bell) -> Self {
        let virtual_start = Instant::now();
        Self { speed, virtual_start, wall_start: std::time::Instant::now(), next: virtual_start, bell }
    }

    /// Lets a step of sandbox time pass and then waits until the wall clock has caught up. Never ends for
    /// [`Speed::Max`]. May be dropped and called again at any time.
    pub(super) async fn step(&mut self) {
        let Speed::Times(times) = self.speed else {
            return std::future::pending().await;
        };
        if self.next <= Instant::now() {
            self.next = Instant::now() + STEP.mul_f64(times);
        }
        tokio::time::sleep_until(self.next).await;
        let due = self.virtual_start.elapsed().div_f64(times);
        while let Some(ahead) = due.checked_sub(self.wall_start.elapsed()) {
            if self.bell.wait(ahead) {
                // Whoever rang is served at the time that it is, before more of it passes.
                yield_now().await;
            }
        }
    }
}
