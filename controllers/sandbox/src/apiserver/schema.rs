//! Structural schemas: what an object of a kind looks like, parsed once from `OpenAPI` v3 JSON.
//!
//! It knows the language of CRD schemas; pruning, defaulting, validation, patches and field ownership all read it.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Value, json};

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueType {
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    /// An integer or a string, as ports and percentages are.
    IntOrString,
}

impl ValueType {
    /// As `OpenAPI` and messages spell it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer | Self::IntOrString => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListType {
    /// They are not: the list is one value.
    Atomic,
    /// By their value.
    Set,
    /// By these fields of theirs.
    Map(Vec<String>),
}

/// Whether the entries of a map have owners of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MapType {
    Granular,
    Atomic,
}

/// What happens to fields that a schema does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unnamed {
    Pruned,
    Preserved,
}

/// Limits on a value, beside its type.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_minimum: bool,
    pub(super) exclusive_maximum: bool,
    pub(super) multiple_of: Option<f64>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) pattern: Option<Regex>,
    pub(super) format: Option<String>,
    pub(super) min_items: Option<u64>,
    pub(super) max_items: Option<u64>,
    pub(super) min_properties: Option<u64>,
    pub(super) max_properties: Option<u64>,
    pub(super) values: Vec<Value>,
}

/// A schema and what it says about the parts of a value.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    pub(super) of: ValueType,
    pub(super) properties: BTreeMap<String, Schema>,
    pub(super) additional: Option<Box<Schema>>,
    pub(super) items: Option<Box<Schema>>,
    pub(super) required: Vec<String>,
    pub(super) default: Option<Value>,
    pub(super) nullable: bool,
    pub(super) embedded_resource: bool,
    pub(super) unnamed: Unnamed,
    pub(super) list: ListType,
    pub(super) map: MapType,
    pub(super) limits: Limits,
    pub(super) all_of: Vec<Schema>,
    pub(super) any_of: Vec<Schema>,
    pub(super) one_of: Vec<Schema>,
    pub(super) not: Option<Box<Schema>>,
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SchemaError {
    /// A pattern is no regular expression.
    #[error("pattern {0:?} is no regular expression")]
    Pattern(String),
}

impl Schema {
    /// The schema of a whole object; `apiVersion`, `kind` and `metadata` are always known.
    pub(super) fn of_object(raw: &Value) -> Result<Self, SchemaError> {
        let mut schema = Self::parse(raw)?;
        schema.of = ValueType::Object;
        let string = Self::parse(&json!({"type": "string"}))?;
        schema.properties.insert("apiVersion".to_owned(), string.clone());
        schema.properties.insert("kind".to_owned(), string);
        let metadata = Self::parse(&object_meta())?;
        schema.properties.insert("metadata".to_owned(), metadata);
        Ok(schema)
    }

    /// The schema of any value.
    pub(super) fn parse(raw: &Value) -> Result<Self, SchemaError> {
        let many = |field: &str| -> Result<Vec<Self>, SchemaError> {
            raw[field].as_array().into_iter().flatten().map(Self::parse).collect()
        };
        let one = |field: &str| -> Result<Option<Box<Self>>, SchemaError> {
            raw[field].as_object().map(|_| Self::parse(&raw[field]).map(Box::new)).transpose()
        };
        let named = raw["properties"].as_object().into_iter().flatten();
        let properties: Result<_, _> =
            named.map(|(name, schema)| Ok((name.clone(), Self::parse(schema)?))).collect();
        let preserved =
            raw["x-kubernetes-preserve-unknown-fields"] == true || raw["additionalProperties"] == true;
        Ok(Self {
            of: value_type(raw),
            properties: properties?,
            additional: one("additionalProperties")?,
            items: one("items")?,
            required: texts(&raw["required"]),
            default: raw.get("default").cloned(),
            nullable: raw["nullable"] == true,
            embedded_resource: raw["x-kubernetes-embedded-resource"] == true,
            unnamed: if preserved { Unnamed::Preserved } else { Unnamed::Pruned },
            list: list_type(raw),
            map: if raw["x-kubernetes-map-type"] == "atomic" { MapType::Atomic } else { MapType::Granular },
            limits: Limits::parse(raw)?,
            all_of: many("allOf")?,
            any_of: many("anyOf")?,
            one_of: many("oneOf")?,
            not: one("not")?,
        })
    }

    /// The schema of the field `name`, named or not; none if nothing is said of it.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or(self.additional.as_deref())
    }
}

impl Limits {
    fn parse(raw: &Value) -> Result<Self, SchemaError> {
        let pattern = raw["pattern"].as_str();
        let pattern = pattern
            .map(|pattern| Regex::new(pattern).map_err(|_| SchemaError::Pattern(pattern.to_owned())))
            .transpose()?;
        Ok(Self {
            minimum: raw["minimum"].as_f64(),
            maximum: raw["maximum"].as_f64(),
            exclusive_minimum: raw["exclusiveMinimum"] == true,
            exclusive_maximum: raw["exclusiveMaximum"] == true,
            multiple_of: raw["multipleOf"].as_f64(),
            min_length: raw["minLength"].as_u64(),
            max_length: raw["maxLength"].as_u64(),
            pattern,
            format: raw["format"].as_str().map(str::to_owned),
            min_items: raw["minItems"].as_u64(),
            max_items: raw["maxItems"].as_u64(),
            min_properties: raw["minProperties"].as_u64(),
            max_properties: raw["maxProperties"].as_u64(),
            values: raw["enum"].as_array().cloned().unwrap_or_default(),
        })
    }
}

fn value_type(raw: &Value) -> ValueType {
    if raw["x-kubernetes-int-or-string"] == true {
        return ValueType::IntOrString;
    }
    match raw["type"].as_str().unwrap_or_default() {
        "object" => ValueType::Object,
        "array" => ValueType::Array,
        "string" => ValueType::String,
        "integer" => ValueType::Integer,
        "number" => ValueType::Number,
        "boolean" => ValueType::Boolean,
        _ => ValueType::Any,
    }
}

fn list_type(raw: &Value) -> ListType {
    match raw["x-kubernetes-list-type"].as_str() {
        Some("set") => ListType::Set,
        Some("map") => ListType::Map(texts(&raw["x-kubernetes-list-map-keys"])),
        _ => ListType::Atomic,
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `metav1.ObjectMeta`, the same for every kind.
fn object_meta() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": text});
    let time = json!({"type": "string", "nullable": true});
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let owner = json!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "apiVersion": text, "kind": text, "name": text, "uid": text,
            "controller": {"type": "boolean"}, "blockOwnerDeletion": {"type": "boolean"},
        },
    });
    json!({
        "type": "object",
        "properties": {
            "name": text, "generateName": text, "namespace": text, "selfLink": text, "uid": text,
            "resourceVersion": text, "generation": {"type": "integer"},
            "creationTimestamp": time, "deletionTimestamp": time,
            "deletionGracePeriodSeconds": {"type": "integer"},
            "labels": texts, "annotations": texts,
            "ownerReferences": {
                "type": "array", "items": owner,
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
            },
            "finalizers": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
            "managedFields": {"type": "array", "items": open},
        },
    })
}
