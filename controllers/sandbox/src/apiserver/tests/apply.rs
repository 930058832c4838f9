//! Server-side apply: owners, conflicts, force, letting go, lists as maps.

use super::*;

fn replicas(count: i64) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": count}})
}

fn labelled(labels: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": labels}})
}

fn owner<'a>(object: &'a Value, manager: &str) -> Option<&'a Value> {
    object["metadata"]["managedFields"].as_array()?.iter().find(|entry| entry["manager"] == manager)
}

#[tokio::test(start_paused = true)]
async fn applying_to_nothing_creates() {
    let api = Api::new();
    let made = api.apply(WEB, "alice", deployment("web")).await;
    assert_eq!(made.code, StatusCode::CREATED);
    let entry = owner(&made.body, "alice").unwrap();
    assert_eq!((&entry["operation"], &entry["apiVersion"]), (&json!("Apply"), &json!("apps/v1")));
    assert_eq!(
        entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"],
        json!({
            "f:containers": {"k:{\"name\":\"main\"}": {".": {}, "f:name": {}, "f:image": {}}}
        })
    );
    assert_eq!(made.body["spec"]["replicas"], 1);
}

#[tokio::test(start_paused = true)]
async fn applying_the_same_again_writes_nothing() {
    let api = Api::new();
    let first = api.apply(WEB, "alice", deployment("web")).await.ok();
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(api.apply(WEB, "alice", deployment("web")).await.ok(), first);
}

#[tokio::test(start_paused = true)]
async fn a_field_of_another_applier_is_a_conflict_unless_forced() {
    let api = Api::new();
    api.apply(WEB, "alice", deployment("web")).await.ok();
    api.apply(WEB, "alice", {
        let mut web = deployment("web");
        web["spec"]["replicas"] = json!(3);
        web
    })
    .await
    .ok();
    let refused = api.apply(WEB, "bob", replicas(5)).await;
    assert_eq!(
        refused.body["details"]["causes"],
        json!([
            {"reason": "FieldManagerConflict", "message": "conflict with \"alice\"", "field": ".spec.replicas"}
        ])
    );
    assert_eq!(
        refused.refused(409, "Conflict"),
        "Apply failed with 1 conflict: conflict with \"alice\": .spec.replicas"
    );
    let forced = api.force(WEB, "bob", replicas(5)).await.ok();
    assert_eq!(forced["spec"]["replicas"], 5);
    assert_eq!(owner(&forced, "bob").unwrap()["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(owner(&forced, "alice").unwrap()["fieldsV1"]["f:spec"].get("f:replicas"), None);
}

#[tokio::test(start_paused = true)]
async fn appliers_who_agree_share_a_field() {
    let api = Api::new();
    api.apply(WEB, "alice", deployment("web")).await.ok();
    api.apply(WEB, "bob", replicas(1)).await.ok();
    let shared = api.apply(WEB, "carol", replicas(1)).await.ok();
    assert!(owner(&shared, "bob").is_some() && owner(&shared, "carol").is_some());
}

#[tokio::test(start_paused = true)]
async fn several_conflicts_are_listed_by_manager() {
    let api = Api::new();
    let mut web = deployment("web");
    web["metadata"]["labels"] = json!({"a": "1", "b": "1"});
    api.post(DEPLOYMENTS, web).await.ok();
    let refused = api.apply(WEB, "bob", labelled(json!({"a": "2", "b": "2"}))).await;
    assert_eq!(
        refused.refused(409, "Conflict"),
        "Apply failed with 2 conflicts: conflicts with \"tester\" using apps/v1:\n- .metadata.labels.a\n- .metadata.labels.b"
    );
}

#[tokio::test(start_paused = true)]
async fn what_an_applier_no_longer_states_goes_if_it_is_nobody_elses() {
    let api = Api::new();
    api.apply(WEB, "alice", deployment("web")).await.ok();
    api.apply(WEB, "bob", labelled(json!({"bob": "x", "shared": "y"}))).await.ok();
    api.apply(WEB, "carol", labelled(json!({"shared": "y"}))).await.ok();
    let bare = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
    let left = api.apply(WEB, "bob", bare.clone()).await.ok();
    assert_eq!(left["metadata"]["labels"], json!({"shared": "y"}));
    let none = api.apply(WEB, "carol", bare).await.ok();
    assert_eq!(none["metadata"].get("labels"), None);
    assert!(owner(&none, "carol").is_none(), "a manager without fields has no entry");
}

#[tokio::test(start_paused = true)]
async fn items_of_list_maps_have_owners_of_their_own() {
    let api = Api::new();
    api.apply(WEB, "alice", deployment("web")).await.ok();
    let side = |env: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [{"name": "main", "env": env}]}}}})
    };
    let both = api.apply(WEB, "bob", side(json!([{"name": "B", "value": "1"}]))).await.ok();
    let main = &both["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((&main["image"], &main["env"]), (&json!("main:1"), &json!([{"name": "B", "value": "1"}])));
    let changed = api.apply(WEB, "bob", side(json!([{"name": "C", "value": "2"}]))).await.ok();
    assert_eq!(
        changed["spec"]["template"]["spec"]["containers"][0]["env"],
        json!([{"name": "C", "value": "2"}])
    );
}

#[tokio::test(start_paused = true)]
async fn an_update_takes_the_fields_it_changes() {
    let api = Api::new();
    let mut web = deployment("web");
    web["spec"]["replicas"] = json!(2);
    api.apply(WEB, "alice", web).await.ok();
    let scaled = api.merge(WEB, json!({"spec": {"replicas": 7}})).await.ok();
    assert_eq!(owner(&scaled, "tester").unwrap()["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(owner(&scaled, "alice").unwrap()["fieldsV1"]["f:spec"].get("f:replicas"), None);
    let refused = api.apply(WEB, "alice", replicas(2)).await.refused(409, "Conflict");
    assert!(refused.contains("conflict with \"tester\" using apps/v1: .spec.replicas"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn status_has_owners_of_its_own() {
    let api = Api::new();
    api.apply(WEB, "alice", deployment("web")).await.ok();
    let status = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 9}, "status": {"conditions": [{"type": "Available", "status": "True"}]}});
    let web = api.apply(&format!("{WEB}/status"), "carol", status).await.ok();
    assert_eq!(web["spec"]["replicas"], 1);
    let entry = owner(&web, "carol").unwrap();
    assert_eq!(entry["subresource"], "status");
    assert_eq!(
        entry["fieldsV1"],
        json!({"f:status": {"f:conditions": {
        "k:{\"type\":\"Available\"}": {".": {}, "f:type": {}, "f:status": {}}}}})
    );
}

#[tokio::test(start_paused = true)]
async fn an_application_needs_a_manager_and_takes_no_managed_fields() {
    let api = Api::new();
    let nameless = api.patch(WEB, "apply-patch+yaml", deployment("web")).await;
    assert!(
        nameless
            .refused(422, "Invalid")
            .contains("fieldManager: Required value: is required for apply patch")
    );
    let mut web = deployment("web");
    web["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    assert_eq!(
        api.apply(WEB, "alice", web).await.refused(400, "BadRequest"),
        "metadata.managedFields must be nil"
    );
}
