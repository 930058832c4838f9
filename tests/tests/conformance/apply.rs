//! Server-side apply: owners, conflicts, force, letting go, lists of every kind.

use http::Method;
use serde_json::{Value, json};

use crate::{
    bodies::{DEPLOYMENTS, MAPS, deployment, map, part_of_deployment, widget, with_widgets},
    case::cases,
    server::{APPLY, Server, owned, version},
};

cases! { ApiServer:
    applying_to_nothing_creates,
    applying_the_same_again_writes_nothing,
    a_field_of_another_applier_is_a_conflict_unless_forced,
    several_conflicts_are_told_apart,
    appliers_who_agree_share_a_field,
    what_an_applier_no_longer_states_goes_unless_it_is_somebody_elses,
    a_field_let_go_by_one_owner_stays_with_the_other,
    an_update_takes_the_fields_it_changes,
    an_update_that_agrees_takes_nothing,
    items_of_list_maps_have_owners_of_their_own,
    items_of_sets_have_owners_of_their_own,
    atomic_lists_are_owned_whole,
    entries_of_maps_have_owners_of_their_own,
    owners_are_noted_from_the_making_or_from_the_first_application_on,
    a_map_that_is_gone_stays_with_who_made_it,
    custom_list_maps_are_merged_by_their_keys,
    defaults_are_nobodys,
    status_has_owners_of_its_own,
    scale_has_owners_of_its_own,
    an_application_needs_a_manager_and_takes_no_managed_fields,
    an_application_says_what_it_is_of,
    an_application_may_state_the_version_it_is_made_for,
    only_applications_can_be_forced,
    owners_can_be_reset,
    an_application_is_judged_as_a_whole_object,
    a_dry_application_tells_and_stores_nothing,
    yaml_can_be_applied,
}

async fn web(server: &Server, manager: &str, replicas: i64) -> String {
    let path = format!("{}/web", server.path(DEPLOYMENTS));
    let mut web = deployment("web");
    web["spec"]["replicas"] = json!(replicas);
    server.apply(&path, manager, web).await.created();
    path
}

fn replicas(count: i64) -> Value {
    part_of_deployment("web", &json!({"replicas": count}))
}

/// A part of the map `one`, to be applied.
fn labelled(labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "labels": labels}})
}

async fn applying_to_nothing_creates(server: &Server) {
    let path = format!("{}/web", server.path(DEPLOYMENTS));
    let made = server.apply(&path, "alice", deployment("web")).await.created();
    let entry = &made["metadata"]["managedFields"][0];
    assert_eq!(
        (&entry["manager"], &entry["operation"], &entry["apiVersion"], &entry["fieldsType"]),
        (&json!("alice"), &json!("Apply"), &json!("apps/v1"), &json!("FieldsV1"))
    );
    assert_eq!(
        entry["fieldsV1"]["f:spec"],
        json!({
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {"f:containers": {"k:{\"name\":\"main\"}": {".": {}, "f:name": {}, "f:image": {}}}},
            },
        })
    );
}

async fn applying_the_same_again_writes_nothing(server: &Server) {
    let path = web(server, "alice", 0).await;
    let first = server.apply(&path, "alice", replicas(0)).await;
    // Dropping all other fields was a change; from here on there is none.
    drop(first);
    let maps = format!("{}/one", server.path(MAPS));
    let made = server.apply(&maps, "alice", map("one", &[])).await.created();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(server.apply(&maps, "alice", map("one", &[])).await.ok(), made);
}

