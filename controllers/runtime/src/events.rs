//! Telling people what happened.
//!
//! Responsible for writing Kubernetes events: one for what is new, a count for what repeats. Knows nothing of
//! what happened. An event that cannot be written is logged and counted and disturbs nobody.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{
    client::CallError,
    clock::SharedClock,
    leadership::Term,
    metrics::Metrics,
    text::{clip, fingerprint},
    time,
};

/// How long the same event counts as a repetition of the last one.
const SERIES: TimeDelta = TimeDelta::minutes(10);

/// What the API server accepts, in bytes.
const LONGEST_NOTE: usize = 1024;

/// How long an event may take: it is not worth a reconcile's time.
const BUDGET: Duration = Duration::from_secs(3);

/// How serious it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Someone should look.
    Warning,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// What happened, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How serious it is.
    pub severity: Severity,
    /// Why it was done: one `CamelCase` word of a closed set.
    pub reason: &'static str,
    /// What was done: one `CamelCase` word of a closed set.
    pub action: &'static str,
    /// The same in a sentence. Cut to 1024 bytes.
    pub note: String,
}

/// Writes events for one controller.
pub struct EventWriter {
    client: Client,
    controller: &'static str,
    instance: String,
    clock: SharedClock,
    metrics: Metrics,
    book: Mutex<Book>,
}

/// What was told lately.
#[derive(Debug, Default)]
struct Book {
    told: BTreeMap<Topic, Told>,
    /// When what is old was last dropped.
    swept: DateTime<Utc>,
}

impl Book {
    /// Drops what is old, but not at each event: a burst would be gone through again and again.
    fn sweep(&mut self, now: DateTime<Utc>) {
        if now.signed_duration_since(self.swept).abs() >= SERIES {
            self.told.retain(|_, told| told.is_recent(now));
            self.swept = now;
        }
    }
}

/// What makes an event the same as another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Topic {
    kind: Option<String>,
    namespace: String,
    name: Option<String>,
    uid: Option<String>,
    severity: Severity,
    reason: &'static str,
    action: &'static str,
    note: String,
}

/// An event that was written.
#[derive(Clone, Debug)]
struct Told {
    event: String,
    count: i32,
    last: DateTime<Utc>,
}

impl Told {
    /// Whether the same again is a repetition of it.
    fn is_recent(&self, now: DateTime<Utc>) -> bool {
        now.signed_duration_since(self.last).abs() < SERIES
    }
}

impl EventWriter {
    /// A writer for the controller of that name (such as `fedscaler.io/fedhpa`) in the process `instance`.
    pub fn new(
        client: Client,
        controller: &'static str,
        instance: impl Into<String>,
        clock: SharedClock,
        metrics: &Metrics,
    ) -> Self {
        let book = Mutex::default();
        Self { client, controller, instance: instance.into(), clock, metrics: metrics.clone(), book }
    }

    /// Tells that this happened to `regarding`. What is told again within ten minutes is counted on the event
    /// that is there.
    pub async fn publish(&self, term: &Term, regarding: &ObjectReference, notice: &Notice) {
        let now = self.clock.now();
        let topic = topic(regarding, notice);
        let outcome = match self.repetition(&topic, now) {
            Some(told) => self.count(term, &topic, regarding, told, now).await,
            None => self.create(term, &topic, regarding, now).await,
        };
        if let Err(error) = outcome {
            self.metrics.event_lost(error.class());
            tracing::warn!(reason = topic.reason, note = topic.note, %error, "event not published");
        }
    }

