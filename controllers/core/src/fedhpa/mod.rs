//! The FedHPA decision: from a policy and the facts to the writes that bring the members and the control plane
//! one safe step closer to what the user asked for.
//!
//! Responsible for shares, moves, wake-ups, write-back and release. Knows nothing of HTTP, of Karmada's names or
//! of how a fact was read; the controller observes, calls [`decide`] and acts.
//!
//! The rooms: [`policy`] and [`facts`] go in; [`bounds`] composes totals, [`counts`] reads back what runs, `claims` says
//! what each cluster may claim, [`apportion`] divides a number, [`homing`] and [`split`] find the ideal shares,
//! [`rebalance`] says whether to leave the old ones, [`cover`] what survivors of lost clusters hold meanwhile, [`moves`]
//! takes the next safe step towards them, [`write_back`] keeps the control plane's numbers true; [`decision`] and
//! [`trail`] come out. [`what_if`] asks what would be decided if something were otherwise, and
//! [`facts_file`] keeps facts for later.

pub mod apportion;
pub mod bounds;
mod claims;
pub mod counts;
pub mod cover;
mod decide;
pub mod decision;
pub mod facts;
pub mod facts_file;
pub mod homing;
pub mod moves;
pub mod policy;
pub mod rebalance;
mod release;
pub mod report;
pub mod split;
pub mod trail;
pub mod what_if;
pub mod write_back;

pub use decide::decide;
