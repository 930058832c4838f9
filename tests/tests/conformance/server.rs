//! A server under test, and how cases talk to it: requests and answers as they are on the wire, through a kube client.
//!
//! Each case gets a namespace of its own, and an API group of its own for what it defines.

use std::{
    env,
    io::{self, Write as _},
    path::Path,
    sync::{Arc, Once},
    time::Duration,
};

use fedscaler_runtime::client::connect;
use fedscaler_sandbox::{apiserver::ApiServer, clock::TokioClock};
use fedscaler_tests::rig::{Rig, WANTED};
use futures::{StreamExt as _, stream::BoxStream};
use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use kube::{Client, client::Body};
use serde_json::{Value, json};

/// Names the kubeconfig of a real API server.
pub(crate) const KUBECONFIG: &str = "FEDSCALER_CONFORMANCE_KUBECONFIG";

/// Said once, however many tests have nothing to compare with.
static TOLD: Once = Once::new();

/// How long a case waits for what a server may do a little later. The garbage collector learns of new kinds each half
/// minute.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) const JSON: &str = "application/json";
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(crate) const APPLY: &str = "application/apply-patch+yaml";

/// A server and a place on it.
pub(crate) struct Server {
    pub(crate) client: Client,
    /// The namespace of the case.
    pub(crate) namespace: String,
    /// The sandbox, if it is one.
    sandbox: Option<ApiServer>,
}

impl Server {
    /// A new sandbox with a namespace for a case.
    pub(crate) async fn sandbox() -> Self {
        let start = "2026-03-02T00:00:00Z".parse().unwrap();
        let api = ApiServer::new("conformance", Arc::new(TokioClock::starting_at(start)));
        let client = Client::new(api.service(), "default");
        let mut server = Self { client, namespace: String::new(), sandbox: Some(api) };
        server.namespace = server.new_namespace().await;
        server
    }

