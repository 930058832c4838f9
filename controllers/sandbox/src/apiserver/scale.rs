//! The scale subresource: an object seen as a number of replicas.
//!
//! It knows where each kind keeps that number, and nothing else about it.

use serde_json::{Value, json};

use super::{
    errors::{ApiError, Cause, Subject},
    kinds::{GroupResource, ScalePaths},
    metadata::{at_path, metadata_mut, name_of, put_at_path, resource_version_of, text},
};

/// `object` as an `autoscaling/v1` Scale.
pub(super) fn of(object: &Value, paths: &ScalePaths) -> Value {
    let mut metadata = json!({"name": name_of(object)});
    for field in ["namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata[field] = value.clone();
        }
    }
    let mut spec = json!({});
    // Zero is left out on the wire, as in Go.
    if let Some(replicas) = at_path(object, &paths.spec_replicas).as_i64().filter(|replicas| *replicas != 0) {
        spec["replicas"] = json!(replicas);
    }
    let replicas = at_path(object, &paths.status_replicas).as_i64().unwrap_or(0);
    let mut status = json!({"replicas": replicas});
    if let Some(selector) =
        paths.label_selector.as_deref().and_then(|path| selector_text(at_path(object, path)))
    {
        status["selector"] = json!(selector);
    }
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status})
}

/// Whether the object says how many replicas it wants.
pub(super) fn is_stated(object: &Value, paths: &ScalePaths) -> bool {
    at_path(object, &paths.spec_replicas).is_number()
}

/// The refusal to show the scale of an object that does not say how many replicas it wants.
pub(super) fn unstated(paths: &ScalePaths) -> ApiError {
    let path = &paths.spec_replicas;
    ApiError::internal(format!("Internal error occurred: the spec replicas field \"{path}\" does not exist"))
}

/// A label selector as text: one that is text already, or a `metav1.LabelSelector`.
fn selector_text(selector: &Value) -> Option<String> {
    if let Some(text) = selector.as_str() {
        return Some(text.to_owned());
    }
    let selector = selector.as_object()?;
    let labels = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let equal = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let expressions = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    let mut terms: Vec<String> = equal.chain(expressions.map(expression_text)).collect();
    terms.sort();
    Some(terms.join(","))
}

fn expression_text(expression: &Value) -> String {
    let key = expression["key"].as_str().unwrap_or_default();
    let values = expression["values"].as_array().into_iter().flatten();
    let mut values: Vec<&str> = values.filter_map(Value::as_str).collect();
    values.sort_unstable();
    match expression["operator"].as_str().unwrap_or_default() {
        "In" => format!("{key} in ({})", values.join(",")),
        "NotIn" => format!("{key} notin ({})", values.join(",")),
        "DoesNotExist" => format!("!{key}"),
        _ => key.to_owned(),
    }
}

/// `object` with the replicas that `scale` asks for; a resource version or uid in it is a precondition.
pub(super) fn applied(object: &Value, paths: &ScalePaths, scale: &Value) -> Result<Value, ApiError> {
    let name = name_of(object);
    let replicas = match &scale["spec"]["replicas"] {
        Value::Null => 0,
        stated => stated.as_i64().ok_or_else(|| {
            ApiError::bad_request(
                "Scale in version \"v1\" cannot be handled as a Scale: spec.replicas must be an integer",
            )
        })?,
    };
    if replicas < 0 {
        return Err(negative(name, replicas));
    }
    let mut new = object.clone();
    put_at_path(&mut new, &paths.spec_replicas, json!(replicas));
    for (field, stated) in [("resourceVersion", resource_version_of(scale)), ("uid", text(scale, "uid"))] {
        if !stated.is_empty() {
            metadata_mut(&mut new).insert(field.to_owned(), json!(stated));
        }
    }
    Ok(new)
}

fn negative(name: &str, replicas: i64) -> ApiError {
    let cause = Cause {
        field: "spec.replicas".to_owned(),
        reason: "FieldValueInvalid",
        message: format!("Invalid value: {replicas}: must be greater than or equal to 0"),
    };
    let scale = GroupResource { group: "autoscaling".into(), plural: "scales".into() };
    ApiError::invalid(Subject { resource: &scale, kind: "Scale", name }, &[cause])
}
