//! Namespaces, as far as the API server alone is concerned.

use serde_json::json;

use crate::{
    bodies::{MAPS, map},
    case::cases,
    server::{Server, text},
};

cases! { ApiServer:
    a_namespace_is_active_and_labelled_with_its_name,
    nothing_is_created_where_there_is_no_namespace,
    reading_where_there_is_no_namespace_finds_nothing,
    nothing_is_created_in_a_namespace_on_its_way_out,
    objects_of_namespaces_do_not_meet,
}

async fn a_namespace_is_active_and_labelled_with_its_name(server: &Server) {
    let namespace = server.get(&format!("/api/v1/namespaces/{}", server.namespace)).await.ok();
    assert_eq!(namespace["status"]["phase"], "Active");
    assert_eq!(namespace["metadata"]["labels"]["kubernetes.io/metadata.name"], server.namespace);
    assert_eq!(namespace["spec"]["finalizers"], json!(["kubernetes"]));
}

async fn nothing_is_created_where_there_is_no_namespace(server: &Server) {
    let nowhere = format!("/api/v1/namespaces/{}-none/configmaps", server.namespace);
    let message = server.post(&nowhere, map("one", &[])).await.refused(404, "NotFound");
    assert_eq!(message, format!("namespaces \"{}-none\" not found", server.namespace));
}

async fn reading_where_there_is_no_namespace_finds_nothing(server: &Server) {
    let nowhere = format!("/api/v1/namespaces/{}-none/configmaps", server.namespace);
    assert_eq!(server.get(&nowhere).await.ok()["items"], json!([]));
    let message = server.get(&format!("{nowhere}/one")).await.refused(404, "NotFound");
    assert_eq!(message, "configmaps \"one\" not found");
}

async fn nothing_is_created_in_a_namespace_on_its_way_out(server: &Server) {
    let leaving = server.new_namespace().await;
    let maps = format!("/api/v1/namespaces/{leaving}/configmaps");
    let mut held = map("held", &[]);
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    server.post(&maps, held).await.created();
    let namespace = server.delete(&format!("/api/v1/namespaces/{leaving}"), json!({})).await.ok();
    assert_eq!(
        (text(&namespace["status"]["phase"]), text(&namespace["metadata"]["name"])),
        ("Terminating".to_owned(), leaving.clone())
    );
    let late = async || {
        let late = server.post(&maps, map("late", &[])).await;
        (late.code == 403).then_some(late)
    };
    let late = server.until("the namespace is closed", late).await;
    assert_eq!(late.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
    assert_eq!(
        late.refused(403, "Forbidden"),
        format!(
            "configmaps \"late\" is forbidden: unable to create new content in namespace {leaving} because it is being terminated"
        )
    );
    server.merge(&format!("{maps}/held"), json!({"metadata": {"finalizers": null}})).await.ok();
}

async fn objects_of_namespaces_do_not_meet(server: &Server) {
    let other = server.new_namespace().await;
    let elsewhere = format!("/api/v1/namespaces/{other}/configmaps");
    server.post(&server.path(MAPS), map("one", &[])).await.created();
    let there = server.post(&elsewhere, map("one", &[("at", "other")])).await.created();
    server.delete(&format!("{}/one", server.path(MAPS)), json!({})).await.ok();
    assert_eq!(server.get(&format!("{elsewhere}/one")).await.ok(), there);
    server.delete(&format!("/api/v1/namespaces/{other}"), json!({})).await.ok();
}
