//! What is counted and measured.
//!
//! Responsible for the one registry, for the metrics that are the same for every controller, and for gauges that
//! mirror a cache. Knows nothing of `FedHPA` or `CronHPA`: their metrics live with them and are registered here.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus::{
    Encoder as _, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, PullingGauge, Registry,
    TextEncoder,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use crate::{cache::Cache, leadership::Term};

/// What the registry refuses: a name that is taken or malformed.
pub type MetricsError = prometheus::Error;

/// Seconds, from a millisecond to two minutes, as controllers usually have them.
const DURATIONS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// Which build this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// The version of the package.
    pub version: &'static str,
    /// The commit that it was made from, as far as known.
    pub revision: &'static str,
}

/// The registry and the metrics that are the same for every controller. Clones are the same registry.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Families>,
}

#[derive(Debug)]
struct Families {
    reconciles: IntCounterVec,
    reconcile_errors: IntCounterVec,
    reconcile_failures: IntCounterVec,
    reconcile_seconds: HistogramVec,
    queue_adds: IntCounterVec,
    queue_retries: IntCounterVec,
    queue_seconds: HistogramVec,
    work_seconds: HistogramVec,
    malformed: IntCounterVec,
    watch_errors: IntCounterVec,
    lost_events: IntCounterVec,
}

impl Metrics {
    /// A registry with `build_info` and the metrics of the kit.
    pub fn new(build: Build) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let families = Arc::new(Families::register(&registry)?);
        let metrics = Self { registry, families };
        let info =
            GaugeVec::new(Opts::new("build_info", "Which build runs: always 1."), &["version", "revision"])?;
        info.get_metric_with_label_values(&[build.version, build.revision])?.set(1.0);
        metrics.register(info)?;
        Ok(metrics)
    }

    /// Adds a metric, or a collector that computes metrics when they are asked for.
    pub fn register(&self, collector: impl Collector + 'static) -> Result<(), MetricsError> {
        self.registry.register(Box::new(collector))
    }

    /// Adds `leader`: whether this process may write, at the moment when it is asked for.
    pub fn tell_leader(&self, term: &Term) -> Result<(), MetricsError> {
        let term = term.clone();
        let leads = move || f64::from(u8::from(term.outlives(Duration::ZERO)));
        self.register(PullingGauge::new(
            "leader",
            "1 while this process may write, else 0.",
            Box::new(leads),
        )?)
    }

    /// All metrics in the Prometheus text format.
    pub fn render(&self) -> Result<String, MetricsError> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }

    /// The counters of one watch.
    pub(crate) fn watch(&self, resource: &str) -> WatchMetrics {
        WatchMetrics { families: Arc::clone(&self.families), resource: resource.to_owned() }
    }

    /// The counters of one controller. They begin at 0, as controller-runtime's do: the first failure is an increase.
    pub(crate) fn controller(&self, name: &'static str) -> ControllerMetrics {
        let families = Arc::clone(&self.families);
        for result in ["success", "requeue_after", "error"] {
            families.reconciles.with_label_values(&[name, result]);
        }
        families.reconcile_errors.with_label_values(&[name]);
        families.queue_adds.with_label_values(&[name, name]);
        families.queue_retries.with_label_values(&[name, name]);
        ControllerMetrics { families, name }
    }

    /// Counts an event that could not be published.
    pub(crate) fn event_lost(&self, class: &str) {
        self.families.lost_events.with_label_values(&[class]).inc();
    }
}

