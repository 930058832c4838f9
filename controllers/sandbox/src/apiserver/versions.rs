//! One stored object seen through the versions and views that serve it.
//!
//! Versions of a custom resource differ by name only (conversion `None`). Events are stored as `v1` and also seen as
//! `events.k8s.io/v1`, under other field names.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{catalog::Served, kinds};

/// Fields of events: their names in `v1` and in `events.k8s.io/v1`.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// Whether objects of this version are stored as they are shown.
pub(super) fn is_stored_form(served: &Served, stored: &Value) -> bool {
    stored["apiVersion"] == served.version.api_version.as_str()
}

/// A stored object as the version asked for shows it; the very same object where that is how it is stored.
pub(super) fn present(served: &Served, stored: &Arc<Value>) -> Arc<Value> {
    if is_stored_form(served, stored) {
        return stored.clone();
    }
    let mut object = (**stored).clone();
    object["apiVersion"] = Value::String(served.version.api_version.clone());
    if kinds::EVENTS.is_of(served.name()) {
        rename(&mut object, EVENT_FIELDS);
    }
    Arc::new(object)
}

/// An object of the version asked for, in the form in which it is stored.
pub(super) fn to_stored(served: &Served, mut object: Value) -> Value {
    let stored = served.resource.storage.api_version();
    if object["apiVersion"] == stored.as_str() {
        return object;
    }
    object["apiVersion"] = Value::String(stored);
    if kinds::EVENTS.is_of(served.name()) {
        rename(&mut object, EVENT_FIELDS.map(|(core, grouped)| (grouped, core)));
    }
    object
}

fn rename(object: &mut Value, names: [(&str, &str); 7]) {
    let Some(fields) = object.as_object_mut() else { return };
    let mut renamed = Map::new();
    for (from, to) in names {
        if let Some(value) = fields.remove(from) {
            renamed.insert(to.to_owned(), value);
        }
    }
    fields.append(&mut renamed);
}
