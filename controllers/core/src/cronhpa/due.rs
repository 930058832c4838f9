//! Which slots of a rule are due.
//!
//! Responsible for finding every slot between the last one that is accounted for and now, exactly once, without
//! walking over all of them: the newest are listed, the rest are counted. A slot is known by its own time, however
//! much before it the rule acts. Knows nothing of what becomes of slots.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    facts::RuleMemory,
    policy::{Edge, Frequency, Rule, Suspension, Timing},
};
use crate::schedule::{DaysOff, Schedule, Window};

/// The slots of one rule that are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The newest of them all: when it is accounted for, all are.
    pub through: DateTime<Utc>,
    /// How many are neither on days off nor suspended.
    pub working: u64,
    /// How many are on days off.
    pub off: u64,
    /// How many of the others fell into a suspension.
    pub suspended: u64,
    /// The newest that is on no day off.
    pub latest: Option<Slot>,
    /// The newest of all, newest first, as many as were asked for.
    pub newest: Vec<Slot>,
    /// The one slot of a rule that runs once, if it is among them.
    pub once: Option<DateTime<Utc>>,
}

/// A slot of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// When it is due.
    pub at: DateTime<Utc>,
    /// What it does to the rule.
    pub edge: Edge,
    /// Why it does nothing, if so.
    pub idle: Option<Idle>,
}

/// Why a slot does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Idle {
    /// It is on a day off. A window closes on any day.
    Off,
    /// The rule was suspended.
    Suspended,
}

impl Slot {
    /// Whether it is more than `deadline` ago. The end of a window never is: what was taken is given back.
    pub fn is_past(&self, deadline: Option<TimeDelta>, now: DateTime<Utc>) -> bool {
        match self.edge {
            Edge::End => false,
            Edge::Start | Edge::Point => deadline.is_some_and(|deadline| now - self.at > deadline),
        }
    }
}

/// What slots are looked for by, besides the rule and its memory.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// Days off.
    pub days_off: &'a DaysOff,
    /// Whether and how long the rule is suspended, be it by itself or with all.
    pub suspension: Suspension,
    /// Whether the target is ours: else a rule that runs once waits.
    pub is_ours: bool,
    /// The time.
    pub now: DateTime<Utc>,
    /// How many of the newest are listed.
    pub list: usize,
}

/// What is known of a rule, unless its timing was another one then.
pub fn known<'a>(rule: &Rule, memory: Option<&'a RuleMemory>) -> Option<&'a RuleMemory> {
    memory.filter(|memory| memory.fingerprint == rule.fingerprint)
}

/// The slots of `rule` that are due, if there are any.
///
/// A rule that is seen for the first time has none: what was due before is none of its slots. Nor has one whose
/// last slot lies ahead of a clock that was put back.
pub fn due(rule: &Rule, memory: Option<&RuleMemory>, search: &Search<'_>) -> Option<Due> {
    let known = known(rule, memory)?;
    let after = known.last_handled.unwrap_or(known.first_seen);
    let reach = reach(rule, search);
    let once = match rule.frequency {
        Frequency::Always => None,
        Frequency::Once => known.once.or_else(|| chosen(rule, (after, reach), search)),
    };
    let begins = (after, once.map_or(reach, |slot| slot.min(reach)));
    let sides = match &rule.timing {
        Timing::Point(schedule) => vec![Side::working(schedule, Edge::Point, begins)],
        Timing::Window(Window { start, end }) => {
            let closes = once.and_then(|slot| end.next_after(slot));
            let until = closes.map_or(search.now, |closes| closes.min(search.now));
            vec![Side::working(start, Edge::Start, begins), Side::any_day(end, (ends_after(known), until))]
        }
    };
    let once = once.filter(|_| known.once.is_none());
    gather(&sides, search).map(|due| Due { once, ..due })
}

/// Up to when slots are due. What comes after a suspension is not led into it.
fn reach(rule: &Rule, search: &Search<'_>) -> DateTime<Utc> {
    let ahead = search.now + rule.lead;
    let resumes = search.suspension.end_after(search.now);
    resumes.map_or(ahead, |end| ahead.min(end - TimeDelta::nanoseconds(1)))
}

/// Up to when a window's ends are accounted for.
fn ends_after(known: &RuleMemory) -> DateTime<Utc> {
    let handled = known.last_handled.map(|handled| known.accounted.unwrap_or(handled));
    handled.unwrap_or(known.first_seen)
}

