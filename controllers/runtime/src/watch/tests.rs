//! Watches against a scripted API server, under paused time.

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::fake::{Answer, FakeServer, config_map, event, failure, list, metrics, refusal};

const A_WHILE: Duration = Duration::from_secs(1);

struct Scene {
    server: FakeServer,
    readiness: Readiness,
    metrics: Metrics,
    watched: Watched<ConfigMap>,
}

fn scene(answers: impl IntoIterator<Item = Answer>) -> Scene {
    let server = FakeServer::answering(answers);
    let (readiness, metrics) = (Readiness::default(), metrics());
    let watch = Watch::<ConfigMap>::of(Api::all(server.client())).labels("made-by=us");
    let watched = watch.start(&readiness, &metrics);
    Scene { server, readiness, metrics, watched }
}

impl Scene {
    fn state(&self) -> WatchState {
        self.readiness.get("configmaps made-by=us").unwrap()
    }

    fn known(&self) -> Vec<String> {
        let objects = self.watched.cache().all();
        let named =
            |object: &Arc<ConfigMap>| format!("{}@{}", object.name_any(), object.resource_version().unwrap());
        objects.iter().map(named).collect()
    }

    fn counted(&self, line: &str) -> bool {
        self.metrics.render().unwrap().lines().any(|other| other == line)
    }
}

fn told(change: &Change<ConfigMap>) -> String {
    let version =
        |object: &Arc<ConfigMap>| format!("{}@{}", object.name_any(), object.resource_version().unwrap());
    match change {
        Change::Added(object) => format!("+{}", version(object)),
        Change::Modified { before, after } => format!("{}->{}", version(before), version(after)),
        Change::Deleted(object) => format!("-{}", version(object)),
    }
}

