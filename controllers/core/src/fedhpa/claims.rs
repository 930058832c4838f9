//! What each cluster may claim of the totals, from what is known of it.
//!
//! Responsible for room, load and saturation as [`split`](super::split) and [`moves`](super::moves) need them. Divides
//! nothing and moves nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    counts::Count,
    cover::steerable,
    facts::{Binding, Candidacy, Cluster, Facts},
    policy::{Policy, Strategy, Terms},
    rebalance::{self, InForceSplit},
    split::Claim,
};

/// What the claims are made from.
pub(super) struct Roll<'a> {
    pub(super) policy: &'a Policy,
    pub(super) facts: &'a Facts,
    pub(super) binding: &'a Binding,
    pub(super) counts: &'a BTreeMap<String, Count>,
}

/// The claims of all candidates.
pub(super) struct Rolled {
    pub(super) claims: BTreeMap<String, Claim>,
    /// Clusters whose room is not known, so that only their cap limits them.
    pub(super) unknown: Vec<String>,
}

impl Roll<'_> {
    /// Calls on every candidate to which share can be moved, for its claim to a total max.
    pub(super) fn call(&self, max: u32, saturated: &BTreeSet<String>) -> Rolled {
        let mut rolled = Rolled { claims: BTreeMap::new(), unknown: Vec::new() };
        for (name, cluster) in &self.facts.clusters {
            if cluster.candidacy != Candidacy::Candidate || !steerable(cluster) {
                continue;
            }
            let Some(terms) = self.policy.distribution.terms(name, &cluster.labels) else { continue };
            let room = room(cluster, self.counts.get(name), self.policy.reserve_percent);
            if room.is_none() && !terms.elastic {
                rolled.unknown.push(name.clone());
            }
            let limit = if terms.elastic { None } else { room };
            let claim = self.claim(name, cluster, terms, (limit, max));
            let thirst = if saturated.contains(name) { rebalance::saturation_bonus(claim.demand) } else { 0 };
            rolled.claims.insert(name.clone(), Claim { thirst, ..claim });
        }
        rolled
    }

    fn claim(
        &self,
        name: &String,
        cluster: &Cluster,
        terms: Terms,
        (limit, max): (Option<u32>, u32),
    ) -> Claim {
        let cap = terms.cap.unwrap_or(u32::MAX);
        let ceiling = limit.unwrap_or(u32::MAX).min(cap);
        let weight = match self.policy.distribution.strategy {
            Strategy::Capacity => u64::from(limit.unwrap_or(max).min(ceiling)) * u64::from(terms.weight),
            Strategy::Weighted => u64::from(terms.weight),
            Strategy::Even => 1,
        };
        let entry = self.binding.clusters.get(name).copied().unwrap_or(0);
        Claim {
            tier: terms.tier,
            weight,
            floor: terms.floor.min(ceiling),
            cap,
            ceiling,
            demand: self.counts.get(name).map_or(0, |count| count.load),
            thirst: 0,
            awake: cluster.hpa.is_some() || entry > 0,
            to_zero: cluster.to_zero,
        }
    }
}

/// Clusters whose HPA has reached its whole share and would go higher.
pub(super) fn saturated(facts: &Facts) -> BTreeSet<String> {
    let Some(split) = &facts.memory.split else { return BTreeSet::new() };
    let full = |(name, cluster): (&String, &Cluster)| {
        let report = cluster.hpa.as_ref()?.report.fresh()?;
        let share = split.shares.get(name).filter(|share| share.max > 0)?;
        // At a pinned share, wanting the max says nothing.
        let capped = report.capped.unwrap_or(share.min < share.max);
        // More than the share was wanted before the share was in force.
        (capped && report.desired == share.max).then(|| name.clone())
    };
    facts.clusters.iter().filter_map(full).collect()
}

/// Clusters whose HPA may still go beyond their share.
pub(super) fn above(split: &InForceSplit, facts: &Facts) -> BTreeSet<String> {
    let share = |name: &String| split.shares.get(name).map_or(0, |share| share.max);
    let max = |cluster: &Cluster| cluster.hpa.as_ref().map_or(0, |hpa| hpa.bounds.max);
    let above = facts.clusters.iter().filter(|(name, cluster)| max(cluster) > share(name));
    above.map(|(name, _)| name.clone()).collect()
}

/// What runs or is wanted there, as far as cap and room allow: neither what the user forbids nor a pod that no node
/// takes must hold share for ever.
pub(super) fn held_load(policy: &Policy, name: &str, cluster: &Cluster, count: &Count) -> u32 {
    let terms = policy.distribution.terms(name, &cluster.labels);
    let capped = terms.and_then(|terms| terms.cap).map_or(count.load, |cap| cap.min(count.load));
    if terms.is_some_and(|terms| terms.elastic) {
        return capped;
    }
    room(cluster, Some(count), policy.reserve_percent).map_or(capped, |room| room.min(capped))
}

/// Replicas a cluster can hold: those that have a node, and those that fit on top.
pub(super) fn room(cluster: &Cluster, count: Option<&Count>, reserve_percent: u32) -> Option<u32> {
    let free = cluster.free.known()?;
    let running = count.map_or(0, |count| count.replicas);
    let ready = cluster.workload.known().map_or(running, |workload| workload.ready.min(running));
    let held = running - (running - ready).min(free.unbound);
    let usable = u64::from(free.fit) * u64::from(100_u32.saturating_sub(reserve_percent)) / 100;
    Some(held.saturating_add(u32::try_from(usable).unwrap_or(u32::MAX)))
}
