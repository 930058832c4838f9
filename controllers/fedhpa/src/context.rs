//! What every reconcile of a FedHPA shares.
//!
//! Responsible for holding the way to the API server and what is known of it. Decides nothing.

use std::time::Duration;

use fedscaler_karmada::plane::ControlPlane;
use fedscaler_runtime::{events::EventWriter, leadership::Term};
use kube::Client;

use crate::{metrics::FedHpaMetrics, sight::Sight};

/// How long one call to the API server may take.
pub const CALL_BUDGET: Duration = Duration::from_secs(5);

/// What every reconcile shares.
pub struct Context {
    /// The Karmada API server.
    pub client: Client,
    /// The same, as the Karmada protocols use it.
    pub plane: ControlPlane,
    /// The right to write.
    pub term: Term,
    /// What is seen of everything.
    pub sight: Sight,
    /// Where events go.
    pub events: EventWriter,
    /// What is counted.
    pub metrics: FedHpaMetrics,
}
