//! From one metric's values to a proposed number of replicas: which pods count, and what is assumed of those that do
//! not. Does not know bounds, windows or policies.

use super::spec::{Metric, ScalingRules, Spec, Target};
use super::{Behavior, Observed};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// How far a ratio may be from one before anything is done, unless the autoscaler says otherwise.
const TOLERANCE: f64 = 0.1;
/// For how long after its start a pod's cpu is believed only while it is ready and has been for a whole window.
const CPU_INITIALIZATION: TimeDelta = TimeDelta::minutes(5);
/// A pod that turned unready within this time of its start has never been ready.
const INITIAL_READINESS_DELAY: TimeDelta = TimeDelta::seconds(30);
/// The time over which the metrics server averages.
const METRIC_WINDOW: TimeDelta = TimeDelta::seconds(15);

/// Where in its life a pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not running yet.
    Pending,
    /// Running since then.
    Running {
        /// `status.startTime`.
        started: DateTime<Utc>,
    },
    /// Failed or on its way out.
    Gone,
}

/// A pod's `Ready` condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Ready since then.
    Ready(DateTime<Utc>),
    /// Not ready since then.
    Unready(DateTime<Utc>),
}

/// A pod as the algorithm sees it. Amounts are in thousandths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSample {
    /// Where in its life it is.
    pub stage: Stage,
    /// Whether it is ready.
    pub readiness: Readiness,
    /// The cpu it asks for: thousandths of a core.
    pub cpu_request: Option<i64>,
    /// The cpu it uses.
    pub cpu_usage: Option<i64>,
    /// The memory it asks for: thousandths of a byte.
    pub memory_request: Option<i64>,
    /// The memory it uses.
    pub memory_usage: Option<i64>,
}

/// What the custom and external metrics APIs answer, in thousandths, by the metric's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomMetrics {
    /// The value of a metric for each running pod.
    pub pods: BTreeMap<String, i64>,
    /// The value of a metric of an object.
    pub object: BTreeMap<String, i64>,
    /// The value of an external metric.
    pub external: BTreeMap<String, i64>,
}

/// What a metric proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) replicas: i64,
    pub(super) metric: String,
}

/// What was measured, for the status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) utilization: Option<i64>,
    pub(super) average: Option<i64>,
    pub(super) value: Option<i64>,
}

/// Why a metric gives no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// The band around one within which nothing is done.
#[derive(Debug, Clone, Copy)]
struct Band {
    up: f64,
    down: f64,
}

impl Band {
    fn of(behavior: Option<&Behavior>) -> Self {
        let own = |rules: Option<&ScalingRules>| rules.and_then(|rules| rules.tolerance).unwrap_or(TOLERANCE);
        Self { up: own(behavior.map(|both| &both.up)), down: own(behavior.map(|both| &both.down)) }
    }

    fn holds(self, ratio: f64) -> bool {
        (1.0 - self.down..=1.0 + self.up).contains(&ratio)
    }
}

/// What one metric proposes, and what was measured.
pub(super) fn propose(
    metric: &Metric,
    spec: &Spec,
    seen: &Observed<'_>,
) -> Result<(Proposal, Sample), Failure> {
    let band = Band::of(spec.behavior.as_ref());
    match metric {
        Metric::Utilization { resource, percent } => {
            let name = format!("{resource} resource utilization (percentage of request)");
            let measured = by_request(resource, *percent, band, seen);
            measured.map(|(replicas, sample)| (Proposal { replicas, metric: name }, sample))
        }
        Metric::Resource { resource, average } => {
            let usage = |pod: &PodSample| usage_of(pod, resource);
            let (replicas, sample) = by_average(Cpu::of(resource), usage, *average, band, seen)
                .map_err(|message| failed_resource(resource, &message))?;
            Ok((Proposal { replicas, metric: format!("{resource} resource") }, sample))
        }
        Metric::Pods { name, average } => {
            let known = seen.metrics.pods.get(name).copied();
            let usage = |_: &PodSample| known;
            let (replicas, sample) =
                by_average(Cpu::No, usage, *average, band, seen).map_err(|message| Failure {
                    reason: "FailedGetPodsMetric",
                    message: format!("unable to get metric {name}: {message}"),
                })?;
            Ok((Proposal { replicas, metric: format!("pods metric {name}") }, sample))
        }
        Metric::Object { name, target, .. } => {
            let known = seen.metrics.object.get(name).copied();
            let missing = || missing("FailedGetObjectMetric", name);
            Ok(by_whole(name, known.ok_or_else(missing)?, *target, band, seen))
        }
        Metric::External { name, target } => {
            let known = seen.metrics.external.get(name).copied();
            let missing = || missing("FailedGetExternalMetric", name);
            Ok(by_whole(name, known.ok_or_else(missing)?, *target, band, seen))
        }
        Metric::Unknown(why) => Err(Failure { reason: "InvalidMetricSourceType", message: why.clone() }),
    }
}

