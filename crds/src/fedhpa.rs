//! FedHPA on the wire: one horizontal autoscaler for a workload that lives in many clusters.

mod status;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::status::{
    BoundsInForce, CapacitySourceInUse, ClusterPhase, ClusterStatus, CoverRecord, FedHpaStatus, Release,
    Resets, ShareRecord, SplitRecord, Totals, WriteBackRound,
};
use crate::target::ScaleTargetRef;

/// What the user wants of one workload in many clusters.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "autoscaling.fedscaler.io",
    version = "v1alpha1",
    kind = "FedHPA",
    root = "FedHpa",
    singular = "fedhpa",
    plural = "fedhpas",
    category = "autoscaling",
    namespaced,
    status = "FedHpaStatus",
    derive = "PartialEq",
    doc = "One horizontal autoscaler for a workload that lives in many clusters: the totals are divided over the clusters, each of which gets a native HorizontalPodAutoscaler of its own.",
    printcolumn(
        name = "Target",
        type_ = "string",
        json_path = ".spec.scaleTargetRef.name",
        description = "Name of the workload."
    ),
    printcolumn(
        name = "Min",
        type_ = "integer",
        json_path = ".spec.minReplicas",
        description = "Least replicas over all clusters, as the spec has it."
    ),
    printcolumn(
        name = "Max",
        type_ = "integer",
        json_path = ".spec.maxReplicas",
        description = "Most replicas over all clusters, as the spec has it."
    ),
    printcolumn(
        name = "Current",
        type_ = "integer",
        json_path = ".status.totals.currentReplicas",
        description = "Replicas that run now, over all clusters."
    ),
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".status.totals.desiredReplicas",
        description = "Replicas that the clusters want now."
    ),
    printcolumn(
        name = "Unplaced",
        type_ = "integer",
        json_path = ".status.unplaced",
        description = "Replicas of the maximum for which no cluster has room."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether all is as it should be."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was made."
    ),
    printcolumn(
        name = "Active-Min",
        type_ = "integer",
        priority = 1,
        json_path = ".status.bounds.minReplicas",
        description = "Least replicas in force, CronHPA rules included."
    ),
    printcolumn(
        name = "Active-Max",
        type_ = "integer",
        priority = 1,
        json_path = ".status.bounds.maxReplicas",
        description = "Most replicas in force, CronHPA rules included."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = 1,
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not."
    ),
    printcolumn(
        name = "Last-Decision",
        type_ = "string",
        priority = 1,
        json_path = ".status.lastDecision[0]",
        description = "The first reason of the last change."
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::absent_not_null)]
#[x_kube(
    validation = Rule::new("self.minReplicas <= self.maxReplicas")
        .message("minReplicas is above maxReplicas: lower minReplicas or raise maxReplicas")
        .field_path(".minReplicas")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("!(self.scaleTargetRef.kind in ['FedHPA', 'CronHPA', 'HorizontalPodAutoscaler', 'FederatedHPA', 'CronFederatedHPA'])")
        .message("scaleTargetRef names an autoscaler: name the workload itself, for example a Deployment")
        .field_path(".scaleTargetRef.kind")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new(
        "!has(self.globalMetrics) || self.globalMetrics.all(g, self.metrics.exists(m, \
         (m.type == 'External' && has(m.external) && has(m.external.metric) && has(m.external.metric.name) && m.external.metric.name == g) || \
         (m.type == 'Object' && has(m.object) && has(m.object.metric) && has(m.object.metric.name) && m.object.metric.name == g)))"
    )
        .message("globalMetrics names a metric that is not in metrics: each name must be that of an External or Object metric there")
        .field_path(".globalMetrics")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new(
        "self.distribution.clusters.all(c, !has(c.name) || self.distribution.clusters.exists_one(d, has(d.name) && d.name == c.name))"
    )
        .message("distribution.clusters names a cluster twice: keep one entry for each cluster")
        .field_path(".distribution.clusters")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new(
        "self.distribution.clusters.map(c, has(c.name) ? c.minReplicas : 0).sum() <= self.maxReplicas"
    )
        .message("the named clusters' minReplicas sum to more than maxReplicas: lower them or raise maxReplicas")
        .field_path(".distribution.clusters")
        .reason(Reason::FieldValueInvalid)
)]
pub struct FedHpaSpec {
    /// The workload, in the same namespace: anything with a scale subresource whose replicas its clusters keep.
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub scale_target_ref: ScaleTargetRef,
    /// Least number of replicas over all clusters together, not in each. 0 needs clusters whose autoscalers may scale
    /// to zero; elsewhere it counts as 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub min_replicas: i32,
    /// Most replicas over all clusters together, not in each.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub max_replicas: i32,
    /// What to scale on: metrics as in `autoscaling/v2`, all fields kept. Default: 80 % of the requested CPU.
    #[serde(default = "cpu_at_80_percent")]
    #[schemars(schema_with = "crate::schema::metrics")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub metrics: Vec<Value>,
    /// Names of External or Object metrics that measure all clusters together; each cluster is given its part of their
    /// target. Metrics that are not named here are taken to measure one cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub global_metrics: Vec<String>,
    /// How fast to scale: behavior as in `autoscaling/v2`, all fields kept. Absent: Kubernetes' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::opaque_object")]
    pub behavior: Option<Value>,
    /// How the totals are divided over the clusters.
    #[serde(default)]
    pub distribution: Distribution,
    /// When a division is left for a better one.
    #[serde(default)]
    pub rebalance: Rebalance,
    /// How the clusters' room is found out.
    #[serde(default)]
    pub capacity: Capacity,
    /// How the clusters' counts are written back to the control plane.
    #[serde(default)]
    pub write_back: WriteBack,
    /// What becomes of HorizontalPodAutoscalers that members already have under the name ours would bear: Never leaves
    /// them alone and waits, Existing takes them over. One that was taken over stays in its cluster when the FedHPA is
    /// deleted or the cluster goes to sleep, with the spec that it was last given.
    #[serde(default)]
    pub adopt: Adoption,
    /// Hands off: nothing is written while this is true.
    #[serde(default)]
    pub suspend: bool,
}

