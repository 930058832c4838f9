//! Karmada's own rules for statuses: what of a member object's status it reflects, how it sums them up, and what it
//! takes for healthy. Numbers of value 0 are absent throughout.

use super::names::TEMPLATE_GENERATION;
use crate::fields::{annotation, counts, int, text};
use serde_json::{Map, Value};

/// The counts of a workload's status that are reflected and summed up.
const DEPLOYMENT: [&str; 5] =
    ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"];
const STATEFUL_SET: [&str; 5] =
    ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "currentReplicas"];
const AUTOSCALER: [&str; 2] = ["currentReplicas", "desiredReplicas"];

/// What of a kind's status counts. `None` for a kind of which Karmada reflects the whole status.
fn counted(kind: &str) -> Option<&'static [&'static str]> {
    match kind {
        "Deployment" => Some(&DEPLOYMENT),
        "StatefulSet" => Some(&STATEFUL_SET),
        "HorizontalPodAutoscaler" => Some(&AUTOSCALER),
        _ => None,
    }
}

/// What is reflected of an object's status; nothing before the object has one.
pub(super) fn reflect(observed: &Value) -> Option<Value> {
    let status = observed.get("status")?;
    let kind = text(observed, "/kind");
    let Some(keys) = counted(kind) else { return Some(status.clone()) };
    let mut reflected = pick(status, keys);
    if kind == "HorizontalPodAutoscaler" {
        // The real one has no omitempty on what is desired.
        reflected.insert("desiredReplicas".to_owned(), int(status, "/desiredReplicas").unwrap_or(0).into());
        return Some(reflected.into());
    }
    let template = annotation(observed, TEMPLATE_GENERATION).and_then(|text| text.parse().ok()).unwrap_or(0);
    let observed_generation =
        if kind == "Deployment" { int(status, "/observedGeneration").unwrap_or(0) } else { 0 };
    reflected.extend(counts(&[
        ("generation", int(observed, "/metadata/generation").unwrap_or(0)),
        ("resourceTemplateGeneration", template),
        ("observedGeneration", observed_generation),
    ]));
    Some(reflected.into())
}

fn pick(status: &Value, keys: &[&str]) -> Map<String, Value> {
    let pairs: Vec<_> = keys.iter().map(|key| (*key, int(status, &format!("/{key}")).unwrap_or(0))).collect();
    counts(&pairs)
}

/// What Karmada calls an object: `Healthy`, `Unhealthy` or `Unknown`.
pub(super) fn health(observed: &Value) -> &'static str {
    let count = |key: &str| int(observed, &format!("/status/{key}")).unwrap_or(0);
    let healthy = match text(observed, "/kind") {
        "Deployment" => {
            int(observed, "/metadata/generation") == Some(count("observedGeneration"))
                && count("updatedReplicas") >= int(observed, "/spec/replicas").unwrap_or(1)
                && count("replicas") <= count("updatedReplicas")
                && count("availableReplicas") >= count("updatedReplicas")
        }
        "StatefulSet" => {
            int(observed, "/metadata/generation") == Some(count("observedGeneration"))
                && count("updatedReplicas") >= int(observed, "/spec/replicas").unwrap_or(1)
                && count("availableReplicas") >= count("updatedReplicas")
        }
        "HorizontalPodAutoscaler" => true,
        _ => return "Unknown",
    };
    if healthy { "Healthy" } else { "Unhealthy" }
}

/// A template's status from those of its members; `None` for kinds that Karmada does not sum up.
pub(super) fn aggregate(template: &Value, members: &[&Value]) -> Option<Value> {
    let kind = text(template, "/kind");
    let keys = counted(kind)?;
    let sums: Vec<_> = keys
        .iter()
        .map(|key| (*key, members.iter().filter_map(|status| int(status, &format!("/{key}"))).sum()))
        .collect();
    let mut status = template.get("status").and_then(Value::as_object).cloned().unwrap_or_default();
    for key in keys {
        status.remove(*key);
    }
    status.extend(counts(&sums));
    if kind == "HorizontalPodAutoscaler" {
        return Some(status.into());
    }
    let generation = int(template, "/metadata/generation").unwrap_or(0);
    let current = |status: &&Value| {
        int(status, "/resourceTemplateGeneration") == Some(generation)
            && (kind == "StatefulSet" || int(status, "/generation") == int(status, "/observedGeneration"))
    };
    if members.iter().all(current) {
        status.extend(counts(&[("observedGeneration", generation)]));
    }
    Some(status.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(replicas: i64, ready: i64) -> Value {
        json!({
            "kind": "Deployment",
            "metadata": {"generation": 4, "annotations": {TEMPLATE_GENERATION: "2"}},
            "spec": {"replicas": replicas},
            "status": {"replicas": replicas, "updatedReplicas": replicas, "readyReplicas": ready,
                "availableReplicas": ready, "observedGeneration": 4,
                "conditions": [{"type": "Available", "status": "True"}]},
        })
    }

    #[test]
    fn counts_and_generations_of_a_deployment_are_reflected_and_zeros_are_absent() {
        let expected = json!({"replicas": 3, "updatedReplicas": 3, "generation": 4, "observedGeneration": 4,
            "resourceTemplateGeneration": 2});
        assert_eq!(reflect(&deployment(3, 0)), Some(expected));
        assert_eq!(reflect(&json!({"kind": "Deployment"})), None);
    }

    #[test]
    fn a_deployment_is_healthy_when_all_its_pods_are_new_and_available() {
        assert_eq!(health(&deployment(3, 3)), "Healthy");
        assert_eq!(health(&deployment(3, 2)), "Unhealthy");
        assert_eq!(health(&json!({"kind": "CloneSet"})), "Unknown");
    }

    #[test]
    fn a_template_has_the_sum_of_its_members() {
        let template = json!({"kind": "Deployment", "metadata": {"generation": 2}});
        let (one, two) = (reflect(&deployment(3, 3)).unwrap(), reflect(&deployment(2, 1)).unwrap());
        let expected = json!({"replicas": 5, "updatedReplicas": 5, "readyReplicas": 4, "availableReplicas": 4,
            "observedGeneration": 2});
        assert_eq!(aggregate(&template, &[&one, &two]), Some(expected));
    }

    #[test]
    fn a_template_that_members_have_not_seen_is_not_called_observed() {
        let template = json!({"kind": "Deployment", "metadata": {"generation": 3}});
        let one = reflect(&deployment(3, 3)).unwrap();
        let status = aggregate(&template, &[&one]).unwrap();
        assert!(status.get("observedGeneration").is_none());
    }
}
