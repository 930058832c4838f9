//! Time zones.
//!
//! Responsible for placing wall-clock times on the time line, gaps and overlaps included. The zone database is
//! compiled in. Knows nothing of schedules.

use std::{fmt, str::FromStr};

use chrono::{
    DateTime, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, SubsecRound, TimeDelta,
    TimeZone, Utc,
};
use chrono_tz::Tz;
use thiserror::Error;

/// Wider than any shift of a clock: zones that changed sides of the date line moved by 24 hours.
const WIDEST_SHIFT: TimeDelta = TimeDelta::hours(36);

/// A time zone of the IANA database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

/// A name that is no time zone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name:?} is no time zone: give an IANA name such as Europe/Paris or UTC")]
pub struct BadZone {
    /// What was given.
    pub name: String,
}

/// Where a wall-clock time lies on the time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The clock shows it once.
    Once(DateTime<Utc>),
    /// The clock is put back and shows it twice.
    Twice {
        /// In the first pass.
        first: DateTime<Utc>,
        /// In the second pass.
        second: DateTime<Utc>,
    },
    /// The clock is put forward and skips it.
    Skipped {
        /// The first instant after the gap.
        after: DateTime<Utc>,
    },
}

impl Moment {
    /// The instant of a fixed time: the first pass, or the first instant after the gap.
    pub fn of_fixed_time(self) -> DateTime<Utc> {
        match self {
            Self::Once(instant) | Self::Twice { first: instant, .. } | Self::Skipped { after: instant } => {
                instant
            }
        }
    }
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The wall clock at `instant`, to whole seconds.
    pub fn wall(self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.with_timezone(&self.0).naive_local().trunc_subsecs(0)
    }

    /// `instant` as people in the zone write it, with its offset: `2026-03-29T03:00:00+02:00`.
    pub fn written(self, instant: DateTime<Utc>) -> String {
        instant.with_timezone(&self.0).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// Where the wall-clock time `wall` lies.
    pub fn place(self, wall: NaiveDateTime) -> Moment {
        match self.0.from_local_datetime(&wall) {
            MappedLocalTime::Single(instant) => Moment::Once(instant.to_utc()),
            MappedLocalTime::Ambiguous(one, other) => {
                Moment::Twice { first: one.min(other).to_utc(), second: one.max(other).to_utc() }
            }
            MappedLocalTime::None => Moment::Skipped { after: self.after_gap(wall) },
        }
    }

    /// When the clock is put back, for an instant in the first pass of an overlap; its twin in the second.
    pub(super) fn put_back_between(self, first: DateTime<Utc>, second: DateTime<Utc>) -> DateTime<Utc> {
        let offset = self.offset(second);
        first_second(first, second, |instant| self.offset(instant) == offset)
    }

    /// The first instant of a day.
    pub fn start_of(self, day: NaiveDate) -> DateTime<Utc> {
        self.place(day.and_time(NaiveTime::MIN)).of_fixed_time()
    }

    /// The day that `instant` belongs to.
    pub fn day_of(self, instant: DateTime<Utc>) -> NaiveDate {
        let date = self.wall(instant).date();
        // A clock that is put back over midnight shows the date of yesterday again.
        match date.checked_add_days(Days::new(1)) {
            Some(next) if self.start_of(next) <= instant => next,
            _ => date,
        }
    }

    /// Seconds east of Greenwich at `instant`.
    pub(super) fn offset(self, instant: DateTime<Utc>) -> i32 {
        self.0.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc()
    }

    fn after_gap(self, skipped: NaiveDateTime) -> DateTime<Utc> {
        let around = skipped.and_utc();
        let (before, after) = (around - WIDEST_SHIFT, around + WIDEST_SHIFT);
        first_second(before, after, |instant| self.wall(instant) > skipped)
    }
}

/// The first whole second in (`before`, `until`] from which `holds` is true, given that it is at `until`.
fn first_second(
    before: DateTime<Utc>,
    until: DateTime<Utc>,
    holds: impl Fn(DateTime<Utc>) -> bool,
) -> DateTime<Utc> {
    let (mut outside, mut inside) = (before.timestamp(), until.timestamp());
    let at = |second: i64| DateTime::from_timestamp(second, 0).unwrap_or(until);
    while inside - outside > 1 {
        let middle = i64::midpoint(outside, inside);
        if holds(at(middle)) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    at(inside)
}

impl FromStr for Zone {
    type Err = BadZone;

    fn from_str(name: &str) -> Result<Self, BadZone> {
        name.parse().map(Self).map_err(|_| BadZone { name: name.to_owned() })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}
