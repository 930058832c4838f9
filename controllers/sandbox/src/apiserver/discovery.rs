//! What a client can find out about the server: kinds, versions, schemas, health.
//!
//! It reads the catalog and renders it; it serves no objects.

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    ApiServer, State,
    catalog::{Resource, Version},
    errors::ApiError,
    kinds::{Scope, StatusWrites},
    openapi,
    response::{self, ResponseBody},
};

/// The Kubernetes release that the server behaves like.
const RELEASE: &str = "v1.36.0";

type Answer = Result<Response<ResponseBody>, ApiError>;

/// Answers everything that is not about objects.
pub(super) fn serve(server: &ApiServer, method: &Method, segments: &[String]) -> Answer {
    if method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let state = server.state();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let found = match parts.as_slice() {
        ["healthz" | "readyz" | "livez"] => {
            return Ok(response::of_bytes(StatusCode::OK, "text/plain", "ok"));
        }
        ["version"] => Some(version()),
        ["api"] => Some(core_versions()),
        ["apis"] => Some(groups(&state)),
        ["api", "v1"] => kinds_of(&state, "", "v1"),
        ["apis", name] => group(&state, name),
        ["apis", group, version] => kinds_of(&state, group, version),
        ["openapi", "v3"] => Some(openapi::index(&group_versions(&state))),
        ["openapi", "v3", "api", "v1"] => openapi::document(&state, "", "v1"),
        ["openapi", "v3", "apis", group, version] => openapi::document(&state, group, version),
        ["openapi", "v2"] => Some(openapi::second_version()),
        _ => None,
    };
    found.map(|body| response::json(StatusCode::OK, &body)).ok_or_else(ApiError::no_such_path)
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "gitVersion": RELEASE,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-04-22T00:00:00Z",
        "goVersion": "go1.26",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

fn core_versions() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}],
    })
}

/// Every group with its versions, newest first.
fn group_versions(state: &State) -> BTreeMap<String, BTreeSet<String>> {
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for resource in state.catalog.iter() {
        let versions = groups.entry(resource.id.group.clone().into_owned()).or_default();
        versions.extend(resource.versions.keys().cloned());
    }
    groups
}

fn groups(state: &State) -> Value {
    let groups = group_versions(state);
    let rows = groups.iter().filter(|(name, _)| !name.is_empty());
    let rows: Vec<Value> = rows.map(|(name, versions)| group_row(name, versions)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": rows})
}

fn group(state: &State, name: &str) -> Option<Value> {
    let groups = group_versions(state);
    let mut row = group_row(name, groups.get(name).filter(|_| !name.is_empty())?);
    row["kind"] = json!("APIGroup");
    row["apiVersion"] = json!("v1");
    Some(row)
}

fn group_row(name: &str, versions: &BTreeSet<String>) -> Value {
    let mut ordered: Vec<&String> = versions.iter().collect();
    ordered.sort_by_key(|version| priority(version));
    let rows: Vec<Value> = ordered
        .iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({"name": name, "versions": rows, "preferredVersion": rows.first()})
}

/// Order of versions as Kubernetes prefers them: general before beta before alpha, higher numbers first, others last.
pub(super) fn priority(version: &str) -> (u8, i64, i64, String) {
    let parsed = version.strip_prefix('v').and_then(|rest| {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let major: i64 = rest[..digits].parse().ok()?;
        let stage = &rest[digits..];
        let minor = |text: &str| text.parse::<i64>().ok();
        if stage.is_empty() {
            Some((0, -major, 0))
        } else if let Some(number) = stage.strip_prefix("beta").and_then(minor) {
            Some((1, -major, -number))
        } else {
            stage.strip_prefix("alpha").and_then(minor).map(|number| (2, -major, -number))
        }
    });
    let (class, major, minor) = parsed.unwrap_or((3, 0, 0));
    (class, major, minor, version.to_owned())
}

fn kinds_of(state: &State, group: &str, version: &str) -> Option<Value> {
    let mut rows = Vec::new();
    for resource in state.catalog.iter().filter(|resource| resource.id.group == group) {
        if let Some(served) = resource.versions.get(version) {
            rows.extend(kind_rows(resource, served));
        }
    }
    let group_version = super::kinds::api_version(group, version);
    (!rows.is_empty()).then(|| {
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": rows})
    })
}

fn kind_rows(resource: &Resource, version: &Version) -> Vec<Value> {
    let namespaced = resource.scope == Scope::Namespaced;
    let plural = &resource.id.plural;
    let mut main = Map::new();
    main.insert("name".to_owned(), json!(plural));
    main.insert("singularName".to_owned(), json!(resource.singular));
    main.insert("namespaced".to_owned(), json!(namespaced));
    main.insert("kind".to_owned(), json!(resource.kind));
    let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    main.insert("verbs".to_owned(), json!(verbs));
    if !resource.short_names.is_empty() {
        main.insert("shortNames".to_owned(), json!(resource.short_names));
    }
    if !resource.categories.is_empty() {
        main.insert("categories".to_owned(), json!(resource.categories));
    }
    let mut rows = vec![Value::Object(main)];
    let verbs = ["get", "patch", "update"];
    if version.status == StatusWrites::Subresource {
        rows.push(json!({
            "name": format!("{plural}/status"), "singularName": "", "namespaced": namespaced,
            "kind": resource.kind, "verbs": verbs,
        }));
    }
    if version.scale.is_some() {
        rows.push(json!({
            "name": format!("{plural}/scale"), "singularName": "", "namespaced": namespaced,
            "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": verbs,
        }));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_preferred_as_kubernetes_prefers_them() {
        let mut versions = ["v1alpha1", "foo1", "v2beta1", "v1", "v10", "v2", "v1beta2", "v11alpha2"];
        versions.sort_by_key(|version| priority(version));
        assert_eq!(versions, ["v10", "v2", "v1", "v2beta1", "v1beta2", "v11alpha2", "v1alpha1", "foo1"]);
    }
}
