//! Writing whole objects: create, update of one part, delete.
//!
//! The rules every kind shares: names, preconditions, what a part may change, generation, finalizers, silence when
//! nothing changed. It knows nothing of HTTP, and asks others about schemas and field ownership.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    State,
    catalog::{Origin, Served},
    errors::{ApiError, Cause, Subject},
    kinds::{self, StatusWrites},
    metadata::{
        has_finalizers, is_terminating, metadata_mut, name_of, namespace_of, resource_version_of, text,
    },
};
use crate::clock::seconds;

/// Whether a write takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is stored.
    Stored,
    /// Everything but storing is done.
    DryRun,
}

/// Who writes, when, and how strictly.
#[derive(Debug, Clone)]
pub(super) struct Writing {
    pub(super) manager: String,
    pub(super) now: DateTime<Utc>,
    pub(super) effect: Effect,
}

/// Which part of an object a write may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything but the status, where the status is a resource of its own.
    Object,
    /// The status alone.
    Status,
    /// The replicas alone, through `/scale`.
    Scale,
}

/// Must a replacement say which version it replaces?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unconditional {
    /// Without a resource version it replaces whatever is there.
    Allowed,
    /// Without one it is refused, as custom resources are.
    Refused,
}

/// Creates `object` in `namespace` (empty for cluster-scoped kinds).
pub(super) fn create(
    state: &mut State,
    served: &Served,
    namespace: &str,
    mut object: Value,
    writing: &Writing,
) -> Result<Arc<Value>, ApiError> {
    check_type(served, &mut object)?;
    place(served, namespace, &mut object)?;
    if !resource_version_of(&object).is_empty() {
        return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
    }
    require_namespace(state, served, namespace_of(&object))?;
    stamp_new(state, served, &mut object, writing);
    let name = name_of(&object).to_owned();
    if state.store.get(served.stored_as(), namespace_of(&object), &name).is_some() {
        return Err(ApiError::already_exists(served.name(), &name));
    }
    if name.is_empty() {
        let subject = Subject { resource: served.name(), kind: &served.resource.kind, name: "" };
        let cause = Cause {
            field: "metadata.name".to_owned(),
            reason: "FieldValueRequired",
            message: "Required value: name or generateName is required".to_owned(),
        };
        return Err(ApiError::invalid(subject, &[cause]));
    }
    Ok(match writing.effect {
        Effect::Stored => state.store.put(&served.resource.storage, object),
        Effect::DryRun => Arc::new(object),
    })
}

/// The body must be of the kind and version of the path; what it leaves out is filled in.
fn check_type(served: &Served, object: &mut Value) -> Result<(), ApiError> {
    let Some(fields) = object.as_object_mut() else {
        return Err(ApiError::bad_request("the body of the request is not an object"));
    };
    let expected = [("apiVersion", &served.version.api_version), ("kind", &served.resource.kind)];
    for (field, wanted) in expected {
        let found = fields.entry(field).or_insert_with(|| Value::String(wanted.clone()));
        if found.as_str() != Some(wanted) {
            let message = format!(
                "the {field} in the data ({}) does not match the expected {field} ({wanted})",
                found.as_str().unwrap_or_default()
            );
            return Err(ApiError::bad_request(message));
        }
    }
    Ok(())
}

/// Brings the namespace of the path and that of the body together.
fn place(served: &Served, namespace: &str, object: &mut Value) -> Result<(), ApiError> {
    let metadata = metadata_mut(object);
    if !served.is_namespaced() {
        metadata.remove("namespace");
        return Ok(());
    }
    let stated = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    if !stated.is_empty() && stated != namespace {
        let message = format!(
            "the namespace of the provided object does not match the namespace sent on the request ({stated} vs {namespace})"
        );
        return Err(ApiError::bad_request(message));
    }
    metadata.insert("namespace".to_owned(), json!(namespace));
    Ok(())
}

fn require_namespace(state: &State, served: &Served, namespace: &str) -> Result<(), ApiError> {
    if !served.is_namespaced() {
        return Ok(());
    }
    let found = state.store.get(&kinds::NAMESPACES.resource(), "", namespace);
    if found.is_some() { Ok(()) } else { Err(ApiError::not_found(&kinds::NAMESPACES.resource(), namespace)) }
}

