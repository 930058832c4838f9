//! Objects: create, read, replace; names, identities, versions, generations; dry runs.

use http::Method;
use serde_json::json;

use crate::{
    bodies::{
        DEPLOYMENTS, MAPS, STATEFUL_SETS, deployment, deployment_of, map, widget, with_widgets, workload,
    },
    case::cases,
    server::{JSON, Server, text, version},
};

cases! { ApiServer:
    a_created_object_reads_back,
    a_name_is_taken_once,
    an_object_that_is_not_there_is_not_found,
    names_are_made_up_on_request,
    a_new_object_needs_a_name_and_a_good_one,
    a_new_object_has_no_resource_version,
    body_and_path_must_agree,
    what_is_no_object_is_refused,
    what_the_server_decides_is_not_taken_from_the_writer,
    a_replacement_of_an_older_version_is_a_conflict,
    built_in_objects_may_be_replaced_blindly_and_custom_ones_may_not,
    a_replacement_that_changes_nothing_writes_nothing,
    another_identity_is_a_conflict,
    the_generation_moves_with_the_spec_alone,
    the_generation_of_deployments_moves_with_annotations_too,
    the_generation_of_custom_resources_moves_with_all_but_metadata_and_status,
    a_dry_run_answers_and_stores_nothing,
    unknown_paths_and_methods_are_refused,
    labels_are_judged,
}

async fn a_created_object_reads_back(server: &Server) {
    let made = server.post(&server.path(MAPS), map("one", &[("tier", "web")])).await.created();
    let metadata = &made["metadata"];
    assert_eq!((&metadata["name"], &metadata["namespace"]), (&json!("one"), &json!(server.namespace)));
    assert_eq!(text(&metadata["uid"]).len(), 36);
    assert_eq!(text(&metadata["creationTimestamp"]).len(), "2026-03-02T00:00:00Z".len());
    assert!(version(&made).parse::<u64>().unwrap() > 0);
    assert_eq!((&made["kind"], &made["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
    assert_eq!(server.get(&format!("{}/one", server.path(MAPS))).await.ok(), made);
}

async fn a_name_is_taken_once(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, map("one", &[])).await.created();
    let again = server.post(&maps, map("one", &[])).await;
    assert_eq!(again.body["details"], json!({"name": "one", "kind": "configmaps"}));
    assert_eq!(again.refused(409, "AlreadyExists"), "configmaps \"one\" already exists");
}

async fn an_object_that_is_not_there_is_not_found(server: &Server) {
    let path = format!("{}/none", server.path(DEPLOYMENTS));
    let answer = server.get(&path).await;
    assert_eq!(answer.body["details"], json!({"name": "none", "group": "apps", "kind": "deployments"}));
    assert_eq!(answer.refused(404, "NotFound"), "deployments.apps \"none\" not found");
    server.put(&path, deployment("none")).await.refused(404, "NotFound");
    server.merge(&path, json!({})).await.refused(404, "NotFound");
    server.delete(&path, json!({})).await.refused(404, "NotFound");
    server.get(&format!("{path}/scale")).await.refused(404, "NotFound");
}

async fn names_are_made_up_on_request(server: &Server) {
    let body = json!({"metadata": {"generateName": "map-"}});
    let mut made = Vec::new();
    for _ in 0..2 {
        made.push(text(&server.post(&server.path(MAPS), body.clone()).await.created()["metadata"]["name"]));
    }
    assert_ne!(made[0], made[1]);
    assert!(made.iter().all(|name| name.starts_with("map-") && name.len() == 9), "{made:?}");
}

async fn a_new_object_needs_a_name_and_a_good_one(server: &Server) {
    let nameless = server.post(&server.path(MAPS), json!({"apiVersion": "v1", "kind": "ConfigMap"})).await;
    nameless.refused_with(422, "Invalid", &["ConfigMap \"\" is invalid", "name or generateName is required"]);
    for bad in ["Upper", "a_b", "-a", "a..b"] {
        let refused = server.post(&server.path(MAPS), map(bad, &[])).await;
        let says =
            ["is invalid: metadata.name: Invalid value: ", "a lowercase RFC 1123 subdomain must consist of"];
        refused.refused_with(422, "Invalid", &says);
    }
}

async fn a_new_object_has_no_resource_version(server: &Server) {
    let mut body = map("one", &[]);
    body["metadata"]["resourceVersion"] = json!("1");
    let refused = server.post(&server.path(MAPS), body).await;
    assert!(refused.code >= 400);
    assert_eq!(refused.body["message"], "resourceVersion should not be set on objects to be created");
}

async fn body_and_path_must_agree(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, map("one", &[])).await.created();
    let mut elsewhere = map("two", &[]);
    elsewhere["metadata"]["namespace"] = json!("elsewhere");
    server.post(&maps, elsewhere).await.refused_with(
        400,
        "BadRequest",
        &["the namespace of the provided object does not match the namespace sent on the request"],
    );
    server.put(&format!("{maps}/one"), map("two", &[])).await.refused_with(
        400,
        "BadRequest",
        &["the name of the object (two) does not match the name on the URL (one)"],
    );
    server.post(&maps, deployment("one")).await.refused_with(400, "BadRequest", &["Deployment"]);
}

async fn what_is_no_object_is_refused(server: &Server) {
    let maps = server.path(MAPS);
    server.call(Method::POST, &maps, JSON, "{\"kind\":").await.refused(400, "BadRequest");
    server.call(Method::POST, &maps, "text/html", "<p>").await.refused(415, "UnsupportedMediaType");
}

async fn what_the_server_decides_is_not_taken_from_the_writer(server: &Server) {
    let maps = server.path(MAPS);
    let mut body = map("one", &[]);
    body["metadata"]["uid"] = json!("11111111-2222-4333-8444-555555555555");
    body["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    body["metadata"]["deletionTimestamp"] = json!("2001-01-01T00:00:00Z");
    body["metadata"]["generation"] = json!(7);
    let made = server.post(&maps, body).await.created();
    assert_ne!(made["metadata"]["uid"], "11111111-2222-4333-8444-555555555555");
    assert_ne!(made["metadata"]["creationTimestamp"], "2001-01-01T00:00:00Z");
    assert_eq!(made["metadata"].get("deletionTimestamp"), None);
    let path = format!("{maps}/one");
    let change = json!({"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z"}});
    assert_eq!(server.merge(&path, change).await.ok(), made);
    let leaving = json!({"metadata": {"deletionTimestamp": "2001-01-01T00:00:00Z"}});
    let says = ["metadata.deletionTimestamp: Invalid value: \"2001-01-01T00:00:00Z\": field is immutable"];
    server.merge(&path, leaving).await.refused_with(422, "Invalid", &says);
}

async fn a_replacement_of_an_older_version_is_a_conflict(server: &Server) {
    let maps = server.path(MAPS);
    let first = server.post(&maps, map("one", &[])).await.created();
    let path = format!("{maps}/one");
    let mut second = first.clone();
    second["data"]["key"] = json!("second");
    let second = server.put(&path, second).await.ok();
    assert!(version(&second).parse::<u64>().unwrap() > version(&first).parse::<u64>().unwrap());
    let mut late = first.clone();
    late["data"]["key"] = json!("late");
    assert_eq!(
        server.put(&path, late).await.refused(409, "Conflict"),
        "Operation cannot be fulfilled on configmaps \"one\": the object has been modified; please apply your changes to the latest version and try again"
    );
    assert_eq!(server.get(&path).await.ok()["data"]["key"], "second");
}

async fn built_in_objects_may_be_replaced_blindly_and_custom_ones_may_not(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, map("one", &[])).await.created();
    let mut blind = map("one", &[]);
    blind["data"]["key"] = json!("blind");
    assert_eq!(server.put(&format!("{maps}/one"), blind).await.ok()["data"]["key"], "blind");
    let widgets = with_widgets(server).await;
    server.post(&widgets, widget(server, "w", &json!({"max": 1}))).await.created();
    let blind = server.put(&format!("{widgets}/w"), widget(server, "w", &json!({"max": 2}))).await;
    blind.refused_with(
        422,
        "Invalid",
        &["metadata.resourceVersion: Invalid value: ", "must be specified for an update"],
    );
}

