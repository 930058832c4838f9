//! Pieces of schema that the derives cannot say by themselves: objects whose unknown fields are kept, the label
//! selector with limits, and optional fields that are absent rather than null.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, transform::transform_subschemas};
use serde_json::{Value, json};

/// Takes null out of each optional field, so that the API server drops a null and CEL's `has` tells the truth.
///
/// A field's own description stands before that of its type.
pub(crate) fn absent_not_null(schema: &mut Schema) {
    transform_subschemas(&mut absent_not_null, schema);
    drop_null_type(schema);
    hoist_only_alternative(schema);
}

fn drop_null_type(schema: &mut Schema) {
    let Some(Value::Array(types)) = schema.get_mut("type") else { return };
    types.retain(|name| name != "null");
    if let [only] = types.as_slice() {
        let only = only.clone();
        schema.insert("type".to_owned(), only);
    }
}

fn hoist_only_alternative(schema: &mut Schema) {
    let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") else { return };
    alternatives.retain(|alternative| alternative.get("type") != Some(&json!("null")));
    let [Value::Object(only)] = alternatives.as_slice() else { return };
    let only = only.clone();
    schema.remove("anyOf");
    for (keyword, value) in only {
        if schema.get(&keyword).is_none() {
            schema.insert(keyword, value);
        }
    }
}

/// A list of `autoscaling/v2` metrics. Only what our own rules look at is typed; all other fields are kept as given.
pub(crate) fn metrics(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 32,
        "items": {
            "type": "object",
            "required": ["type"],
            "properties": {
                "type": {
                    "description": "Which kind of metric it is, and so which field of the same name (in lower case) holds it.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 63,
                },
                "external": named_metric("A metric from outside the cluster (`autoscaling/v2` ExternalMetricSource)."),
                "object": named_metric("A metric that describes one object (`autoscaling/v2` ObjectMetricSource)."),
            },
            "x-kubernetes-preserve-unknown-fields": true,
        },
    })
}

fn named_metric(description: &str) -> Value {
    json!({
        "description": description,
        "type": "object",
        "properties": {
            "metric": {
                "description": "Which metric.",
                "type": "object",
                "properties": {
                    "name": {"description": "Name of the metric.", "type": "string", "maxLength": 253},
                },
                "x-kubernetes-preserve-unknown-fields": true,
            },
        },
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

/// An object of which every field is kept.
pub(crate) fn opaque_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// Kubernetes' label selector, with its closed set of operators and with limits.
pub(crate) fn label_selector(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = LabelSelector::json_schema(generator);
    schema.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
    if let Some(labels) = schema.pointer_mut("/properties/matchLabels") {
        labels["maxProperties"] = json!(32);
        labels["additionalProperties"]["maxLength"] = json!(63);
    }
    if let Some(expressions) = schema.pointer_mut("/properties/matchExpressions") {
        expressions["maxItems"] = json!(32);
        expressions["items"] = label_requirement();
        expressions["x-kubernetes-list-type"] = json!("atomic");
    }
    schema
}

fn label_requirement() -> Value {
    json!({
        "description": "One condition on the labels.",
        "type": "object",
        "required": ["key", "operator"],
        "properties": {
            "key": {"description": "Label key.", "type": "string", "minLength": 1, "maxLength": 317},
            "operator": {
                "description": "How the label relates to the values.",
                "type": "string",
                "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
            },
            "values": {
                "description": "Label values; for In and NotIn only, and needed there.",
                "type": "array",
                "maxItems": 128,
                "items": {"type": "string", "maxLength": 63},
                "x-kubernetes-list-type": "atomic",
            },
        },
    })
}
