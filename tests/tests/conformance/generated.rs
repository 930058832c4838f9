//! Sequences of requests that nobody thought of: the sandbox has to answer each as a real API server does.
//!
//! Nothing is asked of built-in kinds that cannot be decoded: a real server says so before it looks at anything else.
//!
//! Compared are the code, the reason of a refusal, and the whole object of an answer, without what differs from server to
//! server (uids, times, versions).

use std::fmt;

use http::Method;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{select, subsequence},
    test_runner::{Config, TestRng, TestRunner},
};
use serde_json::{Map, Value, json};

use crate::{
    bodies::{AUTOSCALERS, DEPLOYMENTS, MAPS, autoscaler, deployment, map, widget, widgets},
    server::{APPLY, Answer, JSON_PATCH, MERGE, STRATEGIC, Server},
};

/// How many sequences are played.
const SEQUENCES: &str = "FEDSCALER_SEQUENCES";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Map,
    Deployment,
    Widget,
    Autoscaler,
}

/// Which resourceVersion a request carries.
#[derive(Clone, Copy, Debug)]
enum Version {
    None,
    Present,
    Old,
}

#[derive(Clone, Debug)]
enum Verb {
    Create(Value),
    Put(Value, Version),
    Merge(Value, Version),
    Steps(Value),
    Strategic(Value),
    Apply { part: Value, manager: &'static str, force: bool },
    Status(Value),
    Scale(i64),
    ReadScale,
    Delete(Version),
    Get,
    List(&'static str),
}

#[derive(Clone)]
struct Request {
    kind: Kind,
    name: &'static str,
    verb: Verb,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {:?}", self.kind, self.name, self.verb)
    }
}

/// Plays sequences against both until one is answered differently; the shortest such sequence is in the error.
pub(crate) fn compare(
    real: &Server,
    sandbox: &Server,
    runtime: &tokio::runtime::Handle,
) -> Result<u32, String> {
    let cases = std::env::var(SEQUENCES).ok().and_then(|count| count.parse().ok()).unwrap_or(150);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    runtime.block_on(async {
        for server in [real, sandbox] {
            server.define(widgets(server)).await;
        }
    });
    let number = std::cell::Cell::new(0_u32);
    let outcome = runner.run(&vec(request(), 1..14), |sequence| {
        number.set(number.get() + 1);
        let prefix = format!("s{}", number.get());
        let difference = runtime.block_on(async {
            let mut there = Client::new(real, &prefix);
            let mut here = Client::new(sandbox, &prefix);
            for request in &sequence {
                let (real, ours) = (there.send(request).await, here.send(request).await);
                if real != ours {
                    return Some(format!("{request:?}\n  real:    {real}\n  sandbox: {ours}"));
                }
            }
            None
        });
        prop_assert!(difference.is_none(), "{}", difference.unwrap_or_default());
        Ok(())
    });
    outcome.map(|()| number.get()).map_err(|error| error.to_string())
}

/// One side of the comparison.
struct Client<'a> {
    server: &'a Server,
    /// What names begin with, so that sequences do not meet.
    prefix: &'a str,
    /// A version that is no longer the present one, if an object has had two.
    versions: Vec<(String, Vec<String>)>,
}

impl<'a> Client<'a> {
    fn new(server: &'a Server, prefix: &'a str) -> Self {
        Self { server, prefix, versions: Vec::new() }
    }

    /// The answer as it is compared.
    async fn send(&mut self, request: &Request) -> Value {
        let of = self.collection(request.kind);
        let name = format!("{}-{}", self.prefix, request.name);
        let path = format!("{of}/{name}");
        let whole = |change: &Value| {
            let mut object = self.whole(request.kind, &name);
            merge(&mut object, change);
            object["metadata"]["name"] = json!(name);
            object["metadata"]["labels"]["sequence"] = json!(self.prefix);
            object
        };
        let answer = match &request.verb {
            Verb::Create(change) => self.server.post(&of, whole(change)).await,
            Verb::Put(change, version) => {
                let object = self.versioned(whole(change), &path, *version);
                self.server.put(&path, object).await
            }
            Verb::Merge(change, version) => {
                let change = self.versioned(change.clone(), &path, *version);
                self.server.merge(&path, change).await
            }
            Verb::Steps(steps) => self.server.patch(&path, JSON_PATCH, steps.clone()).await,
            Verb::Strategic(change) => self.server.patch(&path, STRATEGIC, change.clone()).await,
            Verb::Apply { part, manager, force } => {
                let path = format!("{path}?fieldManager={manager}&force={force}");
                self.server.patch(&path, APPLY, self.configuration(request.kind, &name, part)).await
            }
            Verb::Status(change) => {
                self.server.merge(&format!("{path}/status"), json!({"status": change})).await
            }
            Verb::Scale(replicas) => {
                self.server
                    .patch(&format!("{path}/scale"), MERGE, json!({"spec": {"replicas": replicas}}))
                    .await
            }
            Verb::ReadScale => self.server.get(&format!("{path}/scale")).await,
            Verb::Delete(version) => {
                let options = match self.version(&path, *version) {
                    Some(version) => json!({"preconditions": {"resourceVersion": version}}),
                    None => json!({}),
                };
                self.server.delete(&path, options).await
            }
            Verb::Get => self.server.get(&path).await,
            Verb::List(selector) => {
                let selector =
                    format!("sequence={}{selector}", self.prefix).replace('=', "%3D").replace(' ', "%20");
                self.server
                    .call(Method::GET, &format!("{of}?labelSelector={selector}"), "application/json", "")
                    .await
            }
        };
        self.note(&path, &answer);
        compared(&answer, self.server)
    }

