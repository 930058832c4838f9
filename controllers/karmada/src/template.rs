//! The template of a workload in the control plane.
//!
//! Responsible for which kinds can be scaled and retained, for reading a template of any kind, for the label that
//! gives its replicas to the members, and for its scale. Knows nothing of bindings.

use std::fmt;

use fedscaler_core::room::Amounts;
use fedscaler_runtime::{client::CallError, leadership::Term};
use k8s_openapi::{api::autoscaling::v1::Scale, apimachinery::pkg::apis::meta::v1::APIResourceList};
use kube::{
    Api, ResourceExt as _,
    api::Patch,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use thiserror::Error;

use crate::{
    error::{ReadError, Unreadable, WriteError},
    labels::{KARMADA_RETAIN_REPLICAS, RETAIN_REPLICAS, SCALES_TO_ZERO, TRUE},
    names,
    plane::ControlPlane,
    requests,
};

const OBJECT: &str = "the template";

/// The kinds whose replicas stay with the members under our label, by the customizations in `deploy/karmada`:
/// apiVersion, kind, plural. All of them have a scale.
const RETAINED: [(&str, &str, &str); 4] = [
    ("apps/v1", "Deployment", "deployments"),
    ("apps/v1", "StatefulSet", "statefulsets"),
    ("apps.kruise.io/v1alpha1", "CloneSet", "clonesets"),
    ("apps.kruise.io/v1beta1", "StatefulSet", "statefulsets"),
];

/// Whether Karmada leaves the replicas of a kind to the members once they bear our label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// A customization for it comes with this suite.
    Shipped,
    /// That depends on customizations of others.
    Unknown,
}

/// A kind that has a scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadKind {
    resource: ApiResource,
    retention: Retention,
}

impl WorkloadKind {
    /// One of the kinds that customizations are shipped for.
    pub fn known(api_version: &str, kind: &str) -> Option<Self> {
        let (.., plural) = RETAINED.iter().find(|known| (known.0, known.1) == (api_version, kind))?;
        Some(Self { resource: resource(api_version, kind, plural), retention: Retention::Shipped })
    }

    /// Any kind that has a scale. The API server is asked only where the kind is not one of those known.
    pub async fn discover(plane: &ControlPlane, api_version: &str, kind: &str) -> Result<Self, KindError> {
        if let Some(known) = Self::known(api_version, kind) {
            return Ok(known);
        }
        let list = plane.read(plane.client().list_api_group_resources(api_version)).await?;
        Self::among(&list, api_version, kind)
    }

    fn among(list: &APIResourceList, api_version: &str, kind: &str) -> Result<Self, KindError> {
        let is_it = |plural: &&str| !plural.contains('/');
        let of_kind = list.resources.iter().filter(|served| served.kind == kind);
        let plural = of_kind.map(|served| served.name.as_str()).find(is_it);
        let plural = plural.ok_or_else(|| KindError::not_served(api_version, kind))?;
        let scale = format!("{plural}/scale");
        if !list.resources.iter().any(|served| served.name == scale) {
            return Err(KindError::no_scale(api_version, kind));
        }
        Ok(Self { resource: resource(api_version, kind, plural), retention: Retention::Unknown })
    }

    /// What the API server calls it.
    pub fn resource(&self) -> &ApiResource {
        &self.resource
    }

    /// Such as `apps/v1`.
    pub fn api_version(&self) -> &str {
        &self.resource.api_version
    }

    /// Such as `Deployment`.
    pub fn kind(&self) -> &str {
        &self.resource.kind
    }

    /// Whether its replicas can be left to the members.
    pub fn retention(&self) -> Retention {
        self.retention
    }
}

fn resource(api_version: &str, kind: &str, plural: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// Why a kind cannot be scaled.
#[derive(Clone, Debug, Error)]
pub enum KindError {
    /// The API server does not serve it.
    #[error("the API server serves no {kind} in {api_version}")]
    NotServed {
        /// Such as `apps/v1`.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// It has no scale subresource.
    #[error("{kind} in {api_version} has no scale subresource")]
    NoScale {
        /// Such as `apps/v1`.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// The API server did not say.
    #[error(transparent)]
    Call(CallError),
}

impl KindError {
    fn not_served(api_version: &str, kind: &str) -> Self {
        Self::NotServed { api_version: api_version.to_owned(), kind: kind.to_owned() }
    }

    fn no_scale(api_version: &str, kind: &str) -> Self {
        Self::NoScale { api_version: api_version.to_owned(), kind: kind.to_owned() }
    }
}

impl From<CallError> for KindError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// A workload by its name: the same in the control plane and in the members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// What it is.
    pub kind: WorkloadKind,
    /// Where it is.
    pub namespace: String,
    /// What it is called.
    pub name: String,
}

impl Workload {
    /// The name of its binding, in its namespace.
    pub fn binding_name(&self) -> String {
        names::binding_name(self.kind.kind(), &self.name)
    }

    /// The name of its Works, in the execution namespace of each cluster.
    pub fn work_name(&self) -> String {
        names::work_name(self.kind.kind(), &self.name, &self.namespace)
    }

    fn api(&self, plane: &ControlPlane) -> Api<DynamicObject> {
        Api::namespaced_with(plane.client().clone(), &self.namespace, &self.kind.resource)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.kind(), self.namespace, self.name)
    }
}

/// To whom the replicas of a template belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retained {
    /// To the template: it does not bear our label.
    No,
    /// To the members; one that stands at 0 although more are wanted is put right.
    AboveZero,
    /// To the members, 0 included.
    ZeroToo,
}

