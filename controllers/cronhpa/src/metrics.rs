//! The numbers that dashboards and alerts are made of.
//!
//! Responsible for `cronhpa_*`. Gauges mirror the status at the moment of the scrape, so that a CronHPA that is gone
//! leaves no series, and only where its slots are applied; counters and the histogram are the process's own.

use fedscaler_core::cronhpa::facts::Fate;
use fedscaler_crds::{
    CronHpa, CronHpaStatus,
    cronhpa::{RuleStatus, SlotCounts, SlotRecord, SlotResult},
};
use fedscaler_runtime::{
    leadership::Term,
    metrics::{Metrics, MetricsError, Mirror},
    time::from_wire,
    watch::Cache,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts};

/// Counters of the CronHPA controller.
#[derive(Clone, Debug)]
pub struct CronHpaMetrics {
    slots: IntCounterVec,
    lateness: Histogram,
    ready: Histogram,
}

const RULE: &[&str] = &["target_namespace", "cronhpa", "rule"];

/// Seconds, from in time to a lost day.
const LATENESS: [f64; 12] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86_400.0];

/// Seconds, from pods that were there to nodes that had to be bought.
const READY: [f64; 10] = [10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0];

impl CronHpaMetrics {
    /// Registers all of `cronhpa_*`.
    pub fn register(metrics: &Metrics, held: (&Cache<CronHpa>, &Term)) -> Result<Self, MetricsError> {
        let this = Self {
            slots: IntCounterVec::new(
                Opts::new("cronhpa_slots_total", "Slots that were accounted for, by what became of them."),
                &["result"],
            )?,
            lateness: Histogram::with_opts(
                HistogramOpts::new(
                    "cronhpa_lateness_seconds",
                    "From when an applied slot was due to the target being as the rule wants it.",
                )
                .buckets(LATENESS.to_vec()),
            )?,
            ready: Histogram::with_opts(
                HistogramOpts::new(
                    "cronhpa_ready_seconds",
                    "From when a slot took effect to as many replicas being ready as its rule asks for.",
                )
                .buckets(READY.to_vec()),
            )?,
        };
        for fate in Fate::ALL {
            this.slots.with_label_values(&[fate.as_str()]);
        }
        metrics.register(this.slots.clone())?;
        metrics.register(this.lateness.clone())?;
        metrics.register(this.ready.clone())?;
        metrics.register(rules(held)?)?;
        metrics.register(conditions(held)?)?;
        Ok(this)
    }

    /// Counts what a new status accounts for beyond the old one.
    pub fn count(&self, old: Option<&CronHpaStatus>, new: &CronHpaStatus) {
        for rule in &new.rules {
            let before = old.and_then(|old| old.rules.iter().find(|before| same(before, rule)));
            let counted = before.map(|before| before.counts).unwrap_or_default();
            for (fate, more) in difference(counted, rule.counts) {
                self.slots.with_label_values(&[fate.as_str()]).inc_by(more);
            }
            let Some(latest) = &rule.last_slot else { continue };
            let known = before.and_then(|before| before.last_slot.as_ref());
            let known = known.filter(|known| known.is_about_same(latest));
            if let Some(seconds) = late(latest).filter(|_| known.is_none()) {
                self.lateness.observe(seconds);
            }
            let was_ready = known.is_some_and(|known| known.ready_after_seconds.is_some());
            if let Some(seconds) = took(latest).filter(|_| !was_ready) {
                self.ready.observe(seconds);
            }
        }
    }
}

fn same(before: &RuleStatus, after: &RuleStatus) -> bool {
    before.name == after.name && before.rule_hash == after.rule_hash
}

fn difference(before: SlotCounts, after: SlotCounts) -> [(Fate, u64); 6] {
    let more = |before: i64, after: i64| u64::try_from(after - before).unwrap_or(0);
    Fate::ALL.map(|fate| {
        let of = |counts: SlotCounts| match fate {
            Fate::Applied => counts.applied,
            Fate::Superseded => counts.superseded,
            Fate::Excluded => counts.excluded,
            Fate::Suspended => counts.suspended,
            Fate::Missed => counts.missed,
            Fate::Failed => counts.failed,
        };
        (fate, more(of(before), of(after)))
    })
}

fn late(record: &SlotRecord) -> Option<f64> {
    let seconds = record.lateness_seconds.filter(|_| record.result == SlotResult::Applied)?;
    Some(f64::from(u32::try_from(seconds).unwrap_or(u32::MAX)))
}

/// From when a slot took effect to its replicas being ready.
fn took(record: &SlotRecord) -> Option<f64> {
    let began = from_wire(record.finished_time.as_ref()?) - from_wire(&record.slot_time);
    let seconds = record.ready_after_seconds?.saturating_sub(began.num_seconds());
    Some(f64::from(u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)))
}

fn rules(held: (&Cache<CronHpa>, &Term)) -> Result<Mirror<CronHpa, 3>, MetricsError> {
    let gauges = [
        ("cronhpa_next_slot_timestamp_seconds", "When a rule is due next.", RULE),
        ("cronhpa_last_applied_timestamp_seconds", "The slot of a rule that was applied last.", RULE),
        ("cronhpa_window_active", "1 while a rule's window is open, else 0.", RULE),
    ];
    Mirror::new(held, gauges, |object, [next, applied, active]| {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let windows = object.spec.rules.iter().filter(|rule| rule.start.is_some());
        let windows: Vec<&str> = windows.map(|rule| rule.name.as_str()).collect();
        for rule in object.status.iter().flat_map(|status| &status.rules) {
            let labels = [namespace.as_str(), name.as_str(), rule.name.as_str()];
            if let Some(at) = &rule.next_slot_time {
                next.set(&labels, seconds(at));
            }
            if let Some(at) = last_applied(rule) {
                applied.set(&labels, seconds(at));
            }
            if windows.contains(&rule.name.as_str()) {
                active.set(&labels, f64::from(u8::from(rule.in_force)));
            }
        }
    })
}

fn conditions(held: (&Cache<CronHpa>, &Term)) -> Result<Mirror<CronHpa, 1>, MetricsError> {
    let labels: &[&str] = &["target_namespace", "cronhpa", "condition", "status"];
    let gauges = [("cronhpa_status_condition", "1 for the status that a condition has.", labels)];
    Mirror::new(held, gauges, |object, [condition]| {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        for held in object.status.iter().flat_map(|status| &status.conditions) {
            condition.set(&[&namespace, &name, &held.type_, &held.status], 1.0);
        }
    })
}

fn last_applied(rule: &RuleStatus) -> Option<&Time> {
    let records = rule.last_slot.iter().chain(&rule.history);
    records.filter(|record| record.result == SlotResult::Applied).map(|record| &record.slot_time).next()
}

/// Seconds since 1970: exact in f64 until the year 285,000,000.
#[expect(clippy::cast_precision_loss, reason = "53 bits hold every second that a wire time can have")]
fn seconds(time: &Time) -> f64 {
    from_wire(time).timestamp() as f64
}