async fn a_field_of_another_applier_is_a_conflict_unless_forced(server: &Server) {
    let path = web(server, "alice", 0).await;
    let refused = server.apply(&path, "bob", replicas(1)).await;
    assert_eq!(
        refused.body["details"]["causes"],
        json!([{"reason": "FieldManagerConflict", "message": "conflict with \"alice\"", "field": ".spec.replicas"}])
    );
    assert_eq!(
        refused.refused(409, "Conflict"),
        "Apply failed with 1 conflict: conflict with \"alice\": .spec.replicas"
    );
    let forced = server.force(&path, "bob", replicas(1)).await.ok();
    assert_eq!(forced["spec"]["replicas"], 1);
    assert_eq!(*owned(&forced, "bob"), json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(owned(&forced, "alice")["f:spec"].get("f:replicas"), None);
    assert!(owned(&forced, "alice")["f:spec"].get("f:template").is_some());
}

async fn several_conflicts_are_told_apart(server: &Server) {
    let path = format!("{}/one", server.path(MAPS));
    server.apply(&path, "alice", labelled(&json!({"a": "1", "b": "1"}))).await.created();
    server.apply(&path, "bob", labelled(&json!({"c": "1"}))).await.ok();
    let refused = server.apply(&path, "carol", labelled(&json!({"a": "2", "b": "2", "c": "2"}))).await;
    let causes = refused.body["details"]["causes"].as_array().unwrap();
    let mut found: Vec<_> =
        causes.iter().map(|cause| (cause["message"].as_str(), cause["field"].as_str())).collect();
    found.sort();
    let of = |manager, field| (Some(manager), Some(field));
    let (alice, bob) = ("conflict with \"alice\"", "conflict with \"bob\"");
    assert_eq!(
        found,
        [of(alice, ".metadata.labels.a"), of(alice, ".metadata.labels.b"), of(bob, ".metadata.labels.c")]
    );
    assert_eq!(
        refused.refused(409, "Conflict"),
        "Apply failed with 3 conflicts: conflicts with \"alice\":\n- .metadata.labels.a\n- .metadata.labels.b\nconflicts with \"bob\":\n- .metadata.labels.c"
    );
}

async fn appliers_who_agree_share_a_field(server: &Server) {
    let path = web(server, "alice", 0).await;
    let shared = server.apply(&path, "bob", replicas(0)).await.ok();
    assert_eq!(*owned(&shared, "bob"), json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(owned(&shared, "alice")["f:spec"]["f:replicas"], json!({}));
    server.apply(&path, "bob", replicas(1)).await.refused_with(409, "Conflict", &["conflict with \"alice\""]);
}

async fn what_an_applier_no_longer_states_goes_unless_it_is_somebody_elses(server: &Server) {
    let path = format!("{}/one", server.path(MAPS));
    server.apply(&path, "alice", map("one", &[])).await.created();
    server.apply(&path, "bob", labelled(&json!({"bob": "x", "shared": "y"}))).await.ok();
    server.apply(&path, "carol", labelled(&json!({"shared": "y"}))).await.ok();
    let left = server.apply(&path, "bob", labelled(&json!({}))).await.ok();
    assert_eq!(left["metadata"]["labels"], json!({"case": "mine", "shared": "y"}));
    let bare = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}});
    let none = server.apply(&path, "carol", bare).await.ok();
    assert_eq!(none["metadata"]["labels"], json!({"case": "mine"}));
    assert_eq!(*owned(&none, "carol"), Value::Null, "a manager of nothing has no entry");
    assert_eq!(none["data"], json!({"key": "value"}));
}

async fn a_field_let_go_by_one_owner_stays_with_the_other(server: &Server) {
    let path = web(server, "alice", 0).await;
    server.apply(&path, "bob", replicas(0)).await.ok();
    let mut bare = deployment("web");
    bare["spec"].as_object_mut().unwrap().remove("replicas");
    let kept = server.apply(&path, "alice", bare).await.ok();
    assert_eq!(kept["spec"]["replicas"], 0);
    let gone = server.apply(&path, "bob", part_of_deployment("web", &json!({}))).await.ok();
    // Nobody states it any more: it gets its default.
    assert_eq!(gone["spec"]["replicas"], 1);
}

async fn an_update_takes_the_fields_it_changes(server: &Server) {
    let path = web(server, "alice", 0).await;
    let scaled = server.merge(&path, json!({"spec": {"replicas": 1}})).await.ok();
    assert_eq!(*owned(&scaled, "tester"), json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(owned(&scaled, "alice")["f:spec"].get("f:replicas"), None);
    let refused = server.apply(&path, "alice", replicas(0)).await;
    assert_eq!(
        refused.refused(409, "Conflict"),
        "Apply failed with 1 conflict: conflict with \"tester\" using apps/v1: .spec.replicas"
    );
}

async fn an_update_that_agrees_takes_nothing(server: &Server) {
    let path = web(server, "alice", 0).await;
    let same =
        server.merge(&path, json!({"spec": {"replicas": 0}, "metadata": {"labels": {"a": "b"}}})).await.ok();
    assert_eq!(*owned(&same, "tester"), json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}));
    assert_eq!(owned(&same, "alice")["f:spec"]["f:replicas"], json!({}));
}

