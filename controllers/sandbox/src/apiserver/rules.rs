//! The rules of a kind: its schema and the CEL rules within it, compiled once.
//!
//! It ties shaping, structural validation and CEL together in the order of kube-apiserver.

use std::fmt;

use kube_cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::{Map, Value};

use super::{
    errors::Cause,
    schema::{Schema, SchemaError},
    shaping,
    validation::{shown, violations},
};

/// What objects of a kind must look like.
pub(super) struct Rules {
    pub(super) schema: Schema,
    /// The schema as it was given, for `/openapi/v3`.
    pub(super) raw: Value,
    expressions: Vec<Expressions>,
}

/// The CEL rules of the whole object, or of one field at its top: each is judged only where that has changed.
struct Expressions {
    /// Empty for the whole object.
    field: String,
    compiled: CompiledSchema,
}

thread_local! {
    /// Knows the functions of Kubernetes' CEL; making one anew for each object costs more than most rules.
    static VALIDATOR: Validator = Validator::new();
}

impl fmt::Debug for Rules {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Rules").finish_non_exhaustive()
    }
}

impl Rules {
    /// Compiles the schema of a whole object.
    pub(super) fn compile(raw: &Value) -> Result<Self, SchemaError> {
        Ok(Self { schema: Schema::of_object(raw)?, raw: raw.clone(), expressions: expressions(raw) })
    }

    /// Brings an object that was stored under another schema into the shape of this one.
    pub(super) fn reshape(&self, object: &mut Value) {
        shaping::prune(object, &self.schema);
        self.fill_in(object);
    }

    /// Fills in defaults.
    pub(super) fn fill_in(&self, object: &mut Value) {
        shaping::fill_in(object, &self.schema);
    }

    /// Why a configuration cannot be merged by its schema: a value of another type, an item twice, or one without its key.
    pub(super) fn untyped(&self, configuration: &Value) -> Option<String> {
        let spoils = |cause: &Cause| match cause.reason {
            // A fraction is a number as well: that it is not whole is found later.
            "FieldValueTypeInvalid" => !cause.message.starts_with("Invalid value: \"number\""),
            "FieldValueDuplicate" => true,
            // Keys are what items are required to have.
            "FieldValueRequired" => {
                cause.field.rsplit_once('.').is_some_and(|(item, _key)| item.ends_with(']'))
            }
            _ => false,
        };
        let cause = violations(configuration, None, &self.schema).into_iter().find(spoils)?;
        Some(format!(".{}: {}", cause.field, cause.message))
    }

    /// The first field whose value is of another type than it should be.
    pub(super) fn wrong_type(&self, new: &Value) -> Option<Cause> {
        violations(new, None, &self.schema).into_iter().find(|cause| cause.reason == "FieldValueTypeInvalid")
    }

    /// All that is wrong with `new`, an update of `old` where there is one.
    pub(super) fn violations(&self, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut causes = violations(new, old, &self.schema);
        if self.expressions.is_empty() {
            return causes;
        }
        if causes.iter().any(|cause| BLOCKING.contains(&cause.reason)) {
            causes.push(Cause {
                field: "<nil>".to_owned(),
                reason: "FieldValueInvalid",
                message: format!("Invalid value: null: {UNCHECKED}"),
            });
            return causes;
        }
        causes.extend(self.expressions.iter().flat_map(|expressions| expressions.violations(new, old)));
        causes
    }
}

/// Where one of these is found, the shape is too far off for rules to make sense of it.
const BLOCKING: [&str; 5] = [
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
];

const UNCHECKED: &str = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/// By field where the object as a whole has no rule.
fn expressions(raw: &Value) -> Vec<Expressions> {
    let compiled = |field: &str, schema: &Value| Expressions {
        field: field.to_owned(),
        compiled: compile_schema(schema),
    };
    let junctors = ["x-kubernetes-validations", "allOf", "anyOf", "oneOf"];
    if junctors.iter().any(|junctor| raw.get(junctor).is_some()) {
        return if mentions_expressions(raw) { vec![compiled("", raw)] } else { Vec::new() };
    }
    let fields = raw["properties"].as_object().into_iter().flatten();
    let ruled = fields.filter(|(_, schema)| mentions_expressions(schema));
    ruled.map(|(field, schema)| compiled(field, schema)).collect()
}

