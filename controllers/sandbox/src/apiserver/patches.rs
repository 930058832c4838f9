//! Patches: how a change document turns one state of an object into another.
//!
//! Merge and JSON patches need no schema; strategic merge and apply do. It stores nothing by itself but through
//! [`objects`].

use std::sync::Arc;

use http::StatusCode;
use json_patch::{AddOperation, PatchOperation};
use serde_json::{Map, Value, json};

pub(super) use super::ownership::Conflicts;
use super::{
    State,
    catalog::Served,
    errors::ApiError,
    metadata::{metadata_mut, name_of, namespace_of, text},
    objects::{self, Part, Writing},
    ownership::{Claim, Manager, Managers, Operation},
    shaping, strategic, versions,
};
use crate::clock::seconds;

/// The languages of change documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatchType {
    /// RFC 7386.
    Merge,
    /// RFC 6902.
    Json,
    /// Merge that knows which lists are maps.
    Strategic,
}

/// `object` after `change`.
pub(super) fn patched(
    served: &Served,
    kind: PatchType,
    object: &Value,
    change: &Value,
) -> Result<Value, ApiError> {
    match kind {
        PatchType::Merge => Ok(merge_patched(object, change)),
        PatchType::Json => json_patched(object, change),
        PatchType::Strategic => {
            let schema = served.version.rules.as_ref().map(|rules| &rules.schema);
            strategic::patched(object, change, schema)
        }
    }
}

/// RFC 7386.
pub(super) fn merge_patched(object: &Value, change: &Value) -> Value {
    let mut result = object.clone();
    json_patch::merge(&mut result, change);
    result
}

/// RFC 6902.
pub(super) fn json_patched(object: &Value, change: &Value) -> Result<Value, ApiError> {
    let patch: json_patch::Patch = serde_json::from_value(change.clone())
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    let mut result = object.clone();
    for step in &patch.0 {
        let taken = taken(step, &result);
        json_patch::patch(&mut result, taken.as_slice()).map_err(|error| {
            ApiError::unprocessable(format!(
                "the server rejected our request due to an error in our request: {error}"
            ))
        })?;
    }
    Ok(result)
}

/// The step as kube-apiserver takes it: a field that is not there counts as null, so it may be replaced, and a test for
/// null holds.
fn taken(step: &PatchOperation, object: &Value) -> Option<PatchOperation> {
    let is_absent = |path: &str| {
        let parent = path.rsplit_once('/').and_then(|(parent, _)| object.pointer(parent));
        parent.is_some_and(Value::is_object) && object.pointer(path).is_none()
    };
    match step {
        PatchOperation::Replace(replace) if is_absent(replace.path.as_str()) => {
            let (path, value) = (replace.path.clone(), replace.value.clone());
            Some(PatchOperation::Add(AddOperation { path, value }))
        }
        PatchOperation::Test(test) if test.value.is_null() && is_absent(test.path.as_str()) => None,
        _ => Some(step.clone()),
    }
}

/// Server-side apply of `configuration` to the object of that key, which is made if it is not there.
pub(super) fn apply(
    state: &mut State,
    served: &Served,
    part: Part,
    key: (&str, &str),
    mut configuration: Value,
    conflicts: Conflicts,
    writing: &mut Writing,
) -> Result<Arc<Value>, ApiError> {
    check_configuration(served, &mut configuration, key)?;
    let manager = Manager {
        name: writing.manager.clone(),
        operation: Operation::Apply,
        api_version: served.version.api_version.clone(),
        subresource: objects::subresource_of(part),
    };
    let time = seconds(writing.now);
    let scope = objects::owned_scope(served, part);
    let claim = Claim { manager: &manager, time: &time, conflicts, scope };
    let schema = served.version.rules.as_ref().map(|rules| &rules.schema);
    let stored = state.store.get(served.stored_as(), key.0, key.1).cloned();
    let Some(old) = stored else {
        if part != Part::Object {
            return Err(ApiError::not_found(served.name(), key.1));
        }
        if !text(&configuration, "uid").is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {}, and no existing object was found",
                text(&configuration, "uid")
            );
            return Err(ApiError::conflict(served.name(), key.1, &why));
        }
        let nothing =
            json!({"apiVersion": configuration["apiVersion"], "kind": configuration["kind"], "metadata": {}});
        let applied = Managers::of(&nothing).apply(&nothing, &configuration, schema, &claim)?;
        return objects::create_applied(state, served, key.0, applied, writing);
    };
    let live = versions::present(served, &old);
    let mut bare = (*live).clone();
    metadata_mut(&mut bare).remove("managedFields");
    let managers = Managers::of(&live).or_of_nobody(&bare, schema, &claim);
    let applied = managers.apply(&bare, &configuration, schema, &claim)?;
    objects::replace_applied(state, served, part, &old, applied, writing)
}

/// A configuration names its kind, states no `managedFields`, and holds nothing that the schema does not declare.
fn check_configuration(
    served: &Served,
    configuration: &mut Value,
    (namespace, name): (&str, &str),
) -> Result<(), ApiError> {
    if !configuration.is_object() {
        return Err(ApiError::bad_request("error decoding YAML: the body is not an object"));
    }
    let stated = |field: &str| configuration[field].as_str().unwrap_or_default();
    if stated("kind") != served.resource.kind || stated("apiVersion") != served.version.api_version {
        let (group, kind) = (stated("apiVersion"), stated("kind"));
        // As Go prints a kind of a group and version: the core group is nothing before the slash.
        let slash = if group.contains('/') { "" } else { "/" };
        return Err(ApiError::bad_request(format!("invalid object type: {slash}{group}, Kind={kind}")));
    }
    if configuration["metadata"].get("managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let (stated_name, stated_namespace) = (name_of(configuration), namespace_of(configuration));
    if !stated_name.is_empty() && stated_name != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({stated_name}) does not match the name on the URL ({name})"
        )));
    }
    if !stated_namespace.is_empty() && stated_namespace != namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let metadata: &mut Map<String, Value> = metadata_mut(configuration);
    metadata.insert("name".to_owned(), json!(name));
    if served.is_namespaced() {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    shaping::drop_nulls(configuration);
    let Some(rules) = &served.version.rules else { return Ok(()) };
    let undeclared = shaping::prune(&mut configuration.clone(), &rules.schema);
    let undeclared = undeclared.first().map(|path| format!(".{path}: field not declared in schema"));
    let Some(first) = undeclared.or_else(|| rules.untyped(configuration)) else { return Ok(()) };
    let (group, version) = (&served.name().group, &served.version.name);
    let message = format!(
        "failed to create typed patch object ({namespace}/{name}; {}, Kind={}): {first}",
        super::kinds::api_version(group, version),
        served.resource.kind,
    );
    Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "", message))
}
