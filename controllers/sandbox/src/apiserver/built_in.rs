//! What kube-apiserver holds against objects of its own kinds, as far as the sandbox serves them.
//!
//! Responsible for rules that no schema says. Knows nothing of custom resources.

use serde_json::{Value, json};

use super::{
    Gates,
    admission::invalid,
    catalog::Served,
    crds,
    errors::Cause,
    kinds::{
        CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, LEASES,
        REPLICA_SETS, SECRETS, STATEFUL_SETS,
    },
};

/// All that is wrong with an object of a built-in kind, an update of `old` where there is one.
pub(super) fn violations(served: &Served, object: &Value, old: Option<&Value>, gates: Gates) -> Vec<Cause> {
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
        causes.extend(template_violations(spec));
        let moved = old.filter(|old| old["spec"]["selector"] != spec["selector"]);
        causes.extend(moved.map(|_| {
            invalid("spec.selector", format!("Invalid value: {}: field is immutable", spec["selector"]))
        }));
    }
    if DEPLOYMENTS.is_of(kind) {
        causes.extend(strategy_violations(&spec["strategy"]));
    }
    if CONFIG_MAPS.is_of(kind) || SECRETS.is_of(kind) {
        causes.extend(old.into_iter().flat_map(|old| immutability_violations(object, old)));
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

/// What is sealed stays sealed, and as it is.
fn immutability_violations(new: &Value, old: &Value) -> Vec<Cause> {
    if old["immutable"] != true {
        return Vec::new();
    }
    let unsealed = (new["immutable"] != true).then_some("immutable");
    let changed = ["data", "binaryData"].into_iter().filter(|field| new[*field] != old[*field]);
    let forbidden = |field: &str| Cause {
        field: field.to_owned(),
        reason: "FieldValueForbidden",
        message: "Forbidden: field is immutable when `immutable` is set".to_owned(),
    };
    unsealed.into_iter().chain(changed).map(forbidden).collect()
}

fn template_violations(spec: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let containers = spec["template"]["spec"]["containers"].as_array();
    if containers.is_none_or(Vec::is_empty) {
        causes.push(required("spec.template.spec.containers"));
    }
    for (index, container) in containers.into_iter().flatten().enumerate() {
        let nameless = ["name", "image"]
            .into_iter()
            .filter(|field| container[*field].as_str().is_none_or(str::is_empty));
        causes.extend(
            nameless.map(|field| required(&format!("spec.template.spec.containers[{index}].{field}"))),
        );
    }
    for field in ["minReadySeconds", "revisionHistoryLimit"] {
        if let Some(number) = spec[field].as_i64().filter(|number| *number < 0) {
            let message = format!("Invalid value: {number}: must be greater than or equal to 0");
            causes.push(invalid(&format!("spec.{field}"), message));
        }
    }
    causes
}

fn strategy_violations(strategy: &Value) -> Option<Cause> {
    let kind = strategy["type"].as_str().unwrap_or_default();
    match kind {
        "RollingUpdate" => None,
        "Recreate" => strategy.get("rollingUpdate").map(|_update| Cause {
            field: "spec.strategy.rollingUpdate".to_owned(),
            reason: "FieldValueForbidden",
            message: "Forbidden: may not be specified when strategy `type` is 'Recreate'".to_owned(),
        }),
        _ => Some(Cause {
            field: "spec.strategy.type".to_owned(),
            reason: "FieldValueNotSupported",
            message: format!(
                "Unsupported value: {kind:?}: supported values: \"Recreate\", \"RollingUpdate\""
            ),
        }),
    }
}

fn required(field: &str) -> Cause {
    Cause { field: field.to_owned(), reason: "FieldValueRequired", message: "Required value".to_owned() }
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
    let missing = |field: &&str| spec["scaleTargetRef"][*field].as_str().is_none_or(str::is_empty);
    let missing = ["kind", "name"].into_iter().filter(missing);
    let mut causes: Vec<_> = missing.map(|field| required(&format!("spec.scaleTargetRef.{field}"))).collect();
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
