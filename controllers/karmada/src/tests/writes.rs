//! What goes over the wire when something is written, and what is made of the answer.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    binding::{self, Binding, Counts},
    error::WriteError,
    labels::{FEDHPA_MANAGER, HOLDS_SCHEDULING},
    plane::ControlPlane,
    template::{self, KindError, Retained, Template, Workload, WorkloadKind},
    types::{ResourceBinding, Work},
    work::{self, Deletion, Existing, HpaWork, WantedHpa},
};
use fedscaler_core::fedhpa::policy::Bounds;
use fedscaler_runtime::{
    client::CallError,
    leadership::{self, Term},
};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::{Client, client::Body};
use serde_json::{Value, json};

/// A call as the server saw it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Call {
    line: String,
    content: String,
    body: Value,
}

/// An API server that gives one answer to whatever is asked, and remembers what was.
#[derive(Clone)]
struct Server {
    answer: Arc<(u16, Value)>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Server {
    fn answering(code: u16, answer: Value) -> Self {
        Self { answer: Arc::new((code, answer)), calls: Arc::default() }
    }

    fn refusing(code: u16, reason: &str) -> Self {
        let status =
            json!({"kind": "Status", "status": "Failure", "message": "no", "reason": reason, "code": code});
        Self::answering(code, status)
    }

    fn plane(&self) -> ControlPlane {
        let server = self.clone();
        let client = Client::new(tower::service_fn(move |request| server.clone().serve(request)), "default");
        ControlPlane::new(client, Duration::from_secs(5), FEDHPA_MANAGER)
    }

    async fn serve(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let line = format!("{} {}", request.method(), request.uri());
        let content = request.headers().get("content-type").map(|it| it.to_str().unwrap().to_owned());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.calls.lock().unwrap().push(Call { line, content: content.unwrap_or_default(), body });
        let (code, answer) = &*self.answer;
        Ok(Response::builder().status(*code).body(Body::from(answer.to_string().into_bytes())).unwrap())
    }

    fn only_call(&self) -> Call {
        let calls = self.calls.lock().unwrap();
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls[0].clone()
    }

    fn was_not_called(&self) -> bool {
        self.calls.lock().unwrap().is_empty()
    }
}

fn term() -> Term {
    leadership::sole()
}

fn binding_object() -> Value {
    json!({
        "metadata": {"name": "web-deployment", "namespace": "shop", "uid": "b-1", "resourceVersion": "41"},
        "spec": {"resource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    })
}

fn binding_with(spec: Value, holder: Option<&str>) -> Binding {
    let mut object = binding_object();
    object["spec"] = spec;
    object["metadata"]["annotations"] = holder.map(|uid| json!({HOLDS_SCHEDULING: uid})).unwrap_or_default();
    Binding::read(&serde_json::from_value::<ResourceBinding>(object).unwrap()).unwrap()
}

fn suspended(holder: Option<&str>) -> Binding {
    binding_with(json!({"suspension": {"scheduling": true}}), holder)
}

fn web() -> Workload {
    let kind = WorkloadKind::known("apps/v1", "Deployment").unwrap();
    Workload { kind, namespace: "shop".to_owned(), name: "web".to_owned() }
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "d-1", "resourceVersion": "39"},
    })
}

fn hpa_work() -> HpaWork {
    HpaWork::build(WantedHpa {
        cluster: "m1",
        namespace: "shop",
        name: "web",
        spec: json!({"minReplicas": 1, "maxReplicas": 3}),
        owner_uid: "f-1",
        owner_name: "web",
        existing: Existing::Refuse,
    })
}

fn work_object() -> Work {
    serde_json::from_value(json!({
        "metadata": {"name": hpa_work().name(), "namespace": "karmada-es-m1", "uid": "w-1", "resourceVersion": "17"},
    }))
    .unwrap()
}

#[tokio::test]
async fn counts_go_out_as_one_merge_patch_in_our_name() {
    let server = Server::answering(200, binding_object());
    let counts = Counts::new(BTreeMap::from([("m1".to_owned(), 5), ("m2".to_owned(), 3)]));
    let binding = binding_with(json!({}), None);
    binding::write_counts(&server.plane(), &term(), &binding, &counts).await.unwrap();
    let call = server.only_call();
    assert_eq!(
        call.line,
        "PATCH /apis/work.karmada.io/v1alpha2/namespaces/shop/resourcebindings/web-deployment?&fieldManager=fedscaler-fedhpa"
    );
    assert_eq!(call.content, "application/merge-patch+json");
    assert_eq!(
        (&call.body["spec"]["replicas"], &call.body["metadata"]["resourceVersion"]),
        (&json!(8), &json!("41"))
    );
}

#[tokio::test]
async fn a_suspension_of_someone_else_is_neither_taken_over_nor_given_back() {
    let server = Server::answering(200, binding_object());
    let foreign = suspended(None);
    let held = binding::hold_scheduling(&server.plane(), &term(), &foreign, "f-1").await;
    let resumed = binding::resume_scheduling(&server.plane(), &term(), &foreign).await;
    assert!(matches!(held, Err(WriteError::HeldByOther)));
    assert!(matches!(resumed, Err(WriteError::HeldByOther)));
    assert!(server.was_not_called());
}

#[tokio::test]
async fn what_we_hold_is_given_back_and_what_nobody_holds_is_left_alone() {
    let server = Server::answering(200, binding_object());
    let free = binding_with(json!({}), None);
    assert!(binding::resume_scheduling(&server.plane(), &term(), &free).await.unwrap().is_none());
    assert!(server.was_not_called());
    let ours = suspended(Some("f-1"));
    assert!(binding::resume_scheduling(&server.plane(), &term(), &ours).await.unwrap().is_some());
    assert_eq!(server.only_call().body["spec"], json!({"suspension": {"scheduling": null}}));
}

#[tokio::test]
async fn a_conflict_and_a_quota_are_told_from_other_refusals() {
    let counts = Counts::default();
    let binding = binding_with(json!({}), None);
    let conflict = Server::refusing(409, "Conflict");
    let error = binding::write_counts(&conflict.plane(), &term(), &binding, &counts).await.unwrap_err();
    assert!(error.is_conflict() && error.quota_refusal().is_none());
    let quota = Server::refusing(403, "QuotaExceeded");
    let error = binding::write_counts(&quota.plane(), &term(), &binding, &counts).await.unwrap_err();
    assert_eq!((error.quota_refusal(), error.class()), (Some("no"), "quota_exceeded"));
}

#[tokio::test]
async fn the_scale_is_patched_and_the_workloads_new_version_comes_back() {
    let scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {"name": "web", "namespace": "shop", "uid": "d-1", "resourceVersion": "40"},
        "spec": {"replicas": 8},
    });
    let server = Server::answering(200, scale);
    let written = template::write_scale(&server.plane(), &term(), &web(), "39", 8).await.unwrap();
    assert_eq!((written.resource_version.as_str(), written.replicas), ("40", 8));
    let call = server.only_call();
    assert_eq!(
        call.line,
        "PATCH /apis/apps/v1/namespaces/shop/deployments/web/scale?&fieldManager=fedscaler-fedhpa"
    );
    assert_eq!(call.body, json!({"metadata": {"resourceVersion": "39"}, "spec": {"replicas": 8}}));
}

