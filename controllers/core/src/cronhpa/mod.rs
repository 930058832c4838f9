//! What a CronHPA decides.
//!
//! Responsible for which bounds or counts hold at an instant, what became of each slot, and what is to be written
//! to the target: [`decide`](decide::decide) is a function from a policy and facts to a decision that carries its
//! reasons, [`settle`](settle::settle) turns the decision and what came of its write into the memory that the next
//! decision starts from. Knows nothing of the wire.
//!
//! # What holds
//!
//! Bounds are state: what holds at an instant follows from the rules and the instant alone, whatever the
//! controller missed. Each of min and max comes from the rule in force of the highest priority that sets it (ties:
//! the larger); in force are the open windows and, for each bound, the latest point rule that sets it. Only slots
//! that were missed are remembered against this: a slot past its deadline does not take effect.
//!
//! A rule may act before its slot (`leadSeconds`): it is in force from then on, and yet known by the slot's own time
//! everywhere, so that of two rules the later slot counts however early it was acted on. A rule that runs once holds
//! from the one slot that status remembers, and only from there.
//!
//! Counts of point rules are written once, when due. Counts of windows are held like bounds; a point rule that is
//! due meanwhile changes what is given back at the window's end.

pub mod composition;
pub mod facts;
pub mod owner;
pub mod policy;
pub mod readiness;

pub mod conditions;
pub mod course;
pub mod decide;
pub mod due;
pub mod hold;
pub mod settle;
pub mod trail;

#[cfg(test)]
mod tests;
