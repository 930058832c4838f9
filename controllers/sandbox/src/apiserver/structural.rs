//! What keeps a schema from being used in a definition: it is not structural, a default does not fit, a rule does not
//! compile.
//!
//! Rules are compiled and not type-checked: kube-apiserver would refuse some more of them.

use kube_cel::compile_schema;
use serde_json::{Map, Value, json};

use super::{
    errors::Cause,
    schema::Schema,
    validation::{shown, violations},
};

/// All that is wrong with the schema `raw`, which stands at `path`.
pub(super) fn schema_violations(raw: &Value, path: &str) -> Vec<Cause> {
    let mut found = Findings(Vec::new());
    found.judge(raw, path, "at the root");
    found.0
}

struct Findings(Vec<Cause>);

impl Findings {
    fn add(&mut self, field: String, reason: &'static str, message: String) {
        self.0.push(Cause { field, reason, message });
    }

    fn judge(&mut self, raw: &Value, path: &str, place: &str) {
        self.judge_type(raw, path, place);
        self.judge_pattern(raw, path);
        self.judge_default(raw, path);
        self.judge_rules(raw, path);
        self.judge_list(raw, path);
        self.judge_junctors(raw, path);
        for (name, field) in raw["properties"].as_object().into_iter().flatten() {
            self.judge(field, &format!("{path}.properties[{name}]"), "for specified object fields");
        }
        for (part, place) in
            [("items", "for specified array items"), ("additionalProperties", "for specified object fields")]
        {
            if raw[part].is_object() {
                self.judge(&raw[part], &format!("{path}.{part}"), place);
            }
        }
    }

    fn judge_type(&mut self, raw: &Value, path: &str, place: &str) {
        const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
        let of = raw["type"].as_str().unwrap_or_default();
        let open = ["x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"];
        if of.is_empty() && !open.iter().any(|mark| raw[mark] == true) {
            let message = format!("Required value: must not be empty {place}");
            self.add(format!("{path}.type"), "FieldValueRequired", message);
        } else if !of.is_empty() && !TYPES.contains(&of) {
            let supported = TYPES.map(|of| json!(of).to_string()).join(", ");
            let message = format!("Unsupported value: \"{of}\": supported values: {supported}");
            self.add(format!("{path}.type"), "FieldValueNotSupported", message);
        }
        if of == "array" && !raw["items"].is_object() {
            let message = "Required value: must be specified".to_owned();
            self.add(format!("{path}.items"), "FieldValueRequired", message);
        }
    }

    fn judge_pattern(&mut self, raw: &Value, path: &str) {
        let Some(pattern) = raw["pattern"].as_str() else { return };
        if let Err(error) = regex::Regex::new(pattern) {
            let pattern = &raw["pattern"];
            let message =
                format!("Invalid value: {pattern}: must be a valid regular expression, but isn't: {error}");
            self.add(format!("{path}.pattern"), "FieldValueInvalid", message);
        }
    }

    fn judge_default(&mut self, raw: &Value, path: &str) {
        let Some(default) = raw.get("default").filter(|default| !default.is_null()) else { return };
        // A schema that cannot be parsed is told of where it cannot.
        let Ok(schema) = Schema::parse(raw) else { return };
        for Cause { field, reason, message } in violations(default, None, &schema) {
            let within = if field.is_empty() || field.starts_with('[') { field } else { format!(".{field}") };
            self.add(format!("{path}.default{within}"), reason, message);
        }
    }

    fn judge_rules(&mut self, raw: &Value, path: &str) {
        let rules = raw["x-kubernetes-validations"].as_array().into_iter().flatten();
        for (index, rule) in rules.enumerate() {
            let alone = json!({"type": raw["type"], "x-kubernetes-validations": [rule]});
            for error in compile_schema(&alone).compilation_errors() {
                let message = format!("Invalid value: {}: compilation failed: {error}", shown(&rule["rule"]));
                let field = format!("{path}.x-kubernetes-validations[{index}].rule");
                self.add(field, "FieldValueInvalid", message);
            }
        }
    }

