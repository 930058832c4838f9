//! What wakes which FedHPA.
//!
//! Responsible for finding the FedHPAs that a change of something else concerns. Knows nothing of what they do.

use std::sync::Arc;

use fedscaler_crds::{CronHpa, FedHpa};
use fedscaler_karmada::{
    caches::{self, Subject, Watches},
    freshness::Health,
    types::{Cluster, ResourceBinding},
};
use fedscaler_runtime::{
    controller::Controller,
    key::ObjectKey,
    watch::{Cache, Change, Watched, touching},
};
use futures::{StreamExt as _, stream};
use kube::ResourceExt as _;

use crate::metrics::FedHpaMetrics;

/// Connects a controller to everything that concerns its objects.
pub fn connect(
    controller: Controller<FedHpa>,
    karmada: &Watches,
    fed_hpas: &Watched<FedHpa>,
    cron_hpas: &Watched<CronHpa>,
    metrics: &FedHpaMetrics,
) -> Controller<FedHpa> {
    let by_subject = |fed_hpas: Cache<FedHpa>| move |subject: &Subject| aimed_at(&fed_hpas, subject);
    let of_binding = by_subject(fed_hpas.cache().clone());
    let of_work = by_subject(fed_hpas.cache().clone());
    let of_federated = by_subject(fed_hpas.cache().clone());
    let of_cron = fed_hpas.cache().clone();
    let all = fed_hpas.cache().clone();
    let all_again = fed_hpas.cache().clone();
    let metrics = metrics.clone();
    controller
        .after(karmada.clusters.cache())
        .after(karmada.bindings.cache())
        .after(karmada.hpa_works.cache())
        .after(karmada.workload_works.cache())
        .after(karmada.customizations.cache())
        .wake_on(touching(
            karmada.bindings.changes().inspect(move |change| count_reschedule(change, &metrics)),
            move |binding| of_binding(&caches::subject_of_binding(binding)),
        ))
        .wake_on(touching(karmada.hpa_works.changes(), caches::owner_of_work))
        .wake_on(touching(karmada.workload_works.changes(), move |work| {
            caches::subject_of_work(work).map(|subject| of_work(&subject)).unwrap_or_default()
        }))
        .wake_on(touching(karmada.federated_hpas.changes(), move |rival| {
            of_federated(&caches::subject_of_federated(rival))
        }))
        .wake_on(touching(karmada.cron_federated_hpas.changes(), move |rival| {
            // It may aim at the workload by way of a FederatedHPA.
            keys_within(&of_cron, &rival.namespace().unwrap_or_default())
        }))
        .wake_on(karmada.customizations.changes().flat_map(move |_| stream::iter(keys(&all_again))))
        .wake_on(touching(cron_hpas.changes(), fed_hpa_of))
        .wake_on(touching(fed_hpas.changes(), rivals_of(fed_hpas.cache().clone())))
        .wake_on(karmada.clusters.changes().filter_map(material).flat_map(move |()| stream::iter(keys(&all))))
}

/// FedHPAs that scale this object.
fn aimed_at(fed_hpas: &Cache<FedHpa>, subject: &Subject) -> Vec<ObjectKey> {
    let there = fed_hpas.within(&subject.namespace);
    let aims = |object: &&Arc<FedHpa>| {
        let held = object.status.as_ref().and_then(|status| status.target.as_ref());
        let named = std::iter::once(&object.spec.scale_target_ref).chain(held);
        named.into_iter().any(|target| target.kind == subject.kind && target.name == subject.name)
    };
    there.iter().filter(aims).map(|object| ObjectKey::of(object.as_ref())).collect()
}

fn fed_hpa_of(cron: &CronHpa) -> Option<ObjectKey> {
    let target = &cron.spec.scale_target_ref;
    (target.kind == "FedHPA").then(|| ObjectKey::within(cron.namespace().unwrap_or_default(), &target.name))
}

/// Others with the same target: when the holder goes or has given it back, the next one takes over.
fn rivals_of(fed_hpas: Cache<FedHpa>) -> impl Fn(&FedHpa) -> Vec<ObjectKey> {
    move |object| {
        let held = object.status.as_ref().and_then(|status| status.target.as_ref());
        let targets = [Some(&object.spec.scale_target_ref), held];
        let there = fed_hpas.within(&object.namespace().unwrap_or_default());
        let same = there.iter().filter(|other| {
            targets.contains(&Some(&other.spec.scale_target_ref)) && other.uid() != object.uid()
        });
        same.map(|other| ObjectKey::of(other.as_ref())).collect()
    }
}

fn keys_within(fed_hpas: &Cache<FedHpa>, namespace: &str) -> Vec<ObjectKey> {
    fed_hpas.within(namespace).iter().map(|object| ObjectKey::of(object.as_ref())).collect()
}

fn keys(fed_hpas: &Cache<FedHpa>) -> Vec<ObjectKey> {
    fed_hpas.all().iter().map(|object| ObjectKey::of(object.as_ref())).collect()
}

/// A cluster's status is written every ten seconds; what concerns everybody is whether it is there, can be reached and
/// may be used. Room is looked at when there is a reason to.
async fn material(change: Change<Cluster>) -> Option<()> {
    match change {
        Change::Added(_) | Change::Deleted(_) => Some(()),
        Change::Modified { before, after } => (standing(&before) != standing(&after)).then_some(()),
    }
}

type Standing<'a> = (Health, bool, &'a std::collections::BTreeMap<String, String>, String, Option<&'a str>);

fn standing(cluster: &Cluster) -> Standing<'_> {
    let version = cluster.status.kubernetes_version.as_deref();
    let taints = format!("{:?}", cluster.spec.taints);
    (Health::of(cluster), cluster.metadata.deletion_timestamp.is_some(), cluster.labels(), taints, version)
}

/// While we hold scheduling, nobody else should divide; that it never happens is worth a number.
fn count_reschedule(change: &Change<ResourceBinding>, metrics: &FedHpaMetrics) {
    if let Change::Modified { before, after } = change
        && after.annotations().contains_key(fedscaler_karmada::labels::HOLDS_SCHEDULING)
        && before.status.last_scheduled_time != after.status.last_scheduled_time
        && before.annotations().contains_key(fedscaler_karmada::labels::HOLDS_SCHEDULING)
    {
        metrics.rescheduled();
    }
}
