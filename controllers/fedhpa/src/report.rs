//! Says what was decided and what came of it.
//!
//! Responsible for the status, silent when nothing moved, and for events, which are edges between the old status
//! and the new one. Decides nothing.

use fedscaler_core::{
    conditions::{ConditionKind as _, merge},
    fedhpa::{
        decision::{ClusterView, Decision, FedHpaCondition, Phase},
        facts::Facts,
        report::totals,
    },
    reading::Reading,
    room::RoomSource,
};
use fedscaler_crds::{
    FedHpa, FedHpaStatus,
    fedhpa::{BoundsInForce, CapacitySourceInUse, ClusterPhase, ClusterStatus, Release, ShareRecord, Totals},
};
use fedscaler_runtime::{
    client::CallError,
    conditions::{from_wire, to_wire},
    events::{Notice, Severity},
    leadership::Term,
    status::{StatusWrite, write_status},
    time,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Resource as _};

use crate::{
    act::Outcome,
    context::{CALL_BUDGET, Context},
    memory::{record_resets, record_round, record_split, to_wire_replicas},
};

/// Writes the status if it says something new, then tells what is new about it.
pub async fn report(
    cx: &Context,
    term: &Term,
    object: &FedHpa,
    facts: &Facts,
    decision: &Decision,
    outcome: &Outcome,
) -> Result<(), CallError> {
    if outcome.released {
        return Ok(());
    }
    let status = status(object, facts, decision, outcome);
    write(cx, term, object, &status).await?;
    for notice in notices(object.status.as_ref(), &status) {
        cx.events.publish(term, &object.object_ref(&()), &notice).await;
    }
    Ok(())
}

/// Writes a status if it differs from the one the object has.
pub async fn write(
    cx: &Context,
    term: &Term,
    object: &FedHpa,
    status: &FedHpaStatus,
) -> Result<(), CallError> {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<FedHpa> = Api::namespaced(cx.client.clone(), namespace);
    let written = write_status(&api, term, CALL_BUDGET, object, object.status.as_ref(), status).await?;
    if let StatusWrite::Written(object) = written {
        cx.sight.fed_hpas.wrote(&object);
    }
    Ok(())
}

fn status(object: &FedHpa, facts: &Facts, decision: &Decision, outcome: &Outcome) -> FedHpaStatus {
    let old = object.status.clone().unwrap_or_default();
    let decided = decision.in_force.is_some();
    let last_decision = lines(&old, decision);
    let round = outcome.round.as_ref().or(decision.round.as_ref());
    if decision.let_go && outcome.failure.is_none() {
        // What is remembered was about another target.
        return FedHpaStatus {
            observed_generation: object.metadata.generation,
            conditions: conditions(object, facts, decision, outcome),
            last_decision,
            ..FedHpaStatus::default()
        };
    }
    FedHpaStatus {
        observed_generation: object.metadata.generation,
        conditions: conditions(object, facts, decision, outcome),
        target: if facts.superseded_by.is_some() {
            old.target.clone()
        } else {
            Some(object.spec.scale_target_ref.clone())
        },
        totals: if decided { Some(sums(decision)) } else { old.totals },
        bounds: bounds(decision).or(old.bounds),
        unplaced: decided.then(|| to_wire_replicas(decision.unplaced)),
        possible_overshoot: decided.then(|| to_wire_replicas(decision.possible_overshoot)),
        clusters: clusters(&old.clusters, facts, decision),
        split: decision.split.as_ref().map(record_split),
        write_back: round.map(record_round),
        // A repair that did not come through is tried again, and is no reset of its own.
        resets: record_resets(if outcome.round.is_some() { decision.resets } else { facts.memory.resets }),
        release: facts
            .deleting
            .or(decision.releasing_since)
            .map(|since| Release { started_time: time::to_wire(since) }),
        last_decision,
    }
}

fn conditions(object: &FedHpa, facts: &Facts, decision: &Decision, outcome: &Outcome) -> Vec<Condition> {
    let old = object.status.as_ref().map(|status| from_wire(&status.conditions)).unwrap_or_default();
    let findings = decision.findings.iter().cloned().chain(outcome.findings.iter().cloned());
    to_wire(&merge(&old, findings, object.metadata.generation, facts.now))
}

fn bounds(decision: &Decision) -> Option<BoundsInForce> {
    let in_force = decision.in_force.as_ref()?;
    Some(BoundsInForce {
        min_replicas: to_wire_replicas(in_force.bounds.min),
        max_replicas: to_wire_replicas(in_force.bounds.max),
        min_rule: in_force.min_rule.clone(),
        max_rule: in_force.max_rule.clone(),
    })
}

fn sums(decision: &Decision) -> Totals {
    let (bounds, current, desired) = totals(decision);
    Totals {
        min_replicas: bounds.map(|bounds| to_wire_replicas(bounds.min)),
        max_replicas: bounds.map(|bounds| to_wire_replicas(bounds.max)),
        current_replicas: Some(to_wire_replicas(current)),
        desired_replicas: Some(to_wire_replicas(desired)),
    }
}

/// The reasons change when the split does; in between they stay, so that the status does not flicker.
fn lines(old: &FedHpaStatus, decision: &Decision) -> Vec<String> {
    let unchanged = decision.split.as_ref().map(record_split) == old.split;
    if unchanged && !old.last_decision.is_empty() {
        old.last_decision.clone()
    } else {
        decision.trail.lines()
    }
}

fn clusters(old: &[ClusterStatus], facts: &Facts, decision: &Decision) -> Vec<ClusterStatus> {
    let before = |name: &str| old.iter().find(|cluster| cluster.name == name);
    decision.clusters.iter().map(|(name, view)| cluster(name, view, before(name), facts)).collect()
}

