//! The CustomResourceDefinitions as objects and as YAML files. Where the files go is for the caller to say.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use serde_json::{Number, Value};

use crate::{CronHpa, FedHpa};

/// Why a definition could not be written as a file.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// It is not expressible in JSON.
    #[error("the definition of {plural} is not expressible in JSON: {source}")]
    Json {
        /// Plural name of the kind.
        plural: String,
        /// What stood in the way.
        source: serde_json::Error,
    },
    /// It is not expressible in YAML.
    #[error("the definition of {plural} is not expressible in YAML: {source}")]
    Yaml {
        /// Plural name of the kind.
        plural: String,
        /// What stood in the way.
        source: serde_saphyr::SerializeError,
    },
}

/// Both definitions, in the order of their names.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![CronHpa::crd(), FedHpa::crd()]
}

/// Both definitions as YAML, by file name (`group_plural.yaml`). The same types always give the same bytes.
pub fn render() -> Result<BTreeMap<String, String>, RenderError> {
    all().iter().map(|crd| Ok((file_name(crd), yaml(crd)?))).collect()
}

fn file_name(crd: &CustomResourceDefinition) -> String {
    format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural)
}

fn yaml(crd: &CustomResourceDefinition) -> Result<String, RenderError> {
    let plural = || crd.spec.names.plural.clone();
    let mut tree =
        serde_json::to_value(crd).map_err(|source| RenderError::Json { plural: plural(), source })?;
    tidy(&mut tree);
    serde_saphyr::to_string(&tree).map_err(|source| RenderError::Yaml { plural: plural(), source })
}

/// Limits are floats in the API's types, and descriptions have the line breaks of our source; readers want neither.
fn tidy(tree: &mut Value) {
    match tree {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| match value {
            Value::String(text) if name == "description" => *text = text.replace('\n', " "),
            _ => tidy(value),
        }),
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Number(number) => *number = whole(number),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn whole(number: &Number) -> Number {
    let text = number.to_string();
    text.strip_suffix(".0")
        .and_then(|digits| digits.parse::<i64>().ok())
        .map_or_else(|| number.clone(), Number::from)
}
