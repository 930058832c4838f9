//! The controller on an in-memory API server, under paused time.

mod admitting;
mod calendars;
mod crash;
mod parts;
mod scenes;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use fedscaler_crds::{CronHpa, FedHpa, cronhpa::RuleStatus, render};
use fedscaler_karmada::caches::Watches;
use fedscaler_runtime::{
    clock::TokioClock as ControllersClock,
    heartbeat::IntervalHeartbeat,
    leadership,
    metrics::{Build, Metrics, MetricsError},
    readiness::Readiness,
    shutdown,
    watch::Watch,
};
use fedscaler_sandbox::{
    apiserver::{
        ApiServer,
        kinds::{CONFIG_MAPS, DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, Kind},
    },
    clock::{Clock, TokioClock},
    fault::Faults,
};
use k8s_openapi::{
    api::core::v1::ConfigMap, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tower::Layer as _;

use crate::{Setup, run};

const CRON_HPAS: Kind = Kind::new("autoscaling.fedscaler.io", "v1alpha1", "cronhpas");
const FED_HPAS: Kind = Kind::new("autoscaling.fedscaler.io", "v1alpha1", "fedhpas");
const EVENTS: Kind = Kind::new("events.k8s.io", "v1", "events");

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A CronHPA as a user writes it.
pub(super) fn cron_hpa(target: &Value, rules: &Value) -> CronHpa {
    let manifest = json!({
        "apiVersion": "autoscaling.fedscaler.io/v1alpha1", "kind": "CronHPA",
        "metadata": {"name": "hours", "namespace": "default"},
        "spec": {"scaleTargetRef": target, "rules": rules},
    });
    serde_json::from_value(manifest).unwrap()
}

pub(super) fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
}

pub(super) fn hpa() -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "web"})
}

pub(super) fn fed_hpa() -> Value {
    json!({"apiVersion": "autoscaling.fedscaler.io/v1alpha1", "kind": "FedHPA", "name": "web"})
}

pub(super) struct Stage {
    server: ApiServer,
    clock: Arc<dyn Clock>,
    user: Client,
    pub(super) faults: Faults,
    pub(super) metrics: Metrics,
    controller: Option<JoinHandle<Result<(), MetricsError>>>,
}

