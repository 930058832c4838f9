//! Kinds, templates of all shapes, and the bodies of what is written.

use super::*;

fn web() -> Workload {
    let kind = WorkloadKind::known("apps/v1", "Deployment").unwrap();
    Workload { kind, namespace: "shop".to_owned(), name: "web".to_owned() }
}

fn template(metadata: &Value, spec: &Value) -> Template {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "d-1", "resourceVersion": "39"},
        "spec": spec,
    });
    object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    Template::read(&serde_json::from_value(object).unwrap()).unwrap()
}

fn served(names: &[(&str, &str)]) -> APIResourceList {
    let resources: Vec<_> = names
        .iter()
        .map(|(name, kind)| json!({"name": name, "kind": kind, "namespaced": true, "singularName": "", "verbs": []}))
        .collect();
    serde_json::from_value(json!({"groupVersion": "example.org/v1", "resources": resources})).unwrap()
}

#[test]
fn the_kinds_with_customizations_of_ours_are_known_without_asking() {
    for (api_version, kind, plural) in RETAINED {
        let known = WorkloadKind::known(api_version, kind).unwrap();
        assert_eq!((known.api_version(), known.kind()), (api_version, kind));
        assert_eq!((known.resource.plural.as_str(), known.retention()), (plural, Retention::Shipped));
    }
    assert_eq!(WorkloadKind::known("apps/v1", "CloneSet"), None);
}

#[test]
fn another_kind_is_taken_from_discovery_if_it_has_a_scale() {
    let list =
        served(&[("rollouts/scale", "Scale"), ("rollouts/status", "Rollout"), ("rollouts", "Rollout")]);
    let kind = WorkloadKind::among(&list, "example.org/v1", "Rollout").unwrap();
    assert_eq!((kind.resource.plural.as_str(), kind.resource.group.as_str()), ("rollouts", "example.org"));
    assert_eq!(kind.retention(), Retention::Unknown);
}

#[test]
fn a_kind_that_is_absent_or_has_no_scale_is_refused_in_plain_words() {
    let list = served(&[("rollouts", "Rollout")]);
    let words = |kind| WorkloadKind::among(&list, "example.org/v1", kind).unwrap_err().to_string();
    assert_eq!(words("Rollout"), "Rollout in example.org/v1 has no scale subresource");
    assert_eq!(words("Rolout"), "the API server serves no Rolout in example.org/v1");
}

#[test]
fn a_template_is_read_with_its_label_count_and_requests() {
    let container = json!({"name": "c", "resources": {"requests": {"cpu": "250m"}}});
    let spec = json!({"replicas": 0, "template": {"spec": {"containers": [container]}}});
    let read = template(&json!({"labels": {"autoscaling.fedscaler.io/retain-replicas": "true"}}), &spec);
    assert_eq!((read.replicas, read.retained), (Some(0), Retained::AboveZero));
    assert_eq!(read.requests.unwrap()["cpu"], 250);
}

#[test]
fn a_label_with_another_value_retains_nothing() {
    let read =
        template(&json!({"labels": {"autoscaling.fedscaler.io/retain-replicas": "false"}}), &json!({}));
    assert_eq!((read.replicas, read.retained), (None, Retained::No));
    assert_eq!(read.requests.unwrap_err().to_string(), "the template has no spec.template.spec");
}

#[test]
fn what_marks_a_template_carries_its_uid_and_version_and_what_unmarks_it_names_no_label() {
    let template = template(&json!({}), &json!({}));
    let mut expected = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "d-1", "resourceVersion": "39"},
    });
    assert_eq!(mark_body(&web(), &template, Retained::No), expected);
    expected["metadata"]["labels"] = json!({"autoscaling.fedscaler.io/retain-replicas": "true"});
    assert_eq!(mark_body(&web(), &template, Retained::AboveZero), expected);
    expected["metadata"]["annotations"] = json!({"autoscaling.fedscaler.io/scales-to-zero": "true"});
    assert_eq!(mark_body(&web(), &template, Retained::ZeroToo), expected);
}

#[test]
fn the_scale_is_written_against_the_version_it_was_decided_on() {
    let expected = json!({"metadata": {"resourceVersion": "39"}, "spec": {"replicas": 0}});
    assert_eq!(scale_patch("39", 0), expected);
}

#[test]
fn a_scale_without_a_count_stands_at_zero_and_one_without_a_version_is_refused() {
    let scale = |metadata: Value| {
        ScaleReading::read(&serde_json::from_value(json!({"metadata": metadata, "spec": {}})).unwrap())
    };
    let read = scale(json!({"uid": "d-1", "resourceVersion": "40"})).unwrap();
    assert_eq!((read.replicas, read.resource_version.as_str()), (0, "40"));
    assert!(scale(json!({"uid": "d-1"})).is_err());
}

#[test]
fn the_binding_and_the_works_of_a_workload_are_found_by_name() {
    assert_eq!(
        (web().binding_name().as_str(), web().to_string().as_str()),
        ("web-deployment", "Deployment shop/web")
    );
    assert_eq!(web().work_name(), names::work_name("Deployment", "web", "shop"));
}
