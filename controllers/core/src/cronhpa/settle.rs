//! What is remembered after a decision has been acted upon.
//!
//! Responsible for accounting: each slot that was due gets its fate once, and one that still waits for the target
//! stays due. Knows nothing of the wire.

use chrono::{DateTime, Utc};

use super::{
    decide::{Decision, Judged},
    due::{Due, Search, Slot, due, known},
    facts::{Counts, Facts, Fate, Level, Memory, Record, RuleMemory, Target},
    policy::{Aim, Policy, Rule},
    readiness,
};

/// What came of the write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was nothing to write, or it was written.
    Done,
    /// It was not written; why.
    Failed(String),
}

/// What must be remembered before the target is written, so that a crash loses nothing.
pub fn before_write(facts: &Facts, decision: &Decision) -> Memory {
    let mut memory = facts.memory.clone();
    memory.base = decision.plan.record;
    memory.pending.clone_from(&decision.plan.pending);
    memory
}

/// What is to be remembered before anything else, if a write took effect that nobody lived to account for: its slot is
/// applied, whatever is due by now.
pub fn catch_up(policy: &Policy, facts: &Facts) -> Option<Memory> {
    let Target::Found { level: Some(level), .. } = &facts.target else { return None };
    let pending = facts.memory.pending.as_ref().filter(|pending| *level == Level::exactly(pending.count))?;
    let rule = policy.rules.get(&pending.rule)?;
    let remembered = facts.memory.rules.get(&pending.rule);
    let search = Search {
        days_off: &policy.days_off,
        suspension: policy.suspension_of(rule),
        is_ours: true,
        now: pending.slot - rule.lead,
        list: policy.history_limit,
    };
    let due = due(rule, remembered, &search)?;
    let is_it = |slot: &Slot| slot.at == pending.slot && slot.idle.is_none();
    due.latest.as_ref().filter(|slot| is_it(slot))?;
    let judged = Judged { due, latest: Fate::Applied, earlier: Fate::Superseded, note: String::new() };
    let mut accounted = known(rule, remembered)?.clone();
    account(&mut accounted, &judged, policy.history_limit, facts.now);
    accounted.accounted = Some(facts.now);
    let mut memory = facts.memory.clone();
    memory.rules.insert(pending.rule.clone(), accounted);
    memory.pending = None;
    Some(memory)
}

/// What is remembered from now on. `finished` is the time after the write.
pub fn settle(
    policy: &Policy,
    facts: &Facts,
    decision: &Decision,
    outcome: &Outcome,
    finished: DateTime<Utc>,
) -> Memory {
    let seen = facts.ready.map(|ready| readiness::seen(policy, &facts.memory, ready, facts.now));
    let remembered = seen.as_ref().unwrap_or(&facts.memory);
    let landed = *outcome == Outcome::Done && decision.block.is_none();
    let rules = policy.rules.iter().map(|(name, rule)| {
        let before = known(rule, remembered.rules.get(name)).cloned();
        let mut memory = before.unwrap_or_else(|| first_seen(rule, facts.now));
        if let Some(judged) = decision.due.get(name)
            && (landed || judged.latest != Fate::Applied || judged.due.latest.is_none())
        {
            account(&mut memory, judged, policy.history_limit, finished);
            memory.accounted = Some(facts.now);
        }
        memory.history.truncate(policy.history_limit);
        (name.clone(), memory)
    });
    let rules = rules.collect();
    let hands_off =
        policy.aim != Aim::FedHpa && (policy.is_suspended(decision.instant) || facts.holder.is_some());
    if landed {
        let held = if hands_off { facts.memory.held.clone() } else { decision.in_force.held.clone() };
        let reversions = decision.plan.reversions.clone();
        Memory { rules, held, base: decision.plan.keep, reversions, pending: None }
    } else {
        let Memory { held, base, reversions, pending, .. } = before_write(facts, decision);
        Memory { rules, held, base, reversions, pending }
    }
}

fn first_seen(rule: &Rule, now: DateTime<Utc>) -> RuleMemory {
    RuleMemory {
        fingerprint: rule.fingerprint.clone(),
        first_seen: now,
        last_handled: None,
        accounted: None,
        once: None,
        last: None,
        counts: Counts::default(),
        history: Vec::new(),
    }
}

fn account(memory: &mut RuleMemory, judged: &Judged, limit: usize, finished: DateTime<Utc>) {
    let due = &judged.due;
    // An end may come after a start that was led.
    memory.last_handled = memory.last_handled.max(Some(due.through));
    memory.counts = memory.counts.plus(tally(judged));
    memory.once = memory.once.or(ran(judged));
    let records: Vec<Record> = due.newest.iter().map(|slot| record(slot, judged, finished)).collect();
    let missed = memory.last.take().filter(|last| last.fate == Fate::Missed);
    // A missed slot stays in mind until another one takes its place: days off change nothing.
    let latest = due.latest.map(|slot| record(&slot, judged, finished));
    memory.last = latest.or(missed).or_else(|| records.first().cloned());
    memory.history = records.into_iter().chain(memory.history.drain(..)).take(limit).collect();
}

/// The slot of a rule that runs once, if it has run with it.
fn ran(judged: &Judged) -> Option<DateTime<Utc>> {
    let is_latest = judged.due.latest.map(|slot| slot.at) == judged.due.once;
    let fate = if is_latest { judged.latest } else { judged.earlier };
    judged.due.once.filter(|_| matches!(fate, Fate::Applied | Fate::Superseded))
}

fn tally(judged: &Judged) -> Counts {
    let Due { off, suspended, working, .. } = judged.due;
    let mut counts = Counts { excluded: off, suspended, ..Counts::default() };
    if working > 0 {
        *counts.of(judged.latest) += 1;
        *counts.of(judged.earlier) += working - 1;
    }
    counts
}

fn record(slot: &Slot, judged: &Judged, finished: DateTime<Utc>) -> Record {
    let is_latest = judged.due.latest == Some(*slot);
    let fate = judged.fate_of(slot);
    let finished = (fate == Fate::Applied).then_some(finished);
    let note = if is_latest { judged.note.clone() } else { String::new() };
    Record { slot: slot.at, edge: slot.edge, fate, finished, ready: None, note }
}
