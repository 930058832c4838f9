//! The member's horizontal pod autoscaler controller: it looks at each autoscaler every 15 s and does what the
//! algorithm in `hpa` says. An autoscaler that is new or was edited is looked at no sooner than that, as in the real one.

use super::fleet::{Owner, Pod, Progress, WorkloadKind};
use super::hpa::{CustomMetrics, Memory, Observed, PodSample, Readiness, Spec, Stage, Status, Sync};
use super::hpa::{refused, sync, without_scale};
use super::traffic::{Traffic, Workload};
use super::{SharedFleet, SharedMetrics};
use crate::agenda::Agenda;
use crate::apiserver::kinds::HORIZONTAL_POD_AUTOSCALERS;
use crate::apiserver::{ApiServer, Change, ChangeType, Changes, Local};
use crate::clock::Clock;
use crate::fields::{int, name, namespace, put, text};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often the real controller looks at an autoscaler.
const SYNC_PERIOD: Duration = Duration::from_secs(15);

/// An autoscaler's namespace and name.
type Key = (String, String);

/// An autoscaler, with what the controller keeps of it in its own memory.
struct Kept {
    spec: Spec,
    /// The spec on the wire: an autoscaler counts no generations.
    asked: Value,
    target: Option<Owner>,
    status: Status,
    memory: Memory,
}

pub(super) struct Autoscaling {
    member: String,
    api: Local,
    changes: Changes,
    clock: Arc<dyn Clock>,
    fleet: SharedFleet,
    traffic: Traffic,
    metrics: SharedMetrics,
    kept: BTreeMap<Key, Kept>,
    agenda: Agenda<Key>,
}

impl Autoscaling {
    pub(super) fn new(
        api: &ApiServer,
        clock: Arc<dyn Clock>,
        fleet: SharedFleet,
        traffic: Traffic,
        metrics: SharedMetrics,
    ) -> Self {
        let local = api.local("horizontal-pod-autoscaler");
        Self {
            member: api.name().to_owned(),
            changes: local.changes(),
            api: local,
            clock,
            fleet,
            traffic,
            metrics,
            kept: BTreeMap::new(),
            agenda: Agenda::new(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                change = self.changes.next() => self.observe(&change),
                () = self.agenda.wait() => {
                    while let Some(key) = self.agenda.pop() {
                        self.sync(key);
                    }
                }
            }
        }
    }

    fn observe(&mut self, change: &Change) {
        if *change.kind != HORIZONTAL_POD_AUTOSCALERS {
            return;
        }
        let object = &change.object;
        let key = (namespace(object).to_owned(), name(object).to_owned());
        if change.what == ChangeType::Deleted {
            self.kept.remove(&key);
            return;
        }
        let kept = self.kept.entry(key.clone()).or_insert_with(|| Kept {
            spec: Spec::read(object),
            asked: Value::Null,
            target: None,
            status: Status::default(),
            memory: Memory::default(),
        });
        if kept.asked != object["spec"] {
            kept.asked = object["spec"].clone();
            kept.spec = Spec::read(object);
            kept.target = target_of(object);
        }
        self.agenda.add(key, SYNC_PERIOD);
    }

    fn sync(&mut self, key: Key) {
        let Some(mut kept) = self.kept.remove(&key) else { return };
        let now = self.clock.now();
        kept.status = match self.scale(&kept) {
            Some(scale) => self.follow(&mut kept, &scale, now),
            None => without_scale(&kept.status, "the target was not found", now),
        };
        self.write_status(&key, &kept.status);
        self.kept.insert(key.clone(), kept);
        self.agenda.add(key, SYNC_PERIOD);
    }

    fn scale(&self, kept: &Kept) -> Option<Arc<Value>> {
        let target = kept.target.as_ref()?;
        self.api.get(&target.kind.served(), &target.namespace, &target.name)
    }

    /// One sync against a scale that is there: the status that it ends with.
    fn follow(&self, kept: &mut Kept, scale: &Value, now: DateTime<Utc>) -> Status {
        let Some(target) = &kept.target else { return kept.status.clone() };
        let metrics: CustomMetrics = self.metrics.lock().clone();
        let pods = self.pods(target, now);
        let current = super::rollout::replicas_of(scale);
        let seen = Observed {
            now,
            spec_replicas: current,
            status_replicas: int(scale, "/status/replicas").unwrap_or(0),
            pods: &pods,
            metrics: &metrics,
        };
        let Sync { rescale, status } = sync(&kept.spec, &kept.status, &mut kept.memory, &seen);
        let Some(replicas) = rescale else { return status };
        let mut object = scale.clone();
        put(&mut object, &["spec", "replicas"], replicas.into());
        match self.api.update(&target.kind.served(), object) {
            Ok(_) => status,
            Err(error) => refused(&kept.status, current, &error.to_string(), now),
        }
    }

    /// The pods of a target as the metrics server and the pod list show them.
    fn pods(&self, target: &Owner, now: DateTime<Utc>) -> Vec<PodSample> {
        let workload = Workload { namespace: target.namespace.clone(), name: target.name.clone() };
        let load = i64::from(self.traffic.utilisation(&self.member, &workload, now));
        let fleet = self.fleet.lock();
        fleet.pods_of(target).map(|(_, pod)| sample(pod, load)).collect()
    }

    fn write_status(&self, key: &Key, status: &Status) {
        let Some(found) = self.api.get(&HORIZONTAL_POD_AUTOSCALERS, &key.0, &key.1) else { return };
        let rendered = status.render();
        if found.get("status") == Some(&rendered) {
            return;
        }
        let mut object = (*found).clone();
        object["status"] = rendered;
        if let Err(error) = self.api.update_status(&HORIZONTAL_POD_AUTOSCALERS, object) {
            tracing::debug!(member = self.member, autoscaler = key.1, %error, "status not written");
        }
    }
}

fn target_of(object: &Value) -> Option<Owner> {
    let kind = WorkloadKind::named(text(object, "/spec/scaleTargetRef/kind"))?;
    let name = text(object, "/spec/scaleTargetRef/name").to_owned();
    Some(Owner { kind, namespace: namespace(object).to_owned(), name })
}

/// A ready pod uses `load` thousandths of the cpu it asks for; one that starts uses nothing yet. Memory is not modelled.
fn sample(pod: &Pod, load: i64) -> PodSample {
    let (stage, readiness, usage) = match pod.progress {
        Progress::Waiting => (Stage::Pending, Readiness::Unready(pod.created), None),
        Progress::Starting { started, since } => {
            (Stage::Running { started }, Readiness::Unready(since), Some(0))
        }
        Progress::Ready { started, since } => {
            (Stage::Running { started }, Readiness::Ready(since), Some(load))
        }
        Progress::Finished => (Stage::Gone, Readiness::Unready(pod.created), None),
    };
    let used = |request: i64| usage.map(|load| request * load / 1000);
    PodSample {
        stage,
        readiness,
        cpu_request: pod.request.cpu,
        cpu_usage: pod.request.cpu.and_then(used),
        memory_request: pod.request.memory.map(|bytes| bytes * 1000),
        memory_usage: None,
    }
}
