//! What is installed into the Karmada API server agrees with what the code expects to find there.

use std::{collections::BTreeSet, fs, path::PathBuf};

use crate::{
    labels::{KARMADA_RETAIN_REPLICAS, OWNER_UID, RETAIN_REPLICAS, SCALES_TO_ZERO},
    template::{Retention, WorkloadKind},
};
use serde_json::Value;

fn deployed(path: &str) -> Vec<Value> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/karmada").join(path);
    serde_saphyr::from_multiple(&fs::read_to_string(file).unwrap()).unwrap()
}

fn resources() -> BTreeSet<String> {
    let listed = deployed("kustomization.yaml").remove(0)["resources"].take();
    serde_json::from_value(listed).unwrap()
}

fn customizations() -> Vec<Value> {
    let files = resources().into_iter().filter(|path| path.starts_with("customizations/"));
    files.flat_map(|path| deployed(&path)).collect()
}

fn target(customization: &Value) -> (&str, &str) {
    let target = &customization["spec"]["target"];
    (target["apiVersion"].as_str().unwrap(), target["kind"].as_str().unwrap())
}

/// The script of the only operation that a customization is about, and that operation's name.
fn script(customization: &Value) -> (&str, &str) {
    let operations = customization["spec"]["customizations"].as_object().unwrap();
    assert_eq!(operations.len(), 1, "one operation each: the rest stays Karmada's");
    let (operation, rule) = operations.iter().next().unwrap();
    (operation, rule["luaScript"].as_str().unwrap())
}

fn retentions() -> Vec<Value> {
    customizations().into_iter().filter(|it| script(it).0 == "retention").collect()
}

#[test]
fn every_file_here_is_installed() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/karmada/customizations");
    let there = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for file in there {
        assert!(resources().contains(&format!("customizations/{file}")), "{file}");
    }
}

#[test]
fn each_kind_that_counts_as_retained_has_a_customization_and_no_other_has() {
    assert_eq!(retentions().len(), 4);
    for customization in retentions() {
        let (api_version, kind) = target(&customization);
        let known = WorkloadKind::known(api_version, kind).unwrap();
        assert_eq!(known.retention(), Retention::Shipped);
    }
}

#[test]
fn retention_asks_for_our_label_and_for_karmadas_own_only_where_karmada_does() {
    for customization in retentions() {
        let (_, script) = script(&customization);
        assert!(script.contains(&format!("\"{RETAIN_REPLICAS}\"")));
        assert!(script.contains(&format!("\"{SCALES_TO_ZERO}\"")));
        let is_deployment = target(&customization) == ("apps/v1", "Deployment");
        assert_eq!(script.contains(KARMADA_RETAIN_REPLICAS), is_deployment);
    }
}

#[test]
fn the_reflection_of_hpas_tells_more_of_ours_than_of_others_and_names_what_is_read() {
    let all = customizations();
    let reflection =
        all.iter().find(|it| target(it) == ("autoscaling/v2", "HorizontalPodAutoscaler")).unwrap();
    let (operation, script) = script(reflection);
    assert_eq!(operation, "statusReflection");
    let for_all = script.split(&format!("labels[\"{OWNER_UID}\"] == nil")).next().unwrap();
    for field in ["currentReplicas", "desiredReplicas"] {
        assert!(for_all.contains(&format!("status.{field} = observedObj.status.{field}")), "{field}");
    }
    for field in ["minReplicas", "maxReplicas", "conditions"] {
        assert!(!for_all.contains(&format!("status.{field} =")), "{field} is for ours only");
        assert!(script.contains(&format!("status.{field} =")), "{field}");
    }
    assert!(!script.contains("lastTransitionTime") && !script.contains("currentMetrics"));
}

#[test]
fn no_rule_grants_everything_and_nothing_of_karmadas_can_be_deleted_but_works() {
    let documents = deployed("rbac.yaml");
    let rules = documents.iter().filter_map(|it| it["rules"].as_array()).flatten();
    for rule in rules {
        let text = rule.to_string();
        assert!(!text.contains('*') && !text.contains("secrets") && !text.contains("proxy"), "{text}");
        let deletes = rule["verbs"].as_array().unwrap().iter().any(|verb| verb == "delete");
        assert!(!deletes || rule["resources"] == serde_json::json!(["works"]), "{text}");
    }
}

#[test]
fn the_namespace_of_the_controllers_is_not_made_in_members() {
    let namespace = deployed("namespace.yaml").remove(0);
    assert_eq!(namespace["metadata"]["labels"]["namespace.karmada.io/skip-auto-propagation"], "true");
}
