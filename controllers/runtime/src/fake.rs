//! An API server that says what a test told it to say, call by call.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::body::Body as Answered;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::{Client, client::Body};
use serde_json::{Value, json};

/// What the server does with one call.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It answers.
    Json(u16, Value),
    /// It sends these lines and ends the answer.
    Lines(Vec<Value>),
    /// It sends these lines and then keeps silent.
    LinesThenSilence(Vec<Value>),
    /// It sends these lines and then breaks the connection.
    LinesThenBreak(Vec<Value>),
    /// It never answers.
    Silence,
}

/// A call as the server saw it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// Method, path and query.
    pub(crate) line: String,
    /// The body, if it is JSON.
    pub(crate) body: Value,
}

/// The server. What it was not told an answer for, it leaves unanswered.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeServer {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl FakeServer {
    pub(crate) fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let server = Self::default();
        server.answers.lock().unwrap().extend(answers);
        server
    }

    pub(crate) fn client(&self) -> Client {
        let server = self.clone();
        Client::new(tower::service_fn(move |request| server.clone().serve(request)), "default")
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    async fn serve(self, request: Request<Body>) -> Result<Response<Answered>, Infallible> {
        let line = format!("{} {}", request.method(), request.uri());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.calls.lock().unwrap().push(Call { line, body });
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Silence);
        Ok(match answer {
            Answer::Json(code, value) => {
                Response::builder().status(code).body(Answered::from(value.to_string())).unwrap()
            }
            Answer::Lines(lines) => Response::new(Answered::from_stream(sent(lines))),
            Answer::LinesThenSilence(lines) => {
                Response::new(Answered::from_stream(sent(lines).chain(stream::pending())))
            }
            Answer::LinesThenBreak(lines) => {
                let broken = stream::iter([Err(std::io::Error::other("connection reset"))]);
                Response::new(Answered::from_stream(sent(lines).chain(broken)))
            }
            Answer::Silence => std::future::pending().await,
        })
    }
}

fn sent(lines: Vec<Value>) -> impl futures::Stream<Item = std::io::Result<Bytes>> {
    stream::iter(lines.into_iter().map(|line| Ok(Bytes::from(format!("{line}\n")))))
}

/// A refusal as API servers word it.
pub(crate) fn refusal(code: u16, reason: &str) -> Answer {
    Answer::Json(code, failure(code, reason))
}

/// The `Status` of a refusal.
pub(crate) fn failure(code: u16, reason: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("the server says {code}"), "reason": reason, "code": code,
    })
}

/// A `ConfigMap` in the namespace `default`.
pub(crate) fn config_map(name: &str, version: u32) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": name, "namespace": "default", "uid": format!("uid-{name}"),
            "resourceVersion": version.to_string(),
        },
    })
}

/// A list of `ConfigMap`s.
pub(crate) fn list(version: u32, items: impl IntoIterator<Item = Value>) -> Answer {
    Answer::Json(
        200,
        json!({
            "apiVersion": "v1", "kind": "ConfigMapList",
            "metadata": { "resourceVersion": version.to_string() },
            "items": items.into_iter().collect::<Vec<_>>(),
        }),
    )
}

/// A line of a watch.
pub(crate) fn event(kind: &str, object: Value) -> Value {
    let mut line = json!({ "type": kind });
    line["object"] = object;
    line
}

/// A registry of its own.
pub(crate) fn metrics() -> crate::metrics::Metrics {
    crate::metrics::Metrics::new(crate::metrics::Build { version: "1.2.3", revision: "abc" }).unwrap()
}
