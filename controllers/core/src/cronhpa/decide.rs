//! The decision: what holds, what is due, what is written.
//!
//! Responsible for putting the parts together, in this order: who owns the target, which slots are due, which of
//! them are too late, what holds without those, and what the target needs for it. Knows nothing of the wire and
//! does nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    composition::{InForce, in_force},
    due::{Due, Slot, due},
    facts::{Facts, Fate, Pending, Target},
    hold::{Plan, Stand, plan},
    policy::{Aim, Edge, Policy, Rule, Sets, Timing},
    trail::{Step, Trail},
};

/// What is to be done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The instant that was decided for: now, or the last slot that is accounted for if the clock stands before it.
    pub instant: DateTime<Utc>,
    /// What holds.
    pub in_force: InForce,
    /// The slots that are due, by rule.
    pub due: BTreeMap<String, Judged>,
    /// What is written and remembered.
    pub plan: Plan,
    /// What stands in the way of writing.
    pub block: Option<Block>,
    /// When each rule is due next.
    pub next: BTreeMap<String, DateTime<Utc>>,
    /// The reasons.
    pub trail: Trail,
}

/// Slots that are due, and what becomes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The slots.
    pub due: Due,
    /// What becomes of the latest one. [`Fate::Applied`] only if the target follows.
    pub latest: Fate,
    /// What becomes of those before it.
    pub earlier: Fate,
    /// What there is to say about the latest one.
    pub note: String,
}

/// What stands in the way of writing to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// There is no target.
    Missing,
    /// It has no scale; why.
    Unscalable(String),
    /// It could not be read; why.
    Unreadable(String),
}

impl Decision {
    /// Whether the target is not ours to write.
    pub fn is_contested(&self, facts: &Facts) -> bool {
        facts.holder.is_some() || self.plan.contested_by.is_some()
    }

    /// The next slot of all rules; of those at the same instant the rule whose name comes first.
    pub fn next_slot(&self) -> Option<(DateTime<Utc>, &str)> {
        self.next.iter().map(|(rule, at)| (*at, rule.as_str())).min()
    }
}

/// Decides. Total: every policy and every facts have a decision, and the same ones always the same.
pub fn decide(policy: &Policy, facts: &Facts) -> Decision {
    let mut trail = Trail::default();
    let instant = instant(policy, facts, &mut trail);
    let due = all_due(policy, facts);
    let missed = missed(policy, facts, &due);
    let mut in_force = in_force(policy, instant, &missed);
    if let Some(holder) = &facts.holder {
        trail.note(Step::HeldBy(holder.clone()));
        in_force = InForce::default();
    }
    tell_in_force(&in_force, &mut trail);
    let count = chosen_count(policy, facts, &due, &missed);
    let (plan, block) = planned(policy, facts, &in_force, count.as_ref(), &mut trail);
    let judge =
        Judge { policy, facts, in_force: &in_force, missed: &missed, count: count.as_ref(), plan: &plan };
    let due: BTreeMap<_, _> = due.into_iter().map(|(name, due)| judge.judge(name, due, &mut trail)).collect();
    let next = policy.rules.iter();
    let next =
        next.filter_map(|(name, rule)| Some((name.clone(), rule.timing.next_after(instant)?))).collect();
    Decision { instant, in_force, due, plan, block, next, trail }
}

/// Whether the decision depends on the target at all: else it need not be read.
pub fn needs_target(policy: &Policy, facts: &Facts) -> bool {
    if policy.aim == Aim::FedHpa || policy.suspended || facts.holder.is_some() {
        return false;
    }
    let mut unread = facts.clone();
    unread.target = Target::Unreadable(String::new());
    decide(policy, &unread).block.is_some()
}

