//! The slots of a rule on the time line.
//!
//! Responsible for which instants a pattern in a zone means, for walking over them in both directions and for
//! counting them without a walk. Knows nothing of what happens at a slot.

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::{
    days_off::DaysOff,
    pattern::Pattern,
    zone::{Moment, Zone},
};

/// Spans shorter than this are counted slot by slot.
const SHORT: TimeDelta = TimeDelta::hours(50);

/// The most days that are counted: a century. A longer span is the work of a broken clock.
const MOST_DAYS: i64 = 36_525;

/// A cron rule in a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pattern: Arc<Pattern>,
    zone: Zone,
}

/// What a shift of the clock does to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// The clock skips its time: it falls on the first instant after the gap.
    Skipped,
    /// The clock shows its time twice, and this is the first.
    FirstPass,
    /// The clock shows its time twice, and this is the second.
    SecondPass,
}

/// Slots in a span of time, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// The instants, no more than asked for.
    pub times: Vec<DateTime<Utc>>,
    /// Whether the span has more.
    pub cut: bool,
}

impl Schedule {
    /// The rule in this zone.
    pub fn new(pattern: Pattern, zone: Zone) -> Self {
        Self { pattern: Arc::new(pattern), zone }
    }

    /// The zone.
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// What a shift of the clock does to a slot, if it does something.
    pub fn shift(&self, slot: DateTime<Utc>) -> Option<Shift> {
        let wall = self.zone.wall(slot);
        match self.zone.place(wall) {
            Moment::Twice { first, .. } if slot == first => Some(Shift::FirstPass),
            Moment::Twice { .. } => Some(Shift::SecondPass),
            Moment::Once(_) | Moment::Skipped { .. } => {
                (self.pattern.from(wall) != Some(wall)).then_some(Shift::Skipped)
            }
        }
    }

    /// The first slot after `instant`. `None` past the year 5000.
    pub fn next_after(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wall = self.zone.wall(instant);
        let onward = self.onward(self.pattern.after(wall), |slot| slot > instant);
        match self.zone.place(wall) {
            Moment::Twice { first, second } if self.pattern.is_interval() && instant < second => {
                let back = self.zone.put_back_between(first, second);
                let again = self.onward(self.pattern.from(self.zone.wall(back)), |slot| slot >= back);
                onward.into_iter().chain(again).min()
            }
            Moment::Twice { .. } | Moment::Once(_) | Moment::Skipped { .. } => onward,
        }
    }

    /// The last slot at or before `instant`.
    pub fn latest_at_or_before(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wall = self.zone.wall(instant);
        match self.zone.place(wall) {
            Moment::Twice { first, second } if instant >= second => {
                let back = self.zone.put_back_between(first, second);
                let this_pass = self
                    .pattern
                    .is_interval()
                    .then(|| self.backward(self.pattern.until(wall), |slot| slot <= instant));
                let before = back - TimeDelta::seconds(1);
                let first_pass = self.pattern.until(self.zone.wall(before));
                let first_pass = self.backward(first_pass, |slot| slot <= before);
                this_pass.flatten().into_iter().chain(first_pass).max()
            }
            Moment::Twice { .. } | Moment::Once(_) | Moment::Skipped { .. } => {
                self.backward(self.pattern.until(wall), |slot| slot <= instant)
            }
        }
    }

    /// The last slot at or before `instant` that is on no day off.
    pub fn latest_working(&self, instant: DateTime<Utc>, days_off: &DaysOff) -> Option<DateTime<Utc>> {
        let mut until = instant;
        loop {
            let slot = self.latest_at_or_before(until)?;
            let Some((first, _)) = days_off.span_of(self.zone.day_of(slot)) else {
                return Some(slot);
            };
            until = self.zone.start_of(first) - TimeDelta::nanoseconds(1);
        }
    }

    /// The first slot after `instant` that is on no day off.
    pub fn next_working(&self, instant: DateTime<Utc>, days_off: &DaysOff) -> Option<DateTime<Utc>> {
        let mut after = instant;
        loop {
            let slot = self.next_after(after)?;
            let Some((_, last)) = days_off.span_of(self.zone.day_of(slot)) else {
                return Some(slot);
            };
            after = self.zone.start_of(next_day(last)) - TimeDelta::nanoseconds(1);
        }
    }

    /// Whether a slot is on a day off.
    pub fn is_off(&self, slot: DateTime<Utc>, days_off: &DaysOff) -> bool {
        days_off.span_of(self.zone.day_of(slot)).is_some()
    }

    /// The oldest slots in (`after`, `until`], at most `cap`.
    pub fn oldest(&self, after: DateTime<Utc>, until: DateTime<Utc>, cap: usize) -> Slots {
        let mut walk = self.walk(after, until);
        let times = walk.by_ref().take(cap).collect();
        Slots { times, cut: walk.next().is_some() }
    }

