//! Facts as a file: saved where there is an API server, explained where there is none.
//!
//! Responsible for the form of the file and its schema. Knows nothing of files.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};

use super::facts::Facts;

/// The facts about one FedHPA at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FactsFile {
    /// The form of this file.
    pub version: Version,
    /// The FedHPA that the facts are about.
    pub fed_hpa: Subject,
    /// What was observed.
    pub facts: Facts,
}

/// The form of a file. It is our own, and another version of fedscaler may have another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Version {
    /// The first.
    #[serde(rename = "v1alpha1")]
    V1Alpha1,
}

/// Which FedHPA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl FactsFile {
    /// The facts about a FedHPA, in today's form.
    pub fn new(fed_hpa: Subject, facts: Facts) -> Self {
        Self { version: Version::V1Alpha1, fed_hpa, facts }
    }

    /// The JSON Schema of the form.
    pub fn schema() -> Schema {
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Self>()
    }
}
