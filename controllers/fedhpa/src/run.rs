//! Starting the controller.
//!
//! Responsible for the watches, for what wakes which FedHPA, and for the loop. Knows nothing of deciding.

use std::{num::NonZeroUsize, sync::Arc};

use fedscaler_crds::{CronHpa, FedHpa};
use fedscaler_karmada::{caches::Watches, labels::FEDHPA_MANAGER, plane::ControlPlane};
use fedscaler_runtime::{
    clock::SharedClock,
    controller::Controller,
    events::EventWriter,
    leadership::Term,
    metrics::{Metrics, MetricsError},
    readiness::Readiness,
    watch::Watched,
};
use kube::Client;

use crate::{
    context::{CALL_BUDGET, Context},
    metrics::FedHpaMetrics,
    reconcile::reconcile,
    sight::Sight,
    wakes,
};

const NAME: &str = "fedhpa";
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// What the controller is started with.
pub struct Setup {
    /// The Karmada API server.
    pub client: Client,
    /// The wall clock.
    pub clock: SharedClock,
    /// The right to write.
    pub term: Term,
    /// Where numbers go.
    pub metrics: Metrics,
    /// Where the state of watches goes.
    pub readiness: Readiness,
    /// The watch of FedHPAs.
    pub fed_hpas: Watched<FedHpa>,
    /// The watch of CronHPAs.
    pub cron_hpas: Watched<CronHpa>,
    /// The watches of Karmada's objects.
    pub karmada: Watches,
    /// The name of this process, for events.
    pub instance: String,
}

/// Runs the controller until `shutdown` resolves.
pub async fn run(setup: Setup, shutdown: impl Future<Output = ()>) -> Result<(), MetricsError> {
    let karmada = &setup.karmada;
    let fed_hpas = setup.fed_hpas.cache().clone();
    let held = (&fed_hpas, &setup.term);
    let metrics = FedHpaMetrics::register(&setup.metrics, held, Arc::clone(&setup.clock))?;
    let mut controller = Controller::new(NAME, &setup.fed_hpas, &setup.metrics)?
        .concurrency(CONCURRENCY)
        .once(setup.term.clone().began())
        .after(setup.cron_hpas.cache());
    controller = wakes::connect(controller, karmada, &setup.fed_hpas, &setup.cron_hpas, &metrics);
    let context = Context {
        plane: ControlPlane::new(setup.client.clone(), CALL_BUDGET, FEDHPA_MANAGER),
        events: EventWriter::new(
            setup.client.clone(),
            "fedscaler.io/fedhpa",
            setup.instance,
            Arc::clone(&setup.clock),
            &setup.metrics,
        ),
        term: setup.term,
        sight: Sight {
            plane: ControlPlane::new(setup.client.clone(), CALL_BUDGET, FEDHPA_MANAGER),
            clock: setup.clock,
            karmada: karmada.view(),
            fed_hpas,
            cron_hpas: setup.cron_hpas.cache().clone(),
        },
        client: setup.client,
        metrics,
    };
    controller.run(Arc::new(context), reconcile, shutdown).await;
    Ok(())
}
