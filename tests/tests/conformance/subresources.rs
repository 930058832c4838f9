//! `/status` and `/scale`, of built-in kinds and of custom resources.

use serde_json::{Value, json};

use crate::{
    bodies::{
        DEPLOYMENTS, MAPS, STATEFUL_SETS, deployment_of, gadget, gadgets, map, widget, with_widgets, workload,
    },
    case::cases,
    server::{Server, version},
};

cases! { ApiServer:
    status_is_written_through_status_alone,
    status_takes_nothing_but_status,
    status_is_replaced_whole_by_put,
    status_of_custom_resources_is_theirs_too,
    custom_resources_without_subresources_have_their_status_with_them,
    kinds_without_a_subresource_do_not_serve_it,
    scale_shows_replicas_and_selector,
    scale_writes_replicas,
    scale_of_stateful_sets_is_alike,
    scale_keeps_to_the_version_it_was_read_at,
    scale_refuses_what_makes_no_sense,
    scale_to_the_present_count_comes_to_rest,
    scale_of_custom_resources_follows_their_paths,
    scale_of_custom_resources_without_replicas_is_an_error,
    scale_of_what_is_not_there_is_not_found,
}

async fn web(server: &Server, replicas: i64) -> String {
    server.post(&server.path(DEPLOYMENTS), deployment_of("web", replicas)).await.created();
    format!("{}/web", server.path(DEPLOYMENTS))
}

async fn status_is_written_through_status_alone(server: &Server) {
    let mut body = deployment_of("web", 1);
    body["status"] = json!({"unavailableReplicas": 5});
    let made = server.post(&server.path(DEPLOYMENTS), body.clone()).await.created();
    assert_eq!(made["status"].get("unavailableReplicas"), None);
    let path = format!("{}/web", server.path(DEPLOYMENTS));
    let put = server.put(&path, body).await.ok();
    assert_eq!(put["status"].get("unavailableReplicas"), None);
    let merged = server.merge(&path, json!({"status": {"unavailableReplicas": 5}})).await.ok();
    assert_eq!(merged["status"].get("unavailableReplicas"), None);
}

async fn status_takes_nothing_but_status(server: &Server) {
    let path = web(server, 1).await;
    let change = json!({"spec": {"replicas": 9}, "metadata": {"labels": {"a": "b"}, "finalizers": ["example.com/x"]}, "status": {"collisionCount": 4}});
    let changed = server.merge(&format!("{path}/status"), change).await.ok();
    assert_eq!((&changed["spec"]["replicas"], &changed["status"]["collisionCount"]), (&json!(1), &json!(4)));
    assert_eq!(changed["metadata"].get("labels"), None);
    assert_eq!(server.get(&format!("{path}/status")).await.ok()["status"]["collisionCount"], 4);
}

async fn status_is_replaced_whole_by_put(server: &Server) {
    let widgets = with_widgets(server).await;
    server.post(&widgets, widget(server, "w", &json!({"max": 1}))).await.created();
    let path = format!("{widgets}/w");
    let first = server
        .merge(&format!("{path}/status"), json!({"status": {"replicas": 1, "selector": "a=b"}}))
        .await
        .ok();
    let mut second = first.clone();
    second["status"] = json!({"replicas": 2});
    second["spec"]["max"] = json!(9);
    let second = server.put(&format!("{path}/status"), second).await.ok();
    assert_eq!((&second["status"], &second["spec"]["max"]), (&json!({"replicas": 2}), &json!(1)));
    server.put(&format!("{path}/status"), first).await.refused(409, "Conflict");
}

async fn status_of_custom_resources_is_theirs_too(server: &Server) {
    let widgets = with_widgets(server).await;
    let mut body = widget(server, "w", &json!({"max": 1}));
    body["status"] = json!({"replicas": 5});
    let made = server.post(&widgets, body).await.created();
    assert_eq!(made.get("status"), None);
    let path = format!("{widgets}/w");
    let kept = server.merge(&path, json!({"status": {"replicas": 5}})).await.ok();
    assert_eq!((kept.get("status"), version(&kept)), (None, version(&made)));
    let change =
        json!({"spec": {"max": 7}, "metadata": {"labels": {"a": "b"}}, "status": {"replicas": 5, "odd": 1}});
    let changed = server.merge(&format!("{path}/status"), change).await.ok();
    assert_eq!((&changed["spec"]["max"], &changed["status"]), (&json!(1), &json!({"replicas": 5})));
    assert_eq!(changed["metadata"].get("labels"), None);
    let bad = server.merge(&format!("{path}/status"), json!({"status": {"replicas": "many"}})).await;
    bad.refused_with(422, "Invalid", &["status.replicas"]);
}

