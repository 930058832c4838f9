//! What Kubernetes asks of a schema, and what we ask of ours.

use fedscaler_crds::{GROUP, VERSION, render};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube_cel::{compile_schema, estimate_rule_cost};
use serde_json::{Value, json};

use crate::judge::{Judge, judges};

/// A part of a schema and the path to it.
struct Node {
    path: String,
    schema: Value,
}

/// All nodes of both kinds' schemas.
fn nodes() -> Vec<Node> {
    let mut nodes = Vec::new();
    for (kind, judge) in judges() {
        collect(kind, &judge.schema, &mut nodes);
    }
    nodes
}

fn nodes_under(part: &str) -> Vec<Node> {
    nodes().into_iter().filter(|node| node.path.contains(part)).collect()
}

fn collect(path: String, schema: &Value, nodes: &mut Vec<Node>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(format!("{path}.{name}"), property, nodes);
    }
    for below in ["items", "additionalProperties"] {
        if schema[below].is_object() {
            collect(format!("{path}[]"), &schema[below], nodes);
        }
    }
    nodes.push(Node { path, schema: schema.clone() });
}

#[test]
fn every_node_has_one_type_and_no_alternatives() {
    for Node { path, schema } in nodes() {
        assert!(schema["type"].is_string(), "{path} has no type");
        for keyword in ["$ref", "anyOf", "oneOf", "allOf", "not", "definitions", "const"] {
            assert!(schema.get(keyword).is_none(), "{path} has {keyword}");
        }
    }
}

#[test]
fn only_the_status_as_a_whole_may_be_null() {
    let nullable: Vec<_> =
        nodes().into_iter().filter(|node| node.schema["nullable"] == true).map(|node| node.path).collect();
    assert_eq!(nullable, ["CronHPA.status", "FedHPA.status"]);
}

#[test]
fn formats_are_those_that_api_servers_know() {
    for Node { path, schema } in nodes() {
        if let Some(format) = schema["format"].as_str() {
            assert!(["int32", "int64", "date-time"].contains(&format), "{path} has format {format}");
        }
    }
}

#[test]
fn everything_in_a_spec_has_limits() {
    for Node { path, schema } in nodes_under(".spec") {
        let limits: &[&str] = match schema["type"].as_str().unwrap() {
            "integer" => &["minimum", "maximum"],
            "array" => &["maxItems"],
            // API servers know how long a time can be.
            "string" if schema["format"] == "date-time" => &[],
            "string" if schema.get("enum").is_none() && !path.ends_with("matchExpressions[].values[]") => {
                &["maxLength"]
            }
            _ => &[],
        };
        for limit in limits {
            assert!(schema.get(limit).is_some(), "{path} has no {limit}");
        }
    }
}

#[test]
fn every_field_is_described() {
    for Node { path, schema } in nodes().iter().filter(|node| !node.path.ends_with(']')) {
        assert!(schema["description"].is_string(), "{path} has no description");
    }
}

#[test]
fn every_list_says_how_it_is_merged_and_map_keys_are_always_there() {
    for Node { path, schema } in nodes().iter().filter(|node| node.schema["type"] == "array") {
        let Some(merge) = schema["x-kubernetes-list-type"].as_str() else {
            panic!("{path} has no list type")
        };
        if merge != "map" {
            continue;
        }
        let item = &schema["items"];
        for key in schema["x-kubernetes-list-map-keys"].as_array().unwrap() {
            let name = key.as_str().unwrap();
            let required = item["required"].as_array().is_some_and(|names| names.contains(key));
            assert!(
                required || item["properties"][name].get("default").is_some(),
                "{path}: {name} may be absent"
            );
        }
    }
}

