//! Scenarios, reconcile tests, simulation, conformance and architecture tests of fedscaler.

pub mod stage;
