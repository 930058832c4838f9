//! The answer of `fedscaler explain fedhpa`: the facts, the decision and its reasons as one value.
//!
//! Responsible for the shape that `-o json` prints and that the table is rendered from. The shape is our own and has a
//! version; `docs/explanation.schema.json` is its schema. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use fedscaler_core::{
    conditions::ConditionKind as _,
    fedhpa::{
        decide,
        decision::{ClusterView, Decision, FedHpaCondition, Phase, Write},
        facts::{Cluster, Facts},
        facts_file::{Subject, Version},
        policy::Bounds,
        report,
        trail::Reason,
        what_if::{Turn, WhatIf, course},
    },
    reading::{Dark, Reading},
    room::RoomSource,
    time::Time,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Case, supposed::Supposed, words};
use crate::Refusal;

/// What would be decided now, and why.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The form of this answer.
    pub version: Version,
    /// Which FedHPA.
    pub fed_hpa: Subject,
    /// When the facts were observed.
    #[schemars(with = "Time")]
    pub observed: DateTime<Utc>,
    /// The reasons of the decision, in the order in which they were found, for people.
    pub reasons: Vec<String>,
    /// The same, as data.
    pub steps: Vec<Reason>,
    /// The numbers of the whole.
    pub totals: Totals,
    /// The clusters, by name.
    pub clusters: Vec<ClusterAccount>,
    /// What would be written now, in this order.
    pub writes: Vec<WriteAccount>,
    /// The conditions as they would stand in the status.
    pub conditions: Vec<ConditionAccount>,
    /// What time alone brings, if nothing else changes: the splits that would be adopted later.
    pub to_come: Vec<TurnAccount>,
    /// When the controller would look again at the latest.
    #[schemars(with = "Option<Time>")]
    pub look_again: Option<DateTime<Utc>>,
    /// What would be if something were otherwise; absent where nothing was supposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what_if: Option<Supposed>,
    /// What the decision was made from.
    pub facts: Facts,
}

