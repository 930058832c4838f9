//! What the controllers of Kubernetes add to an API server and the sandbox has built in: garbage collection, and
//! emptying namespaces that go.

use serde_json::{Value, json};

use crate::{
    bodies::{MAPS, map, widget, with_widgets},
    case::cases,
    server::Server,
};

cases! { Controllers:
    what_has_no_owner_left_is_collected,
    an_object_whose_owner_never_was_is_collected,
    orphans_stay,
    a_foreground_deletion_waits_for_those_that_block_it,
    a_namespace_goes_when_it_is_empty,
    an_owner_in_another_namespace_is_none,
}

fn reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"], "kind": owner["kind"],
        "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "blockOwnerDeletion": true,
    })
}

fn owned_by(name: &str, owners: &[&Value]) -> Value {
    let mut map = map(name, &[]);
    map["metadata"]["ownerReferences"] = owners.iter().map(|owner| reference(owner)).collect();
    map
}

async fn until_gone(server: &Server, path: &str) {
    server
        .until(&format!("{path} is gone"), async || (server.get(path).await.code == 404).then_some(()))
        .await;
}

async fn what_has_no_owner_left_is_collected(server: &Server) {
    let maps = server.path(MAPS);
    let widgets = with_widgets(server).await;
    let owner = server.post(&widgets, widget(server, "owner", &json!({"max": 1}))).await.created();
    let other = server.post(&maps, map("other", &[])).await.created();
    server.post(&maps, owned_by("one", &[&owner])).await.created();
    server.post(&maps, owned_by("two", &[&owner, &other])).await.created();
    server.delete(&format!("{widgets}/owner"), json!({"propagationPolicy": "Background"})).await.ok();
    until_gone(server, &format!("{maps}/one")).await;
    let two = server.until("the owner is let go", async || {
        let two = server.get(&format!("{maps}/two")).await.ok();
        (two["metadata"]["ownerReferences"].as_array().unwrap().len() == 1).then_some(two)
    });
    assert_eq!(two.await["metadata"]["ownerReferences"][0]["name"], "other");
}

async fn an_object_whose_owner_never_was_is_collected(server: &Server) {
    let maps = server.path(MAPS);
    let mut owner = map("none", &[]);
    owner["metadata"]["uid"] = json!("11111111-2222-4333-8444-555555555555");
    server.post(&maps, owned_by("orphan", &[&owner])).await.created();
    until_gone(server, &format!("{maps}/orphan")).await;
}

async fn orphans_stay(server: &Server) {
    let maps = server.path(MAPS);
    let owner = server.post(&maps, map("owner", &[])).await.created();
    server.post(&maps, owned_by("one", &[&owner])).await.created();
    server.delete(&format!("{maps}/owner"), json!({"propagationPolicy": "Orphan"})).await.ok();
    until_gone(server, &format!("{maps}/owner")).await;
    let one = server.get(&format!("{maps}/one")).await.ok();
    assert_eq!(one["metadata"].get("ownerReferences"), None);
}

async fn a_foreground_deletion_waits_for_those_that_block_it(server: &Server) {
    let maps = server.path(MAPS);
    let owner = server.post(&maps, map("owner", &[])).await.created();
    let mut held = owned_by("held", &[&owner]);
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    server.post(&maps, held).await.created();
    let leaving =
        server.delete(&format!("{maps}/owner"), json!({"propagationPolicy": "Foreground"})).await.ok();
    assert_eq!(leaving["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    let asked = async || {
        server.get(&format!("{maps}/held")).await.ok()["metadata"]["deletionTimestamp"]
            .is_string()
            .then_some(())
    };
    server.until("the dependent is asked to go", asked).await;
    server.get(&format!("{maps}/owner")).await.ok();
    server.merge(&format!("{maps}/held"), json!({"metadata": {"finalizers": null}})).await.ok();
    until_gone(server, &format!("{maps}/owner")).await;
}

async fn a_namespace_goes_when_it_is_empty(server: &Server) {
    let leaving = server.new_namespace().await;
    let maps = format!("/api/v1/namespaces/{leaving}/configmaps");
    let mut held = map("held", &[]);
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    server.post(&maps, held).await.created();
    server.post(&maps, map("free", &[])).await.created();
    server.delete(&format!("/api/v1/namespaces/{leaving}"), json!({})).await.ok();
    until_gone(server, &format!("{maps}/free")).await;
    server.get(&format!("/api/v1/namespaces/{leaving}")).await.ok();
    server.merge(&format!("{maps}/held"), json!({"metadata": {"finalizers": null}})).await.ok();
    until_gone(server, &format!("/api/v1/namespaces/{leaving}")).await;
}

async fn an_owner_in_another_namespace_is_none(server: &Server) {
    let other = server.new_namespace().await;
    let owner = server.post(&server.path(MAPS), map("owner", &[])).await.created();
    let maps = format!("/api/v1/namespaces/{other}/configmaps");
    server.post(&maps, owned_by("one", &[&owner])).await.created();
    until_gone(server, &format!("{maps}/one")).await;
    server.delete(&format!("/api/v1/namespaces/{other}"), json!({})).await.ok();
}
