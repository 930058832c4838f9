//! The CustomResourceDefinitions as objects and as YAML files. Where the files go is for the caller to say.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

use crate::{CronHpa, FedHpa};

/// Why a definition could not be written as YAML.
pub type RenderError = serde_saphyr::SerializeError;

/// Both definitions, in the order of their names.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![CronHpa::crd(), FedHpa::crd()]
}

/// Both definitions as YAML, by file name (`group_plural.yaml`). The same types always give the same bytes.
pub fn render() -> Result<BTreeMap<String, String>, RenderError> {
    all()
        .iter()
        .map(|crd| {
            Ok((format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural), serde_saphyr::to_string(crd)?))
        })
        .collect()
}
