//! Pure decisions of fedscaler: splits, moves, schedules, conditions; no I/O and no clock.
//!
//! Everything here is a function from facts to a decision that carries its reasons. `now` is a field of the
//! facts; nothing reads a clock, draws a random number or depends on the order in which facts arrived.

pub mod conditions;
pub mod cronhpa;
pub mod fedhpa;
pub mod lease;
pub mod reading;
pub mod room;
pub mod schedule;
pub mod time;
