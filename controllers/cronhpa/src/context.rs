//! What every reconcile of a CronHPA shares.
//!
//! Responsible for holding the way to the API server and what is known of it. Decides nothing.

use std::time::Duration;

use fedscaler_crds::{CronHpa, FedHpa};
use fedscaler_karmada::{caches::View, plane::ControlPlane};
use fedscaler_runtime::{clock::SharedClock, events::EventWriter, leadership::Term, watch::Cache};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Client;

use crate::{agenda::Agenda, calendars::Calendars, metrics::CronHpaMetrics, readiness::Awaiting};

/// How long one call to the API server may take.
pub const CALL_BUDGET: Duration = Duration::from_secs(5);

/// What every reconcile shares.
pub struct Context {
    /// The Karmada API server.
    pub client: Client,
    /// The same, for the scales of workloads.
    pub plane: ControlPlane,
    /// The wall clock.
    pub clock: SharedClock,
    /// The right to write.
    pub term: Term,
    /// All CronHPAs as last seen.
    pub cron_hpas: Cache<CronHpa>,
    /// All FedHPAs as last seen.
    pub fed_hpas: Cache<FedHpa>,
    /// All HPAs of the control plane as last seen, without their status.
    pub hpas: Cache<HorizontalPodAutoscaler>,
    /// What members were last seen to have.
    pub karmada: View,
    /// Who waits for members to have more.
    pub awaiting: Awaiting,
    /// Calendars of days off.
    pub calendars: Calendars,
    /// When whom to wake.
    pub agenda: Agenda,
    /// Where events go.
    pub events: EventWriter,
    /// What is counted.
    pub metrics: CronHpaMetrics,
}