#[test]
fn lists_that_have_one_entry_for_each_name_are_merged_by_it() {
    for (path, key) in [
        ("CronHPA.spec.rules", "name"),
        ("CronHPA.status.conditions", "type"),
        ("CronHPA.status.reversions", "manager"),
        ("CronHPA.status.rules", "name"),
        ("FedHPA.status.clusters", "name"),
        ("FedHPA.status.conditions", "type"),
        ("FedHPA.status.split.shares", "cluster"),
    ] {
        let nodes = nodes();
        let list = nodes.iter().find(|node| node.path == path).unwrap();
        assert_eq!(list.schema["x-kubernetes-list-type"], "map", "{path}");
        assert_eq!(list.schema["x-kubernetes-list-map-keys"], json!([key]), "{path}");
    }
}

#[test]
fn defaults_are_valid_where_they_stand_and_leave_nothing_to_fill_in() {
    for Node { path, schema } in nodes() {
        if let Some(default) = schema.get("default").cloned() {
            let judge = Judge::of(schema);
            let objections = judge.objections(&default);
            assert!(objections.is_empty(), "{path}: {objections:#?}");
            // Not every reader of a schema fills in a default from within.
            assert_eq!(judge.completed(&default), default, "{path}");
        }
    }
}

#[test]
fn every_rule_compiles_and_is_cheap_and_says_what_to_do() {
    for Node { path, schema } in nodes() {
        let compiled = compile_schema(&schema);
        assert!(!compiled.has_errors(), "{path}: {:#?}", compiled.compilation_errors());
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let warnings = estimate_rule_cost(rule["rule"].as_str().unwrap(), &compiled);
            assert!(warnings.is_empty(), "{path}: {warnings:#?}");
            assert!(rule["message"].as_str().is_some_and(|text| !text.contains('\n')), "{path}: {rule}");
            // An API server drops the message of a rule whose reason is FieldValueDuplicate.
            let reason = rule["reason"].as_str().unwrap();
            assert!(["FieldValueInvalid", "FieldValueForbidden"].contains(&reason), "{path}: {rule}");
        }
    }
}

#[test]
fn the_field_that_a_rule_points_at_exists() {
    for Node { path, schema } in nodes() {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let Some(field) = rule["fieldPath"].as_str() else { continue };
            let pointer = field.replace('.', "/properties/");
            assert!(schema.pointer(&pointer).is_some(), "{path}: {field} does not exist");
        }
    }
}

#[test]
fn the_definitions_bear_their_names_and_none_of_others() {
    let names: Vec<_> = render::all().iter().map(in_short).collect();
    assert_eq!(
        names,
        [
            "cronhpas.autoscaling.fedscaler.io CronHPA cronhpa Namespaced [\"autoscaling\"] None",
            "fedhpas.autoscaling.fedscaler.io FedHPA fedhpa Namespaced [\"autoscaling\"] None",
        ]
    );
}

fn in_short(crd: &CustomResourceDefinition) -> String {
    let names = &crd.spec.names;
    format!(
        "{}.{} {} {} {} {:?} {:?}",
        names.plural,
        crd.spec.group,
        names.kind,
        names.singular.as_deref().unwrap(),
        crd.spec.scope,
        names.categories.clone().unwrap_or_default(),
        names.short_names
    )
}

#[test]
fn one_version_is_served_and_stored_with_its_status_apart() {
    for crd in render::all() {
        assert_eq!(crd.spec.group, GROUP);
        let [version] = crd.spec.versions.as_slice() else { panic!("{} versions", crd.spec.versions.len()) };
        assert_eq!((version.name.as_str(), version.served, version.storage), (VERSION, true, true));
        let subresources = version.subresources.as_ref().unwrap();
        assert!(subresources.status.is_some() && subresources.scale.is_none());
    }
}

#[test]
fn printer_columns_lead_to_fields_that_exist() {
    let nodes = nodes();
    for crd in render::all() {
        for column in crd.spec.versions[0].additional_printer_columns.iter().flatten() {
            let path = column.json_path.split('[').next().unwrap();
            let full = format!("{}{path}", crd.spec.names.kind);
            let known = path == ".metadata.creationTimestamp" || nodes.iter().any(|node| node.path == full);
            assert!(known, "column {} leads to {path}", column.name);
        }
    }
}
