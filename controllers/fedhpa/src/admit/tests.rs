//! What is admitted and what is refused, on specs as the API server stores them.

use serde_json::{Value, json};

use super::*;

fn object(spec: &Value) -> FedHpa {
    serde_json::from_value(json!({
        "apiVersion": "autoscaling.fedscaler.io/v1alpha1", "kind": "FedHPA",
        "metadata": {"name": "web", "namespace": "default", "uid": "u-1", "generation": 3},
        "spec": spec,
    }))
    .unwrap()
}

fn spec(more: &Value) -> Value {
    let mut spec = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 6, "maxReplicas": 60,
    });
    for (field, value) in more.as_object().unwrap() {
        spec[field] = value.clone();
    }
    spec
}

#[test]
fn what_is_left_out_has_its_default() {
    let admitted = admit(&object(&spec(&json!({})))).unwrap();
    assert_eq!(admitted.policy.bounds, Bounds { min: 6, max: 60 });
    assert_eq!(admitted.policy.distribution.strategy, Strategy::Capacity);
    assert_eq!(admitted.policy.rebalance.cooldown, Duration::from_mins(5));
    assert_eq!(admitted.policy.write_back_interval, Duration::from_secs(15));
    assert_eq!(admitted.metrics.metrics[0]["resource"]["target"]["averageUtilization"], 80);
    assert_eq!((admitted.uid.as_str(), admitted.generation), ("u-1", 3));
}

#[test]
fn cluster_rules_keep_their_order_and_terms() {
    let clusters = json!([
        {"name": "a", "minReplicas": 2},
        {"selector": {"matchLabels": {"p": "cloud"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]},
         "tier": 1, "maxReplicas": 40, "elastic": true},
    ]);
    let admitted = admit(&object(&spec(&json!({"distribution": {"clusters": clusters}})))).unwrap();
    let [first, second] = admitted.policy.distribution.rules.as_slice() else { panic!("two rules") };
    assert_eq!((&first.selects, first.terms.floor), (&Selects::Name("a".into()), 2));
    let requirements =
        vec![Requirement::In("p".into(), vec!["cloud".into()]), Requirement::Exists("x".into())];
    assert_eq!(second.selects, Selects::Labels(requirements));
    assert_eq!((second.terms.tier, second.terms.cap, second.terms.elastic), (1, Some(40), true));
}

#[test]
fn what_the_schema_cannot_keep_out_is_refused_in_plain_words() {
    let refused = |more: &Value| admit(&object(&spec(more))).unwrap_err().to_string();
    assert_eq!(refused(&json!({"minReplicas": 61})), "minReplicas 61 is above maxReplicas 60");
    assert_eq!(refused(&json!({"maxReplicas": -1})), "maxReplicas: -1 is out of range; it must be 0 or more");
    let both = json!({"distribution": {"clusters": [{"name": "a", "selector": {}}]}});
    assert_eq!(refused(&both), "distribution.clusters[0]: give either name or selector");
    let near = json!({"distribution": {"clusters": [{"selector": {"matchExpressions": [{"key": "x", "operator": "Near"}]}}]}});
    assert!(refused(&near).contains("Near is no operator"), "{}", refused(&near));
}
