//! One reconcile, from reading to telling.
//!
//! Responsible for the order of the stages and for when to come back. Knows nothing of what they do.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use fedscaler_core::{
    conditions::{Finding, merge},
    fedhpa::{
        self as core,
        decision::{Decision, FedHpaCondition},
        facts::Facts,
    },
};
use fedscaler_crds::FedHpa;
use fedscaler_karmada::error::{ReadError, WriteError};
use fedscaler_runtime::{
    client::CallError,
    conditions::{from_wire, to_wire},
    controller::{Action, Failure, Retry},
};
use thiserror::Error;

use crate::{
    act::{act, is_conflict},
    admit::{Refusal, admit},
    context::Context,
    held::first_things_first,
    observe::observe,
    report::{report, write},
};

/// However quiet it is, numbers are compared again this often: a watch may have missed something.
const RESYNC: Duration = Duration::from_mins(5);

/// How long until it is looked again whether own writes have been seen, if nothing of them arrives.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Why a reconcile did not come to its end.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// Something could not be read.
    #[error("read: {0}")]
    Observe(#[from] ReadError),
    /// Something could not be written.
    #[error("write: {0}")]
    Act(#[from] WriteError),
    /// The status could not be written.
    #[error("status: {0}")]
    Report(#[from] CallError),
}

impl Failure for ReconcileError {
    fn class(&self) -> &'static str {
        match self {
            Self::Observe(error) => error.class(),
            Self::Act(error) => error.class(),
            Self::Report(error) => error.class(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Act(error) if is_conflict(error) => Retry::Conflict,
            Self::Report(CallError::Conflict(_)) => Retry::Conflict,
            Self::Report(CallError::NotFound(_)) => Retry::AwaitChange,
            Self::Report(CallError::Throttled { retry_after: Some(delay), .. }) => Retry::After(*delay),
            Self::Observe(_) | Self::Act(_) | Self::Report(_) => Retry::Backoff,
        }
    }
}

/// Brings one FedHPA a step further.
pub async fn reconcile(object: Arc<FedHpa>, cx: Arc<Context>) -> Result<Action, ReconcileError> {
    let admitted = match admit(&object) {
        Ok(admitted) => admitted,
        Err(refusal) => return refuse(&cx, &object, &refusal).await,
    };
    let admitted = first_things_first(&cx.sight, &object, admitted);
    if cx.sight.is_behind(&admitted) {
        // What arrives wakes it. To decide on less than what was done would be to undo or to double it.
        return Ok(Action::requeue(CATCH_UP));
    }
    let observed = observe(&cx.sight, &object, &admitted).await?;
    let decision = core::decide(&admitted.policy, &observed.facts);
    let outcome = act(&cx, &cx.term, &object, &admitted, &observed, &decision).await;
    count(&cx, &observed.facts, &decision);
    report(&cx, &cx.term, &outcome.object, &observed.facts, &decision, &outcome).await?;
    match outcome.failure {
        Some(error) => Err(error.into()),
        None => Ok(come_back(decision.look_again, observed.facts.now)),
    }
}

/// An object that cannot be acted on says why, and harms nobody else.
async fn refuse(cx: &Context, object: &FedHpa, refusal: &Refusal) -> Result<Action, ReconcileError> {
    let mut status = object.status.clone().unwrap_or_default();
    let findings = [
        Finding::new(FedHpaCondition::Ready, false, "Invalid", refusal.to_string()),
        Finding::new(FedHpaCondition::Invalid, true, "Invalid", refusal.to_string()),
    ];
    let old = from_wire(&status.conditions);
    status.conditions = to_wire(&merge(&old, findings, object.metadata.generation, cx.sight.clock.now()));
    status.observed_generation = object.metadata.generation;
    write(cx, &cx.term, object, &status).await?;
    Ok(Action::await_change())
}

/// Counts what this decision found out: edges between the memory and what is known now.
fn count(cx: &Context, facts: &Facts, decision: &Decision) {
    let (before, now) = (facts.memory.split.as_ref(), decision.split.as_ref());
    if let Some(split) = now.filter(|split| before.map(|before| before.adopted) != Some(split.adopted)) {
        cx.metrics.rebalanced(split.change);
    }
    let open = facts.memory.round.as_ref().filter(|round| round.acknowledged.is_none());
    let closed = decision.round.as_ref().and_then(|round| round.acknowledged);
    if let (Some(open), Some(closed)) = (open, closed) {
        cx.metrics.acknowledged((closed - open.started).as_seconds_f64());
    }
}

fn come_back(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Action {
    let wait = at.map_or(RESYNC, |at| (at - now).to_std().unwrap_or(Duration::ZERO));
    // Times in objects are whole seconds: a moment late is in time, a moment early is once more for nothing.
    Action::requeue(wait.min(RESYNC) + Duration::from_millis(50))
}
