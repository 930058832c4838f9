//! Karmada's own autoscalers, `autoscaling.karmada.io/v1alpha1`.

use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::kind;

/// Karmada's central autoscaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FederatedHPA {
    /// Its name and namespace.
    pub metadata: ObjectMeta,
    /// What it scales.
    pub spec: FederatedSpec,
}
kind!(FederatedHPA, NamespaceResourceScope, "autoscaling.karmada.io", "v1alpha1", "federatedhpas");

/// Karmada's autoscaler by the clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CronFederatedHPA {
    /// Its name and namespace.
    pub metadata: ObjectMeta,
    /// What it scales: a workload, or a FederatedHPA.
    pub spec: FederatedSpec,
}
kind!(CronFederatedHPA, NamespaceResourceScope, "autoscaling.karmada.io", "v1alpha1", "cronfederatedhpas");

/// What is scaled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedSpec {
    /// The object, in the same namespace.
    pub scale_target_ref: FederatedTarget,
}

/// A reference to an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedTarget {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
}
