//! What is true of a CronHPA.
//!
//! Responsible for the four conditions and their words. Knows nothing of the wire.

use super::{
    decide::{Block, Decision, all_suspended},
    facts::{Facts, Level, Target},
    policy::{Aim, Policy, Suspension},
    settle::Outcome,
    trail::time,
};
use crate::conditions::{ConditionKind, Finding};

/// The conditions of a CronHPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CronHpaCondition {
    /// All is as it should be.
    Ready,
    /// Someone else holds the target, or keeps changing it.
    Contested,
    /// All rules are suspended.
    Suspended,
    /// A part of the object cannot be followed.
    Invalid,
}

impl ConditionKind for CronHpaCondition {
    const ALL: &'static [Self] = &[Self::Ready, Self::Contested, Self::Suspended, Self::Invalid];

    fn name(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Contested => "Contested",
            Self::Suspended => "Suspended",
            Self::Invalid => "Invalid",
        }
    }
}

/// Where an HPA's bounds go to in a federation.
const PER_MEMBER: &str =
    "an HPA here bounds each member cluster by itself, not the total: for the total use a FedHPA";

/// The conditions after `outcome`.
pub fn findings(
    policy: &Policy,
    facts: &Facts,
    decision: &Decision,
    outcome: &Outcome,
) -> Vec<Finding<CronHpaCondition>> {
    vec![
        ready(policy, facts, decision, outcome),
        contested(facts, decision),
        suspended(policy, decision),
        invalid(policy),
    ]
}

fn ready(
    policy: &Policy,
    facts: &Facts,
    decision: &Decision,
    outcome: &Outcome,
) -> Finding<CronHpaCondition> {
    let not = |reason, message: String| Finding::new(CronHpaCondition::Ready, false, reason, message);
    if decision.is_contested(facts) {
        return not("Contested", contested(facts, decision).message);
    }
    if let Outcome::Failed(error) = outcome {
        return not("WriteFailed", format!("the target cannot be written: {error}"));
    }
    match (&decision.block, &facts.target) {
        (Some(Block::Missing), _) | (None, Target::Missing) => {
            return not("TargetMissing", "there is no such target".to_owned());
        }
        (Some(Block::Unscalable(why)), _) => return not("TargetUnscalable", why.clone()),
        (Some(Block::Unreadable(why)), _) => {
            return not("TargetUnreadable", format!("the target cannot be read: {why}"));
        }
        (None, Target::Found { .. } | Target::Unscalable(_) | Target::Unreadable(_)) => {}
    }
    if !policy.faults.is_empty() {
        return not("Invalid", invalid(policy).message);
    }
    if policy.is_suspended(decision.instant) {
        return not("Suspended", suspended(policy, decision).message);
    }
    Finding::new(CronHpaCondition::Ready, true, word(decision), words(policy, decision))
}

fn word(decision: &Decision) -> &'static str {
    if decision.in_force.rules.is_empty() { "Waiting" } else { "InForce" }
}

fn words(policy: &Policy, decision: &Decision) -> String {
    let rules: Vec<_> = decision.in_force.rules.keys().map(String::as_str).collect();
    let mut words = if rules.is_empty() {
        "no rule is in force".to_owned()
    } else {
        format!("in force: {}", rules.join(", "))
    };
    if policy.aim == Aim::Hpa {
        words = format!("{words}; {PER_MEMBER}");
    }
    if policy.aim == Aim::Workload && decision.plan.write == Some(Level::exactly(0)) {
        words = format!("{words}; {TO_ZERO}");
    }
    words
}

/// What scaling a template to nothing does in a federation.
pub const TO_ZERO: &str =
    "scaled to 0: unless Karmada propagates empty workloads, it deletes this one in the members";

fn contested(facts: &Facts, decision: &Decision) -> Finding<CronHpaCondition> {
    let kind = CronHpaCondition::Contested;
    if let Some(holder) = &facts.holder {
        let words = match holder.kind.as_str() {
            "CronHPA" => format!("the target is held by the older CronHPA {}", holder.name),
            kind => format!("the {kind} {} scales this workload: aim at that instead", holder.name),
        };
        return Finding::new(kind, true, "HeldByAnother", words);
    }
    match &decision.plan.contested_by {
        Some(by) => {
            let words =
                format!("{by} keeps changing what is held; it is left alone until another rule holds");
            Finding::new(kind, true, "KeepsChanging", words)
        }
        None => Finding::new(kind, false, "Uncontested", ""),
    }
}

fn suspended(policy: &Policy, decision: &Decision) -> Finding<CronHpaCondition> {
    let kind = CronHpaCondition::Suspended;
    if policy.is_suspended(decision.instant) {
        let words = format!("{}: no rule acts", all_suspended(policy.suspension));
        return Finding::new(kind, true, "Suspended", words);
    }
    let rules = policy.rules.iter().filter(|(_, rule)| rule.suspension.covers(decision.instant));
    let rules: Vec<_> = rules.map(|(name, rule)| named(name, rule.suspension)).collect();
    if rules.is_empty() {
        Finding::new(kind, false, "Active", "")
    } else {
        Finding::new(kind, false, "Active", format!("suspended rules: {}", rules.join(", ")))
    }
}

fn named(rule: &str, suspension: Suspension) -> String {
    match suspension {
        Suspension::Until(end) => format!("{rule} until {}", time(end)),
        Suspension::Not | Suspension::Always => rule.to_owned(),
    }
}

fn invalid(policy: &Policy) -> Finding<CronHpaCondition> {
    let kind = CronHpaCondition::Invalid;
    if policy.faults.is_empty() {
        return Finding::new(kind, false, "Valid", "");
    }
    let mut faults = policy.faults.clone();
    faults.sort_unstable();
    let faults = faults.iter().map(|fault| match &fault.rule {
        Some(rule) => format!("rule {rule}: {}", fault.reason),
        None => fault.reason.clone(),
    });
    let words = faults.collect::<Vec<_>>().join("; ");
    Finding::new(kind, true, "Invalid", words)
}