/// The first slot in the span (`after`, `until`] that a rule which runs once can act on.
fn chosen(
    rule: &Rule,
    (after, until): (DateTime<Utc>, DateTime<Utc>),
    search: &Search<'_>,
) -> Option<DateTime<Utc>> {
    let schedule = match &rule.timing {
        Timing::Point(schedule) => schedule,
        Timing::Window(window) => &window.start,
    };
    let instant = TimeDelta::nanoseconds(1);
    let resumed = match search.suspension {
        Suspension::Not => None,
        Suspension::Until(end) => Some(end - instant),
        Suspension::Always => return None,
    };
    if !search.is_ours {
        return None;
    }
    let in_time = rule.deadline.map(|deadline| search.now - deadline - instant);
    let after = [resumed, in_time].into_iter().flatten().fold(after, DateTime::max);
    schedule.next_working(after, search.days_off).filter(|slot| *slot <= until)
}

/// A schedule whose slots in the span (`after`, `until`] are slots of the rule.
struct Side<'a> {
    schedule: &'a Schedule,
    edge: Edge,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
    days: Days,
}

/// Which days a side works on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Days {
    /// Days off are off.
    Working,
    /// Days off do not matter.
    Any,
}

impl<'a> Side<'a> {
    fn working(schedule: &'a Schedule, edge: Edge, (after, until): (DateTime<Utc>, DateTime<Utc>)) -> Self {
        Self { schedule, edge, after, until, days: Days::Working }
    }

    fn any_day(schedule: &'a Schedule, (after, until): (DateTime<Utc>, DateTime<Utc>)) -> Self {
        Self { schedule, edge: Edge::End, after, until, days: Days::Any }
    }

    fn count(&self, until: DateTime<Utc>) -> u64 {
        if until <= self.after { 0 } else { self.schedule.count(self.after, until) }
    }

    fn off(&self, until: DateTime<Utc>, search: &Search<'_>) -> u64 {
        match self.days {
            Days::Working if until > self.after => {
                self.schedule.count_off(self.after, until, search.days_off)
            }
            Days::Working | Days::Any => 0,
        }
    }

    /// How many are on no day off and fell into the suspension.
    fn suspended(&self, search: &Search<'_>) -> u64 {
        let until = match search.suspension {
            Suspension::Not => return 0,
            Suspension::Until(end) => self.until.min(end - TimeDelta::nanoseconds(1)),
            Suspension::Always => self.until,
        };
        self.count(until).saturating_sub(self.off(until, search))
    }

    fn latest(&self, search: &Search<'_>) -> Option<Slot> {
        let at = match self.days {
            Days::Working => self.schedule.latest_working(self.until, search.days_off)?,
            Days::Any => self.schedule.latest_at_or_before(self.until)?,
        };
        (at > self.after).then(|| self.slot(at, search))
    }

    fn slot(&self, at: DateTime<Utc>, search: &Search<'_>) -> Slot {
        let idle = match self.days {
            Days::Working if self.schedule.is_off(at, search.days_off) => Some(Idle::Off),
            Days::Working | Days::Any => search.suspension.covers(at).then_some(Idle::Suspended),
        };
        Slot { at, edge: self.edge, idle }
    }

    fn newest(&self, search: &Search<'_>) -> Vec<Slot> {
        let newest = self.schedule.newest(self.after, self.until, search.list.max(1)).times;
        newest.into_iter().map(|at| self.slot(at, search)).collect()
    }
}

fn gather(sides: &[Side<'_>], search: &Search<'_>) -> Option<Due> {
    let mut newest: Vec<Slot> = sides.iter().flat_map(|side| side.newest(search)).collect();
    newest.sort_unstable();
    newest.reverse();
    newest.truncate(search.list.max(1));
    let through = newest.first()?.at;
    let all: u64 = sides.iter().map(|side| side.count(side.until)).sum();
    let off: u64 = sides.iter().map(|side| side.off(side.until, search)).sum();
    let suspended: u64 = sides.iter().map(|side| side.suspended(search)).sum();
    let latest = sides.iter().filter_map(|side| side.latest(search)).max();
    let working = all.saturating_sub(off).saturating_sub(suspended);
    Some(Due { through, working, off, suspended, latest, newest, once: None })
}
