//! Reading and writing the few parts of `metadata` that the server itself cares about.
//!
//! It knows where things are in an object, not what they mean.

use serde_json::{Map, Value};

static EMPTY: Value = Value::Null;

/// A string under `metadata`; empty when absent.
pub(super) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Name of the object.
pub(super) fn name_of(object: &Value) -> &str {
    text(object, "name")
}

/// Namespace of the object; empty for cluster-scoped ones.
pub(super) fn namespace_of(object: &Value) -> &str {
    text(object, "namespace")
}

/// Resource version of the object as written; empty when absent.
pub(super) fn resource_version_of(object: &Value) -> &str {
    text(object, "resourceVersion")
}

/// Whether the object is on its way out.
pub(super) fn is_terminating(object: &Value) -> bool {
    !text(object, "deletionTimestamp").is_empty()
}

/// Whether anything still has to be done before the object may go.
pub(super) fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

/// The `metadata` of an object, made if it is not there.
pub(super) fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    entry_map(object, "metadata")
}

/// The map under `field`, made if there is none; what is not a map is replaced.
pub(super) fn entry_map<'a>(object: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    as_map(as_map(object).entry(field).or_insert_with(|| Value::Object(Map::new())))
}

fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made a map above"),
    }
}

/// Writes the resource version.
pub(super) fn set_resource_version(object: &mut Value, revision: u64) {
    metadata_mut(object).insert("resourceVersion".to_owned(), Value::String(revision.to_string()));
}

/// What is at a dotted path such as `.spec.replicas`; null when absent.
pub(super) fn at_path<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .filter(|step| !step.is_empty())
        .try_fold(object, |value, step| value.get(step))
        .unwrap_or(&EMPTY)
}

/// Puts `value` at a dotted path, making what is missing on the way.
pub(super) fn put_at_path(object: &mut Value, path: &str, value: Value) {
    let steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
    let Some((last, way)) = steps.split_last() else { return };
    let mut place = object;
    for step in way {
        place = as_map(place).entry(*step).or_insert_with(|| Value::Object(Map::new()));
    }
    as_map(place).insert((*last).to_owned(), value);
}