fn cluster(name: &str, view: &ClusterView, old: Option<&ClusterStatus>, facts: &Facts) -> ClusterStatus {
    let seen = facts.clusters.get(name);
    let free = seen.and_then(|cluster| cluster.free.known());
    let hpa = seen.and_then(|cluster| cluster.hpa.as_ref());
    let report = hpa.and_then(|hpa| hpa.report.known());
    let alive = hpa.is_some_and(|hpa| matches!(hpa.report, Reading::Fresh(_)));
    let room_alive = seen.is_some_and(|cluster| matches!(cluster.free, Reading::Fresh(_)));
    let now = Some(time::to_wire(facts.now));
    let bound = |of: fn(&fedscaler_core::fedhpa::policy::Bounds) -> u32| {
        view.bounds.as_ref().map(of).map(to_wire_replicas)
    };
    let mut cluster = ClusterStatus {
        name: name.to_owned(),
        phase: phase(view.phase),
        min_replicas: bound(|bounds| bounds.min),
        max_replicas: bound(|bounds| bounds.max),
        current_replicas: report.map(|report| to_wire_replicas(report.current)),
        desired_replicas: report.map(|report| to_wire_replicas(report.desired)),
        status_observed_time: if alive {
            now.clone()
        } else {
            old.and_then(|old| old.status_observed_time.clone())
        },
        room: view.room.map(to_wire_replicas),
        fragmentation_percent: free.map(|free| to_wire_replicas(free.fragmentation_percent())),
        capacity_source: free.map(|free| source(free.source)),
        capacity_observed_time: if room_alive {
            now
        } else {
            old.and_then(|old| old.capacity_observed_time.clone())
        },
        saturated: view.saturated,
        why: view.why.clone(),
    };
    keep_times_that_say_nothing_new(&mut cluster, old);
    cluster
}

/// A time of observation alone is no news: it moves when something that was observed did.
fn keep_times_that_say_nothing_new(cluster: &mut ClusterStatus, old: Option<&ClusterStatus>) {
    let Some(old) = old else { return };
    let same = |a: &ClusterStatus| ClusterStatus {
        status_observed_time: None,
        capacity_observed_time: None,
        ..a.clone()
    };
    if same(cluster) == same(old) {
        cluster.status_observed_time.clone_from(&old.status_observed_time);
        cluster.capacity_observed_time.clone_from(&old.capacity_observed_time);
    }
}

fn phase(phase: Phase) -> ClusterPhase {
    match phase {
        Phase::Active => ClusterPhase::Active,
        Phase::Dormant => ClusterPhase::Dormant,
        Phase::Waking => ClusterPhase::Waking,
        Phase::Donating => ClusterPhase::Donating,
        Phase::Frozen => ClusterPhase::Frozen,
        Phase::Evicting => ClusterPhase::Evicting,
    }
}

fn source(source: RoomSource) -> CapacitySourceInUse {
    match source {
        RoomSource::Models => CapacitySourceInUse::Models,
        RoomSource::Summary => CapacitySourceInUse::Summary,
    }
}

/// What is new, for people: edges between two statuses.
pub fn notices(old: Option<&FedHpaStatus>, new: &FedHpaStatus) -> Vec<Notice> {
    let before = |kind: FedHpaCondition| {
        old.and_then(|old| old.conditions.iter().find(|condition| condition.type_ == kind.name()))
    };
    let mut notices: Vec<Notice> = rebalanced(old, new).into_iter().collect();
    for (kind, alarming, reason) in WATCHED {
        let Some(now) = new.conditions.iter().find(|condition| condition.type_ == kind.name()) else {
            continue;
        };
        let moved = before(*kind).map(|before| &before.status) != Some(&now.status);
        let first_and_calm = before(*kind).is_none() && now.status != *alarming;
        if moved && !first_and_calm {
            let severity = if now.status == *alarming { Severity::Warning } else { Severity::Normal };
            let note = if now.message.is_empty() {
                format!("{} is {}", now.type_, now.status)
            } else {
                now.message.clone()
            };
            notices.push(Notice { severity, reason, action: "Reconcile", note });
        }
    }
    notices
}

/// Conditions whose change is worth an event, the status that is alarming, and the event's reason.
const WATCHED: &[(FedHpaCondition, &str, &str)] = &[
    (FedHpaCondition::CapacityLimited, "True", "CapacityLimited"),
    (FedHpaCondition::ScalingLimited, "True", "ScalingLimited"),
    (FedHpaCondition::Contested, "True", "Contested"),
    (FedHpaCondition::Invalid, "True", "Invalid"),
    (FedHpaCondition::Suspended, "Never", "Suspended"),
];

fn rebalanced(old: Option<&FedHpaStatus>, new: &FedHpaStatus) -> Option<Notice> {
    let split = new.split.as_ref()?;
    let shares = |shares: &[ShareRecord]| {
        let texts = shares.iter().filter(|share| share.max_replicas > 0);
        let texts =
            texts.map(|share| format!("{} {}..{}", share.cluster, share.min_replicas, share.max_replicas));
        texts.collect::<Vec<_>>().join(", ")
    };
    if old.and_then(|old| old.split.as_ref()).is_some_and(|old| old.shares == split.shares) {
        return None;
    }
    let why = new.last_decision.iter().map(String::as_str).collect::<Vec<_>>().join("; ");
    let note = format!("{}: {why}", shares(&split.shares));
    Some(Notice { severity: Severity::Normal, reason: "Divided", action: "Split", note })
}
