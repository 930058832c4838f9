//! `fedscaler sandbox`: the controllers in a world of their own.
//!
//! Responsible for the run: the world, the manifests, the pace, the end and its verdict. The controllers are those of
//! production, wired by [`crate::suite`]; nothing here knows how they decide.

pub mod audit;
pub(crate) mod demand;
pub mod fleet;
mod gateway;
pub mod install;
mod narrate;
mod pace;
mod rows;
pub mod scenario;
mod summary;

use std::{process::ExitCode, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use fedscaler_runtime::{
    clock::TokioClock as ControllersClock, heartbeat::IntervalHeartbeat, leadership, metrics::Metrics,
    readiness::Readiness, shutdown,
};
use fedscaler_sandbox::{
    apiserver::ApiServer,
    clock::{Clock, TokioClock},
    world::World,
};
use kube::Client;
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::{
    audit::Audit, gateway::Gateway, narrate::Narrator, pace::Pace, scenario::Scenario, summary::Summary,
};
use crate::{
    Refusal,
    cli::SandboxArguments,
    suite::{Suite, build},
};

/// How often the auditor looks, in sandbox time.
const AUDIT_EVERY: Duration = Duration::from_secs(5);

/// How long the workloads run by Karmada's hand alone before the autoscalers come.
const SETTLE: Duration = Duration::from_secs(90);

/// Plays until the end that was asked for, or until interrupted. The exit code is 1 if an invariant was violated.
pub fn command(arguments: &SandboxArguments) -> Result<ExitCode, Refusal> {
    let scenario = Scenario::new(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(Refusal::new)?;
    let summary = runtime.block_on(play(&scenario, arguments))?;
    print!("{summary}");
    Ok(if summary.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn play(scenario: &Scenario, arguments: &SandboxArguments) -> Result<Summary, Refusal> {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(scenario.start));
    let world = World::start(scenario.world(Arc::clone(&clock))).map_err(Refusal::new)?;
    let client = client_of(world.control_plane());
    let gateway = Gateway::open(&world, &arguments.kubeconfig)?;
    let mut narrator = Narrator::new(&world, &clock, scenario);
    narrator.open(scenario);
    narrator.welcome(gateway.address(), gateway.kubeconfig());
    install::definitions(&client).await?;
    install::workloads(&client).await?;
    let metrics = Metrics::new(build()).map_err(Refusal::new)?;
    let (stopper, stopping) = shutdown::channel();
    let suite = suite(&client, scenario.start, &metrics);
    let running = tokio::spawn(suite.run(stopping));
    let mut stage = Stage {
        world: &world,
        clock: &clock,
        client: &client,
        narrator: &mut narrator,
        audit: audit_of(&world),
        pace: Pace::new(arguments.speed, gateway.bell()),
    };
    stage.run(scenario, arguments).await?;
    let mut audit = stage.audit;
    audit.look_at_slots(clock.now());
    stopper.stop();
    running.await.map_err(Refusal::new)?.map_err(Refusal::new)?;
    Summary::of(scenario, &world, &clock, &metrics, &audit)
}

fn suite(client: &Client, start: DateTime<Utc>, metrics: &Metrics) -> Suite {
    Suite {
        client: client.clone(),
        clock: Arc::new(ControllersClock::starting_at(start)),
        heartbeat: Box::new(IntervalHeartbeat::every(Duration::from_secs(1))),
        term: leadership::sole(),
        metrics: metrics.clone(),
        readiness: Readiness::default(),
        instance: "sandbox".to_owned(),
    }
}

/// A client of an API server in this process.
pub(crate) fn client_of(server: &ApiServer) -> Client {
    Client::new(server.service(), "default")
}

/// An auditor of a whole world.
pub fn audit_of(world: &World) -> Audit {
    let members = world.members().filter_map(|name| Some((name, world.member(name)?)));
    Audit::new(world.control_plane(), members)
}

struct Stage<'a> {
    world: &'a World,
    clock: &'a Arc<dyn Clock>,
    client: &'a Client,
    narrator: &'a mut Narrator,
    audit: Audit,
    pace: Pace,
}

impl Stage<'_> {
    async fn run(&mut self, scenario: &Scenario, arguments: &SandboxArguments) -> Result<(), Refusal> {
        let mut looks = interval(AUDIT_EVERY);
        let mut tables = interval(arguments.every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = sleep(arguments.length.unwrap_or(Duration::MAX));
        let install = sleep(SETTLE);
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(end, install, interrupted);
        let mut installed = false;
        loop {
            tokio::select! {
                biased;
                _signal = &mut interrupted => return Ok(()),
                () = &mut end => return Ok(()),
                () = &mut install, if !installed => {
                    installed = true;
                    install::autoscalers(self.client, scenario.who).await?;
                }
                _tick = looks.tick() => self.audit.look(self.clock.now()),
                _tick = tables.tick() => self.narrator.table(self.world),
                change = self.narrator.next() => self.narrator.tell(&change),
                () = self.pace.step() => {}
            }
        }
    }
}
