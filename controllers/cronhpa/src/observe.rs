//! What a decision is made from.
//!
//! Responsible for reading the target, who else aims at it, and what is remembered. Reads only what the decision
//! needs: bounds come from what is watched, a count from the API server, managers only where something differs.
//! Writes nothing.

use chrono::{DateTime, Utc};
use fedscaler_core::cronhpa::{
    decide::needs_target,
    facts::{Facts, Holder, Level, Memory, Target, Writers},
    owner::{Autoscaler, holder},
    policy::Aim,
    readiness::awaited,
};
use fedscaler_crds::CronHpa;
use fedscaler_karmada::{
    error::ReadError,
    template::{self, KindError, ScaleReading, Workload, WorkloadKind},
};
use fedscaler_runtime::{
    client::{CallError, within},
    key::ObjectKey,
};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::{
    Api, ResourceExt as _,
    core::{DynamicObject, PartialObjectMeta},
};

use crate::{
    admit::{Admitted, claims, is_claiming, named, reference},
    context::{CALL_BUDGET, Context},
    finalizer,
    memory::{from_replicas, recall},
    readiness, writers,
};

/// What was seen.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What is decided on.
    pub facts: Facts,
    /// The target, as a write needs it.
    pub handle: Handle,
    /// A read that failed for now: worth another try.
    pub failure: Option<CallError>,
}

/// A target that can be written.
#[derive(Clone, Debug)]
pub enum Handle {
    /// There is nothing that can be written.
    None,
    /// An HPA of this uid and version.
    Hpa {
        /// Its uid.
        uid: Option<String>,
        /// Its version.
        resource_version: Option<String>,
    },
    /// A workload and its scale.
    Workload(Box<Workload>, ScaleReading),
}

/// A target as it was read, and how to write it.
struct Sight {
    target: Target,
    handle: Handle,
    failure: Option<CallError>,
}

impl Sight {
    fn of(target: Target) -> Self {
        Self { target, handle: Handle::None, failure: None }
    }

    fn failed(error: CallError) -> Self {
        let target = Target::Unreadable(error.to_string());
        Self { target, handle: Handle::None, failure: Some(error) }
    }
}

/// Reads what the decision needs.
pub async fn observe(cx: &Context, object: &CronHpa, admitted: &Admitted, now: DateTime<Utc>) -> Observed {
    let memory = object.status.as_ref().map(|status| recall(status, admitted)).unwrap_or_default();
    let unread = Target::Found { level: None, writers: Writers::default() };
    let mut facts = Facts { now, memory, target: unread, holder: held_by(cx, admitted), ready: None };
    if awaited(&admitted.policy, &facts.memory, now).is_empty() {
        cx.awaiting.end(&admitted.key);
    } else {
        facts.ready = readiness::of_target(cx, admitted);
    }
    let sight = match admitted.policy.aim {
        Aim::FedHpa => fed_hpa(cx, admitted),
        Aim::Hpa => hpa(cx, admitted, &facts.memory).await,
        Aim::Workload if needs_target(&admitted.policy, &facts) || is_news(object) => {
            workload(cx, admitted, &facts.memory).await
        }
        Aim::Workload => Sight::of(facts.target),
    };
    facts.target = sight.target;
    Observed { facts, handle: sight.handle, failure: sight.failure }
}

/// Whether the object was edited, or its target was not well, since the status was written.
fn is_news(object: &CronHpa) -> bool {
    let Some(status) = &object.status else { return true };
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    let is_well = ready.is_some_and(|ready| !ready.reason.starts_with("Target"));
    status.observed_generation != object.metadata.generation || !is_well
}

/// Who holds the target, if not this object.
fn held_by(cx: &Context, admitted: &Admitted) -> Option<Holder> {
    let is_rival = |other: &CronHpa| {
        // One that is being deleted holds the target until it has given back what it took.
        is_claiming(other, &admitted.claim.target)
            && (other.metadata.deletion_timestamp.is_none() || finalizer::is_on(other))
    };
    let there = cx.cron_hpas.within_where(&admitted.namespace, is_rival);
    let others = there.iter().filter(|other| other.name_any() != admitted.name);
    let others: Vec<_> = others.flat_map(|other| claims(other)).collect();
    holder(admitted.policy.aim, &admitted.claim, &others, &autoscalers(cx, admitted))
}

