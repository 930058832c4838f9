//! A candidate against a server that answers as it is told to: when it leads, and when no more.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use super::*;
use crate::{
    cache::Cache,
    clock::TokioClock,
    fake::{self, Answer, FakeServer, failure, refusal},
    metrics::Mirror,
};

fn lease(holder: &str, version: u32) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": "fedscaler", "namespace": "system", "resourceVersion": version.to_string() },
        "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 1 },
    })
}

fn there(holder: &str, version: u32) -> Answer {
    Answer::Json(200, lease(holder, version))
}

fn candidate(server: &FakeServer) -> (Candidate, Term) {
    let clock =
        Arc::new(TokioClock::starting_at(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
    let election = Election {
        namespace: "system".to_owned(),
        name: "fedscaler".to_owned(),
        identity: "me".to_owned(),
        terms: Terms::USUAL,
    };
    Candidate::new(server.client(), clock, election)
}

fn methods(server: &FakeServer) -> Vec<String> {
    let method = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    server.calls().iter().map(|call| method(&call.line)).collect()
}

#[test]
fn the_only_process_leads_for_ever() {
    assert!(sole().outlives(Duration::from_hours(1)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_the_term_may_not_outlive() {
    let server = FakeServer::answering([there("", 1), there("me", 2), there("me", 3)]);
    let (mut candidate, term) = candidate(&server);
    let lease: Api<Lease> = Api::namespaced(server.client(), "system");
    let early = term.write(Duration::from_secs(5), lease.get("fedscaler")).await;
    assert!(matches!(early, Err(CallError::NotLeading)));
    tokio::select! {
        biased;
        () = candidate.lead() => panic!("lost"),
        () = term.clone().began() => {}
    }
    let long = term.write(Duration::from_secs(10), lease.get("fedscaler")).await;
    assert!(matches!(long, Err(CallError::NotLeading)));
    term.write(Duration::from_secs(5), lease.get("fedscaler")).await.unwrap();
    assert_eq!(methods(&server), ["GET", "PUT", "GET"]);
}

#[tokio::test(start_paused = true)]
async fn only_who_leads_shows_gauges_of_objects() {
    let server =
        FakeServer::answering([refusal(404, "NotFound"), Answer::Json(201, lease("me", 1)), there("me", 2)]);
    let (mut candidate, term) = candidate(&server);
    let (metrics, cache) = (fake::metrics(), [ConfigMap::default()].into_iter().collect::<Cache<_>>());
    let gauges = [("lamps", "Lamps.", [].as_slice())];
    let mirror = Mirror::new((&cache, &term), gauges, |_: &ConfigMap, [lamps]| lamps.set(&[], 1.0));
    metrics.register(mirror.unwrap()).unwrap();
    let is_shown = || metrics.render().unwrap().contains("\nlamps 1");
    // Followers hold the same objects: sums over processes would count them twice.
    assert!(!is_shown());
    let leading = tokio::spawn(async move { candidate.lead().await });
    term.began().await;
    assert!(is_shown());
    leading.await.unwrap();
    assert!(!is_shown());
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_lease_makes_it_and_leads_as_long_as_it_renews() {
    let server = FakeServer::answering([
        refusal(404, "NotFound"),
        Answer::Json(201, lease("me", 1)),
        there("me", 2),
        there("me", 3),
    ]);
    let (mut candidate, term) = candidate(&server);
    assert!(!term.outlives(Duration::ZERO));
    let leading = tokio::spawn(async move { candidate.lead().await });
    term.clone().began().await;
    assert!(term.outlives(Duration::from_secs(9)) && !term.outlives(Duration::from_secs(10)));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(methods(&server)[..4], ["GET", "POST", "PUT", "PUT"]);
    // From now on the server is silent: nothing that takes longer than what is left may begin.
    leading.await.unwrap();
    assert!(!term.outlives(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn another_leads_until_its_lease_was_seen_unchanged_for_its_whole_time() {
    // Looked at each 2 s, and once more when its time is over.
    let answers = (0..9).map(|_| there("other", 7)).chain([there("me", 8)]);
    let server = FakeServer::answering(answers);
    let (mut candidate, term) = candidate(&server);
    let began = Instant::now();
    tokio::spawn(async move { candidate.lead().await });
    tokio::time::timeout(Duration::from_mins(1), term.began()).await.unwrap();
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(15) && waited < Duration::from_secs(18), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_changed_hands_ends_the_term_at_once() {
    let server = FakeServer::answering([
        there("", 1),
        there("me", 2),
        Answer::Json(409, failure(409, "Conflict")),
        there("other", 5),
    ]);
    let (mut candidate, term) = candidate(&server);
    candidate.lead().await;
    assert!(!term.outlives(Duration::ZERO));
    assert_eq!(methods(&server), ["GET", "PUT", "PUT", "GET"]);
}

#[tokio::test(start_paused = true)]
async fn one_answer_that_does_not_come_is_no_end() {
    let server = FakeServer::answering([
        there("", 1),
        there("me", 2),
        refusal(500, "InternalError"),
        there("me", 2),
        there("me", 3),
        there("me", 4),
    ]);
    let (mut candidate, term) = candidate(&server);
    tokio::spawn(async move { candidate.lead().await });
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert!(term.outlives(Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn who_goes_gives_the_lease_back() {
    let server = FakeServer::answering([there("", 1), there("me", 2), there("me", 3), there("", 4)]);
    let (mut candidate, term) = candidate(&server);
    tokio::select! {
        biased;
        () = candidate.lead() => panic!("lost"),
        () = term.clone().began() => {}
    }
    candidate.give_back().await;
    assert!(!term.outlives(Duration::ZERO));
    let calls = server.calls();
    let last = calls.last().unwrap();
    assert_eq!(last.body.pointer("/spec/holderIdentity"), Some(&json!("")));
    assert_eq!(last.body.pointer("/metadata/resourceVersion"), Some(&json!("3")));
}

#[tokio::test(start_paused = true)]
async fn who_never_led_gives_nothing_back() {
    let server = FakeServer::answering([there("other", 1)]);
    let (candidate, _term) = candidate(&server);
    candidate.give_back().await;
    assert_eq!(server.calls(), []);
}
