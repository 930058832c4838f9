//! When something is due: cron rules in a time zone, days off, and windows.
//!
//! Responsible for turning what people write (`30 9 * * 1-5`, `Europe/Paris`, `2026-10-01/2026-10-07`) into
//! instants, both edges of daylight saving time included. Knows nothing of what is done at those instants.
//!
//! # Time
//!
//! A rule is matched on the wall clock of its zone and then placed on the time line:
//! - **fixed times**, rules whose seconds, minutes and hours are plain numbers, lists or ranges of them: a time
//!   that the clock skips falls on the first instant after the gap, a time that it shows twice on the first of
//!   the two. Two times that fall on one instant are one slot.
//! - **intervals**, rules with `*`, `?` or a step in one of those three fields, follow the wall clock: what it
//!   skips does not happen, what it shows twice happens twice.
//!
//! A day lasts from its first midnight to the first midnight of the next day.

mod days_off;
mod pattern;
mod slots;
mod window;
mod zone;

pub use self::{
    days_off::{BadDates, DaysOff},
    pattern::{BadSchedule, Pattern},
    slots::{Schedule, Shift, Slots},
    window::{Open, Window},
    zone::{BadZone, Moment, Zone},
};

#[cfg(test)]
pub(crate) mod oracle;
#[cfg(test)]
mod tests;
