//! The numbers that dashboards and alerts are made of.
//!
//! Responsible for `fedhpa_*`. Gauges mirror the status at the moment of the scrape, so that a FedHPA that is gone
//! leaves no series, and only where its numbers are written; counters and the histogram are the process's own.

use fedscaler_core::fedhpa::trail::Change;
use fedscaler_crds::{FedHpa, fedhpa::ClusterStatus};
use fedscaler_runtime::{
    clock::SharedClock,
    leadership::Term,
    metrics::{Metrics, MetricsError, Mirror, Series},
    time::from_wire,
    watch::Cache,
};
use kube::ResourceExt as _;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts};

/// Counters of the FedHPA controller.
#[derive(Clone, Debug)]
pub struct FedHpaMetrics {
    rebalances: IntCounterVec,
    reschedules: IntCounter,
    write_back: Histogram,
    write_backs: IntCounterVec,
}

const OBJECT: &[&str] = &["target_namespace", "fedhpa"];
const MEMBER: &[&str] = &["target_namespace", "fedhpa", "member_cluster"];

impl FedHpaMetrics {
    /// Registers all of `fedhpa_*`.
    pub fn register(
        metrics: &Metrics,
        held: (&Cache<FedHpa>, &Term),
        clock: SharedClock,
    ) -> Result<Self, MetricsError> {
        let this = Self {
            rebalances: IntCounterVec::new(
                Opts::new("fedhpa_rebalances_total", "Splits that were adopted, by reason."),
                &["reason"],
            )?,
            reschedules: IntCounter::new(
                "fedhpa_reschedules_observed_total",
                "Times that Karmada's scheduler divided a binding that we hold.",
            )?,
            write_back: Histogram::with_opts(HistogramOpts::new(
                "fedhpa_write_back_seconds",
                "From the start of a write-back round to the binding having caught up with it.",
            ))?,
            write_backs: IntCounterVec::new(
                Opts::new("fedhpa_write_backs_total", "Write-back rounds, by result."),
                &["result"],
            )?,
        };
        for change in Change::ALL {
            this.rebalances.with_label_values(&[change.as_str()]);
        }
        for result in ["success", "error"] {
            this.write_backs.with_label_values(&[result]);
        }
        metrics.register(this.rebalances.clone())?;
        metrics.register(this.reschedules.clone())?;
        metrics.register(this.write_back.clone())?;
        metrics.register(this.write_backs.clone())?;
        metrics.register(totals(held)?)?;
        metrics.register(members(held, clock)?)?;
        Ok(this)
    }

    /// A split was adopted.
    pub fn rebalanced(&self, change: Change) {
        self.rebalances.with_label_values(&[change.as_str()]).inc();
    }

    /// The scheduler divided a binding that we hold.
    pub fn rescheduled(&self) {
        self.reschedules.inc();
    }

    /// A round was written, or failed.
    pub fn wrote_back(&self, succeeded: Result<(), ()>) {
        let result = if succeeded.is_ok() { "success" } else { "error" };
        self.write_backs.with_label_values(&[result]).inc();
    }

    /// A round was acknowledged after so many seconds.
    pub fn acknowledged(&self, seconds: f64) {
        self.write_back.observe(seconds);
    }
}

fn totals(held: (&Cache<FedHpa>, &Term)) -> Result<Mirror<FedHpa, 5>, MetricsError> {
    let gauges = [
        ("fedhpa_spec_min_replicas", "Least replicas over all clusters in force.", OBJECT),
        ("fedhpa_spec_max_replicas", "Most replicas over all clusters in force.", OBJECT),
        ("fedhpa_unplaced_replicas", "Replicas of the max that no cluster may take.", OBJECT),
        (
            "fedhpa_possible_overshoot_replicas",
            "Replicas that unreachable clusters may run beyond the max.",
            OBJECT,
        ),
        (
            "fedhpa_status_condition",
            "1 for the status that a condition has.",
            &["target_namespace", "fedhpa", "condition", "status"],
        ),
    ];
    Mirror::new(held, gauges, |object, [min, max, unplaced, overshoot, condition]| {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let labels = [namespace.as_str(), name.as_str()];
        let status = object.status.as_ref();
        let in_force = status.and_then(|status| status.bounds.as_ref());
        min.set(&labels, in_force.map_or(object.spec.min_replicas, |bounds| bounds.min_replicas).into());
        max.set(&labels, in_force.map_or(object.spec.max_replicas, |bounds| bounds.max_replicas).into());
        show(&unplaced, &labels, status.and_then(|status| status.unplaced));
        show(&overshoot, &labels, status.and_then(|status| status.possible_overshoot));
        for held in status.iter().flat_map(|status| &status.conditions) {
            condition.set(&[&namespace, &name, &held.type_, &held.status], 1.0);
        }
    })
}

fn members(held: (&Cache<FedHpa>, &Term), clock: SharedClock) -> Result<Mirror<FedHpa, 7>, MetricsError> {
    let gauges = [
        ("fedhpa_member_min_replicas", "Least replicas of a member's HPA.", MEMBER),
        ("fedhpa_member_max_replicas", "Most replicas of a member's HPA.", MEMBER),
        ("fedhpa_member_current_replicas", "Replicas that a member's HPA found.", MEMBER),
        ("fedhpa_member_desired_replicas", "Replicas that a member's HPA wants.", MEMBER),
        (
            "fedhpa_member_room_replicas",
            "Replicas that a member can hold, those that it holds included.",
            MEMBER,
        ),
        (
            "fedhpa_member_fragmentation_ratio",
            "Part of a member's free resources that no replica can use.",
            MEMBER,
        ),
        (
            "fedhpa_member_status_age_seconds",
            "Time since something new was seen of a member that is silent.",
            MEMBER,
        ),
    ];
    Mirror::new(held, gauges, move |object, gauges| {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        for cluster in object.status.iter().flat_map(|status| &status.clusters) {
            let silent = cluster.phase == fedscaler_crds::fedhpa::ClusterPhase::Frozen;
            let seen = cluster.status_observed_time.as_ref().map(from_wire);
            let age =
                seen.map(|seen| if silent { (clock.now() - seen).as_seconds_f64().max(0.0) } else { 0.0 });
            member(&gauges, &[&namespace, &name, &cluster.name], cluster, age);
        }
    })
}

fn member(gauges: &[Series<'_>; 7], labels: &[&str], cluster: &ClusterStatus, age: Option<f64>) {
    let [min, max, current, desired, room, fragmentation, silence] = gauges;
    show(min, labels, cluster.min_replicas);
    show(max, labels, cluster.max_replicas);
    show(current, labels, cluster.current_replicas);
    show(desired, labels, cluster.desired_replicas);
    show(room, labels, cluster.room);
    if let Some(percent) = cluster.fragmentation_percent {
        fragmentation.set(labels, f64::from(percent) / 100.0);
    }
    if let Some(age) = age {
        silence.set(labels, age);
    }
}

/// What is not known has no series.
fn show(gauge: &Series<'_>, labels: &[&str], value: Option<i32>) {
    if let Some(value) = value {
        gauge.set(labels, value.into());
    }
}
