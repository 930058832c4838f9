//! How long it takes until the replicas that a slot asks for are ready.
//!
//! Responsible for which slots are still watched for that, when to look at first, and what was seen. People choose a lead
//! by it; no decision does.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    due::known,
    facts::{Fate, Memory, Record},
    policy::{Edge, Policy, Rule, Sets},
};

/// What is not ready by then is watched no longer.
const PATIENCE: TimeDelta = TimeDelta::hours(1);

/// So long after a slot took effect it is looked whether they are there: of what was ready before, nothing changes any more.
const FIRST_LOOK: TimeDelta = TimeDelta::seconds(5);

/// A slot that took effect and whose replicas have not been seen ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The replicas that its rule asks for at least: never 0.
    pub replicas: u32,
    /// When it took effect.
    pub since: DateTime<Utc>,
}

/// The slots that are watched, by rule: the last one of each, if it took effect within the last hour. What sets no min
/// asks for no replicas, nor does the end of a window.
pub fn awaited(policy: &Policy, memory: &Memory, now: DateTime<Utc>) -> BTreeMap<String, Awaited> {
    let awaited = policy.rules.iter().filter_map(|(name, rule)| {
        let last = known(rule, memory.rules.get(name))?.last.as_ref()?;
        Some((name.clone(), of_record(rule, last, now)?))
    });
    awaited.collect()
}

fn of_record(rule: &Rule, last: &Record, now: DateTime<Utc>) -> Option<Awaited> {
    let acted = last.fate == Fate::Applied && last.edge != Edge::End && last.ready.is_none();
    let since = last.finished.filter(|finished| acted && now - *finished <= PATIENCE)?;
    let asked = match rule.sets {
        Sets::Count(count) => Some(count),
        Sets::Bounds { min, .. } => min,
    };
    Some(Awaited { replicas: asked.filter(|replicas| *replicas > 0)?, since })
}

/// How long to wait until a look that no change causes, if one is still to come.
pub fn first_look(awaited: &BTreeMap<String, Awaited>, now: DateTime<Utc>) -> Option<TimeDelta> {
    let left = awaited.values().map(|one| one.since + FIRST_LOOK - now);
    left.filter(|left| *left > TimeDelta::zero()).min()
}

/// What is remembered once so many replicas were seen ready.
#[must_use]
pub fn seen(policy: &Policy, memory: &Memory, ready: u32, now: DateTime<Utc>) -> Memory {
    let mut memory = memory.clone();
    for (name, awaited) in awaited(policy, &memory, now) {
        let rule = memory.rules.get_mut(&name).filter(|_| awaited.replicas <= ready);
        let Some(rule) = rule else { continue };
        let slot = rule.last.as_ref().map(|last| (last.slot, last.edge));
        let records = rule.last.iter_mut().chain(&mut rule.history);
        for record in records.filter(|record| Some((record.slot, record.edge)) == slot) {
            record.ready = Some(now);
        }
    }
    memory
}
