//! Gives the workload back to Karmada at its real counts.
//!
//! Responsible for the order of the end: numbers true, HPAs gone, counts written, retention off, scheduling
//! resumed, finalizer off. Nothing is scaled by going away. The same is the end of a target that the spec no longer
//! names, only that the FedHPA stays.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    counts::count,
    decide::{acknowledge, has_hpa, write},
    decision::{Decision, FedHpaCondition as Condition, Write},
    facts::{Binding, Cluster, Facts, Resets, Scheduling, Target, Template},
    report,
    write_back::{self, Answer},
};
use crate::conditions::Finding;

/// How long the end waits for a cluster that cannot be reached.
pub(super) const GRACE: TimeDelta = TimeDelta::minutes(5);

pub(super) fn decide(facts: &Facts, since: DateTime<Utc>, decision: &mut Decision) {
    if !facts.finalized {
        // Nothing of ours exists before the finalizer.
        decision.let_go = facts.deleting.is_none();
        return;
    }
    let ours = facts.holder.is_none();
    let (Target::Found(template), Some(binding), true) = (&facts.target, &facts.binding, ours) else {
        return without_workload(facts, since, decision);
    };
    acknowledge(binding, template, facts.now, decision);
    if !template.retained && !has_hpa(facts) {
        // The label goes after the counts are written, and it is read afresh each time: whatever a late cache says of the
        // rest, by now the template is its owner's.
        return hand_over(facts, template, binding, decision);
    }
    if facts.clusters.values().any(|cluster| cluster.hpa.as_ref().is_some_and(|hpa| !hpa.leaving)) {
        write_counts(facts, template, binding, decision);
        decision.writes.extend(remove_hpas(facts));
        return report::releasing("the members' HPAs are being deleted", decision);
    }
    if awaited(facts, since) {
        decision.look_again_by(Some(facts.now + TimeDelta::seconds(15)));
        return report::releasing("waiting until the members' HPAs are gone", decision);
    }
    if !write_counts(facts, template, binding, decision) {
        return report::releasing("the real counts are being written back", decision);
    }
    hand_over(facts, template, binding, decision);
}

/// Removes whatever HPAs of ours are still there.
pub(super) fn remove_hpas(facts: &Facts) -> impl Iterator<Item = Write> {
    let present = |cluster: &Cluster| cluster.hpa.as_ref().is_some_and(|hpa| !hpa.leaving);
    let clusters = facts.clusters.iter().filter(move |(_, cluster)| present(cluster));
    clusters.map(|(name, _)| Write::RemoveHpa { cluster: name.clone() })
}

/// The workload or its binding is gone, or was never ours: only our HPAs are left to remove.
fn without_workload(facts: &Facts, since: DateTime<Utc>, decision: &mut Decision) {
    decision.writes.extend(remove_hpas(facts));
    if decision.writes.is_empty() && !awaited(facts, since) {
        end(facts, decision);
    } else {
        decision.look_again = Some(facts.now + TimeDelta::seconds(15));
    }
    report::releasing("the members' HPAs are being deleted", decision);
}

/// Whether an HPA of ours is still there whose cluster deserves waiting for.
fn awaited(facts: &Facts, since: DateTime<Utc>) -> bool {
    let patience = facts.now - since < GRACE;
    facts.clusters.values().any(|cluster| cluster.hpa.is_some() && (cluster.lost.is_none() || patience))
}

/// Whether the numbers are true and acknowledged; if not, the round that makes them so is added.
fn write_counts(facts: &Facts, template: &Template, binding: &Binding, decision: &mut Decision) -> bool {
    let counts = real_counts(facts, binding);
    let question = write_back::Question {
        counts: &counts,
        binding,
        template,
        round: facts.memory.round.as_ref(),
        // Whoever sets the replicas has them from now on: nobody is made to wait for the last write.
        resets: Resets::default(),
        interval: std::time::Duration::ZERO,
        now: facts.now,
    };
    if write_back::sum(&counts) == 0 {
        return true;
    }
    match write_back::answer(&question) {
        Answer::True => decision.round.as_ref().is_none_or(|round| round.acknowledged.is_some()),
        Answer::Wait { until, .. } => {
            decision.look_again_by(Some(until));
            false
        }
        Answer::Write { .. } => {
            decision.writes.push(write(&question));
            false
        }
    }
}

/// By its HPA while there is one; then what the workload itself reports, unless it is in a rollout.
fn real_counts(facts: &Facts, binding: &Binding) -> BTreeMap<String, u32> {
    let real = |name: &String, entry: u32| {
        let Some(cluster) = facts.clusters.get(name) else { return entry };
        if cluster.hpa.is_some() {
            return count(cluster, Some(entry)).map_or(entry, |count| count.replicas);
        }
        let calm = cluster.workload.fresh().filter(|workload| workload.ready == workload.replicas);
        calm.map(|workload| workload.replicas).filter(|replicas| *replicas > 0).unwrap_or(entry)
    };
    binding.clusters.iter().map(|(name, entry)| (name.clone(), real(name, *entry))).collect()
}

/// The last of it: with the FedHPA goes the finalizer; one that has another target by now goes on with that.
fn end(facts: &Facts, decision: &mut Decision) {
    if facts.deleting.is_some() {
        decision.writes.push(Write::RemoveFinalizer);
    } else {
        decision.let_go = true;
    }
}

fn hand_over(facts: &Facts, template: &Template, binding: &Binding, decision: &mut Decision) {
    if template.retained {
        decision.writes.push(Write::Unretain);
    }
    if binding.scheduling == Scheduling::HeldByUs {
        decision.writes.push(Write::ResumeScheduling);
    }
    end(facts, decision);
    let with_hpa = facts.clusters.iter().filter(|(_, cluster)| cluster.hpa.is_some());
    let left: Vec<&str> = with_hpa.map(|(name, _)| name.as_str()).collect();
    let returned = "the workload is Karmada's again, at its real counts";
    let message = if left.is_empty() {
        returned.to_owned()
    } else {
        format!("{returned}; unreachable, and with an HPA of ours until they return: {}", left.join(", "))
    };
    decision.findings.push(Finding::new(Condition::Ready, false, "Released", message));
}
