//! The binding of a workload: how many replicas it has in which cluster, and who divides them.
//!
//! Responsible for reading a binding into the domain and for the writes that do not wake Karmada's scheduler:
//! counts and their sum go in one patch with the resourceVersion that they were decided on, and scheduling is
//! held by suspending it. Knows nothing of when to write.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use fedscaler_core::room::Amounts;
use fedscaler_runtime::{client::CallError, leadership::Term, time::from_wire};
use kube::{Api, core::ObjectMeta};
use serde_json::{Value, json};

use crate::{
    error::{Unreadable, WriteError},
    labels::HOLDS_SCHEDULING,
    plane::ControlPlane,
    quantity::{self, Round},
    types::{Placement, ResourceBinding, ResourceBindingSpec},
};

const OBJECT: &str = "ResourceBinding";

/// Who keeps Karmada's scheduler away from a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// Nobody: the scheduler may divide at any time.
    Free,
    /// We do.
    HeldByUs,
    /// Someone else: theirs to resume.
    HeldByOther,
}

/// How the clusters share the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Division {
    /// Each gets a part.
    Divided,
    /// Each gets all: nothing can be done with it.
    Duplicated,
    /// The workload consists of components, each with a count of its own: nothing can be done with it.
    Components,
}

/// A binding as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Its namespace, which is the workload's.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The version that a write must be decided on.
    pub resource_version: String,
    /// Its generation.
    pub generation: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The sum that it states.
    pub replicas: u32,
    /// Replicas by cluster.
    pub clusters: BTreeMap<String, u32>,
    /// Such as `apps/v1`.
    pub template_api_version: String,
    /// Such as `Deployment`.
    pub template_kind: String,
    /// The uid of the template that it was made from.
    pub template_uid: Option<String>,
    /// The version of the template that Karmada's detector has seen. A round of writing back is over when this
    /// has reached the version that the write of the template's scale returned.
    pub template_resource_version: Option<String>,
    /// Who keeps the scheduler away.
    pub scheduling: Scheduling,
    /// The uid of the FedHPA that we hold it for.
    pub holder: Option<String>,
    /// Whether Works are kept from members, by whomever.
    pub dispatching_suspended: bool,
    /// How the clusters share the replicas.
    pub division: Division,
    /// Clusters that are being emptied. Their Works may live on though they are no longer in `clusters`.
    pub evicting: BTreeSet<String>,
    /// When the scheduler last divided: it moves each time that it does.
    pub last_scheduled: Option<DateTime<Utc>>,
    /// The generation that the scheduler has dealt with. It stands still while scheduling is held.
    pub scheduler_observed_generation: i64,
    /// The term of several affinities in force.
    pub affinity_in_force: Option<String>,
    /// Where replicas may go. Empty if there is none.
    pub placement: Placement,
    /// What one replica requests, where Karmada found it out.
    pub requests: Option<Amounts>,
    /// Whether unhealthy replicas get a cluster emptied, which Pending ones would cause.
    pub fails_over_applications: bool,
}

impl Binding {
    /// Reads a binding.
    pub fn read(object: &ResourceBinding) -> Result<Self, Unreadable> {
        let (meta, spec, status) = (&object.metadata, &object.spec, &object.status);
        let (scheduling, holder) = scheduling(meta, spec);
        Ok(Self {
            namespace: required(meta.namespace.as_ref(), "metadata.namespace")?,
            name: required(meta.name.as_ref(), "metadata.name")?,
            uid: required(meta.uid.as_ref(), "metadata.uid")?,
            resource_version: required(meta.resource_version.as_ref(), "metadata.resourceVersion")?,
            generation: meta.generation.unwrap_or_default(),
            deleting: meta.deletion_timestamp.is_some(),
            replicas: count(spec.replicas),
            clusters: clusters(spec),
            template_api_version: spec.resource.api_version.clone(),
            template_kind: spec.resource.kind.clone(),
            template_uid: spec.resource.uid.clone(),
            template_resource_version: spec.resource.resource_version.clone(),
            scheduling,
            holder,
            dispatching_suspended: spec.suspension.as_ref().is_some_and(|it| it.dispatching == Some(true)),
            division: division(spec),
            evicting: spec.graceful_eviction_tasks.iter().map(|task| task.from_cluster.clone()).collect(),
            last_scheduled: status.last_scheduled_time.as_ref().map(from_wire),
            scheduler_observed_generation: status.scheduler_observed_generation,
            affinity_in_force: status
                .scheduler_observed_affinity_name
                .clone()
                .filter(|name| !name.is_empty()),
            placement: spec.placement.clone().unwrap_or_default(),
            requests: requests(spec)?,
            fails_over_applications: spec.failover.as_ref().is_some_and(|it| it.application.is_some()),
        })
    }

    /// Whether the binding states exactly these counts, and their sum.
    pub fn states(&self, counts: &Counts) -> bool {
        self.replicas == counts.sum() && self.clusters == counts.0
    }

    /// Whether the stated sum is the sum over the clusters. If it is not, the scheduler divides again at the next
    /// occasion.
    pub fn adds_up(&self) -> bool {
        self.clusters.values().fold(0_u32, |sum, count| sum.saturating_add(*count)) == self.replicas
    }
}

/// Replicas by cluster, together with their sum: the two can never disagree in what is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<String, u32>);

impl Counts {
    /// These counts. A cluster that is absent is taken out of the binding, and Karmada deletes the workload there;
    /// one with 0 stays.
    pub fn new(by_cluster: BTreeMap<String, u32>) -> Self {
        Self(by_cluster)
    }

