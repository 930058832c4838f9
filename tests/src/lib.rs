//! Scenarios, reconcile tests, simulation, conformance and architecture tests of fedscaler.

pub mod chronicle;
pub mod kubectl;
pub mod loopback;
pub mod measure;
pub mod numbers;
pub mod real_input;
pub mod rig;
pub mod scratch;
pub mod stage;
