//! What is said of a decision: conditions and a view of each cluster.
//!
//! Responsible for words and truth values. Decides nothing.

use std::collections::BTreeMap;

use super::{
    claims::room,
    counts::{Basis, Count},
    cover::steerable,
    decide::has_hpa,
    decision::{ClusterView, Decision, FedHpaCondition as Condition, Phase},
    facts::{Blocked, Candidacy, Cluster, Customization, Facts},
    moves::Step,
    policy::{Adoption, Bounds, Policy},
    rebalance::InForceSplit,
    split,
    trail::Reason,
    write_back::{self, Answer, Waiting},
};
use crate::conditions::Finding;

pub(super) fn suspended(facts: &Facts, decision: &mut Decision) {
    let message = "suspended: nothing is written; members keep the bounds they have";
    decision.findings.push(Finding::new(Condition::Suspended, true, "Suspended", message));
    decision.findings.push(Finding::new(Condition::Ready, false, "Suspended", message));
    frozen_views(facts, decision);
}

pub(super) fn refused(facts: &Facts, finding: Finding<Condition>, decision: &mut Decision) {
    decision.findings.push(Finding::new(Condition::Ready, false, finding.reason, finding.message.clone()));
    decision.findings.push(finding);
    frozen_views(facts, decision);
}

pub(super) const NO_BINDING: &str = "no ResourceBinding yet: does a PropagationPolicy select the target?";
pub(super) const BINDING_GONE: &str = "the ResourceBinding is gone: let a PropagationPolicy select the target again, or \
     delete this FedHPA; the members' HPAs stay as they are";

/// What is to be done about a policy that duplicates.
pub(super) fn duplicated(facts: &Facts) -> String {
    let remedy =
        "the policy duplicates replicas; a total can only be divided: set replicaSchedulingType: Divided";
    if has_hpa(facts) {
        format!("{remedy}, or delete this FedHPA; until then members go on within the bounds they have")
    } else {
        remedy.to_owned()
    }
}

pub(super) fn waiting(facts: &Facts, why: &'static str, decision: &mut Decision) {
    decision.findings.push(Finding::new(Condition::Ready, false, "Waiting", why));
    frozen_views(facts, decision);
}

pub(super) fn releasing(why: &'static str, decision: &mut Decision) {
    decision.findings.push(Finding::new(Condition::Ready, false, "Releasing", why));
}

/// Members as they are, where nothing is decided about them.
fn frozen_views(facts: &Facts, decision: &mut Decision) {
    for (name, cluster) in facts.clusters.iter().filter(|(_, cluster)| cluster.hpa.is_some()) {
        let bounds = cluster.hpa.as_ref().map(|hpa| hpa.bounds);
        let count = super::counts::count(cluster, None);
        let why = "left as it is".to_owned();
        let view = ClusterView { phase: Phase::Frozen, bounds, count, room: None, saturated: false, why };
        decision.clusters.insert(name.clone(), view);
    }
}

/// A decision on the steady course, to be described.
pub(super) struct Scene<'a> {
    pub(super) facts: &'a Facts,
    pub(super) counts: &'a BTreeMap<String, Count>,
    pub(super) split: &'a InForceSplit,
    pub(super) step: &'a Step,
    pub(super) answer: &'a Answer,
}

