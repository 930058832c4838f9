//! Starting the controller.
//!
//! Responsible for the watches, for what wakes which CronHPA, and for the loop. Knows nothing of deciding.

use std::{num::NonZeroUsize, sync::Arc};

use fedscaler_crds::{CronHpa, FedHpa};
use fedscaler_karmada::{caches::Watches, labels::CRONHPA_MANAGER, plane::ControlPlane};
use fedscaler_runtime::{
    clock::SharedClock,
    controller::Controller,
    events::EventWriter,
    heartbeat::Heartbeat,
    leadership::Term,
    metrics::{Metrics, MetricsError},
    readiness::Readiness,
    watch::{Watch, Watched, touching},
};
use k8s_openapi::api::{autoscaling::v2::HorizontalPodAutoscaler, core::v1::ConfigMap};
use kube::{Api, Client};

use crate::{
    agenda::Agenda,
    calendars::{self, Calendars},
    context::{CALL_BUDGET, Context},
    metrics::CronHpaMetrics,
    readiness::Awaiting,
    reconcile::reconcile,
    wakes,
};

const NAME: &str = "cronhpa";

/// As many as a bare client writes fastest with.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// What the controller is started with.
pub struct Setup {
    /// The Karmada API server.
    pub client: Client,
    /// The wall clock.
    pub clock: SharedClock,
    /// What makes the controller look at the clock.
    pub heartbeat: Box<dyn Heartbeat>,
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
    let hpas = Watch::<HorizontalPodAutoscaler>::of(Api::all(setup.client.clone()))
        .prune(|hpa| hpa.status = None)
        .start(&setup.readiness, &setup.metrics);
    let config_maps = Watch::<ConfigMap>::of(Api::all(setup.client.clone()))
        .labels(calendars::LABEL)
        .prune(|map| map.binary_data = None)
        .start(&setup.readiness, &setup.metrics);
    let cron_hpas = setup.cron_hpas.cache().clone();
    let agenda = Agenda::default();
    let awaiting = Awaiting::default();
    let controller = Controller::new(NAME, &setup.cron_hpas, &setup.metrics)?
        .concurrency(CONCURRENCY)
        .once(setup.term.clone().began())
        .wake_on(agenda.wakes(setup.heartbeat, Arc::clone(&setup.clock)));
    let controller = wakes::connect(controller, &setup.cron_hpas, &setup.fed_hpas, &hpas)
        .wake_on(touching(config_maps.changes(), wakes::of_calendar(cron_hpas.clone())))
        .wake_on(touching(setup.karmada.workload_works.changes(), awaiting.of_work(cron_hpas.clone())));
    let context = Context {
        plane: ControlPlane::new(setup.client.clone(), CALL_BUDGET, CRONHPA_MANAGER),
        events: EventWriter::new(
            setup.client.clone(),
            "fedscaler.io/cronhpa",
            setup.instance,
            Arc::clone(&setup.clock),
            &setup.metrics,
        ),
        metrics: CronHpaMetrics::register(&setup.metrics, (&cron_hpas, &setup.term))?,
        client: setup.client,
        clock: setup.clock,
        term: setup.term,
        fed_hpas: setup.fed_hpas.cache().clone(),
        hpas: hpas.cache().clone(),
        karmada: setup.karmada.view(),
        awaiting,
        cron_hpas,
        calendars: Calendars::new(config_maps.cache().clone()),
        agenda,
    };
    controller.run(Arc::new(context), reconcile, shutdown).await;
    Ok(())
}
