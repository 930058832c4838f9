//! What a FedHPA reports, and what it remembers between two reconciles.
//!
//! An absent number is not known; it is never 0.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::target::ScaleTargetRef;

/// What a FedHPA has come to.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::absent_not_null)]
pub struct FedHpaStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// What is to be known, by type: `Ready`, `Distributed`, `Synchronized`, `CapacityLimited`, `ScalingLimited`,
    /// `Contested`, `Suspended`, `Invalid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The workload that is held. If the spec names another one, this is given back first. Absent: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ScaleTargetRef>,
    /// Sums over all clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
    /// The bounds that are divided now, CronHPA rules included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<BoundsInForce>,
    /// Replicas of the maximum in force for which no cluster has room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub unplaced: Option<i32>,
    /// By how many replicas the maximum can be exceeded while clusters cannot be reached and keep what they were last given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub possible_overshoot: Option<i32>,
    /// The clusters that take part, one entry each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub clusters: Vec<ClusterStatus>,
    /// The last division that was decided. The next one stays with it unless there is a reason not to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitRecord>,
    /// The last round of writing counts back to the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_back: Option<WriteBackRound>,
    /// How often others set the template's replicas lately. Absent: they did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets: Option<Resets>,
    /// The release of a workload, after the FedHPA was deleted or its spec named another one. Absent: nothing is released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// The reasons of the last change, in a few lines for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub last_decision: Vec<String>,
}

/// Sums over all clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Sum of the clusters' minimums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replicas: Option<i32>,
    /// Sum of the clusters' maximums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_replicas: Option<i32>,
    /// Replicas that run, as last known. Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub current_replicas: Option<i32>,
    /// Replicas that the clusters' autoscalers want, as last known. Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub desired_replicas: Option<i32>,
}

/// The bounds that are divided now, and where they come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundsInForce {
    /// Least number of replicas over all clusters.
    #[schemars(range(min = 0))]
    pub min_replicas: i32,
    /// Most replicas over all clusters.
    #[schemars(range(min = 0))]
    pub max_replicas: i32,
    /// The CronHPA rule that sets the minimum, as `cronhpa/rule`. Absent: the spec sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_rule: Option<String>,
    /// The CronHPA rule that sets the maximum, as `cronhpa/rule`. Absent: the spec sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rule: Option<String>,
}

/// One cluster's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// Name of the cluster.
    #[schemars(length(min = 1, max = 48))]
    pub name: String,
    /// What the cluster is doing for this workload: Active has replicas, Dormant has none, Waking gets its first ones,
    /// Donating gives some away, Frozen cannot be reached, Evicting is being left.
    pub phase: ClusterPhase,
    /// The minimum of the cluster's own autoscaler. Absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replicas: Option<i32>,
    /// The maximum of the cluster's own autoscaler. Absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_replicas: Option<i32>,
    /// Replicas that the cluster's autoscaler found. Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub current_replicas: Option<i32>,
    /// Replicas that the cluster's autoscaler wants. Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub desired_replicas: Option<i32>,
    /// When current and desired were last seen fresh. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_observed_time: Option<Time>,
    /// How many replicas of this workload the cluster can hold, those that it holds included. Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub room: Option<i32>,
    /// Percent of the free resources that no replica of this workload can use, because they are scattered over nodes.
    /// Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub fragmentation_percent: Option<i32>,
    /// Where the room was read from. Absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_source: Option<CapacitySourceInUse>,
    /// When the room was read. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_observed_time: Option<Time>,
    /// The cluster's autoscaler wants more than its maximum.
    #[serde(default)]
    pub saturated: bool,
    /// Why the cluster has this share and phase, in a few words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub why: String,
}

/// What a cluster is doing for the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ClusterPhase {
    /// It has a share, and an autoscaler of its own.
    Active,
    /// It has no share: neither replicas nor autoscaler.
    Dormant,
    /// It is about to get its first replicas.
    Waking,
    /// It gives some of its share away.
    Donating,
    /// It cannot be reached; it goes on with what it was last given.
    Frozen,
    /// It is being left.
    Evicting,
}

/// Where a cluster's room was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum CapacitySourceInUse {
    /// Its histogram of nodes by free resources.
    Models,
    /// Its sums of resources.
    Summary,
}

/// A division that was decided.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SplitRecord {
    /// When it was decided.
    pub time: Time,
    /// Why it was decided.
    #[schemars(length(max = 1024))]
    pub reason: String,
    /// Identifies the bounds and the distribution that it was decided for, so that a changed spec is seen as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub spec_hash: Option<String>,
    /// The clusters' shares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["cluster".into()]))]
    pub shares: Vec<ShareRecord>,
    /// A higher minimum for a while, so that the clusters that are left hold what ran in those that were lost. Absent:
    /// nothing is covered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<CoverRecord>,
}

/// A minimum that is higher for a while than was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CoverRecord {
    /// Least number of replicas over the clusters that are left.
    #[schemars(range(min = 0))]
    pub min_replicas: i32,
    /// Until then at most; it ends earlier when no cluster is lost any more.
    pub until_time: Time,
}

/// One cluster's share of a division.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShareRecord {
    /// Name of the cluster.
    #[schemars(length(min = 1, max = 48))]
    pub cluster: String,
    /// Least number of replicas there.
    #[schemars(range(min = 0))]
    pub min_replicas: i32,
    /// Most replicas there.
    #[schemars(range(min = 0))]
    pub max_replicas: i32,
}

/// One round of writing counts back to the control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WriteBackRound {
    /// The total that is written.
    #[schemars(range(min = 0))]
    pub replicas: i32,
    /// When the round began.
    pub started_time: Time,
    /// The resourceVersion that writing the template's scale returned. Absent: not written yet, or its answer was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub template_resource_version: Option<String>,
    /// When the binding had caught up with that version. Absent: the round is still open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_time: Option<Time>,
}

/// How often others set the template's replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resets {
    /// How often since `windowStart`.
    #[schemars(range(min = 0))]
    pub count: i32,
    /// Since when they are counted.
    pub window_start: Time,
}

/// The release of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// When it began; the grace for clusters that cannot be reached counts from here.
    pub started_time: Time,
}