impl Scene<'_> {
    pub(super) fn describe(&self, policy: &Policy, totals: Bounds, decision: &mut Decision) {
        self.note_moves(decision);
        for (name, cluster) in &self.facts.clusters {
            let view = self.view(name, cluster, policy, decision);
            decision.clusters.insert(name.clone(), view);
        }
        let findings = [
            self.distributed(policy.adoption),
            self.synchronized(decision),
            capacity_limited(decision.unplaced),
            self.scaling_limited(totals, decision),
            self.contested(decision),
            Finding::new(Condition::Suspended, false, "Running", ""),
            Finding::new(Condition::Invalid, false, "Valid", ""),
        ];
        let ready = ready(&findings, &self.facts.reflection);
        decision.findings.push(ready);
        decision.findings.extend(findings);
    }

    fn note_moves(&self, decision: &mut Decision) {
        let step = self.step;
        if !(step.donors.is_empty() && step.receivers.is_empty()) {
            let (donors, receivers) = (step.donors.clone(), step.receivers.clone());
            decision.trail.note(Reason::Moving { donors, receivers });
        }
        if step.surge > 0 {
            decision.trail.note(Reason::Surge { replicas: step.surge });
        }
        decision.possible_overshoot = self.overshoot();
        if decision.possible_overshoot > 0 {
            decision.trail.note(Reason::PossibleOvershoot { replicas: decision.possible_overshoot });
        }
    }

    /// What lost clusters may run: their frozen max, or what Karmada left there.
    fn overshoot(&self) -> u32 {
        let lost = self.facts.clusters.iter().filter(|(_, cluster)| !steerable(cluster));
        let may_run = lost.map(|(name, cluster)| match &cluster.hpa {
            Some(hpa) => hpa.bounds.max.max(hpa.before.max),
            None => self.counts.get(name).map_or(0, |count| count.replicas),
        });
        may_run.fold(0, u32::saturating_add)
    }

    fn view(&self, name: &str, cluster: &Cluster, policy: &Policy, decision: &Decision) -> ClusterView {
        let count = self.counts.get(name).copied();
        let installed = cluster.hpa.as_ref().map(|hpa| hpa.bounds);
        ClusterView {
            phase: self.phase(name, cluster),
            bounds: self.step.install.get(name).map(|install| install.bounds).or(installed),
            count,
            room: room(cluster, count.as_ref(), policy.reserve_percent),
            saturated: decision.saturated.contains(name),
            why: self.why(name, cluster, count),
        }
    }

    fn phase(&self, name: &str, cluster: &Cluster) -> Phase {
        let share = self.split.shares.get(name).copied().unwrap_or_default();
        match (&cluster.hpa, &cluster.candidacy) {
            _ if cluster.lost.is_some() => Phase::Frozen,
            (_, Candidacy::Evicting) => Phase::Evicting,
            (Some(_), _) if self.step.donors.iter().any(|donor| donor == name) => Phase::Donating,
            (Some(hpa), _) if !hpa.leaving => Phase::Active,
            (None, _) if share.max > 0 => Phase::Waking,
            (None | Some(_), _) if self.counts.get(name).is_some_and(|count| count.replicas > 0) => {
                Phase::Donating
            }
            (None | Some(_), _) => Phase::Dormant,
        }
    }

    fn why(&self, name: &str, cluster: &Cluster, count: Option<Count>) -> String {
        if let Candidacy::Excluded(reason) | Candidacy::Unfit(reason) = &cluster.candidacy {
            return format!("not a candidate: {reason}");
        }
        if cluster.lost.is_some() {
            return "unreachable: the last known numbers stand".to_owned();
        }
        if cluster.candidacy == Candidacy::Evicting {
            return "Karmada takes the workload away: the HPA stays as it is, others cover what runs here"
                .to_owned();
        }
        match cluster.hpa.as_ref().and_then(|hpa| hpa.blocked.as_ref()) {
            Some(Blocked::Exists) => return "has an HPA of its own of that name".to_owned(),
            Some(Blocked::Refused(why)) => return format!("the HPA could not be applied: {why}"),
            None => {}
        }
        let Some(share) = self.split.shares.get(name) else {
            return "left out by distribution.clusters".to_owned();
        };
        let basis = match count.map(|count| count.basis) {
            Some(Basis::Current) => {
                "; counted by current: the HPA is broken or tells no conditions".to_owned()
            }
            Some(Basis::Stale(age)) => format!("; numbers are {age} s old"),
            Some(Basis::Desired | Basis::Entry) | None => String::new(),
        };
        if share.max == 0 {
            return format!("no share: the total fits elsewhere{basis}");
        }
        let share = format!("share {}..{}{basis}", share.min, share.max);
        let words = std::iter::once(&share).chain(&cluster.left_out);
        words.map(String::as_str).collect::<Vec<_>>().join("; ")
    }

    /// HPAs that did not get into their members: what to do about those that are in the way comes first.
    fn blocked(&self, adoption: Adoption) -> Option<Finding<Condition>> {
        let reachable = self.facts.clusters.iter().filter(|(_, cluster)| steerable(cluster));
        let blocked =
            reachable.filter_map(|(name, cluster)| Some((name, cluster.hpa.as_ref()?.blocked.as_ref()?)));
        let (mut in_the_way, mut refused) = (Vec::new(), Vec::new());
        for (name, why) in blocked {
            match why {
                Blocked::Exists => in_the_way.push(name.as_str()),
                Blocked::Refused(why) => refused.push(format!("{name}: {why}")),
            }
        }
        let names = in_the_way.join(", ");
        let finding = |reason, message| Some(Finding::new(Condition::Distributed, false, reason, message));
        match adoption {
            Adoption::Never if !in_the_way.is_empty() => finding(
                "HpaExists",
                format!(
                    "HPAs of their own bound the workload in {names}: delete them there, or set adopt: Existing to take them over"
                ),
            ),
            Adoption::Existing if !in_the_way.is_empty() => {
                finding("Adopting", format!("the HPAs of their own in {names} are being taken over"))
            }
            Adoption::Never | Adoption::Existing if refused.is_empty() => None,
            Adoption::Never | Adoption::Existing => finding("NotApplied", refused.join("; ")),
        }
    }

    fn distributed(&self, adoption: Adoption) -> Finding<Condition> {
        if let Some(blocked) = self.blocked(adoption) {
            return blocked;
        }
        let step = self.step;
        let still = step.install.is_empty()
            && step.remove.is_empty()
            && step.wake.is_empty()
            && step.vacate.is_empty();
        if still && step.donors.is_empty() && step.receivers.is_empty() {
            return Finding::new(Condition::Distributed, true, "SharesInPlace", "every member has its share");
        }
        if step.donors.is_empty() && step.receivers.is_empty() {
            return Finding::new(Condition::Distributed, false, "Writing", "shares are being written");
        }
        if still && step.receivers.is_empty() && step.donors == step.stranded {
            let message = format!(
                "{} is to give up its replicas, but they fit nowhere else: allow other clusters more, or let it have a share",
                step.donors.join(", ")
            );
            return Finding::new(Condition::Distributed, false, "NoPlace", message);
        }
        let message = format!(
            "share moves: {} give, {} wait",
            if step.donors.is_empty() { "none".to_owned() } else { step.donors.join(", ") },
            if step.receivers.is_empty() { "none".to_owned() } else { step.receivers.join(", ") },
        );
        Finding::new(Condition::Distributed, false, "Moving", message)
    }

    fn synchronized(&self, decision: &Decision) -> Finding<Condition> {
        let done = decision.round.as_ref().is_none_or(|round| round.acknowledged.is_some());
        let (holds, reason, message) = match self.answer {
            Answer::True if done => (true, "NumbersTrue", "template, binding and members agree"),
            Answer::True => (false, "Acknowledging", "written; the binding has not caught up yet"),
            Answer::Wait { why: Waiting::Interval, .. } => {
                (false, "Coalescing", "changes are gathered for the next round")
            }
            Answer::Wait { why: Waiting::Detector, .. } => (
                false,
                "WaitingForDetector",
                "Karmada's detector has not brought the last write to the binding yet",
            ),
            Answer::Wait { why: Waiting::Backoff, .. } => {
                (false, "BackingOff", "others set the workload's replicas; the next repair waits")
            }
            Answer::Write { .. } => (false, "Writing", "a write-back round is under way"),
        };
        Finding::new(Condition::Synchronized, holds, reason, message)
    }

    fn scaling_limited(&self, totals: Bounds, decision: &Decision) -> Finding<Condition> {
        let active = || self.split.shares.iter().filter(|(_, share)| share.max > 0);
        let all = active().next().is_some() && active().all(|(name, _)| decision.saturated.contains(name));
        // A pinned total (min equals max) cannot be limited by its max: it is where it should be.
        if all && totals.min != totals.max {
            let message =
                format!("every cluster is at its max and wants more: max {} is too low", totals.max);
            return Finding::new(Condition::ScalingLimited, true, "TooManyReplicas", message);
        }
        Finding::new(Condition::ScalingLimited, false, "WithinRange", "")
    }

    fn contested(&self, decision: &mut Decision) -> Finding<Condition> {
        // The one that is repaired now counts when the repair has come through.
        let resets = self.facts.memory.resets;
        if write_back::contested(resets, self.facts.now) {
            let reason = Reason::Contested { resets: resets.count };
            decision.trail.note(reason.clone());
            return Finding::new(Condition::Contested, true, "ReplicasReset", reason.to_string());
        }
        if !self.facts.rivals.is_empty() {
            let words = self.facts.rivals.join("; ");
            return Finding::new(Condition::Contested, true, "OtherAutoscaler", words);
        }
        Finding::new(Condition::Contested, false, "Uncontested", "")
    }
}

