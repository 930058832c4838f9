//! What an object goes through before it is stored: shape, defaults, and the rules of its kind.
//!
//! It judges and completes objects; it does not know whether they are new, and stores nothing.

use serde_json::{Value, json};

use super::{
    Gates, built_in,
    catalog::{Origin, Served},
    crds,
    errors::{ApiError, Cause, Subject},
    kinds::{
        CUSTOM_RESOURCE_DEFINITIONS, DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, Kind, LEASES, SERVICES,
        STATEFUL_SETS,
    },
    metadata::name_of,
    objects::{UnknownFields, Writing},
    shaping,
};

/// Drops what the schema does not name, or refuses it, and fills in defaults.
pub(super) fn shape(served: &Served, object: &mut Value, writing: &mut Writing) -> Result<(), ApiError> {
    if served.resource.origin == Origin::BuiltIn {
        // Decoding into Go structs turns null into absence, and in a map of texts into the empty text.
        empty_texts(object);
        shaping::drop_nulls(object);
        drop_empty(object);
        drop_zeros(served, object);
    } else {
        // Of a custom resource the metadata alone is a Go struct.
        let mut decoded = json!({"metadata": object["metadata"].take()});
        empty_texts(&mut decoded);
        shaping::drop_nulls(&mut decoded);
        drop_empty(&mut decoded);
        object["metadata"] = decoded["metadata"].take();
    }
    let Some(rules) = &served.version.rules else { return Ok(()) };
    let told = check_fields(served, object, writing.unknown).map_err(|error| {
        let (kind, version) = (&served.resource.kind, &served.version.name);
        ApiError::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: {error}"
        ))
    })?;
    writing.warnings.extend(told);
    if served.resource.origin == Origin::BuiltIn
        && let Some(cause) = rules.wrong_type(object)
    {
        // It does not get past decoding into Go structs.
        let (kind, version) = (&served.resource.kind, &served.version.name);
        return Err(ApiError::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: {}",
            cause.message
        )));
    }
    rules.fill_in(object);
    if CUSTOM_RESOURCE_DEFINITIONS.is_of(served.name()) {
        crds::complete(object);
    }
    if served.resource.origin == Origin::BuiltIn {
        complete(served, object);
    }
    Ok(())
}

fn empty_texts(object: &mut Value) {
    const MAPS_OF_TEXTS: [&str; 5] = [
        "/data",
        "/metadata/labels",
        "/metadata/annotations",
        "/spec/template/metadata/labels",
        "/spec/template/metadata/annotations",
    ];
    for path in MAPS_OF_TEXTS {
        let Some(Value::Object(texts)) = object.pointer_mut(path) else { continue };
        for text in texts.values_mut().filter(|text| text.is_null()) {
            *text = json!("");
        }
    }
}

/// Counts in a status that Go structs leave out when they are 0.
fn drop_zeros(served: &Served, object: &mut Value) {
    let shown: &[&str] = if DEPLOYMENTS.is_of(served.name()) {
        &[]
    } else if HORIZONTAL_POD_AUTOSCALERS.is_of(served.name()) {
        &["desiredReplicas"]
    } else if STATEFUL_SETS.is_of(served.name()) {
        &["replicas", "availableReplicas"]
    } else {
        return;
    };
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        status.retain(|field, value| value.as_i64() != Some(0) || shown.contains(&field.as_str()));
    }
}

/// Maps and lists that Go structs leave out when they are empty.
fn drop_empty(object: &mut Value) {
    const LEFT_OUT: [(&str, &str); 7] = [
        ("", "data"),
        ("", "binaryData"),
        ("/metadata", "labels"),
        ("/metadata", "annotations"),
        ("/metadata", "finalizers"),
        ("/metadata", "ownerReferences"),
        ("/spec/template/metadata", "labels"),
    ];
    for (parent, field) in LEFT_OUT {
        let Some(Value::Object(fields)) = object.pointer_mut(parent) else { continue };
        let is_empty = |value: &Value| {
            value.as_object().is_some_and(serde_json::Map::is_empty)
                || value.as_array().is_some_and(Vec::is_empty)
        };
        if fields.get(field).is_some_and(is_empty) {
            fields.remove(field);
        }
    }
}

/// Drops what the schema does not name; the warnings about that, or a refusal.
pub(super) fn check_fields(
    served: &Served,
    object: &mut Value,
    unknown: UnknownFields,
) -> Result<Vec<String>, ApiError> {
    let Some(rules) = &served.version.rules else { return Ok(Vec::new()) };
    let dropped = shaping::prune(object, &rules.schema);
    let told: Vec<String> = dropped.iter().map(|path| format!("unknown field \"{path}\"")).collect();
    match unknown {
        UnknownFields::Refused if !told.is_empty() => {
            Err(ApiError::bad_request(format!("strict decoding error: {}", told.join(", "))))
        }
        UnknownFields::Warned => Ok(told),
        UnknownFields::Refused | UnknownFields::Dropped => Ok(Vec::new()),
    }
}