/// The numbers of the whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// The totals in force; `null` where nothing is divided.
    pub in_force: Option<Bounds>,
    /// `CRONHPA/RULE` behind the min; `null` where it is the spec's.
    pub min_rule: Option<String>,
    /// `CRONHPA/RULE` behind the max; `null` where it is the spec's.
    pub max_rule: Option<String>,
    /// The sum of the shares.
    pub shares: Option<Bounds>,
    /// Replicas that run, as far as known.
    pub current: u32,
    /// Replicas that are wanted, as far as known.
    pub desired: u32,
    /// Replicas of the max that no cluster may take.
    pub unplaced: u32,
    /// Replicas that unreachable clusters may run beyond the max.
    pub possible_overshoot: u32,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterAccount {
    /// Its name.
    pub name: String,
    /// What it is doing; `null` where nothing is decided about it.
    pub phase: Option<Phase>,
    /// Its part of the totals.
    pub share: Option<Bounds>,
    /// The bounds that its HPA has, or is given now: on the way to the share.
    pub bounds: Option<Bounds>,
    /// What its HPA last saw running.
    pub current: Option<u32>,
    /// What its HPA last wanted.
    pub desired: Option<u32>,
    /// Seconds since its HPA was last heard; 0 while it is, `null` where it never was.
    pub report_age_seconds: Option<u64>,
    /// Ready pods.
    pub ready: Option<u32>,
    /// Replicas that it could hold in all; `null` where that is not known.
    pub room: Option<u32>,
    /// Where the room was read.
    pub room_source: Option<RoomSource>,
    /// Seconds since that source was last heard; 0 while it is.
    pub room_age_seconds: Option<u64>,
    /// Why the room is not known, where it is not.
    pub room_unknown: Option<Dark>,
    /// Percent of the free resources that no replica can use, since they are spread over nodes.
    pub fragmentation_percent: Option<u32>,
    /// At its max and wants more.
    pub saturated: bool,
    /// Why it is so.
    pub why: String,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WriteAccount {
    /// For people.
    pub words: String,
    /// The write, as data; `null` for what is only remembered in the status.
    pub write: Option<Write>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConditionAccount {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
}

/// A split that would be adopted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnAccount {
    /// How long after the facts.
    pub after_seconds: u64,
    /// Why, for people.
    pub reasons: Vec<String>,
    /// Each cluster's share then.
    pub shares: BTreeMap<String, Bounds>,
    /// Replicas of the max that no cluster may take then.
    pub unplaced: u32,
}

impl Account {
    /// Decides a case, and tells what would be different under the suppositions.
    pub fn of(case: &Case, what_ifs: &[WhatIf]) -> Result<Self, Refusal> {
        let Case { fed_hpa, policy, facts } = case;
        let decision = decide(policy, facts);
        let supposed =
            if what_ifs.is_empty() { None } else { Some(Supposed::of(case, &decision, what_ifs)?) };
        let later = course(policy, facts).turns.into_iter().filter(|turn| turn.after.num_seconds() > 0);
        Ok(Self {
            version: Version::V1Alpha1,
            fed_hpa: fed_hpa.clone(),
            observed: facts.now,
            reasons: reasons(&decision),
            steps: decision.trail.reasons().to_vec(),
            totals: totals(&decision),
            clusters: clusters(facts, &decision),
            writes: words::writes(facts, &decision),
            conditions: conditions(&decision),
            to_come: later.map(|turn| turned(&turn)).collect(),
            look_again: decision.look_again,
            what_if: supposed,
            facts: facts.clone(),
        })
    }
}

/// Where nothing is divided, the reasons are in the conditions.
pub(super) fn reasons(decision: &Decision) -> Vec<String> {
    let lines = decision.trail.lines();
    if !lines.is_empty() {
        return lines;
    }
    let ready = decision.findings.iter().filter(|finding| finding.kind == FedHpaCondition::Ready);
    ready.map(|finding| finding.message.clone()).collect()
}

pub(super) fn turned(turn: &Turn) -> TurnAccount {
    TurnAccount {
        after_seconds: u64::try_from(turn.after.num_seconds()).unwrap_or_default(),
        reasons: turn.trail.lines(),
        shares: turn.split.shares.clone(),
        unplaced: turn.unplaced,
    }
}

fn totals(decision: &Decision) -> Totals {
    let (shares, current, desired) = report::totals(decision);
    let in_force = decision.in_force.as_ref();
    Totals {
        in_force: in_force.map(|in_force| in_force.bounds),
        min_rule: in_force.and_then(|in_force| in_force.min_rule.clone()),
        max_rule: in_force.and_then(|in_force| in_force.max_rule.clone()),
        shares,
        current,
        desired,
        unplaced: decision.unplaced,
        possible_overshoot: decision.possible_overshoot,
    }
}

fn clusters(facts: &Facts, decision: &Decision) -> Vec<ClusterAccount> {
    let shares = decision.split.as_ref().map(|split| &split.shares);
    let sharing = shares.into_iter().flat_map(BTreeMap::keys);
    let names: BTreeSet<&String> =
        facts.clusters.keys().chain(decision.clusters.keys()).chain(sharing).collect();
    let told = names.into_iter().map(|name| {
        let share = shares.and_then(|shares| shares.get(name)).copied();
        cluster(name, share, facts.clusters.get(name), decision.clusters.get(name))
    });
    told.collect()
}

fn cluster(
    name: &str,
    share: Option<Bounds>,
    seen: Option<&Cluster>,
    view: Option<&ClusterView>,
) -> ClusterAccount {
    let hpa = seen.and_then(|cluster| cluster.hpa.as_ref());
    let report = hpa.and_then(|hpa| hpa.report.known());
    let free = seen.map(|cluster| &cluster.free);
    let known = free.and_then(Reading::known);
    ClusterAccount {
        name: name.to_owned(),
        phase: view.map(|view| view.phase),
        share,
        bounds: view.and_then(|view| view.bounds).or(hpa.map(|hpa| hpa.bounds)),
        current: report.map(|report| report.current),
        desired: report.map(|report| report.desired),
        report_age_seconds: hpa.and_then(|hpa| age(&hpa.report)),
        ready: seen.and_then(|cluster| cluster.workload.known()).map(|workload| workload.ready),
        room: view.and_then(|view| view.room),
        room_source: known.map(|free| free.source),
        room_age_seconds: free.and_then(age),
        room_unknown: free.and_then(|free| match free {
            Reading::Dark(why) => Some(*why),
            Reading::Fresh(_) | Reading::Stale { .. } => None,
        }),
        fragmentation_percent: known.map(fedscaler_core::room::Free::fragmentation_percent),
        saturated: view.is_some_and(|view| view.saturated),
        why: view.map_or_else(|| "nothing is decided about it".to_owned(), |view| view.why.clone()),
    }
}

fn age<T>(reading: &Reading<T>) -> Option<u64> {
    match reading {
        Reading::Fresh(_) => Some(0),
        Reading::Stale { age_seconds, .. } => Some(*age_seconds),
        Reading::Dark(_) => None,
    }
}

fn conditions(decision: &Decision) -> Vec<ConditionAccount> {
    let found = decision.findings.iter().map(|finding| {
        let account = ConditionAccount {
            kind: finding.kind.name().to_owned(),
            status: finding.status.as_str().to_owned(),
            reason: finding.reason.to_owned(),
            message: finding.message.clone(),
        };
        (finding.kind, account)
    });
    // Of two findings of one kind the later one stands, as in the status.
    found.collect::<BTreeMap<_, _>>().into_values().collect()
}
