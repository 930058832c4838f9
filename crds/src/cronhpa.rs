//! CronHPA on the wire: bounds or counts that hold at certain times.

mod status;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use self::status::{
    ActiveBounds, Base, CalendarDays, CronHpaStatus, Holder, PendingWrite, Reversion, RuleStatus, SlotCounts,
    SlotRecord, SlotResult, WindowEdge,
};
use crate::target::ScaleTargetRef;

/// What is to hold at what times.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "autoscaling.fedscaler.io",
    version = "v1alpha1",
    kind = "CronHPA",
    root = "CronHpa",
    singular = "cronhpa",
    plural = "cronhpas",
    category = "autoscaling",
    namespaced,
    status = "CronHpaStatus",
    derive = "PartialEq",
    doc = "Bounds for an autoscaler, or exact counts for a workload, that hold at certain times: from a point in time on, or inside a window.",
    printcolumn(
        name = "Kind",
        type_ = "string",
        json_path = ".spec.scaleTargetRef.kind",
        description = "Kind of the target."
    ),
    printcolumn(
        name = "Target",
        type_ = "string",
        json_path = ".spec.scaleTargetRef.name",
        description = "Name of the target."
    ),
    printcolumn(
        name = "Zone",
        type_ = "string",
        json_path = ".spec.timeZone",
        description = "Time zone of rules that name none."
    ),
    printcolumn(
        name = "Next",
        type_ = "string",
        json_path = ".status.nextSlotTime",
        description = "When something is due next."
    ),
    printcolumn(
        name = "Rule",
        type_ = "string",
        json_path = ".status.nextRule",
        description = "The rule that is due then."
    ),
    printcolumn(
        name = "Min",
        type_ = "integer",
        json_path = ".status.active.minReplicas",
        description = "Least replicas, as a rule in force sets it."
    ),
    printcolumn(
        name = "Max",
        type_ = "integer",
        json_path = ".status.active.maxReplicas",
        description = "Most replicas, as a rule in force sets it."
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
        name = "Reason",
        type_ = "string",
        priority = 1,
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not."
    ),
    printcolumn(
        name = "Suspended",
        type_ = "string",
        priority = 1,
        json_path = r#".status.conditions[?(@.type=="Suspended")].status"#,
        description = "Whether all rules are suspended."
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::absent_not_null)]
#[x_kube(
    validation = Rule::new("self.scaleTargetRef.kind != 'FedHPA' || self.scaleTargetRef.apiVersion.startsWith('autoscaling.fedscaler.io/')")
        .message("a FedHPA target has apiVersion autoscaling.fedscaler.io/v1alpha1")
        .field_path(".scaleTargetRef.apiVersion")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("self.scaleTargetRef.kind != 'HorizontalPodAutoscaler' || self.scaleTargetRef.apiVersion == 'autoscaling/v2'")
        .message("a HorizontalPodAutoscaler target has apiVersion autoscaling/v2")
        .field_path(".scaleTargetRef.apiVersion")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("!(self.scaleTargetRef.kind in ['CronHPA', 'FederatedHPA', 'CronFederatedHPA'])")
        .message("this kind cannot be scaled by time: name a FedHPA, a HorizontalPodAutoscaler or a workload")
        .field_path(".scaleTargetRef.kind")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("!(self.scaleTargetRef.kind in ['FedHPA', 'HorizontalPodAutoscaler']) || self.rules.all(r, !has(r.targetReplicas))")
        .message("targetReplicas is for workloads: a FedHPA or HorizontalPodAutoscaler target needs minReplicas and maxReplicas instead")
        .field_path(".rules")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.scaleTargetRef.kind in ['FedHPA', 'HorizontalPodAutoscaler'] || self.rules.all(r, !has(r.minReplicas) && !has(r.maxReplicas))")
        .message("minReplicas and maxReplicas are for FedHPA and HorizontalPodAutoscaler targets: a workload needs targetReplicas instead")
        .field_path(".rules")
        .reason(Reason::FieldValueForbidden)
)]
pub struct CronHpaSpec {
    /// What is scaled, in the same namespace: a FedHPA, a HorizontalPodAutoscaler, or anything with a scale subresource.
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub scale_target_ref: ScaleTargetRef,
    /// Time zone of the schedules and dates, by its IANA name, for example `Asia/Shanghai`. A rule may name another.
    #[serde(default = "utc")]
    #[schemars(length(max = 64), regex(pattern = "^[A-Za-z][A-Za-z0-9_+/-]*$"))]
    pub time_zone: String,
    /// What is to hold when. Each of the two bounds comes from the rule in force of the highest priority that sets it.
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub rules: Vec<CronRule>,
    /// Days on which nothing is due.
    #[serde(default)]
    pub exclude: Exclude,
    /// No rule acts while this is true; what falls due is recorded as suspended.
    #[serde(default)]
    pub suspend: bool,
    /// No rule acts before this time; what falls due is recorded as suspended, and what is to hold then holds from then
    /// on. While `suspend` is true, that goes on after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend_until: Option<Time>,
    /// How many of each rule's past slots the status keeps.
    #[serde(default = "default_history_limit")]
    #[schemars(range(min = 0, max = 50))]
    pub history_limit: i32,
}

