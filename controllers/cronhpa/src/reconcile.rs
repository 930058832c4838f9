//! One reconcile, from reading to telling.
//!
//! Responsible for the order of the stages and for when to come back. Knows nothing of what they do.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use fedscaler_core::cronhpa::{
    decide::{Decision, decide},
    policy::Aim,
    readiness::{awaited, first_look},
};
use fedscaler_crds::CronHpa;
use fedscaler_karmada::error::WriteError;
use fedscaler_runtime::{
    client::CallError,
    controller::{Action, Failure, Retry},
};
use thiserror::Error;

use crate::{
    act::{NotRemembered, act},
    admit::{Admitted, Refusal, admit, former},
    calendars,
    context::Context,
    observe::observe,
    report::{make_up, report},
};

/// However quiet it is, everything is compared again this often: a watch may have missed something.
const RESYNC: Duration = Duration::from_mins(10);

/// A count that is held is looked at this often: workloads of any kind cannot all be watched. As often is looked for
/// a target that is not there, and into a calendar without our label.
const LOOK: Duration = Duration::from_secs(30);

/// Why a reconcile did not come to its end.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// It cannot be acted on.
    #[error("{0}")]
    Admit(#[from] Refusal),
    /// The target could not be read.
    #[error("read: {0}")]
    Observe(CallError),
    /// What must be remembered before a write could not be written.
    #[error("status before the write: {0}")]
    Remember(#[from] NotRemembered),
    /// The target could not be written.
    #[error("write: {0}")]
    Act(#[from] WriteError),
    /// The status could not be written.
    #[error("status: {0}")]
    Report(CallError),
}

impl Failure for ReconcileError {
    fn class(&self) -> &'static str {
        match self {
            Self::Admit(_) => "refused",
            Self::Act(error) => error.class(),
            Self::Observe(error) | Self::Remember(NotRemembered(error)) | Self::Report(error) => {
                error.class()
            }
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Admit(_)
            | Self::Remember(NotRemembered(CallError::NotFound(_)))
            | Self::Report(CallError::NotFound(_)) => Retry::AwaitChange,
            Self::Act(WriteError::Call(error))
            | Self::Observe(error)
            | Self::Remember(NotRemembered(error))
            | Self::Report(error) => Retry::from(error),
            Self::Act(WriteError::HeldByOther | WriteError::Answer(_)) => Retry::Backoff,
        }
    }
}

/// Brings one CronHPA up to date.
pub async fn reconcile(object: Arc<CronHpa>, cx: Arc<Context>) -> Result<Action, ReconcileError> {
    let (mut admitted, now) = (admit(&object)?, cx.clock.now());
    if let Some(former) = former(&object, &admitted) {
        admitted = former;
    } else {
        look_into_calendar(&cx, &object, &mut admitted, now).await;
    }
    let mut observed = observe(&cx, &object, &admitted, now).await;
    let object = make_up(&cx, &cx.term, object, &admitted, &mut observed.facts).await;
    let object = object.map_err(ReconcileError::Report)?;
    let decision = decide(&admitted.policy, &observed.facts);
    cx.agenda.set(&admitted.key, decision.wake_up());
    tracing::debug!(reasons = ?decision.trail.lines(), "decided");
    let acted = act(&cx, &cx.term, object, &admitted, &observed, &decision).await?;
    if let Some(error @ WriteError::Call(CallError::Conflict(_))) = acted.failure {
        // Something is newer than what was decided on: nothing to tell anybody, only to decide again.
        return Err(error.into());
    }
    let reported = report(&cx, &cx.term, &admitted, &observed.facts, &decision, &acted).await;
    if let Some(error) = acted.failure {
        return Err(error.into());
    }
    let memory = reported.map_err(ReconcileError::Report)?;
    if let Some(error) = observed.failure {
        return Err(ReconcileError::Observe(error));
    }
    let look = first_look(&awaited(&admitted.policy, &memory, now), now);
    Ok(Action::requeue(come_back(&cx, &acted.object, &admitted, &decision, look)))
}

/// Days off are a part of what is asked for, read before anything is decided.
async fn look_into_calendar(cx: &Context, object: &CronHpa, admitted: &mut Admitted, now: DateTime<Utc>) {
    let Some(wanted) = object.spec.exclude.calendar_ref.as_ref().filter(|_| !admitted.leaving) else {
        return;
    };
    let found = cx.calendars.find(&cx.client, &admitted.namespace, wanted).await;
    let remembered = object.status.as_ref().and_then(|status| status.calendar.as_ref());
    calendars::add(admitted, wanted, found, remembered, now);
}

fn come_back(
    cx: &Context,
    object: &CronHpa,
    admitted: &Admitted,
    decision: &Decision,
    look: Option<TimeDelta>,
) -> Duration {
    let holds_count = admitted.policy.aim == Aim::Workload && decision.plan.keep.is_some();
    let calendar = object.spec.exclude.calendar_ref.as_ref();
    let asks = calendar.is_some_and(|wanted| !cx.calendars.follows(&admitted.namespace, wanted));
    let looks = holds_count || asks || admitted.is_former || decision.block.is_some();
    let back = if looks { LOOK } else { RESYNC };
    look.and_then(|look| look.to_std().ok()).map_or(back, |look| look.min(back))
}
