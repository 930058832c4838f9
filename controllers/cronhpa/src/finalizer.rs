//! Our finalizer on a CronHPA.
//!
//! Responsible for the CronHPA staying until what it took from its target has been given back. It is on the object
//! only while there is something to give back. Knows nothing of giving back.

use fedscaler_crds::CronHpa;
use fedscaler_runtime::{client::CallError, leadership::Term};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::context::{CALL_BUDGET, Context};

/// The finalizer.
pub const FINALIZER: &str = "autoscaling.fedscaler.io/give-back";

/// Whether it is on the object.
pub fn is_on(object: &CronHpa) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Adds it: before the base is recorded, and so before the first write to the target.
pub async fn add(cx: &Context, term: &Term, object: &CronHpa) -> Result<CronHpa, CallError> {
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(FINALIZER.to_owned());
    write(cx, term, object, &finalizers).await
}

/// Removes it. An object that is gone already is as it should be.
pub async fn remove(cx: &Context, term: &Term, object: &CronHpa) -> Result<(), CallError> {
    let mut finalizers = object.finalizers().to_vec();
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    match write(cx, term, object, &finalizers).await {
        Ok(_) | Err(CallError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn write(
    cx: &Context,
    term: &Term,
    object: &CronHpa,
    finalizers: &[String],
) -> Result<CronHpa, CallError> {
    let api: Api<CronHpa> = Api::namespaced(cx.client.clone(), &object.namespace().unwrap_or_default());
    let patch = json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": finalizers}});
    term.write(CALL_BUDGET, api.patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(patch)))
        .await
}
