//! The CronHPA controller: state that holds at a time.
//!
//! A reconcile has five stages, each a room of its own: [`admit`] makes domain types of the wire, [`observe`] reads,
//! [`fedscaler_core::cronhpa`] decides, [`act`] writes, [`report`] tells. The [`agenda`] wakes objects when they are
//! due; that a reconcile runs too early, too late or twice changes nothing but the lateness.

pub mod act;
pub mod admit;
pub mod agenda;
pub mod calendar;
pub mod calendars;
pub mod context;
pub mod finalizer;
pub mod memory;
pub mod metrics;
pub mod observe;
pub mod readiness;
pub mod reconcile;
pub mod report;
pub mod wakes;
pub mod writers;

mod run;

pub use run::{Setup, run};

#[cfg(test)]
mod tests;
