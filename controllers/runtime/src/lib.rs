//! The kit that both controllers stand on: clock, client, watches, status, events, metrics.
//!
//! Everything that a controller needs and that is the same for every kind. It knows nothing of Karmada, of
//! `FedHPA` or of `CronHPA`. What it does is the same under paused tokio time as in production: order is decided,
//! jitter is a hash, and only [`clock::SystemClock`] reads the wall clock.

pub mod admin;
pub mod cache;
pub mod client;
pub mod clock;
pub mod conditions;
pub mod controller;
pub mod events;
pub mod heartbeat;
pub mod key;
pub mod leadership;
pub mod metrics;

pub mod readiness;
pub mod retry;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod time;
pub mod watch;

mod queue;
mod text;

#[cfg(test)]
mod fake;
