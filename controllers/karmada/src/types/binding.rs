//! `work.karmada.io/v1alpha2` ResourceBinding.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{NodeSelectorRequirement, Toleration},
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{Condition, LabelSelector, Time},
    },
};
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::kind;

/// Where the replicas of one workload are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceBinding {
    /// Name, uid, resourceVersion, annotations.
    pub metadata: ObjectMeta,
    /// What is to be where.
    pub spec: ResourceBindingSpec,
    /// What the scheduler did last.
    pub status: ResourceBindingStatus,
}
kind!(ResourceBinding, NamespaceResourceScope, "work.karmada.io", "v1alpha2", "resourcebindings");

/// What is to be where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceBindingSpec {
    /// The template that this was made from.
    pub resource: ObjectReference,
    /// The sum of replicas. 0 is absent.
    pub replicas: i32,
    /// What one replica needs.
    pub replica_requirements: Option<ReplicaRequirements>,
    /// The replicas by cluster.
    pub clusters: Vec<TargetCluster>,
    /// The policy's placement.
    pub placement: Option<Placement>,
    /// Clusters that are being emptied.
    pub graceful_eviction_tasks: Vec<GracefulEvictionTask>,
    /// What is switched off.
    pub suspension: Option<Suspension>,
    /// When someone last asked for a fresh division.
    pub reschedule_triggered_at: Option<Time>,
    /// Which scheduler it belongs to.
    pub scheduler_name: Option<String>,
    /// The parts of a workload that is made of several kinds of pods.
    pub components: Vec<serde_json::Value>,
    /// What happens when the workload or its cluster fails.
    pub failover: Option<Failover>,
}

/// The template of a binding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectReference {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: Option<String>,
    /// The version of the template that the detector last saw.
    pub resource_version: Option<String>,
}

/// What one replica needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaRequirements {
    /// Its requests, by resource.
    pub resource_request: BTreeMap<String, Quantity>,
}

/// The replicas of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetCluster {
    /// The cluster.
    pub name: String,
    /// How many. 0 is absent.
    pub replicas: i32,
}

/// A cluster that is being emptied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GracefulEvictionTask {
    /// The cluster.
    pub from_cluster: String,
    /// Why, in a word.
    pub reason: String,
}

/// What is switched off on a binding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Suspension {
    /// Works are not brought to members.
    pub dispatching: Option<bool>,
    /// The scheduler leaves the binding alone.
    pub scheduling: Option<bool>,
}

/// What happens when the workload or its cluster fails. Only whether it is set is of interest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Failover {
    /// Set: replicas that are unhealthy for too long are evicted.
    pub application: Option<serde_json::Value>,
}

/// What the scheduler did last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceBindingStatus {
    /// The generation that the scheduler has dealt with.
    pub scheduler_observed_generation: i64,
    /// The term of `clusterAffinities` in force. (The wire name differs from Karmada's own name in its source.)
    #[serde(rename = "schedulerObservingAffinityName")]
    pub scheduler_observed_affinity_name: Option<String>,
    /// When replicas were last divided.
    pub last_scheduled_time: Option<Time>,
    /// `Scheduled` and `FullyApplied`.
    pub conditions: Vec<Condition>,
}

/// Where replicas may go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Placement {
    /// The clusters that may be used.
    pub cluster_affinity: Option<ClusterAffinity>,
    /// Or several such terms, tried in order.
    pub cluster_affinities: Vec<ClusterAffinityTerm>,
    /// Which taints do not matter.
    pub cluster_tolerations: Vec<Toleration>,
    /// Over how many groups replicas are spread.
    pub spread_constraints: Vec<SpreadConstraint>,
    /// Absent: each cluster gets all replicas.
    pub replica_scheduling: Option<ReplicaScheduling>,
}

/// Clusters by names, labels and fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterAffinity {
    /// By labels.
    pub label_selector: Option<LabelSelector>,
    /// By provider, region and zone.
    pub field_selector: Option<FieldSelector>,
    /// By name; empty: any.
    pub cluster_names: Vec<String>,
    /// Never these.
    pub exclude: Vec<String>,
}

/// Clusters by fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FieldSelector {
    /// All of these.
    pub match_expressions: Vec<NodeSelectorRequirement>,
}

/// One of several affinities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterAffinityTerm {
    /// Its name.
    pub affinity_name: String,
    /// Its clusters.
    #[serde(flatten)]
    pub affinity: ClusterAffinity,
    /// Further clusters, for what does not fit into the first.
    pub overflow_affinities: Vec<ClusterAffinityTerm>,
}

/// Over how many groups replicas are spread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SpreadConstraint {
    /// `cluster`, `region`, `zone` or `provider`.
    pub spread_by_field: Option<String>,
    /// Or a label.
    pub spread_by_label: Option<String>,
    /// At most; 0: no limit.
    pub max_groups: i32,
    /// At least; 0: 1.
    pub min_groups: i32,
}

/// How replicas are divided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaScheduling {
    /// `Duplicated` or `Divided`; absent is `Divided`.
    pub replica_scheduling_type: Option<String>,
}
