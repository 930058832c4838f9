//! Creating, replacing, scaling and deleting.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_created_object_has_what_the_server_decides_and_defaults() {
    let api = Api::new();
    let web = api.post(DEPLOYMENTS, deployment("web")).await.ok();
    assert_eq!(web["metadata"]["creationTimestamp"], "2026-09-21T08:00:00Z");
    assert_eq!(web["metadata"]["generation"], 1);
    assert_eq!(web["metadata"]["namespace"], "default");
    assert_eq!(web["spec"]["replicas"], 1);
    assert_eq!(
        web["spec"]["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
    );
    assert_eq!(web["spec"]["template"]["spec"]["restartPolicy"], "Always");
    assert_eq!(web["metadata"]["managedFields"][0]["manager"], "tester");
}

#[tokio::test(start_paused = true)]
async fn refusals_are_worded_as_kubernetes_words_them() {
    let api = Api::new();
    api.post(DEPLOYMENTS, deployment("web")).await.ok();
    let missing = api.get("/apis/apps/v1/namespaces/default/deployments/none").await;
    assert_eq!(missing.body["details"], json!({"name": "none", "group": "apps", "kind": "deployments"}));
    assert_eq!(missing.refused(404, "NotFound"), "deployments.apps \"none\" not found");
    let twice = api.post(DEPLOYMENTS, deployment("web")).await;
    assert_eq!(twice.refused(409, "AlreadyExists"), "deployments.apps \"web\" already exists");
    let nowhere = api.post("/apis/apps/v1/namespaces/none/deployments", deployment("web")).await;
    assert_eq!(nowhere.refused(404, "NotFound"), "namespaces \"none\" not found");
    let unknown = api.get("/apis/none.io/v1/things").await;
    assert_eq!(unknown.refused(404, "NotFound"), "the server could not find the requested resource");
    let mut negative = deployment("negative");
    negative["spec"]["replicas"] = json!(-1);
    assert_eq!(
        api.post(DEPLOYMENTS, negative).await.refused(422, "Invalid"),
        "Deployment.apps \"negative\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    );
    let odd = api.post(CONFIG_MAPS, config_map("Odd", json!({}))).await.refused(422, "Invalid");
    assert!(odd.starts_with("ConfigMap \"Odd\" is invalid: metadata.name: Invalid value: \"Odd\": a lowercase RFC 1123 subdomain"), "{odd}");
}

#[tokio::test(start_paused = true)]
async fn an_update_from_an_old_version_is_a_conflict() {
    let api = Api::new();
    let mut old = api.post(DEPLOYMENTS, deployment("web")).await.ok();
    api.merge(WEB, json!({"spec": {"replicas": 2}})).await.ok();
    old["spec"]["replicas"] = json!(3);
    assert_eq!(
        api.put(WEB, old.clone()).await.refused(409, "Conflict"),
        "Operation cannot be fulfilled on deployments.apps \"web\": the object has been modified; please apply your changes to the latest version and try again"
    );
    old["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    assert_eq!(api.put(WEB, old).await.ok()["spec"]["replicas"], 3);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_changes_nothing_writes_nothing() {
    let api = Api::new();
    let web = api.post(DEPLOYMENTS, deployment("web")).await.ok();
    let same = api.put(WEB, web.clone()).await.ok();
    assert_eq!(same, web);
    let patched = api.merge(WEB, json!({"spec": {"replicas": 1}})).await.ok();
    assert_eq!(patched["metadata"]["resourceVersion"], web["metadata"]["resourceVersion"]);
}

#[tokio::test(start_paused = true)]
async fn generation_counts_changes_of_intent_only() {
    let api = Api::new();
    api.post(DEPLOYMENTS, deployment("web")).await.ok();
    let labelled = api.merge(WEB, json!({"metadata": {"labels": {"a": "b"}}})).await.ok();
    assert_eq!(labelled["metadata"]["generation"], 1);
    let status = format!("{WEB}/status");
    let reported = api.merge(&status, json!({"status": {"replicas": 1}, "spec": {"replicas": 9}})).await.ok();
    assert_eq!((&reported["metadata"]["generation"], &reported["spec"]["replicas"]), (&json!(1), &json!(1)));
    let changed = api.merge(WEB, json!({"status": {"replicas": 7}, "spec": {"replicas": 2}})).await.ok();
    assert_eq!(changed["metadata"]["generation"], 2);
    assert_eq!(changed["status"]["replicas"], 1);
}

#[tokio::test(start_paused = true)]
async fn scale_reads_and_writes_replicas_under_the_parents_version() {
    let api = Api::new();
    let web = api.post(DEPLOYMENTS, deployment("web")).await.ok();
    let path = format!("{WEB}/scale");
    let mut scale = api.get(&path).await.ok();
    assert_eq!(scale["metadata"]["resourceVersion"], web["metadata"]["resourceVersion"]);
    assert_eq!(scale["status"]["selector"], "app=web");
    scale["spec"]["replicas"] = json!(5);
    let written = api.put(&path, scale.clone()).await.ok();
    assert_eq!(written["spec"]["replicas"], 5);
    api.put(&path, scale).await.refused(409, "Conflict");
    let web = api.get(WEB).await.ok();
    assert_eq!((&web["spec"]["replicas"], &web["metadata"]["generation"]), (&json!(5), &json!(2)));
    let owner = web["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["subresource"] == "scale");
    assert_eq!(owner.unwrap()["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    let patched = api.merge(&path, json!({"spec": {"replicas": 0}})).await.ok();
    assert_eq!(patched["spec"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_an_object_until_the_last_is_gone() {
    let api = Api::new();
    let mut held = config_map("held", json!({}));
    held["metadata"]["finalizers"] = json!(["a/b"]);
    api.post(CONFIG_MAPS, held).await.ok();
    let path = format!("{CONFIG_MAPS}/held");
    let waiting = api.delete(&path, Value::Null).await.ok();
    assert_eq!(waiting["metadata"]["deletionTimestamp"], "2026-09-21T08:00:00Z");
    let more = api.merge(&path, json!({"metadata": {"finalizers": ["a/b", "c/d"]}})).await;
    assert!(
        more.refused(422, "Invalid")
            .contains("no new finalizers can be added if the object is being deleted")
    );
    let last = api.merge(&path, json!({"metadata": {"finalizers": []}})).await.ok();
    assert_eq!(last["metadata"]["name"], "held");
    api.get(&path).await.refused(404, "NotFound");
}

#[tokio::test(start_paused = true)]
async fn deletions_honour_their_preconditions() {
    let api = Api::new();
    api.post(CONFIG_MAPS, config_map("a", json!({}))).await.ok();
    let path = format!("{CONFIG_MAPS}/a");
    let other = api.delete(&path, json!({"preconditions": {"uid": "other"}})).await;
    assert!(other.refused(409, "Conflict").contains("the UID in the precondition (other) does not match"));
    let gone = api.delete(&path, Value::Null).await.ok();
    assert_eq!((&gone["kind"], &gone["status"]), (&json!("Status"), &json!("Success")));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_changes_nothing() {
    let api = Api::new();
    api.post(&format!("{CONFIG_MAPS}?dryRun=All"), config_map("a", json!({}))).await.ok();
    api.get(&format!("{CONFIG_MAPS}/a")).await.refused(404, "NotFound");
}

#[tokio::test(start_paused = true)]
async fn dependents_go_with_their_last_owner() {
    let api = Api::new();
    let owner = api.post(CONFIG_MAPS, config_map("owner", json!({}))).await.ok();
    let other = api.post(CONFIG_MAPS, config_map("other", json!({}))).await.ok();
    let reference = |owner: &Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]});
    let mut one = config_map("one", json!({}));
    one["metadata"]["ownerReferences"] = json!([reference(&owner)]);
    let mut two = config_map("two", json!({}));
    two["metadata"]["ownerReferences"] = json!([reference(&owner), reference(&other)]);
    api.post(CONFIG_MAPS, one).await.ok();
    api.post(CONFIG_MAPS, two).await.ok();
    api.delete(&format!("{CONFIG_MAPS}/owner"), Value::Null).await.ok();
    api.get(&format!("{CONFIG_MAPS}/one")).await.refused(404, "NotFound");
    let two = api.get(&format!("{CONFIG_MAPS}/two")).await.ok();
    assert_eq!(two["metadata"]["ownerReferences"], json!([reference(&other)]));
    api.delete(&format!("{CONFIG_MAPS}/other"), json!({"propagationPolicy": "Orphan"})).await.ok();
    let two = api.get(&format!("{CONFIG_MAPS}/two")).await.ok();
    assert_eq!(two["metadata"].get("ownerReferences"), None);
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_owner_never_was_is_collected() {
    let api = Api::new();
    let mut orphan = config_map("orphan", json!({}));
    orphan["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "none"}]);
    api.post(CONFIG_MAPS, orphan).await.ok();
    api.get(&format!("{CONFIG_MAPS}/orphan")).await.refused(404, "NotFound");
}

#[tokio::test(start_paused = true)]
async fn a_foreground_deletion_waits_for_dependents() {
    let api = Api::new();
    let owner = api.post(CONFIG_MAPS, config_map("owner", json!({}))).await.ok();
    let mut held = config_map("held", json!({}));
    held["metadata"]["finalizers"] = json!(["a/b"]);
    held["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
        "uid": owner["metadata"]["uid"], "blockOwnerDeletion": true}]);
    api.post(CONFIG_MAPS, held).await.ok();
    let path = format!("{CONFIG_MAPS}/owner");
    api.delete(&path, json!({"propagationPolicy": "Foreground"})).await.ok();
    assert_eq!(api.get(&path).await.ok()["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    api.merge(&format!("{CONFIG_MAPS}/held"), json!({"metadata": {"finalizers": null}})).await.ok();
    api.get(&path).await.refused(404, "NotFound");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_goes_when_it_is_empty() {
    let api = Api::new();
    api.post("/api/v1/namespaces", json!({"metadata": {"name": "shop"}})).await.ok();
    let maps = "/api/v1/namespaces/shop/configmaps";
    let mut held = config_map("held", json!({}));
    held["metadata"]["finalizers"] = json!(["a/b"]);
    api.post(maps, held).await.ok();
    api.post(maps, config_map("free", json!({}))).await.ok();
    api.delete("/api/v1/namespaces/shop", Value::Null).await.ok();
    assert_eq!(api.get("/api/v1/namespaces/shop").await.ok()["status"]["phase"], "Terminating");
    api.get(&format!("{maps}/free")).await.refused(404, "NotFound");
    let late = api.post(maps, config_map("late", json!({}))).await;
    assert!(late.refused(403, "Forbidden").ends_with("because it is being terminated"));
    api.merge(&format!("{maps}/held"), json!({"metadata": {"finalizers": null}})).await.ok();
    api.get("/api/v1/namespaces/shop").await.refused(404, "NotFound");
}

#[tokio::test(start_paused = true)]
async fn events_are_one_storage_under_two_names() {
    let api = Api::new();
    let event = json!({"metadata": {"name": "e"}, "regarding": {"kind": "Pod", "name": "p"}, "note": "hello",
        "reason": "Told", "type": "Normal", "reportingController": "c", "action": "Tell"});
    let path = "/apis/events.k8s.io/v1/namespaces/default/events";
    assert_eq!(api.post(path, event).await.ok()["note"], "hello");
    let core = api.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=p").await.ok();
    assert_eq!(core["items"][0]["message"], "hello");
    assert_eq!((&core["apiVersion"], core["items"][0].get("apiVersion")), (&json!("v1"), None));
    assert_eq!(api.get(path).await.ok()["items"][0]["regarding"]["name"], "p");
}

#[tokio::test(start_paused = true)]
async fn generated_names_and_uids_are_the_same_in_every_run() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let api = Api::new();
        let made = api.post(CONFIG_MAPS, json!({"metadata": {"generateName": "map-"}})).await.ok();
        runs.push((made["metadata"]["name"].clone(), made["metadata"]["uid"].clone()));
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].0.as_str().unwrap().starts_with("map-"));
}

#[tokio::test(start_paused = true)]
async fn clients_find_kinds_and_that_fields_are_validated() {
    let api = Api::new();
    let kinds = api.get("/apis/apps/v1").await.ok();
    let names: Vec<&str> =
        kinds["resources"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"deployments") && names.contains(&"deployments/scale"), "{names:?}");
    assert_eq!(api.get("/version").await.ok()["gitVersion"], "v1.36.0");
    assert_eq!(api.get("/readyz").await.body, "ok");
    let index = api.get("/openapi/v3").await.ok();
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap();
    let document = api.get(url).await.ok();
    let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert!(
        patch["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .any(|parameter| parameter["name"] == "fieldValidation")
    );
}
