//! `config.karmada.io/v1alpha1` ResourceInterpreterCustomization.

use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::kind;

/// How objects of one kind are interpreted, in place of Karmada's own rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceInterpreterCustomization {
    /// Its name.
    pub metadata: ObjectMeta,
    /// Which kind, and how.
    pub spec: CustomizationSpec,
}
kind!(
    ResourceInterpreterCustomization,
    ClusterResourceScope,
    "config.karmada.io",
    "v1alpha1",
    "resourceinterpretercustomizations"
);

/// Which kind, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomizationSpec {
    /// The kind.
    pub target: CustomizationTarget,
    /// The rules, operation by operation.
    pub customizations: CustomizationRules,
}

/// A kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomizationTarget {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
}

/// The operations that are looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomizationRules {
    /// What of a member's object is kept.
    pub retention: Option<Script>,
    /// What of a member's status is shown.
    pub status_reflection: Option<Script>,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Script {
    /// Its Lua.
    pub lua_script: String,
}