async fn items_of_list_maps_have_owners_of_their_own(server: &Server) {
    let path = web(server, "alice", 0).await;
    let env = |env: Value| {
        part_of_deployment(
            "web",
            &json!({"template": {"spec": {"containers": [{"name": "main", "env": env}]}}}),
        )
    };
    let both = server.apply(&path, "bob", env(json!([{"name": "B", "value": "1"}]))).await.ok();
    let main = &both["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        (&main["image"], &main["env"]),
        (&json!("registry.example.com/main:1"), &json!([{"name": "B", "value": "1"}]))
    );
    assert_eq!(
        owned(&both, "bob")["f:spec"]["f:template"]["f:spec"]["f:containers"]["k:{\"name\":\"main\"}"],
        json!({".": {}, "f:name": {}, "f:env": {"k:{\"name\":\"B\"}": {".": {}, "f:name": {}, "f:value": {}}}})
    );
    let other = server.apply(&path, "bob", env(json!([{"name": "C", "value": "2"}]))).await.ok();
    let main = &other["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(main["env"], json!([{"name": "C", "value": "2"}]));
    let refused = server.apply(&path, "carol", env(json!([{"name": "C", "value": "3"}]))).await;
    let says = [".spec.template.spec.containers[name=\"main\"].env[name=\"C\"].value"];
    refused.refused_with(409, "Conflict", &says);
}

async fn items_of_sets_have_owners_of_their_own(server: &Server) {
    let path = format!("{}/w", with_widgets(server).await);
    server
        .apply(&path, "alice", widget(server, "w", &json!({"max": 1, "words": ["a", "b"]})))
        .await
        .created();
    let both = server.apply(&path, "bob", widget(server, "w", &json!({"words": ["b", "c"]}))).await.ok();
    assert_eq!(both["spec"]["words"], json!(["a", "b", "c"]));
    assert_eq!(owned(&both, "bob")["f:spec"]["f:words"], json!({"v:\"b\"": {}, "v:\"c\"": {}}));
    let left = server.apply(&path, "bob", widget(server, "w", &json!({}))).await.ok();
    assert_eq!(left["spec"]["words"], json!(["a", "b"]));
}

async fn atomic_lists_are_owned_whole(server: &Server) {
    let path = format!("{}/w", with_widgets(server).await);
    server.apply(&path, "alice", widget(server, "w", &json!({"max": 1, "steps": [1, 2]}))).await.created();
    let refused = server.apply(&path, "bob", widget(server, "w", &json!({"steps": [1, 2, 3]}))).await;
    refused.refused_with(409, "Conflict", &["conflict with \"alice\": .spec.steps"]);
    let forced = server.force(&path, "bob", widget(server, "w", &json!({"steps": [3]}))).await.ok();
    assert_eq!(
        (&forced["spec"]["steps"], &owned(&forced, "bob")["f:spec"]["f:steps"]),
        (&json!([3]), &json!({}))
    );
}

async fn entries_of_maps_have_owners_of_their_own(server: &Server) {
    let path = format!("{}/one", server.path(MAPS));
    let data = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": data});
    server.apply(&path, "alice", data(json!({"a": "1"}))).await.created();
    let both = server.apply(&path, "bob", data(json!({"b": "2"}))).await.ok();
    assert_eq!(both["data"], json!({"a": "1", "b": "2"}));
    assert_eq!(*owned(&both, "bob"), json!({"f:data": {"f:b": {}}}));
    server.apply(&path, "bob", data(json!({"a": "2"}))).await.refused_with(409, "Conflict", &[".data.a"]);
}

async fn owners_are_noted_from_the_making_or_from_the_first_application_on(server: &Server) {
    let path = format!("{}/one", server.path(MAPS));
    let nothing = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}});
    let made = server.post(&server.path(MAPS), nothing).await.created();
    assert_eq!(made["metadata"].get("managedFields"), None, "nothing in it can be owned");
    let filled = server.merge(&format!("{path}?fieldManager=carol"), json!({"data": {"c": "1"}})).await.ok();
    assert_eq!(filled["metadata"].get("managedFields"), None);
    let applied = server.apply(&path, "bob", labelled(&json!({"case": "mine"}))).await.ok();
    assert_eq!(*owned(&applied, "before-first-apply"), json!({"f:data": {".": {}, "f:c": {}}}));
    assert_eq!(*owned(&applied, "bob"), json!({"f:metadata": {"f:labels": {"f:case": {}}}}));
}

