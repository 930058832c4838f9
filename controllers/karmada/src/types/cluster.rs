//! `cluster.karmada.io/v1alpha1` Cluster.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::Taint,
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::Condition},
};
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::kind;

/// A member cluster. Served by Karmada's aggregated API server; it is no custom resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cluster {
    /// Name, labels, deletion.
    pub metadata: ObjectMeta,
    /// What the administrator said of it.
    pub spec: ClusterSpec,
    /// What Karmada found in it.
    pub status: ClusterStatus,
}
kind!(Cluster, ClusterResourceScope, "cluster.karmada.io", "v1alpha1", "clusters");

/// What the administrator said of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSpec {
    /// `Push` or `Pull`.
    pub sync_mode: String,
    /// The cloud's name.
    pub provider: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The zones that its nodes are in.
    pub zones: Vec<String>,
    /// What keeps workloads away.
    pub taints: Vec<Taint>,
    /// The grades of the histogram in `status.resourceSummary.allocatableModelings`.
    pub resource_models: Vec<ResourceModel>,
}

/// One grade: nodes whose free resources are in these ranges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceModel {
    /// Its number, from 0.
    pub grade: u32,
    /// From and to, by resource.
    pub ranges: Vec<ResourceModelRange>,
}

/// The range of one resource in one grade.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceModelRange {
    /// The resource.
    pub name: String,
    /// At least this much.
    pub min: Quantity,
}

/// What Karmada found in a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterStatus {
    /// Its version, such as `v1.36.1`.
    pub kubernetes_version: Option<String>,
    /// The APIs that it serves.
    pub api_enablements: Vec<ApiEnablement>,
    /// `Ready` is the one that counts.
    pub conditions: Vec<Condition>,
    /// How many nodes there are.
    pub node_summary: Option<NodeSummary>,
    /// What they have.
    pub resource_summary: Option<ResourceSummary>,
}

/// The kinds of one API group and version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiEnablement {
    /// Such as `apps/v1`.
    pub group_version: String,
    /// The kinds in it.
    pub resources: Vec<ServedKind>,
}

/// One kind that a cluster serves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServedKind {
    /// Such as `Deployment`.
    pub kind: String,
}

/// How many nodes a cluster has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSummary {
    /// All of them.
    pub total_num: i32,
    /// Those that are ready.
    pub ready_num: i32,
}

/// What the nodes of a cluster have, in sum. Each map also has an entry `pods`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceSummary {
    /// What all nodes offer, not-ready and cordoned ones included.
    pub allocatable: BTreeMap<String, Quantity>,
    /// What pods request that are on no node yet.
    pub allocating: BTreeMap<String, Quantity>,
    /// What pods request that are on a node and not finished.
    pub allocated: BTreeMap<String, Quantity>,
    /// How many nodes are in each grade by what they have free.
    pub allocatable_modelings: Vec<AllocatableModeling>,
}

/// How many nodes are in one grade.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AllocatableModeling {
    /// The grade.
    pub grade: u32,
    /// The number of nodes.
    pub count: i64,
}