impl Stage {
    /// An API server at noon on a Monday, with our definitions and a Deployment `web` of 3.
    pub(super) async fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(at("2026-03-02T12:00:00Z")));
        let server = ApiServer::new("test", Arc::clone(&clock));
        let user = Client::new(server.service(), "default");
        let definitions: Api<CustomResourceDefinition> = Api::all(user.clone());
        for definition in render::all() {
            definitions.create(&PostParams::default(), &definition).await.unwrap();
        }
        let stage = Self { server, clock, user, faults: Faults::new(), metrics: metrics(), controller: None };
        let labels = json!({"app": "web"});
        stage.create(&DEPLOYMENTS, json!({
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "replicas": 3, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
            },
        }));
        stage
    }

    pub(super) fn create(&self, kind: &Kind, object: Value) {
        self.server.local("kubectl").create(kind, object).unwrap();
    }

    /// An HPA on a workload of another name, from 2 to 30.
    pub(super) fn create_hpa(&self, scales: &str) {
        self.create(
            &HORIZONTAL_POD_AUTOSCALERS,
            json!({
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {
                    "minReplicas": 2, "maxReplicas": 30,
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": scales},
                },
            }),
        );
    }

    pub(super) fn create_fed_hpa(&self) {
        self.create(
            &FED_HPAS,
            json!({
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"minReplicas": 2, "maxReplicas": 30, "scaleTargetRef": deployment()},
            }),
        );
    }

    /// Makes or changes the calendar `holidays`, with the label by which it is followed.
    pub(super) fn set_calendar(&self, text: &str) {
        let local = self.server.local("kubectl");
        let labels = json!({"autoscaling.fedscaler.io/calendar": "true"});
        let meta = json!({"name": "holidays", "namespace": "default", "labels": labels});
        let object = json!({"metadata": meta, "data": {"holidays.ics": text}});
        match local.get(&CONFIG_MAPS, "default", "holidays") {
            Some(there) => {
                let mut there = there.as_ref().clone();
                there["data"] = object["data"].clone();
                local.update(&CONFIG_MAPS, there).map(|_| ())
            }
            None => local.create(&CONFIG_MAPS, object).map(|_| ()),
        }
        .unwrap();
    }

    pub(super) async fn delete_calendar(&self) {
        let api: Api<ConfigMap> = Api::default_namespaced(self.user.clone());
        api.delete("holidays", &DeleteParams::default()).await.unwrap();
    }

    pub(super) fn api(&self) -> Api<CronHpa> {
        Api::default_namespaced(self.user.clone())
    }

    /// Makes or edits a CronHPA.
    pub(super) async fn apply(&self, object: &CronHpa) {
        let (name, by) = (object.metadata.name.as_deref().unwrap(), PatchParams::apply("kubectl").force());
        self.api().patch(name, &by, &Patch::Apply(object)).await.unwrap();
    }

    pub(super) async fn delete(&self) {
        self.api().delete("hours", &DeleteParams::default()).await.unwrap();
    }

    pub(super) fn start(&mut self) {
        self.metrics = metrics();
        let client = Client::new(self.faults.layer(self.server.service()), "default");
        let (stopper, stopping) = shutdown::channel();
        std::mem::forget(stopper);
        let readiness = Readiness::default();
        let setup = Setup {
            clock: Arc::new(ControllersClock::starting_at(self.clock.now())),
            heartbeat: Box::new(IntervalHeartbeat::every(Duration::from_secs(1))),
            term: leadership::sole(),
            fed_hpas: Watch::<FedHpa>::of(Api::all(client.clone())).start(&readiness, &self.metrics),
            cron_hpas: Watch::<CronHpa>::of(Api::all(client.clone())).start(&readiness, &self.metrics),
            metrics: self.metrics.clone(),
            karmada: Watches::start(&client, &readiness, &self.metrics),
            readiness,
            instance: "test".to_owned(),
            client,
        };
        self.controller = Some(tokio::spawn(run(setup, stopping.requested())));
    }

    pub(super) async fn kill(&mut self) {
        if let Some(controller) = self.controller.take() {
            controller.abort();
            let _killed = controller.await;
        }
    }

    /// A new process, with nothing in its way.
    pub(super) async fn restart(&mut self) {
        self.kill().await;
        self.faults = Faults::new();
        self.start();
    }

    /// Lets time pass until then.
    pub(super) async fn until(&self, time: &str) {
        let span = at(time) - self.clock.now();
        tokio::time::sleep(span.to_std().unwrap()).await;
    }

    /// The Deployment's count.
    pub(super) fn count(&self) -> i64 {
        let object = self.server.local("test").get(&DEPLOYMENTS, "default", "web").unwrap();
        object["spec"]["replicas"].as_i64().unwrap()
    }

    /// The HPA's bounds.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let object = self.server.local("test").get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web").unwrap();
        let number = |field: &str| object["spec"][field].as_i64().unwrap();
        (number("minReplicas"), number("maxReplicas"))
    }

    /// Somebody else edits the target.
    pub(super) fn edit(&self, by: &str, kind: &Kind, change: impl FnOnce(&mut Value)) {
        let local = self.server.local(by);
        let mut object = local.get(kind, "default", "web").unwrap().as_ref().clone();
        change(&mut object);
        local.update(kind, object).unwrap();
    }

    pub(super) fn object(&self, name: &str) -> Option<Arc<Value>> {
        self.server.local("test").get(&CRON_HPAS, "default", name)
    }

    pub(super) fn seen(&self) -> CronHpa {
        serde_json::from_value(self.object("hours").unwrap().as_ref().clone()).unwrap()
    }

    pub(super) fn rule(&self, name: &str) -> RuleStatus {
        let status = self.seen().status.unwrap();
        status.rules.into_iter().find(|rule| rule.name == name).unwrap()
    }

    /// Status and reason of a condition, and its message.
    pub(super) fn condition(&self, kind: &str) -> (String, String) {
        let status = self.seen().status.unwrap();
        let found = status.conditions.into_iter().find(|condition| condition.type_ == kind).unwrap();
        (format!("{} {}", found.status, found.reason), found.message)
    }

    /// Reasons of the events, in the order of their names' times.
    pub(super) fn events(&self) -> Vec<String> {
        let mut events = self.server.local("test").list(&EVENTS, Some("default"));
        events.sort_by_key(|event| event["eventTime"].as_str().unwrap_or_default().to_owned());
        let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        events.iter().map(|event| format!("{}: {}", text(event, "reason"), text(event, "note"))).collect()
    }

    /// The lines of the metrics that begin so.
    pub(super) fn lines(&self, beginning: &str) -> Vec<String> {
        let text = self.metrics.render().unwrap();
        text.lines().filter(|line| line.starts_with(beginning)).map(str::to_owned).collect()
    }
}

fn metrics() -> Metrics {
    Metrics::new(Build { version: "1.2.3", revision: "abc" }).unwrap()
}
