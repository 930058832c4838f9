//! How many more replicas a cluster could take, as Karmada's general estimator guesses it from the Cluster's status:
//! by resource models where there are any, else by the summary.

use crate::fields::{int, items, text};
use crate::quantity::milli;
use serde_json::Value;

/// A node of a model is taken to hold so many pods, whatever runs on it.
const PODS_PER_NODE: i64 = 110;

/// The replicas that a cluster could still take; `requirements` is a binding's `spec.replicaRequirements`.
pub(crate) fn room(cluster: &Value, requirements: Option<&Value>) -> i64 {
    let pods = free(cluster, "pods") / 1000;
    if pods <= 0 {
        return 0;
    }
    let Some(asked) = requirements.map(asked) else { return pods };
    let fitting = by_models(cluster, &asked).unwrap_or_else(|| by_summary(cluster, &asked));
    pods.min(fitting)
}

/// What a replica asks for, in thousandths of each resource's unit.
fn asked(requirements: &Value) -> Vec<(String, i64)> {
    let amounts = requirements.get("resourceRequest").and_then(Value::as_object);
    let amounts = amounts.into_iter().flatten();
    let read = amounts.filter_map(|(key, amount)| Some((key.clone(), milli(amount.as_str()?)?)));
    read.filter(|(_, amount)| *amount > 0).collect()
}

fn summed(cluster: &Value, part: &str, resource: &str) -> i64 {
    milli(text(cluster, &format!("/status/resourceSummary/{part}/{resource}"))).unwrap_or(0)
}

fn free(cluster: &Value, resource: &str) -> i64 {
    let [allocatable, allocated, allocating] =
        ["allocatable", "allocated", "allocating"].map(|part| summed(cluster, part, resource));
    allocatable - allocated - allocating
}

fn by_summary(cluster: &Value, asked: &[(String, i64)]) -> i64 {
    let each = asked.iter().map(|(resource, amount)| (free(cluster, resource) / amount).max(0));
    each.min().unwrap_or(i64::MAX)
}

/// First fit on nodes that have each grade's least; `None` where there are no models to go by.
fn by_models(cluster: &Value, asked: &[(String, i64)]) -> Option<i64> {
    let counted = items(cluster, "/status/resourceSummary/allocatableModelings");
    let models = items(cluster, "/spec/resourceModels");
    if counted.is_empty() || models.is_empty() {
        return None;
    }
    let per_grade = models.iter().map(|model| {
        let grade = int(model, "/grade").unwrap_or(0);
        let same = counted.iter().find(|counted| int(counted, "/grade").unwrap_or(0) == grade);
        let nodes = same.and_then(|same| int(same, "/count")).unwrap_or(0);
        nodes * on_node_of(model, asked)
    });
    Some(per_grade.sum())
}

fn on_node_of(model: &Value, asked: &[(String, i64)]) -> i64 {
    let least = |resource: &str| {
        let ranges = items(model, "/ranges");
        let range = ranges.iter().find(|range| text(range, "/name") == resource);
        range.and_then(|range| milli(text(range, "/min"))).unwrap_or(0)
    };
    let each = asked.iter().map(|(resource, amount)| least(resource) / amount);
    each.min().unwrap_or(PODS_PER_NODE).min(PODS_PER_NODE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster() -> Value {
        json!({
            "spec": {},
            "status": {"resourceSummary": {
                "allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110"},
                "allocated": {"cpu": "6", "memory": "8Gi", "pods": "10"},
                "allocating": {"cpu": "2", "memory": "1Gi", "pods": "1"},
            }},
        })
    }

    fn requirements() -> Value {
        json!({"resourceRequest": {"cpu": "500m", "memory": "1Gi"}})
    }

    #[test]
    fn the_summary_is_divided_by_what_a_replica_asks_for() {
        assert_eq!(room(&cluster(), Some(&requirements())), 16);
        assert_eq!(room(&cluster(), None), 99);
        assert_eq!(room(&json!({}), Some(&requirements())), 0);
    }

    #[test]
    fn models_count_each_node_at_the_least_of_its_grade() {
        let mut cluster = cluster();
        cluster["spec"]["resourceModels"] = json!([
            {"grade": 0, "ranges": [{"name": "cpu", "min": "0"}, {"name": "memory", "min": "0"}]},
            {"grade": 1, "ranges": [{"name": "cpu", "min": "1"}, {"name": "memory", "min": "4Gi"}]},
        ]);
        cluster["status"]["resourceSummary"]["allocatableModelings"] =
            json!([{"grade": 0, "count": 5}, {"grade": 1, "count": 3}]);
        assert_eq!(room(&cluster, Some(&requirements())), 6);
        let gpu = json!({"resourceRequest": {"nvidia.com/gpu": "1"}});
        assert_eq!(room(&cluster, Some(&gpu)), 0);
    }
}
