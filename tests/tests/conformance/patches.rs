//! Patches: merge, JSON and strategic.

use http::Method;
use serde_json::{Value, json};

use crate::{
    bodies::{DEPLOYMENTS, MAPS, deployment, map, widget, with_widgets},
    case::cases,
    server::{JSON_PATCH, MERGE, STRATEGIC, Server, version},
};

cases! { ApiServer:
    a_merge_patch_sets_and_unsets,
    a_merge_patch_replaces_lists,
    a_patch_with_a_version_is_a_conflict_unless_it_is_the_present_one,
    a_json_patch_does_its_steps_in_order,
    a_json_patch_whose_test_fails_changes_nothing,
    a_json_patch_of_what_is_not_there_is_refused,
    a_json_patch_may_replace_a_field_that_is_not_there_and_test_that_it_is_not,
    a_strategic_patch_merges_lists_by_their_keys,
    a_strategic_patch_deletes_and_replaces_by_directive,
    a_strategic_patch_sets_and_unsets_conditions_by_type,
    custom_resources_take_no_strategic_patch,
    unknown_kinds_of_patches_are_refused,
    what_is_no_patch_is_refused,
    a_patch_cannot_rename_or_move,
    a_patch_is_judged_as_a_whole_object,
}

async fn made(server: &Server, object: Value, of: &str) -> (Value, String) {
    let made = server.post(&server.path(of), object).await.created();
    let path = format!("{}/{}", server.path(of), made["metadata"]["name"].as_str().unwrap());
    (made, path)
}

async fn a_merge_patch_sets_and_unsets(server: &Server) {
    let (_, path) = made(server, map("one", &[("a", "1")]), MAPS).await;
    let change = json!({"data": {"key": null, "other": "x"}, "metadata": {"labels": {"a": null, "b": "2"}, "annotations": {"c": "3"}}});
    let changed = server.merge(&path, change).await.ok();
    assert_eq!(changed["data"], json!({"other": "x"}));
    assert_eq!(changed["metadata"]["labels"], json!({"b": "2", "case": "mine"}));
    assert_eq!(changed["metadata"]["annotations"], json!({"c": "3"}));
    let emptied = server.merge(&path, json!({"data": null, "metadata": {"annotations": null}})).await.ok();
    assert_eq!((emptied.get("data"), emptied["metadata"].get("annotations")), (None, None));
}

