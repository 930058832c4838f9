//! What wakes which CronHPA, besides the time.
//!
//! Responsible for finding the CronHPAs that a change of something else concerns. Knows nothing of what they do.

use fedscaler_core::cronhpa::owner::Reference;
use fedscaler_crds::{CronHpa, FedHpa};
use fedscaler_runtime::{
    controller::Controller,
    key::ObjectKey,
    watch::{Cache, Watched, touching},
};
use k8s_openapi::api::{autoscaling::v2::HorizontalPodAutoscaler, core::v1::ConfigMap};
use kube::ResourceExt as _;

use crate::admit::{aims_at, claims, named, reference};

/// Connects a controller to everything that concerns its objects.
pub fn connect(
    controller: Controller<CronHpa>,
    cron_hpas: &Watched<CronHpa>,
    fed_hpas: &Watched<FedHpa>,
    hpas: &Watched<HorizontalPodAutoscaler>,
) -> Controller<CronHpa> {
    let cache = || cron_hpas.cache().clone();
    controller
        .after(fed_hpas.cache())
        .after(hpas.cache())
        .wake_on(touching(cron_hpas.changes(), rivals_of(cache())))
        .wake_on(touching(fed_hpas.changes(), of_fed_hpa(cache())))
        .wake_on(touching(hpas.changes(), of_hpa(cache())))
}

/// Others with the same target: when the holder goes, the next one takes over.
fn rivals_of(cron_hpas: Cache<CronHpa>) -> impl Fn(&CronHpa) -> Vec<ObjectKey> {
    move |object| {
        let namespace = object.namespace().unwrap_or_default();
        let held: Vec<_> = claims(object).into_iter().map(|claim| claim.target).collect();
        let same = aiming_at(&cron_hpas, &namespace, &held);
        same.into_iter().filter(|key| key.name != object.name_any()).collect()
    }
}

/// Those that aim at a FedHPA or at what it scales.
fn of_fed_hpa(cron_hpas: Cache<CronHpa>) -> impl Fn(&FedHpa) -> Vec<ObjectKey> {
    move |object| {
        let itself = Reference {
            group: fedscaler_crds::GROUP.to_owned(),
            kind: "FedHPA".to_owned(),
            name: object.name_any(),
        };
        let scaled = reference(&object.spec.scale_target_ref);
        aiming_at(&cron_hpas, &object.namespace().unwrap_or_default(), &[itself, scaled])
    }
}

/// Those that aim at an HPA or at what it scales.
fn of_hpa(cron_hpas: Cache<CronHpa>) -> impl Fn(&HorizontalPodAutoscaler) -> Vec<ObjectKey> {
    move |object| {
        let itself = named("autoscaling/v2", "HorizontalPodAutoscaler", &object.name_any());
        let target = &object.spec.scale_target_ref;
        let scaled = named(target.api_version.as_deref().unwrap_or_default(), &target.kind, &target.name);
        aiming_at(&cron_hpas, &object.namespace().unwrap_or_default(), &[itself, scaled])
    }
}

/// Those whose days off are in a calendar.
pub fn of_calendar(cron_hpas: Cache<CronHpa>) -> impl Fn(&ConfigMap) -> Vec<ObjectKey> {
    move |map| {
        let namespace = map.namespace().unwrap_or_default();
        let refers = |object: &CronHpa| {
            let wanted = object.spec.exclude.calendar_ref.as_ref();
            wanted.is_some_and(|wanted| wanted.name == map.name_any())
        };
        let there = cron_hpas.within_where(&namespace, refers);
        there.iter().map(|object| ObjectKey::of(object.as_ref())).collect()
    }
}

fn aiming_at(cron_hpas: &Cache<CronHpa>, namespace: &str, targets: &[Reference]) -> Vec<ObjectKey> {
    let aims = |object: &CronHpa| targets.iter().any(|at| aims_at(&object.spec.scale_target_ref, at));
    let there = cron_hpas.within_where(namespace, aims);
    there.iter().map(|object| ObjectKey::of(object.as_ref())).collect()
}