/// Whoever made the map by an update owns it too, also when the last entry is gone and the map with it.
async fn a_map_that_is_gone_stays_with_who_made_it(server: &Server) {
    let path = format!("{}/one", server.path(MAPS));
    let data = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": data});
    let nothing = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}});
    server.apply(&path, "dave", labelled(&json!({"case": "mine"}))).await.created();
    let carol = format!("{path}?fieldManager=carol");
    server.merge(&carol, json!({"data": {"c": "1"}})).await.ok();
    server.apply(&path, "bob", data(json!({"a": "1"}))).await.ok();
    let emptied = server.merge(&carol, json!({"data": {"c": null}})).await.ok();
    assert_eq!(*owned(&emptied, "carol"), json!({"f:data": {}}));
    let gone = server.force(&path, "bob", nothing).await.ok();
    assert_eq!(gone.get("data"), None);
    let refused = server.apply(&path, "alice", data(json!({"a": "1"}))).await;
    assert_eq!(
        refused.refused(409, "Conflict"),
        "Apply failed with 1 conflict: conflict with \"carol\" using v1: .data"
    );
}

async fn custom_list_maps_are_merged_by_their_keys(server: &Server) {
    let path = format!("{}/w", with_widgets(server).await);
    let rules = |rules: Value| widget(server, "w", &json!({"rules": rules}));
    let mut first = rules(json!([{"name": "a", "weight": 1}]));
    first["spec"]["max"] = json!(1);
    server.apply(&path, "alice", first).await.created();
    let both = server.apply(&path, "bob", rules(json!([{"name": "b", "weight": 2}]))).await.ok();
    assert_eq!(
        both["spec"]["rules"],
        json!([{"name": "a", "weight": 1, "kind": "Point"}, {"name": "b", "weight": 2, "kind": "Point"}])
    );
    let refused = server.apply(&path, "bob", rules(json!([{"name": "a", "weight": 5}]))).await;
    assert_eq!(
        refused.refused(409, "Conflict"),
        "Apply failed with 1 conflict: conflict with \"alice\": .spec.rules[name=\"a\"].weight"
    );
    let left = server.apply(&path, "bob", rules(json!([]))).await.ok();
    assert_eq!(left["spec"]["rules"], json!([{"name": "a", "weight": 1, "kind": "Point"}]));
}

async fn defaults_are_nobodys(server: &Server) {
    let path = format!("{}/w", with_widgets(server).await);
    let made = server.apply(&path, "alice", widget(server, "w", &json!({"max": 1}))).await.created();
    assert_eq!(made["spec"], json!({"max": 1, "mode": "Auto", "limits": {"surge": 3}}));
    assert_eq!(*owned(&made, "alice"), json!({"f:spec": {"f:max": {}}}));
}

async fn status_has_owners_of_its_own(server: &Server) {
    let path = web(server, "alice", 0).await;
    let mut status = replicas(9);
    status["status"] = json!({"conditions": [{"type": "Odd", "status": "True"}]});
    let web = server.apply(&format!("{path}/status"), "carol", status).await.ok();
    assert_eq!(web["spec"]["replicas"], 0);
    let entries = web["metadata"]["managedFields"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["manager"] == "carol").unwrap();
    assert_eq!((&entry["subresource"], &entry["operation"]), (&json!("status"), &json!("Apply")));
    assert_eq!(
        entry["fieldsV1"],
        json!({"f:status": {"f:conditions": {"k:{\"type\":\"Odd\"}": {".": {}, "f:type": {}, "f:status": {}}}}})
    );
    // The main resource takes no status from an applier.
    let mut odd = deployment("web");
    odd["status"] = json!({"replicas": 7});
    let kept = server.apply(&path, "alice", odd).await.ok();
    assert_eq!(kept["status"].get("replicas"), None);
}

async fn scale_has_owners_of_its_own(server: &Server) {
    let path = web(server, "alice", 0).await;
    let scale = json!({"spec": {"replicas": 1}});
    server.merge(&format!("{path}/scale?fieldManager=scaler"), scale).await.ok();
    let web = server.get(&path).await.ok();
    let entries = web["metadata"]["managedFields"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["manager"] == "scaler").unwrap();
    assert_eq!((&entry["subresource"], &entry["operation"]), (&json!("scale"), &json!("Update")));
    assert_eq!(
        (&entry["apiVersion"], &entry["fieldsV1"]),
        (&json!("apps/v1"), &json!({"f:spec": {"f:replicas": {}}}))
    );
    assert_eq!(owned(&web, "alice")["f:spec"].get("f:replicas"), None);
    let refused = server.apply(&path, "alice", replicas(0)).await;
    refused.refused_with(
        409,
        "Conflict",
        &["conflict with \"scaler\" with subresource \"scale\"", ".spec.replicas"],
    );
}