async fn a_replacement_that_changes_nothing_writes_nothing(server: &Server) {
    let maps = server.path(MAPS);
    let made = server.post(&maps, map("one", &[])).await.created();
    assert_eq!(server.put(&format!("{maps}/one"), made.clone()).await.ok(), made);
    let merged = server.merge(&format!("{maps}/one"), json!({"data": {"key": "value"}})).await.ok();
    assert_eq!(version(&merged), version(&made));
}

async fn another_identity_is_a_conflict(server: &Server) {
    let maps = server.path(MAPS);
    let mut made = server.post(&maps, map("one", &[])).await.created();
    let uid = text(&made["metadata"]["uid"]);
    made["metadata"]["uid"] = json!("11111111-2222-4333-8444-555555555555");
    let says = [
        "Precondition failed: UID in precondition: 11111111-2222-4333-8444-555555555555, UID in object meta: ",
    ];
    server.put(&format!("{maps}/one"), made).await.refused_with(409, "Conflict", &[says[0], &uid]);
}

async fn the_generation_moves_with_the_spec_alone(server: &Server) {
    let made = server.post(&server.path(STATEFUL_SETS), workload("StatefulSet", "db")).await.created();
    assert_eq!(made["metadata"]["generation"], 1);
    let path = format!("{}/db", server.path(STATEFUL_SETS));
    let change = json!({"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}});
    assert_eq!(server.merge(&path, change).await.ok()["metadata"]["generation"], 1);
    let status = server.merge(&format!("{path}/status"), json!({"status": {"observedGeneration": 1}})).await;
    assert_eq!(status.ok()["metadata"]["generation"], 1);
    let changed = server.merge(&path, json!({"spec": {"minReadySeconds": 5}})).await.ok();
    assert_eq!(changed["metadata"]["generation"], 2);
    server.merge(&format!("{path}/scale"), json!({"spec": {"replicas": 1}})).await.ok();
    assert_eq!(server.get(&path).await.ok()["metadata"]["generation"], 3);
    let same = json!({"spec": {"minReadySeconds": 5}, "metadata": {"generation": 9}});
    assert_eq!(server.merge(&path, same).await.ok()["metadata"]["generation"], 3);
}

async fn the_generation_of_deployments_moves_with_annotations_too(server: &Server) {
    server.post(&server.path(DEPLOYMENTS), deployment("web")).await.created();
    let path = format!("{}/web", server.path(DEPLOYMENTS));
    let generation = async |change: serde_json::Value| {
        let before = server.get(&path).await.ok()["metadata"]["generation"].as_i64().unwrap();
        server.merge(&path, change).await.ok()["metadata"]["generation"].as_i64().unwrap() - before
    };
    assert_eq!(generation(json!({"metadata": {"labels": {"a": "b"}}})).await, 0);
    assert_eq!(generation(json!({"metadata": {"annotations": {"c": "d"}}})).await, 1);
}

async fn the_generation_of_custom_resources_moves_with_all_but_metadata_and_status(server: &Server) {
    let widgets = with_widgets(server).await;
    let made = server.post(&widgets, widget(server, "w", &json!({"max": 1}))).await.created();
    assert_eq!(made["metadata"]["generation"], 1);
    let path = format!("{widgets}/w");
    server.merge(&path, json!({"metadata": {"labels": {"a": "b"}}})).await.ok();
    let status = server.merge(&format!("{path}/status"), json!({"status": {"replicas": 1}})).await.ok();
    assert_eq!(status["metadata"]["generation"], 1);
    let changed = server.merge(&path, json!({"spec": {"max": 2}})).await.ok();
    assert_eq!(changed["metadata"]["generation"], 2);
}

async fn a_dry_run_answers_and_stores_nothing(server: &Server) {
    let maps = server.path(MAPS);
    let made = server.post(&format!("{maps}?dryRun=All"), map("one", &[])).await.created();
    assert_eq!(made["data"]["key"], "value");
    let path = format!("{maps}/one");
    server.get(&path).await.refused(404, "NotFound");
    let kept = server.post(&maps, map("one", &[])).await.created();
    let changed = server.merge(&format!("{path}?dryRun=All"), json!({"data": {"key": "new"}})).await.ok();
    assert_eq!(changed["data"]["key"], "new");
    server.call(Method::DELETE, &format!("{path}?dryRun=All"), JSON, "").await.ok();
    server.delete(&path, json!({"dryRun": ["All"]})).await.ok();
    assert_eq!(server.get(&path).await.ok(), kept);
    let scaled = server.post(&server.path(DEPLOYMENTS), deployment_of("web", 1)).await;
    assert_eq!(scaled.created()["spec"]["replicas"], 1);
    let scale = format!("{}/web/scale", server.path(DEPLOYMENTS));
    let dry = server.merge(&format!("{scale}?dryRun=All"), json!({"spec": {"replicas": 5}})).await.ok();
    assert_eq!(dry["spec"]["replicas"], 5);
    assert_eq!(server.get(&scale).await.ok()["spec"]["replicas"], 1);
    let wrong = server.post(&format!("{maps}?dryRun=Some"), map("two", &[])).await;
    wrong.refused_with(422, "Invalid", &["dryRun", "Unsupported value"]);
}

async fn unknown_paths_and_methods_are_refused(server: &Server) {
    let nowhere = [
        server.path("v1/things"),
        server.path("things.example.com/v1/things"),
        server.path("apps/v9/deployments"),
        "/apis/none.example.com".to_owned(),
        "/apis/apps/v9".to_owned(),
    ];
    for path in nowhere {
        assert_eq!(server.get(&path).await.code, 404, "{path}");
    }
    let message = server.get(&server.path("apps/v1/things")).await.refused(404, "NotFound");
    assert_eq!(message, "the server could not find the requested resource");
    let maps = server.path(MAPS);
    server.post(&format!("{maps}/one"), map("one", &[])).await.refused(405, "MethodNotAllowed");
    server.put(&maps, map("one", &[])).await.refused(405, "MethodNotAllowed");
    server.post("/api/v1/configmaps", map("one", &[])).await.refused(405, "MethodNotAllowed");
}

async fn labels_are_judged(server: &Server) {
    let maps = server.path(MAPS);
    let says = ["ConfigMap \"one\" is invalid: metadata.labels: Invalid value: "];
    server.post(&maps, map("one", &[("a", "not a value")])).await.refused_with(422, "Invalid", &says);
    server.post(&maps, map("one", &[("a", &"x".repeat(64))])).await.refused_with(422, "Invalid", &says);
    server.post(&maps, map("one", &[("not a key", "x")])).await.refused_with(422, "Invalid", &says);
    server.post(&maps, map("one", &[("a.example.com/b", "")])).await.created();
}
