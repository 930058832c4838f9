//! How fast sandbox time passes.
//!
//! Responsible for holding the sandbox's clock back to a multiple of the wall clock. The runtime's own clock is paused
//! and jumps to the next timer whenever nothing is left to do; holding it back is blocking its one thread, until a bell
//! tells that somebody outside wants something. Knows nothing of what happens meanwhile.

use std::{fmt, time::Duration};

use tokio::{task::yield_now, time::Instant};

use super::gateway::Bell;
use crate::cli::Speed;

/// The wall time between two steps.
const STEP: Duration = Duration::from_millis(50);

/// The wall time between two pictures.
const FRAME: Duration = Duration::from_millis(100);

/// Beyond this it is as fast as the machine goes.
const FASTEST: f64 = 7680.0;

/// Below this one waits for ever.
const SLOWEST: f64 = 1.0;

/// Keeps the pace.
pub(super) struct Pace {
    speed: Speed,
    is_paused: bool,
    /// From when on the speed is what it is.
    since: Moment,
    next: Instant,
    pictured: Option<std::time::Instant>,
    bell: Bell,
}

/// A time on both clocks.
struct Moment {
    within: Instant,
    outside: std::time::Instant,
}

impl Moment {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that compares the sandbox's clock with the wall's"
    )]
    fn now() -> Self {
        Self { within: Instant::now(), outside: std::time::Instant::now() }
    }
}

impl Pace {
    /// A pace that counts from now.
    pub(super) fn new(speed: Speed, bell: Bell) -> Self {
        let since = Moment::now();
        Self { speed, is_paused: false, next: since.within, since, pictured: None, bell }
    }

    /// Twice as fast. Says what it is now, as all of these do.
    pub(super) fn go_faster(&mut self) -> String {
        self.set(match self.speed {
            Speed::Times(times) if times * 2.0 <= FASTEST => Speed::Times(times * 2.0),
            Speed::Times(_) | Speed::Max => Speed::Max,
        })
    }

    /// Half as fast.
    pub(super) fn go_slower(&mut self) -> String {
        self.set(match self.speed {
            Speed::Times(times) => Speed::Times((times / 2.0).max(SLOWEST.min(times))),
            Speed::Max => Speed::Times(FASTEST),
        })
    }

    fn set(&mut self, speed: Speed) -> String {
        self.speed = speed;
        self.begin()
    }

    /// Stops the sandbox's clock, or lets it go on.
    pub(super) fn toggle_pause(&mut self) -> String {
        self.is_paused = !self.is_paused;
        self.begin()
    }

    fn begin(&mut self) -> String {
        self.since = Moment::now();
        self.next = self.since.within;
        self.to_string()
    }

    /// How much wall time so much sandbox time needs, at the speed that was kept since it was last changed. None while
    /// that is not known.
    pub(super) fn wall_time_of(&self, length: Duration) -> Option<Duration> {
        let now = Moment::now();
        let passed = now.within.duration_since(self.since.within).as_secs_f64();
        let took = now.outside.duration_since(self.since.outside).as_secs_f64();
        let is_known = !self.is_paused && passed > 0.0 && took >= 0.5;
        is_known.then(|| Duration::try_from_secs_f64(length.as_secs_f64() * took / passed).ok()).flatten()
    }

    /// Whether it is time for the next picture; if so, that is now.
    pub(super) fn is_picture_due(&mut self) -> bool {
        let now = Moment::now().outside;
        let is_due = self.pictured.is_none_or(|last| now.duration_since(last) >= FRAME);
        if is_due {
            self.pictured = Some(now);
        }
        is_due
    }

    /// Lets a step of sandbox time pass and then waits until the wall clock has caught up. While it is paused no time
    /// passes, and a step is a wait. Never ends for [`Speed::Max`]. May be dropped and called again at any time.
    pub(super) async fn step(&mut self) {
        if self.is_paused {
            self.bell.wait(STEP);
            // Whoever rang is served at the time that it is.
            return yield_now().await;
        }
        let Speed::Times(times) = self.speed else {
            return std::future::pending().await;
        };
        if self.next <= Instant::now() {
            self.next = Instant::now() + STEP.mul_f64(times);
        }
        tokio::time::sleep_until(self.next).await;
        let due = self.since.within.elapsed().div_f64(times);
        while let Some(ahead) = due.checked_sub(self.since.outside.elapsed()) {
            if self.bell.wait(ahead) {
                // Whoever rang is served at the time that it is, before more of it passes.
                yield_now().await;
            }
        }
    }
}

/// As `--speed` has it.
impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_paused, self.speed) {
            (true, _) => f.write_str("paused"),
            (false, Speed::Max) => f.write_str("max"),
            (false, Speed::Times(times)) => write!(f, "{times}x"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(speed: Speed) -> Pace {
        Pace::new(speed, Bell::default())
    }

    #[tokio::test(start_paused = true)]
    async fn faster_and_slower_are_each_other_undone_and_have_ends() {
        let mut pace = pace(Speed::Times(120.0));
        pace.go_faster();
        assert_eq!(pace.speed, Speed::Times(240.0));
        pace.go_slower();
        assert_eq!(pace.speed, Speed::Times(120.0));
        (0..20).for_each(|_| drop(pace.go_faster()));
        assert_eq!(pace.speed, Speed::Max);
        (0..20).for_each(|_| drop(pace.go_slower()));
        assert_eq!(pace.speed, Speed::Times(1.0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_lets_nobody_s_time_pass_and_everybody_act() {
        let mut pace = pace(Speed::Times(1000.0));
        pace.toggle_pause();
        let before = Instant::now();
        let acted = tokio::spawn(yield_now());
        pace.step().await;
        pace.step().await;
        assert!(acted.is_finished());
        assert_eq!(Instant::now(), before);
        pace.toggle_pause();
        pace.step().await;
        assert_eq!(Instant::now() - before, STEP * 1000);
    }
}
