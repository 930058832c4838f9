//! What wakes those who wait for a time of day.
//!
//! Responsible for ticking. A tick only wakes, it never decides: who is woken reads the clock and sees for
//! itself what is due, so a lost, late or doubled tick costs nothing but time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use thiserror::Error;
use tokio::{
    sync::Notify,
    time::{Interval, MissedTickBehavior, interval, timeout},
};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// The longest that anyone waits without looking at the clock again, whatever the source of the ticks does.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);

/// Something that ticks.
#[async_trait]
pub trait Heartbeat: Send {
    /// Resolves at the next tick. Ticks that nobody waited for count as one.
    async fn beat(&mut self);
}

/// A heartbeat that could not be started.
#[derive(Debug, Error)]
#[error("the heartbeat cannot be started: {source}")]
pub struct HeartbeatError {
    #[from]
    source: JobSchedulerError,
}

/// A tick in each second of the wall clock, from one job of tokio-cron-scheduler.
pub struct CronHeartbeat {
    ticked: Arc<Notify>,
    scheduler: JobScheduler,
}

impl CronHeartbeat {
    /// Starts ticking.
    pub async fn start() -> Result<Self, HeartbeatError> {
        let ticked = Arc::new(Notify::new());
        let tick = Arc::clone(&ticked);
        let scheduler = JobScheduler::new().await?;
        scheduler.add(Job::new("* * * * * *", move |_id, _scheduler| tick.notify_one())?).await?;
        scheduler.start().await?;
        Ok(Self { ticked, scheduler })
    }

    /// Stops ticking and ends the scheduler's tasks.
    pub async fn stop(mut self) -> Result<(), HeartbeatError> {
        Ok(self.scheduler.shutdown().await?)
    }
}

#[async_trait]
impl Heartbeat for CronHeartbeat {
    async fn beat(&mut self) {
        if timeout(LONGEST_SILENCE, self.ticked.notified()).await.is_err() {
            tracing::warn!(
                silence_seconds = LONGEST_SILENCE.as_secs(),
                "no tick from the scheduler: waking anyway"
            );
        }
    }
}

/// A tick in each period of tokio's clock, and so of virtual and accelerated time.
#[derive(Debug)]
pub struct IntervalHeartbeat {
    interval: Interval,
}

impl IntervalHeartbeat {
    /// Ticks for the first time after one period. A period of zero or above 30 s is brought into that range.
    #[must_use]
    pub fn every(period: Duration) -> Self {
        let period = period.clamp(Duration::from_millis(1), LONGEST_SILENCE);
        let mut interval = interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        interval.reset();
        Self { interval }
    }
}

#[async_trait]
impl Heartbeat for IntervalHeartbeat {
    async fn beat(&mut self) {
        self.interval.tick().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_interval_beats_once_a_period_of_paused_time() {
        let start = Instant::now();
        let mut heartbeat = IntervalHeartbeat::every(Duration::from_secs(1));
        for _ in 0..3600 {
            heartbeat.beat().await;
        }
        assert_eq!(start.elapsed(), Duration::from_hours(1));
    }

    #[tokio::test(start_paused = true)]
    async fn beats_that_nobody_waited_for_count_as_one() {
        let start = Instant::now();
        let mut heartbeat = IntervalHeartbeat::every(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(10_500)).await;
        heartbeat.beat().await;
        heartbeat.beat().await;
        assert_eq!(start.elapsed(), Duration::from_secs(11));
    }

    #[tokio::test(start_paused = true)]
    async fn no_period_is_longer_than_the_longest_silence() {
        let start = Instant::now();
        IntervalHeartbeat::every(Duration::from_hours(1)).beat().await;
        assert_eq!(start.elapsed(), LONGEST_SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scheduler_that_fell_silent_does_not_silence_the_heartbeat() {
        let start = Instant::now();
        let scheduler = JobScheduler::new().await.unwrap();
        let mut heartbeat = CronHeartbeat { ticked: Arc::new(Notify::new()), scheduler };
        heartbeat.beat().await;
        assert_eq!(start.elapsed(), LONGEST_SILENCE);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_scheduler_beats_in_real_time() {
        let mut heartbeat = CronHeartbeat::start().await.unwrap();
        timeout(Duration::from_secs(10), heartbeat.beat()).await.unwrap();
        heartbeat.stop().await.unwrap();
    }
}
