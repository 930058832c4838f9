//! `work.karmada.io/v1alpha1` Work.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind;

/// One object that is to be in one cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Work {
    /// The namespace says which cluster.
    pub metadata: ObjectMeta,
    /// What is to be there.
    pub spec: WorkSpec,
    /// What is there.
    pub status: WorkStatus,
}
kind!(Work, NamespaceResourceScope, "work.karmada.io", "v1alpha1", "works");

/// What is to be in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkSpec {
    /// The object.
    pub workload: WorkloadTemplate,
    /// It is not brought there for now.
    pub suspend_dispatching: Option<bool>,
    /// The object stays in the cluster when the Work goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preserve_resources_on_deletion: Option<bool>,
}

/// The objects of a Work; always one, because the status of more than one is not collected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadTemplate {
    /// The object.
    pub manifests: Vec<Value>,
}

/// What is in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkStatus {
    /// `Applied` says whether the cluster took it.
    pub conditions: Vec<Condition>,
    /// The status of each object.
    pub manifest_statuses: Vec<ManifestStatus>,
}

/// The status of one object in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManifestStatus {
    /// Which object.
    pub identifier: Identifier,
    /// What the interpreter reflected of its status.
    pub status: Option<Value>,
}

/// Which object a status is of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identifier {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}