impl Families {
    fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let families = Self::new()?;
        for counter in families.counters() {
            registry.register(Box::new(counter.clone()))?;
        }
        for histogram in [&families.reconcile_seconds, &families.queue_seconds, &families.work_seconds] {
            registry.register(Box::new(histogram.clone()))?;
        }
        Ok(families)
    }

    fn new() -> Result<Self, MetricsError> {
        let controller = &["controller"];
        let queue = &["name", "controller"];
        Ok(Self {
            reconciles: counter(
                "controller_runtime_reconcile_total",
                "Reconciles by their result.",
                &["controller", "result"],
            )?,
            reconcile_errors: counter(
                "controller_runtime_reconcile_errors_total",
                "Reconciles that failed.",
                controller,
            )?,
            reconcile_failures: counter(
                "fedscaler_reconcile_failures_total",
                "Reconciles that failed, by why.",
                &["controller", "class"],
            )?,
            reconcile_seconds: histogram(
                "controller_runtime_reconcile_time_seconds",
                "How long a reconcile took.",
                controller,
            )?,
            queue_adds: counter("workqueue_adds_total", "Objects that became due.", queue)?,
            queue_retries: counter(
                "workqueue_retries_total",
                "Objects that became due after a failure.",
                queue,
            )?,
            queue_seconds: histogram(
                "workqueue_queue_duration_seconds",
                "How long an object that was due waited for its reconcile.",
                queue,
            )?,
            work_seconds: histogram("workqueue_work_duration_seconds", "How long a reconcile took.", queue)?,
            malformed: counter(
                "fedscaler_watch_malformed_objects_total",
                "Versions of objects that were skipped because they cannot be read.",
                &["resource"],
            )?,
            watch_errors: counter(
                "fedscaler_watch_errors_total",
                "Failures of watches, by why.",
                &["resource", "class"],
            )?,
            lost_events: counter(
                "fedscaler_events_lost_total",
                "Events that could not be published, by why.",
                &["class"],
            )?,
        })
    }

    fn counters(&self) -> [&IntCounterVec; 8] {
        [
            &self.reconciles,
            &self.reconcile_errors,
            &self.reconcile_failures,
            &self.queue_adds,
            &self.queue_retries,
            &self.malformed,
            &self.watch_errors,
            &self.lost_events,
        ]
    }
}

fn counter(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, MetricsError> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

fn histogram(name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, MetricsError> {
    HistogramVec::new(HistogramOpts::new(name, help).buckets(DURATIONS.to_vec()), labels)
}

/// The counters of one watch.
#[derive(Clone, Debug)]
pub(crate) struct WatchMetrics {
    families: Arc<Families>,
    resource: String,
}

impl WatchMetrics {
    /// Counts an object that cannot be read.
    pub(crate) fn malformed(&self) {
        self.families.malformed.with_label_values(&[&self.resource]).inc();
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, class: &str) {
        self.families.watch_errors.with_label_values(&[self.resource.as_str(), class]).inc();
    }
}

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Well, with nothing more to do until something changes.
    Success,
    /// Well, and to be done again at a time.
    RequeueAfter,
    /// Badly; why, as one word of a closed set.
    Error(&'static str),
}

/// The counters of one controller and its queue.
#[derive(Clone, Debug)]
pub(crate) struct ControllerMetrics {
    families: Arc<Families>,
    name: &'static str,
}

impl ControllerMetrics {
    /// Counts an object that became due.
    pub(crate) fn added(&self) {
        self.families.queue_adds.with_label_values(&[self.name, self.name]).inc();
    }

    /// Counts an object that became due again because it failed.
    pub(crate) fn retried(&self) {
        self.families.queue_retries.with_label_values(&[self.name, self.name]).inc();
    }

    /// Notes how long an object waited.
    pub(crate) fn waited(&self, seconds: f64) {
        self.families.queue_seconds.with_label_values(&[self.name, self.name]).observe(seconds);
    }

    /// Notes how a reconcile ended and how long it took.
    pub(crate) fn reconciled(&self, ended: Ended, seconds: f64) {
        let families = &self.families;
        let result = match ended {
            Ended::Success => "success",
            Ended::RequeueAfter => "requeue_after",
            Ended::Error(class) => {
                families.reconcile_errors.with_label_values(&[self.name]).inc();
                families.reconcile_failures.with_label_values(&[self.name, class]).inc();
                "error"
            }
        };
        families.reconciles.with_label_values(&[self.name, result]).inc();
        families.reconcile_seconds.with_label_values(&[self.name]).observe(seconds);
        families.work_seconds.with_label_values(&[self.name, self.name]).observe(seconds);
    }
}

/// One gauge of a [`Mirror`], while it is being filled.
#[derive(Debug)]
pub struct Series<'a> {
    gauge: &'a GaugeVec,
}

impl Series<'_> {
    /// Sets the series of these label values, in the order of the labels. A wrong number of them is logged.
    pub fn set(&self, labels: &[&str], value: f64) {
        match self.gauge.get_metric_with_label_values(labels) {
            Ok(gauge) => gauge.set(value),
            Err(error) => tracing::error!(%error, "a gauge was given the wrong labels"),
        }
    }
}