/// A template as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Its uid.
    pub uid: String,
    /// The version that a write must be decided on.
    pub resource_version: String,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Its `spec.replicas`; `None` where the kind does not have it there or it is not set.
    pub replicas: Option<u32>,
    /// To whom its replicas belong.
    pub retained: Retained,
    /// Whether it bears Karmada's own retention label, on which Karmada's autoscaling controllers act.
    pub marked_by_karmada: bool,
    /// What one replica requests, or why that is not known.
    pub requests: Result<Amounts, Unreadable>,
}

impl Template {
    /// Reads a template of any kind.
    pub fn read(object: &DynamicObject) -> Result<Self, Unreadable> {
        let replicas = object.data.pointer("/spec/replicas").and_then(Value::as_u64);
        Ok(Self {
            uid: object.uid().ok_or(missing("metadata.uid"))?,
            resource_version: object.resource_version().ok_or(missing("metadata.resourceVersion"))?,
            deleting: object.metadata.deletion_timestamp.is_some(),
            replicas: replicas.and_then(|replicas| u32::try_from(replicas).ok()),
            retained: retained(object),
            marked_by_karmada: object
                .labels()
                .get(KARMADA_RETAIN_REPLICAS)
                .is_some_and(|value| value == TRUE),
            requests: object
                .data
                .pointer("/spec/template/spec")
                .ok_or(missing("spec.template.spec"))
                .and_then(requests::of_pod_spec),
        })
    }
}

fn missing(field: &'static str) -> Unreadable {
    Unreadable::Missing { object: OBJECT, field }
}

fn retained(object: &DynamicObject) -> Retained {
    let says_yes = |value: Option<&String>| value.is_some_and(|value| value == TRUE);
    match (says_yes(object.labels().get(RETAIN_REPLICAS)), says_yes(object.annotations().get(SCALES_TO_ZERO)))
    {
        (false, _) => Retained::No,
        (true, false) => Retained::AboveZero,
        (true, true) => Retained::ZeroToo,
    }
}

/// The template, straight from the API server.
pub async fn get(plane: &ControlPlane, workload: &Workload) -> Result<Template, ReadError> {
    let object = plane.read(workload.api(plane).get(&workload.name)).await?;
    Ok(Template::read(&object)?)
}

/// Gives the replicas of a template to the members or, with [`Retained::No`], takes our mark off again. The label
/// reaches the members' Works some time later: no HPA Work before it is in all of them.
///
/// The version in it also keeps an apply from making a template that has just been deleted anew.
pub async fn mark(
    plane: &ControlPlane,
    term: &Term,
    workload: &Workload,
    template: &Template,
    retained: Retained,
) -> Result<Template, WriteError> {
    let ours = mark_body(workload, template, retained);
    let object = plane.apply(term, &workload.api(plane), &workload.name, &ours).await?;
    Ok(Template::read(&object)?)
}

fn mark_body(workload: &Workload, template: &Template, retained: Retained) -> Value {
    let mut metadata = json!({
        "name": workload.name,
        "namespace": workload.namespace,
        "uid": template.uid,
        "resourceVersion": template.resource_version,
    });
    match retained {
        Retained::No => {}
        Retained::AboveZero => metadata["labels"] = json!({RETAIN_REPLICAS: TRUE}),
        Retained::ZeroToo => {
            metadata["labels"] = json!({RETAIN_REPLICAS: TRUE});
            metadata["annotations"] = json!({SCALES_TO_ZERO: TRUE});
        }
    }
    json!({"apiVersion": workload.kind.api_version(), "kind": workload.kind.kind(), "metadata": metadata})
}

/// The scale of a workload as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleReading {
    /// The uid of the workload.
    pub uid: String,
    /// The version of the workload, which a write must be decided on.
    pub resource_version: String,
    /// The count that is wanted.
    pub replicas: u32,
}

impl ScaleReading {
    fn read(scale: &Scale) -> Result<Self, Unreadable> {
        let missing = |field| Unreadable::Missing { object: "the scale", field };
        let meta = &scale.metadata;
        let wanted = scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default();
        Ok(Self {
            uid: meta.uid.clone().ok_or(missing("metadata.uid"))?,
            resource_version: meta.resource_version.clone().ok_or(missing("metadata.resourceVersion"))?,
            replicas: u32::try_from(wanted).unwrap_or(0),
        })
    }
}

/// The scale of a workload, straight from the API server.
pub async fn read_scale(plane: &ControlPlane, workload: &Workload) -> Result<ScaleReading, ReadError> {
    let scale = plane.read(workload.api(plane).get_scale(&workload.name)).await?;
    Ok(ScaleReading::read(&scale)?)
}

/// Writes the count that is wanted, decided on `resource_version` of the workload. The version in the answer is
/// the workload's own new one: a round of writing back is over when its binding has reached that.
pub async fn write_scale(
    plane: &ControlPlane,
    term: &Term,
    workload: &Workload,
    resource_version: &str,
    replicas: u32,
) -> Result<ScaleReading, WriteError> {
    let (api, by) = (workload.api(plane), plane.written_by());
    let patch = Patch::Merge(scale_patch(resource_version, replicas));
    let scale = plane.write(term, api.patch_scale(&workload.name, &by, &patch)).await?;
    Ok(ScaleReading::read(&scale)?)
}

fn scale_patch(resource_version: &str, replicas: u32) -> Value {
    json!({"metadata": {"resourceVersion": resource_version}, "spec": {"replicas": replicas}})
}

#[cfg(test)]
mod tests;
