//! Merge, JSON and strategic merge patches.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_strategic_patch_merges_lists_by_key() {
    let api = Api::new();
    api.post(DEPLOYMENTS, deployment("web")).await.ok();
    let change = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "main", "env": [{"name": "A", "value": "1"}]}, {"name": "side", "image": "side:1"},
    ]}}}});
    let web = api.patch(WEB, "strategic-merge-patch+json", change).await.ok();
    let containers = &web["spec"]["template"]["spec"]["containers"];
    assert_eq!((&containers[0]["image"], &containers[0]["env"][0]["name"]), (&json!("main:1"), &json!("A")));
    assert_eq!(containers[1]["name"], "side");
    let change = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "$patch": "delete"}],
        "$setElementOrder/containers": [{"name": "side"}]}}}});
    let web = api.patch(WEB, "strategic-merge-patch+json", change).await.ok();
    assert_eq!(web["spec"]["template"]["spec"]["containers"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_merge_patch_replaces_lists() {
    let api = Api::new();
    api.post(DEPLOYMENTS, deployment("web")).await.ok();
    let change =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}});
    let web = api.merge(WEB, change).await.ok();
    let containers = web["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    assert_eq!((containers.len(), &containers[0]["name"]), (1, &json!("side")));
}

#[tokio::test(start_paused = true)]
async fn a_json_patch_tests_before_it_writes() {
    let api = Api::new();
    api.post(DEPLOYMENTS, deployment("web")).await.ok();
    let change = json!([{"op": "test", "path": "/spec/replicas", "value": 1}, {"op": "replace", "path": "/spec/replicas", "value": 4}]);
    assert_eq!(api.patch(WEB, "json-patch+json", change.clone()).await.ok()["spec"]["replicas"], 4);
    api.patch(WEB, "json-patch+json", change).await.refused(422, "Invalid");
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_names_a_version_is_bound_to_it() {
    let api = Api::new();
    let web = api.post(DEPLOYMENTS, deployment("web")).await.ok();
    let change =
        json!({"metadata": {"resourceVersion": web["metadata"]["resourceVersion"]}, "spec": {"replicas": 2}});
    api.merge(WEB, change.clone()).await.ok();
    api.merge(WEB, change).await.refused(409, "Conflict");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_patch_type_is_refused() {
    let api = Api::new();
    api.post(DEPLOYMENTS, deployment("web")).await.ok();
    let refused = api.patch(WEB, "json", json!({})).await.refused(415, "UnsupportedMediaType");
    assert!(refused.starts_with("the body of the request was in an unknown format - accepted media types include: application/json-patch+json"));
}
