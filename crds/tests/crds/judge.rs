//! Judges objects as an API server does, in its order: nulls dropped, unknown fields, defaults, structural schema, lists
//! without duplicates, and, if all that holds, CEL.

use std::{collections::BTreeMap, fs, path::Path};

use fedscaler_crds::render;
use jsonschema::Draft;
use kube_cel::{CompiledSchema, Validator, apply_defaults, compile_schema};
use serde_json::{Map, Value};

/// The schema of one kind.
pub(crate) struct Judge {
    pub(crate) schema: Value,
    structure: jsonschema::Validator,
    rules: CompiledSchema,
}

impl Judge {
    pub(crate) fn of(schema: Value) -> Self {
        let structure = jsonschema::options().with_draft(Draft::Draft7).build(&schema).unwrap();
        let rules = compile_schema(&schema);
        Self { schema, structure, rules }
    }

    /// The object without the nulls that the API server drops.
    pub(crate) fn without_nulls(&self, object: &Value) -> Value {
        let mut object = object.clone();
        drop_nulls(&mut object, &self.schema);
        object
    }

    /// The object as the API server would store it.
    pub(crate) fn completed(&self, object: &Value) -> Value {
        apply_defaults(&self.schema, &self.without_nulls(object))
    }

    /// Why the object is rejected, as `path: reason`; empty if it is accepted.
    pub(crate) fn objections(&self, object: &Value) -> Vec<String> {
        let mut objections = Vec::new();
        unknown_fields(object, &self.schema, "", &mut objections);
        let object = self.completed(object);
        objections.extend(
            self.structure
                .iter_errors(&object)
                .map(|error| format!("{}: {error}", dotted(error.instance_path().as_str()))),
        );
        duplicates(&object, &self.schema, "", &mut objections);
        if objections.is_empty() {
            objections.extend(self.broken_rules(&object));
        }
        objections
    }

    fn broken_rules(&self, object: &Value) -> Vec<String> {
        match Validator::new().validate_compiled(&self.rules, object, None) {
            Ok(()) => Vec::new(),
            Err(broken) => broken
                .as_slice()
                .iter()
                .map(|rule| format!("{}: {}", rule.field_path, rule.message))
                .collect(),
        }
    }
}

/// One judge for each kind.
pub(crate) fn judges() -> BTreeMap<String, Judge> {
    render::all()
        .into_iter()
        .map(|crd| {
            let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
            (crd.spec.names.kind.clone(), Judge::of(serde_json::to_value(schema).unwrap()))
        })
        .collect()
}

/// A sample: its file name, its first line, and the object.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) first_line: String,
    pub(crate) object: Value,
}

impl Sample {
    pub(crate) fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap()
    }
}

/// The samples of `crds/samples/{folder}`, in the order of their names.
pub(crate) fn samples(folder: &str) -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(folder);
    let mut samples: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| sample(&file.unwrap().path())).collect();
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    samples
}

fn sample(path: &Path) -> Sample {
    let text = fs::read_to_string(path).unwrap();
    Sample {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        first_line: text.lines().next().unwrap().to_owned(),
        object: serde_saphyr::from_str(&text).unwrap(),
    }
}

fn drop_nulls(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            let known = |name: &str| schema["properties"].get(name);
            fields.retain(|name, value| !value.is_null() || known(name).is_none());
            for (name, value) in fields.iter_mut() {
                if let Some(schema) = known(name) {
                    drop_nulls(value, schema);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| drop_nulls(item, &schema["items"])),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn unknown_fields(value: &Value, schema: &Value, path: &str, objections: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match schema["properties"].get(name).or(schema.get("additionalProperties")) {
                    Some(schema) => unknown_fields(value, schema, &path, objections),
                    None if keeps_unknown(schema) || of_every_object(&path) => {}
                    None => objections.push(format!("unknown field \"{path}\"")),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                unknown_fields(item, &schema["items"], &format!("{path}[{index}]"), objections);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn keeps_unknown(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
}

fn of_every_object(path: &str) -> bool {
    matches!(path, "apiVersion" | "kind" | "metadata")
}

fn duplicates(value: &Value, schema: &Value, path: &str, objections: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                duplicates(value, &schema["properties"][name], &path, objections);
            }
        }
        Value::Array(items) => {
            let mut seen = Vec::new();
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                duplicates(item, &schema["items"], &path, objections);
                let Some(key) = list_key(item, schema) else { continue };
                if seen.contains(&key) {
                    objections.push(format!("{path}: Duplicate value"));
                }
                seen.push(key);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What must be unique in the list: the item of a set, the key fields of a map, nothing of an atomic list.
fn list_key(item: &Value, schema: &Value) -> Option<Value> {
    match schema["x-kubernetes-list-type"].as_str()? {
        "set" => Some(item.clone()),
        "map" => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array()?.iter().filter_map(Value::as_str);
            Some(Value::Object(keys.map(|key| (key.to_owned(), item[key].clone())).collect::<Map<_, _>>()))
        }
        _ => None,
    }
}

/// `/spec/rules/0/name` as `spec.rules[0].name`.
fn dotted(pointer: &str) -> String {
    let step = |part: &str| match part.parse::<usize>() {
        Ok(index) => format!("[{index}]"),
        Err(_) => format!(".{part}"),
    };
    let path: String = pointer.split('/').skip(1).map(step).collect();
    path.trim_start_matches('.').to_owned()
}
