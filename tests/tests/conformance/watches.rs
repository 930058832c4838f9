//! Watches: where they begin, what they tell, how they end.

use serde_json::json;

use crate::{
    bodies::{MAPS, map, widget, with_widgets},
    case::cases,
    server::{Server, version},
};

cases! { ApiServer:
    a_watch_tells_what_happened_after_its_version,
    a_watch_without_a_version_begins_with_what_is_there,
    an_object_that_leaves_the_selection_is_deleted_for_the_watcher,
    a_write_that_changes_nothing_is_no_event,
    a_watch_of_one_object_hears_of_no_other,
    a_deletion_is_told_with_the_last_state_and_its_own_version,
    an_object_held_by_a_finalizer_is_modified_first_and_deleted_last,
    a_watch_ends_at_its_timeout,
    a_watch_with_bookmarks_gets_one_before_it_ends,
    a_watch_from_a_forgotten_version_gets_gone_as_an_event,
    a_streamed_list_ends_with_a_marked_bookmark,
    initial_events_are_asked_for_in_full_or_refused,
    custom_resources_are_watched_in_the_version_that_is_asked_for,
}

const MINE: &str = "&labelSelector=case%3Dmine";

fn told(what: &str, name: &str) -> (String, String) {
    (what.to_owned(), name.to_owned())
}

async fn present(server: &Server) -> String {
    version(&server.get(&server.path(MAPS)).await.ok())
}

async fn a_watch_tells_what_happened_after_its_version(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, map("a", &[])).await.created();
    let from = present(server).await;
    server.post(&maps, map("b", &[])).await.created();
    let mut events = server.watch(&maps, &format!("{MINE}&resourceVersion={from}")).await;
    assert_eq!(events.told().await, told("ADDED", "b"));
    server.merge(&format!("{maps}/a"), json!({"data": {"k": "v"}})).await.ok();
    server.delete(&format!("{maps}/b"), json!({})).await.ok();
    assert_eq!(events.told().await, told("MODIFIED", "a"));
    assert_eq!(events.told().await, told("DELETED", "b"));
    assert!(events.is_silent().await);
}

async fn a_watch_without_a_version_begins_with_what_is_there(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, map("a", &[])).await.created();
    for query in [MINE.to_owned(), format!("{MINE}&resourceVersion=0")] {
        let mut events = server.watch(&maps, &query).await;
        assert_eq!(events.told().await, told("ADDED", "a"), "{query}");
        assert!(events.is_silent().await);
    }
}

async fn an_object_that_leaves_the_selection_is_deleted_for_the_watcher(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, map("a", &[("tier", "web")])).await.created();
    server.post(&maps, map("b", &[("tier", "db")])).await.created();
    let from = present(server).await;
    let mut events = server.watch(&maps, &format!("{MINE},tier%3Dweb&resourceVersion={from}")).await;
    server.merge(&format!("{maps}/b"), json!({"metadata": {"labels": {"tier": "web"}}})).await.ok();
    assert_eq!(events.told().await, told("ADDED", "b"));
    let left = server.merge(&format!("{maps}/a"), json!({"metadata": {"labels": {"tier": "db"}}})).await.ok();
    let event = events.next().await.unwrap();
    assert_eq!(event["type"], "DELETED");
    // Its last selected state, under the version in which it left.
    assert_eq!(event["object"]["metadata"]["labels"]["tier"], "web");
    assert_eq!(version(&event["object"]), version(&left));
    server.merge(&format!("{maps}/a"), json!({"data": {"k": "v"}})).await.ok();
    assert!(events.is_silent().await);
}

async fn a_write_that_changes_nothing_is_no_event(server: &Server) {
    let maps = server.path(MAPS);
    let made = server.post(&maps, map("a", &[])).await.created();
    let mut events = server.watch(&maps, &format!("{MINE}&resourceVersion={}", version(&made))).await;
    server.merge(&format!("{maps}/a"), json!({"data": {"key": "value"}})).await.ok();
    server.put(&format!("{maps}/a"), made).await.ok();
    assert!(events.is_silent().await);
}

async fn a_watch_of_one_object_hears_of_no_other(server: &Server) {
    let maps = server.path(MAPS);
    let from = present(server).await;
    let mut events =
        server.watch(&maps, &format!("&fieldSelector=metadata.name%3Db&resourceVersion={from}")).await;
    server.post(&maps, map("a", &[])).await.created();
    server.post(&maps, map("b", &[])).await.created();
    assert_eq!(events.told().await, told("ADDED", "b"));
    assert!(events.is_silent().await);
}

async fn a_deletion_is_told_with_the_last_state_and_its_own_version(server: &Server) {
    let maps = server.path(MAPS);
    let made = server.post(&maps, map("a", &[])).await.created();
    let mut events = server.watch(&maps, &format!("{MINE}&resourceVersion={}", version(&made))).await;
    server.delete(&format!("{maps}/a"), json!({})).await.ok();
    let event = events.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["data"]), (&json!("DELETED"), &made["data"]));
    assert!(version(&event["object"]).parse::<u64>().unwrap() > version(&made).parse::<u64>().unwrap());
}

