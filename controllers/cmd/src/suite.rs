//! Both controllers on one API server.
//!
//! Responsible for the wiring that production, the sandbox and the tests share. Knows nothing of where the API server
//! is or whose clock it goes by.

use std::sync::Arc;

use fedscaler_crds::{CronHpa, FedHpa};
use fedscaler_karmada::caches::Watches;
use fedscaler_runtime::{
    clock::SharedClock,
    heartbeat::Heartbeat,
    leadership::Term,
    metrics::{Build, Metrics, MetricsError},
    readiness::Readiness,
    shutdown::Shutdown,
    watch::Watch,
};
use kube::{Api, Client};

/// What both controllers need.
pub struct Suite {
    /// The Karmada API server.
    pub client: Client,
    /// The wall clock.
    pub clock: SharedClock,
    /// What wakes the CronHPA controller at times.
    pub heartbeat: Box<dyn Heartbeat>,
    /// The right to write.
    pub term: Term,
    /// Where numbers go.
    pub metrics: Metrics,
    /// Where the state of watches goes.
    pub readiness: Readiness,
    /// The name of this process, for events.
    pub instance: String,
}

impl Suite {
    /// Runs both until asked to stop: what is running then is finished. Before the term begins everything is watched
    /// and nothing is reconciled.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), MetricsError> {
        let fed_hpas =
            Watch::<FedHpa>::of(Api::all(self.client.clone())).start(&self.readiness, &self.metrics);
        let cron_hpas =
            Watch::<CronHpa>::of(Api::all(self.client.clone())).start(&self.readiness, &self.metrics);
        let karmada = Watches::start(&self.client, &self.readiness, &self.metrics);
        self.metrics.tell_leader(&self.term)?;
        let fed = fedscaler_fedhpa::run(
            fedscaler_fedhpa::Setup {
                client: self.client.clone(),
                clock: Arc::clone(&self.clock),
                term: self.term.clone(),
                metrics: self.metrics.clone(),
                readiness: self.readiness.clone(),
                fed_hpas: fed_hpas.clone(),
                cron_hpas: cron_hpas.clone(),
                karmada: karmada.clone(),
                instance: self.instance.clone(),
            },
            shutdown.clone().requested(),
        );
        let cron = fedscaler_cronhpa::run(
            fedscaler_cronhpa::Setup {
                client: self.client,
                clock: self.clock,
                heartbeat: self.heartbeat,
                term: self.term,
                metrics: self.metrics,
                readiness: self.readiness,
                fed_hpas,
                cron_hpas,
                karmada,
                instance: self.instance,
            },
            shutdown.requested(),
        );
        let (fed, cron) = futures::join!(fed, cron);
        fed.and(cron)
    }
}

/// What this build says of itself in `build_info`.
pub fn build() -> Build {
    Build {
        version: env!("CARGO_PKG_VERSION"),
        revision: option_env!("FEDSCALER_COMMIT").unwrap_or("unknown"),
    }
}
