//! The native horizontal pod autoscaler's algorithm, version 2, as the kube-controller-manager runs it: one sync from
//! what was seen to a number of replicas and a status. Pure: it reads no API and no clock.
//!
//! Source of the algorithm: the Kubernetes documentation "Horizontal Pod Autoscaling" and the behaviour of
//! kube-controller-manager. As there, ratios are double floats and utilisations whole percents, because the rounding
//! decides numbers of replicas.

mod behavior;
mod calculator;
mod spec;
mod status;
#[cfg(test)]
mod tests;

pub use behavior::Memory;
pub use calculator::{CustomMetrics, PodSample, Readiness, Stage};
pub use spec::{Behavior, Metric, PolicyKind, ScalingPolicy, ScalingRules, Select, Spec, Target};
pub use status::{Condition, Status};

use crate::quantity::decimal_text;
use behavior::{Limits, Normalised};
use calculator::{Proposal, Sample};
use chrono::{DateTime, Utc};

/// Everything that one sync sees.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// The time of the sync.
    pub now: DateTime<Utc>,
    /// The scale's `spec.replicas` at the start of the sync.
    pub spec_replicas: i64,
    /// The scale's `status.replicas`.
    pub status_replicas: i64,
    /// The pods that the scale selects.
    pub pods: &'a [PodSample],
    /// What the custom and external metrics APIs answer.
    pub metrics: &'a CustomMetrics,
}

/// What a sync wants done.
#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    /// The number of replicas to write to the scale; `None` if the scale is to be left alone.
    pub rescale: Option<i64>,
    /// The status after the sync, if the write of the scale succeeds.
    pub status: Status,
}

/// One sync: from what was seen and the status before to what is to be written.
#[must_use]
pub fn sync(spec: &Spec, before: &Status, memory: &mut Memory, seen: &Observed<'_>) -> Sync {
    let mut status = before.clone();
    let now = seen.now;
    status.set("AbleToScale", "True", "SucceededGetScale", GOT_SCALE, now);
    let current = seen.spec_replicas;
    memory.begin(current, now);
    status.current = current;
    if current == 0 && spec.min != 0 {
        status.set("ScalingActive", "False", "ScalingDisabled", SCALING_DISABLED, now);
        return unchanged(status, current);
    }
    if current > spec.max {
        return rescaled(status, spec, memory, seen, spec.max);
    }
    if current < spec.min {
        return rescaled(status, spec, memory, seen, spec.min);
    }
    let Some(proposed) = by_metrics(spec, &mut status, seen) else {
        return Sync { rescale: None, status };
    };
    let limits = Limits { min: spec.min, max: spec.max, current };
    let normalised = memory.normalise(spec.behavior.as_ref(), limits, proposed, now);
    let metrics = std::mem::take(&mut status.metrics);
    report_limits(&mut status, &normalised, proposed, now);
    let mut done = if normalised.replicas == current {
        unchanged(status, current)
    } else {
        rescaled(status, spec, memory, seen, normalised.replicas)
    };
    done.status.metrics = metrics;
    done
}

/// The status when the target has no scale to read.
#[must_use]
pub fn without_scale(before: &Status, why: &str, now: DateTime<Utc>) -> Status {
    let mut status = before.clone();
    let message = format!("the HPA controller was unable to get the target's current scale: {why}");
    status.set("AbleToScale", "False", "FailedGetScale", &message, now);
    status
}

/// The status when the scale could not be written.
#[must_use]
pub fn refused(before: &Status, current: i64, why: &str, now: DateTime<Utc>) -> Status {
    let mut status = before.clone();
    let message = format!("the HPA controller was unable to update the target scale: {why}");
    status.set("AbleToScale", "False", "FailedUpdateScale", &message, now);
    status.current = current;
    status
}

const GOT_SCALE: &str = "the HPA controller was able to get the target's current scale";
const SCALING_DISABLED: &str = "scaling is disabled since the replica count of the target is zero";

fn unchanged(mut status: Status, current: i64) -> Sync {
    status.desired = current;
    status.metrics = Vec::new();
    Sync { rescale: None, status }
}

fn rescaled(mut status: Status, spec: &Spec, memory: &mut Memory, seen: &Observed<'_>, to: i64) -> Sync {
    let message = format!("the HPA controller was able to update the target scale to {to}");
    status.set("AbleToScale", "True", "SucceededRescale", &message, seen.now);
    status.desired = to;
    status.last_scale = Some(seen.now);
    status.metrics = Vec::new();
    memory.scaled(spec.behavior.as_ref(), seen.spec_replicas, to, seen.now);
    Sync { rescale: Some(to), status }
}

/// The highest proposal of all metrics. `None` if no metric can be trusted: all failed, or one failed and the others
/// would scale down.
fn by_metrics(spec: &Spec, status: &mut Status, seen: &Observed<'_>) -> Option<i64> {
    let mut best: Option<Proposal> = None;
    let mut failure = None;
    status.metrics = Vec::new();
    for metric in &spec.metrics {
        match calculator::propose(metric, spec, seen) {
            Ok((proposal, sample)) => {
                status.metrics.push(render(metric, &sample));
                if best.as_ref().is_none_or(|best| best.replicas == 0 || proposal.replicas > best.replicas) {
                    best = Some(proposal);
                }
            }
            Err(wrong) => {
                failure.get_or_insert(wrong);
            }
        }
    }
    let replicas = best.as_ref().map_or(0, |best| best.replicas);
    match (failure, best) {
        (Some(wrong), best) if best.is_none() || replicas < seen.spec_replicas => {
            let message = format!("the HPA was unable to compute the replica count: {}", wrong.message);
            status.set("ScalingActive", "False", wrong.reason, &message, seen.now);
            None
        }
        (_, Some(best)) => {
            let message =
                format!("the HPA was able to successfully calculate a replica count from {}", best.metric);
            status.set("ScalingActive", "True", "ValidMetricFound", &message, seen.now);
            Some(replicas)
        }
        (_, None) => None,
    }
}

fn report_limits(status: &mut Status, normalised: &Normalised, proposed: i64, now: DateTime<Utc>) {
    let (reason, message) = if normalised.stabilised == proposed {
        ("ReadyForNewScale", "recommended size matches current size")
    } else {
        normalised.stabilisation
    };
    status.set("AbleToScale", "True", reason, message, now);
    let limited = if normalised.replicas == normalised.stabilised { "False" } else { "True" };
    status.set("ScalingLimited", limited, normalised.limit.0, normalised.limit.1, now);
}

/// One entry of `status.currentMetrics`.
fn render(metric: &Metric, sample: &Sample) -> serde_json::Value {
    let mut current = serde_json::Map::new();
    if let Some(percent) = sample.utilization {
        current.insert("averageUtilization".to_owned(), percent.into());
    }
    if let Some(average) = sample.average {
        current.insert("averageValue".to_owned(), decimal_text(average).into());
    }
    if let Some(value) = sample.value {
        current.insert("value".to_owned(), decimal_text(value).into());
    }
    metric.status(&current.into())
}