fn capacity_limited(unplaced: u32) -> Finding<Condition> {
    if unplaced == 0 {
        return Finding::new(Condition::CapacityLimited, false, "AllPlaced", "");
    }
    let message = format!("{unplaced} of the max fit nowhere: rooms and caps are used up");
    Finding::new(Condition::CapacityLimited, true, "Unplaced", message)
}

fn ready(findings: &[Finding<Condition>], reflection: &Customization) -> Finding<Condition> {
    use crate::conditions::Truth;
    let wanted = |kind: Condition| match kind {
        Condition::Distributed | Condition::Synchronized => Some(Truth::True),
        Condition::Contested => Some(Truth::False),
        Condition::Ready
        | Condition::CapacityLimited
        | Condition::ScalingLimited
        | Condition::Suspended
        | Condition::Invalid => None,
    };
    let off =
        findings.iter().find(|finding| wanted(finding.kind).is_some_and(|truth| finding.status != truth));
    let in_order = "members have their shares and the numbers are true";
    match off {
        None => match reflection {
            Customization::InForce => Finding::new(Condition::Ready, true, "InOrder", in_order),
            Customization::Foreign(words) | Customization::Missing(words) => {
                let message = format!("{in_order}, but follow what runs and not what HPAs want: {words}");
                Finding::new(Condition::Ready, true, "WithoutReflection", message)
            }
        },
        Some(finding) => Finding::new(Condition::Ready, false, finding.reason, finding.message.clone()),
    }
}

/// The totals of what is shown, for the status: bounds of the split and the sum of the counts.
pub fn totals(decision: &Decision) -> (Option<Bounds>, u32, u32) {
    let bounds = decision.split.as_ref().map(|split| split::total(&split.shares));
    let counts = decision.clusters.values().filter_map(|view| view.count);
    counts.fold((bounds, 0, 0), |(bounds, replicas, load), count| {
        (bounds, replicas + count.replicas, load + count.load)
    })
}
