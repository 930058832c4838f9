//! How many more replicas fit into a cluster, from what Karmada knows of it.
//!
//! Responsible for reading the histogram of nodes and the totals in a Cluster object and for saying how fresh the
//! answer is. The arithmetic is in `fedscaler_core::room`. Knows nothing of how many replicas run already.
//!
//! What is known to be wrong with the sources:
//! - The totals add up all nodes, not-ready and cordoned ones too, and are blind to fragmentation: an upper bound.
//!   They count pods that are on no node yet as if they took room, as Karmada's scheduler does.
//! - The histogram gives each node the *least* that its grade has: a lower bound. Nodes of the lowest default
//!   grade (under one core or under 4 GiB free) count as 0.
//! - Karmada 1.16 and later leave out of the histogram the nodes that follow a node without free pod slots, so it
//!   can be short of nodes: [`Auto`] passes over one that does not account for all of them.
//! - The histogram says nothing of pod slots: the totals bound the answer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fedscaler_core::{
    reading::{Dark, Reading},
    room::{self, Amounts, Free, NodeGroup, RoomSource},
};

use crate::{
    freshness::Health,
    quantity::{self, BadQuantity, Round},
    types::{Cluster, ResourceModel, ResourceSummary},
};

/// Something that knows how much room there is.
pub trait ReadsRoom: Send + Sync {
    /// How many more replicas with these `requests` fit into `cluster`, as known at `now`.
    fn free(&self, cluster: &Cluster, requests: &Amounts, now: DateTime<Utc>) -> Reading<Free>;
}

/// Reads the histogram of nodes by free resources. Unusable where a replica requests something that is in no
/// grade, such as a GPU with the default grades.
#[derive(Clone, Copy, Debug, Default)]
pub struct Models;

impl ReadsRoom for Models {
    fn free(&self, cluster: &Cluster, requests: &Amounts, now: DateTime<Utc>) -> Reading<Free> {
        Health::of(cluster).age(from_models(cluster, requests), now)
    }
}

/// Reads the totals.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary;

impl ReadsRoom for Summary {
    fn free(&self, cluster: &Cluster, requests: &Amounts, now: DateTime<Utc>) -> Reading<Free> {
        Health::of(cluster).age(from_summary(cluster, requests), now)
    }
}

/// Reads the best source that answers freshly, else the best that ever answered. The answer says which it was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Auto;

impl ReadsRoom for Auto {
    fn free(&self, cluster: &Cluster, requests: &Amounts, now: DateTime<Utc>) -> Reading<Free> {
        let models = if accounts_for_all_nodes(cluster) {
            Models.free(cluster, requests, now)
        } else {
            Reading::Dark(Dark::Unusable)
        };
        let summary = Summary.free(cluster, requests, now);
        if models.fresh().is_some() || (summary.fresh().is_none() && models.known().is_some()) {
            models
        } else {
            summary
        }
    }
}

fn from_models(cluster: &Cluster, requests: &Amounts) -> Reading<Free> {
    let Some(summary) = &cluster.status.resource_summary else {
        return Reading::Dark(Dark::NotYetReported);
    };
    let models = &cluster.spec.resource_models;
    if models.is_empty() || summary.allocatable_modelings.is_empty() {
        return Reading::Dark(Dark::NoSource);
    }
    if !grades_cover(models, requests) {
        return Reading::Dark(Dark::Unusable);
    }
    let (Ok(groups), Ok(totals)) = (groups(models, summary), Totals::of(summary)) else {
        return Reading::Dark(Dark::Unusable);
    };
    let naive = room::naive(requests, &totals.free);
    let fit = room::fit(requests, &groups).min(naive);
    Reading::Fresh(Free { fit, naive, unbound: totals.unbound(requests), source: RoomSource::Models })
}

fn from_summary(cluster: &Cluster, requests: &Amounts) -> Reading<Free> {
    let Some(summary) = &cluster.status.resource_summary else {
        return Reading::Dark(Dark::NotYetReported);
    };
    let Ok(totals) = Totals::of(summary) else {
        return Reading::Dark(Dark::Unusable);
    };
    let naive = room::naive(requests, &totals.free);
    let unbound = totals.unbound(requests);
    Reading::Fresh(Free { fit: naive, naive, unbound, source: RoomSource::Summary })
}

/// Whether the histogram has as many nodes as the cluster. Where the cluster's number is not known, it is believed.
fn accounts_for_all_nodes(cluster: &Cluster) -> bool {
    let total = cluster.status.node_summary.as_ref().map_or(0, |nodes| i64::from(nodes.total_num));
    let modelings = cluster.status.resource_summary.iter().flat_map(|summary| &summary.allocatable_modelings);
    modelings.fold(0_i64, |sum, modeling| sum.saturating_add(modeling.count)) >= total
}

fn grades_cover(models: &[ResourceModel], requests: &Amounts) -> bool {
    let asked = requests.iter().filter(|(name, amount)| **amount > 0 && *name != room::PODS);
    asked
        .into_iter()
        .all(|(name, _)| models.iter().all(|model| model.ranges.iter().any(|range| range.name == *name)))
}

fn groups(models: &[ResourceModel], summary: &ResourceSummary) -> Result<Vec<NodeGroup>, BadQuantity> {
    let mut floors = BTreeMap::new();
    for model in models {
        floors.insert(model.grade, floor(model)?);
    }
    let counted = summary.allocatable_modelings.iter().filter_map(|modeling| {
        let nodes = u64::try_from(modeling.count).ok()?;
        Some(NodeGroup { nodes, free: floors.get(&modeling.grade)?.clone() })
    });
    Ok(counted.filter(|group| group.nodes > 0).collect())
}

/// The least that a node of this grade has free.
fn floor(model: &ResourceModel) -> Result<Amounts, BadQuantity> {
    let ranges = model.ranges.iter();
    ranges
        .map(|range| Ok((range.name.clone(), quantity::amount(&range.name, &range.min.0, Round::Down)?)))
        .collect()
}

/// What all nodes together have free, and what pods ask for that are on none of them yet.
struct Totals {
    free: Amounts,
    allocating: Amounts,
}

impl Totals {
    fn of(summary: &ResourceSummary) -> Result<Self, BadQuantity> {
        let allocated = quantity::amounts(&summary.allocated, Round::Up)?;
        let allocating = quantity::amounts(&summary.allocating, Round::Up)?;
        let mut free = quantity::amounts(&summary.allocatable, Round::Down)?;
        for (name, amount) in &mut free {
            let gone = [&allocated, &allocating].into_iter().filter_map(|by| by.get(name));
            *amount = gone.fold(*amount, |left, gone| left.saturating_sub(*gone));
        }
        Ok(Self { free, allocating })
    }

    /// How many replicas with these requests the unbound pods can be at most: each resource that a replica asks
    /// for bounds it.
    fn unbound(&self, requests: &Amounts) -> u32 {
        let asked = requests.iter().filter(|(name, amount)| **amount > 0 && *name != room::PODS);
        let by_resource = asked.map(|(name, amount)| self.waiting(name).unwrap_or(0).div_ceil(*amount));
        let most = by_resource.chain(self.waiting(room::PODS)).min().unwrap_or(0);
        u32::try_from(most).unwrap_or(u32::MAX)
    }

    fn waiting(&self, resource: &str) -> Option<u64> {
        self.allocating.get(resource).copied()
    }
}

#[cfg(test)]
mod tests;