async fn custom_resources_without_subresources_have_their_status_with_them(server: &Server) {
    let spec = json!({"type": "object", "properties": {"size": {"type": "integer"}}});
    server.define(gadgets(server, &spec)).await;
    let path = server.path(&format!("{}/v1/gadgets", server.group()));
    let mut body = gadget(server, "g", &json!({"size": 1}));
    body["status"] = json!({"seen": true});
    let made = server.post(&path, body).await.created();
    assert_eq!(made["status"]["seen"], true);
    let changed = server.merge(&format!("{path}/g"), json!({"status": {"seen": false}})).await.ok();
    assert_eq!((&changed["status"]["seen"], &changed["metadata"]["generation"]), (&json!(false), &json!(2)));
    server.get(&format!("{path}/g/status")).await.refused(404, "NotFound");
    server.get(&format!("{path}/g/scale")).await.refused(404, "NotFound");
}

async fn kinds_without_a_subresource_do_not_serve_it(server: &Server) {
    server.post(&server.path(MAPS), map("one", &[])).await.created();
    for subresource in ["status", "scale", "nonsense"] {
        let refused = server.get(&format!("{}/one/{subresource}", server.path(MAPS))).await;
        assert_eq!(refused.refused(404, "NotFound"), "the server could not find the requested resource");
    }
}

async fn scale_shows_replicas_and_selector(server: &Server) {
    let path = web(server, 2).await;
    let web = server.get(&path).await.ok();
    let scale = server.get(&format!("{path}/scale")).await.ok();
    assert_eq!((&scale["kind"], &scale["apiVersion"]), (&json!("Scale"), &json!("autoscaling/v1")));
    assert_eq!(scale["spec"], json!({"replicas": 2}));
    assert_eq!(scale["status"]["selector"], "app=web");
    for field in ["name", "namespace", "uid", "creationTimestamp"] {
        assert_eq!(scale["metadata"][field], web["metadata"][field], "{field}");
    }
    assert!(version(&scale).parse::<u64>().unwrap() >= version(&web).parse::<u64>().unwrap());
}

async fn scale_writes_replicas(server: &Server) {
    let path = web(server, 1).await;
    let scale = format!("{path}/scale");
    let merged = server.merge(&scale, json!({"spec": {"replicas": 3}})).await.ok();
    assert_eq!((&merged["kind"], &merged["spec"]["replicas"]), (&json!("Scale"), &json!(3)));
    assert_eq!(server.get(&path).await.ok()["spec"]["replicas"], 3);
    let mut whole = server.get(&scale).await.ok();
    whole["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    whole["spec"]["replicas"] = json!(4);
    server.put(&scale, whole).await.ok();
    assert_eq!(server.get(&path).await.ok()["spec"]["replicas"], 4);
    let zero = server.merge(&scale, json!({"spec": {"replicas": 0}})).await.ok();
    assert_eq!(zero["spec"], json!({}), "zero is left out");
    assert_eq!(server.get(&path).await.ok()["spec"]["replicas"], 0);
}

async fn scale_of_stateful_sets_is_alike(server: &Server) {
    let sets = server.path(STATEFUL_SETS);
    server.post(&sets, workload("StatefulSet", "db")).await.created();
    let scale = format!("{sets}/db/scale");
    assert_eq!(server.get(&scale).await.ok()["status"]["selector"], "app=db");
    server.merge(&scale, json!({"spec": {"replicas": 1}})).await.ok();
    let db = server.get(&format!("{sets}/db")).await.ok();
    assert_eq!((&db["spec"]["replicas"], &db["metadata"]["generation"]), (&json!(1), &json!(2)));
}

async fn scale_keeps_to_the_version_it_was_read_at(server: &Server) {
    let widgets = with_widgets(server).await;
    server.post(&widgets, widget(server, "w", &json!({"max": 1, "replicas": 1}))).await.created();
    let scale = format!("{widgets}/w/scale");
    let read = server.get(&scale).await.ok();
    let wanted = |count: i64| {
        let mut wanted = read.clone();
        wanted["spec"]["replicas"] = json!(count);
        wanted
    };
    let written = server.put(&scale, wanted(2)).await.ok();
    assert_ne!(version(&written), version(&read));
    assert_eq!(version(&written), version(&server.get(&format!("{widgets}/w")).await.ok()));
    let late = server.put(&scale, wanted(3)).await;
    late.refused_with(409, "Conflict", &["the object has been modified"]);
    let patch = json!({"metadata": {"resourceVersion": version(&read)}, "spec": {"replicas": 3}});
    server.merge(&scale, patch).await.refused(409, "Conflict");
}

async fn scale_refuses_what_makes_no_sense(server: &Server) {
    let path = web(server, 1).await;
    let scale = format!("{path}/scale");
    let negative = server.merge(&scale, json!({"spec": {"replicas": -1}})).await;
    negative.refused_with(
        422,
        "Invalid",
        &["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    );
    let text = server.merge(&scale, json!({"spec": {"replicas": "many"}})).await;
    assert!([400, 422].contains(&text.code), "{}", text.body);
    let other = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "other", "namespace": server.namespace}, "spec": {"replicas": 2}});
    server.put(&scale, other).await.refused(400, "BadRequest");
    assert_eq!(server.get(&path).await.ok()["spec"]["replicas"], 1);
}

