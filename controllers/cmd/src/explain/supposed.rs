//! The answer to `--what-if`: the shares now and the shares then.
//!
//! Responsible for setting both side by side and for saying what a supposition does not touch. What would be decided is
//! found by the core.

use std::collections::BTreeSet;

use fedscaler_core::fedhpa::{
    decide,
    decision::Decision,
    policy::Bounds,
    split::{Shares, total},
    what_if::{WhatIf, course, suppose},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Case,
    account::{TurnAccount, reasons, turned},
};
use crate::Refusal;

/// What would be if something were otherwise: where the split comes to while members go on wanting what they want now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Supposed {
    /// What is supposed, as it was given.
    pub what_ifs: Vec<String>,
    /// The reasons of the decision that would be made at once, for people.
    pub reasons: Vec<String>,
    /// The splits that would be adopted one after another; none where the split in force stays.
    pub course: Vec<TurnAccount>,
    /// Whether the split comes to rest; else `then` is only the last that was looked at.
    pub rests: bool,
    /// The sum of the shares.
    pub totals: BeforeAndAfter<Bounds>,
    /// Replicas of the max that no cluster may take.
    pub unplaced: BeforeAndAfter<u32>,
    /// Each cluster's share.
    pub clusters: Vec<Moved>,
    /// What is to be known besides.
    pub notes: Vec<String>,
}

/// A number now, and as it would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BeforeAndAfter<T> {
    /// As it is decided now.
    pub now: T,
    /// As it would be in the end.
    pub then: T,
}

/// A cluster's share now, and as it would be; 0..0 is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moved {
    /// The cluster.
    pub name: String,
    /// As it is decided now.
    pub now: Bounds,
    /// As it would be in the end.
    pub then: Bounds,
}

impl Supposed {
    /// Sets what would be beside what is decided now.
    pub(super) fn of(case: &Case, now: &Decision, what_ifs: &[WhatIf]) -> Result<Self, Refusal> {
        let supposed = suppose(&case.policy, &case.facts, what_ifs);
        let (policy, facts) = supposed.map_err(|why| Refusal::new(format!("--what-if {why}")))?;
        let (at_once, course) = (decide(&policy, &facts), course(&policy, &facts));
        let before = now.split.as_ref().map(|split| split.shares.clone()).unwrap_or_default();
        let last = course.turns.last();
        let after = last.map_or_else(|| before.clone(), |turn| turn.split.shares.clone());
        Ok(Self {
            what_ifs: what_ifs.iter().map(ToString::to_string).collect(),
            reasons: reasons(&at_once),
            rests: course.rests,
            totals: BeforeAndAfter { now: total(&before), then: total(&after) },
            unplaced: BeforeAndAfter {
                now: now.unplaced,
                then: last.map_or(at_once.unplaced, |turn| turn.unplaced),
            },
            clusters: moved(&before, &after),
            notes: notes(&at_once, what_ifs),
            course: course.turns.iter().map(turned).collect(),
        })
    }
}

fn moved(before: &Shares, after: &Shares) -> Vec<Moved> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let share = |shares: &Shares, name: &String| shares.get(name).copied().unwrap_or_default();
    let moved = names.into_iter().map(|name| Moved {
        name: name.clone(),
        now: share(before, name),
        then: share(after, name),
    });
    moved.collect()
}

/// A bound of the spec does nothing while a CronHPA's rule holds it.
fn notes(at_once: &Decision, what_ifs: &[WhatIf]) -> Vec<String> {
    let Some(in_force) = &at_once.in_force else {
        return vec!["nothing is divided, so nothing would be different".to_owned()];
    };
    let held = what_ifs.iter().filter_map(|what_if| match what_if {
        WhatIf::Min(_) => Some((what_if, "min", in_force.min_rule.as_ref()?)),
        WhatIf::Max(_) => Some((what_if, "max", in_force.max_rule.as_ref()?)),
        WhatIf::Lost(_) | WhatIf::Room { .. } => None,
    });
    held.map(|(what_if, bound, rule)| {
        format!("{what_if} is a bound of the spec: it does nothing while {rule} holds the {bound}")
    })
    .collect()
}
