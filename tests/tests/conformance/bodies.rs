//! The objects that cases use.

use serde_json::{Value, json};

use crate::server::Server;

pub(crate) const MAPS: &str = "v1/configmaps";
pub(crate) const DEPLOYMENTS: &str = "apps/v1/deployments";
pub(crate) const STATEFUL_SETS: &str = "apps/v1/statefulsets";
pub(crate) const AUTOSCALERS: &str = "autoscaling/v2/horizontalpodautoscalers";

/// A `ConfigMap` with labels. `case: mine` is always there: namespaces of real clusters hold one that is not ours.
pub(crate) fn map(name: &str, labels: &[(&str, &str)]) -> Value {
    let mut map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"case": "mine"}},
        "data": {"key": "value"},
    });
    for (label, value) in labels {
        map["metadata"]["labels"][label] = json!(value);
    }
    map
}

/// A workload of no replicas, so that nobody acts on it.
pub(crate) fn workload(kind: &str, name: &str) -> Value {
    let mut workload = json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "registry.example.com/main:1"}]},
            },
        },
    });
    if kind == "StatefulSet" {
        workload["spec"]["serviceName"] = json!(name);
    }
    workload
}

pub(crate) fn deployment(name: &str) -> Value {
    workload("Deployment", name)
}

/// The same with so many replicas, and paused.
pub(crate) fn deployment_of(name: &str, replicas: i64) -> Value {
    let mut deployment = deployment(name);
    deployment["spec"]["replicas"] = json!(replicas);
    deployment["spec"]["paused"] = json!(true);
    deployment
}

/// A part of a Deployment, to be applied.
pub(crate) fn part_of_deployment(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})
}

pub(crate) fn autoscaler(name: &str) -> Value {
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "maxReplicas": 5},
    })
}

/// The schema of the spec of a Widget: limits, defaults, rules, lists of all kinds.
fn widget_spec() -> Value {
    json!({
        "type": "object",
        "required": ["max"],
        "x-kubernetes-validations": [
            {"rule": "!has(self.min) || self.min <= self.max", "message": "min must not exceed max"},
            {"rule": "self.mode == oldSelf.mode", "message": "mode cannot be changed", "reason": "FieldValueForbidden"},
        ],
        "properties": {
            "min": {"type": "integer", "minimum": 0},
            "max": {"type": "integer", "minimum": 1, "maximum": 1000},
            "replicas": {"type": "integer"},
            "mode": {"type": "string", "enum": ["Auto", "Off"], "default": "Auto"},
            "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5},
            "note": {"type": "string", "nullable": true},
            "port": {"x-kubernetes-int-or-string": true},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "labels": {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string"}},
            "limits": {
                "type": "object", "default": {},
                "properties": {"surge": {"type": "integer", "default": 3}},
            },
            "words": {"type": "array", "maxItems": 3, "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "steps": {"type": "array", "items": {"type": "integer"}},
            "rules": {
                "type": "array", "maxItems": 5,
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object", "required": ["name"],
                    "properties": {
                        "name": {"type": "string"},
                        "weight": {"type": "integer", "maximum": 10},
                        "kind": {"type": "string", "default": "Point"},
                    },
                },
            },
        },
    })
}

/// A definition of Widgets in the group of the case: `/status`, `/scale`, and two versions of one schema.
pub(crate) fn widgets(server: &Server) -> Value {
    let status = json!({
        "type": "object",
        "properties": {
            "replicas": {"type": "integer"}, "selector": {"type": "string"},
            "conditions": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                "items": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}, "status": {"type": "string"}}},
            },
        },
    });
    let version = |name: &str, storage: bool| {
        json!({
            "name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": widget_spec(), "status": status}}},
            "subresources": {
                "status": {},
                "scale": {
                    "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                    "labelSelectorPath": ".status.selector",
                },
            },
        })
    };
    definition(server, "widgets", "Widget", &json!([version("v1", true), version("v1beta1", false)]))
}

/// A definition of Gadgets, which have no subresources and rules that can be broken in the past.
pub(crate) fn gadgets(server: &Server, spec: &Value) -> Value {
    let version = json!({
        "name": "v1", "served": true, "storage": true,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}},
    });
    definition(server, "gadgets", "Gadget", &json!([version]))
}

fn definition(server: &Server, plural: &str, kind: &str, versions: &Value) -> Value {
    let group = server.group();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
            "versions": versions,
        },
    })
}

/// A Widget of the case.
pub(crate) fn widget(server: &Server, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": format!("{}/v1", server.group()), "kind": "Widget", "metadata": {"name": name}, "spec": spec})
}

/// A Gadget of the case.
pub(crate) fn gadget(server: &Server, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": format!("{}/v1", server.group()), "kind": "Gadget", "metadata": {"name": name}, "spec": spec})
}

/// Defines Widgets and says where they are.
pub(crate) async fn with_widgets(server: &Server) -> String {
    server.define(widgets(server)).await;
    server.path(&format!("{}/v1/widgets", server.group()))
}