/// A clock that was put back does not bring back what held before the last slot.
fn instant(policy: &Policy, facts: &Facts, trail: &mut Trail) -> DateTime<Utc> {
    let known = |(name, rule): (&String, &Rule)| {
        let memory = facts.memory.rules.get(name)?;
        memory.last_handled.filter(|_| memory.fingerprint == rule.fingerprint)
    };
    match policy.rules.iter().filter_map(known).max() {
        Some(handled) if handled > facts.now => {
            trail.note(Step::ClockBehind { handled });
            handled
        }
        Some(_) | None => facts.now,
    }
}

fn all_due(policy: &Policy, facts: &Facts) -> BTreeMap<String, Due> {
    let due = policy.rules.iter().filter_map(|(name, rule)| {
        let memory = facts.memory.rules.get(name);
        let due = due(rule, memory, &policy.days_off, facts.now, policy.history_limit)?;
        Some((name.clone(), due))
    });
    due.collect()
}

/// The slot of each rule that would be in effect now, but was too late.
fn missed(policy: &Policy, facts: &Facts, due: &BTreeMap<String, Due>) -> BTreeMap<String, DateTime<Utc>> {
    let missed = policy.rules.iter().filter_map(|(name, rule)| {
        let known = facts.memory.rules.get(name).filter(|memory| memory.fingerprint == rule.fingerprint)?;
        let latest = due.get(name).and_then(|due| due.latest);
        let slot = match latest {
            Some(slot) => (is_missed(policy, facts, rule, &slot)).then_some(slot.at),
            None => known.last.as_ref().filter(|last| last.fate == Fate::Missed).map(|last| last.slot),
        };
        Some((name.clone(), slot?))
    });
    missed.collect()
}

fn is_missed(policy: &Policy, facts: &Facts, rule: &Rule, slot: &Slot) -> bool {
    let acts = !policy.suspended && !rule.suspended && facts.holder.is_none();
    acts && slot.is_past(rule.deadline, facts.now)
}

fn tell_in_force(in_force: &InForce, trail: &mut Trail) {
    for (rule, standing) in &in_force.rules {
        trail.note(Step::InForce { rule: rule.clone(), standing: *standing });
    }
    if let Some(bound) = &in_force.held.min {
        trail.note(Step::Min(bound.replicas, bound.rule.clone()));
    }
    if let Some(bound) = &in_force.held.max {
        trail.note(Step::Max(bound.replicas, bound.rule.clone()));
    }
    if let Some(yielded) = in_force.yielded {
        trail.note(Step::Yields(yielded));
    }
}

/// Of the point rules' counts that are due the latest one; of those at the same instant the one of the highest
/// priority, then the larger.
fn chosen_count(
    policy: &Policy,
    facts: &Facts,
    due: &BTreeMap<String, Due>,
    missed: &BTreeMap<String, DateTime<Utc>>,
) -> Option<Pending> {
    if policy.suspended || facts.holder.is_some() {
        return None;
    }
    let counts = due.iter().filter_map(|(name, due)| {
        let rule = policy.rules.get(name).filter(|rule| !rule.suspended)?;
        let slot = due.latest.filter(|slot| slot.edge == Edge::Point && !missed.contains_key(name))?;
        let Sets::Count(count) = rule.sets else { return None };
        let rank = (slot.at, rule.priority, count, std::cmp::Reverse(name));
        Some((rank, Pending { rule: name.clone(), slot: slot.at, count }))
    });
    counts.max_by_key(|(rank, _)| *rank).map(|(_, pending)| pending)
}