    fn repetition(&self, topic: &Topic, now: DateTime<Utc>) -> Option<Told> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.told.get(topic).filter(|told| told.is_recent(now)).cloned()
    }

    fn remember(&self, topic: &Topic, told: Told) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let now = told.last;
        book.told.insert(topic.clone(), told);
        book.sweep(now);
    }

    async fn count(
        &self,
        term: &Term,
        topic: &Topic,
        regarding: &ObjectReference,
        told: Told,
        now: DateTime<Utc>,
    ) -> Result<(), CallError> {
        let count = told.count.saturating_add(1);
        let series = json!({ "series": { "count": count, "lastObservedTime": time::to_wire_micros(now) } });
        let patch = Patch::Merge(series);
        let api = self.api(topic);
        match term.write(BUDGET, api.patch(&told.event, &PatchParams::default(), &patch)).await {
            Ok(_) => {
                self.remember(topic, Told { count, last: now, ..told });
                Ok(())
            }
            Err(CallError::NotFound(_)) => self.create(term, topic, regarding, now).await,
            Err(error) => Err(error),
        }
    }

    async fn create(
        &self,
        term: &Term,
        topic: &Topic,
        regarding: &ObjectReference,
        now: DateTime<Utc>,
    ) -> Result<(), CallError> {
        let event = self.event(topic, regarding, now);
        let name = event.metadata.name.clone().unwrap_or_default();
        match term.write(BUDGET, self.api(topic).create(&PostParams::default(), &event)).await {
            // The name says what and when: one that exists is this event, written by a call whose answer was lost.
            Ok(_) | Err(CallError::AlreadyExists(_)) => {
                self.remember(topic, Told { event: name, count: 1, last: now });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn event(&self, topic: &Topic, regarding: &ObjectReference, now: DateTime<Utc>) -> Event {
        Event {
            metadata: ObjectMeta {
                name: Some(event_name(topic, now)),
                namespace: Some(topic.namespace.clone()),
                ..ObjectMeta::default()
            },
            type_: Some(topic.severity.as_str().to_owned()),
            reason: Some(topic.reason.to_owned()),
            action: Some(topic.action.to_owned()),
            note: Some(topic.note.clone()),
            regarding: Some(regarding.clone()),
            reporting_controller: Some(self.controller.to_owned()),
            reporting_instance: Some(clip(&self.instance, 128).to_owned()),
            event_time: Some(time::to_wire_micros(now)),
            ..Event::default()
        }
    }

    fn api(&self, topic: &Topic) -> Api<Event> {
        Api::namespaced(self.client.clone(), &topic.namespace)
    }
}

fn topic(regarding: &ObjectReference, notice: &Notice) -> Topic {
    Topic {
        kind: regarding.kind.clone(),
        // Events about cluster-scoped objects live in the namespace `default`.
        namespace: regarding.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        name: regarding.name.clone(),
        uid: regarding.uid.clone(),
        severity: notice.severity,
        reason: notice.reason,
        action: notice.action,
        note: clip(&notice.note, LONGEST_NOTE).to_owned(),
    }
}

/// The object's name and a hash of what happened when.
fn event_name(topic: &Topic, now: DateTime<Utc>) -> String {
    let parts = [topic.kind.as_deref(), topic.uid.as_deref(), Some(topic.reason), Some(topic.note.as_str())];
    let micros = now.timestamp_micros().to_string();
    let hash = fingerprint(&parts.map(Option::unwrap_or_default)) ^ fingerprint(&[&micros, topic.action]);
    let name = clip(topic.name.as_deref().unwrap_or("unnamed"), 200);
    format!("{}.{hash:016x}", name.trim_end_matches(['.', '-']))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        clock::TokioClock,
        fake::{Answer, Call, FakeServer, metrics, refusal},
        leadership,
    };

    struct Scene {
        server: FakeServer,
        metrics: Metrics,
        writer: EventWriter,
    }

    fn scene(answers: impl IntoIterator<Item = Answer>) -> Scene {
        let (server, metrics) = (FakeServer::answering(answers), metrics());
        let clock = Arc::new(TokioClock::starting_at("2026-01-02T03:04:05.678901Z".parse().unwrap()));
        let writer = EventWriter::new(server.client(), "fedscaler.io/lamp", "pod-1", clock, &metrics);
        Scene { server, metrics, writer }
    }

    impl Scene {
        async fn publish(&self, note: &str) {
            let regarding = ObjectReference {
                api_version: Some("example.org/v1".to_owned()),
                kind: Some("Lamp".to_owned()),
                namespace: Some("apps".to_owned()),
                name: Some("desk".to_owned()),
                uid: Some("u-1".to_owned()),
                ..ObjectReference::default()
            };
            let notice =
                Notice { severity: Severity::Normal, reason: "Lit", action: "Light", note: note.to_owned() };
            self.writer.publish(&leadership::sole(), &regarding, &notice).await;
        }

        fn methods(&self) -> Vec<String> {
            let method = |call: &Call| call.line.split(' ').next().unwrap_or_default().to_owned();
            self.server.calls().iter().map(method).collect()
        }
    }

    fn accepted() -> Answer {
        Answer::Json(200, json!({ "metadata": { "name": "x", "namespace": "apps" }, "eventTime": null }))
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_says_what_happened_to_whom_and_who_says_so() {
        let scene = scene([accepted()]);
        scene.publish("it is dusk").await;
        let call = &scene.server.calls()[0];
        assert!(call.line.starts_with("POST /apis/events.k8s.io/v1/namespaces/apps/events"), "{}", call.line);
        let mut body = call.body.clone();
        let name = body["metadata"]["name"].take();
        assert!(name.as_str().unwrap().starts_with("desk."), "{name}");
        assert_eq!(
            body,
            json!({
                "apiVersion": "events.k8s.io/v1", "kind": "Event",
                "metadata": { "name": null, "namespace": "apps" },
                "type": "Normal", "reason": "Lit", "action": "Light", "note": "it is dusk",
                "regarding": {
                    "apiVersion": "example.org/v1", "kind": "Lamp", "namespace": "apps", "name": "desk", "uid": "u-1",
                },
                "reportingController": "fedscaler.io/lamp", "reportingInstance": "pod-1",
                "eventTime": "2026-01-02T03:04:05.678901Z",
            })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_within_ten_minutes_is_counted_and_anything_else_is_new() {
        let scene = scene((0..5).map(|_| accepted()));
        scene.publish("it is dusk").await;
        tokio::time::sleep(Duration::from_mins(9)).await;
        scene.publish("it is dusk").await;
        tokio::time::sleep(Duration::from_mins(9)).await;
        scene.publish("it is dusk").await;
        scene.publish("it is dawn").await;
        tokio::time::sleep(Duration::from_mins(10)).await;
        scene.publish("it is dusk").await;
        assert_eq!(scene.methods(), ["POST", "PATCH", "PATCH", "POST", "POST"]);
        let calls = scene.server.calls();
        let name = calls[0].body["metadata"]["name"].as_str().unwrap();
        assert!(calls[2].line.contains(&format!("/events/{name}?")), "{}", calls[2].line);
        assert_eq!(
            calls[2].body,
            json!({ "series": { "count": 3, "lastObservedTime": "2026-01-02T03:22:05.678901Z" } })
        );
        assert_ne!(calls[4].body["metadata"]["name"], Value::from(name));
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_has_expired_is_written_anew() {
        let scene = scene([accepted(), refusal(404, "NotFound"), accepted()]);
        scene.publish("it is dusk").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        scene.publish("it is dusk").await;
        assert_eq!(scene.methods(), ["POST", "PATCH", "POST"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_cannot_be_written_is_counted_and_not_remembered() {
        let scene = scene([refusal(403, "Forbidden"), Answer::Silence, accepted()]);
        scene.publish("it is dusk").await;
        scene.publish("it is dusk").await;
        scene.publish("it is dusk").await;
        assert_eq!(scene.methods(), ["POST", "POST", "POST"]);
        let text = scene.metrics.render().unwrap();
        for class in ["forbidden", "timeout"] {
            assert!(text.contains(&format!("fedscaler_events_lost_total{{class=\"{class}\"}} 1")), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_told_long_ago_is_forgotten() {
        let scene = scene(std::iter::repeat_with(accepted).take(12));
        for note in 0..10 {
            scene.publish(&note.to_string()).await;
        }
        let kept = || scene.writer.book.lock().unwrap().told.len();
        assert_eq!(kept(), 10);
        tokio::time::advance(SERIES.to_std().unwrap()).await;
        scene.publish("later").await;
        assert_eq!(kept(), 1);
        scene.publish("0").await;
        assert_eq!(scene.methods(), ["POST"; 12], "nothing of it was a repetition");
    }

    #[tokio::test(start_paused = true)]
    async fn a_note_fits_what_the_server_accepts() {
        let scene = scene([accepted()]);
        scene.publish(&"ö".repeat(2000)).await;
        let note = scene.server.calls()[0].body["note"].as_str().unwrap().to_owned();
        assert_eq!(note, "ö".repeat(512));
    }
}
