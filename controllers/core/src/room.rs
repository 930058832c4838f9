//! How many whole replicas fit: arithmetic on integers.
//!
//! Responsible for counting replicas over groups of nodes and for fragmentation. Knows nothing of where the
//! free space was read (`fedscaler-karmada` has the sources) nor of what the room is used for (`fedhpa`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Amounts of resources by name, in the resource's smallest unit: `cpu` in millicores, everything else in its
/// own whole unit (bytes for `memory`, slots for `pods`, devices for `nvidia.com/gpu`).
pub type Amounts = BTreeMap<String, u64>;

/// The resource that each pod takes one of.
pub const PODS: &str = "pods";

/// Nodes that each have at least `free` left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeGroup {
    /// How many such nodes there are.
    pub nodes: u64,
    /// What each of them has free. A resource that is absent here is not there at all.
    pub free: Amounts,
}

/// Which source a room was counted from, best first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum RoomSource {
    /// The histogram of nodes by free resources in the Cluster's status.
    Models,
    /// The Cluster's totals: blind to fragmentation.
    Summary,
}

impl RoomSource {
    /// The name shown in status and used as a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Models => "Models",
            Self::Summary => "Summary",
        }
    }
}

/// Free room for one workload in one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Free {
    /// Whole replicas that fit on top of what runs.
    pub fit: u32,
    /// What would fit if all free resources were on one node.
    pub naive: u32,
    /// What unbound pods of the whole cluster request, in replicas of this workload, rounded up: so many of a
    /// workload's replicas, at most, wait for a node.
    pub unbound: u32,
    /// Where this was read.
    pub source: RoomSource,
}

impl Free {
    /// Percent of the naive count that fragmentation makes unusable: `1 - fit/naive`, 0 where nothing is free.
    pub fn fragmentation_percent(&self) -> u32 {
        let naive = u64::from(self.naive);
        if naive == 0 {
            return 0;
        }
        let lost = naive.saturating_sub(u64::from(self.fit));
        u32::try_from(lost * 100 / naive).unwrap_or(100)
    }
}

/// How many replicas with these `requests` fit on the groups, node by node. Each replica also takes one of
/// [`PODS`] where a node says how many it has. A replica that requests nothing is limited by pods alone.
/// Saturates at `u32::MAX`.
pub fn fit(requests: &Amounts, groups: &[NodeGroup]) -> u32 {
    let total = groups
        .iter()
        .map(|group| per_node(requests, &group.free).saturating_mul(group.nodes))
        .fold(0_u64, u64::saturating_add);
    u32::try_from(total).unwrap_or(u32::MAX)
}

/// How many replicas would fit if `free` were one node.
pub fn naive(requests: &Amounts, free: &Amounts) -> u32 {
    u32::try_from(per_node(requests, free)).unwrap_or(u32::MAX)
}

fn per_node(requests: &Amounts, free: &Amounts) -> u64 {
    let slots = free.get(PODS).copied().unwrap_or(u64::MAX);
    requests
        .iter()
        .filter(|(name, amount)| **amount > 0 && *name != PODS)
        .map(|(name, amount)| free.get(name).copied().unwrap_or(0) / amount)
        .fold(slots, u64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(of: &[(&str, u64)]) -> Amounts {
        of.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect()
    }

    #[test]
    fn crumbs_on_many_nodes_hold_nothing_though_their_sum_would() {
        let requests = amounts(&[("cpu", 1000)]);
        let crumbs = NodeGroup { nodes: 10, free: amounts(&[("cpu", 900), (PODS, 50)]) };
        let fit = fit(&requests, &[crumbs]);
        let naive = naive(&requests, &amounts(&[("cpu", 9000), (PODS, 500)]));
        assert_eq!((fit, naive), (0, 9));
        assert_eq!(Free { fit, naive, unbound: 0, source: RoomSource::Models }.fragmentation_percent(), 100);
    }

    #[test]
    fn the_scarcest_resource_decides_on_each_node() {
        let requests = amounts(&[("cpu", 500), ("memory", 1 << 30)]);
        let groups = [
            NodeGroup { nodes: 2, free: amounts(&[("cpu", 4000), ("memory", 3 << 30), (PODS, 110)]) },
            NodeGroup { nodes: 1, free: amounts(&[("cpu", 4000), ("memory", 64 << 30), (PODS, 5)]) },
        ];
        assert_eq!(fit(&requests, &groups), 3 + 3 + 5);
    }

    #[test]
    fn a_resource_that_no_node_has_leaves_no_room() {
        let requests = amounts(&[("nvidia.com/gpu", 1)]);
        let groups = [NodeGroup { nodes: 3, free: amounts(&[("cpu", 64_000), (PODS, 100)]) }];
        assert_eq!(fit(&requests, &groups), 0);
    }

    #[test]
    fn replicas_that_request_nothing_are_limited_by_pod_slots_alone() {
        let groups = [NodeGroup { nodes: 3, free: amounts(&[(PODS, 7)]) }];
        assert_eq!(fit(&Amounts::new(), &groups), 21);
        assert_eq!(fit(&Amounts::new(), &[NodeGroup { nodes: 1, free: Amounts::new() }]), u32::MAX);
    }
}
