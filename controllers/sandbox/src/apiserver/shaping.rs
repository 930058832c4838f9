//! Bringing an object into the shape of its schema: dropping what is not named, filling in defaults.
//!
//! It changes values and judges none.

use serde_json::{Map, Value};

use super::{
    path::Path,
    schema::{Schema, Unnamed},
};

/// Drops every field that `schema` does not name and tells where each was.
pub(super) fn prune(value: &mut Value, schema: &Schema) -> Vec<String> {
    let mut dropped = Vec::new();
    prune_at(value, schema, &Path::Top, &mut dropped);
    dropped
}

fn prune_at(value: &mut Value, schema: &Schema, path: &Path<'_>, dropped: &mut Vec<String>) {
    match value {
        Value::Object(fields) => prune_fields(fields, schema, path, dropped),
        Value::Array(items) => {
            let Some(of_item) = schema.items.as_deref() else { return };
            for (index, item) in items.iter_mut().enumerate() {
                prune_at(item, of_item, &Path::Item(path, index), dropped);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn prune_fields(
    fields: &mut Map<String, Value>,
    schema: &Schema,
    path: &Path<'_>,
    dropped: &mut Vec<String>,
) {
    let of_resource =
        |name: &str| schema.embedded_resource && matches!(name, "apiVersion" | "kind" | "metadata");
    fields.retain(|name, value| {
        let place = Path::Field(path, name);
        match schema.field(name) {
            Some(of_field) => prune_at(value, of_field, &place, dropped),
            None if schema.unnamed == Unnamed::Preserved || of_resource(name) => {}
            None => {
                dropped.push(place.to_string());
                return false;
            }
        }
        true
    });
}

/// Fills in the defaults of `schema` wherever their parent exists. A null that is not allowed gives way to the default,
/// or goes.
pub(super) fn fill_in(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(fields) => {
            for (name, of_field) in &schema.properties {
                if let Some(default) = &of_field.default
                    && fields.get(name).is_none_or(|value| value.is_null() && !of_field.nullable)
                {
                    fields.insert(name.clone(), default.clone());
                }
            }
            fields.retain(|name, value| {
                let Some(of_field) = schema.field(name) else { return true };
                fill_in(value, of_field);
                !value.is_null() || of_field.nullable
            });
        }
        Value::Array(items) => {
            let Some(of_item) = schema.items.as_deref() else { return };
            for item in items {
                fill_in(item, of_item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Drops nulls everywhere, as decoding into a typed object does.
pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Schema {
        Schema::of_object(&json!({
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "size": {"type": "integer", "default": 3},
                        "mode": {"type": "object", "default": {}, "properties": {"kind": {"type": "string", "default": "Auto"}}},
                        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                        "rules": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
                    },
                },
            },
        }))
        .unwrap()
    }

    #[test]
    fn fields_outside_the_schema_are_dropped_with_their_paths() {
        let mut object = json!({
            "kind": "Thing", "metadata": {"name": "a", "odd": 1}, "extra": 1,
            "spec": {"size": 1, "sise": 2, "open": {"kept": true}, "rules": [{"name": "x"}, {"nam": "y"}]},
        });
        let mut dropped = prune(&mut object, &schema());
        dropped.sort();
        assert_eq!(dropped, ["extra", "metadata.odd", "spec.rules[1].nam", "spec.sise"]);
        assert_eq!(object["spec"]["open"], json!({"kept": true}));
    }

    #[test]
    fn defaults_reach_into_defaults_and_nulls_go() {
        let mut object = json!({"spec": {"size": null, "rules": null}});
        fill_in(&mut object, &schema());
        assert_eq!(object, json!({"spec": {"size": 3, "mode": {"kind": "Auto"}}}));
    }

    #[test]
    fn defaults_do_not_make_missing_parents() {
        let mut object = json!({});
        fill_in(&mut object, &schema());
        assert_eq!(object, json!({}));
    }
}
