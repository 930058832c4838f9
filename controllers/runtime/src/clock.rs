//! Where the time comes from.
//!
//! Responsible for the one place in the controllers that reads a clock. Knows nothing of what the time is used
//! for: a reconcile reads it once, and from there on it is a value.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// Tells the time of day.
pub trait Clock: Send + Sync + 'static {
    /// The time now. It may stand still or step back: nothing may rely on it moving forward.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock that several owners read.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that follows tokio's: it starts at a given time and moves with [`Instant`], so that it stands still
/// and jumps with a paused runtime.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: DateTime<Utc>,
    started: Instant,
}

impl TokioClock {
    /// A clock that shows `origin` now. To be called inside a tokio runtime where time may be paused.
    #[must_use]
    pub fn starting_at(origin: DateTime<Utc>) -> Self {
        Self { origin, started: Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> DateTime<Utc> {
        let elapsed = TimeDelta::from_std(self.started.elapsed()).unwrap_or(TimeDelta::MAX);
        self.origin.checked_add_signed(elapsed).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_tokio_clock_moves_with_paused_time() {
        let origin = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = TokioClock::starting_at(origin);
        assert_eq!(clock.now(), origin);
        tokio::time::sleep(Duration::from_hours(24)).await;
        assert_eq!(clock.now() - origin, TimeDelta::days(1));
    }
}
