//! The sandbox's wall clock.
//!
//! Responsible for saying what time it is inside the sandbox. It does not know who asks, and it never reads the
//! machine's own wall clock.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use tokio::time::Instant;

/// The wall clock as the sandbox sees it.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock that follows tokio's: paused, advanced and auto-advanced time move it alike.
#[derive(Debug, Clone)]
pub struct TokioClock {
    start: DateTime<Utc>,
    epoch: Instant,
}

impl TokioClock {
    /// A clock that reads `start` now and moves with tokio's clock from here.
    #[must_use]
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Self { start, epoch: Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> DateTime<Utc> {
        let elapsed = self.epoch.elapsed();
        self.start + TimeDelta::from_std(elapsed).unwrap_or(TimeDelta::MAX)
    }
}

/// `instant` as `metav1.Time` is written: RFC 3339 in UTC, whole seconds.
#[must_use]
pub fn seconds(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn the_clock_moves_with_paused_time() {
        let start = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let clock = TokioClock::starting_at(start);
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now() - start, TimeDelta::seconds(90));
        assert_eq!(seconds(clock.now()), "2026-09-21T14:14:50Z");
    }
}