/// What the server alone decides about a new object.
fn stamp_new(state: &mut State, served: &Served, object: &mut Value, writing: &Writing) {
    if served.has_status() && served.resource.origin == Origin::Custom {
        object.as_object_mut().map(|fields| fields.remove("status"));
    }
    let uid = state.next_uid();
    let prefix = text(object, "generateName").to_owned();
    let generated = (name_of(object).is_empty() && !prefix.is_empty())
        .then(|| format!("{prefix}{}", state.next_suffix()));
    let metadata = metadata_mut(object);
    if let Some(name) = generated {
        metadata.insert("name".to_owned(), json!(name));
    }
    for decided in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        metadata.remove(decided);
    }
    metadata.insert("uid".to_owned(), json!(uid));
    metadata.insert("creationTimestamp".to_owned(), json!(seconds(writing.now)));
    if counts_generations(served) {
        metadata.insert("generation".to_owned(), json!(1));
    }
}

fn counts_generations(served: &Served) -> bool {
    served.has_status() || served.resource.origin == Origin::Custom
}

/// Replaces one part of an object by what `object` says of it.
pub(super) fn update(
    state: &mut State,
    served: &Served,
    part: Part,
    object: Value,
    unconditional: Unconditional,
    writing: &Writing,
) -> Result<Arc<Value>, ApiError> {
    let mut object = object;
    check_type(served, &mut object)?;
    let (namespace, name) = (namespace_of(&object).to_owned(), name_of(&object).to_owned());
    let old = existing(state, served, &namespace, &name)?;
    if resource_version_of(&object).is_empty() && unconditional == Unconditional::Refused {
        let subject = Subject { resource: served.name(), kind: &served.resource.kind, name: &name };
        let cause = Cause {
            field: "metadata.resourceVersion".to_owned(),
            reason: "FieldValueInvalid",
            message: "Invalid value: 0: must be specified for an update".to_owned(),
        };
        return Err(ApiError::invalid(subject, &[cause]));
    }
    replace(state, served, part, &old, object, writing)
}

/// The stored object of that key, or 404.
pub(super) fn existing(
    state: &State,
    served: &Served,
    namespace: &str,
    name: &str,
) -> Result<Arc<Value>, ApiError> {
    let found = state.store.get(served.stored_as(), namespace, name);
    found.cloned().ok_or_else(|| ApiError::not_found(served.name(), name))
}

/// Stores `new` over `old` as far as `part` reaches; the same object under the same revision if that changes nothing.
pub(super) fn replace(
    state: &mut State,
    served: &Served,
    part: Part,
    old: &Arc<Value>,
    mut new: Value,
    writing: &Writing,
) -> Result<Arc<Value>, ApiError> {
    check_preconditions(served, old, &new)?;
    keep_decided(old, &mut new);
    keep_other_parts(served, part, old, &mut new);
    count_generation(served, part, old, &mut new);
    if new == **old {
        return Ok(old.clone());
    }
    if writing.effect == Effect::DryRun {
        return Ok(Arc::new(new));
    }
    if is_terminating(&new) && !has_finalizers(&new) {
        return Ok(state.store.remove(&served.resource.storage, new));
    }
    Ok(state.store.put(&served.resource.storage, new))
}

fn check_preconditions(served: &Served, old: &Value, new: &Value) -> Result<(), ApiError> {
    let name = name_of(old);
    let expected = resource_version_of(new);
    if !expected.is_empty() && expected != resource_version_of(old) {
        return Err(ApiError::modified(served.name(), name));
    }
    let (wanted, uid) = (text(new, "uid"), text(old, "uid"));
    if !wanted.is_empty() && wanted != uid {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: , ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}"
        );
        return Err(ApiError::conflict(served.name(), name, &why));
    }
    Ok(())
}

/// Metadata that no writer decides stays as it was.
fn keep_decided(old: &Value, new: &mut Value) {
    let metadata = metadata_mut(new);
    let decided = [
        "name",
        "namespace",
        "generateName",
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
        "selfLink",
    ];
    for field in decided {
        match old["metadata"].get(field) {
            Some(value) => metadata.insert(field.to_owned(), value.clone()),
            None => metadata.remove(field),
        };
    }
}

