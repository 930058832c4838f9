//! The decision: what holds, what is due, what is written.
//!
//! Responsible for putting the parts together, in this order: who owns the target, which slots are due, which of
//! them are too late, what holds without those, and what the target needs for it. Knows nothing of the wire and
//! does nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    composition::{InForce, Past, in_force, reach},
    due::{Due, Idle, Search, Slot, due, known},
    facts::{Facts, Fate, Pending, Target},
    hold::{Plan, Stand, plan},
    policy::{Aim, Edge, Policy, Rule, Sets, Suspension, Timing},
    trail::{Step, Trail, time},
};
use crate::schedule::Schedule;

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
    pub next: BTreeMap<String, Next>,
    /// When the next suspension ends by itself.
    pub resumes: Option<DateTime<Utc>>,
    /// The reasons.
    pub trail: Trail,
}

/// A slot to come. Ordered by when something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Next {
    /// When the rule acts: so much before the slot as it leads it.
    pub acts: DateTime<Utc>,
    /// The slot.
    pub slot: DateTime<Utc>,
    /// What it does to the rule.
    pub edge: Edge,
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

impl Judged {
    /// What becomes of one of the slots.
    pub fn fate_of(&self, slot: &Slot) -> Fate {
        match slot.idle {
            Some(Idle::Off) => Fate::Excluded,
            Some(Idle::Suspended) => Fate::Suspended,
            None if self.due.latest == Some(*slot) => self.latest,
            None => self.earlier,
        }
    }
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
    pub fn next_slot(&self) -> Option<(Next, &str)> {
        self.next
            .iter()
            .map(|(rule, next)| (*next, rule.as_str()))
            .min_by_key(|(next, rule)| (next.acts, *rule))
    }

    /// When to decide again at the latest, if nothing else happens.
    pub fn wake_up(&self) -> Option<DateTime<Utc>> {
        self.next_slot().map(|(next, _)| next.acts).into_iter().chain(self.resumes).min()
    }
}

/// Decides. Total: every policy and every facts have a decision, and the same ones always the same.
pub fn decide(policy: &Policy, facts: &Facts) -> Decision {
    let mut trail = Trail::default();
    let instant = instant(policy, facts, &mut trail);
    let due = all_due(policy, facts);
    let pasts = pasts(policy, facts, &due);
    let mut in_force = in_force(policy, instant, &pasts);
    if let Some(holder) = &facts.holder {
        trail.note(Step::HeldBy(holder.clone()));
        in_force = InForce::default();
    }
    tell_in_force(&in_force, instant, &mut trail);
    let hands_off = policy.is_suspended(instant) || facts.holder.is_some();
    let count = if hands_off { None } else { chosen_count(policy, facts, &due, &pasts) };
    let (plan, block) = if hands_off {
        (untouched(policy, facts), None)
    } else {
        planned(policy, facts, &in_force, count.as_ref(), &mut trail)
    };
    let judge =
        Judge { policy, facts, in_force: &in_force, pasts: &pasts, count: count.as_ref(), plan: &plan };
    let due: BTreeMap<_, _> = due.into_iter().map(|(name, due)| judge.judge(name, due, &mut trail)).collect();
    let next = policy.rules.iter().filter_map(|(name, rule)| {
        let past = pasts.get(name).copied().unwrap_or_default();
        Some((name.clone(), next(rule, policy.suspension_of(rule), instant, past)?))
    });
    let (next, resumes) = (next.collect(), policy.resumes(instant));
    Decision { instant, in_force, due, plan, block, next, resumes, trail }
}

/// Whether the decision depends on the target at all: else it need not be read.
pub fn needs_target(policy: &Policy, facts: &Facts) -> bool {
    if policy.aim == Aim::FedHpa {
        return false;
    }
    let mut unread = facts.clone();
    unread.target = Target::Unreadable(String::new());
    decide(policy, &unread).block.is_some()
}

