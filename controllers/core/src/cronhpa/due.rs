//! Which slots of a rule are due.
//!
//! Responsible for finding every slot between the last one that is accounted for and now, exactly once, without
//! walking over all of them: the newest are listed, the rest are counted. Knows nothing of what becomes of them.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    facts::RuleMemory,
    policy::{Edge, Rule, Timing},
};
use crate::schedule::{DaysOff, Schedule, Window};

/// The slots of one rule that are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The newest of them all: when it is accounted for, all are.
    pub through: DateTime<Utc>,
    /// How many are on no day off.
    pub working: u64,
    /// How many are on days off.
    pub off: u64,
    /// The newest that is on no day off.
    pub latest: Option<Slot>,
    /// The newest of all, newest first, as many as were asked for.
    pub newest: Vec<Slot>,
}

/// A slot of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// When it is due.
    pub at: DateTime<Utc>,
    /// What it does to the rule.
    pub edge: Edge,
    /// Whether it is on a day off. A window closes on any day.
    pub is_off: bool,
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

/// The slots of `rule` that are due at `now`, if there are any; the newest `list` of them by themselves.
///
/// A rule that is seen for the first time has none: what was due before is none of its slots. Nor has one whose
/// last slot lies ahead of a clock that was put back.
pub fn due(
    rule: &Rule,
    memory: Option<&RuleMemory>,
    days_off: &DaysOff,
    now: DateTime<Utc>,
    list: usize,
) -> Option<Due> {
    let known = memory.filter(|memory| memory.fingerprint == rule.fingerprint)?;
    let after = known.last_handled.unwrap_or(known.first_seen);
    if now <= after {
        return None;
    }
    let list = list.max(1);
    match &rule.timing {
        Timing::Point(schedule) => {
            gather(&[Side::Working(schedule, Edge::Point)], after, now, days_off, list)
        }
        Timing::Window(window) => {
            let Window { start, end } = window;
            let sides = [Side::Working(start, Edge::Start), Side::AnyDay(end, Edge::End)];
            gather(&sides, after, now, days_off, list)
        }
    }
}

/// A schedule whose slots are slots of the rule.
enum Side<'a> {
    /// Days off are off.
    Working(&'a Schedule, Edge),
    /// Days off do not matter.
    AnyDay(&'a Schedule, Edge),
}

impl Side<'_> {
    fn schedule(&self) -> &Schedule {
        match self {
            Self::Working(schedule, _) | Self::AnyDay(schedule, _) => schedule,
        }
    }

    fn edge(&self) -> Edge {
        match self {
            Self::Working(_, edge) | Self::AnyDay(_, edge) => *edge,
        }
    }

    fn off(&self, after: DateTime<Utc>, now: DateTime<Utc>, days_off: &DaysOff) -> u64 {
        match self {
            Self::Working(schedule, _) => schedule.count_off(after, now, days_off),
            Self::AnyDay(..) => 0,
        }
    }

    fn latest(&self, after: DateTime<Utc>, now: DateTime<Utc>, days_off: &DaysOff) -> Option<Slot> {
        let at = match self {
            Self::Working(schedule, _) => schedule.latest_working(now, days_off)?,
            Self::AnyDay(schedule, _) => schedule.latest_at_or_before(now)?,
        };
        (at > after).then(|| Slot { at, edge: self.edge(), is_off: false })
    }

    fn slot(&self, at: DateTime<Utc>, days_off: &DaysOff) -> Slot {
        let is_off = match self {
            Self::Working(schedule, _) => schedule.is_off(at, days_off),
            Self::AnyDay(..) => false,
        };
        Slot { at, edge: self.edge(), is_off }
    }
}

fn gather(
    sides: &[Side<'_>],
    after: DateTime<Utc>,
    now: DateTime<Utc>,
    days_off: &DaysOff,
    list: usize,
) -> Option<Due> {
    let mut newest: Vec<Slot> = sides
        .iter()
        .flat_map(|side| {
            let newest = side.schedule().newest(after, now, list).times;
            newest.into_iter().map(|at| side.slot(at, days_off)).collect::<Vec<_>>()
        })
        .collect();
    newest.sort_unstable();
    newest.reverse();
    newest.truncate(list);
    let through = newest.first()?.at;
    let all: u64 = sides.iter().map(|side| side.schedule().count(after, now)).sum();
    let off: u64 = sides.iter().map(|side| side.off(after, now, days_off)).sum();
    let latest = sides.iter().filter_map(|side| side.latest(after, now, days_off)).max();
    Some(Due { through, working: all.saturating_sub(off), off, latest, newest })
}
