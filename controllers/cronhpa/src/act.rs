//! Writes what was decided.
//!
//! Responsible for order: first the finalizer, then what must be remembered, then the target, so that the process may
//! die between any two. Every write carries the version that it was decided on. Decides nothing.

use std::sync::Arc;

use fedscaler_core::cronhpa::{
    decide::Decision,
    facts::{Facts, Level},
    settle::{Outcome, before_write},
};
use fedscaler_crds::CronHpa;
use fedscaler_karmada::{error::WriteError, labels::CRONHPA_MANAGER, template};
use fedscaler_runtime::{
    client::{CallError, within},
    leadership::Term,
    status::{StatusWrite, write_status},
};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
    core::Status,
};
use serde_json::json;
use thiserror::Error;

use crate::{
    admit::Admitted,
    context::{CALL_BUDGET, Context},
    finalizer,
    memory::remember,
    observe::{Handle, Observed},
};

/// What came of the writes.
#[derive(Debug)]
pub struct Acted {
    /// The CronHPA after our writes to it.
    pub object: Arc<CronHpa>,
    /// What came of the write to the target.
    pub outcome: Outcome,
    /// Why the target was not written.
    pub failure: Option<WriteError>,
}

/// What could not be remembered before the target was to be written. Nothing else was written.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct NotRemembered(#[from] pub CallError);

/// Carries a decision out.
pub async fn act(
    cx: &Context,
    term: &Term,
    object: Arc<CronHpa>,
    admitted: &Admitted,
    observed: &Observed,
    decision: &Decision,
) -> Result<Acted, NotRemembered> {
    let Some(level) = decision.plan.write else {
        return Ok(Acted { object, outcome: Outcome::Done, failure: None });
    };
    let object = hold_on(cx, term, object, admitted, decision).await?;
    let object = note_down(cx, term, object, admitted, &observed.facts, decision).await?;
    Ok(match write(cx, term, admitted, &observed.handle, level).await {
        Ok(()) => Acted { object, outcome: Outcome::Done, failure: None },
        Err(error) => Acted { object, outcome: Outcome::Failed(error.to_string()), failure: Some(error) },
    })
}

/// What is taken from a target is given back before the CronHPA may go.
async fn hold_on(
    cx: &Context,
    term: &Term,
    object: Arc<CronHpa>,
    admitted: &Admitted,
    decision: &Decision,
) -> Result<Arc<CronHpa>, CallError> {
    if decision.plan.record.is_none() || admitted.leaving || finalizer::is_on(&object) {
        return Ok(object);
    }
    Ok(Arc::new(finalizer::add(cx, term, &object).await?))
}

/// Remembers what must not be lost if the process dies after the write. Where that is remembered already, the object
/// is read once more: one that is older than it seems must not be acted on.
async fn note_down(
    cx: &Context,
    term: &Term,
    object: Arc<CronHpa>,
    admitted: &Admitted,
    facts: &Facts,
    decision: &Decision,
) -> Result<Arc<CronHpa>, CallError> {
    let api: Api<CronHpa> = Api::namespaced(cx.client.clone(), &admitted.namespace);
    let old = object.status.as_ref();
    let mut status = old.cloned().unwrap_or_default();
    remember(&mut status, &before_write(facts, decision), admitted.policy.aim, &admitted.target);
    match write_status(&api, term, CALL_BUDGET, object.as_ref(), old, &status).await? {
        StatusWrite::Written(object) => Ok(Arc::from(object)),
        StatusWrite::Unchanged => {
            let latest = within(CALL_BUDGET, api.get(&admitted.name)).await?;
            if latest.resource_version() == object.resource_version() { Ok(object) } else { Err(outdated()) }
        }
    }
}

fn outdated() -> CallError {
    let message = "the CronHPA is newer than what was decided on".to_owned();
    CallError::from(Status { code: 409, message, reason: "Conflict".to_owned(), ..Status::default() })
}

async fn write(
    cx: &Context,
    term: &Term,
    admitted: &Admitted,
    handle: &Handle,
    level: Level,
) -> Result<(), WriteError> {
    match handle {
        Handle::None => Ok(()),
        Handle::Hpa { uid, resource_version } => {
            let version = (uid.as_deref(), resource_version.as_deref());
            Ok(write_bounds(cx, term, admitted, version, level).await?)
        }
        Handle::Workload(workload, scale) => {
            let version = &scale.resource_version;
            template::write_scale(&cx.plane, term, workload, version, level.max).await.map(|_scale| ())
        }
    }
}

/// Both bounds, always: a field that is left out of an apply would be released.
async fn write_bounds(
    cx: &Context,
    term: &Term,
    admitted: &Admitted,
    (uid, resource_version): (Option<&str>, Option<&str>),
    level: Level,
) -> Result<(), CallError> {
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(cx.client.clone(), &admitted.namespace);
    let name = &admitted.target.name;
    let ours = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": name, "namespace": admitted.namespace, "uid": uid, "resourceVersion": resource_version,
        },
        "spec": {"minReplicas": level.min, "maxReplicas": level.max},
    });
    let by = PatchParams::apply(CRONHPA_MANAGER).force();
    term.write(CALL_BUDGET, api.patch(name, &by, &Patch::Apply(ours))).await.map(|_hpa| ())
}
