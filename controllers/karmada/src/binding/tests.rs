//! Reading bindings of all shapes, and the bodies of what is written.

use super::*;

fn object(spec: &Value) -> ResourceBinding {
    serde_json::from_value(json!({
        "metadata": {
            "name": "web-deployment", "namespace": "shop", "uid": "b-1", "resourceVersion": "41", "generation": 7,
        },
        "spec": spec,
        "status": {
            "schedulerObservedGeneration": 6, "schedulerObservingAffinityName": "near",
            "lastScheduledTime": "2026-05-01T10:00:00Z",
        },
    }))
    .unwrap()
}

fn read(spec: &Value) -> Binding {
    Binding::read(&object(spec)).unwrap()
}

fn counts(of: &[(&str, u32)]) -> Counts {
    Counts::new(of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
}

#[test]
fn a_whole_binding_is_read_with_the_names_that_are_on_the_wire() {
    let binding = read(&json!({
        "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web", "uid": "d-1", "resourceVersion": "39"},
        "replicas": 6,
        "replicaRequirements": {"resourceRequest": {"cpu": "1500u", "memory": "1Gi"}},
        "clusters": [{"name": "m2", "replicas": 1}, {"name": "m1", "replicas": 5}],
        "placement": {"replicaScheduling": {"replicaSchedulingType": "Divided"}},
        "gracefulEvictionTasks": [{"fromCluster": "m3", "reason": "TaintUntolerated", "producer": "TaintManager"}],
        "failover": {"application": {"decisionConditions": {"tolerationSeconds": 300}}},
    }));
    assert_eq!(binding.clusters, *counts(&[("m1", 5), ("m2", 1)]).by_cluster());
    assert_eq!((binding.replicas, binding.generation, binding.scheduler_observed_generation), (6, 7, 6));
    assert_eq!(binding.template_uid.as_deref(), Some("d-1"));
    assert_eq!(binding.template_resource_version.as_deref(), Some("39"));
    assert_eq!(binding.affinity_in_force.as_deref(), Some("near"));
    assert_eq!(binding.division, Division::Divided);
    assert_eq!(binding.evicting, BTreeSet::from(["m3".to_owned()]));
    assert!(binding.last_scheduled.is_some() && binding.fails_over_applications && binding.adds_up());
    let requests = binding.requests.unwrap();
    assert_eq!((requests["cpu"], requests["memory"]), (2, 1 << 30));
}

#[test]
fn absent_replicas_are_zero_because_that_is_how_zero_is_written() {
    let binding = read(&json!({"clusters": [{"name": "m1"}, {"name": "m2"}]}));
    assert_eq!(binding.replicas, 0);
    assert!(binding.states(&counts(&[("m1", 0), ("m2", 0)])));
    assert!(!binding.states(&counts(&[("m1", 0)])));
}

#[test]
fn replicas_are_divided_only_where_the_placement_says_how() {
    let placed = |placement: Value| read(&json!({"placement": placement})).division;
    assert_eq!(read(&json!({})).division, Division::Duplicated);
    assert_eq!(placed(json!({})), Division::Duplicated);
    assert_eq!(placed(json!({"replicaScheduling": {}})), Division::Divided);
    let duplicated = json!({"replicaScheduling": {"replicaSchedulingType": "Duplicated"}});
    assert_eq!(placed(duplicated), Division::Duplicated);
    let of_parts = json!({"components": [{"name": "jobmanager"}], "placement": {"replicaScheduling": {}}});
    assert_eq!(read(&of_parts).division, Division::Components);
}

#[test]
fn a_suspension_is_ours_only_with_our_annotation() {
    let mut object = object(&json!({"suspension": {"scheduling": true}}));
    assert_eq!(Binding::read(&object).unwrap().scheduling, Scheduling::HeldByOther);
    object.metadata.annotations = Some(BTreeMap::from([(HOLDS_SCHEDULING.to_owned(), "f-1".to_owned())]));
    let held = Binding::read(&object).unwrap();
    assert_eq!((held.scheduling, held.holder.as_deref()), (Scheduling::HeldByUs, Some("f-1")));
    object.spec.suspension = None;
    assert_eq!(Binding::read(&object).unwrap().scheduling, Scheduling::Free);
}

#[test]
fn a_sum_that_disagrees_with_its_clusters_is_noticed() {
    assert!(!read(&json!({"replicas": 4, "clusters": [{"name": "m1", "replicas": 5}]})).adds_up());
}

#[test]
fn a_binding_without_a_resource_version_cannot_be_written_and_is_refused() {
    let error = Binding::read(&ResourceBinding::default()).unwrap_err();
    assert_eq!(error.to_string(), "ResourceBinding has no metadata.namespace");
}

#[test]
fn a_request_that_is_no_quantity_is_refused_and_not_read_as_nothing() {
    let error = Binding::read(&object(&json!({"replicaRequirements": {"resourceRequest": {"cpu": "much"}}})));
    assert_eq!(
        error.unwrap_err().to_string(),
        "spec.replicaRequirements.resourceRequest: \"much\" is not a quantity"
    );
}

#[test]
fn the_counts_and_their_sum_are_one_patch_that_names_zeros_and_the_version() {
    assert_eq!(
        counts_patch("41", &counts(&[("m2", 0), ("m1", 5)])),
        json!({
            "metadata": {"resourceVersion": "41"},
            "spec": {
                "replicas": 5,
                "clusters": [{"name": "m1", "replicas": 5}, {"name": "m2", "replicas": 0}],
            },
        })
    );
}

#[test]
fn holding_and_resuming_touch_nothing_but_the_suspension_and_its_mark() {
    let hold = json!({
        "metadata": {"resourceVersion": "41", "annotations": {"autoscaling.fedscaler.io/holds-scheduling": "f-1"}},
        "spec": {"suspension": {"scheduling": true}},
    });
    assert_eq!(hold_patch("41", "f-1"), hold);
    let resume = json!({
        "metadata": {"resourceVersion": "42", "annotations": {"autoscaling.fedscaler.io/holds-scheduling": null}},
        "spec": {"suspension": {"scheduling": null}},
    });
    assert_eq!(resume_patch("42"), resume);
}