    /// The counts by cluster.
    pub fn by_cluster(&self) -> &BTreeMap<String, u32> {
        &self.0
    }

    /// Their sum.
    pub fn sum(&self) -> u32 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// The binding of that name, straight from the API server.
pub async fn get(plane: &ControlPlane, namespace: &str, name: &str) -> Result<ResourceBinding, CallError> {
    plane.read(bindings(plane, namespace).get(name)).await
}

/// Keeps Karmada's scheduler away from a binding, for the FedHPA of uid `holder`. To be done before the first HPA
/// Work: else an ordinary `kubectl apply` of the template divides its replicas, drops clusters at 0, and Karmada
/// deletes the workload there.
///
/// # Errors
/// [`WriteError::HeldByOther`] if someone else has suspended it.
pub async fn hold_scheduling(
    plane: &ControlPlane,
    term: &Term,
    binding: &Binding,
    holder: &str,
) -> Result<ResourceBinding, WriteError> {
    match binding.scheduling {
        Scheduling::HeldByOther => Err(WriteError::HeldByOther),
        Scheduling::Free | Scheduling::HeldByUs => {
            patch(plane, term, binding, &hold_patch(&binding.resource_version, holder)).await
        }
    }
}

/// Lets Karmada's scheduler divide again. Only what we hold is given back.
///
/// # Errors
/// [`WriteError::HeldByOther`] if someone else has suspended it.
pub async fn resume_scheduling(
    plane: &ControlPlane,
    term: &Term,
    binding: &Binding,
) -> Result<Option<ResourceBinding>, WriteError> {
    match binding.scheduling {
        Scheduling::Free => Ok(None),
        Scheduling::HeldByOther => Err(WriteError::HeldByOther),
        Scheduling::HeldByUs => {
            patch(plane, term, binding, &resume_patch(&binding.resource_version)).await.map(Some)
        }
    }
}

/// Writes the counts and their sum in one patch. The template's scale must follow at once, see
/// [`crate::template::write_scale`].
pub async fn write_counts(
    plane: &ControlPlane,
    term: &Term,
    binding: &Binding,
    counts: &Counts,
) -> Result<ResourceBinding, WriteError> {
    patch(plane, term, binding, &counts_patch(&binding.resource_version, counts)).await
}

async fn patch(
    plane: &ControlPlane,
    term: &Term,
    binding: &Binding,
    patch: &Value,
) -> Result<ResourceBinding, WriteError> {
    let api = bindings(plane, &binding.namespace);
    Ok(plane.merge(term, &api, &binding.name, patch).await?)
}

fn bindings(plane: &ControlPlane, namespace: &str) -> Api<ResourceBinding> {
    Api::namespaced(plane.client().clone(), namespace)
}

fn hold_patch(resource_version: &str, holder: &str) -> Value {
    json!({
        "metadata": {"resourceVersion": resource_version, "annotations": {HOLDS_SCHEDULING: holder}},
        "spec": {"suspension": {"scheduling": true}},
    })
}

fn resume_patch(resource_version: &str) -> Value {
    json!({
        "metadata": {"resourceVersion": resource_version, "annotations": {HOLDS_SCHEDULING: null}},
        "spec": {"suspension": {"scheduling": null}},
    })
}

fn counts_patch(resource_version: &str, counts: &Counts) -> Value {
    let clusters: Vec<_> =
        counts.0.iter().map(|(name, replicas)| json!({"name": name, "replicas": replicas})).collect();
    json!({
        "metadata": {"resourceVersion": resource_version},
        "spec": {"replicas": counts.sum(), "clusters": clusters},
    })
}

fn required(field: Option<&String>, path: &'static str) -> Result<String, Unreadable> {
    field.cloned().ok_or(Unreadable::Missing { object: OBJECT, field: path })
}

fn scheduling(meta: &ObjectMeta, spec: &ResourceBindingSpec) -> (Scheduling, Option<String>) {
    let holder = meta.annotations.as_ref().and_then(|annotations| annotations.get(HOLDS_SCHEDULING));
    let suspended = spec.suspension.as_ref().is_some_and(|suspension| suspension.scheduling == Some(true));
    match (suspended, holder) {
        (true, Some(holder)) => (Scheduling::HeldByUs, Some(holder.clone())),
        (true, None) => (Scheduling::HeldByOther, None),
        (false, _) => (Scheduling::Free, None),
    }
}

fn division(spec: &ResourceBindingSpec) -> Division {
    if !spec.components.is_empty() {
        return Division::Components;
    }
    let scheduling = spec.placement.as_ref().and_then(|placement| placement.replica_scheduling.as_ref());
    match scheduling.map(|scheduling| scheduling.replica_scheduling_type.as_deref()) {
        None | Some(Some("Duplicated")) => Division::Duplicated,
        Some(_) => Division::Divided,
    }
}

fn clusters(spec: &ResourceBindingSpec) -> BTreeMap<String, u32> {
    spec.clusters.iter().map(|target| (target.name.clone(), count(target.replicas))).collect()
}

fn requests(spec: &ResourceBindingSpec) -> Result<Option<Amounts>, Unreadable> {
    let Some(requirements) = &spec.replica_requirements else {
        return Ok(None);
    };
    quantity::amounts(&requirements.resource_request, Round::Up)
        .map(Some)
        .map_err(|bad| Unreadable::Quantity { field: "spec.replicaRequirements.resourceRequest", bad })
}

fn count(on_the_wire: i32) -> u32 {
    u32::try_from(on_the_wire).unwrap_or(0)
}

#[cfg(test)]
mod tests;