    /// The newest slots in (`after`, `until`], at most `cap`, in the order of time.
    pub fn newest(&self, after: DateTime<Utc>, until: DateTime<Utc>, cap: usize) -> Slots {
        let earlier = |slot: &DateTime<Utc>| self.latest_at_or_before(*slot - TimeDelta::nanoseconds(1));
        let mut walk =
            std::iter::successors(self.latest_at_or_before(until), earlier).take_while(|slot| *slot > after);
        let mut times: Vec<_> = walk.by_ref().take(cap).collect();
        times.reverse();
        Slots { times, cut: walk.next().is_some() }
    }

    /// How many slots are in (`after`, `until`].
    ///
    /// Days without a shift of the clock are multiplied, not walked, so a span of years costs no more than its
    /// number of days. Of a span above a century the last century is counted.
    pub fn count(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> u64 {
        let after = after.max(until - TimeDelta::days(MOST_DAYS));
        if until - after < SHORT {
            return walked(self.walk(after, until));
        }
        let (first, last) = (next_day(self.zone.day_of(after)), self.zone.day_of(until));
        let instant_before = |day: NaiveDate| self.zone.start_of(day) - TimeDelta::nanoseconds(1);
        let head = walked(self.walk(after, instant_before(first)));
        let tail = walked(self.walk(instant_before(last), until));
        let days = first.iter_days().take_while(|day| *day < last).map(|day| self.on_day(day));
        head + days.sum::<u64>() + tail
    }

    /// How many slots in (`after`, `until`] are on days off.
    pub fn count_off(&self, after: DateTime<Utc>, until: DateTime<Utc>, days_off: &DaysOff) -> u64 {
        let spans = days_off.spans().map(|(first, last)| {
            let begin = self.zone.start_of(first) - TimeDelta::nanoseconds(1);
            let end = self.zone.start_of(next_day(last)) - TimeDelta::nanoseconds(1);
            let (begin, end) = (begin.max(after), end.min(until));
            if begin < end { self.count(begin, end) } else { 0 }
        });
        spans.sum()
    }

    fn on_day(&self, day: NaiveDate) -> u64 {
        let (start, end) = (self.zone.start_of(day), self.zone.start_of(next_day(day)));
        // Of a gap that ends at midnight the slots fall on the first instant of the day.
        let shift = self.zone.offset(end) - self.zone.offset(start - TimeDelta::nanoseconds(1));
        if end - start != TimeDelta::days(1) || shift != 0 {
            return self.on_odd_day(start, end, shift);
        }
        if self.pattern.falls_on(day) { self.pattern.per_day() } else { 0 }
    }

    /// The slots of a day on which the clock is shifted by so many seconds: minute by minute where that is exact.
    fn on_odd_day(&self, start: DateTime<Utc>, end: DateTime<Utc>, shift: i32) -> u64 {
        if !self.pattern.is_interval() || shift % 60 != 0 {
            let instant_before = TimeDelta::nanoseconds(1);
            return walked(self.walk(start - instant_before, end - instant_before));
        }
        let minutes = std::iter::successors(Some(start), |minute| Some(*minute + TimeDelta::minutes(1)));
        let slots = minutes.take_while(|minute| *minute < end).map(|minute| {
            let wall = self.zone.wall(minute);
            if self.pattern.has_minute(wall) { self.pattern.per_minute() } else { 0 }
        });
        slots.sum()
    }

    fn walk(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.next_after(after), |slot| self.next_after(*slot))
            .take_while(move |slot| *slot <= until)
    }

    /// The first instant that fits among the matches from `wall` on.
    fn onward(
        &self,
        wall: Option<NaiveDateTime>,
        fits: impl Fn(DateTime<Utc>) -> bool,
    ) -> Option<DateTime<Utc>> {
        std::iter::successors(wall, |wall| self.pattern.after(*wall))
            .find_map(|wall| self.instants(wall).into_iter().flatten().find(|instant| fits(*instant)))
    }

    /// The last instant that fits among the matches from `wall` back.
    fn backward(
        &self,
        wall: Option<NaiveDateTime>,
        fits: impl Fn(DateTime<Utc>) -> bool,
    ) -> Option<DateTime<Utc>> {
        std::iter::successors(wall, |wall| self.pattern.before(*wall))
            .find_map(|wall| self.instants(wall).into_iter().flatten().rev().find(|instant| fits(*instant)))
    }

    /// The instants that a matching wall-clock time means, in their order.
    fn instants(&self, wall: NaiveDateTime) -> [Option<DateTime<Utc>>; 2] {
        let moment = self.zone.place(wall);
        if !self.pattern.is_interval() {
            return [Some(moment.of_fixed_time()), None];
        }
        match moment {
            Moment::Once(instant) => [Some(instant), None],
            Moment::Twice { first, second } => [Some(first), Some(second)],
            Moment::Skipped { .. } => [None, None],
        }
    }
}

fn walked(slots: impl Iterator<Item = DateTime<Utc>>) -> u64 {
    slots.fold(0, |count, _| count + 1)
}

fn next_day(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(1)).unwrap_or(day)
}
