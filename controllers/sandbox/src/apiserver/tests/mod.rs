//! The server as its clients see it: requests in, answers and events out.
#![expect(clippy::needless_pass_by_value, reason = "bodies are literals: a borrow at each call says nothing")]

mod apply;
mod crds;
mod lists_and_watches;
mod objects;
mod patches;
mod properties;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;

use super::{ApiServer, ResponseBody};
use crate::clock::TokioClock;

pub(super) const WEB: &str = "/apis/apps/v1/namespaces/default/deployments/web";
pub(super) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
pub(super) const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
pub(super) const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A server with a client that says its name.
pub(super) struct Api {
    pub(super) server: ApiServer,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: StatusCode,
    pub(super) body: Value,
    pub(super) warnings: Vec<String>,
}

impl Answer {
    pub(super) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub(super) fn ok(self) -> Value {
        assert!(self.code.is_success(), "{}: {}", self.code, self.body);
        self.body
    }

    pub(super) fn refused(self, code: u16, reason: &str) -> String {
        assert_eq!(
            (self.code.as_u16(), self.body["reason"].as_str().unwrap_or("")),
            (code, reason),
            "{}",
            self.body
        );
        assert_eq!(self.body["kind"], "Status");
        self.message().to_owned()
    }
}

impl Api {
    pub(super) fn new() -> Self {
        let start: DateTime<Utc> = "2026-09-21T08:00:00Z".parse().unwrap();
        Self { server: ApiServer::new("test", Arc::new(TokioClock::starting_at(start))) }
    }

    async fn response(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: String,
    ) -> http::Response<ResponseBody> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, media_type)
            .header(header::USER_AGENT, "tester/1.0")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        self.server.service().oneshot(request).await.unwrap()
    }

    async fn send(&self, method: Method, path: &str, media_type: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.response(method, path, media_type, body).await;
        let code = response.status();
        let warnings = response.headers().get_all(header::WARNING).iter();
        let warnings = warnings.map(|warning| warning.to_str().unwrap().to_owned()).collect();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        Answer { code, body, warnings }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "", &Value::Null).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, "application/json", &body).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, "application/json", &body).await
    }

    pub(super) async fn delete(&self, path: &str, options: Value) -> Answer {
        self.send(Method::DELETE, path, "application/json", &options).await
    }

    pub(super) async fn merge(&self, path: &str, change: Value) -> Answer {
        self.send(Method::PATCH, path, "application/merge-patch+json", &change).await
    }

    pub(super) async fn patch(&self, path: &str, kind: &str, change: Value) -> Answer {
        self.send(Method::PATCH, path, &format!("application/{kind}"), &change).await
    }

    pub(super) async fn apply(&self, path: &str, manager: &str, configuration: Value) -> Answer {
        let path = format!("{path}?fieldManager={manager}");
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", &configuration).await
    }

    pub(super) async fn force(&self, path: &str, manager: &str, configuration: Value) -> Answer {
        let path = format!("{path}?fieldManager={manager}&force=true");
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", &configuration).await
    }

    pub(super) async fn watch(&self, path: &str) -> Events {
        let response = self.response(Method::GET, path, "", String::new()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        Events(response.into_body())
    }
}

/// A watch under way.
pub(super) struct Events(ResponseBody);

impl Events {
    /// The next event; none at the end of the watch.
    pub(super) async fn next(&mut self) -> Option<Value> {
        let frame = self.0.frame().await?.unwrap().into_data().unwrap();
        Some(serde_json::from_slice(&frame).unwrap())
    }

    /// Type and name of the next event, which must be there already.
    pub(super) async fn told(&mut self) -> (String, String) {
        let event =
            timeout(Duration::from_millis(1), self.next()).await.expect("no event").expect("the watch ended");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&event["type"]), text(&event["object"]["metadata"]["name"]))
    }

    pub(super) async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(1), self.next()).await.is_err()
    }
}

pub(super) fn told(what: &str, name: &str) -> (String, String) {
    (what.to_owned(), name.to_owned())
}

pub(super) fn config_map(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}})
}

pub(super) fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "main:1"}]},
            },
        },
    })
}
