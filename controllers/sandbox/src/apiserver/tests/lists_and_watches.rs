//! Lists, pages, selectors and watches.

use super::*;

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

async fn with_maps(labelled: &[(&str, &str)]) -> Api {
    let api = Api::new();
    for (name, tier) in labelled {
        api.post(CONFIG_MAPS, config_map(name, json!({"tier": tier}))).await.ok();
    }
    api
}

#[tokio::test(start_paused = true)]
async fn selectors_choose_by_labels_and_fields() {
    let api = with_maps(&[("a", "web"), ("b", "db"), ("c", "web")]).await;
    let chosen = [
        ("labelSelector=tier%3Dweb", vec!["a", "c"]),
        ("labelSelector=tier!%3Dweb", vec!["b"]),
        ("labelSelector=tier+in+(db,cache)", vec!["b"]),
        ("labelSelector=tier+notin+(db),tier", vec!["a", "c"]),
        ("labelSelector=!tier", vec![]),
        ("fieldSelector=metadata.name%3Db", vec!["b"]),
        ("fieldSelector=metadata.name!%3Db,metadata.namespace%3Ddefault", vec!["a", "c"]),
    ];
    for (query, expected) in chosen {
        let list = api.get(&format!("{CONFIG_MAPS}?{query}")).await.ok();
        assert_eq!(names(&list), expected, "{query}");
    }
    let unknown = api.get(&format!("{CONFIG_MAPS}?fieldSelector=data.x%3D1")).await;
    assert!(unknown.refused(400, "BadRequest").contains("\"data.x\" is not a known field selector"));
}

