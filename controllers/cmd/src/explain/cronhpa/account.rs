//! The answer of `fedscaler explain cronhpa`: what holds, and what is to come.
//!
//! Responsible for the shape that `-o json` prints and that the table is rendered from. The shape is our own and has a
//! version; `docs/slots.schema.json` is its schema. Decides nothing.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use fedscaler_core::{
    cronhpa::{
        composition::Held,
        course::{Coming, Course, course},
        facts::Memory,
        policy::{Aim, Edge, Policy},
    },
    fedhpa::facts_file::{Subject, Version},
    schedule::Shift,
    time::Time,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Case, Span};
use crate::Refusal;

/// The most slots that are told.
const MOST: usize = 100_000;

/// What holds at a time, and what is to come after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The form of this answer.
    pub version: Version,
    /// Which CronHPA.
    pub cron_hpa: Subject,
    /// The beginning: what holds holds then, and the slots come after it.
    #[schemars(with = "Time")]
    pub from: DateTime<Utc>,
    /// The end: the last slots are at it.
    #[schemars(with = "Time")]
    pub to: DateTime<Utc>,
    /// Why it is so at the beginning, for people.
    pub reasons: Vec<String>,
    /// The bounds in force at the beginning.
    pub in_force: Bounds,
    /// What of the object cannot be followed, for people.
    pub faults: Vec<String>,
    /// What is to be known besides.
    pub notes: Vec<String>,
    /// The slots to come, by time and then by rule.
    pub slots: Vec<SlotAccount>,
    /// How long replicas took to be ready the last few times, latest first; only from the cluster.
    pub ready: Vec<Readiness>,
}

/// How long the replicas that a slot asked for took to be ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// The rule.
    pub rule: String,
    /// When the slot was due, in UTC.
    #[schemars(with = "Time")]
    pub utc: DateTime<Utc>,
    /// When it took effect.
    #[schemars(with = "Time")]
    pub acted: DateTime<Utc>,
    /// Seconds from when it was due to when they were ready; below 0 if that was before.
    pub ready_after_seconds: i64,
    /// Seconds from when it took effect to when they were ready: a lead of so much would have been enough.
    pub took_seconds: i64,
}

/// Bounds that rules set, or a count; `null` where no rule sets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// Least replicas.
    pub min_replicas: Option<u32>,
    /// The rule that sets the min.
    pub min_rule: Option<String>,
    /// Most replicas.
    pub max_replicas: Option<u32>,
    /// The rule that sets the max.
    pub max_rule: Option<String>,
    /// Of a workload: the count that is held, or that a rule wrote last; `null` where the rules do not say.
    pub replicas: Option<u32>,
}

/// One slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotAccount {
    /// The rule.
    pub rule: String,
    /// Which side of a window it is; `null` where the rule has none.
    pub edge: Option<Side>,
    /// When it is, in UTC.
    #[schemars(with = "Time")]
    pub utc: DateTime<Utc>,
    /// When it is in the rule's zone, with the offset there.
    pub local: String,
    /// What a shift of the clock does to it; `null` where there is none.
    pub clock: Option<ClockShift>,
    /// When the rule acts for it: so much earlier as it leads its slots.
    #[schemars(with = "Time")]
    pub acts: DateTime<Utc>,
    /// What becomes of it, as in the status: Applied, Superseded, Excluded, Suspended, Missed or Failed.
    pub result: String,
    /// What there is to say about it; empty if nothing.
    pub message: String,
    /// The bounds in force after it.
    pub in_force: Bounds,
}

/// A side of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Side {
    /// It opens.
    Start,
    /// It closes.
    End,
}

/// What a shift of the clock does to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum ClockShift {
    /// The clock skips its time: it falls on the first instant after the gap.
    Skipped,
    /// The clock shows its time twice, and this is the first.
    FirstPass,
    /// The clock shows its time twice, and this is the second.
    SecondPass,
}

impl Account {
    /// Follows a case through a span.
    pub fn of(case: &Case, span: Span) -> Result<Self, Refusal> {
        let Case { cron_hpa, policy, start, notes } = case;
        let Course { then, mut slots, cut } = course(policy, start, span.from, span.to, MOST);
        if cut {
            return Err(Refusal::new(format!(
                "there are more than {MOST} slots in that span: give --from and --to that are closer"
            )));
        }
        let place = |coming: &Coming| (coming.slot.at, coming.rule.clone(), coming.slot.edge);
        slots.sort_by_key(place);
        let mut faults = policy.faults.clone();
        faults.sort_unstable();
        let faults = faults.into_iter().map(|fault| match fault.rule {
            Some(rule) => format!("rule {rule}: {}", fault.reason),
            None => fault.reason,
        });
        let reasons = then.trail.lines();
        Ok(Self {
            version: Version::V1Alpha1,
            cron_hpa: cron_hpa.clone(),
            from: span.from,
            to: span.to,
            reasons: if reasons.is_empty() { vec!["no rule is in force".to_owned()] } else { reasons },
            in_force: bounds(policy, &then.in_force.held, None),
            faults: faults.collect(),
            notes: notes.clone(),
            slots: slots.iter().filter_map(|coming| slot(policy, coming)).collect(),
            ready: ready(policy, &start.memory),
        })
    }
}

fn ready(policy: &Policy, memory: &Memory) -> Vec<Readiness> {
    let remembered = memory.rules.iter().filter(|(name, _)| policy.rules.contains_key(*name));
    let of_rule = remembered.flat_map(|(name, rule)| {
        let mut records: Vec<_> = rule.last.iter().chain(&rule.history).collect();
        records.sort_by_key(|record| Reverse(record.slot));
        records.dedup_by_key(|record| record.slot);
        let seen = records.into_iter().filter_map(|record| {
            let (acted, ready) = (record.finished?, record.ready?);
            Some(Readiness {
                rule: name.clone(),
                utc: record.slot,
                acted,
                ready_after_seconds: (ready - record.slot).num_seconds(),
                took_seconds: (ready - acted).num_seconds(),
            })
        });
        seen.collect::<Vec<_>>()
    });
    of_rule.collect()
}

fn bounds(policy: &Policy, held: &Held, count: Option<u32>) -> Bounds {
    let (min, max) = (held.min.as_ref(), held.max.as_ref());
    let is_counted = policy.aim == Aim::Workload;
    Bounds {
        min_replicas: min.map(|bound| bound.replicas),
        min_rule: min.map(|bound| bound.rule.clone()),
        max_replicas: max.map(|bound| bound.replicas),
        max_rule: max.map(|bound| bound.rule.clone()),
        replicas: max.map(|bound| bound.replicas).filter(|_| is_counted).or(count),
    }
}

fn slot(policy: &Policy, coming: &Coming) -> Option<SlotAccount> {
    let schedule = policy.rules.get(&coming.rule)?.timing.schedule(coming.slot.edge);
    Some(SlotAccount {
        rule: coming.rule.clone(),
        edge: match coming.slot.edge {
            Edge::Point => None,
            Edge::Start => Some(Side::Start),
            Edge::End => Some(Side::End),
        },
        utc: coming.slot.at,
        local: schedule.zone().written(coming.slot.at),
        clock: schedule.shift(coming.slot.at).map(|shift| match shift {
            Shift::Skipped => ClockShift::Skipped,
            Shift::FirstPass => ClockShift::FirstPass,
            Shift::SecondPass => ClockShift::SecondPass,
        }),
        acts: coming.acts,
        result: coming.fate.as_str().to_owned(),
        message: coming.note.clone(),
        in_force: bounds(policy, &coming.held, coming.count),
    })
}
