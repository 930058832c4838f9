//! A `HorizontalPodAutoscaler` of `autoscaling/v2` as the algorithm needs it, read from the object.
//! Does not judge it: what the API server lets through is taken as it is.

use crate::fields::{int, items, text};
use crate::quantity::milli;
use serde_json::{Value, json};

/// What an autoscaler is told to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The fewest replicas.
    pub min: i64,
    /// The most replicas.
    pub max: i64,
    /// What is measured; cpu at 80 percent where the object names nothing.
    pub metrics: Vec<Metric>,
    /// How fast it may go; without it the older, simpler rules hold.
    pub behavior: Option<Behavior>,
}

/// What a metric is compared with, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The whole value.
    Value(i64),
    /// The value divided by the number of pods.
    AverageValue(i64),
}

/// One metric of an autoscaler.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// A pod's own resource, in percent of its request. A container's resource is taken for the pod's: a modelled pod
    /// has one load.
    Utilization {
        /// `cpu` or `memory`.
        resource: String,
        /// Percent of the request.
        percent: i64,
    },
    /// A pod's own resource, as it is.
    Resource {
        /// `cpu` or `memory`.
        resource: String,
        /// Thousandths of the resource's unit for each pod.
        average: i64,
    },
    /// A metric of each pod.
    Pods {
        /// The metric's name.
        name: String,
        /// Thousandths for each pod.
        average: i64,
    },
    /// A metric of another object.
    Object {
        /// The metric's name.
        name: String,
        /// `describedObject` as written.
        described: Value,
        /// What it is compared with.
        target: Target,
    },
    /// A metric of something outside the cluster.
    External {
        /// The metric's name.
        name: String,
        /// What it is compared with.
        target: Target,
    },
    /// Something that cannot be computed; the text says what.
    Unknown(String),
}

/// How fast an autoscaler may go.
#[derive(Debug, Clone, PartialEq)]
pub struct Behavior {
    /// Upwards.
    pub up: ScalingRules,
    /// Downwards.
    pub down: ScalingRules,
}

/// The rules of one direction.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalingRules {
    /// For how many seconds the most cautious recommendation is followed.
    pub window: i64,
    /// Which policy counts.
    pub select: Select,
    /// The policies.
    pub policies: Vec<ScalingPolicy>,
    /// How far the ratio may be from one before anything is done; the controller's 0.1 where absent.
    pub tolerance: Option<f64>,
}

/// Which of several policies counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// No change in this direction.
    Disabled,
}

/// What a policy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// Whole pods.
    Pods,
    /// Percent of the replicas at the start of the period.
    Percent,
}

/// How much change one period allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalingPolicy {
    /// What `value` counts.
    pub kind: PolicyKind,
    /// How much.
    pub value: i64,
    /// The period's length.
    pub seconds: i64,
}

impl Spec {
    /// Reads an autoscaler. Absent fields get the API server's defaults.
    #[must_use]
    pub fn read(object: &Value) -> Self {
        let written = items(object, "/spec/metrics");
        let metrics = if written.is_empty() {
            vec![Metric::Utilization { resource: "cpu".to_owned(), percent: 80 }]
        } else {
            written.iter().map(Metric::read).collect()
        };
        let behavior =
            object.pointer("/spec/behavior").filter(|written| written.is_object()).map(Behavior::read);
        Self {
            min: int(object, "/spec/minReplicas").unwrap_or(1),
            max: int(object, "/spec/maxReplicas").unwrap_or(1),
            metrics,
            behavior,
        }
    }
}

impl Metric {
    fn read(written: &Value) -> Self {
        let kind = text(written, "/type");
        let body = match kind {
            "Resource" => "/resource",
            "ContainerResource" => "/containerResource",
            "Pods" => "/pods",
            "Object" => "/object",
            "External" => "/external",
            _ => return Self::Unknown(format!("unknown metric source type \"{kind}\"")),
        };
        let body = written.pointer(body).unwrap_or(&Value::Null);
        match kind {
            "Resource" | "ContainerResource" => Self::resource(body),
            "Pods" => Self::pods(body),
            _ => Self::whole(kind, body),
        }
    }