#[tokio::test]
async fn the_label_is_applied_by_force_as_our_only_field() {
    let server = Server::answering(200, deployment());
    let template = Template::read(&serde_json::from_value(deployment()).unwrap()).unwrap();
    template::mark(&server.plane(), &term(), &web(), &template, Retained::AboveZero).await.unwrap();
    let call = server.only_call();
    assert_eq!(
        call.line,
        "PATCH /apis/apps/v1/namespaces/shop/deployments/web?&force=true&fieldManager=fedscaler-fedhpa"
    );
    assert_eq!(call.content, "application/apply-patch+yaml");
    assert_eq!(call.body.get("spec"), None);
}

#[tokio::test]
async fn a_work_is_applied_where_its_cluster_looks_for_it() {
    let server = Server::answering(200, json!({"metadata": {}}));
    let (before, now) = (Bounds { min: 1, max: 3 }, "2026-05-01T10:00:00Z".parse().unwrap());
    work::apply(&server.plane(), &term(), &hpa_work(), Some(&work_object()), before, now).await.unwrap();
    let call = server.only_call();
    let path = format!("/apis/work.karmada.io/v1alpha1/namespaces/karmada-es-m1/works/{}", hpa_work().name());
    assert_eq!(call.line, format!("PATCH {path}?&force=true&fieldManager=fedscaler-fedhpa"));
    assert_eq!(call.body["metadata"]["resourceVersion"], "17");
}

#[tokio::test]
async fn a_new_work_takes_nothing_from_others_by_force() {
    let server = Server::refusing(409, "Conflict");
    let (before, now) = (Bounds { min: 1, max: 3 }, "2026-05-01T10:00:00Z".parse().unwrap());
    let error = work::apply(&server.plane(), &term(), &hpa_work(), None, before, now).await.unwrap_err();
    assert!(error.is_conflict());
    assert!(!server.only_call().line.contains("force"));
}

#[tokio::test]
async fn a_deleted_work_is_pending_while_it_is_still_there_and_gone_when_it_was_gone_before() {
    let still_there = Server::answering(200, serde_json::to_value(work_object()).unwrap());
    let deletion = work::delete(&still_there.plane(), &term(), &work_object()).await.unwrap();
    assert_eq!(deletion, Deletion::Pending);
    let call = still_there.only_call();
    assert!(call.line.starts_with("DELETE "), "{}", call.line);
    assert_eq!(call.body["preconditions"], json!({"uid": "w-1", "resourceVersion": "17"}));
    let gone = Server::refusing(404, "NotFound");
    assert_eq!(work::delete(&gone.plane(), &term(), &work_object()).await.unwrap(), Deletion::Gone);
}

#[tokio::test]
async fn another_work_under_the_same_name_is_not_deleted() {
    let server = Server::refusing(409, "Conflict");
    let error = work::delete(&server.plane(), &term(), &work_object()).await.unwrap_err();
    assert!(matches!(error, WriteError::Call(CallError::Conflict(_))));
}

#[tokio::test]
async fn the_api_server_is_asked_only_about_kinds_that_are_not_known() {
    let list = json!({"kind": "APIResourceList", "groupVersion": "example.org/v1", "resources": []});
    let server = Server::answering(200, list);
    WorkloadKind::discover(&server.plane(), "apps/v1", "StatefulSet").await.unwrap();
    assert!(server.was_not_called());
    let error = WorkloadKind::discover(&server.plane(), "example.org/v1", "Rollout").await.unwrap_err();
    assert!(matches!(error, KindError::NotServed { .. }));
    assert_eq!(server.only_call().line, "GET /apis/example.org/v1");
}