type Show<K, const N: usize> = Box<dyn Fn(&K, [Series<'_>; N]) + Send + Sync>;

/// Gauges that say what a cache holds at the moment of the scrape, so that objects that are gone leave no series. Only the
/// process that may write shows them: followers hold the same objects, and sums over processes would count them twice.
pub struct Mirror<K, const N: usize> {
    cache: Cache<K>,
    term: Term,
    /// Held during a scrape: the series are built anew each time.
    gauges: Mutex<[GaugeVec; N]>,
    descriptions: Vec<Desc>,
    show: Show<K, N>,
}

impl<K, const N: usize> Mirror<K, N> {
    /// A mirror of `cache`, while this process leads, with these gauges (name, help, labels). `show` is called for each
    /// object, in the order of their keys, with the gauges in the order given here.
    pub fn new(
        (cache, term): (&Cache<K>, &Term),
        gauges: [(&str, &str, &[&str]); N],
        show: impl Fn(&K, [Series<'_>; N]) + Send + Sync + 'static,
    ) -> Result<Self, MetricsError> {
        let gauges = gauges
            .into_iter()
            .map(|(name, help, labels)| GaugeVec::new(Opts::new(name, help), labels))
            .collect::<Result<Vec<_>, _>>()?;
        let descriptions = gauges.iter().flat_map(Collector::desc).cloned().collect();
        let gauges = <[GaugeVec; N]>::try_from(gauges)
            .map_err(|gauges| prometheus::Error::Msg(format!("{} gauges instead of {N}", gauges.len())))?;
        let (cache, term) = (cache.clone(), term.clone());
        Ok(Self { cache, term, gauges: Mutex::new(gauges), descriptions, show: Box::new(show) })
    }
}

impl<K: Send + Sync, const N: usize> Collector for Mirror<K, N> {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.iter().for_each(GaugeVec::reset);
        let shown = if self.term.outlives(Duration::ZERO) { self.cache.all() } else { Vec::new() };
        for object in shown {
            (self.show)(&object, gauges.each_ref().map(|gauge| Series { gauge }));
        }
        gauges.iter().flat_map(Collector::collect).collect()
    }
}

/// What a queue holds at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueLoad {
    /// Objects that are due and wait.
    pub(crate) depth: usize,
    /// For how long each running reconcile has been running.
    pub(crate) running: Vec<Duration>,
}

/// Gauges of one queue, computed when they are asked for.
pub(crate) struct QueueCollector {
    load: Box<dyn Fn() -> QueueLoad + Send + Sync>,
    depth: Gauge,
    unfinished: Gauge,
    longest: Gauge,
    workers: Gauge,
}

impl QueueCollector {
    /// The gauges of the queue that `load` looks at.
    pub(crate) fn new(
        name: &'static str,
        load: impl Fn() -> QueueLoad + Send + Sync + 'static,
    ) -> Result<Self, MetricsError> {
        let gauge = |metric, help| {
            Gauge::with_opts(
                Opts::new(metric, help).const_label("name", name).const_label("controller", name),
            )
        };
        Ok(Self {
            load: Box::new(load),
            depth: gauge("workqueue_depth", "Objects that are due and wait for their reconcile.")?,
            unfinished: gauge(
                "workqueue_unfinished_work_seconds",
                "Seconds of all running reconciles so far.",
            )?,
            longest: gauge(
                "workqueue_longest_running_processor_seconds",
                "Seconds of the longest running reconcile so far.",
            )?,
            workers: Gauge::with_opts(
                Opts::new("controller_runtime_active_workers", "Reconciles that are running.")
                    .const_label("controller", name),
            )?,
        })
    }

    fn gauges(&self) -> [&Gauge; 4] {
        [&self.depth, &self.unfinished, &self.longest, &self.workers]
    }
}

impl Collector for QueueCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let load = (self.load)();
        self.depth.set(count(load.depth));
        self.unfinished.set(load.running.iter().sum::<Duration>().as_secs_f64());
        self.longest.set(load.running.iter().max().copied().unwrap_or_default().as_secs_f64());
        self.workers.set(count(load.running.len()));
        self.gauges().into_iter().flat_map(Collector::collect).collect()
    }
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt as _;

    use super::*;
    use crate::{fake, key::ObjectKey, leadership};

    fn named(name: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object.labels_mut().insert("size".to_owned(), name.len().to_string());
        object
    }

    fn lines(metrics: &Metrics, beginning: &str) -> Vec<String> {
        let text = metrics.render().unwrap();
        text.lines().filter(|line| line.starts_with(beginning)).map(str::to_owned).collect()
    }

    #[test]
    fn the_build_and_the_leader_are_told() {
        let metrics = fake::metrics();
        assert_eq!(lines(&metrics, "build_info"), ["build_info{revision=\"abc\",version=\"1.2.3\"} 1"]);
        metrics.tell_leader(&leadership::sole()).unwrap();
        assert_eq!(lines(&metrics, "leader"), ["leader 1"]);
    }

    #[test]
    fn a_mirror_shows_what_the_cache_holds_now_and_leaves_no_series_behind() {
        let (metrics, cache) =
            (fake::metrics(), [named("a"), named("bcd")].into_iter().collect::<Cache<_>>());
        let gauges =
            [("lamp_size", "Letters.", ["name"].as_slice()), ("lamp_lit", "Lit.", ["name", "by"].as_slice())];
        let term = leadership::sole();
        let mirror = Mirror::new((&cache, &term), gauges, |object: &ConfigMap, [size, lit]| {
            size.set(&[&object.name_any()], object.labels()["size"].parse().unwrap());
            lit.set(&[&object.name_any(), "us"], 1.0);
        });
        metrics.register(mirror.unwrap()).unwrap();
        assert_eq!(lines(&metrics, "lamp_size"), ["lamp_size{name=\"a\"} 1", "lamp_size{name=\"bcd\"} 3"]);
        cache.remove(&ObjectKey::cluster_scoped("a"));
        assert_eq!(lines(&metrics, "lamp_size"), ["lamp_size{name=\"bcd\"} 3"]);
        assert_eq!(lines(&metrics, "lamp_lit"), ["lamp_lit{by=\"us\",name=\"bcd\"} 1"]);
    }

    #[test]
    fn a_controller_s_counters_begin_at_zero() {
        let metrics = fake::metrics();
        let _lamp = metrics.controller("lamp");
        assert_eq!(
            lines(&metrics, "controller_runtime_reconcile_errors_total"),
            ["controller_runtime_reconcile_errors_total{controller=\"lamp\"} 0"]
        );
        assert_eq!(lines(&metrics, "controller_runtime_reconcile_total").len(), 3);
    }

    #[test]
    fn a_name_can_be_taken_once() {
        let metrics = fake::metrics();
        metrics.register(prometheus::IntGauge::new("lamps", "Lamps.").unwrap()).unwrap();
        assert!(metrics.register(prometheus::IntGauge::new("lamps", "Lamps.").unwrap()).is_err());
    }
}
