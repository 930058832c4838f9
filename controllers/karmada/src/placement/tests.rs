//! One cluster at a time against one rule at a time.

use serde_json::{Value, json};

use super::*;
use crate::types::ResourceBinding;

/// A binding of a Deployment that has replicas in `home`, with this placement.
fn binding(placement: &Value) -> Binding {
    let object: ResourceBinding = serde_json::from_value(json!({
        "metadata": {"name": "web-deployment", "namespace": "shop", "uid": "b-1", "resourceVersion": "41"},
        "spec": {
            "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "clusters": [{"name": "home", "replicas": 1}],
            "placement": placement,
            "gracefulEvictionTasks": [{"fromCluster": "leaving"}],
        },
        "status": {"schedulerObservingAffinityName": "second"},
    }))
    .unwrap();
    Binding::read(&object).unwrap()
}

fn cluster(name: &str, spec: &Value) -> Cluster {
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"env": "prod"}},
        "spec": spec,
        "status": {"apiEnablements": [
            {"groupVersion": "apps/v1", "resources": [{"name": "deployments", "kind": "Deployment"}]},
            {"groupVersion": "autoscaling/v2", "resources": [{"kind": "HorizontalPodAutoscaler"}]},
        ]},
    }))
    .unwrap()
}

fn judged(placement: &Value, cluster: &Cluster) -> Candidacy {
    candidates(&binding(placement), [cluster]).remove(&cluster.name_any()).unwrap()
}

fn plain(name: &str) -> Cluster {
    cluster(name, &json!({"provider": "cloud", "region": "eu", "zones": ["a", "b"]}))
}

fn is_selected(affinity: &Value) -> bool {
    let judged = judged(&json!({"clusterAffinity": affinity}), &plain("new"));
    assert!(matches!(judged, Candidacy::In | Candidacy::Out(Exclusion::Affinity)));
    judged == Candidacy::In
}

#[test]
fn without_an_affinity_every_cluster_may_be_used() {
    assert_eq!(judged(&json!({}), &plain("new")), Candidacy::In);
    assert!(is_selected(&json!({})));
}

#[test]
fn an_affinity_selects_by_names_labels_and_exclusion() {
    assert!(is_selected(&json!({"clusterNames": ["new"]})));
    assert!(!is_selected(&json!({"clusterNames": ["other"]})));
    assert!(!is_selected(&json!({"exclude": ["new"], "clusterNames": ["new"]})));
    assert!(is_selected(&json!({"labelSelector": {"matchLabels": {"env": "prod"}}})));
    assert!(!is_selected(&json!({"labelSelector": {"matchLabels": {"env": "test"}}})));
    let nonsense = json!({"matchExpressions": [{"key": "env", "operator": "Resembles", "values": ["prod"]}]});
    assert!(!is_selected(&json!({"labelSelector": nonsense})));
}

#[test]
fn an_affinity_selects_by_fields() {
    let by = |key: &str, operator: &str, values: &[&str]| {
        let expression = json!({"key": key, "operator": operator, "values": values});
        is_selected(&json!({"fieldSelector": {"matchExpressions": [expression]}}))
    };
    assert!(by("provider", "In", &["cloud", "other"]) && !by("provider", "In", &["other"]));
    assert!(by("region", "NotIn", &["us"]) && !by("region", "NotIn", &["eu"]));
    assert!(by("zone", "In", &["b"]) && !by("zone", "NotIn", &["a", "z"]) && by("zone", "NotIn", &["z"]));
    assert!(by("zone", "Exists", &[]) && !by("zone", "DoesNotExist", &[]));
    assert!(!by("region", "Gt", &["1"]) && !by("planet", "Exists", &[]));
}

#[test]
fn of_several_affinities_only_the_one_in_force_counts_with_its_overflow() {
    let terms = json!({"clusterAffinities": [
        {"affinityName": "first", "clusterNames": ["one"]},
        {"affinityName": "second", "clusterNames": ["two"],
         "overflowAffinities": [{"affinityName": "more", "clusterNames": ["three"]}]},
    ]});
    let judged = |name| judged(&terms, &plain(name));
    assert_eq!(judged("one"), Candidacy::Out(Exclusion::Affinity));
    assert_eq!((judged("two"), judged("three")), (Candidacy::In, Candidacy::In));
    let mut unscheduled = binding(&terms);
    unscheduled.affinity_in_force = None;
    assert_eq!(candidates(&unscheduled, [&plain("one")])["one"], Candidacy::In);
}