async fn scale_to_the_present_count_comes_to_rest(server: &Server) {
    let widgets = with_widgets(server).await;
    server.post(&widgets, widget(server, "w", &json!({"max": 1, "replicas": 2}))).await.created();
    // A real server may write twice who owns the count, though the count stays.
    for _ in 0..2 {
        server.merge(&format!("{widgets}/w/scale"), json!({"spec": {"replicas": 2}})).await.ok();
    }
    let before = server.get(&format!("{widgets}/w")).await.ok();
    assert_eq!(before["metadata"]["generation"], 1);
    server.merge(&format!("{widgets}/w/scale"), json!({"spec": {"replicas": 2}})).await.ok();
    assert_eq!(server.get(&format!("{widgets}/w")).await.ok(), before);
}

async fn scale_of_custom_resources_follows_their_paths(server: &Server) {
    let widgets = with_widgets(server).await;
    server.post(&widgets, widget(server, "w", &json!({"max": 1, "replicas": 2}))).await.created();
    let status = json!({"status": {"replicas": 1, "selector": "app=w"}});
    server.merge(&format!("{widgets}/w/status"), status).await.ok();
    let scale = server.get(&format!("{widgets}/w/scale")).await.ok();
    assert_eq!((&scale["kind"], &scale["apiVersion"]), (&json!("Scale"), &json!("autoscaling/v1")));
    assert_eq!(
        (&scale["spec"], &scale["status"]),
        (&json!({"replicas": 2}), &json!({"replicas": 1, "selector": "app=w"}))
    );
    let written = server.merge(&format!("{widgets}/w/scale"), json!({"spec": {"replicas": 4}})).await.ok();
    assert_eq!(written["spec"]["replicas"], 4);
    let object = server.get(&format!("{widgets}/w")).await.ok();
    assert_eq!((&object["spec"]["replicas"], &object["metadata"]["generation"]), (&json!(4), &json!(2)));
    server
        .merge(&format!("{widgets}/w/scale"), json!({"spec": {"replicas": -4}}))
        .await
        .refused(422, "Invalid");
}

async fn scale_of_custom_resources_without_replicas_is_an_error(server: &Server) {
    let widgets = with_widgets(server).await;
    server.post(&widgets, widget(server, "w", &json!({"max": 1}))).await.created();
    let refused = server.get(&format!("{widgets}/w/scale")).await;
    refused.refused_with(
        500,
        "InternalError",
        &["the spec replicas field \".spec.replicas\" does not exist"],
    );
}

async fn scale_of_what_is_not_there_is_not_found(server: &Server) {
    let path = format!("{}/none/scale", server.path(DEPLOYMENTS));
    let message = server.get(&path).await.refused(404, "NotFound");
    assert_eq!(message, "deployments.apps \"none\" not found");
    let absent: Value = json!({"spec": {"replicas": 1}});
    server.merge(&path, absent).await.refused(404, "NotFound");
}
