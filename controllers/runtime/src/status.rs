//! Writing a status.
//!
//! Responsible for saying what changed, and nothing when nothing did. Knows nothing of what a status means.

use std::{fmt::Debug, time::Duration};

use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    client::{CallError, within},
    leadership::Term,
};

/// What writing a status came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusWrite<K> {
    /// It was written; the object as it is now.
    Written(Box<K>),
    /// It says what it said before: nothing was written.
    Unchanged,
}

/// Makes the status of `object`, which said `old`, say `new`.
///
/// Both are compared as they would be on the wire, with times cut to whole seconds; only the difference is sent,
/// as a JSON merge patch of the status subresource: a field that is no longer there is removed, a list is
/// replaced whole. The patch carries the resourceVersion of `object`, so that a newer version is a
/// [`CallError::Conflict`].
pub async fn write_status<K, S>(
    api: &Api<K>,
    _term: &Term,
    budget: Duration,
    object: &K,
    old: Option<&S>,
    new: &S,
) -> Result<StatusWrite<K>, CallError>
where
    K: Resource + Clone + DeserializeOwned + Debug,
    S: Serialize,
{
    let Some(change) = difference(&on_the_wire(&old)?, &on_the_wire(&Some(new))?) else {
        return Ok(StatusWrite::Unchanged);
    };
    let patch = Patch::Merge(json!({
        "metadata": { "resourceVersion": object.resource_version() },
        "status": change,
    }));
    let name = object.name_any();
    let written = within(budget, api.patch_status(&name, &PatchParams::default(), &patch)).await?;
    Ok(StatusWrite::Written(Box::new(written)))
}

fn on_the_wire<S: Serialize>(status: &Option<&S>) -> Result<Value, CallError> {
    serde_json::to_value(status)
        .map(settled)
        .map_err(|error| CallError::Other(format!("the status cannot be written as JSON: {error}")))
}

/// The same value without nulls in objects and without fractions of seconds.
fn settled(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, field)| !field.is_null())
            .map(|(name, field)| (name, settled(field)))
            .collect(),
        Value::Array(items) => items.into_iter().map(settled).collect(),
        Value::String(text) => Value::String(whole_seconds(text)),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

/// `2026-01-02T03:04:05.678Z` without the fraction; any other text as it is.
fn whole_seconds(text: String) -> String {
    const SECONDS: usize = "2026-01-02T03:04:05".len();
    let has_fraction = text.as_bytes().get(SECONDS) == Some(&b'.') && text.ends_with('Z');
    if !has_fraction || chrono::DateTime::parse_from_rfc3339(&text).is_err() {
        return text;
    }
    format!("{}Z", &text[..SECONDS])
}

/// The JSON merge patch (RFC 7386) that makes `new` of `old`, if they differ. Neither may hold nulls in objects.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let patch = fields_that_differ(old, new);
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        (old, new) => (old != new).then(|| new.clone()),
    }
}

fn fields_that_differ(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let removed = old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), Value::Null));
    let changed = new.iter().filter_map(|(name, field)| {
        let change = match old.get(name) {
            Some(before) => difference(before, field)?,
            None => field.clone(),
        };
        Some((name.clone(), change))
    });
    removed.chain(changed).collect()
}