/// How the totals are divided over the clusters.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Distribution {
    /// What a cluster's share follows: Capacity its room, Weighted its weight, Even nothing.
    #[serde(default)]
    pub strategy: Strategy,
    /// Narrows and shapes the candidates: the first entry that matches a cluster counts, clusters that none matches are
    /// left out. Empty: every cluster that the placement allows, on equal terms.
    #[serde(default)]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub clusters: Vec<ClusterRule>,
}

/// What a cluster's share follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Strategy {
    /// Its room, times its weight.
    #[default]
    Capacity,
    /// Its weight.
    Weighted,
    /// Nothing: all shares are alike.
    Even,
}

/// Terms for one named cluster, or for each cluster of a selection.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.name) != has(self.selector)")
        .message("give either name or selector: the entry has both or neither")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.maxReplicas) || self.minReplicas <= self.maxReplicas")
        .message("the cluster's minReplicas is above its maxReplicas: lower minReplicas or raise maxReplicas")
        .field_path(".minReplicas")
        .reason(Reason::FieldValueInvalid)
)]
pub struct ClusterRule {
    /// The cluster of this name. Either this or `selector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 48))]
    pub name: Option<String>,
    /// Clusters by their labels; an empty selector matches all. Either this or `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub selector: Option<LabelSelector>,
    /// A tier gets replicas only when the tiers of lower number are full, and gives them back first.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub tier: i32,
    /// How much more than others of the tier a cluster gets.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub weight: i32,
    /// Least number of replicas in each such cluster; from 1 on the cluster is always in use.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub min_replicas: i32,
    /// Most replicas in each such cluster, what runs above it is cut; 0 keeps the cluster out. Absent: no limit but the
    /// total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub max_replicas: Option<i32>,
    /// The cluster grows its own nodes: its room is its maxReplicas, whatever its nodes hold now.
    #[serde(default)]
    pub elastic: bool,
}

/// When a division is left for a better one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rebalance {
    /// Auto moves share to where it is better placed; Off moves it only when it must (a cluster lost, bounds changed).
    #[serde(default)]
    pub mode: RebalanceMode,
    /// Shortest time between two such moves, in seconds.
    #[serde(default = "default_cooldown_seconds")]
    #[schemars(range(min = 0, max = 86_400))]
    pub cooldown_seconds: i32,
    /// How far the present division may be from the best one, in percent of the total, before it is left.
    #[serde(default = "default_tolerance_percent")]
    #[schemars(range(min = 0, max = 100))]
    pub tolerance_percent: i32,
}

impl Default for Rebalance {
    fn default() -> Self {
        Self {
            mode: RebalanceMode::default(),
            cooldown_seconds: default_cooldown_seconds(),
            tolerance_percent: default_tolerance_percent(),
        }
    }
}

/// Whether share moves to where it is better placed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RebalanceMode {
    /// It does, past tolerance and cooldown.
    #[default]
    Auto,
    /// Only when it must.
    Off,
}

/// How the clusters' room is found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Where room is read from: Models each cluster's histogram of nodes, Summary its sums, Auto the best of them that
    /// answers freshly.
    #[serde(default)]
    pub source: CapacitySource,
    /// Percent of each cluster's free room that is left alone.
    #[serde(default)]
    #[schemars(range(min = 0, max = 90))]
    pub reserve_percent: i32,
}

/// Where room is read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CapacitySource {
    /// The best source that answers freshly.
    #[default]
    Auto,
    /// Each cluster's histogram of nodes by free resources.
    Models,
    /// Each cluster's sums of resources.
    Summary,
}

/// How the clusters' counts are written back to the control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WriteBack {
    /// Shortest time between the starts of two rounds, in seconds; the first change after a quiet time is written at once.
    #[serde(default = "default_write_back_interval_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    pub interval_seconds: i32,
}

impl Default for WriteBack {
    fn default() -> Self {
        Self { interval_seconds: default_write_back_interval_seconds() }
    }
}

/// What becomes of HorizontalPodAutoscalers that members already have under the name ours would bear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Adoption {
    /// They are left alone, and ours waits.
    #[default]
    Never,
    /// They are taken over, and left where they are at the end.
    Existing,
}

fn one() -> i32 {
    1
}

fn default_cooldown_seconds() -> i32 {
    300
}

fn default_tolerance_percent() -> i32 {
    10
}

fn default_write_back_interval_seconds() -> i32 {
    15
}

fn cpu_at_80_percent() -> Vec<Value> {
    vec![json!({
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    })]
}