fn mentions_expressions(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.contains_key("x-kubernetes-validations") || fields.values().any(mentions_expressions)
        }
        Value::Array(items) => items.iter().any(mentions_expressions),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

impl Expressions {
    fn violations(&self, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        if self.field.is_empty() {
            if old.is_some_and(|old| judged(old).eq(judged(new))) {
                return Vec::new();
            }
            return self.broken(&view(new), old.map(view).as_ref());
        }
        let Some(new) = new.get(&self.field) else { return Vec::new() };
        let old = old.and_then(|old| old.get(&self.field));
        if old == Some(new) { Vec::new() } else { self.broken(new, old) }
    }

    fn broken(&self, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        let Err(errors) = VALIDATOR.with(|validator| validator.validate_compiled(&self.compiled, new, old))
        else {
            return Vec::new();
        };
        // What an update left alone is blamed only by rules that look at the change itself.
        let blamed = |error: &ValidationError| {
            let judged = place(&error.field_path);
            let value = at(new, judged);
            error.rule.contains("oldSelf") || value.is_none() || old.and_then(|old| at(old, judged)) != value
        };
        let mut causes: Vec<Cause> =
            errors.into_iter().filter(blamed).map(|error| self.cause(error, new)).collect();
        causes.sort();
        causes
    }

    fn cause(&self, error: ValidationError, new: &Value) -> Cause {
        let value = at(new, place(&error.field_path));
        let told = match error.kind {
            ErrorKind::ValidationFailure => error.message,
            _ => format!("failed evaluating rule: {}: {}", error.rule, error.message),
        };
        let (reason, message) = worded(error.reason.as_deref(), value, &told);
        let within = error.field_path.trim_start_matches('.');
        let is_whole = self.field.is_empty() || within.is_empty() || within.starts_with('[');
        let separator = if is_whole { "" } else { "." };
        Cause { field: format!("{}{separator}{within}", self.field), reason, message }
    }
}

/// What rules may look at: all but the metadata.
fn judged(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten().filter(|(name, _)| *name != "metadata")
}

/// The same as an object, with the one piece of metadata that rules may look at: the name.
fn view(object: &Value) -> Value {
    let mut seen: Map<String, Value> =
        judged(object).map(|(name, value)| (name.clone(), value.clone())).collect();
    let metadata = ["name", "generateName"]
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), object["metadata"].get(field)?.clone())));
    seen.insert("metadata".to_owned(), Value::Object(metadata.collect()));
    Value::Object(seen)
}

fn worded(reason: Option<&str>, value: Option<&Value>, message: &str) -> (&'static str, String) {
    match reason {
        Some("FieldValueForbidden") => ("FieldValueForbidden", format!("Forbidden: {message}")),
        Some("FieldValueRequired") => ("FieldValueRequired", format!("Required value: {message}")),
        Some("FieldValueDuplicate") => {
            ("FieldValueDuplicate", format!("Duplicate value: {}", shown(value.unwrap_or(&Value::Null))))
        }
        // Structured values are not shown.
        _ => match value {
            Some(value) if !value.is_object() && !value.is_array() => {
                ("FieldValueInvalid", format!("Invalid value: {}: {message}", shown(value)))
            }
            _ => ("FieldValueInvalid", format!("Invalid value: {message}")),
        },
    }
}

/// What a rule judges. A rule of the whole that blames a field (by its `fieldPath`) says so with a dot before it.
fn place(path: &str) -> &str {
    if path.starts_with('.') { "" } else { path }
}

/// What is at a path such as `spec.rules[0].name`.
fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']')).filter(|step| !step.is_empty());
    steps.into_iter().try_fold(object, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => value.get(step),
    })
}
