//! What every reconcile of a FedHPA shares.
//!
//! Responsible for holding the way to the API server and what is known of it. Decides nothing.

use std::time::Duration;

use fedscaler_crds::{CronHpa, FedHpa};
use fedscaler_karmada::{caches::View, plane::ControlPlane};
use fedscaler_runtime::{clock::SharedClock, events::EventWriter, leadership::Term, watch::Cache};
use kube::Client;

use crate::metrics::FedHpaMetrics;

/// How long one call to the API server may take.
pub const CALL_BUDGET: Duration = Duration::from_secs(10);

/// What every reconcile shares.
pub struct Context {
    /// The Karmada API server.
    pub client: Client,
    /// The same, as the Karmada protocols use it.
    pub plane: ControlPlane,
    /// The wall clock.
    pub clock: SharedClock,
    /// The right to write.
    pub term: Term,
    /// Karmada's objects as last seen.
    pub karmada: View,
    /// All FedHPAs as last seen.
    pub fed_hpas: Cache<FedHpa>,
    /// All CronHPAs as last seen.
    pub cron_hpas: Cache<CronHpa>,
    /// Where events go.
    pub events: EventWriter,
    /// What is counted.
    pub metrics: FedHpaMetrics,
}