/// A clock that was put back does not bring back what held before the last slot. A slot that its rule leads was
/// accounted for before its time.
fn instant(policy: &Policy, facts: &Facts, trail: &mut Trail) -> DateTime<Utc> {
    let begun = policy.rules.iter().filter_map(|(name, rule)| {
        let known = known(rule, facts.memory.rules.get(name))?;
        let handled = known.last_handled?;
        Some(known.accounted.map_or(handled, |accounted| accounted.min(handled)))
    });
    match begun.max() {
        Some(handled) if handled > facts.now => {
            trail.note(Step::ClockBehind { handled });
            handled
        }
        Some(_) | None => facts.now,
    }
}

fn all_due(policy: &Policy, facts: &Facts) -> BTreeMap<String, Due> {
    let due = policy.rules.iter().filter_map(|(name, rule)| {
        let search = Search {
            days_off: &policy.days_off,
            suspension: policy.suspension_of(rule),
            is_ours: facts.holder.is_none(),
            now: facts.now,
            list: policy.history_limit,
        };
        Some((name.clone(), due(rule, facts.memory.rules.get(name), &search)?))
    });
    due.collect()
}

/// What the past of each rule says about what holds, the slots that are due now included.
fn pasts(policy: &Policy, facts: &Facts, due: &BTreeMap<String, Due>) -> BTreeMap<String, Past> {
    let pasts = policy.rules.iter().filter_map(|(name, rule)| {
        let known = known(rule, facts.memory.rules.get(name))?;
        let due = due.get(name);
        let missed = match due.and_then(|due| due.latest) {
            Some(slot) => is_missed(facts, rule, &slot).then_some(slot.at),
            None => known.last.as_ref().filter(|last| last.fate == Fate::Missed).map(|last| last.slot),
        };
        let once = known.once.or_else(|| due.and_then(|due| due.once));
        Some((name.clone(), Past { handled: known.last_handled, missed, once }))
    });
    pasts.collect()
}

/// The slot of a rule that would be in effect now, but was too late.
fn is_missed(facts: &Facts, rule: &Rule, slot: &Slot) -> bool {
    let acts = slot.idle.is_none() && facts.holder.is_none();
    acts && slot.is_past(rule.deadline, facts.now)
}

/// The slot that comes next: the first one at which the rule acts.
fn next(rule: &Rule, suspension: Suspension, instant: DateTime<Utc>, past: Past) -> Option<Next> {
    let reach = reach(rule, instant, past);
    let has_run = rule.runs_once() && past.once.is_some();
    let led = |schedule: &Schedule, edge| {
        let slot = schedule.next_after(reach).filter(|_| !has_run)?;
        // What is suspended until the lead has begun acts when it no longer is.
        let acts = suspension.end_after(slot - rule.lead).map_or(slot - rule.lead, |end| end.min(slot));
        Some(Next { acts, slot, edge })
    };
    match &rule.timing {
        Timing::Point(schedule) => led(schedule, Edge::Point),
        Timing::Window(window) => {
            // Of one that runs once there are ends until the one that closes it, also before a start that is led.
            let last = past.once.and_then(|once| window.end.next_after(once));
            let end = window.end.next_after(instant).filter(|end| last.is_none_or(|last| *end <= last));
            let end = end.map(|slot| Next { acts: slot, slot, edge: Edge::End });
            end.into_iter().chain(led(&window.start, Edge::Start)).min()
        }
    }
}

