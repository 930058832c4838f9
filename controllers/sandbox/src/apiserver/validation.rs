//! Judging a value by its structural schema, in the words of kube-apiserver.
//!
//! What an update leaves as it was is not judged again (ratcheting). CEL rules are judged elsewhere.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    errors::Cause,
    fields::item_key,
    path::Path,
    schema::{Limits, ListType, Schema, ValueType},
};

/// All that is wrong with `new`, an update of `old` where there is one.
pub(super) fn violations(new: &Value, old: Option<&Value>, schema: &Schema) -> Vec<Cause> {
    let mut found = Findings(Vec::new());
    found.judge(new, old, schema, &Path::Top);
    found.0
}

struct Findings(Vec<Cause>);

impl Findings {
    fn add(&mut self, path: &Path<'_>, reason: &'static str, message: String) {
        self.0.push(Cause { field: path.to_string(), reason, message });
    }

    /// The common form: a value and what it should be.
    fn invalid(&mut self, path: &Path<'_>, value: &Value, should: &str) {
        let message = format!("Invalid value: {}: {path} in body should {should}", shown(value));
        self.add(path, "FieldValueInvalid", message);
    }

    fn judge(&mut self, new: &Value, old: Option<&Value>, schema: &Schema, path: &Path<'_>) {
        if old == Some(new) || (new.is_null() && schema.nullable) {
            return;
        }
        if !is_of(new, schema) {
            let (found, wanted) = (type_name(new), schema.of.name());
            let message =
                format!("Invalid value: \"{found}\": {path} in body must be of type {wanted}: \"{found}\"");
            return self.add(path, "FieldValueTypeInvalid", message);
        }
        self.judge_choice(new, &schema.limits, path);
        self.judge_logic(new, schema, path);
        match new {
            Value::String(text) => self.judge_text(new, text, &schema.limits, path),
            Value::Number(number) => {
                self.judge_number(new, number.as_f64().unwrap_or_default(), &schema.limits, path);
            }
            Value::Array(items) => self.judge_items(items, old, schema, path),
            Value::Object(fields) => self.judge_fields(new, fields, old, schema, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn judge_choice(&mut self, value: &Value, limits: &Limits, path: &Path<'_>) {
        if limits.values.is_empty() || limits.values.contains(value) {
            return;
        }
        let supported: Vec<String> = limits.values.iter().map(shown).collect();
        let message =
            format!("Unsupported value: {}: supported values: {}", shown(value), supported.join(", "));
        self.add(path, "FieldValueNotSupported", message);
    }

    fn judge_logic(&mut self, value: &Value, schema: &Schema, path: &Path<'_>) {
        let fits = |schema: &Schema| violations(value, None, schema).is_empty();
        let must =
            |rule: &str| format!("Invalid value: {}: {path} in body must {rule}", shown_or_empty(value));
        if !schema.any_of.is_empty() && !schema.any_of.iter().any(fits) {
            self.add(path, "FieldValueInvalid", must("validate at least one schema (anyOf)"));
        }
        if !schema.one_of.is_empty() {
            let fitting = schema.one_of.iter().filter(|schema| fits(schema)).count();
            if fitting != 1 {
                let found = if fitting == 0 {
                    "none valid".to_owned()
                } else {
                    format!("{fitting} valid alternatives")
                };
                let rule = format!("validate one and only one schema (oneOf). Found {found}");
                self.add(path, "FieldValueInvalid", must(&rule));
            }
        }
        if !schema.all_of.is_empty() {
            let before = self.0.len();
            for part in &schema.all_of {
                self.judge(value, None, part, path);
            }
            if self.0.len() > before {
                self.add(path, "FieldValueInvalid", must("validate all the schemas (allOf)"));
            }
        }
        if schema.not.as_deref().is_some_and(fits) {
            self.add(path, "FieldValueInvalid", must("not validate the schema (not)"));
        }
    }

    fn judge_text(&mut self, value: &Value, text: &str, limits: &Limits, path: &Path<'_>) {
        let length = text.chars().count() as u64;
        // The first of these that fails is the one that is told.
        if let Some(most) = limits.max_length.filter(|most| length > *most) {
            let message = format!("Too long: may not be more than {most} bytes");
            self.add(path, "FieldValueTooLong", message);
        } else if let Some(least) = limits.min_length.filter(|least| length < *least) {
            self.invalid(path, value, &format!("be at least {least} chars long"));
        } else if let Some(pattern) = limits.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
            self.invalid(path, value, &format!("match '{pattern}'"));
        }
        if let Some(format) = limits.format.as_deref().filter(|format| !is_format(text, format)) {
            let message =
                format!("Invalid value: {0}: {path} in body must be of type {format}: {0}", shown(value));
            self.add(path, "FieldValueInvalid", message);
        }
    }

    fn judge_number(&mut self, value: &Value, number: f64, limits: &Limits, path: &Path<'_>) {
        if let Some(least) = limits.minimum {
            if limits.exclusive_minimum && number <= least {
                self.invalid(path, value, &format!("be greater than {least}"));
            } else if number < least {
                self.invalid(path, value, &format!("be greater than or equal to {least}"));
            }
        }
        if let Some(most) = limits.maximum {
            if limits.exclusive_maximum && number >= most {
                self.invalid(path, value, &format!("be less than {most}"));
            } else if number > most {
                self.invalid(path, value, &format!("be less than or equal to {most}"));
            }
        }
        if let Some(unit) = limits.multiple_of.filter(|unit| (number / unit).fract().abs() > f64::EPSILON) {
            self.invalid(path, value, &format!("be a multiple of {unit}"));
        }
        let whole = match limits.format.as_deref() {
            Some("int32") => Some((f64::from(i32::MIN), f64::from(i32::MAX))),
            _ => None,
        };
        if whole.is_some_and(|(least, most)| number < least || number > most) {
            let message =
                format!("Invalid value: {0}: {path} in body must be of type int32: {0}", shown(value));
            self.add(path, "FieldValueInvalid", message);
        }
    }

    fn judge_items(&mut self, items: &[Value], old: Option<&Value>, schema: &Schema, path: &Path<'_>) {
        let count = items.len() as u64;
        if let Some(least) = schema.limits.min_items.filter(|least| count < *least) {
            let message =
                format!("Invalid value: {count}: {path} in body should have at least {least} items");
            self.add(path, "FieldValueInvalid", message);
        }
        if let Some(most) = schema.limits.max_items.filter(|most| count > *most) {
            self.add(path, "FieldValueTooMany", format!("Too many: {count}: must have at most {most} items"));
        }
        self.judge_keys(items, schema, path);
        let Some(of_item) = schema.items.as_deref() else { return };
        for (index, item) in items.iter().enumerate() {
            let before = old.and_then(|old| counterpart(old, item, schema));
            self.judge(item, before, of_item, &Path::Item(path, index));
        }
    }

    fn judge_keys(&mut self, items: &[Value], schema: &Schema, path: &Path<'_>) {
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            if let Some(key) = item_key(item, schema)
                && !seen.insert(key.clone())
            {
                // Without the step's own mark: a key's object or a set's value, in JSON.
                let message = format!("Duplicate value: {}", key.get(2..).unwrap_or_default());
                self.add(&Path::Item(path, index), "FieldValueDuplicate", message);
            }
        }
    }

    fn judge_fields(
        &mut self,
        value: &Value,
        fields: &Map<String, Value>,
        old: Option<&Value>,
        schema: &Schema,
        path: &Path<'_>,
    ) {
        for name in schema.required.iter().filter(|name| !fields.contains_key(*name)) {
            self.add(&Path::Field(path, name), "FieldValueRequired", "Required value".to_owned());
        }
        let count = fields.len() as u64;
        if let Some(least) = schema.limits.min_properties.filter(|least| count < *least) {
            let message = format!(
                "Invalid value: {}: {path} in body should have at least {least} properties",
                shown(value)
            );
            self.add(path, "FieldValueInvalid", message);
        }
        if let Some(most) = schema.limits.max_properties.filter(|most| count > *most) {
            self.add(path, "FieldValueTooMany", format!("Too many: {count}: must have at most {most} items"));
        }
        for (name, field) in fields {
            if let Some(of_field) = schema.field(name) {
                self.judge(field, old.and_then(|old| old.get(name)), of_field, &Path::Field(path, name));
            }
        }
    }
}

/// The item of a list map's earlier state with the same key.
fn counterpart<'a>(old: &'a Value, item: &Value, schema: &Schema) -> Option<&'a Value> {
    match &schema.list {
        ListType::Map(_) => {
            let key = item_key(item, schema)?;
            old.as_array()?.iter().find(|old| item_key(old, schema).as_ref() == Some(&key))
        }
        ListType::Atomic | ListType::Set => None,
    }
}

