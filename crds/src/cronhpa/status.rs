//! What a CronHPA reports, and what it remembers between two reconciles.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::target::ScaleTargetRef;

/// What a CronHPA has come to.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::absent_not_null)]
pub struct CronHpaStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// What is to be known, by type; first of all Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// When something is due next. Absent: never, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_slot_time: Option<Time>,
    /// The rule that is due then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub next_rule: Option<String>,
    /// The bounds in force. A FedHPA target reads its bounds here. Absent: none is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<ActiveBounds>,
    /// What the target had before a window was first written to it, to be given back at the window's end. Absent: nothing
    /// is to be given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// A write that was about to be made. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingWrite>,
    /// What was last read of the calendar. Absent: none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub calendar: Option<CalendarDays>,
    /// The rules' past and future, one entry each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub rules: Vec<RuleStatus>,
    /// Who changed the target inside a window, and how often.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["manager".into()]))]
    pub reversions: Vec<Reversion>,
    /// Who holds the target. Absent: this object does, or nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
}

/// The bounds in force, each with the rule that sets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActiveBounds {
    /// Least number of replicas. Absent: no rule in force sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replicas: Option<i32>,
    /// The rule that sets the minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub min_rule: Option<String>,
    /// Most replicas. Absent: no rule in force sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_replicas: Option<i32>,
    /// The rule that sets the maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub max_rule: Option<String>,
    /// What had to yield, for example a minimum that was above the maximum. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub note: Option<String>,
}

/// What the target had before a window was first written to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// Which target: it gets this back even if the spec names another one by then. Absent: that of the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ScaleTargetRef>,
    /// Its least number of replicas. Absent: it had none, or the target is a workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replicas: Option<i32>,
    /// Its most replicas. Absent: the target is a workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_replicas: Option<i32>,
    /// Its number of replicas. Absent: the target is an autoscaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// When it was recorded.
    pub recorded_time: Time,
}

/// What was last read of a calendar, to go by while it cannot be read.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalendarDays {
    /// Name of the ConfigMap.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The key, as the spec gives it. Absent: it gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub key: Option<String>,
    /// Its days from the beginning of last year to the end of next year, as in `exclude.dates`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1096))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub dates: Vec<String>,
}

/// A write of an exact count that was about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingWrite {
    /// The rule that it is made for.
    #[schemars(length(max = 63))]
    pub rule: String,
    /// The slot that it is made for.
    pub slot_time: Time,
    /// The count that is written.
    #[schemars(range(min = 0))]
    pub replicas: i32,
}

/// One rule's past and future.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleStatus {
    /// Name of the rule.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Identifies the rule's schedule, so that an edited rule is seen as such.
    #[schemars(length(max = 64))]
    pub rule_hash: String,
    /// When the rule with this schedule was first seen.
    pub first_seen_time: Time,
    /// The last slot that is accounted for; the next due ones come after it. Absent: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_time: Option<Time>,
    /// When that was. A rule that leads its slots accounts for them before their time. Absent: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounted_time: Option<Time>,
    /// The slot with which a rule that runs once has run. Absent: it is still to run, or runs at every slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once_slot_time: Option<Time>,
    /// When the rule is due next. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_slot_time: Option<Time>,
    /// When the rule acts for that slot. Absent: at the slot itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action_time: Option<Time>,
    /// The last slot and what became of it. Absent: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_slot: Option<SlotRecord>,
    /// Whether the rule holds now.
    #[serde(default)]
    pub in_force: bool,
    /// When the open window closes. Absent: no window is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_until: Option<Time>,
    /// How many slots came to what.
    #[serde(default)]
    pub counts: SlotCounts,
    /// The latest slots, latest first, no more than the spec's historyLimit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub history: Vec<SlotRecord>,
}

/// One slot and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotRecord {
    /// When it was due.
    pub slot_time: Time,
    /// Which side of a window it is. Absent: the rule has no window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<WindowEdge>,
    /// What became of it: Applied; Superseded by a later one; Excluded by a date; Suspended; Missed its deadline; Failed.
    pub result: SlotResult,
    /// Seconds from when it was due to when it was accounted for; 0 if that was before. Absent: it was not acted upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub lateness_seconds: Option<i64>,
    /// When it was accounted for. Absent: not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_time: Option<Time>,
    /// Seconds from when it was due until as many replicas as the rule asks for were ready, as Karmada was told; below 0 if
    /// that was before. Absent: not known, or not within an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -86_400))]
    pub ready_after_seconds: Option<i64>,
    /// What there is to say about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
}

impl SlotRecord {
    /// Whether both say the same of the same slot, whatever was learnt of it later.
    pub fn is_about_same(&self, other: &Self) -> bool {
        (&self.slot_time, self.edge, self.result) == (&other.slot_time, other.edge, other.result)
    }
}

/// A side of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum WindowEdge {
    /// It opened.
    Start,
    /// It closed.
    End,
}

/// What became of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum SlotResult {
    /// The target is as the rule wants it.
    Applied,
    /// A later slot was due too, and was applied instead.
    Superseded,
    /// Its day is excluded.
    Excluded,
    /// The rule or the object was suspended.
    Suspended,
    /// Its deadline had passed.
    Missed,
    /// It could not be applied, for good.
    Failed,
}

/// How many slots came to what, since the rule was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SlotCounts {
    /// Slots that were applied.
    #[schemars(range(min = 0))]
    pub applied: i64,
    /// Slots that a later one replaced.
    #[schemars(range(min = 0))]
    pub superseded: i64,
    /// Slots on excluded days.
    #[schemars(range(min = 0))]
    pub excluded: i64,
    /// Slots while suspended.
    #[schemars(range(min = 0))]
    pub suspended: i64,
    /// Slots past their deadline.
    #[schemars(range(min = 0))]
    pub missed: i64,
    /// Slots that could not be applied.
    #[schemars(range(min = 0))]
    pub failed: i64,
}

/// Somebody who changes the target inside windows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reversion {
    /// Field manager that made the changes.
    #[schemars(length(min = 1, max = 128))]
    pub manager: String,
    /// How often in this window.
    #[schemars(range(min = 0))]
    pub count: i32,
}

/// Who holds a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Kind of the object that holds it.
    #[schemars(length(max = 63))]
    pub kind: String,
    /// Name of that object, in the same namespace.
    #[schemars(length(max = 253))]
    pub name: String,
}