    /// Makes a namespace that nobody else knows of.
    pub(crate) async fn new_namespace(&self) -> String {
        let body =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "conformance-"}});
        text(&self.post("/api/v1/namespaces", body).await.ok()["metadata"]["name"])
    }

    /// The path of a collection in the namespace of the case; `of` is as `v1/configmaps` or `apps/v1/deployments`.
    pub(crate) fn path(&self, of: &str) -> String {
        let (version, plural) = of.rsplit_once('/').unwrap();
        let root = if version.contains('/') { "apis" } else { "api" };
        format!("/{root}/{version}/namespaces/{}/{plural}", self.namespace)
    }

    /// An API group that no other case has.
    pub(crate) fn group(&self) -> String {
        format!("{}.example.com", self.namespace)
    }

    /// Forgets the past, where the server can be told to. A real one cannot, but remembers nothing of a kind from before
    /// the kind was defined.
    pub(crate) fn forget_the_past(&self) {
        if let Some(sandbox) = &self.sandbox {
            sandbox.compact();
        }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, media_type);
        // The field manager of whoever does not say it.
        let request = request.header(header::USER_AGENT, "tester/1.0").header(header::ACCEPT, JSON);
        self.call_as_built(request, body).await
    }

    /// Sends a request as it is and reads the whole answer.
    pub(crate) async fn call_as_built(
        &self,
        request: http::request::Builder,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let response = self.client.send(request.body(Body::from(body.into())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let warnings = parts.headers.get_all(header::WARNING).iter();
        let warnings = warnings.map(|warning| warning.to_str().unwrap().to_owned()).collect();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { code: parts.status.as_u16(), body, warnings }
    }

    async fn send(&self, method: Method, path: &str, media_type: &str, body: &Value) -> Answer {
        self.call(method, path, media_type, body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, JSON, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, JSON, &body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, JSON, &body).await
    }

    /// A PATCH of that media type.
    pub(crate) async fn patch(&self, path: &str, media_type: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, media_type, &body).await
    }

    pub(crate) async fn merge(&self, path: &str, body: Value) -> Answer {
        self.patch(path, MERGE, body).await
    }

    /// Server-side apply as `manager`.
    pub(crate) async fn apply(&self, path: &str, manager: &str, body: Value) -> Answer {
        self.patch(&format!("{path}?fieldManager={manager}"), APPLY, body).await
    }

    /// The same, whoever owns the fields now.
    pub(crate) async fn force(&self, path: &str, manager: &str, body: Value) -> Answer {
        self.patch(&format!("{path}?fieldManager={manager}&force=true"), APPLY, body).await
    }

    /// A DELETE with options.
    pub(crate) async fn delete(&self, path: &str, options: Value) -> Answer {
        self.send(Method::DELETE, path, JSON, &options).await
    }

    /// Waits until what is asked for is there.
    pub(crate) async fn until<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let patience = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            assert!(tokio::time::Instant::now() < patience, "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Defines a kind and waits until it is served.
    pub(crate) async fn define(&self, definition: Value) {
        let name = text(&definition["metadata"]["name"]);
        self.post(CRDS, definition.clone()).await.ok();
        self.until_served(&name, &definition).await;
    }

    /// Waits until the kind of a definition is served in all its versions.
    pub(crate) async fn until_served(&self, name: &str, definition: &Value) {
        let spec = &definition["spec"];
        let (group, plural) = (text(&spec["group"]), text(&spec["names"]["plural"]));
        for version in spec["versions"].as_array().unwrap().iter().filter(|version| version["served"] == true)
        {
            let path = format!("/apis/{group}/{}/{plural}?limit=1", text(&version["name"]));
            let served = async || (self.get(&path).await.code == 200).then_some(());
            self.until(&format!("{name} is served"), served).await;
        }
    }

    /// The events of a watch; `query` goes on after `?watch=true`.
    pub(crate) async fn watch(&self, path: &str, query: &str) -> Events {
        self.watch_accepting(path, query, JSON).await
    }

    /// The same in the media type that is accepted.
    pub(crate) async fn watch_accepting(&self, path: &str, query: &str, accepted: &str) -> Events {
        let request = Request::get(format!("{path}?watch=true{query}")).header(header::ACCEPT, accepted);
        let response = self.client.send(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200, "{path}?watch=true{query}");
        let frames = response.into_body().into_data_stream();
        Events { frames: frames.map(|frame| frame.unwrap().to_vec()).boxed(), rest: Vec::new() }
    }
}

pub(crate) const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: Value,
    pub(crate) warnings: Vec<String>,
}

impl Answer {
    /// What the server said, which must be good.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.code), "{}: {}", self.code, self.body);
        self.body
    }

    /// What the server said when it created something.
    #[track_caller]
    pub(crate) fn created(self) -> Value {
        assert_eq!(self.code, 201, "{}", self.body);
        self.body
    }

    /// The message of a refusal, which must have that code and reason.
    #[track_caller]
    pub(crate) fn refused(self, code: u16, reason: &str) -> String {
        assert_eq!((self.code, self.body["reason"].as_str()), (code, Some(reason)), "{}", self.body);
        let status = (&self.body["kind"], &self.body["apiVersion"], &self.body["status"], &self.body["code"]);
        assert_eq!(status, (&json!("Status"), &json!("v1"), &json!("Failure"), &json!(code)));
        text(&self.body["message"])
    }

    /// As [`Answer::refused`], and the message says all these things.
    #[track_caller]
    pub(crate) fn refused_with(self, code: u16, reason: &str, says: &[&str]) {
        let message = self.refused(code, reason);
        for part in says {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
    }

    /// The names of the items of a list.
    #[track_caller]
    pub(crate) fn names(self) -> Vec<String> {
        names(&self.ok())
    }
}

/// The events of a watch.
pub(crate) struct Events {
    frames: BoxStream<'static, Vec<u8>>,
    rest: Vec<u8>,
}

