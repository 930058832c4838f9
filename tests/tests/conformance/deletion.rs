//! Deletion: what it answers, what holds it, what it may be made to depend on.

use http::Method;
use serde_json::{Value, json};

use crate::{
    bodies::{MAPS, map, widget, with_widgets},
    case::cases,
    server::{JSON, Server, text, version},
};

cases! { ApiServer:
    a_deletion_says_what_is_gone,
    finalizers_hold_an_object_that_is_asked_to_go,
    an_object_on_its_way_out_takes_no_new_finalizers,
    an_object_on_its_way_out_can_still_be_changed,
    asking_again_changes_nothing,
    a_deletion_can_be_made_to_depend_on_identity_and_version,
    the_body_of_a_deletion_goes_before_its_query,
    a_collection_is_deleted_by_selector,
    deleting_moves_the_generation_of_what_has_one,
    unknown_propagation_is_refused,
}

fn held(name: &str) -> Value {
    let mut map = map(name, &[]);
    map["metadata"]["finalizers"] = json!(["example.com/one", "example.com/two"]);
    map
}

async fn a_deletion_says_what_is_gone(server: &Server) {
    let maps = server.path(MAPS);
    let made = server.post(&maps, map("one", &[])).await.created();
    let gone = server.delete(&format!("{maps}/one"), json!({})).await.ok();
    assert_eq!((&gone["kind"], &gone["status"]), (&json!("Status"), &json!("Success")));
    assert_eq!(gone["details"], json!({"name": "one", "kind": "configmaps", "uid": made["metadata"]["uid"]}));
    server.get(&format!("{maps}/one")).await.refused(404, "NotFound");
    let again = server.post(&maps, map("one", &[])).await.created();
    assert_ne!(again["metadata"]["uid"], made["metadata"]["uid"]);
}

async fn finalizers_hold_an_object_that_is_asked_to_go(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, held("one")).await.created();
    let path = format!("{maps}/one");
    let leaving = server.delete(&path, json!({})).await.ok();
    assert_eq!(leaving["kind"], "ConfigMap");
    assert!(leaving["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(leaving["metadata"]["deletionGracePeriodSeconds"], 0);
    let one = server.merge(&path, json!({"metadata": {"finalizers": ["example.com/two"]}})).await.ok();
    assert_eq!(one["metadata"]["finalizers"], json!(["example.com/two"]));
    server.get(&path).await.ok();
    server.merge(&path, json!({"metadata": {"finalizers": []}})).await.ok();
    server.get(&path).await.refused(404, "NotFound");
}

async fn an_object_on_its_way_out_takes_no_new_finalizers(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, held("one")).await.created();
    let path = format!("{maps}/one");
    server.delete(&path, json!({})).await.ok();
    let more = json!({"metadata": {"finalizers": ["example.com/one", "example.com/three"]}});
    let says = [
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"example.com/three\"}",
    ];
    server.merge(&path, more).await.refused_with(422, "Invalid", &says);
}

async fn an_object_on_its_way_out_can_still_be_changed(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, held("one")).await.created();
    let path = format!("{maps}/one");
    let leaving = server.delete(&path, json!({})).await.ok();
    let changed = server
        .merge(&path, json!({"data": {"key": "last words"}, "metadata": {"deletionTimestamp": null}}))
        .await
        .ok();
    assert_eq!(changed["data"]["key"], "last words");
    assert_eq!(changed["metadata"]["deletionTimestamp"], leaving["metadata"]["deletionTimestamp"]);
}

async fn asking_again_changes_nothing(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, held("one")).await.created();
    let path = format!("{maps}/one");
    let first = server.delete(&path, json!({})).await.ok();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(server.delete(&path, json!({})).await.ok(), first);
}

async fn a_deletion_can_be_made_to_depend_on_identity_and_version(server: &Server) {
    let maps = server.path(MAPS);
    let made = server.post(&maps, map("one", &[])).await.created();
    let path = format!("{maps}/one");
    let uid = text(&made["metadata"]["uid"]);
    let wrong = json!({"preconditions": {"uid": "11111111-2222-4333-8444-555555555555"}});
    let says = format!(
        "the UID in the precondition (11111111-2222-4333-8444-555555555555) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
    );
    server.delete(&path, wrong).await.refused_with(409, "Conflict", &[&says]);
    let changed = server.merge(&path, json!({"data": {"key": "new"}})).await.ok();
    let old = json!({"preconditions": {"uid": uid, "resourceVersion": version(&made)}});
    let says = format!(
        "the ResourceVersion in the precondition ({}) does not match the ResourceVersion in record ({}). The object might have been modified",
        version(&made),
        version(&changed)
    );
    server.delete(&path, old).await.refused_with(409, "Conflict", &[&says]);
    let present = json!({"preconditions": {"uid": uid, "resourceVersion": version(&changed)}});
    server.delete(&path, present).await.ok();
    server.get(&path).await.refused(404, "NotFound");
}

async fn the_body_of_a_deletion_goes_before_its_query(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, map("one", &[])).await.created();
    let path = format!("{maps}/one?dryRun=All");
    server.call(Method::DELETE, &path, JSON, "").await.ok();
    server.get(&format!("{maps}/one")).await.ok();
    // Options in the body are all the options there are.
    server.delete(&path, json!({"kind": "DeleteOptions", "apiVersion": "v1"})).await.ok();
    server.get(&format!("{maps}/one")).await.refused(404, "NotFound");
}

async fn a_collection_is_deleted_by_selector(server: &Server) {
    let maps = server.path(MAPS);
    for (name, tier) in [("a", "web"), ("b", "db"), ("c", "web")] {
        server.post(&maps, map(name, &[("tier", tier)])).await.created();
    }
    let gone = server.delete(&format!("{maps}?labelSelector=case%3Dmine,tier%3Dweb"), json!({})).await.ok();
    assert_eq!(gone["kind"], "ConfigMapList");
    assert_eq!(server.get(&format!("{maps}?labelSelector=case%3Dmine")).await.names(), ["b"]);
}

async fn deleting_moves_the_generation_of_what_has_one(server: &Server) {
    let widgets = with_widgets(server).await;
    let mut held = widget(server, "w", &json!({"max": 1}));
    held["metadata"]["finalizers"] = json!(["example.com/one"]);
    server.post(&widgets, held).await.created();
    let path = format!("{widgets}/w");
    let leaving = server.delete(&path, json!({})).await.ok();
    assert_eq!(leaving["metadata"]["generation"], 2);
    server.merge(&path, json!({"metadata": {"finalizers": null}})).await.ok();
    server.get(&path).await.refused(404, "NotFound");
}

async fn unknown_propagation_is_refused(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, map("one", &[])).await.created();
    let refused = server.delete(&format!("{maps}/one"), json!({"propagationPolicy": "Sideways"})).await;
    refused.refused_with(422, "Invalid", &["propagationPolicy: Unsupported value: \"Sideways\""]);
    server.get(&format!("{maps}/one")).await.ok();
}
