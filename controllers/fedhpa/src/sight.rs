//! What can be seen of everything.
//!
//! Responsible for the caches that [`observe`](crate::observe::observe()) looks into. Whoever has only this, and no
//! [`Term`](fedscaler_runtime::leadership::Term), writes nothing.

use fedscaler_crds::{CronHpa, FedHpa};
use fedscaler_karmada::{
    caches::{View, Watches},
    labels::FEDHPA_MANAGER,
    plane::ControlPlane,
};
use fedscaler_runtime::{
    clock::SharedClock,
    metrics::Metrics,
    readiness::Readiness,
    watch::{Cache, Watch},
};
use kube::{Api, Client};

use crate::{admit::Admitted, context::CALL_BUDGET};

/// What can be seen of everything, and when.
pub struct Sight {
    /// The control plane, for what no watch brings.
    pub plane: ControlPlane,
    /// The wall clock.
    pub clock: SharedClock,
    /// Karmada's objects as last seen.
    pub karmada: View,
    /// All FedHPAs as last seen.
    pub fed_hpas: Cache<FedHpa>,
    /// All CronHPAs as last seen.
    pub cron_hpas: Cache<CronHpa>,
}

impl Sight {
    /// Whether this process wrote something about a FedHPA that it has not seen yet.
    pub fn is_behind(&self, admitted: &Admitted) -> bool {
        let target = &admitted.target;
        self.fed_hpas.is_behind(|key| *key == admitted.key)
            || self.karmada.is_behind(&admitted.namespace, &target.kind, &target.name)
    }

    /// A sight with watches of its own, which `readiness` tells about. They end when it is dropped.
    pub fn open(client: Client, clock: SharedClock, readiness: &Readiness, metrics: &Metrics) -> Self {
        let fed_hpas = Watch::<FedHpa>::of(Api::all(client.clone())).start(readiness, metrics);
        let cron_hpas = Watch::<CronHpa>::of(Api::all(client.clone())).start(readiness, metrics);
        Self {
            karmada: Watches::start(&client, readiness, metrics).view(),
            plane: ControlPlane::new(client, CALL_BUDGET, FEDHPA_MANAGER),
            clock,
            fed_hpas: fed_hpas.cache().clone(),
            cron_hpas: cron_hpas.cache().clone(),
        }
    }
}