    fn resource(body: &Value) -> Self {
        let resource = text(body, "/name").to_owned();
        if let Some(average) = quantity(body, "/target/averageValue") {
            return Self::Resource { resource, average };
        }
        int(body, "/target/averageUtilization").map_or_else(
            || Self::Unknown("neither a utilization target nor a value target was set".to_owned()),
            |percent| Self::Utilization { resource, percent },
        )
    }

    fn pods(body: &Value) -> Self {
        quantity(body, "/target/averageValue").map_or_else(
            || Self::Unknown("a pods metric needs an average value".to_owned()),
            |average| Self::Pods { name: text(body, "/metric/name").to_owned(), average },
        )
    }

    fn whole(kind: &str, body: &Value) -> Self {
        let name = text(body, "/metric/name").to_owned();
        let average = quantity(body, "/target/averageValue").map(Target::AverageValue);
        let Some(target) = average.or_else(|| quantity(body, "/target/value").map(Target::Value)) else {
            return Self::Unknown("neither a value target nor an average value target was set".to_owned());
        };
        if kind == "External" {
            return Self::External { name, target };
        }
        Self::Object { name, described: body.get("describedObject").cloned().unwrap_or_default(), target }
    }

    /// An entry of `status.currentMetrics` for this metric.
    pub(super) fn status(&self, current: &Value) -> Value {
        match self {
            Self::Utilization { resource, .. } | Self::Resource { resource, .. } => {
                json!({"type": "Resource", "resource": {"name": resource, "current": current}})
            }
            Self::Pods { name, .. } => {
                json!({"type": "Pods", "pods": {"metric": {"name": name}, "current": current}})
            }
            Self::Object { name, described, .. } => json!({
                "type": "Object",
                "object": {"describedObject": described, "metric": {"name": name}, "current": current},
            }),
            Self::External { name, .. } => {
                json!({"type": "External", "external": {"metric": {"name": name}, "current": current}})
            }
            Self::Unknown(_) => Value::Null,
        }
    }
}

impl Behavior {
    fn read(written: &Value) -> Self {
        let null = Value::Null;
        Self {
            up: ScalingRules::default_up().with(written.get("scaleUp").unwrap_or(&null)),
            down: ScalingRules::default_down().with(written.get("scaleDown").unwrap_or(&null)),
        }
    }
}

impl ScalingRules {
    /// What holds upwards where nothing is written: at once, double or four pods in 15 s.
    #[must_use]
    pub fn default_up() -> Self {
        let policies = vec![
            ScalingPolicy { kind: PolicyKind::Pods, value: 4, seconds: 15 },
            ScalingPolicy { kind: PolicyKind::Percent, value: 100, seconds: 15 },
        ];
        Self { window: 0, select: Select::Max, policies, tolerance: None }
    }

    /// What holds downwards where nothing is written: after five minutes, everything.
    #[must_use]
    pub fn default_down() -> Self {
        let policies = vec![ScalingPolicy { kind: PolicyKind::Percent, value: 100, seconds: 15 }];
        Self { window: 300, select: Select::Max, policies, tolerance: None }
    }

    fn with(mut self, written: &Value) -> Self {
        if let Some(window) = int(written, "/stabilizationWindowSeconds") {
            self.window = window;
        }
        match text(written, "/selectPolicy") {
            "Min" => self.select = Select::Min,
            "Disabled" => self.select = Select::Disabled,
            _ => {}
        }
        let policies: Vec<_> = items(written, "/policies").iter().filter_map(ScalingPolicy::read).collect();
        if !policies.is_empty() {
            self.policies = policies;
        }
        #[expect(clippy::cast_precision_loss, reason = "a tolerance has few digits")]
        let tolerance = quantity(written, "/tolerance").map(|milli| milli as f64 / 1000.0);
        self.tolerance = tolerance;
        self
    }
}

impl ScalingPolicy {
    fn read(written: &Value) -> Option<Self> {
        let kind = match text(written, "/type") {
            "Pods" => PolicyKind::Pods,
            "Percent" => PolicyKind::Percent,
            _ => return None,
        };
        Some(Self { kind, value: int(written, "/value")?, seconds: int(written, "/periodSeconds")? })
    }
}

/// A quantity in thousandths; Kubernetes takes a number for it as well as a text.
fn quantity(object: &Value, path: &str) -> Option<i64> {
    match object.pointer(path)? {
        Value::String(text) => milli(text),
        Value::Number(number) => milli(&number.to_string()),
        _ => None,
    }
}
