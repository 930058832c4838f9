//! How many replicas of the workload behind a target are ready.
//!
//! Responsible for finding that workload among what is watched, and for who wants to know when it changes. Asks no server:
//! nothing depends on the answer but what people are told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fedscaler_core::cronhpa::policy::Aim;
use fedscaler_crds::CronHpa;
use fedscaler_karmada::{caches::subject_of_work, types::Work};
use fedscaler_runtime::{key::ObjectKey, watch::Cache};

use crate::{admit::Admitted, context::Context};

/// Namespace, kind and name of a workload.
type Workload = (String, String, String);

/// Which CronHPAs wait for replicas of which workload. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Awaiting(Arc<Mutex<Waits>>);

#[derive(Debug, Default)]
struct Waits {
    by_workload: BTreeMap<Workload, BTreeSet<ObjectKey>>,
    by_cron_hpa: BTreeMap<ObjectKey, Workload>,
}

impl Awaiting {
    /// From now on the CronHPA wants to know of this workload alone.
    fn begin(&self, cron_hpa: &ObjectKey, workload: Workload) {
        let mut waits = self.lock();
        if waits.by_cron_hpa.get(cron_hpa) != Some(&workload) {
            waits.end(cron_hpa);
            waits.by_workload.entry(workload.clone()).or_default().insert(cron_hpa.clone());
            waits.by_cron_hpa.insert(cron_hpa.clone(), workload);
        }
    }

    /// From now on the CronHPA wants to know of none.
    pub fn end(&self, cron_hpa: &ObjectKey) {
        self.lock().end(cron_hpa);
    }

    /// Those of `cron_hpas` that want to know of a Work. Who is gone waits no more.
    pub fn of_work(&self, cron_hpas: Cache<CronHpa>) -> impl Fn(&Work) -> Vec<ObjectKey> + use<> {
        let this = self.clone();
        move |work| {
            let Some(subject) = subject_of_work(work) else { return Vec::new() };
            let workload = (subject.namespace, subject.kind, subject.name);
            let mut waits = this.lock();
            let waiting: Vec<_> = waits.by_workload.get(&workload).into_iter().flatten().cloned().collect();
            let (there, gone): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|key| cron_hpas.get(key).is_some());
            for key in &gone {
                waits.end(key);
            }
            there
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits {
    fn end(&mut self, cron_hpa: &ObjectKey) {
        let Some(workload) = self.by_cron_hpa.remove(cron_hpa) else { return };
        if let Some(waiting) = self.by_workload.get_mut(&workload) {
            waiting.remove(cron_hpa);
            if waiting.is_empty() {
                self.by_workload.remove(&workload);
            }
        }
    }
}

/// The replicas that are ready at least, and whoever asks is woken when that changes; `None` if nobody knows what the
/// target scales.
pub fn of_target(cx: &Context, admitted: &Admitted) -> Option<u32> {
    let workload = workload(cx, admitted)?;
    // Whoever waits first misses no change.
    cx.awaiting.begin(&admitted.key, workload.clone());
    let (namespace, kind, name) = workload;
    Some(cx.karmada.ready(&namespace, &kind, &name))
}

/// What the target scales, or the target itself.
fn workload(cx: &Context, admitted: &Admitted) -> Option<Workload> {
    let target = &admitted.target;
    let key = ObjectKey::within(&admitted.namespace, &target.name);
    let of = |kind: &str, name: &str| Some((admitted.namespace.clone(), kind.to_owned(), name.to_owned()));
    match admitted.policy.aim {
        Aim::Workload => of(&target.kind, &target.name),
        Aim::FedHpa => {
            let scaled = &cx.fed_hpas.get(&key)?.spec.scale_target_ref;
            of(&scaled.kind, &scaled.name)
        }
        Aim::Hpa => {
            let scaled = &cx.hpas.get(&key)?.spec.scale_target_ref;
            of(&scaled.kind, &scaled.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cron_hpa(name: &str) -> CronHpa {
        serde_json::from_value(json!({
            "metadata": {"namespace": "shop", "name": name},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "rules": []},
        }))
        .unwrap()
    }

    #[test]
    fn who_waits_is_found_by_the_work_until_it_waits_for_another_or_none() {
        let work: Work = serde_json::from_value(json!({
            "spec": {"workload": {"manifests": [{
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "shop", "name": "web"},
            }]}},
        }))
        .unwrap();
        let workload = |name: &str| ("shop".to_owned(), "Deployment".to_owned(), name.to_owned());
        let (one, other) = (ObjectKey::within("shop", "one"), ObjectKey::within("shop", "other"));
        let awaiting = Awaiting::default();
        let concerned = awaiting.of_work([cron_hpa("one"), cron_hpa("other")].into_iter().collect());
        awaiting.begin(&one, workload("web"));
        awaiting.begin(&other, workload("web"));
        awaiting.begin(&one, workload("web"));
        assert_eq!(concerned(&work), [one.clone(), other.clone()]);
        awaiting.begin(&one, workload("api"));
        assert_eq!(concerned(&work), std::slice::from_ref(&other));
        awaiting.end(&one);
        let without_other = awaiting.of_work([cron_hpa("one")].into_iter().collect());
        assert!(without_other(&work).is_empty(), "who is gone is not woken");
        assert!(awaiting.lock().by_workload.is_empty() && awaiting.lock().by_cron_hpa.is_empty());
    }
}