/// What is to hold from a time on (`schedule`), or inside a window (`start` and `end`).
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.schedule) ? !has(self.start) && !has(self.end) : has(self.start) && has(self.end)")
        .message("give either schedule, or both start and end")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("has(self.targetReplicas) != (has(self.minReplicas) || has(self.maxReplicas))")
        .message("give either targetReplicas, or minReplicas and maxReplicas or one of the two")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas")
        .message("the rule's minReplicas is above its maxReplicas: lower minReplicas or raise maxReplicas")
        .field_path(".minReplicas")
        .reason(Reason::FieldValueInvalid)
)]
pub struct CronRule {
    /// Name of the rule, a DNS label. The status keeps the rule's past under this name.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Cron expression of the times from which the rule holds, until another rule of this object says otherwise. Five
    /// fields, six with seconds in front, or `@hourly` and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub schedule: Option<String>,
    /// Cron expression of the times at which a window opens. Needs `end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub start: Option<String>,
    /// Cron expression of the times at which the window closes and what held before is given back. Needs `start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub end: Option<String>,
    /// Time zone of this rule. Absent: that of the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = "^[A-Za-z][A-Za-z0-9_+/-]*$"))]
    pub time_zone: Option<String>,
    /// Least number of replicas, for targets that are autoscalers. Absent: the rule leaves the minimum alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub min_replicas: Option<i32>,
    /// Most replicas, for targets that are autoscalers. Absent: the rule leaves the maximum alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub max_replicas: Option<i32>,
    /// Exact number of replicas, for targets that are workloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub target_replicas: Option<i32>,
    /// Of two rules in force, the one of higher priority counts; of two with the same, the larger number.
    #[serde(default)]
    #[schemars(range(min = -1_000_000, max = 1_000_000))]
    pub priority: i32,
    /// A slot that could not be applied within this many seconds is recorded as missed. Absent: it is applied however late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub starting_deadline_seconds: Option<i64>,
    /// How much before its slot the rule acts, so that what it asks for is ready in time. The slot is known by its own
    /// time in all that is told and counted, and its deadline counts from there. Of a window the start is led, not the end.
    #[serde(default)]
    #[schemars(range(min = 0, max = 86_400))]
    pub lead_seconds: i64,
    /// The rule acts at its first slot from when it was first seen, and never again. Slots that are excluded, suspended,
    /// missed or failed are not it; one that another rule supersedes is. A window opens once and closes; one that is open
    /// already when it is first seen does not count. Another schedule, zone or target, or taking this back and giving it
    /// again, begins anew; other numbers do not.
    #[serde(default)]
    pub run_once: bool,
    /// The rule does not act while this is true.
    #[serde(default)]
    pub suspend: bool,
    /// The rule does not act before this time. While `suspend` is true, that goes on after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend_until: Option<Time>,
}

/// Days on which nothing is due.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exclude {
    /// Single days (`2026-10-01`) and ranges with both ends (`2026-10-01/2026-10-07`), in each rule's time zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 366),
        inner(
            length(max = 21),
            regex(
                pattern = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(/[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?$"
            )
        )
    )]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("self.all(d, size(d) != 21 || d.substring(0, 10) <= d.substring(11))")
            .message("a range of dates ends before it begins: write the earlier date first")
            .reason(Reason::FieldValueInvalid)
    )]
    pub dates: Vec<String>,
    /// A calendar whose all-day events are such days too, in each rule's time zone. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub calendar_ref: Option<CalendarRef>,
}

/// A calendar in a ConfigMap of the same namespace, as iCalendar (RFC 5545).
///
/// Events of whole days count (`DTSTART;VALUE=DATE`), over as many days as they last and as often as they recur until the
/// year 2100; events with a time of day do not, and are told. While the calendar is missing or cannot be read, the days
/// stay excluded that it had last, as far as the status has them. A ConfigMap with the label
/// `autoscaling.fedscaler.io/calendar` is read anew as soon as it changes, one without it within half a minute.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalendarRef {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key that has the calendar. Absent: the only one there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn default_history_limit() -> i32 {
    5
}
