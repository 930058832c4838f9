//! Reading and writing fields of untyped objects. Knows JSON paths and Kubernetes metadata, and no kind in particular.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

/// The string at a JSON pointer, or the empty string.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a JSON pointer, if there is one.
pub(crate) fn int(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// The items of the list at a JSON pointer; none if it is absent.
pub(crate) fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether the field at a JSON pointer is `true`.
pub(crate) fn truth(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// `metadata.namespace`; empty for a cluster-scoped object.
pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// `metadata.resourceVersion` as a number, which it is in this API server: newer is larger.
pub(crate) fn version(object: &Value) -> u64 {
    text(object, "/metadata/resourceVersion").parse().unwrap_or_default()
}

/// Whether the object waits for its finalizers.
pub(crate) fn deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null())
}

/// A label's value.
pub(crate) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// An annotation's value.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// Puts a value at a path of map keys and makes the maps on the way. A scalar that is in the way is replaced.
pub(crate) fn put(object: &mut Value, path: &[&str], value: Value) {
    let mut place = object;
    for key in path {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Some(map) = place.as_object_mut() else { return };
        place = map.entry(*key).or_insert(Value::Null);
    }
    *place = value;
}

/// Takes the value at a path of map keys away.
pub(crate) fn take(object: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(object, |place, key| place.get_mut(*key))?;
    parent.as_object_mut()?.remove(*last)
}

/// Sets a label.
pub(crate) fn set_label(object: &mut Value, key: &str, value: &str) {
    put(object, &["metadata", "labels", key], Value::from(value));
}

/// Sets an annotation.
pub(crate) fn set_annotation(object: &mut Value, key: &str, value: &str) {
    put(object, &["metadata", "annotations", key], Value::from(value));
}

/// A time as Kubernetes writes it: whole seconds, UTC.
pub(crate) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Reads a time as Kubernetes writes it.
pub(crate) fn time(object: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    let written = object.pointer(pointer)?.as_str()?;
    DateTime::parse_from_rfc3339(written).ok().map(|at| at.with_timezone(&Utc))
}

/// A map of counts in which zero is absent, as Go's `omitempty` leaves it.
pub(crate) fn counts(entries: &[(&str, i64)]) -> Map<String, Value> {
    entries.iter().filter(|(_, n)| *n != 0).map(|(key, n)| ((*key).to_owned(), Value::from(*n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn putting_makes_the_maps_on_the_way() {
        let mut object = json!({"metadata": {"name": "a"}});
        set_label(&mut object, "k", "v");
        assert_eq!(label(&object, "k"), Some("v"));
        assert_eq!(name(&object), "a");
    }

    #[test]
    fn counts_of_zero_are_absent() {
        assert_eq!(Value::Object(counts(&[("a", 0), ("b", 2)])), json!({"b": 2}));
    }

    #[test]
    fn taking_returns_what_was_there() {
        let mut object = json!({"a": {"b": 1}});
        assert_eq!(take(&mut object, &["a", "b"]), Some(json!(1)));
        assert_eq!(take(&mut object, &["a", "b"]), None);
    }
}