impl Events {
    /// The next event; none at the end of the watch.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = tokio::time::timeout(PATIENCE, self.frames.next());
            self.rest.extend(frame.await.expect("an event, or the end of the watch")?);
        }
    }

    /// Type and name of the next event that is no bookmark.
    pub(crate) async fn told(&mut self) -> (String, String) {
        loop {
            let event = self.next().await.expect("an event");
            if event["type"] != "BOOKMARK" {
                return (text(&event["type"]), text(&event["object"]["metadata"]["name"]));
            }
        }
    }

    /// Whether nothing but bookmarks comes for a while.
    pub(crate) async fn is_silent(&mut self) -> bool {
        let event = async { while self.next().await.expect("the watch goes on")["type"] == "BOOKMARK" {} };
        tokio::time::timeout(Duration::from_millis(300), event).await.is_err()
    }
}

/// A real API server.
pub(crate) struct Real {
    client: Client,
    /// The garbage collector and the namespace controller of Kubernetes run there.
    pub(crate) has_controllers: bool,
}

impl Real {
    /// The one that the environment names, or the Karmada of the rig, where nobody acts on workloads while a case looks.
    pub(crate) async fn reached() -> Option<Self> {
        let client = if let Some(kubeconfig) = env::var_os(KUBECONFIG) {
            connect(Some(Path::new(&kubeconfig)), None).await.expect("a usable kubeconfig")
        } else if let Some(rig) = Rig::running().await {
            rig.karmada
        } else {
            assert!(
                !Rig::is_required(),
                "no real API server: {WANTED}=required, and tests/rig/up was not run"
            );
            TOLD.call_once(|| {
                let line = format!("skipped: what compares the sandbox with a real API server (tests/rig/up starts one, {KUBECONFIG} names one)");
                // Not captured, as what is printed by a test that passes would be.
                writeln!(io::stderr(), "{line}").expect("standard error");
            });
            return None;
        };
        Some(Self { client, has_controllers: false })
    }

    /// Finds out whether Kubernetes' controllers run there: they let an empty namespace go.
    pub(crate) async fn look_for_controllers(&mut self) {
        let server = self.place().await;
        let path = format!("/api/v1/namespaces/{}", server.namespace);
        server.delete(&path, json!({})).await.ok();
        let gone = server.until("", async || (server.get(&path).await.code == 404).then_some(()));
        self.has_controllers = tokio::time::timeout(PATIENCE / 4, gone).await.is_ok();
    }

    /// A place for a case.
    pub(crate) async fn place(&self) -> Server {
        let mut server = Server { client: self.client.clone(), namespace: String::new(), sandbox: None };
        server.namespace = server.new_namespace().await;
        server
    }

    /// Asks for the place and what was defined there to be cleared away.
    pub(crate) async fn leave(&self, server: Server) {
        let all = server.get(CRDS).await.names();
        for name in all.iter().filter(|name| name.ends_with(&server.group())) {
            server.delete(&format!("{CRDS}/{name}"), json!({})).await.ok();
        }
        server.delete(&format!("/api/v1/namespaces/{}", server.namespace), json!({})).await.ok();
    }
}

/// A text out of JSON, which must be one.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The names of the items of a list.
#[track_caller]
pub(crate) fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap_or_else(|| panic!("{list} is no list"));
    items.iter().map(|item| text(&item["metadata"]["name"])).collect()
}

/// The resource version of an object or list.
#[track_caller]
pub(crate) fn version(object: &Value) -> String {
    text(&object["metadata"]["resourceVersion"])
}

/// What `manager` owns of an object, as `fieldsV1`; null if nothing.
pub(crate) fn owned<'a>(object: &'a Value, manager: &str) -> &'a Value {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut entries = entries.filter(|entry| entry["manager"] == manager);
    entries.next().map_or(&Value::Null, |entry| &entry["fieldsV1"])
}
