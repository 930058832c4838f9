//! The FedHPA controller: one HPA for a workload that lives in many clusters.
//!
//! A reconcile has five stages, each a room of its own: [`admit`] makes domain types of the wire, [`observe`] reads,
//! [`fedscaler_core::fedhpa::decide`] decides, [`act`] writes, [`report`] tells.

pub mod act;
pub mod admit;
pub mod context;
pub mod finalizer;
pub mod held;
pub mod member_hpa;
pub mod memory;
pub mod metrics;
pub mod observe;
pub mod reconcile;
pub mod report;
pub mod sight;
pub mod wakes;

mod run;

pub use run::{Setup, run};