fn is_of(value: &Value, schema: &Schema) -> bool {
    match schema.of {
        ValueType::Any => true,
        ValueType::Object => value.is_object(),
        ValueType::Array => value.is_array(),
        ValueType::String => value.is_string(),
        ValueType::Integer => is_whole(value),
        ValueType::Number => value.is_number(),
        ValueType::Boolean => value.is_boolean(),
        ValueType::IntOrString => is_whole(value) || value.is_string(),
    }
}

fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if is_whole(value) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A value as messages show it.
pub(super) fn shown(value: &Value) -> String {
    value.to_string()
}

/// Logical rules show no structured values.
fn shown_or_empty(value: &Value) -> String {
    if value.is_object() || value.is_array() { "\"\"".to_owned() } else { shown(value) }
}

/// The formats that kube-apiserver enforces and that occur in practice; others are not judged.
fn is_format(text: &str, format: &str) -> bool {
    match format {
        "date-time" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        "date" => chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        "duration" => is_duration(text),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "byte" => {
            text.len().is_multiple_of(4)
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        }
        _ => true,
    }
}

/// A Go duration such as `1h30m`, or a plain number with a unit in words is not accepted here.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    while !rest.is_empty() {
        let digits =
            rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let Some(after) =
            ["ns", "us", "µs", "ms", "h", "m", "s"].iter().find_map(|unit| rest[digits..].strip_prefix(unit))
        else {
            return false;
        };
        if digits == 0 {
            return false;
        }
        rest = after;
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(schema: &Value, new: &Value, old: Option<&Value>) -> Vec<String> {
        let schema = Schema::of_object(schema).unwrap();
        violations(new, old, &schema)
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect()
    }

    fn schema() -> Value {
        json!({"properties": {"spec": {"type": "object", "required": ["max"], "properties": {
            "max": {"type": "integer", "minimum": 1, "maximum": 10},
            "mode": {"type": "string", "enum": ["Auto", "Off"]},
            "name": {"type": "string", "maxLength": 3, "pattern": "^[a-z]+$"},
            "port": {"x-kubernetes-int-or-string": true},
            "rules": {"type": "array", "maxItems": 2, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                      "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "n": {"type": "integer", "minimum": 0}}}},
        }}}})
    }

    #[test]
    fn violations_are_worded_as_kubernetes_words_them() {
        let object = json!({"spec": {"mode": "On", "name": "Long", "port": true, "rules": [
            {"name": "a"}, {"name": "a", "n": -1}, {}]}});
        assert_eq!(
            texts(&schema(), &object, None),
            [
                "spec.max: Required value",
                "spec.mode: Unsupported value: \"On\": supported values: \"Auto\", \"Off\"",
                "spec.name: Too long: may not be more than 3 bytes",
                "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer: \"boolean\"",
                "spec.rules: Too many: 3: must have at most 2 items",
                "spec.rules[1]: Duplicate value: {\"name\":\"a\"}",
                "spec.rules[1].n: Invalid value: -1: spec.rules[1].n in body should be greater than or equal to 0",
                "spec.rules[2].name: Required value",
            ]
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_by_its_type() {
        let object = json!({"spec": {"max": "many"}});
        assert_eq!(
            texts(&schema(), &object, None),
            ["spec.max: Invalid value: \"string\": spec.max in body must be of type integer: \"string\""]
        );
    }

    #[test]
    fn an_update_is_not_blamed_for_what_it_left_alone() {
        let old = json!({"spec": {"max": 99, "rules": [{"name": "a", "n": -1}]}});
        let new =
            json!({"spec": {"max": 99, "mode": "On", "rules": [{"name": "b"}, {"name": "a", "n": -1}]}});
        assert_eq!(
            texts(&schema(), &new, Some(&old)),
            ["spec.mode: Unsupported value: \"On\": supported values: \"Auto\", \"Off\""]
        );
    }
}