async fn heard(changes: &mut (impl Stream<Item = Change<ConfigMap>> + Unpin)) -> Vec<String> {
    let mut heard = Vec::new();
    while let Ok(Some(change)) = timeout(Duration::from_mins(5), changes.next()).await {
        heard.push(told(&change));
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn the_list_and_then_each_change_reach_the_cache_and_the_listeners() {
    let scene = scene([
        list(10, [config_map("b", 3), config_map("a", 2)]),
        Answer::LinesThenSilence(vec![
            event("MODIFIED", config_map("a", 11)),
            event("ADDED", config_map("c", 12)),
            event("DELETED", config_map("b", 13)),
        ]),
    ]);
    let mut changes = scene.watched.changes();
    assert_eq!(scene.state(), WatchState::Syncing);
    assert_eq!(heard(&mut changes).await, ["+a@2", "+b@3", "a@2->a@11", "+c@12", "-b@3"]);
    assert_eq!(scene.known(), ["a@11", "c@12"]);
    assert_eq!(scene.state(), WatchState::Synced);
    assert!(
        scene.server.calls()[0].line.contains("labelSelector=made-by%3Dus"),
        "{:?}",
        scene.server.calls()
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_listener_hears_first_what_is_known() {
    let scene = scene([list(10, [config_map("a", 2)])]);
    scene.watched.cache().synced().await;
    assert_eq!(heard(&mut scene.watched.changes()).await, ["+a@2"]);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_is_skipped_and_counted() {
    let mut broken = config_map("broken", 4);
    broken["data"] = json!("not a map");
    let scene = scene([
        list(10, [config_map("a", 2), broken.clone(), config_map("z", 3)]),
        Answer::LinesThenSilence(vec![event("MODIFIED", broken), event("ADDED", config_map("m", 12))]),
    ]);
    sleep(A_WHILE).await;
    assert_eq!(scene.known(), ["a@2", "m@12", "z@3"]);
    assert!(scene.counted("fedscaler_watch_malformed_objects_total{resource=\"configmaps\"} 2"));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_becomes_unreadable_stays_as_it_was_until_it_is_deleted() {
    let mut broken = config_map("a", 11);
    broken["data"] = json!(7);
    let scene = scene([
        list(10, [config_map("a", 2)]),
        Answer::LinesThenSilence(vec![
            event("MODIFIED", broken.clone()),
            event("ERROR", failure(410, "Expired")),
        ]),
        list(12, [broken.clone()]),
        Answer::LinesThenSilence(vec![event("ADDED", config_map("b", 13)), event("DELETED", broken)]),
    ]);
    assert_eq!(heard(&mut scene.watched.changes()).await, ["+a@2", "+b@13", "-a@2"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_410_the_list_is_read_again_and_brings_only_what_differs() {
    for gone in
        [Answer::LinesThenSilence(vec![event("ERROR", failure(410, "Expired"))]), refusal(410, "Expired")]
    {
        let scene = scene([
            list(10, [config_map("a", 2), config_map("b", 3)]),
            gone,
            list(20, [config_map("a", 2), config_map("c", 15)]),
        ]);
        assert_eq!(heard(&mut scene.watched.changes()).await, ["+a@2", "+b@3", "-b@3", "+c@15"]);
        assert_eq!(scene.state(), WatchState::Synced);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_server_is_asked_again_with_growing_delays_and_shown_as_failing() {
    let failures = (0..6).map(|_| refusal(500, "InternalError"));
    let scene = scene(failures.chain([list(10, [config_map("a", 2)])]));
    sleep(A_WHILE * 2).await;
    assert_eq!(
        scene.state(),
        WatchState::Failing("unavailable: the server says 500: InternalError".to_owned())
    );
    assert!(!scene.readiness.is_ready());
    let start = Instant::now();
    scene.watched.cache().synced().await;
    assert!(
        (Duration::from_secs(10)..Duration::from_mins(2)).contains(&start.elapsed()),
        "{:?}",
        start.elapsed()
    );
    assert!(scene.readiness.is_ready());
    assert!(scene.counted("fedscaler_watch_errors_total{class=\"unavailable\",resource=\"configmaps\"} 6"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_breaks_or_is_ended_by_the_server_is_resumed_where_it_was() {
    let news = || vec![event("MODIFIED", config_map("a", 11))];
    for end in [Answer::LinesThenBreak(news()), Answer::Lines(news())] {
        let more = Answer::LinesThenSilence(vec![event("ADDED", config_map("b", 12))]);
        let scene = scene([list(10, [config_map("a", 2)]), end, more]);
        assert_eq!(heard(&mut scene.watched.changes()).await, ["+a@2", "a@2->a@11", "+b@12"]);
        assert!(scene.server.calls()[2].line.contains("resourceVersion=11"), "{:?}", scene.server.calls());
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumed_watch_that_has_nothing_to_say_is_well_again() {
    let scene = scene([
        list(10, [config_map("a", 2)]),
        refusal(503, "ServiceUnavailable"),
        Answer::LinesThenSilence(vec![]),
    ]);
    sleep(A_WHILE / 2).await;
    assert!(matches!(scene.state(), WatchState::Failing(_)));
    sleep(CALM + A_WHILE * 2).await;
    assert_eq!(scene.state(), WatchState::Synced);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_never_comes_is_given_up_and_asked_for_again() {
    let scene = scene([Answer::Silence, list(10, [config_map("a", 2)])]);
    let start = Instant::now();
    scene.watched.cache().synced().await;
    assert!((LIST_BUDGET..LIST_BUDGET * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert!(scene.counted("fedscaler_watch_errors_total{class=\"timeout\",resource=\"configmaps\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_died_unnoticed_is_given_up_and_what_was_missed_is_found() {
    let scene = scene([list(10, [config_map("a", 2)]), Answer::Silence, list(20, [config_map("a", 15)])]);
    sleep(LONGEST_SILENCE / 2).await;
    assert_eq!(scene.known(), ["a@2"]);
    sleep(LONGEST_SILENCE).await;
    assert_eq!(scene.known(), ["a@15"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_whose_crd_is_absent_is_named_and_found_when_it_comes() {
    let scene = scene([refusal(404, "NotFound"), refusal(404, "NotFound"), list(10, [config_map("a", 2)])]);
    sleep(A_WHILE).await;
    assert_eq!(scene.state(), WatchState::Absent);
    assert!(scene.readiness.report().starts_with("[-] configmaps made-by=us: absent"));
    sleep(ABSENT_PAUSE * 2).await;
    assert_eq!(scene.known(), ["a@2"]);
    assert!(scene.readiness.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_long_list_is_read_in_pages() {
    let mut first = json!({
        "apiVersion": "v1", "kind": "ConfigMapList",
        "metadata": { "resourceVersion": "10", "continue": "next" }, "items": [config_map("a", 2)],
    });
    first["metadata"]["remainingItemCount"] = json!(1);
    let scene = scene([Answer::Json(200, first), list(10, [config_map("b", 3)])]);
    scene.watched.cache().synced().await;
    assert_eq!(scene.known(), ["a@2", "b@3"]);
    let calls = scene.server.calls();
    assert!(calls[0].line.contains("limit=500") && calls[1].line.contains("continue=next"), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_is_not_kept() {
    let mut object = config_map("a", 2);
    object["data"] = json!({ "big": "x".repeat(1000) });
    object["metadata"]["managedFields"] = json!([{ "manager": "kubectl", "operation": "Apply" }]);
    let server = FakeServer::answering([list(10, [object])]);
    let watch = Watch::<ConfigMap>::of(Api::all(server.client())).prune(|object| object.data = None);
    let watched = watch.start(&Readiness::default(), &metrics());
    watched.cache().synced().await;
    let kept = watched.cache().get(&ObjectKey::within("default", "a")).unwrap();
    assert_eq!((kept.data.is_none(), kept.managed_fields().len()), (true, 0));
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_nobody_holds_anything_of_it() {
    let scene = scene([list(10, [config_map("a", 2)])]);
    scene.watched.cache().synced().await;
    let shared = Arc::downgrade(&scene.watched.shared);
    let (cache, readiness) = (scene.watched.cache().clone(), scene.readiness.clone());
    drop(scene);
    sleep(A_WHILE).await;
    assert!(shared.upgrade().is_some(), "the cache is held: it must be kept up to date");
    drop(cache);
    sleep(A_WHILE).await;
    assert!(shared.upgrade().is_none());
    assert_eq!(readiness.report(), "");
}

#[tokio::test(start_paused = true)]
async fn what_an_object_pointed_to_before_is_touched_as_well() {
    let pointing = |to: &str, version| {
        let mut object = config_map("a", version);
        object["data"] = json!({ "to": to });
        object
    };
    let scene = scene([
        list(10, [pointing("x", 2)]),
        Answer::LinesThenSilence(vec![event("MODIFIED", pointing("y", 11))]),
    ]);
    let target = |object: &ConfigMap| {
        object
            .data
            .iter()
            .filter_map(|fields| fields.get("to"))
            .map(ObjectKey::cluster_scoped)
            .collect::<Vec<_>>()
    };
    let mut keys = std::pin::pin!(touching(scene.watched.changes(), target));
    let mut touched = Vec::new();
    while let Ok(Some(key)) = timeout(A_WHILE, keys.next()).await {
        touched.push(key.name);
    }
    assert_eq!(touched, ["x", "x", "y"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_known_only_at_run_time_is_watched_as_well() {
    let kind = kube::core::ApiResource {
        group: "apps.kruise.io".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "apps.kruise.io/v1alpha1".to_owned(),
        kind: "CloneSet".to_owned(),
        plural: "clonesets".to_owned(),
    };
    let mut object = config_map("a", 2);
    object["spec"] = json!({ "replicas": 3 });
    let server = FakeServer::answering([list(10, [object])]);
    let readiness = Readiness::default();
    let api = Api::all_with(server.client(), &kind);
    let watched =
        Watch::<kube::core::DynamicObject>::of_kind(api, kind).optional().start(&readiness, &metrics());
    watched.cache().synced().await;
    assert_eq!(watched.cache().all()[0].data["spec"]["replicas"], 3);
    assert_eq!(readiness.report(), "[+] clonesets.apps.kruise.io: synced\n");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_an_optional_kind_that_is_not_served_and_what_was_known_of_it_is_gone_with_it() {
    let listed = list(10, [config_map("a", 2)]);
    let expired = Answer::LinesThenSilence(vec![event("ERROR", failure(410, "Expired"))]);
    let server = FakeServer::answering([refusal(404, "NotFound"), listed, expired, refusal(404, "NotFound")]);
    let readiness = Readiness::default();
    let watched = Watch::<ConfigMap>::of(Api::all(server.client())).optional().start(&readiness, &metrics());
    watched.cache().synced().await;
    assert!(watched.cache().is_empty() && readiness.is_ready(), "{}", readiness.report());
    assert_eq!(heard(&mut watched.changes()).await, ["+a@2", "-a@2"]);
}
