//! What the controller saw, and when.
//!
//! Plain values, complete for one decision: [`decide`](super::decide()) needs nothing else. Absence is a value of its
//! own everywhere (`Reading`, `Option`), never a zero.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{bounds::Published, policy::Bounds, rebalance::InForceSplit};
use crate::{reading::Reading, room::Free, time::Time};

/// Everything one decision is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Facts {
    /// The time of the observation.
    #[schemars(with = "Time")]
    pub now: DateTime<Utc>,
    /// Since when the FedHPA is being deleted, if it is.
    #[schemars(with = "Option<Time>")]
    pub deleting: Option<DateTime<Utc>>,
    /// Whether our finalizer is on it.
    pub finalized: bool,
    /// What the spec names as its target by now, where these facts are about another one that is still held.
    pub superseded_by: Option<String>,
    /// The workload's template in the control plane.
    pub target: Target,
    /// Whether members keep the replicas of workloads that bear our label.
    #[serde(default)]
    pub retention: Customization,
    /// Whether the conditions and bounds of members' HPAs are reflected.
    #[serde(default)]
    pub reflection: Customization,
    /// The ResourceBinding of the workload.
    pub binding: Option<Binding>,
    /// `NAMESPACE/NAME` of the older FedHPA that has the same target, if any.
    pub holder: Option<String>,
    /// Other autoscalers that act on the same workload, in words.
    pub rivals: Vec<String>,
    /// The bounds that the CronHPA which owns this FedHPA publishes.
    pub published: Option<Published>,
    /// Clusters by name: every one that the placement, the binding or an HPA of ours names.
    pub clusters: BTreeMap<String, Cluster>,
    /// What earlier decisions left in the status.
    pub memory: Memory,
}

/// The workload's template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Target {
    /// It does not exist.
    Missing,
    /// It exists but cannot be scaled by us, for this reason.
    Unfit(String),
    /// It is there.
    Found(Template),
}

/// Whether what we need of the way objects are interpreted is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Customization {
    /// It is.
    #[default]
    InForce,
    /// Someone else's rules are, which do not do it; whose, and what to do, in words.
    Foreign(String),
    /// No rules are; what to do, in words.
    Missing(String),
}

/// A workload's template as far as scaling goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Template {
    /// Its resourceVersion.
    pub version: String,
    /// `spec.replicas` as `/scale` tells it.
    pub replicas: u32,
    /// Whether our retention label is on it.
    pub retained: bool,
    /// Whether it says that members may keep it at 0.
    #[serde(default)]
    pub to_zero: bool,
    /// Why nothing is known of what one replica requests, if so.
    pub no_requests: Option<String>,
}

/// The ResourceBinding as far as replicas go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// Its resourceVersion.
    pub version: String,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.clusters`.
    pub clusters: BTreeMap<String, u32>,
    /// The template's resourceVersion that the detector has brought here.
    pub template_version: String,
    /// Who holds scheduling.
    pub scheduling: Scheduling,
    /// How replicas are placed.
    pub placement: Placement,
    /// When the scheduler last divided.
    #[schemars(with = "Option<Time>")]
    pub divided: Option<DateTime<Utc>>,
    /// The fewest clusters that the spread constraints demand.
    pub min_groups: Option<u32>,
    /// The most clusters that the spread constraints allow.
    pub max_groups: Option<u32>,
}

/// Whether the scheduler may divide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Scheduling {
    /// It may.
    Free,
    /// We suspended it.
    HeldByUs,
    /// Someone else suspended it.
    HeldByOthers,
}

/// How the policy places replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Placement {
    /// Each cluster has a part.
    Divided,
    /// Each cluster has all.
    Duplicated,
    /// Several components with counts of their own.
    Components,
}

/// One member cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether the placement admits it.
    pub candidacy: Candidacy,
    /// Since when it cannot be reached, if so.
    #[schemars(with = "Option<Time>")]
    pub lost: Option<DateTime<Utc>>,
    /// Room for more replicas.
    pub free: Reading<Free>,
    /// The workload there.
    pub workload: Reading<MemberWorkload>,
    /// Whether the workload's Work carries the retention label.
    pub retained: bool,
    /// Our HPA there.
    pub hpa: Option<MemberHpa>,
    /// Whether an HPA there may have a min of 0.
    #[serde(default)]
    pub to_zero: bool,
    /// What an HPA there has to go without, since the cluster is too old for it, in words.
    #[serde(default)]
    pub left_out: Vec<String>,
}

/// Whether the placement admits a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Candidacy {
    /// It does.
    Candidate,
    /// It does not, for this reason.
    Excluded(String),
    /// It does, but an HPA would not work there, for this reason.
    Unfit(String),
    /// Karmada is taking the workload away from there.
    Evicting,
}

/// The workload in a member, from its Work's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemberWorkload {
    /// Pods, including a rollout's surge: for display.
    pub replicas: u32,
    /// Ready pods.
    pub ready: u32,
}

/// Our HPA for a member, from its Work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemberHpa {
    /// The bounds that the Work's manifest has.
    pub bounds: Bounds,
    /// What may still be in effect from before.
    pub before: Bounds,
    /// When the bounds were last changed.
    #[schemars(with = "Time")]
    pub since: DateTime<Utc>,
    /// The Work is being deleted.
    pub leaving: bool,
    /// What the HPA last told.
    pub report: Reading<HpaReport>,
    /// Why the HPA could not be put into the member, if so.
    pub blocked: Option<Blocked>,
}

/// Why an HPA could not be put into a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Blocked {
    /// The member has an HPA of its own of that name.
    Exists,
    /// The member did not take it, for this reason.
    Refused(String),
}

/// What a member's HPA tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HpaReport {
    /// The scale's spec at the start of its last sync.
    pub current: u32,
    /// What it wanted at its last sync.
    pub desired: u32,
    /// Its spec, where reflected.
    pub bounds: Option<Bounds>,
    /// `ScalingActive`, where reflected.
    pub scaling_active: Option<bool>,
    /// `AbleToScale`, where reflected.
    pub able_to_scale: Option<bool>,
    /// It would go higher but for its max, where reflected.
    pub capped: Option<bool>,
}

/// What the status remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Memory {
    /// The split in force.
    pub split: Option<InForceSplit>,
    /// The last write-back round.
    pub round: Option<Round>,
    /// How often others reset the template's replicas.
    pub resets: Resets,
    /// Since when a target is being given back that the spec no longer names.
    #[schemars(with = "Option<Time>")]
    pub releasing_since: Option<DateTime<Utc>>,
}

/// A write-back round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Round {
    /// The template's resourceVersion that our scale write returned.
    pub template_version: String,
    /// The replicas written.
    pub replicas: u32,
    /// When it started.
    #[schemars(with = "Time")]
    pub started: DateTime<Utc>,
    /// When the binding had caught up.
    #[schemars(with = "Option<Time>")]
    pub acknowledged: Option<DateTime<Utc>>,
}

/// Resets of the template's replicas by others, within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resets {
    /// How many.
    pub count: u32,
    /// When the window began.
    #[schemars(with = "Option<Time>")]
    pub since: Option<DateTime<Utc>>,
}