#[test]
fn a_taint_keeps_new_replicas_away_and_only_no_execute_drives_out_those_that_run() {
    let tainted = |name: &str, effect: &str| {
        cluster(name, &json!({"taints": [{"key": "k", "value": "v", "effect": effect}]}))
    };
    let out = |effect: &str| Candidacy::Out(Exclusion::Taint(format!("k=v:{effect}")));
    assert_eq!(judged(&json!({}), &tainted("new", "NoSchedule")), out("NoSchedule"));
    assert_eq!(judged(&json!({}), &tainted("home", "NoSchedule")), Candidacy::In);
    assert_eq!(judged(&json!({}), &tainted("home", "NoExecute")), out("NoExecute"));
    assert_eq!(judged(&json!({}), &tainted("new", "PreferNoSchedule")), Candidacy::In);
}

#[test]
fn a_taint_is_tolerated_by_key_value_and_effect() {
    let tainted = cluster("new", &json!({"taints": [{"key": "k", "value": "v", "effect": "NoExecute"}]}));
    let passes =
        |toleration: Value| judged(&json!({"clusterTolerations": [toleration]}), &tainted) == Candidacy::In;
    assert!(passes(json!({"operator": "Exists"})));
    assert!(passes(
        json!({"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30})
    ));
    assert!(passes(json!({"key": "k", "value": "v"})));
    assert!(!passes(json!({"key": "k", "value": "w"})));
    assert!(!passes(json!({"key": "j", "operator": "Exists"})));
    assert!(!passes(json!({"key": "k", "operator": "Exists", "effect": "NoSchedule"})));
    assert!(!passes(json!({"value": "v"})));
    assert!(!passes(json!({"key": "k", "operator": "Gt", "value": "1"})));
}

#[test]
fn a_cluster_that_cannot_have_the_workload_or_an_hpa_is_out_unless_it_runs_there() {
    let mut without_hpa = plain("new");
    without_hpa.status.api_enablements.pop();
    let out = Exclusion::Api("autoscaling/v2/HorizontalPodAutoscaler".to_owned());
    assert_eq!(judged(&json!({}), &without_hpa), Candidacy::Out(out));
    without_hpa.metadata.name = Some("home".to_owned());
    assert_eq!(judged(&json!({}), &without_hpa), Candidacy::In);
    let mut bare = plain("new");
    bare.status.api_enablements.clear();
    assert_eq!(judged(&json!({}), &bare), Candidacy::Out(Exclusion::Api("apps/v1/Deployment".to_owned())));
}

#[test]
fn a_cluster_that_is_leaving_is_out_first_of_all() {
    let mut deleting = plain("leaving");
    assert_eq!(judged(&json!({}), &deleting), Candidacy::Out(Exclusion::Evicting));
    deleting.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-05-01T10:00:00Z")).unwrap());
    assert_eq!(judged(&json!({}), &deleting), Candidacy::Out(Exclusion::Deleting));
}

#[test]
fn a_cluster_without_the_property_that_replicas_are_spread_by_is_out() {
    let spread = json!({"spreadConstraints": [{"spreadByField": "zone"}]});
    assert_eq!(judged(&spread, &plain("new")), Candidacy::In);
    let nowhere = cluster("new", &json!({}));
    assert_eq!(judged(&spread, &nowhere), Candidacy::Out(Exclusion::Spread("zone".to_owned())));
}

#[test]
fn the_limits_on_clusters_are_read_apart_from_those_on_other_groups() {
    let limits = |constraints: Value| {
        group_limits(&serde_json::from_value(json!({"spreadConstraints": constraints})).unwrap())
    };
    assert_eq!(limits(json!([])), GroupLimits { min: 1, max: None });
    let two = json!([
        {"spreadByField": "region", "minGroups": 5, "maxGroups": 6},
        {"spreadByField": "cluster", "minGroups": 2, "maxGroups": 3},
    ]);
    assert_eq!(limits(two), GroupLimits { min: 2, max: Some(3) });
    assert_eq!(limits(json!([{"minGroups": 2}])), GroupLimits { min: 2, max: None });
}

#[test]
fn the_answer_does_not_depend_on_the_order_of_the_clusters() {
    let (a, b) = (plain("a"), plain("b"));
    let binding = binding(&json!({}));
    assert_eq!(candidates(&binding, [&a, &b]), candidates(&binding, [&b, &a]));
}
