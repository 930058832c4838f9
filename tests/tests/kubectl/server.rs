//! The API server that kubectl talks to in these scenes: our definitions and a few objects at an instant that stays.
//!
//! Responsible for answering a request outside of HTTP and for listening to those that come over it. Knows no scene.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use chrono::{DateTime, Utc};
use fedscaler_cmd::sandbox::install;
use fedscaler_sandbox::{
    apiserver::{
        ApiServer,
        kinds::{CORE_EVENTS, PODS},
    },
    clock::Clock,
};
use fedscaler_tests::stage::FED_HPAS;
use http_body_util::BodyExt as _;
use kube::Client;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tower::ServiceExt as _;

use crate::{
    digest::digest,
    transcript::{Exchange, Sent},
};

/// The examples and two pods.
const WORKLOADS: &str = include_str!("../../../deploy/examples/workloads.yaml");
const FED_HPA: &str = include_str!("../../../deploy/examples/fedhpa.yaml");

/// A watch is listened to until nothing has come for so long.
const SILENCE: Duration = Duration::from_millis(300);

struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }
}

/// Of a minute ago, about the example FedHPA.
fn event(uid: &Value) -> Value {
    json!({
        "metadata": {"name": "web.1", "namespace": "default"},
        "involvedObject": {
            "apiVersion": "autoscaling.fedscaler.io/v1alpha1", "kind": "FedHPA", "name": "web",
            "namespace": "default", "uid": uid,
        },
        "type": "Normal",
        "reason": "Divided",
        "message": "idc-roomy 3..24, cloud 1..16",
        "source": {"component": "fedscaler"},
        "firstTimestamp": "2026-03-02T11:59:00Z",
        "lastTimestamp": "2026-03-02T11:59:00Z",
        "count": 1,
    })
}

/// A fresh server.
pub(crate) struct Server {
    api: ApiServer,
    /// The version and the identity that the last answer named: the next request may name them again.
    last: Mutex<[String; 2]>,
}

/// What stands in a recorded path for these two, and the parameters whose values they are.
const LAST: [(&str, &str); 2] = [("resourceVersion=", "LAST-VERSION"), ("involvedObject.uid%3D", "LAST-UID")];

impl Server {
    pub(crate) async fn new() -> Self {
        let server = ApiServer::new("karmada", Arc::new(Noon));
        let client = Client::new(server.service(), "default");
        for definition in fedscaler_crds::render::render().unwrap().values() {
            install::apply(&client, definition).await.unwrap();
        }
        // Without the policy, whose kind is Karmada's.
        for workload in WORKLOADS.split("---\n").filter(|text| text.contains("\nkind: Deployment")) {
            install::apply(&client, workload).await.unwrap();
        }
        install::apply(&client, FED_HPA).await.unwrap();
        let fed_hpa = server.local("test").get(&FED_HPAS, "default", "web").unwrap();
        server.local("fedscaler").create(&CORE_EVENTS, event(&fed_hpa["metadata"]["uid"])).unwrap();
        for (name, ready) in [("web-1", true), ("web-2", false)] {
            let pod = json!({
                "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
                "spec": {"nodeName": "large-1", "containers": [{"name": "web", "image": "web:1"}]},
                "status": {"phase": "Running", "containerStatuses": [{"name": "web", "ready": ready, "restartCount": 0}]},
            });
            server.local("kubelet").create(&PODS, pod).unwrap();
        }
        Self { api: server, last: Mutex::default() }
    }

    /// What the answer to a request says.
    pub(crate) async fn answer(&self, sent: &Sent) -> String {
        let last = self.last.lock().unwrap().clone();
        let path = LAST
            .iter()
            .zip(&last)
            .fold(sent.path.clone(), |path, ((_, word), value)| path.replace(word, value));
        let request = http::Request::builder().method(sent.method.as_str()).uri(path);
        let request = request.header("accept", &sent.accept).header("user-agent", "kubectl/v1.36.3");
        let request = request.header("content-type", &sent.content_type);
        let request = request.body(Body::from(sent.body.clone())).unwrap();
        let (parts, body) = self.api.service().oneshot(request).await.unwrap().into_parts();
        let (mut body, mut read) = (Body::new(body), Vec::new());
        while let Ok(Some(Ok(frame))) = timeout(SILENCE, body.frame()).await {
            read.extend_from_slice(&frame.into_data().unwrap_or_default());
        }
        let answer: Value = serde_json::from_slice(&read).unwrap_or_default();
        for (index, field) in ["resourceVersion", "uid"].iter().enumerate() {
            if let Some(value) = answer["metadata"][field].as_str() {
                value.clone_into(&mut self.last.lock().unwrap()[index]);
            }
        }
        let content_type = parts.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
        digest(parts.status.as_u16(), content_type, &read)
    }

    /// Serves over HTTP on a free port and notes what is asked.
    pub(crate) async fn listen(&self) -> Listening {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (server, notes) = (self.api.clone(), Arc::clone(&heard));
        let router =
            Router::new().fallback(move |request: Request| hear(server.clone(), Arc::clone(&notes), request));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Listening { address, heard, serving }
    }
}

async fn hear(server: ApiServer, heard: Arc<Mutex<Vec<Sent>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    heard.lock().unwrap().push(Sent {
        method: parts.method.to_string(),
        path: lasting(&parts.uri.to_string()),
        accept: header("accept"),
        content_type: header("content-type"),
        body: body.to_vec(),
    });
    let request = http::Request::from_parts(parts, Body::from(body));
    server.service().oneshot(request).await.unwrap().map(Body::new)
}

/// A path without what differs from run to run.
fn lasting(path: &str) -> String {
    LAST.iter().fold(path.to_owned(), |path, (parameter, word)| {
        let Some((before, value)) = path.split_once(parameter) else { return path };
        let length = value.bytes().take_while(|byte| byte.is_ascii_hexdigit() || *byte == b'-').count();
        match &value[..length] {
            "" | "0" => path,
            _ => format!("{before}{parameter}{word}{}", &value[length..]),
        }
    })
}

/// Whether kubectl only asks what kinds there are: many at once, and in any order.
fn is_discovery(path: &str) -> bool {
    path.ends_with("?timeout=32s") && !path.starts_with("/openapi")
}

/// A server that listens until this is dropped.
pub(crate) struct Listening {
    pub(crate) address: String,
    heard: Arc<Mutex<Vec<Sent>>>,
    serving: JoinHandle<()>,
}

impl Listening {
    /// What was asked since this was last called. `twin` is a server in the same state, which says what was answered.
    pub(crate) async fn exchanges(&self, twin: &Server) -> Vec<Exchange> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        let mut exchanges = Vec::new();
        for request in heard.into_iter().filter(|request| !is_discovery(&request.path)) {
            let answer = twin.answer(&request).await;
            exchanges.push(Exchange { request, answer });
        }
        exchanges
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
