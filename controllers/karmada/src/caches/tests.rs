//! Lookups over a few objects, and what pruning leaves.

use chrono::DateTime;
use fedscaler_core::reading::Reading;
use serde_json::json;

use super::*;
use crate::{freshness::Health, template::WorkloadKind, workload::MemberWorkload};

fn web() -> Workload {
    let kind = WorkloadKind::known("apps/v1", "Deployment").unwrap();
    Workload { kind, namespace: "shop".to_owned(), name: "web".to_owned() }
}

fn cluster(name: &str) -> Cluster {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

fn work(cluster: &str, name: &str, owner: Option<&str>) -> Work {
    let labels = owner.map(|owner| json!({OWNER_UID: owner})).unwrap_or_default();
    serde_json::from_value(json!({
        "metadata": {
            "name": name, "namespace": names::execution_namespace(cluster), "labels": labels,
            "annotations": {FEDHPA: "shop/web-scaler", "binding": "whatever"},
        },
        "spec": {"workload": {"manifests": [{
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "labels": {RETAIN_REPLICAS: "true", "app": "web"}},
            "spec": {"replicas": 3, "template": {"spec": {"containers": []}}},
        }]}},
        "status": {"manifestStatuses": [{"status": {"generation": 2, "availableReplicas": 0}}]},
    }))
    .unwrap()
}

fn view() -> View {
    let ours = names::work_name(HPA_KIND, "web", "shop");
    let old = names::work_name(HPA_KIND, "old", "shop");
    View {
        clusters: [cluster("m2"), cluster("m1")].into_iter().collect(),
        bindings: [serde_json::from_value(json!({
            "metadata": {"name": "web-deployment", "namespace": "shop"},
            "spec": {"resource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
        }))
        .unwrap()]
        .into_iter()
        .collect(),
        hpa_works: [
            work("m1", &ours, Some("f-1")),
            work("gone", &old, Some("f-1")),
            work("m2", &ours, Some("f-2")),
        ]
        .into_iter()
        .collect(),
        workload_works: [work("m1", &web().work_name(), None), work("m2", &ours, None)].into_iter().collect(),
        customizations: std::iter::empty().collect(),
        ..View::default()
    }
}

#[test]
fn everything_about_a_workload_is_found_by_name() {
    let view = view();
    assert!(view.is_synced());
    assert_eq!(subject_of_binding(&view.binding(&web()).unwrap()), Subject::from(&web()));
    let clusters = |works: BTreeMap<String, Arc<Work>>| works.into_keys().collect::<Vec<_>>();
    assert_eq!(clusters(view.workload_works(&web())), ["m1"]);
    assert_eq!(clusters(view.hpa_works("shop", "web")), ["m1", "m2"]);
    assert_eq!(clusters(view.foreign_hpa_works("shop", "web")), ["m2"]);
    assert!(view.cluster("m1").is_some() && view.cluster("gone").is_none());
}

#[test]
fn works_of_an_owner_are_found_under_old_names_and_in_clusters_that_are_gone() {
    let owned = view().works_owned_by("f-1");
    assert_eq!(owned.keys().collect::<Vec<_>>(), ["gone", "m1"]);
}

#[test]
fn a_work_leads_to_its_subject_and_to_its_fedhpa() {
    let work = work("m1", "any", None);
    assert_eq!(subject_of_work(&work), Some(Subject::from(&web())));
    assert_eq!(owner_of_work(&work), Some(ObjectKey::within("shop", "web-scaler")));
    assert_eq!((subject_of_work(&Work::default()), owner_of_work(&Work::default())), (None, None));
}

#[test]
fn pruning_drops_the_bulk_but_nothing_that_is_read() {
    let mut pruned = work("m1", &web().work_name(), None);
    let read = |work: &Work| MemberWorkload::read(work, Health::Ready, DateTime::UNIX_EPOCH);
    let before = read(&pruned);
    prune_workload_work(&mut pruned);
    assert_eq!(read(&pruned), before);
    assert!(matches!(before.counts, Reading::Fresh(_)));
    assert_eq!(
        pruned.spec.workload.manifests[0],
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "labels": {RETAIN_REPLICAS: "true"}},
            "spec": {"replicas": 3},
        })
    );
    assert!(pruned.annotations().is_empty());
}

#[test]
fn a_pruned_binding_still_says_who_holds_it() {
    let mut binding: ResourceBinding = serde_json::from_value(json!({"metadata": {"annotations": {
        HOLDS_SCHEDULING: "f-1", "policy.karmada.io/applied-placement": "{}",
    }}}))
    .unwrap();
    prune_binding(&mut binding);
    assert_eq!(binding.annotations().keys().collect::<Vec<_>>(), [HOLDS_SCHEDULING]);
}

fn federated<K: serde::de::DeserializeOwned>(name: &str, kind: &str, target: &str) -> K {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"scaleTargetRef": {"apiVersion": "any/v1", "kind": kind, "name": target}},
    }))
    .unwrap()
}

#[test]
fn karmadas_own_autoscalers_on_the_workload_are_rivals_and_no_others() {
    let view = View {
        federated_hpas: [
            federated("central", "Deployment", "web"),
            federated("elsewhere", "Deployment", "api"),
        ]
        .into_iter()
        .collect(),
        cron_federated_hpas: [
            federated("direct", "Deployment", "web"),
            federated("indirect", "FederatedHPA", "central"),
            federated("other", "FederatedHPA", "elsewhere"),
        ]
        .into_iter()
        .collect(),
        ..view()
    };
    let rivals = view.federated_rivals(&web());
    let named = ["FederatedHPA central", "CronFederatedHPA direct", "CronFederatedHPA indirect"];
    assert_eq!(rivals.len(), named.len(), "{rivals:?}");
    assert!(rivals.iter().zip(named).all(|(rival, name)| rival.contains(name)), "{rivals:?}");
}

#[test]
fn what_is_held_is_found_by_held_bindings_and_by_hpas() {
    let mut held: ResourceBinding = serde_json::from_value(json!({
        "metadata": {"name": "api-deployment", "namespace": "shop", "annotations": {HOLDS_SCHEDULING: "f-1"}},
        "spec": {"resource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}},
    }))
    .unwrap();
    prune_binding(&mut held);
    let mut hpa = work("gone", "any", Some("f-1"));
    hpa.spec.workload.manifests[0]["spec"] =
        json!({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "old"}});
    let view = View {
        bindings: [held].into_iter().collect(),
        hpa_works: [hpa, work("m2", "other", Some("f-2"))].into_iter().collect(),
        ..view()
    };
    let found = view.held_for("shop", "f-1");
    let names: Vec<_> = found.iter().map(|subject| (subject.kind.as_str(), subject.name.as_str())).collect();
    assert_eq!(names, [("Deployment", "api"), ("StatefulSet", "old")]);
    assert!(view.held_for("shop", "f-3").is_empty());
}