async fn an_object_held_by_a_finalizer_is_modified_first_and_deleted_last(server: &Server) {
    let maps = server.path(MAPS);
    let mut held = map("a", &[]);
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let made = server.post(&maps, held).await.created();
    let mut events = server.watch(&maps, &format!("{MINE}&resourceVersion={}", version(&made))).await;
    server.delete(&format!("{maps}/a"), json!({})).await.ok();
    let event = events.next().await.unwrap();
    assert_eq!(event["type"], "MODIFIED");
    assert!(event["object"]["metadata"]["deletionTimestamp"].is_string());
    server.merge(&format!("{maps}/a"), json!({"metadata": {"finalizers": null}})).await.ok();
    assert_eq!(events.told().await, told("DELETED", "a"));
}

async fn a_watch_ends_at_its_timeout(server: &Server) {
    let begun = tokio::time::Instant::now();
    let mut events = server.watch(&server.path(MAPS), &format!("{MINE}&timeoutSeconds=2")).await;
    assert_eq!(events.next().await, None);
    let lasted = begun.elapsed().as_millis();
    assert!((1900..3000).contains(&lasted), "{lasted} ms");
}

async fn a_watch_with_bookmarks_gets_one_before_it_ends(server: &Server) {
    let maps = server.path(MAPS);
    let made = server.post(&maps, map("a", &[])).await.created();
    let query =
        format!("{MINE}&resourceVersion={}&allowWatchBookmarks=true&timeoutSeconds=5", version(&made));
    let mut events = server.watch(&maps, &query).await;
    let changed = server.merge(&format!("{maps}/a"), json!({"data": {"k": "v"}})).await.ok();
    assert_eq!(events.told().await, told("MODIFIED", "a"));
    let bookmark = events.next().await.expect("a bookmark");
    assert_eq!((&bookmark["type"], &bookmark["object"]["kind"]), (&json!("BOOKMARK"), &json!("ConfigMap")));
    let reached = version(&bookmark["object"]).parse::<u64>().unwrap();
    assert!(reached >= version(&changed).parse().unwrap());
    while let Some(event) = events.next().await {
        assert_eq!(event["type"], "BOOKMARK");
    }
}

async fn a_watch_from_a_forgotten_version_gets_gone_as_an_event(server: &Server) {
    let widgets = with_widgets(server).await;
    server.forget_the_past();
    let mut events = server.watch(&widgets, "&resourceVersion=1").await;
    let event = events.next().await.unwrap();
    assert_eq!(event["type"], "ERROR");
    let status = &event["object"];
    assert_eq!((&status["code"], &status["reason"]), (&json!(410), &json!("Expired")));
    assert!(status["message"].as_str().unwrap().starts_with("too old resource version: 1 ("), "{status}");
    assert_eq!(events.next().await, None);
}

async fn a_streamed_list_ends_with_a_marked_bookmark(server: &Server) {
    let maps = server.path(MAPS);
    let made = server.post(&maps, map("a", &[])).await.created();
    let query =
        format!("{MINE}&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan");
    let mut events = server.watch(&maps, &query).await;
    assert_eq!(events.told().await, told("ADDED", "a"));
    let end = events.next().await.unwrap();
    assert_eq!(end["type"], "BOOKMARK");
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert!(version(&end["object"]).parse::<u64>().unwrap() >= version(&made).parse::<u64>().unwrap());
    server.post(&maps, map("b", &[])).await.created();
    assert_eq!(events.told().await, told("ADDED", "b"));
}

async fn initial_events_are_asked_for_in_full_or_refused(server: &Server) {
    let maps = server.path(MAPS);
    let refused = server.get(&format!("{maps}?watch=true&sendInitialEvents=true")).await;
    refused.refused_with(
        422,
        "Invalid",
        &["sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"],
    );
    let refused =
        server.get(&format!("{maps}?watch=true&resourceVersion=1&resourceVersionMatch=Exact")).await;
    let says = ["resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"];
    refused.refused_with(422, "Invalid", &says);
}

async fn custom_resources_are_watched_in_the_version_that_is_asked_for(server: &Server) {
    let widgets = with_widgets(server).await;
    let older = server.path(&format!("{}/v1beta1/widgets", server.group()));
    let from = version(&server.get(&widgets).await.ok());
    let mut events = server.watch(&older, &format!("&resourceVersion={from}")).await;
    server.post(&widgets, widget(server, "w", &json!({"max": 1}))).await.created();
    let event = events.next().await.unwrap();
    assert_eq!(event["type"], "ADDED");
    assert_eq!(event["object"]["apiVersion"], format!("{}/v1beta1", server.group()));
}
