//! The reference to what is scaled. Which kinds are allowed is for the referring type to say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names an object in the namespace of the one that refers to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaleTargetRef {
    /// API group and version of the target, for example `apps/v1`; only `v1` for the core group.
    #[schemars(length(max = 253), regex(pattern = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9]+[a-z0-9]*$"))]
    pub api_version: String,
    /// Kind of the target, for example `Deployment`.
    #[schemars(length(max = 63), regex(pattern = "^[A-Za-z][A-Za-z0-9]*$"))]
    pub kind: String,
    /// Name of the target.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
