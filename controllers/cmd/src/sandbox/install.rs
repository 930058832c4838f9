//! Puts manifests into the control plane, as `kubectl apply --server-side` would.
//!
//! Responsible for the files of `deploy/` and `crds/` reaching the sandbox the way they reach a real control plane.
//! Knows nothing of what they say.

use std::sync::LazyLock;

use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{Scope, pinned_kind},
};
use serde::Deserialize as _;
use serde_json::Value;

use crate::Refusal;

/// What `deploy/karmada/kustomization.yaml` names besides our definitions, in its order: path and text.
pub const KARMADA: [(&str, &str); 7] = [
    ("namespace.yaml", include_str!("../../../../deploy/karmada/namespace.yaml")),
    ("rbac.yaml", include_str!("../../../../deploy/karmada/rbac.yaml")),
    (
        "customizations/advanced-statefulset.yaml",
        include_str!("../../../../deploy/karmada/customizations/advanced-statefulset.yaml"),
    ),
    ("customizations/cloneset.yaml", include_str!("../../../../deploy/karmada/customizations/cloneset.yaml")),
    (
        "customizations/deployment.yaml",
        include_str!("../../../../deploy/karmada/customizations/deployment.yaml"),
    ),
    (
        "customizations/horizontalpodautoscaler.yaml",
        include_str!("../../../../deploy/karmada/customizations/horizontalpodautoscaler.yaml"),
    ),
    (
        "customizations/statefulset.yaml",
        include_str!("../../../../deploy/karmada/customizations/statefulset.yaml"),
    ),
];
const WORKLOADS: &str = include_str!("../../../../deploy/examples/workloads.yaml");
const FED_HPA: &str = include_str!("../../../../deploy/examples/fedhpa.yaml");
const CRON_HPA: &str = include_str!("../../../../deploy/examples/cronhpa.yaml");

/// Which members there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    /// Those that the example FedHPA names.
    Usual,
    /// Others.
    Others,
}

/// All of `deploy/karmada`: our CustomResourceDefinitions, namespace and rights, and customizations for Karmada.
pub async fn definitions(client: &Client) -> Result<(), Refusal> {
    // Rendered and read once per process: every world gets the same.
    static DEFINITIONS: LazyLock<Result<Vec<DynamicObject>, Refusal>> = LazyLock::new(read_definitions);
    for object in DEFINITIONS.clone()? {
        apply_one(client, object).await?;
    }
    Ok(())
}

fn read_definitions() -> Result<Vec<DynamicObject>, Refusal> {
    let ours = fedscaler_crds::render::render().map_err(Refusal::new)?;
    let all = ours.values().map(String::as_str).chain(KARMADA.map(|(_, text)| text));
    let read = all.map(documents).collect::<Result<Vec<_>, _>>()?;
    Ok(read.into_iter().flatten().collect())
}

/// The example workloads and their policy.
pub async fn workloads(client: &Client) -> Result<(), Refusal> {
    apply(client, WORKLOADS).await
}

/// The example FedHPA and CronHPAs. Where the members are not those that the FedHPA names, it takes all alike.
pub async fn autoscalers(client: &Client, members: Members) -> Result<(), Refusal> {
    for mut fed_hpa in documents(FED_HPA)? {
        if let (Members::Others, Some(distribution)) =
            (members, fed_hpa.data.pointer_mut("/spec/distribution").and_then(Value::as_object_mut))
        {
            distribution.remove("clusters");
        }
        apply_one(client, fed_hpa).await?;
    }
    apply(client, CRON_HPA).await
}

/// Applies each document of a YAML file, as one user does: fields that are gone from it are given up.
pub async fn apply(client: &Client, yaml: &str) -> Result<(), Refusal> {
    for object in documents(yaml)? {
        apply_one(client, object).await?;
    }
    Ok(())
}

fn documents(yaml: &str) -> Result<Vec<DynamicObject>, Refusal> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).map_err(Refusal::new)?;
    let objects = documents.iter().filter(|document| !document.is_null()).map(DynamicObject::deserialize);
    objects.collect::<Result<_, _>>().map_err(Refusal::new)
}

async fn apply_one(client: &Client, object: DynamicObject) -> Result<(), Refusal> {
    let name = object.name_any();
    let refuse = |error: &dyn std::fmt::Display| Refusal::new(format!("cannot apply {name}: {error}"));
    let types = object.types.as_ref().ok_or_else(|| refuse(&"it has no kind"))?;
    let kind = GroupVersionKind::try_from(types).map_err(|error| refuse(&error))?;
    let (resource, capabilities) = pinned_kind(client, &kind).await.map_err(|error| refuse(&error))?;
    let api: Api<DynamicObject> = match (capabilities.scope, object.namespace()) {
        (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), &namespace, &resource),
        (Scope::Namespaced, None) => Api::default_namespaced_with(client.clone(), &resource),
        (Scope::Cluster, _) => Api::all_with(client.clone(), &resource),
    };
    let by = PatchParams::apply("kubectl").validation_strict();
    api.patch(&name, &by, &Patch::Apply(&object)).await.map_err(|error| refuse(&error))?;
    Ok(())
}