/// What scales workloads in the namespace by itself.
fn autoscalers(cx: &Context, admitted: &Admitted) -> Vec<Autoscaler> {
    if admitted.policy.aim != Aim::Workload {
        return Vec::new();
    }
    let of = |kind: &str, name: String| Holder { kind: kind.to_owned(), name };
    let fed_hpas = cx.fed_hpas.within(&admitted.namespace);
    let fed_hpas = fed_hpas.iter().filter(|other| other.metadata.deletion_timestamp.is_none());
    let fed_hpas = fed_hpas.map(|fed_hpa| Autoscaler {
        holder: of("FedHPA", fed_hpa.name_any()),
        scales: reference(&fed_hpa.spec.scale_target_ref),
    });
    let hpas = cx.hpas.within(&admitted.namespace);
    let hpas = hpas.iter().filter(|other| other.metadata.deletion_timestamp.is_none());
    let hpas = hpas.map(|hpa| {
        let target = &hpa.spec.scale_target_ref;
        let scales = named(target.api_version.as_deref().unwrap_or_default(), &target.kind, &target.name);
        Autoscaler { holder: of("HorizontalPodAutoscaler", hpa.name_any()), scales }
    });
    fed_hpas.chain(hpas).collect()
}

fn key(admitted: &Admitted) -> ObjectKey {
    ObjectKey::within(&admitted.namespace, &admitted.target.name)
}

fn fed_hpa(cx: &Context, admitted: &Admitted) -> Sight {
    Sight::of(match cx.fed_hpas.get(&key(admitted)) {
        Some(_) => Target::Found { level: None, writers: Writers::default() },
        None => Target::Missing,
    })
}

async fn hpa(cx: &Context, admitted: &Admitted, memory: &Memory) -> Sight {
    let Some(seen) = cx.hpas.get(&key(admitted)) else { return Sight::of(Target::Missing) };
    let is_as_left = memory.base.is_none_or(|base| level_of(&seen) == memory.held.over(base.level));
    if is_as_left {
        return hpa_sight(&seen, Writers::default());
    }
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(cx.client.clone(), &admitted.namespace);
    match within(CALL_BUDGET, api.get(&admitted.target.name)).await {
        Ok(hpa) => {
            let writers = writers::of_bounds(hpa.managed_fields());
            hpa_sight(&hpa, writers)
        }
        Err(CallError::NotFound(_)) => Sight::of(Target::Missing),
        Err(error) => Sight::failed(error),
    }
}

fn hpa_sight(hpa: &HorizontalPodAutoscaler, writers: Writers) -> Sight {
    let handle = Handle::Hpa { uid: hpa.uid(), resource_version: hpa.resource_version() };
    Sight { target: Target::Found { level: Some(level_of(hpa)), writers }, handle, failure: None }
}

/// An HPA's bounds; one without a min has 1.
fn level_of(hpa: &HorizontalPodAutoscaler) -> Level {
    let min = hpa.spec.min_replicas.map_or(1, from_replicas);
    Level { min, max: from_replicas(hpa.spec.max_replicas) }
}

async fn workload(cx: &Context, admitted: &Admitted, memory: &Memory) -> Sight {
    let target = &admitted.target;
    let kind = match WorkloadKind::discover(&cx.plane, &target.api_version, &target.kind).await {
        Ok(kind) => kind,
        Err(KindError::Call(CallError::NotFound(_))) => {
            let words = format!("the API server serves no {}", target.api_version);
            return Sight::of(Target::Unscalable(words));
        }
        Err(KindError::Call(error)) => return Sight::failed(error),
        Err(error @ (KindError::NotServed { .. } | KindError::NoScale { .. })) => {
            return Sight::of(Target::Unscalable(error.to_string()));
        }
    };
    let workload = Workload { kind, namespace: admitted.namespace.clone(), name: target.name.clone() };
    match template::read_scale(&cx.plane, &workload).await {
        Ok(scale) => scaled(cx, workload, scale, memory).await,
        Err(error) if error.is_absence() => Sight::of(Target::Missing),
        Err(ReadError::Call(error)) => Sight::failed(error),
        Err(ReadError::Unreadable(why)) => Sight::of(Target::Unreadable(why.to_string())),
    }
}

async fn scaled(cx: &Context, workload: Workload, scale: ScaleReading, memory: &Memory) -> Sight {
    let level = Level::exactly(scale.replicas);
    let is_as_left = memory.base.is_none_or(|base| level == memory.held.over(base.level));
    let writers = if is_as_left { Ok(Writers::default()) } else { writers(cx, &workload).await };
    match writers {
        Ok(writers) => {
            let target = Target::Found { level: Some(level), writers };
            Sight { target, handle: Handle::Workload(Box::new(workload), scale), failure: None }
        }
        Err(CallError::NotFound(_)) => Sight::of(Target::Missing),
        Err(error) => Sight::failed(error),
    }
}

async fn writers(cx: &Context, workload: &Workload) -> Result<Writers, CallError> {
    let kind = workload.kind.resource();
    let api: Api<DynamicObject> = Api::namespaced_with(cx.client.clone(), &workload.namespace, kind);
    let meta: PartialObjectMeta<DynamicObject> =
        within(CALL_BUDGET, api.get_metadata(&workload.name)).await?;
    Ok(writers::of_count(meta.metadata.managed_fields.as_deref().unwrap_or_default()))
}