async fn an_application_needs_a_manager_and_takes_no_managed_fields(server: &Server) {
    let path = format!("{}/one", server.path(MAPS));
    let nameless = server.patch(&path, APPLY, map("one", &[])).await;
    nameless.refused_with(422, "Invalid", &["fieldManager: Required value: is required for apply patch"]);
    let mut one = map("one", &[]);
    one["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    let message = server.apply(&path, "alice", one).await.refused(400, "BadRequest");
    assert_eq!(message, "metadata.managedFields must be nil");
    let long = server.apply(&path, &"x".repeat(129), map("one", &[])).await;
    long.refused_with(422, "Invalid", &["fieldManager: Too long: may not be more than 128 bytes"]);
}

async fn an_application_says_what_it_is_of(server: &Server) {
    let path = format!("{}/one", server.path(MAPS));
    let mut kindless = map("one", &[]);
    kindless.as_object_mut().unwrap().remove("kind");
    assert!(server.apply(&path, "alice", kindless).await.code >= 400);
    server.apply(&path, "alice", deployment("one")).await.refused(400, "BadRequest");
    server.apply(&path, "alice", map("two", &[])).await.refused(400, "BadRequest");
    server.get(&path).await.refused(404, "NotFound");
}

async fn an_application_may_state_the_version_it_is_made_for(server: &Server) {
    let path = format!("{}/one", server.path(MAPS));
    let first = server.apply(&path, "alice", map("one", &[])).await.created();
    let with_version = |of: &Value, value: &str| {
        let mut one = map("one", &[]);
        one["metadata"]["resourceVersion"] = json!(version(of));
        one["data"]["key"] = json!(value);
        one
    };
    server.apply(&path, "alice", with_version(&first, "second")).await.ok();
    let late = server.apply(&path, "alice", with_version(&first, "third")).await;
    late.refused_with(409, "Conflict", &["the object has been modified"]);
}

async fn only_applications_can_be_forced(server: &Server) {
    let path = format!("{}/one", server.path(MAPS));
    server.apply(&path, "alice", map("one", &[])).await.created();
    let refused = server.merge(&format!("{path}?force=true"), json!({})).await;
    refused.refused_with(422, "Invalid", &["force: Forbidden: may not be specified for non-apply patch"]);
}

async fn owners_can_be_reset(server: &Server) {
    let path = format!("{}/one", server.path(MAPS));
    server.apply(&path, "alice", map("one", &[])).await.created();
    let reset = server.merge(&path, json!({"metadata": {"managedFields": [{}]}})).await.ok();
    assert_eq!(reset["metadata"].get("managedFields"), None);
    assert_eq!(reset["data"], json!({"key": "value"}));
}

async fn an_application_is_judged_as_a_whole_object(server: &Server) {
    let path = format!("{}/w", with_widgets(server).await);
    let refused = server.apply(&path, "alice", widget(server, "w", &json!({"min": 1}))).await;
    refused.refused_with(422, "Invalid", &["spec.max: Required value"]);
    server.apply(&path, "alice", widget(server, "w", &json!({"max": 2}))).await.created();
    let refused = server.apply(&path, "bob", widget(server, "w", &json!({"min": 3}))).await;
    refused.refused_with(422, "Invalid", &["min must not exceed max"]);
}

async fn a_dry_application_tells_and_stores_nothing(server: &Server) {
    let path = web(server, "alice", 0).await;
    let before = server.get(&path).await.ok();
    let dry = format!("{path}?dryRun=All&fieldManager=bob&force=true");
    let told = server.call(Method::PATCH, &dry, APPLY, replicas(4).to_string()).await.ok();
    assert_eq!(told["spec"]["replicas"], 4);
    assert_eq!(server.get(&path).await.ok(), before);
}

async fn yaml_can_be_applied(server: &Server) {
    let path = format!("{}/one?fieldManager=alice", server.path(MAPS));
    let yaml =
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\ndata:\n  key: |\n    two\n    lines\n";
    let made = server.call(Method::PATCH, &path, APPLY, yaml).await.created();
    assert_eq!(made["data"]["key"], "two\nlines\n");
}
