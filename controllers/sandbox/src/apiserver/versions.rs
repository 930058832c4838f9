//! One stored object seen through the versions and views that serve it.
//!
//! Versions of a custom resource differ by name only (conversion `None`).

use std::sync::Arc;

use serde_json::Value;

use super::catalog::Served;

/// A stored object as the version asked for shows it; the very same object where that is how it is stored.
pub(super) fn present(served: &Served, stored: &Arc<Value>) -> Arc<Value> {
    if stored["apiVersion"] == served.version.api_version.as_str() {
        return stored.clone();
    }
    let mut object = (**stored).clone();
    object["apiVersion"] = Value::String(served.version.api_version.clone());
    Arc::new(object)
}