/// Defaults of built-in kinds that depend on other fields.
fn complete(served: &Served, object: &mut Value) {
    let rolling = |kind: &Kind, strategy: &str, object: &Value| {
        kind.is_of(served.name()) && object["spec"][strategy]["type"] == "RollingUpdate"
    };
    if rolling(&DEPLOYMENTS, "strategy", object) {
        let update = &mut object["spec"]["strategy"]["rollingUpdate"];
        for bound in ["maxSurge", "maxUnavailable"] {
            if update[bound].is_null() {
                update[bound] = json!("25%");
            }
        }
    }
    if rolling(&STATEFUL_SETS, "updateStrategy", object)
        && object["spec"]["updateStrategy"]["rollingUpdate"].is_null()
    {
        object["spec"]["updateStrategy"]["rollingUpdate"] = json!({"partition": 0});
    }
    if HORIZONTAL_POD_AUTOSCALERS.is_of(served.name()) {
        complete_behavior(object);
    }
    complete_images(object);
    if HORIZONTAL_POD_AUTOSCALERS.is_of(served.name()) && object["spec"]["metrics"].is_null() {
        object["spec"]["metrics"] = json!([{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80},
        }}]);
    }
    if SERVICES.is_of(served.name()) {
        let ports = object["spec"]["ports"].as_array_mut().into_iter().flatten();
        for port in ports.filter(|port| port["targetPort"].is_null()) {
            port["targetPort"] = port["port"].clone();
        }
    }
    if LEASES.is_of(served.name()) && object["spec"].is_null() {
        object["spec"] = json!({});
    }
}

/// A behavior that is there at all is there for both directions.
fn complete_behavior(object: &mut Value) {
    if !object["spec"]["behavior"].is_object() {
        return;
    }
    let per_quarter = |kind: &str, value: i64| json!({"type": kind, "value": value, "periodSeconds": 15});
    let defaults = [
        (
            "scaleUp",
            json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [per_quarter("Pods", 4), per_quarter("Percent", 100)]}),
        ),
        ("scaleDown", json!({"selectPolicy": "Max", "policies": [per_quarter("Percent", 100)]})),
    ];
    for (direction, mut complete) in defaults {
        let stated = &mut object["spec"]["behavior"][direction];
        if stated.is_object() {
            json_patch::merge(&mut complete, stated);
        }
        *stated = complete;
    }
}

/// Images without a tag, or of the tag `latest`, are pulled each time.
fn complete_images(object: &mut Value) {
    for pod in ["/spec", "/spec/template/spec"] {
        for containers in ["containers", "initContainers"] {
            let listed = object.pointer_mut(&format!("{pod}/{containers}")).and_then(Value::as_array_mut);
            for container in listed.into_iter().flatten() {
                let image = container["image"].as_str().unwrap_or_default();
                let last = image.rsplit('/').next().unwrap_or_default();
                let fixed =
                    last.contains('@') || last.split_once(':').is_some_and(|(_, tag)| tag != "latest");
                if container["imagePullPolicy"].is_null() {
                    container["imagePullPolicy"] = json!(if fixed { "IfNotPresent" } else { "Always" });
                }
            }
        }
    }
}

/// Refuses `new`, an update of `old` where there is one, if it breaks rules.
pub(super) fn judge(served: &Served, new: &Value, old: Option<&Value>, gates: Gates) -> Result<(), ApiError> {
    let mut causes = metadata_violations(served, new, old);
    if let Some(rules) = &served.version.rules {
        causes.extend(rules.violations(new, old));
    }
    if served.resource.origin == Origin::BuiltIn {
        causes.extend(built_in::violations(served, new, old, gates));
    }
    if causes.is_empty() {
        return Ok(());
    }
    let subject = Subject { resource: served.name(), kind: &served.resource.kind, name: name_of(new) };
    Err(ApiError::invalid(subject, &causes))
}

pub(super) fn invalid(field: &str, message: String) -> Cause {
    Cause { field: field.to_owned(), reason: "FieldValueInvalid", message }
}

fn metadata_violations(served: &Served, new: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = name_of(new);
    let paths_allowed = served.name().group == "rbac.authorization.k8s.io";
    if old.is_none() && !paths_allowed && !is_subdomain(name) {
        causes.push(invalid(
            "metadata.name",
            format!("Invalid value: {}: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')", json!(name)),
        ));
    }
    for (key, value) in new["metadata"]["labels"].as_object().into_iter().flatten() {
        if !is_qualified_name(key) {
            let message = format!(
                "Invalid value: {}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
                json!(key)
            );
            causes.push(invalid("metadata.labels", message));
        }
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            let message = format!("Invalid value: {value}: must be no more than 63 bytes");
            causes.push(invalid("metadata.labels", message));
        } else if !is_label_value(text) {
            causes.push(invalid(
                "metadata.labels",
                format!("Invalid value: {value}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"),
            ));
        }
    }
    causes.extend(new_finalizers(new, old));
    causes
}

/// Nothing may newly hold an object that is on its way out.
fn new_finalizers(new: &Value, old: Option<&Value>) -> Option<Cause> {
    let old = old.filter(|old| super::metadata::is_terminating(old))?;
    let before = old["metadata"]["finalizers"].as_array();
    let added: Vec<String> = new["metadata"]["finalizers"]
        .as_array()?
        .iter()
        .filter(|finalizer| before.is_none_or(|before| !before.contains(finalizer)))
        .map(ToString::to_string)
        .collect();
    (!added.is_empty()).then(|| Cause {
        field: "metadata.finalizers".to_owned(),
        reason: "FieldValueForbidden",
        message: format!(
            "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added.join(", ")
        ),
    })
}

fn is_subdomain(name: &str) -> bool {
    let label = |label: &str| {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        label.bytes().all(|byte| legal(byte) || byte == b'-')
            && label.bytes().next().is_some_and(legal)
            && label.bytes().last().is_some_and(legal)
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// A key of a label: a name, or a domain, a slash and a name.
fn is_qualified_name(key: &str) -> bool {
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    domain.is_none_or(is_subdomain) && !name.is_empty() && name.len() <= 63 && is_label_value(name)
}

fn is_label_value(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && ends(text.bytes().next())
        && ends(text.bytes().last())
}
