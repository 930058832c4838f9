//! Windows: spans of time that two schedules open and close.
//!
//! Responsible for whether an instant is inside, and since and until when. A start opens the window, the first
//! end after it closes it; a start inside an open window changes nothing, an end outside one neither; where an
//! end and a start fall together the window closes and opens again. A start on a day off opens nothing, but a
//! window that is open closes on any day. Knows nothing of what holds inside.

use chrono::{DateTime, TimeDelta, Utc};

use super::{days_off::DaysOff, slots::Schedule};

/// Two schedules that open and close a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it opens.
    pub start: Schedule,
    /// When it closes.
    pub end: Schedule,
}

/// A window that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The latest start.
    pub since: DateTime<Utc>,
    /// The end. `None`: past the year 5000.
    pub until: Option<DateTime<Utc>>,
}

impl Window {
    /// The window that is open at `instant`: opened at or before it, closed after it.
    pub fn at(&self, instant: DateTime<Utc>, days_off: &DaysOff) -> Option<Open> {
        self.reaching(instant, instant, days_off)
    }

    /// The window that is open at `instant` if starts until `reach`, which is not before it, have opened already.
    pub fn reaching(&self, instant: DateTime<Utc>, reach: DateTime<Utc>, days_off: &DaysOff) -> Option<Open> {
        self.opened(self.start.latest_working(reach, days_off)?, instant)
    }

    /// The window that the start at `start` opened, if it is still open at `instant`.
    pub fn opened(&self, start: DateTime<Utc>, instant: DateTime<Utc>) -> Option<Open> {
        let until = self.end.next_after(start);
        until.is_none_or(|end| instant < end).then_some(Open { since: start, until })
    }

    /// As [`reaching`](Self::reaching), without the start at `start`.
    pub fn without(
        &self,
        start: DateTime<Utc>,
        instant: DateTime<Utc>,
        reach: DateTime<Utc>,
        days_off: &DaysOff,
    ) -> Option<Open> {
        let open = self.reaching(instant, reach, days_off)?;
        if open.since != start {
            return Some(open);
        }
        let before = self.start.latest_working(start - TimeDelta::nanoseconds(1), days_off)?;
        self.opened(before, instant)
    }
}