fn planned(
    policy: &Policy,
    facts: &Facts,
    in_force: &InForce,
    count: Option<&Pending>,
    trail: &mut Trail,
) -> (Plan, Option<Block>) {
    let hands_off = || {
        let (record, keep) = (facts.memory.base, facts.memory.base);
        let reversions = facts.memory.reversions.clone();
        Plan { record, keep, reversions, ..Plan::default() }
    };
    if policy.aim == Aim::FedHpa {
        return (Plan::default(), None);
    }
    if policy.suspended || facts.holder.is_some() {
        return (hands_off(), None);
    }
    let is_idle = in_force.held.is_empty() && facts.memory.base.is_none() && count.is_none();
    match &facts.target {
        Target::Found { level: Some(current), writers } => {
            let stand = Stand { current: *current, writers, held: &in_force.held, count, now: facts.now };
            (plan(&facts.memory, &stand, trail), None)
        }
        // With the target went what it had.
        Target::Missing if in_force.held.is_empty() && count.is_none() => (Plan::default(), None),
        Target::Missing => (hands_off(), Some(Block::Missing)),
        Target::Unscalable(why) => (hands_off(), Some(Block::Unscalable(why.clone()))),
        Target::Unreadable(_) | Target::Found { level: None, .. } if is_idle => (Plan::default(), None),
        Target::Unreadable(why) => (hands_off(), Some(Block::Unreadable(why.clone()))),
        Target::Found { level: None, .. } => {
            (hands_off(), Some(Block::Unreadable("it tells no replicas".to_owned())))
        }
    }
}

/// Says what becomes of slots.
struct Judge<'a> {
    policy: &'a Policy,
    facts: &'a Facts,
    in_force: &'a InForce,
    missed: &'a BTreeMap<String, DateTime<Utc>>,
    count: Option<&'a Pending>,
    plan: &'a Plan,
}

impl Judge<'_> {
    fn judge(&self, name: String, due: Due, trail: &mut Trail) -> (String, Judged) {
        let (latest, earlier, note) = self.fates(&name, &due);
        if let Some(slot) = due.latest {
            trail.note(Step::Judged { rule: name.clone(), slot: slot.at, fate: latest });
        }
        if due.working + due.off > 1 {
            trail.note(Step::Counted { rule: name.clone(), slots: due.working + due.off });
        }
        (name, Judged { due, latest, earlier, note })
    }

    fn fates(&self, name: &str, due: &Due) -> (Fate, Fate, String) {
        let said = |fate, note: &str| (fate, fate, note.to_owned());
        let Some((rule, slot)) = self.policy.rules.get(name).zip(due.latest) else {
            return said(Fate::Superseded, "");
        };
        if self.policy.suspended {
            return said(Fate::Suspended, "spec.suspend is true");
        }
        if rule.suspended {
            return said(Fate::Suspended, "the rule is suspended");
        }
        if let Some(holder) = &self.facts.holder {
            return said(Fate::Failed, &format!("{} {} holds the target", holder.kind, holder.name));
        }
        let latest = self.latest(name, rule, slot);
        let note = match latest {
            Fate::Missed => self.lateness(rule, slot),
            Fate::Failed => "the target is contested".to_owned(),
            Fate::Applied | Fate::Superseded | Fate::Excluded | Fate::Suspended => String::new(),
        };
        (latest, Fate::Superseded, note)
    }

    fn latest(&self, name: &str, rule: &Rule, slot: Slot) -> Fate {
        if self.missed.contains_key(name) {
            return Fate::Missed;
        }
        let takes_effect = match (&rule.timing, rule.sets) {
            (Timing::Point(_), Sets::Count(_)) => self.count.is_some_and(|count| count.rule == name),
            (Timing::Point(_), Sets::Bounds { .. }) => self.in_force.rules.contains_key(name),
            (Timing::Window(_), Sets::Bounds { .. } | Sets::Count(_)) => true,
        };
        if !takes_effect {
            Fate::Superseded
        } else if self.plan.contested_by.is_some() && slot.edge != Edge::End {
            Fate::Failed
        } else {
            Fate::Applied
        }
    }

    fn lateness(&self, rule: &Rule, slot: Slot) -> String {
        let late = (self.facts.now - slot.at).num_seconds();
        let allowed = rule.deadline.map_or(0, |deadline| deadline.num_seconds());
        format!("{late} s late, {allowed} s allowed")
    }
}