/// Whether the rules for the cpu of young pods hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cpu {
    Yes,
    No,
}

impl Cpu {
    fn of(resource: &str) -> Self {
        if resource == "cpu" { Self::Yes } else { Self::No }
    }
}

/// What role a pod has in a computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Counted(i64),
    Unready,
    Missing,
    Ignored,
}

fn role(pod: &PodSample, usage: Option<i64>, cpu: Cpu, now: DateTime<Utc>) -> Role {
    let started = match pod.stage {
        Stage::Gone => return Role::Ignored,
        Stage::Pending => return Role::Unready,
        Stage::Running { started } => started,
    };
    let Some(usage) = usage else { return Role::Missing };
    let young = started + CPU_INITIALIZATION > now;
    let unready = match pod.readiness {
        Readiness::Unready(since) => young || started + INITIAL_READINESS_DELAY > since,
        Readiness::Ready(since) => young && now < since + METRIC_WINDOW,
    };
    if cpu == Cpu::Yes && unready { Role::Unready } else { Role::Counted(usage) }
}

/// The pods of a computation by role, each with what it asks for.
struct Group {
    counted: Vec<(i64, i64)>,
    unready: Vec<i64>,
    missing: Vec<i64>,
}

impl Group {
    fn of(
        seen: &Observed<'_>,
        cpu: Cpu,
        usage: impl Fn(&PodSample) -> Option<i64>,
        request: impl Fn(&PodSample) -> i64,
    ) -> Result<Self, String> {
        if seen.pods.is_empty() {
            return Err("no pods returned by selector while calculating replica count".to_owned());
        }
        let mut group = Self { counted: Vec::new(), unready: Vec::new(), missing: Vec::new() };
        for pod in seen.pods {
            match role(pod, usage(pod), cpu, seen.now) {
                Role::Counted(used) => group.counted.push((used, request(pod))),
                Role::Unready => group.unready.push(request(pod)),
                Role::Missing => group.missing.push(request(pod)),
                Role::Ignored => {}
            }
        }
        if group.counted.is_empty() {
            return Err("did not receive metrics for targeted pods (pods might be unready)".to_owned());
        }
        Ok(group)
    }

    /// The replicas for these pods. `ratio` is of uses and requests; `missing_down` is what a pod without a sample is
    /// taken to use when the others would scale down.
    fn replicas(
        &self,
        current: i64,
        band: Band,
        ratio: impl Fn(&[(i64, i64)]) -> f64,
        missing_down: impl Fn(i64) -> i64,
    ) -> i64 {
        let first = ratio(&self.counted);
        let with_unready = !self.unready.is_empty() && first > 1.0;
        if !with_unready && self.missing.is_empty() {
            return if band.holds(first) { current } else { ceil(first, self.counted.len()) };
        }
        let mut assumed = self.counted.clone();
        if first < 1.0 {
            assumed.extend(self.missing.iter().map(|request| (missing_down(*request), *request)));
        } else if first > 1.0 {
            assumed.extend(self.missing.iter().map(|request| (0, *request)));
        }
        if with_unready {
            assumed.extend(self.unready.iter().map(|request| (0, *request)));
        }
        let second = ratio(&assumed);
        if band.holds(second) || (first < 1.0 && second > 1.0) || (first > 1.0 && second < 1.0) {
            return current;
        }
        let replicas = ceil(second, assumed.len());
        if (second < 1.0 && replicas > current) || (second > 1.0 && replicas < current) {
            return current;
        }
        replicas
    }
}

