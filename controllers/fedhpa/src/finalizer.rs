//! Our finalizer on a FedHPA.
//!
//! Responsible for the FedHPA staying until its workload has been given back. Knows nothing of giving back.

use fedscaler_crds::FedHpa;
use fedscaler_runtime::{client::CallError, leadership::Term};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::context::{CALL_BUDGET, Context};

/// The finalizer.
pub const FINALIZER: &str = "autoscaling.fedscaler.io/release";

/// Whether it is on the object.
pub fn is_on(object: &FedHpa) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Adds it. Nothing else of ours may exist before.
pub async fn add(cx: &Context, term: &Term, object: &FedHpa) -> Result<FedHpa, CallError> {
    let mut finalizers = object.finalizers().to_vec();
    if !is_on(object) {
        finalizers.push(FINALIZER.to_owned());
    }
    write(cx, term, object, &finalizers).await
}

/// Removes it: the last write there is. An object that is gone already is as it should be.
pub async fn remove(cx: &Context, term: &Term, object: &FedHpa) -> Result<(), CallError> {
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
    object: &FedHpa,
    finalizers: &[String],
) -> Result<FedHpa, CallError> {
    let api: Api<FedHpa> = Api::namespaced(cx.client.clone(), &object.namespace().unwrap_or_default());
    let patch = json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": finalizers}});
    term.write(CALL_BUDGET, api.patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(patch)))
        .await
}