#[tokio::test(start_paused = true)]
async fn pages_show_the_state_at_the_first_of_them() {
    let api = with_maps(&[("a", "x"), ("b", "x"), ("c", "x")]).await;
    let first = api.get(&format!("{CONFIG_MAPS}?limit=1")).await.ok();
    assert_eq!(names(&first), ["a"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    api.delete(&format!("{CONFIG_MAPS}/b"), Value::Null).await.ok();
    api.post(CONFIG_MAPS, config_map("bb", json!({}))).await.ok();
    let next = first["metadata"]["continue"].as_str().unwrap();
    let second = api.get(&format!("{CONFIG_MAPS}?limit=5&continue={next}")).await.ok();
    assert_eq!(names(&second), ["b", "c"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
}

#[tokio::test(start_paused = true)]
async fn a_page_from_before_a_compaction_has_expired() {
    let api = with_maps(&[("a", "x"), ("b", "x")]).await;
    let first = api.get(&format!("{CONFIG_MAPS}?limit=1")).await.ok();
    let next = first["metadata"]["continue"].as_str().unwrap();
    api.post(CONFIG_MAPS, config_map("c", json!({}))).await.ok();
    api.server.compact();
    let expired = api.get(&format!("{CONFIG_MAPS}?continue={next}")).await;
    let inconsistent = expired.body["metadata"]["continue"].as_str().unwrap().to_owned();
    assert!(expired.refused(410, "Expired").starts_with("The provided continue parameter is too old"));
    let rest = api.get(&format!("{CONFIG_MAPS}?continue={inconsistent}")).await.ok();
    assert_eq!(names(&rest), ["b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn an_exact_revision_is_shown_while_it_is_remembered() {
    let api = with_maps(&[("a", "x")]).await;
    let then = api.get(CONFIG_MAPS).await.ok()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    api.post(CONFIG_MAPS, config_map("b", json!({}))).await.ok();
    let query = format!("{CONFIG_MAPS}?resourceVersion={then}&resourceVersionMatch=Exact");
    assert_eq!(names(&api.get(&query).await.ok()), ["a"]);
    api.server.compact();
    api.get(&query).await.refused(410, "Expired");
    let future = api.get(&format!("{CONFIG_MAPS}?resourceVersion=999999")).await;
    assert!(future.refused(504, "Timeout").starts_with("Too large resource version: 999999"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_what_happened_after_its_revision() {
    let api = with_maps(&[("a", "x")]).await;
    let from = api.get(CONFIG_MAPS).await.ok()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    api.post(CONFIG_MAPS, config_map("b", json!({}))).await.ok();
    let mut events = api.watch(&format!("{CONFIG_MAPS}?watch=true&resourceVersion={from}")).await;
    assert_eq!(events.told().await, told("ADDED", "b"));
    api.merge(&format!("{CONFIG_MAPS}/a"), json!({"data": {"k": "v"}})).await.ok();
    api.merge(&format!("{CONFIG_MAPS}/a"), json!({"data": {"k": "v"}})).await.ok();
    api.delete(&format!("{CONFIG_MAPS}/b"), Value::Null).await.ok();
    assert_eq!(events.told().await, told("MODIFIED", "a"));
    assert_eq!(events.told().await, told("DELETED", "b"));
    assert!(events.is_silent().await);
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_a_revision_begins_with_what_is_there() {
    let api = with_maps(&[("a", "x")]).await;
    let mut events = api.watch(&format!("{CONFIG_MAPS}?watch=true")).await;
    assert_eq!(events.told().await, told("ADDED", "a"));
    assert!(events.is_silent().await);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_leaves_the_selection_is_deleted_for_the_watcher() {
    let api = with_maps(&[("a", "web"), ("b", "db")]).await;
    let mut events = api.watch(&format!("{CONFIG_MAPS}?watch=true&labelSelector=tier%3Dweb")).await;
    assert_eq!(events.told().await, told("ADDED", "a"));
    api.merge(&format!("{CONFIG_MAPS}/b"), json!({"metadata": {"labels": {"tier": "web"}}})).await.ok();
    assert_eq!(events.told().await, told("ADDED", "b"));
    let left =
        api.merge(&format!("{CONFIG_MAPS}/a"), json!({"metadata": {"labels": {"tier": "db"}}})).await.ok();
    let event = events.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["metadata"]["labels"]["tier"]),
        (&json!("DELETED"), &json!("web"))
    );
    assert_eq!(event["object"]["metadata"]["resourceVersion"], left["metadata"]["resourceVersion"]);
    api.merge(&format!("{CONFIG_MAPS}/a"), json!({"data": {"k": "v"}})).await.ok();
    assert!(events.is_silent().await);
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_a_forgotten_revision_gets_gone_as_an_event() {
    let api = with_maps(&[("a", "x")]).await;
    api.server.compact();
    let mut events = api.watch(&format!("{CONFIG_MAPS}?watch=true&resourceVersion=1")).await;
    let event = events.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(event["object"]["reason"], "Expired");
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn history_is_forgotten_by_itself_after_many_changes() {
    let api = with_maps(&[("a", "x")]).await;
    let local = api.server.local("writer");
    for count in 0..2100 {
        let map =
            json!({"metadata": {"namespace": "default", "name": "a"}, "data": {"count": count.to_string()}});
        local.update(&crate::apiserver::kinds::CONFIG_MAPS, map).unwrap();
    }
    let mut events = api.watch(&format!("{CONFIG_MAPS}?watch=true&resourceVersion=10")).await;
    assert_eq!(events.next().await.unwrap()["type"], "ERROR");
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_at_its_timeout() {
    let api = Api::new();
    let begun = tokio::time::Instant::now();
    let mut events = api.watch(&format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=30")).await;
    assert!(events.next().await.is_none());
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_tell_progress_elsewhere() {
    let api = Api::new();
    let path =
        format!("{CONFIG_MAPS}?watch=true&resourceVersion=1&allowWatchBookmarks=true&timeoutSeconds=600");
    let mut events = api.watch(&path).await;
    let web = api.post(DEPLOYMENTS, deployment("web")).await.ok();
    let event = events.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["kind"]), (&json!("BOOKMARK"), &json!("ConfigMap")));
    assert_eq!(event["object"]["metadata"]["resourceVersion"], web["metadata"]["resourceVersion"]);
}

#[tokio::test(start_paused = true)]
async fn streaming_lists_end_with_a_marked_bookmark() {
    let api = with_maps(&[("a", "x")]).await;
    let path = format!(
        "{CONFIG_MAPS}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    );
    let mut events = api.watch(&path).await;
    assert_eq!(events.told().await, told("ADDED", "a"));
    let end = events.next().await.unwrap();
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    let wrong = api.get(&format!("{CONFIG_MAPS}?watch=true&sendInitialEvents=true")).await;
    assert!(
        wrong.refused(422, "Invalid").contains("sendInitialEvents requires setting resourceVersionMatch")
    );
}

#[tokio::test(start_paused = true)]
async fn models_see_every_change_in_order() {
    let api = Api::new();
    let local = api.server.local("model");
    let mut changes = local.changes();
    api.post(DEPLOYMENTS, deployment("web")).await.ok();
    api.merge(WEB, json!({"spec": {"replicas": 4}})).await.ok();
    api.delete(WEB, Value::Null).await.ok();
    let mut revisions = Vec::new();
    for expected in [
        crate::apiserver::ChangeType::Added,
        crate::apiserver::ChangeType::Modified,
        crate::apiserver::ChangeType::Deleted,
    ] {
        let change = changes.next().await;
        assert_eq!(change.what, expected);
        assert_eq!(*change.kind, crate::apiserver::kinds::DEPLOYMENTS);
        revisions.push(change.revision);
    }
    assert!(revisions.is_sorted());
    assert!(changes.ready().is_none());
}
