//! Holding a target at bounds or a count, and giving back what it had.
//!
//! Responsible for the base: it is recorded before the first write, follows what others change meanwhile, and is
//! applied at the end. And for who changes what is held: what is held is applied once more, until the same manager
//! has changed it too often. Knows nothing of rules beyond their names.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    composition::Held,
    facts::{Base, Level, Memory, Pending, Writers},
    trail::{Step, Trail},
};

/// So many changes by the same manager are a contest.
pub const CONTEST: u32 = 3;

/// What is to be done to a target that is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to write, if anything.
    pub write: Option<Level>,
    /// What the target had, to be remembered before the write.
    pub record: Option<Base>,
    /// What is still to be given back after the write.
    pub keep: Option<Base>,
    /// The count that the write is made for, to be remembered before it.
    pub pending: Option<Pending>,
    /// Who changed what is held, and how often while the same rules hold.
    pub reversions: BTreeMap<String, u32>,
    /// The manager who changed it too often, so that it is left alone.
    pub contested_by: Option<String>,
}

/// The target as it is and as it is to be.
#[derive(Clone, Copy, Debug)]
pub struct Stand<'a> {
    /// What it has.
    pub current: Level,
    /// Who last wrote it.
    pub writers: &'a Writers,
    /// What is to be held from now on.
    pub held: &'a Held,
    /// A count that is due: written, or, while something is held, given back later.
    pub count: Option<&'a Pending>,
    /// The time.
    pub now: DateTime<Utc>,
}

/// What to do. Deciding again after the write has landed does nothing.
pub fn plan(memory: &Memory, stand: &Stand<'_>, trail: &mut Trail) -> Plan {
    if stand.held.is_empty() && memory.base.is_none() {
        return once(stand, trail);
    }
    let same_rules = stand.held.is_by_same_rules(&memory.held);
    let mut reversions = if same_rules { memory.reversions.clone() } else { BTreeMap::new() };
    if let Some(by) = contestant(&reversions) {
        trail.note(Step::LeftAlone { by: by.clone() });
        let (record, keep) = (memory.base, memory.base);
        return Plan { record, keep, contested_by: Some(by), reversions, ..Plan::default() };
    }
    let change = Change::between(memory, stand);
    if let Some(by) = change.of_held_by.filter(|_| same_rules) {
        let times = reversions.entry(by.clone()).or_default();
        *times = times.saturating_add(1);
        trail.note(Step::Reverted { by, times: *times });
    }
    let level = stand.count.map_or(change.base, |count| Level::exactly(count.count));
    let recorded = memory.base.map_or(stand.now, |base| base.recorded);
    let base = Base { level, recorded };
    let contested_by = contestant(&reversions);
    let wanted = stand.held.over(level);
    let write = (wanted != stand.current && contested_by.is_none()).then_some(wanted);
    let keep = (!stand.held.is_empty()).then_some(base);
    tell(memory, base, write, keep, contested_by.as_deref(), trail);
    Plan { write, record: Some(base), keep, pending: None, reversions, contested_by }
}

/// A count that is written once, with nothing held.
fn once(stand: &Stand<'_>, trail: &mut Trail) -> Plan {
    let write = stand.count.map(|count| Level::exactly(count.count)).filter(|level| *level != stand.current);
    if let Some(level) = write {
        trail.note(Step::Writes(level));
    }
    Plan { write, pending: stand.count.cloned().filter(|_| write.is_some()), ..Plan::default() }
}

fn tell(
    memory: &Memory,
    base: Base,
    write: Option<Level>,
    keep: Option<Base>,
    contested_by: Option<&str>,
    trail: &mut Trail,
) {
    if memory.base.is_none_or(|before| before.level != base.level) {
        trail.note(Step::Recorded(base.level));
    }
    match (write, keep) {
        (Some(level), Some(_)) => trail.note(Step::Writes(level)),
        (Some(level), None) => trail.note(Step::GivesBack(level)),
        (None, _) => {}
    }
    if let Some(by) = contested_by {
        trail.note(Step::LeftAlone { by: by.to_owned() });
    }
}

fn contestant(reversions: &BTreeMap<String, u32>) -> Option<String> {
    reversions.iter().find(|(_, times)| **times >= CONTEST).map(|(by, _)| by.clone())
}

/// What others changed since we last wrote.
struct Change {
    /// What is to be given back now.
    base: Level,
    /// Who changed a bound that is held, if anybody did.
    of_held_by: Option<String>,
}

impl Change {
    fn between(memory: &Memory, stand: &Stand<'_>) -> Self {
        let Some(Base { level: base, .. }) = memory.base else {
            return Self { base: stand.current, of_held_by: None };
        };
        let (left, wanted, current) = (memory.held.over(base), stand.held.over(base), stand.current);
        let changed = |now, left, wanted| now != left && now != wanted;
        let min_by = stand.writers.min.clone().filter(|_| changed(current.min, left.min, wanted.min));
        let max_by = stand.writers.max.clone().filter(|_| changed(current.max, left.max, wanted.max));
        Self {
            base: Level {
                min: if min_by.is_some() { current.min } else { base.min },
                max: if max_by.is_some() { current.max } else { base.max },
            },
            of_held_by: min_by
                .filter(|_| stand.held.min.is_some())
                .or_else(|| max_by.filter(|_| stand.held.max.is_some())),
        }
    }
}
