//! `/openapi/v3`: the schemas of what is served, and that PATCH knows `fieldValidation`.
//!
//! `kubectl` reads it for `explain` and to learn that the server validates fields by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    State,
    catalog::{Resource, Version},
    kinds::{Scope, api_version},
};

/// Where the document of each group and version is.
pub(super) fn index(groups: &BTreeMap<String, BTreeSet<String>>) -> Value {
    let mut paths = Map::new();
    for (group, versions) in groups {
        for version in versions {
            let path = base(group, version);
            paths.insert(path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}")}));
        }
    }
    json!({"paths": paths})
}

fn base(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// A second version of the specification for clients that ask for it first: no definitions, which they take as unknown.
pub(super) fn second_version() -> Value {
    json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.36.0"}, "paths": {}, "definitions": {}})
}

/// The document of one group and version; none if nothing is served there.
pub(super) fn document(state: &State, group: &str, version: &str) -> Option<Value> {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for resource in state.catalog.iter().filter(|resource| resource.id.group == group) {
        if let Some(served) = resource.versions.get(version) {
            let (path, operations) = operations(resource, served);
            paths.insert(path, operations);
            schemas.insert(schema_name(resource, served), schema(resource, served));
        }
    }
    (!paths.is_empty()).then(|| {
        json!({
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": "v1.36.0"},
            "paths": paths,
            "components": {"schemas": schemas},
        })
    })
}

fn schema_name(resource: &Resource, version: &Version) -> String {
    let group = &resource.id.group;
    let reversed: Vec<&str> = group.split('.').rev().filter(|part| !part.is_empty()).collect();
    let prefix = if group.is_empty() { "io.k8s.api.core".to_owned() } else { reversed.join(".") };
    format!("{prefix}.{}.{}", version.name, resource.kind)
}

fn identity(resource: &Resource, version: &Version) -> Value {
    json!({"group": resource.id.group, "version": version.name, "kind": resource.kind})
}

fn schema(resource: &Resource, version: &Version) -> Value {
    let mut schema =
        version.rules.as_ref().map_or_else(|| json!({"type": "object"}), |rules| rules.raw.clone());
    schema["x-kubernetes-group-version-kind"] = json!([identity(resource, version)]);
    schema
}

fn operations(resource: &Resource, version: &Version) -> (String, Value) {
    let base = base(&resource.id.group, &version.name);
    let within = match resource.scope {
        Scope::Cluster => "",
        Scope::Namespaced => "namespaces/{namespace}/",
    };
    let parameter =
        |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let reference = format!("#/components/schemas/{}", schema_name(resource, version));
    let answer = json!({"200": {"description": "OK", "content": {"application/json": {"schema": {"$ref": reference}}}}});
    let operation = |action: &str, parameters: Vec<Value>| {
        json!({
            "description": format!("{action} the specified {}", resource.kind),
            "operationId": format!("{action}{}{}", api_version(&resource.id.group, &version.name), resource.kind),
            "parameters": parameters,
            "responses": answer,
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": identity(resource, version),
        })
    };
    let written = ["dryRun", "fieldManager", "fieldValidation"].map(parameter).to_vec();
    let patched = ["dryRun", "fieldManager", "fieldValidation", "force"].map(parameter).to_vec();
    let operations = json!({
        "get": operation("get", Vec::new()),
        "put": operation("put", written),
        "patch": operation("patch", patched),
        "delete": operation("delete", vec![parameter("dryRun")]),
    });
    (format!("/{base}/{within}{}/{{name}}", resource.id.plural), operations)
}
