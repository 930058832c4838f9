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
    client::{CallError, within},
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
    told: Mutex<BTreeMap<Topic, Told>>,
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

impl EventWriter {
    /// A writer for the controller of that name (such as `fedscaler.io/fedhpa`) in the process `instance`.
    pub fn new(
        client: Client,
        controller: &'static str,
        instance: impl Into<String>,
        clock: SharedClock,
        metrics: &Metrics,
    ) -> Self {
        let told = Mutex::default();
        Self { client, controller, instance: instance.into(), clock, metrics: metrics.clone(), told }
    }

    /// Tells that this happened to `regarding`. What is told again within ten minutes is counted on the event
    /// that is there.
    pub async fn publish(&self, _term: &Term, regarding: &ObjectReference, notice: &Notice) {
        let now = self.clock.now();
        let topic = topic(regarding, notice);
        let outcome = match self.repetition(&topic, now) {
            Some(told) => self.count(&topic, regarding, told, now).await,
            None => self.create(&topic, regarding, now).await,
        };
        if let Err(error) = outcome {
            self.metrics.event_lost(error.class());
            tracing::warn!(reason = topic.reason, note = topic.note, %error, "event not published");
        }
    }

    fn repetition(&self, topic: &Topic, now: DateTime<Utc>) -> Option<Told> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, told| now.signed_duration_since(told.last).abs() < SERIES);
        told.get(topic).cloned()
    }

    fn remember(&self, topic: &Topic, told: Told) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.clone(), told);
    }

    async fn count(
        &self,
        topic: &Topic,
        regarding: &ObjectReference,
        told: Told,
        now: DateTime<Utc>,
    ) -> Result<(), CallError> {
        let count = told.count.saturating_add(1);
        let series = json!({ "series": { "count": count, "lastObservedTime": time::to_wire_micros(now) } });
        let patch = Patch::Merge(series);
        let api = self.api(topic);
        match within(BUDGET, api.patch(&told.event, &PatchParams::default(), &patch)).await {
            Ok(_) => {
                self.remember(topic, Told { count, last: now, ..told });
                Ok(())
            }
            Err(CallError::NotFound(_)) => self.create(topic, regarding, now).await,
            Err(error) => Err(error),
        }
    }

    async fn create(
        &self,
        topic: &Topic,
        regarding: &ObjectReference,
        now: DateTime<Utc>,
    ) -> Result<(), CallError> {
        let event = self.event(topic, regarding, now);
        let name = event.metadata.name.clone().unwrap_or_default();
        match within(BUDGET, self.api(topic).create(&PostParams::default(), &event)).await {
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