/// Outside its part a write changes nothing.
fn keep_other_parts(served: &Served, part: Part, old: &Value, new: &mut Value) {
    let Some(fields) = new.as_object_mut() else { return };
    match part {
        Part::Object | Part::Scale => {
            if served.has_status() {
                match old.get("status") {
                    Some(status) => fields.insert("status".to_owned(), status.clone()),
                    None => fields.remove("status"),
                };
            }
        }
        Part::Status => {
            let status = fields.remove("status");
            *fields = old.as_object().cloned().unwrap_or_default();
            match status {
                Some(status) => fields.insert("status".to_owned(), status),
                None => fields.remove("status"),
            };
        }
    }
}

fn count_generation(served: &Served, part: Part, old: &Value, new: &mut Value) {
    if part == Part::Status || !counts_generations(served) || same_intent(served, old, new) {
        return;
    }
    let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
    metadata_mut(new).insert("generation".to_owned(), json!(generation));
}

/// Whether two states of an object ask for the same: all but metadata, and but the status where it is separate.
fn same_intent(served: &Served, old: &Value, new: &Value) -> bool {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return false };
    let counts = |field: &str| match served.version.status {
        StatusWrites::Subresource => field != "metadata" && field != "status",
        StatusWrites::WithObject => field != "metadata",
    };
    let of =
        |object: &'_ serde_json::Map<String, Value>| object.iter().filter(|(field, _)| counts(field)).count();
    of(old) == of(new)
        && old.iter().filter(|(field, _)| counts(field)).all(|(field, value)| new.get(field) == Some(value))
}

/// Conditions on what may be deleted.
#[derive(Debug, Clone, Default)]
pub(super) struct DeletePreconditions {
    pub(super) uid: Option<String>,
    pub(super) resource_version: Option<String>,
}

/// What became of an object that was asked to go.
#[derive(Debug, Clone)]
pub(super) enum Deletion {
    /// It is gone; this was its last state.
    Gone(Arc<Value>),
    /// It waits for its finalizers.
    Waiting(Arc<Value>),
}

/// Deletes an object, or marks it for deletion while finalizers hold it.
pub(super) fn delete(
    state: &mut State,
    served: &Served,
    key: (&str, &str),
    preconditions: &DeletePreconditions,
    writing: &Writing,
) -> Result<Deletion, ApiError> {
    let old = existing(state, served, key.0, key.1)?;
    check_delete_preconditions(served, &old, preconditions)?;
    let mut object = (*old).clone();
    if !has_finalizers(&old) {
        return Ok(Deletion::Gone(match writing.effect {
            Effect::Stored => state.store.remove(&served.resource.storage, object),
            Effect::DryRun => old,
        }));
    }
    if is_terminating(&old) {
        return Ok(Deletion::Waiting(old));
    }
    let metadata = metadata_mut(&mut object);
    metadata.insert("deletionTimestamp".to_owned(), json!(seconds(writing.now)));
    metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
    if let Some(generation) = old["metadata"]["generation"].as_i64() {
        metadata.insert("generation".to_owned(), json!(generation + 1));
    }
    Ok(Deletion::Waiting(match writing.effect {
        Effect::Stored => state.store.put(&served.resource.storage, object),
        Effect::DryRun => Arc::new(object),
    }))
}

fn check_delete_preconditions(
    served: &Served,
    old: &Value,
    preconditions: &DeletePreconditions,
) -> Result<(), ApiError> {
    let pairs = [
        ("UID", "UID in object meta", &preconditions.uid, text(old, "uid")),
        (
            "ResourceVersion",
            "ResourceVersion in object meta",
            &preconditions.resource_version,
            resource_version_of(old),
        ),
    ];
    for (name, place, wanted, found) in pairs {
        if let Some(wanted) = wanted
            && wanted != found
        {
            let why = format!("Precondition failed: {name} in precondition: {wanted}, {place}: {found}");
            return Err(ApiError::conflict(served.name(), name_of(old), &why));
        }
    }
    Ok(())
}