async fn a_merge_patch_replaces_lists(server: &Server) {
    let (_, path) = made(server, deployment("web"), DEPLOYMENTS).await;
    let containers = json!([{"name": "other", "image": "registry.example.com/other:1"}]);
    let changed =
        server.merge(&path, json!({"spec": {"template": {"spec": {"containers": containers}}}})).await.ok();
    let containers = changed["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    assert_eq!((containers.len(), &containers[0]["name"]), (1, &json!("other")));
}

async fn a_patch_with_a_version_is_a_conflict_unless_it_is_the_present_one(server: &Server) {
    let (made, path) = made(server, map("one", &[]), MAPS).await;
    let change = |version: &str, value: &str| json!({"metadata": {"resourceVersion": version}, "data": {"key": value}});
    let changed = server.merge(&path, change(&version(&made), "new")).await.ok();
    assert_eq!(changed["data"]["key"], "new");
    let says = ["Operation cannot be fulfilled on configmaps \"one\": the object has been modified"];
    server.merge(&path, change(&version(&made), "late")).await.refused_with(409, "Conflict", &says);
    let same = server.merge(&path, change(&version(&changed), "new")).await.ok();
    assert_eq!(version(&same), version(&changed));
}

async fn a_json_patch_does_its_steps_in_order(server: &Server) {
    let (_, path) = made(server, map("one", &[]), MAPS).await;
    let steps = json!([
        {"op": "test", "path": "/data/key", "value": "value"},
        {"op": "add", "path": "/metadata/annotations", "value": {"x": "y"}},
        {"op": "add", "path": "/metadata/annotations/example.com~1a", "value": "slash"},
        {"op": "replace", "path": "/data/key", "value": "new"},
        {"op": "copy", "from": "/data/key", "path": "/data/copy"},
        {"op": "move", "from": "/data/copy", "path": "/data/moved"},
        {"op": "remove", "path": "/data/key"},
    ]);
    let changed = server.patch(&path, JSON_PATCH, steps).await.ok();
    assert_eq!(changed["data"], json!({"moved": "new"}));
    assert_eq!(changed["metadata"]["annotations"], json!({"x": "y", "example.com/a": "slash"}));
}

async fn a_json_patch_whose_test_fails_changes_nothing(server: &Server) {
    let (made, path) = made(server, map("one", &[]), MAPS).await;
    let steps = json!([
        {"op": "replace", "path": "/data/key", "value": "new"},
        {"op": "test", "path": "/data/key", "value": "value"},
    ]);
    server.patch(&path, JSON_PATCH, steps).await.refused(422, "Invalid");
    assert_eq!(server.get(&path).await.ok(), made);
}

async fn a_json_patch_of_what_is_not_there_is_refused(server: &Server) {
    let (_, path) = made(server, map("one", &[]), MAPS).await;
    for step in [
        json!({"op": "remove", "path": "/data/none"}),
        json!({"op": "add", "path": "/metadata/annotations/x", "value": "y"}),
        json!({"op": "replace", "path": "/metadata/none/deeper", "value": "y"}),
        json!({"op": "test", "path": "/metadata/none/deeper", "value": null}),
    ] {
        server.patch(&path, JSON_PATCH, json!([step])).await.refused(422, "Invalid");
    }
}

async fn a_json_patch_may_replace_a_field_that_is_not_there_and_test_that_it_is_not(server: &Server) {
    let (_, path) = made(server, map("one", &[]), MAPS).await;
    let steps = json!([
        {"op": "test", "path": "/metadata/finalizers", "value": null},
        {"op": "add", "path": "/metadata/finalizers", "value": ["example.com/a"]},
        {"op": "replace", "path": "/data/other", "value": "x"},
    ]);
    let changed = server.patch(&path, JSON_PATCH, steps).await.ok();
    assert_eq!(changed["metadata"]["finalizers"], json!(["example.com/a"]));
    assert_eq!(changed["data"], json!({"key": "value", "other": "x"}));
    let steps = json!([{"op": "test", "path": "/metadata/finalizers", "value": null}]);
    server.patch(&path, JSON_PATCH, steps).await.refused(422, "Invalid");
    server.merge(&path, json!({"metadata": {"finalizers": null}})).await.ok();
}

async fn a_strategic_patch_merges_lists_by_their_keys(server: &Server) {
    let (_, path) = made(server, deployment("web"), DEPLOYMENTS).await;
    let pod = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    let side =
        json!({"name": "side", "image": "registry.example.com/side:1", "env": [{"name": "A", "value": "1"}]});
    server.patch(&path, STRATEGIC, pod(json!({"containers": [side]}))).await.ok();
    let more = json!({"containers": [{"name": "side", "env": [{"name": "B", "value": "2"}]}, {"name": "main", "image": "registry.example.com/main:2"}]});
    let changed = server.patch(&path, STRATEGIC, pod(more)).await.ok();
    let containers = changed["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let find = |name: &str| containers.iter().find(|container| container["name"] == name).unwrap();
    assert_eq!((containers.len(), &find("main")["image"]), (2, &json!("registry.example.com/main:2")));
    assert_eq!(find("side")["image"], "registry.example.com/side:1");
    let mut env = find("side")["env"].as_array().unwrap().clone();
    env.sort_by_key(ToString::to_string);
    assert_eq!(env, [json!({"name": "A", "value": "1"}), json!({"name": "B", "value": "2"})]);
}

async fn a_strategic_patch_deletes_and_replaces_by_directive(server: &Server) {
    let (_, path) = made(server, deployment("web"), DEPLOYMENTS).await;
    let pod = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    let side = json!({"name": "side", "image": "registry.example.com/side:1"});
    server.patch(&path, STRATEGIC, pod(json!({"containers": [side]}))).await.ok();
    let gone = json!({"containers": [{"name": "main", "$patch": "delete"}]});
    let left = server.patch(&path, STRATEGIC, pod(gone)).await.ok();
    let containers = left["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    assert_eq!((containers.len(), &containers[0]["name"]), (1, &json!("side")));
    let other = json!({"containers": [{"$patch": "replace"}, {"name": "other", "image": "registry.example.com/other:1"}]});
    let replaced = server.patch(&path, STRATEGIC, pod(other)).await.ok();
    let containers = replaced["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    assert_eq!((containers.len(), &containers[0]["name"]), (1, &json!("other")));
}

async fn a_strategic_patch_sets_and_unsets_conditions_by_type(server: &Server) {
    let (_, path) = made(server, deployment("web"), DEPLOYMENTS).await;
    let status = format!("{path}/status");
    let condition =
        |kind: &str, value: &str| json!({"status": {"conditions": [{"type": kind, "status": value}]}});
    server.patch(&status, STRATEGIC, condition("One", "True")).await.ok();
    server.patch(&status, STRATEGIC, condition("Two", "True")).await.ok();
    let changed = server.patch(&status, STRATEGIC, condition("One", "False")).await.ok();
    let conditions = changed["status"]["conditions"].as_array().unwrap();
    let state =
        |kind: &str| &conditions.iter().find(|condition| condition["type"] == kind).unwrap()["status"];
    assert_eq!((state("One"), state("Two")), (&json!("False"), &json!("True")));
}

async fn custom_resources_take_no_strategic_patch(server: &Server) {
    let widgets = with_widgets(server).await;
    server.post(&widgets, widget(server, "w", &json!({"max": 1}))).await.created();
    let path = format!("{widgets}/w");
    server.patch(&path, STRATEGIC, json!({"spec": {"max": 2}})).await.refused(415, "UnsupportedMediaType");
    assert_eq!(server.patch(&path, MERGE, json!({"spec": {"max": 2}})).await.ok()["spec"]["max"], 2);
    let steps = json!([{"op": "replace", "path": "/spec/max", "value": 3}]);
    assert_eq!(server.patch(&path, JSON_PATCH, steps).await.ok()["spec"]["max"], 3);
}

async fn unknown_kinds_of_patches_are_refused(server: &Server) {
    let (_, path) = made(server, map("one", &[]), MAPS).await;
    for media_type in ["application/json", "text/html"] {
        server.patch(&path, media_type, json!({})).await.refused(415, "UnsupportedMediaType");
    }
}

async fn what_is_no_patch_is_refused(server: &Server) {
    let (_, path) = made(server, map("one", &[]), MAPS).await;
    server.call(Method::PATCH, &path, MERGE, "{\"data\":").await.refused(400, "BadRequest");
    server.call(Method::PATCH, &path, JSON_PATCH, "{}").await.refused(400, "BadRequest");
    server.call(Method::PATCH, &path, STRATEGIC, "[]").await.refused(400, "BadRequest");
}

async fn a_patch_cannot_rename_or_move(server: &Server) {
    let (_, path) = made(server, map("one", &[]), MAPS).await;
    server.merge(&path, json!({"metadata": {"name": "two"}})).await.refused(400, "BadRequest");
    server.merge(&path, json!({"metadata": {"namespace": "default"}})).await.refused(400, "BadRequest");
    for other in [json!({"kind": "Pod"}), json!({"apiVersion": "v2"})] {
        server.merge(&path, other).await.refused(422, "Invalid");
    }
    let other = json!({"metadata": {"uid": "11111111-2222-4333-8444-555555555555"}});
    let says = ["metadata.uid: Invalid value: \"11111111-2222-4333-8444-555555555555\": field is immutable"];
    server.merge(&path, other).await.refused_with(422, "Invalid", &says);
}

async fn a_patch_is_judged_as_a_whole_object(server: &Server) {
    let (_, path) = made(server, deployment("web"), DEPLOYMENTS).await;
    let refused = server.merge(&path, json!({"spec": {"replicas": -1}})).await;
    assert_eq!(
        refused.refused(422, "Invalid"),
        "Deployment.apps \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    );
    let refused =
        server.merge(&path, json!({"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}})).await;
    refused.refused_with(
        422,
        "Invalid",
        &["spec.template.metadata.labels: Invalid value: ", "`selector` does not match template `labels`"],
    );
    let refused = server.merge(&path, json!({"spec": {"selector": {"matchLabels": {"app": "other"}}, "template": {"metadata": {"labels": {"app": "other"}}}}})).await;
    refused.refused_with(422, "Invalid", &["spec.selector: Invalid value: ", "field is immutable"]);
}