    /// What a manager applies.
    fn configuration(&self, kind: Kind, name: &str, part: &Value) -> Value {
        let mut object = part.clone();
        drop_nulls(&mut object);
        let whole = self.whole(kind, name);
        object["apiVersion"] = whole["apiVersion"].clone();
        object["kind"] = whole["kind"].clone();
        object["metadata"]["name"] = json!(name);
        object["metadata"]["labels"]["sequence"] = json!(self.prefix);
        object
    }

    fn collection(&self, kind: Kind) -> String {
        match kind {
            Kind::Map => self.server.path(MAPS),
            Kind::Deployment => self.server.path(DEPLOYMENTS),
            Kind::Autoscaler => self.server.path(AUTOSCALERS),
            Kind::Widget => self.server.path(&format!("{}/v1/widgets", self.server.group())),
        }
    }

    fn whole(&self, kind: Kind, name: &str) -> Value {
        match kind {
            Kind::Map => map(name, &[]),
            Kind::Deployment => deployment(name),
            Kind::Autoscaler => autoscaler(name),
            Kind::Widget => widget(self.server, name, &json!({"max": 5})),
        }
    }

    fn note(&mut self, path: &str, answer: &Answer) {
        let Some(version) = answer.body["metadata"]["resourceVersion"].as_str() else { return };
        if answer.code >= 300 || answer.body["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) {
            return;
        }
        match self.versions.iter_mut().find(|(of, _)| of == path) {
            Some((_, versions)) if versions.last().map(String::as_str) != Some(version) => {
                versions.push(version.to_owned());
            }
            Some(_) => {}
            None => self.versions.push((path.to_owned(), vec![version.to_owned()])),
        }
    }

    fn version(&self, path: &str, version: Version) -> Option<String> {
        let (_, versions) = self.versions.iter().find(|(of, _)| of == path)?;
        match version {
            Version::None => None,
            Version::Present => versions.last().cloned(),
            Version::Old => versions.first().filter(|_| versions.len() > 1).cloned(),
        }
    }

    fn versioned(&self, mut object: Value, path: &str, version: Version) -> Value {
        if let Some(version) = self.version(path, version) {
            object["metadata"]["resourceVersion"] = json!(version);
        }
        object
    }
}

/// Sets what is given, and takes away what is null.
fn merge(object: &mut Value, change: &Value) {
    let Value::Object(fields) = change else {
        object.clone_from(change);
        return;
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    for (name, field) in fields {
        merge(&mut object[name], field);
    }
}

/// A real server takes a null in what is applied for a field that is owned and not there, and an empty object for one that
/// replaces what others own in it; the sandbox leaves both out, as no user means them.
fn drop_nulls(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.values_mut().for_each(drop_nulls);
        fields.retain(|_, field| !field.is_null() && *field != json!({}));
    }
}

/// An answer without what differs from server to server.
fn compared(answer: &Answer, server: &Server) -> Value {
    if answer.code >= 400 {
        return json!({"code": answer.code, "reason": answer.body["reason"]});
    }
    let text =
        answer.body.to_string().replace(&server.group(), "GROUP").replace(&server.namespace, "NAMESPACE");
    let mut body = serde_json::from_str(&text).unwrap_or(Value::Null);
    strip(&mut body);
    json!({"code": answer.code, "body": body})
}

