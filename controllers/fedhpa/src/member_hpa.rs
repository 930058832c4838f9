//! The HPA that one member gets.
//!
//! Responsible for what of the metrics and the behavior each member's HPA says: most of it unchanged, and a part
//! of what measures or limits the whole. Knows nothing of Works.

use std::collections::BTreeSet;

use fedscaler_core::fedhpa::{decision::Part, policy::Bounds};
use fedscaler_karmada::{
    gates::{self, Fitted, Version},
    quantity::{self, Round},
    types::Cluster,
};
use serde_json::{Value, json};

use crate::admit::Target;

/// What members scale on, as the user wrote it. Fields that we do not know are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// `autoscaling/v2` metrics.
    pub metrics: Vec<Value>,
    /// `autoscaling/v2` behavior.
    pub behavior: Option<Value>,
    /// Names of External and Object metrics that measure all clusters together.
    pub global: BTreeSet<String>,
}

impl Metrics {
    /// What of this a cluster's Kubernetes understands.
    pub fn fitted(&self, cluster: &Cluster) -> Fitted {
        let mut spec = json!({"metrics": self.metrics});
        if let Some(behavior) = &self.behavior {
            spec["behavior"] = behavior.clone();
        }
        gates::fit(spec, version_of(cluster))
    }

    /// Whether an HPA of a cluster may go down to 0 by them.
    pub fn scale_to_zero(&self, cluster: &Cluster) -> bool {
        gates::scales_to_zero(&self.metrics, version_of(cluster))
    }
}

/// The `spec` of a member's HPA.
///
/// A global metric's `AverageValue` target becomes the member's part of it: every member sees the whole metric, and
/// `metric / target` pods in each would be too many. `Pods` policies become the member's part, at least 1, so that
/// four pods a minute stay four. Everything else is the same in each member, but for what its Kubernetes is too old
/// for; `cluster` is absent where it is not known any more.
pub fn spec(
    target: &Target,
    metrics: &Metrics,
    bounds: Bounds,
    part: Part,
    cluster: Option<&Cluster>,
) -> Value {
    gates::fit(for_any_version(target, metrics, bounds, part), cluster.and_then(version_of)).spec
}

fn version_of(cluster: &Cluster) -> Option<Version> {
    cluster.status.kubernetes_version.as_deref().and_then(Version::parse)
}

fn for_any_version(target: &Target, metrics: &Metrics, bounds: Bounds, part: Part) -> Value {
    let mut spec = json!({
        "scaleTargetRef": {"apiVersion": target.api_version, "kind": target.kind, "name": target.name},
        "minReplicas": bounds.min,
        "maxReplicas": bounds.max,
        "metrics": metrics.metrics.iter().map(|metric| metric_of(metric, &metrics.global, part)).collect::<Vec<_>>(),
    });
    if let Some(behavior) = &metrics.behavior {
        spec["behavior"] = behavior_of(behavior, part);
    }
    spec
}

fn metric_of(metric: &Value, global: &BTreeSet<String>, part: Part) -> Value {
    let mut metric = metric.clone();
    for source in ["external", "object"] {
        let Some(found) = metric.get_mut(source) else { continue };
        let named =
            found.pointer("/metric/name").and_then(Value::as_str).is_some_and(|name| global.contains(name));
        if !named {
            continue;
        }
        if let Some(average) = found.pointer_mut("/target/averageValue") {
            divide_target(average, part);
        }
    }
    metric
}

/// The target per pod rises as the share falls: `desired = metric / target` must come to the member's part.
fn divide_target(average: &mut Value, part: Part) {
    let text = average.as_str().map_or_else(|| average.to_string(), str::to_owned);
    // Amounts of cpu are counted in thousandths, which is the finest that a quantity here can say.
    let Ok(milli) = quantity::amount(quantity::CPU, &text, Round::Up) else { return };
    let divided = (u128::from(milli) * u128::from(part.whole)).div_ceil(u128::from(part.share.max(1)));
    *average = Value::String(format!("{divided}m"));
}

fn behavior_of(behavior: &Value, part: Part) -> Value {
    let mut behavior = behavior.clone();
    for direction in ["scaleUp", "scaleDown"] {
        let policies = behavior.pointer_mut(&format!("/{direction}/policies")).and_then(Value::as_array_mut);
        for policy in policies.into_iter().flatten() {
            if policy.get("type").and_then(Value::as_str) == Some("Pods")
                && let Some(pods) = policy.get("value").and_then(Value::as_u64)
            {
                policy["value"] = json!(part.of(u32::try_from(pods).unwrap_or(u32::MAX)));
            }
        }
    }
    behavior
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(metric: Value, behavior: Option<Value>, global: &[&str]) -> Metrics {
        Metrics {
            metrics: vec![metric],
            behavior,
            global: global.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn rendered(metrics: &Metrics, share: u32, whole: u32) -> Value {
        let target = Target { api_version: "apps/v1".into(), kind: "Deployment".into(), name: "web".into() };
        spec(&target, metrics, Bounds { min: 1, max: share }, Part { share, before: 0, whole }, None)
    }

    fn external(name: &str) -> Value {
        json!({"type": "External", "external": {"metric": {"name": name}, "target": {"type": "AverageValue", "averageValue": "30"}}})
    }

    #[test]
    fn a_global_metric_gets_a_target_that_leaves_each_member_its_part() {
        let spec = rendered(&metrics(external("queue"), None, &["queue"]), 15, 60);
        assert_eq!(spec["metrics"][0]["external"]["target"]["averageValue"], "120000m");
    }

    #[test]
    fn a_metric_that_measures_one_cluster_passes_unchanged_with_fields_unknown_to_us() {
        let mut metric = external("queue");
        metric["external"]["tomorrow"] = json!({"a": [1]});
        let spec = rendered(&metrics(metric.clone(), None, &[]), 15, 60);
        assert_eq!(spec["metrics"][0], metric);
    }

    #[test]
    fn pods_policies_are_divided_and_percent_policies_pass() {
        let behavior = json!({"scaleUp": {"policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 60}, {"type": "Percent", "value": 100, "periodSeconds": 15}]}});
        let spec = rendered(&metrics(external("q"), Some(behavior), &[]), 15, 60);
        assert_eq!(spec["behavior"]["scaleUp"]["policies"][0]["value"], 1);
        assert_eq!(spec["behavior"]["scaleUp"]["policies"][1]["value"], 100);
    }
}