fn tell_in_force(in_force: &InForce, instant: DateTime<Utc>, trail: &mut Trail) {
    for (rule, standing) in &in_force.rules {
        trail.note(if standing.slot() > instant {
            Step::Leads { rule: rule.clone(), slot: standing.slot() }
        } else {
            Step::InForce { rule: rule.clone(), standing: *standing }
        });
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
/// priority, then the larger. One that another has led already comes too late.
fn chosen_count(
    policy: &Policy,
    facts: &Facts,
    due: &BTreeMap<String, Due>,
    pasts: &BTreeMap<String, Past>,
) -> Option<Pending> {
    let rank = |name: &str, slot: DateTime<Utc>| {
        let rule = policy.rules.get(name)?;
        let Sets::Count(count) = rule.sets else { return None };
        Some(((slot, rule.priority, count, std::cmp::Reverse(name.to_owned())), count))
    };
    let counts = due.iter().filter_map(|(name, due)| {
        let is_missed = pasts.get(name).is_some_and(|past| past.missed.is_some());
        let slot = due.latest.filter(|slot| slot.edge == Edge::Point && slot.idle.is_none() && !is_missed)?;
        let (rank, count) = rank(name, slot.at)?;
        Some((rank, Pending { rule: name.clone(), slot: slot.at, count }))
    });
    let written = facts.memory.rules.iter().filter_map(|(name, memory)| {
        let known = known(policy.rules.get(name)?, Some(memory))?;
        let last =
            known.last.as_ref().filter(|last| last.fate == Fate::Applied && last.edge == Edge::Point)?;
        rank(name, last.slot)
    });
    let written = written.map(|(rank, _)| rank).max();
    let (rank, pending) = counts.max_by(|(one, _), (other, _)| one.cmp(other))?;
    written.is_none_or(|written| written < rank).then_some(pending)
}

/// Nothing is done and nothing forgotten.
fn untouched(policy: &Policy, facts: &Facts) -> Plan {
    if policy.aim == Aim::FedHpa {
        return Plan::default();
    }
    let (record, keep) = (facts.memory.base, facts.memory.base);
    Plan { record, keep, reversions: facts.memory.reversions.clone(), ..Plan::default() }
}

fn planned(
    policy: &Policy,
    facts: &Facts,
    in_force: &InForce,
    count: Option<&Pending>,
    trail: &mut Trail,
) -> (Plan, Option<Block>) {
    if policy.aim == Aim::FedHpa {
        return (Plan::default(), None);
    }
    let hands_off = || untouched(policy, facts);
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
    pasts: &'a BTreeMap<String, Past>,
    count: Option<&'a Pending>,
    plan: &'a Plan,
}

impl Judge<'_> {
    fn judge(&self, name: String, due: Due, trail: &mut Trail) -> (String, Judged) {
        let (latest, earlier, note) = self.fates(&name, &due);
        if let Some(slot) = due.latest {
            trail.note(Step::Judged { rule: name.clone(), slot: slot.at, fate: latest });
        }
        let slots = due.working + due.off + due.suspended;
        if slots > 1 {
            trail.note(Step::Counted { rule: name.clone(), slots });
        }
        (name, Judged { due, latest, earlier, note })
    }

    fn fates(&self, name: &str, due: &Due) -> (Fate, Fate, String) {
        let said = |fate, note: &str| (fate, fate, note.to_owned());
        let Some((rule, slot)) = self.policy.rules.get(name).zip(due.latest) else {
            return said(Fate::Superseded, "");
        };
        if slot.idle == Some(Idle::Suspended) {
            return said(Fate::Suspended, &self.why_suspended(rule, slot));
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
        if self.pasts.get(name).is_some_and(|past| past.missed.is_some()) {
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

    fn why_suspended(&self, rule: &Rule, slot: Slot) -> String {
        let all = self.policy.suspension;
        if all.covers(slot.at) { all_suspended(all) } else { rule_suspended(rule.suspension) }
    }

    fn lateness(&self, rule: &Rule, slot: Slot) -> String {
        let late = (self.facts.now - slot.at).num_seconds();
        let allowed = rule.deadline.map_or(0, |deadline| deadline.num_seconds());
        format!("{late} s late, {allowed} s allowed")
    }
}

/// Why no rule acts.
pub(super) fn all_suspended(suspension: Suspension) -> String {
    match suspension {
        Suspension::Until(end) => format!("spec.suspendUntil is {}", time(end)),
        Suspension::Not | Suspension::Always => "spec.suspend is true".to_owned(),
    }
}

fn rule_suspended(suspension: Suspension) -> String {
    match suspension {
        Suspension::Until(end) => format!("the rule is suspended until {}", time(end)),
        Suspension::Not | Suspension::Always => "the rule is suspended".to_owned(),
    }
}