fn by_request(
    resource: &str,
    percent: i64,
    band: Band,
    seen: &Observed<'_>,
) -> Result<(i64, Sample), Failure> {
    let failed = |message: &str| failed_resource(resource, message);
    if seen.pods.iter().any(|pod| request_of(pod, resource).is_none()) {
        return Err(failed(&format!("missing request for {resource}")));
    }
    let request = |pod: &PodSample| request_of(pod, resource).unwrap_or_default();
    let usage = |pod: &PodSample| usage_of(pod, resource);
    let group = Group::of(seen, Cpu::of(resource), usage, request).map_err(|message| failed(&message))?;
    let utilization = |pods: &[(i64, i64)]| {
        let used: i64 = pods.iter().map(|(used, _)| used).sum();
        let asked: i64 = pods.iter().map(|(_, asked)| asked).sum();
        if asked == 0 { 0 } else { used * 100 / asked }
    };
    let ratio = |pods: &[(i64, i64)]| quotient(utilization(pods), percent);
    let missing = |request: i64| request * percent.max(100) / 100;
    let sample = Sample {
        utilization: Some(utilization(&group.counted)),
        average: Some(average(&group.counted)),
        value: None,
    };
    Ok((group.replicas(seen.spec_replicas, band, ratio, missing), sample))
}

fn by_average(
    cpu: Cpu,
    usage: impl Fn(&PodSample) -> Option<i64>,
    target: i64,
    band: Band,
    seen: &Observed<'_>,
) -> Result<(i64, Sample), String> {
    let group = Group::of(seen, cpu, usage, |_| 0)?;
    let ratio = |pods: &[(i64, i64)]| quotient(average(pods), target);
    let sample = Sample { average: Some(average(&group.counted)), ..Sample::default() };
    Ok((group.replicas(seen.spec_replicas, band, ratio, |_| target), sample))
}

fn by_whole(name: &str, value: i64, target: Target, band: Band, seen: &Observed<'_>) -> (Proposal, Sample) {
    let metric = format!("external metric {name}(nil)");
    let (replicas, sample) = match target {
        Target::Value(target) => (
            by_value(quotient(value, target), band, seen),
            Sample { value: Some(value), ..Sample::default() },
        ),
        Target::AverageValue(target) => {
            let pods = seen.status_replicas;
            let ratio = quotient(value, target.saturating_mul(pods));
            let replicas = if band.holds(ratio) { pods } else { ceil(quotient(value, target), 1) };
            let average = if pods == 0 { value } else { ceil(quotient(value, pods), 1) };
            (replicas, Sample { average: Some(average), ..Sample::default() })
        }
    };
    (Proposal { replicas, metric }, sample)
}

fn by_value(ratio: f64, band: Band, seen: &Observed<'_>) -> i64 {
    if seen.spec_replicas == 0 {
        return ceil(ratio, 1);
    }
    if band.holds(ratio) {
        return seen.spec_replicas;
    }
    let ready = seen.pods.iter().filter(|pod| is_ready(pod)).count();
    ceil(ratio, ready)
}

fn is_ready(pod: &PodSample) -> bool {
    matches!((pod.stage, pod.readiness), (Stage::Running { .. }, Readiness::Ready(_)))
}

fn usage_of(pod: &PodSample, resource: &str) -> Option<i64> {
    match resource {
        "cpu" => pod.cpu_usage,
        "memory" => pod.memory_usage,
        _ => None,
    }
}

fn request_of(pod: &PodSample, resource: &str) -> Option<i64> {
    match resource {
        "cpu" => pod.cpu_request,
        "memory" => pod.memory_request,
        _ => None,
    }
}

fn average(pods: &[(i64, i64)]) -> i64 {
    let used: i64 = pods.iter().map(|(used, _)| used).sum();
    i64::try_from(pods.len()).ok().and_then(|count| used.checked_div(count)).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "the real controller computes in double floats too")]
fn quotient(numerator: i64, denominator: i64) -> f64 {
    numerator as f64 / denominator as f64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the real controller computes in double floats too; a huge ratio saturates"
)]
fn ceil(ratio: f64, pods: usize) -> i64 {
    (ratio * pods as f64).ceil().min(f64::from(i32::MAX)) as i64
}

fn failed_resource(resource: &str, message: &str) -> Failure {
    Failure {
        reason: "FailedGetResourceMetric",
        message: format!("failed to get {resource} utilization: {message}"),
    }
}

fn missing(reason: &'static str, name: &str) -> Failure {
    Failure { reason, message: format!("unable to get metric {name}: no metrics returned") }
}