    fn judge_list(&mut self, raw: &Value, path: &str) {
        let Some(keys) = raw["x-kubernetes-list-map-keys"].as_array() else { return };
        let items = &raw["items"];
        let named = |key: &&Value| key.as_str().is_some_and(|key| items["properties"].get(key).is_some());
        if !keys.iter().all(|key| named(&key)) {
            let message = format!(
                "Invalid value: {}: entries must all be names of item properties",
                raw["x-kubernetes-list-map-keys"]
            );
            self.add(format!("{path}.x-kubernetes-list-map-keys"), "FieldValueInvalid", message);
        }
        for key in keys.iter().filter(named).filter_map(Value::as_str) {
            let required =
                items["required"].as_array().is_some_and(|required| required.contains(&json!(key)));
            if !required && items["properties"][key].get("default").is_none() {
                let message = "Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
                let field = format!("{path}.items.properties[{key}].default");
                self.add(field, "FieldValueRequired", message.to_owned());
            }
        }
    }

    fn judge_junctors(&mut self, raw: &Value, path: &str) {
        for junctor in ["allOf", "anyOf", "oneOf"] {
            for (index, part) in raw[junctor].as_array().into_iter().flatten().enumerate() {
                self.judge_value_rules(part, &format!("{path}.{junctor}[{index}]"), raw);
            }
        }
        if raw["not"].is_object() {
            self.judge_value_rules(&raw["not"], &format!("{path}.not"), raw);
        }
    }

    /// Logical rules speak of values; the shape is said outside them. Numbers that may be text are the exception.
    fn judge_value_rules(&mut self, part: &Value, path: &str, outside: &Value) {
        let either = outside["x-kubernetes-int-or-string"] == true;
        for field in ["type", "default", "description", "title", "nullable", "additionalProperties"] {
            if part.get(field).is_some() && !(either && field == "type") {
                let message = "Forbidden: must be empty to be structural".to_owned();
                self.add(format!("{path}.{field}"), "FieldValueForbidden", message);
            }
        }
        let none = Map::new();
        for (name, field) in part["properties"].as_object().unwrap_or(&none) {
            self.judge_value_rules(field, &format!("{path}.properties[{name}]"), &Value::Null);
        }
        if part["items"].is_object() {
            self.judge_value_rules(&part["items"], &format!("{path}.items"), &Value::Null);
        }
        self.judge_junctors(part, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(spec: &Value) -> Vec<String> {
        let causes = schema_violations(spec, "schema").into_iter();
        causes.map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn a_schema_that_says_of_everything_what_it_is_is_fine() {
        let schema = json!({
            "type": "object",
            "anyOf": [{"required": ["a"]}],
            "properties": {
                "a": {"type": "integer", "minimum": 1, "default": 1},
                "b": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "c": {"x-kubernetes-preserve-unknown-fields": true},
                "d": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"],
                    "items": {"type": "object", "required": ["n"], "properties": {"n": {"type": "string"}}}},
            },
        });
        assert_eq!(told(&schema), [""; 0]);
    }

    #[test]
    fn what_is_missing_or_too_much_is_told_with_its_place() {
        let schema = json!({
            "type": "object",
            "anyOf": [{"properties": {"a": {"type": "string"}}}],
            "properties": {
                "a": {"minimum": 1},
                "b": {"type": "array", "items": {}},
                "c": {"type": "object", "default": {"d": 1}, "properties": {"d": {"type": "integer", "minimum": 3}}},
            },
            "x-kubernetes-validations": [{"rule": "true"}, {"rule": "self.a <"}],
        });
        let found = told(&schema);
        assert_eq!(found.len(), 5, "{found:#?}");
        assert!(
            found[0].starts_with("schema.x-kubernetes-validations[1].rule: Invalid value: \"self.a <\": ")
        );
        assert_eq!(
            found[1..],
            [
                "schema.anyOf[0].properties[a].type: Forbidden: must be empty to be structural",
                "schema.properties[a].type: Required value: must not be empty for specified object fields",
                "schema.properties[b].items.type: Required value: must not be empty for specified array items",
                "schema.properties[c].default.d: Invalid value: 1: d in body should be greater than or equal to 3",
            ]
        );
    }
}
