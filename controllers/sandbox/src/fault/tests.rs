//! What a client behind a faulty connection lives through.

use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::time::{Instant, timeout};
use tower::{Layer, ServiceExt};

use super::*;
use crate::{
    apiserver::{ApiServer, ResponseBody, kinds::CONFIG_MAPS},
    clock::TokioClock,
};

type Answer = Result<Response<ResponseBody>, Undelivered>;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

struct Wire {
    server: ApiServer,
    faults: Faults,
}

impl Wire {
    fn new() -> Self {
        let start = "2026-09-21T08:00:00Z".parse().unwrap();
        Self {
            server: ApiServer::new("test", Arc::new(TokioClock::starting_at(start))),
            faults: Faults::new(),
        }
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path.parse::<Uri>().unwrap());
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        self.faults.layer(self.server.service()).oneshot(request).await
    }

    async fn make(&self, name: &str) -> Answer {
        let map = json!({"metadata": {"name": name}}).to_string();
        self.send(Method::POST, &format!("{MAPS}?fieldManager=tester"), &map).await
    }

    fn is_there(&self, name: &str) -> bool {
        self.server.local("test").get(&CONFIG_MAPS, "default", name).is_some()
    }
}

async fn never(answer: impl Future<Output = Answer>) {
    assert!(timeout(Duration::from_hours(1), answer).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_a_write_loses_it_and_all_that_follows() {
    let wire = Wire::new();
    wire.faults.crash_at_write(2, Crash::Before);
    wire.make("a").await.unwrap();
    never(wire.make("b")).await;
    never(wire.send(Method::GET, MAPS, "")).await;
    assert!(wire.faults.has_crashed() && wire.is_there("a") && !wire.is_there("b"));
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_a_write_keeps_it() {
    let wire = Wire::new();
    wire.faults.crash_at_write(1, Crash::After);
    never(wire.make("a")).await;
    wire.faults.crashed().await;
    assert!(wire.is_there("a"));
    assert_eq!(
        wire.faults.writes(),
        [WriteRecord {
            method: Method::POST,
            path: MAPS.to_owned(),
            manager: Some("tester".to_owned()),
            code: StatusCode::CREATED,
        }]
    );
}

#[tokio::test(start_paused = true)]
async fn scripted_answers_are_given_so_many_times() {
    let wire = Wire::new();
    wire.faults.answer(Which::of(Method::POST, "configmaps"), StatusCode::SERVICE_UNAVAILABLE, 2);
    for _ in 0..2 {
        assert_eq!(wire.make("a").await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(wire.send(Method::GET, MAPS, "").await.unwrap().status(), StatusCode::OK);
    assert_eq!(wire.make("a").await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(wire.faults.count_writes(&Which::on("configmaps")), 1);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_request_takes_that_long() {
    let wire = Wire::new();
    wire.faults.delay(Which::default(), Duration::from_secs(7), 1);
    let begun = Instant::now();
    wire.make("a").await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_partition_fails_requests_and_breaks_watches_until_healed() {
    let wire = Wire::new();
    let mut body = wire.send(Method::GET, &format!("{MAPS}?watch=true"), "").await.unwrap().into_body();
    wire.faults.partition();
    assert!(body.frame().await.unwrap().is_err());
    assert!(body.frame().await.is_none());
    assert!(wire.make("a").await.is_err());
    wire.faults.heal();
    wire.make("a").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn watches_expire_lose_events_and_lag() {
    let wire = Wire::new();
    let watch = format!("{MAPS}?watch=true");
    wire.faults.expire_watches(Which::on("configmaps"), 1);
    let body = wire.send(Method::GET, &watch, "").await.unwrap().into_body();
    let event: serde_json::Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));

    wire.faults.drop_events(Which::on("configmaps"), 1);
    wire.faults.delay_events(Which::on("configmaps"), Duration::from_secs(5), 1);
    let mut body = wire.send(Method::GET, &watch, "").await.unwrap().into_body();
    wire.make("a").await.unwrap();
    wire.make("b").await.unwrap();
    let begun = Instant::now();
    let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let event: serde_json::Value = serde_json::from_slice(&frame).unwrap();
    assert_eq!(event["object"]["metadata"]["name"], "b");
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn chance_is_the_same_for_the_same_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let wire = Wire::new();
        wire.faults.scatter(7, 400);
        let mut codes = Vec::new();
        for count in 0..40 {
            codes.push(wire.make(&format!("map-{count}")).await.unwrap().status());
        }
        wire.faults.clear_up();
        assert_eq!(wire.make("after").await.unwrap().status(), StatusCode::CREATED);
        runs.push(codes);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&StatusCode::CREATED) && runs[0].iter().any(|code| !code.is_success()));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_hides_a_write_that_took_effect() {
    let wire = Wire::new();
    wire.faults.lose_answers(Which::of(Method::POST, MAPS), 1);
    assert_eq!(wire.make("a").await.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(wire.is_there("a"));
    assert_eq!(wire.faults.writes()[0].code, StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn a_stale_read_is_an_answer_of_the_past() {
    let wire = Wire::new();
    let names = async || {
        let body = wire.send(Method::GET, MAPS, "").await.unwrap().into_body();
        let list: serde_json::Value =
            serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(names().await, 0);
    wire.make("a").await.unwrap();
    assert_eq!(names().await, 1);
    wire.faults.stale_reads(Which::of(Method::GET, MAPS), 1);
    assert_eq!([names().await, names().await], [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_at_its_gate_while_others_pass() {
    let wire = Wire::new();
    let gate = wire.faults.hold(Which::of(Method::POST, MAPS));
    let held = wire.make("held");
    let meanwhile = async {
        gate.arrival().await;
        wire.make("other").await.unwrap();
        assert!(wire.is_there("other") && !wire.is_there("held"));
        gate.open();
    };
    let (held, ()) = tokio::join!(held, meanwhile);
    assert_eq!(held.unwrap().status(), StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn watches_under_way_can_be_made_late_and_prompt_again() {
    let wire = Wire::new();
    let mut events = wire.send(Method::GET, &format!("{MAPS}?watch=true"), "").await.unwrap().into_body();
    wire.faults.lag_watches(Duration::from_secs(4));
    let start = Instant::now();
    wire.make("a").await.unwrap();
    wire.make("b").await.unwrap();
    events.frame().await.unwrap().unwrap();
    events.frame().await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 4, "each by as much, not one after the other");
    wire.faults.lag_watches(Duration::ZERO);
    wire.make("c").await.unwrap();
    events.frame().await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_killed_client_is_never_answered() {
    let wire = Wire::new();
    wire.faults.kill();
    never(wire.make("a")).await;
    assert!(!wire.is_there("a"));
}
