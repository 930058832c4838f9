//! Decisions of a CronHPA: what they share, and one file for each side of them.

mod accounting;
mod composed;
mod course;
mod held;
mod led;
mod once;
mod outages;
mod readiness;
mod suspended;
mod told;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    decide::{Decision, decide},
    facts::{Facts, Level, Memory, Target, Writers},
    policy::{Aim, Frequency, Policy, Rule, Sets, Suspension, Timing, fingerprint},
    settle::{Outcome, before_write, catch_up, settle},
};
use crate::schedule::{DaysOff, Pattern, Schedule, Window};

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn bounds(min: impl Into<Option<u32>>, max: impl Into<Option<u32>>) -> Sets {
    Sets::Bounds { min: min.into(), max: max.into() }
}

fn schedule(text: &str) -> Schedule {
    Schedule::new(Pattern::parse(text).unwrap(), "UTC".parse().unwrap())
}

pub(super) fn point(text: &str, sets: Sets) -> Rule {
    rule(Timing::Point(schedule(text)), sets, &[text])
}

pub(super) fn window(start: &str, end: &str, sets: Sets) -> Rule {
    let window = Window { start: schedule(start), end: schedule(end) };
    rule(Timing::Window(window), sets, &[start, end])
}

fn rule(timing: Timing, sets: Sets, texts: &[&str]) -> Rule {
    let fingerprint = fingerprint(texts.iter().copied());
    Rule {
        timing,
        sets,
        priority: 0,
        deadline: None,
        lead: TimeDelta::zero(),
        frequency: Frequency::Always,
        suspension: Suspension::Not,
        fingerprint,
    }
}

impl Rule {
    pub(super) fn priority(self, priority: i32) -> Self {
        Self { priority, ..self }
    }

    pub(super) fn deadline(self, seconds: i64) -> Self {
        Self { deadline: Some(TimeDelta::seconds(seconds)), ..self }
    }

    pub(super) fn lead(self, seconds: i64) -> Self {
        Self { lead: TimeDelta::seconds(seconds), ..self }
    }

    pub(super) fn once(self) -> Self {
        Self { frequency: Frequency::Once, ..self }
    }

    pub(super) fn suspended_until(self, end: &str) -> Self {
        Self { suspension: Suspension::Until(at(end)), ..self }
    }
}

pub(super) fn policy<const N: usize>(aim: Aim, rules: [(&str, Rule); N]) -> Policy {
    let rules: BTreeMap<_, _> = rules.into_iter().map(|(name, rule)| (name.to_owned(), rule)).collect();
    let (days_off, suspension) = (DaysOff::NONE, Suspension::Not);
    Policy { aim, rules, days_off, suspension, history_limit: 5, faults: Vec::new() }
}

pub(super) fn days_off(date: &str) -> DaysOff {
    let mut days = DaysOff::default();
    days.add(date).unwrap();
    days
}

/// When a controller dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It does not.
    Lives,
    /// Before it wrote anything.
    DiesFirst,
    /// After it remembered what must be remembered before the write.
    DiesBeforeWrite,
    /// After the write, before it remembered the rest.
    DiesAfterWrite,
    /// The write fails.
    WriteFails,
}

/// A controller, its memory and its target.
pub(super) struct World {
    pub(super) policy: Policy,
    pub(super) memory: Memory,
    pub(super) level: Option<Level>,
    pub(super) written_by: Option<String>,
    pub(super) writes: Vec<Level>,
}

impl World {
    pub(super) fn new(policy: Policy, level: impl Into<Option<Level>>) -> Self {
        let level = level.into();
        Self { policy, memory: Memory::default(), level, written_by: None, writes: Vec::new() }
    }

    pub(super) fn facts(&self, now: DateTime<Utc>) -> Facts {
        let writers = Writers { min: self.written_by.clone(), max: self.written_by.clone() };
        let target = Target::Found { level: self.level, writers };
        Facts { now, memory: self.memory.clone(), target, holder: None, ready: None }
    }

    pub(super) fn decide(&self, now: &str) -> Decision {
        decide(&self.policy, &self.facts(at(now)))
    }

    /// Somebody else writes the target.
    pub(super) fn intrude(&mut self, by: &str, level: Level) {
        (self.level, self.written_by) = (Some(level), Some(by.to_owned()));
    }

    /// One reconcile at `now`.
    pub(super) fn reconcile(&mut self, now: DateTime<Utc>, life: Life) -> Decision {
        let mut facts = self.facts(now);
        if life != Life::DiesFirst
            && let Some(memory) = catch_up(&self.policy, &facts)
        {
            (self.memory, facts.memory) = (memory.clone(), memory);
        }
        let decision = decide(&self.policy, &facts);
        if life == Life::DiesFirst {
            return decision;
        }
        let mut outcome = Outcome::Done;
        if let Some(level) = decision.plan.write {
            self.memory = before_write(&facts, &decision);
            match life {
                Life::DiesBeforeWrite => return decision,
                Life::WriteFails => outcome = Outcome::Failed("no".to_owned()),
                Life::Lives | Life::DiesFirst | Life::DiesAfterWrite => {
                    (self.level, self.written_by) = (Some(level), None);
                    self.writes.push(level);
                }
            }
        }
        if life != Life::DiesAfterWrite {
            self.memory = settle(&self.policy, &facts, &decision, &outcome, now);
        }
        decision
    }

    pub(super) fn run(&mut self, now: &str) -> Decision {
        self.reconcile(at(now), Life::Lives)
    }
}

/// The bounds in force, as numbers.
pub(super) fn numbers(decision: &Decision) -> (Option<u32>, Option<u32>) {
    let held = &decision.in_force.held;
    (held.min.as_ref().map(|bound| bound.replicas), held.max.as_ref().map(|bound| bound.replicas))
}