/// Besides: a Go struct that is no pointer is always there, so that a real server shows an empty `status` and counts such
/// structs of built-in kinds as there before anybody made them (no `.` in managed fields). Nobody is served by it.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove(".");
            if fields.get("currentMetrics").is_some_and(Value::is_null) {
                fields.remove("currentMetrics");
            }
            if fields.get("continue").is_some_and(|text| *text == json!("")) {
                fields.remove("continue");
            }
            if fields.get("status").is_some_and(|status| *status == json!({})) {
                fields.remove("status");
            }
            for name in [
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "deletionTimestamp",
                "time",
                "lastTransitionTime",
            ] {
                fields.remove(name);
            }
            fields.values_mut().for_each(strip);
            if let Some(Value::Array(managers)) = fields.get_mut("managedFields") {
                // What `/scale` has set of a custom resource a real server forgets at the next apply.
                managers.retain(|manager| manager["subresource"] != "scale");
                // They come by time, of which a request a moment later has another.
                managers.sort_by_key(ToString::to_string);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn request() -> impl Strategy<Value = Request> {
    let kind = prop_oneof![
        2 => Just(Kind::Map),
        2 => Just(Kind::Deployment),
        3 => Just(Kind::Widget),
        1 => Just(Kind::Autoscaler),
    ];
    (kind, select(vec!["a", "a", "b"]))
        .prop_flat_map(|(kind, name)| verb(kind).prop_map(move |verb| Request { kind, name, verb }))
}

fn verb(kind: Kind) -> BoxedStrategy<Verb> {
    let version = || select(vec![Version::None, Version::None, Version::Present, Version::Old]);
    let manager = select(vec!["one", "other"]);
    prop_oneof![
        4 => change(kind).prop_map(Verb::Create),
        2 => (change(kind), version()).prop_map(|(change, version)| Verb::Put(change, version)),
        3 => (change(kind), version()).prop_map(|(change, version)| Verb::Merge(change, version)),
        1 => steps().prop_map(Verb::Steps),
        1 => change(kind).prop_map(Verb::Strategic),
        4 => (change(kind), manager, any::<bool>())
            .prop_map(|(part, manager, force)| Verb::Apply { part, manager, force }),
        1 => status(kind).prop_map(Verb::Status),
        1 => (-1_i64..5).prop_map(Verb::Scale),
        1 => Just(Verb::ReadScale),
        2 => version().prop_map(Verb::Delete),
        1 => Just(Verb::Get),
        1 => select(vec!["", ",tone=x", ",tone!=x", ",tone", ",!tone", ",tone in (x,y)"]).prop_map(Verb::List),
    ]
    .boxed()
}

/// Some of these fields.
fn some(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let count = fields.len();
    subsequence(fields, 0..=count)
        .prop_flat_map(|chosen| {
            let (names, values): (Vec<_>, Vec<_>) = chosen.into_iter().unzip();
            values.prop_map(move |values| {
                Value::Object(names.iter().map(|name| (*name).to_owned()).zip(values).collect())
            })
        })
        .boxed()
}

fn one_of(values: Vec<Value>) -> BoxedStrategy<Value> {
    select(values).boxed()
}

/// A part of an object, right or wrong.
fn change(kind: Kind) -> BoxedStrategy<Value> {
    let metadata = some(vec![
        (
            "labels",
            some(vec![("tone", one_of(vec![json!("x"), json!("y"), json!("not a label"), Value::Null]))]),
        ),
        (
            "annotations",
            some(vec![
                ("one", one_of(vec![json!("1"), json!("2"), Value::Null])),
                ("two", one_of(vec![json!("1"), Value::Null])),
            ]),
        ),
        ("finalizers", one_of(vec![json!(["example.com/hold"]), json!([]), Value::Null])),
    ]);
    let content = match kind {
        Kind::Map => some(vec![
            (
                "data",
                some(vec![
                    ("key", one_of(vec![json!("a"), json!("b"), Value::Null])),
                    ("other", one_of(vec![json!("c"), json!("d")])),
                ]),
            ),
            ("immutable", one_of(vec![json!(true), json!(false), Value::Null])),
        ]),
        Kind::Deployment => deployment_spec().prop_map(|spec| json!({"spec": spec})).boxed(),
        Kind::Widget => widget_spec().prop_map(|spec| json!({"spec": spec})).boxed(),
        Kind::Autoscaler => some(vec![
            ("minReplicas", one_of(vec![json!(1), json!(0), json!(9), Value::Null])),
            ("maxReplicas", one_of(vec![json!(5), json!(0), json!(8)])),
            (
                "behavior",
                one_of(vec![
                    json!({"scaleDown": {"stabilizationWindowSeconds": 0}}),
                    json!({"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}}),
                    Value::Null,
                ]),
            ),
        ])
        .prop_map(|spec| json!({"spec": spec}))
        .boxed(),
    };
    (option::weighted(0.4, metadata), content)
        .prop_map(|(metadata, mut content)| {
            if let Some(metadata) = metadata {
                content["metadata"] = metadata;
            }
            content
        })
        .boxed()
}

fn deployment_spec() -> BoxedStrategy<Value> {
    let container =
        |name: &str, image: &str| json!({"name": name, "image": format!("registry.example.com/{image}")});
    some(vec![
        ("replicas", one_of(vec![json!(0), json!(3), json!(-1), Value::Null])),
        ("paused", one_of(vec![json!(true), Value::Null])),
        ("minReadySeconds", one_of(vec![json!(5), json!(-5)])),
        ("revisionHistoryLimit", one_of(vec![json!(2), Value::Null])),
        (
            "strategy",
            one_of(vec![
                json!({"type": "Recreate", "rollingUpdate": null}),
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
                json!({"type": "Other"}),
            ]),
        ),
        (
            "template",
            one_of(vec![
                json!({"metadata": {"labels": {"more": "1"}}}),
                json!({"spec": {"containers": [container("main", "main:2")]}}),
                json!({"spec": {"containers": [container("side", "side:1")]}}),
                json!({"spec": {"containers": []}}),
                json!({"spec": {"terminationGracePeriodSeconds": 5}}),
            ]),
        ),
    ])
}

fn widget_spec() -> BoxedStrategy<Value> {
    some(vec![
        ("min", one_of(vec![json!(1), json!(7), json!(-1), Value::Null])),
        ("max", one_of(vec![json!(3), json!(9), json!(0), json!(2000), json!("3"), Value::Null])),
        ("replicas", one_of(vec![json!(2), Value::Null])),
        ("mode", one_of(vec![json!("Auto"), json!("Off"), json!("Odd"), Value::Null])),
        ("name", one_of(vec![json!("abc"), json!("a"), json!("ABC"), json!("abcdef")])),
        ("note", one_of(vec![json!("n"), Value::Null])),
        ("port", one_of(vec![json!(80), json!("http"), json!(1.5)])),
        ("open", one_of(vec![json!({"a": 1}), json!({"b": {"c": [1]}}), Value::Null])),
        ("labels", one_of(vec![json!({"a": "1"}), json!({"b": "2"}), json!({"a": "1", "b": "2", "c": "3"})])),
        ("limits", one_of(vec![json!({}), json!({"surge": 1}), json!({"surge": null}), Value::Null])),
        (
            "words",
            one_of(vec![json!(["a"]), json!(["b", "a"]), json!(["a", "a"]), json!(["a", "b", "c", "d"])]),
        ),
        ("steps", one_of(vec![json!([1]), json!([2, 1]), json!([])])),
        (
            "rules",
            one_of(vec![
                json!([{"name": "x", "weight": 1}]),
                json!([{"name": "y", "kind": "Window"}, {"name": "x"}]),
                json!([{"name": "x"}, {"name": "x"}]),
                json!([{"weight": 3}]),
                json!([{"name": "x", "weight": 11}]),
                json!([]),
            ]),
        ),
        ("unknown", one_of(vec![json!(1)])),
    ])
}

fn status(kind: Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Map => Just(json!({"replicas": 1})).boxed(),
        Kind::Autoscaler => Just(json!({"currentReplicas": 2, "desiredReplicas": 3})).boxed(),
        Kind::Deployment => select(vec![
            json!({"replicas": 2, "observedGeneration": 1}),
            json!({"replicas": 0, "observedGeneration": 1}),
            json!({"observedGeneration": 2}),
        ])
        .boxed(),
        Kind::Widget => some(vec![
            ("replicas", one_of(vec![json!(2), json!("2"), Value::Null])),
            (
                "conditions",
                one_of(vec![
                    json!([{"type": "Ready", "status": "True"}]),
                    json!([{"type": "Ready"}, {"type": "Ready"}]),
                    json!([{"status": "True"}]),
                ]),
            ),
            ("odd", one_of(vec![json!(1)])),
        ]),
    }
}

fn steps() -> BoxedStrategy<Value> {
    let step = prop_oneof![
        Just(json!({"op": "add", "path": "/metadata/labels/tone", "value": "x"})),
        Just(json!({"op": "remove", "path": "/metadata/labels/tone"})),
        Just(json!({"op": "replace", "path": "/spec/replicas", "value": 3})),
        Just(json!({"op": "test", "path": "/metadata/labels/case", "value": "mine"})),
        Just(json!({"op": "add", "path": "/spec/steps/-", "value": 7})),
        Just(json!({"op": "remove", "path": "/spec/steps/0"})),
        Just(json!({"op": "copy", "from": "/metadata/labels", "path": "/metadata/annotations"})),
    ];
    vec(step, 1..3).prop_map(Value::Array).boxed()
}
