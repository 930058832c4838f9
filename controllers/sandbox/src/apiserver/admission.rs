//! What an object goes through before it is stored: shape, defaults, and the rules of its kind.
//!
//! It judges and completes objects; it does not know whether they are new, and stores nothing.

use serde_json::{Value, json};

use super::{
    Gates,
    catalog::{Origin, Served},
    crds,
    errors::{ApiError, Cause, Subject},
    kinds::{
        CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, Kind, LEASES,
        REPLICA_SETS, SECRETS, SERVICES, STATEFUL_SETS,
    },
    metadata::name_of,
    objects::{UnknownFields, Writing},
    shaping,
};

/// Drops what the schema does not name, or refuses it, and fills in defaults.
pub(super) fn shape(served: &Served, object: &mut Value, writing: &mut Writing) -> Result<(), ApiError> {
    if served.resource.origin == Origin::BuiltIn {
        // Decoding into Go structs turns null into absence.
        shaping::drop_nulls(object);
    }
    let Some(rules) = &served.version.rules else { return Ok(()) };
    let told = check_fields(served, object, writing.unknown).map_err(|error| {
        let (kind, version) = (&served.resource.kind, &served.version.name);
        ApiError::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: {error}"
        ))
    })?;
    writing.warnings.extend(told);
    rules.fill_in(object);
    if CUSTOM_RESOURCE_DEFINITIONS.is_of(served.name()) {
        crds::complete(object);
    }
    if served.resource.origin == Origin::BuiltIn {
        complete(served, object);
    }
    Ok(())
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
        causes.extend(built_in_violations(served, new, old, gates));
    }
    if causes.is_empty() {
        return Ok(());
    }
    let subject = Subject { resource: served.name(), kind: &served.resource.kind, name: name_of(new) };
    Err(ApiError::invalid(subject, &causes))
}

fn invalid(field: &str, message: String) -> Cause {
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

fn built_in_violations(served: &Served, object: &Value, old: Option<&Value>, gates: Gates) -> Vec<Cause> {
    let kind = served.name();
    let spec = &object["spec"];
    if HORIZONTAL_POD_AUTOSCALERS.is_of(kind) {
        return autoscaler_violations(spec, gates);
    }
    if CUSTOM_RESOURCE_DEFINITIONS.is_of(kind) {
        return crds::violations(object);
    }
    let mut causes = Vec::new();
    let scaled = [DEPLOYMENTS, STATEFUL_SETS, REPLICA_SETS].iter().any(|scaled| scaled.is_of(kind));
    if scaled {
        if let Some(replicas) = spec["replicas"].as_i64().filter(|replicas| *replicas < 0) {
            causes.push(invalid(
                "spec.replicas",
                format!("Invalid value: {replicas}: must be greater than or equal to 0"),
            ));
        }
        causes.extend(selector_violations(spec));
        let moved = old.filter(|old| old["spec"]["selector"] != spec["selector"]);
        causes.extend(moved.map(|_| {
            invalid("spec.selector", format!("Invalid value: {}: field is immutable", spec["selector"]))
        }));
    }
    if CONFIG_MAPS.is_of(kind) || SECRETS.is_of(kind) {
        let keys = object["data"].as_object().into_iter().flatten().map(|(key, _)| key);
        causes.extend(keys.filter(|key| !is_config_key(key)).map(|key| {
            invalid(&format!("data[{key}]"), format!("Invalid value: {}: a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')", json!(key)))
        }));
    }
    if LEASES.is_of(kind)
        && let Some(term) = spec["leaseDurationSeconds"].as_i64().filter(|term| *term <= 0)
    {
        causes.push(invalid(
            "spec.leaseDurationSeconds",
            format!("Invalid value: {term}: must be greater than 0"),
        ));
    }
    causes
}

fn is_config_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// A workload selects the pods it makes.
fn selector_violations(spec: &Value) -> Option<Cause> {
    let labels = &spec["template"]["metadata"]["labels"];
    if spec["selector"].is_null() {
        let message = "Required value".to_owned();
        return Some(Cause { field: "spec.selector".to_owned(), reason: "FieldValueRequired", message });
    }
    let wanted = spec["selector"]["matchLabels"].as_object()?;
    let selected = wanted.iter().all(|(name, value)| labels.get(name) == Some(value));
    (!selected).then(|| {
        let shown = if labels.is_null() { json!({}) } else { labels.clone() };
        let message = format!("Invalid value: {shown}: `selector` does not match template `labels`");
        invalid("spec.template.metadata.labels", message)
    })
}

fn autoscaler_violations(spec: &Value, gates: Gates) -> Vec<Cause> {
    let (least, most) =
        (spec["minReplicas"].as_i64().unwrap_or(1), spec["maxReplicas"].as_i64().unwrap_or(0));
    let mut causes = Vec::new();
    let lowest = i64::from(!gates.hpa_scale_to_zero);
    if least < lowest {
        causes.push(invalid(
            "spec.minReplicas",
            format!("Invalid value: {least}: must be greater than or equal to {lowest}"),
        ));
    }
    let of_more_than_pods = |metric: &Value| metric["type"] == "Object" || metric["type"] == "External";
    let metrics = spec["metrics"].as_array();
    if least == 0 && lowest == 0 && !metrics.into_iter().flatten().any(of_more_than_pods) {
        causes.push(Cause {
            field: "spec.metrics".to_owned(),
            reason: "FieldValueForbidden",
            message:
                "Forbidden: must specify at least one Object or External metric to support scaling to zero \
                      replicas"
                    .to_owned(),
        });
    }
    if most < 1 {
        causes.push(Cause {
            field: "spec.maxReplicas".to_owned(),
            reason: "FieldValueRequired",
            message: "Required value: must be set and greater than 0".to_owned(),
        });
    }
    if most < least {
        let message = format!("Invalid value: {most}: must be greater than or equal to `minReplicas`");
        causes.push(invalid("spec.maxReplicas", message));
    }
    causes
}
