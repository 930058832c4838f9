//! `fedscaler sandbox`: the controllers in a world of their own.
//!
//! Responsible for the run: the world, the manifests, the pace, the end and its verdict. The controllers are those of
//! production, wired by [`crate::suite`]; nothing here knows how they decide.

mod admin;
pub mod audit;
mod controls;
pub(crate) mod demand;
pub mod fleet;
mod gateway;
pub mod install;
pub mod live;
mod narrate;
mod pace;
mod rows;
pub mod scenario;
mod summary;

use std::{
    fmt,
    io::{self, Write as _},
    ops::ControlFlow,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

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
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use self::{
    admin::AdminThread,
    audit::Audit,
    controls::Controls,
    gateway::Gateway,
    live::{Length, Live, Wish, screen},
    narrate::{Line, Narrator},
    pace::Pace,
    scenario::Scenario,
    summary::Summary,
};
use crate::{
    Refusal,
    cli::SandboxArguments,
    suite::{Suite, build},
    terminal,
};

/// How often the auditor looks, in sandbox time.
const AUDIT_EVERY: Duration = Duration::from_secs(5);

/// How long the workloads run by Karmada's hand alone before the autoscalers come.
const SETTLE: Duration = Duration::from_secs(90);

/// Plays until the end that was asked for, or until interrupted. The exit code is 1 if an invariant was violated.
pub fn command(arguments: &SandboxArguments) -> Result<ExitCode, Refusal> {
    let scenario = Scenario::new(arguments)?;
    let is_live = !arguments.plain && terminal::is_interactive();
    if is_live {
        screen::check()?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(Refusal::new)?;
    let summary = runtime.block_on(play(&scenario, arguments, is_live))?;
    print!("{summary}");
    Ok(if summary.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn play(scenario: &Scenario, arguments: &SandboxArguments, is_live: bool) -> Result<Summary, Refusal> {
    // From the beginning: whatever ends it, the terminal and the kubeconfig are put right.
    let signalled = tokio::spawn(shutdown::signalled());
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(scenario.start));
    let world = World::start(scenario.world(Arc::clone(&clock))).map_err(Refusal::new)?;
    let client = client_of(world.control_plane());
    let gateway = Gateway::open(&world, &arguments.kubeconfig)?;
    let metrics = Metrics::new(build()).map_err(Refusal::new)?;
    let suite = suite(&client, scenario.start, &metrics);
    let admin = AdminThread::start(arguments.admin_address, &metrics, &suite.readiness)?;
    let narrator = Narrator::new(&world, &clock, scenario);
    let view = if is_live {
        View::Live(Box::new(Live::open(&world, &gateway, &scenario.workload, clock.now())?))
    } else {
        View::Lines
    };
    let mut stage = Stage {
        world: &world,
        clock: &clock,
        client: &client,
        narrator,
        view,
        audit: audit_of(&world),
        controls: Controls::new(scenario.workload.clone()),
        pace: Pace::new(arguments.speed, gateway.bell()),
    };
    stage.open(scenario, &gateway, &admin)?;
    install::definitions(&client).await?;
    install::workloads(&client).await?;
    let (stopper, stopping) = shutdown::channel();
    let running = tokio::spawn(suite.run(stopping));
    stage.run(scenario, arguments, signalled).await?;
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

/// Where it is shown what happens.
enum View {
    /// On anything that takes lines.
    Lines,
    /// On a terminal.
    Live(Box<Live>),
}

impl View {
    fn tell(&mut self, line: Line) -> Result<(), Refusal> {
        match self {
            Self::Lines => print_line(&line),
            Self::Live(view) => {
                view.tell(line);
                Ok(())
            }
        }
    }

    /// Shows a command, so that it can be copied where there are lines.
    fn suggest(&mut self, line: Line) -> Result<(), Refusal> {
        match self {
            Self::Lines => print_line(&format_args!("    {}", line.words)),
            Self::Live(_) => self.tell(line),
        }
    }

    /// What is wished with a key. Never, where nobody can press one.
    async fn wish(&mut self) -> Wish {
        match self {
            Self::Lines => std::future::pending().await,
            Self::Live(view) => view.wish().await,
        }
    }
}

fn print_line(line: &dyn fmt::Display) -> Result<(), Refusal> {
    let printed = writeln!(io::stdout(), "{line}");
    printed.map_err(|error| Refusal::new(format!("nobody reads the lines any more: {error}")))
}

struct Stage<'a> {
    world: &'a World,
    clock: &'a Arc<dyn Clock>,
    client: &'a Client,
    narrator: Narrator,
    view: View,
    audit: Audit,
    controls: Controls,
    pace: Pace,
}

impl Stage<'_> {
    fn open(&mut self, scenario: &Scenario, gateway: &Gateway, admin: &AdminThread) -> Result<(), Refusal> {
        let opening = self.narrator.open(scenario);
        let serving = self.narrator.serving(gateway.address(), admin.address());
        opening.into_iter().chain([serving]).try_for_each(|line| self.view.tell(line))?;
        let mut suggestions = self.narrator.suggestions(gateway.kubeconfig()).into_iter();
        suggestions.try_for_each(|line| self.view.suggest(line))
    }

    async fn run(
        &mut self,
        scenario: &Scenario,
        arguments: &SandboxArguments,
        mut signalled: JoinHandle<io::Result<()>>,
    ) -> Result<(), Refusal> {
        let mut looks = interval(AUDIT_EVERY);
        let mut tables = interval(arguments.every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let length = Length { start: scenario.start, length: arguments.length };
        let end = sleep(arguments.length.unwrap_or(Duration::MAX));
        let install = sleep(SETTLE);
        tokio::pin!(end, install);
        let mut installed = false;
        loop {
            tokio::select! {
                biased;
                heard = &mut signalled => return heard.map_err(Refusal::new)?.map_err(Refusal::new),
                () = &mut end => return Ok(()),
                wish = self.view.wish() => {
                    if self.obey(wish).is_break() {
                        return Ok(());
                    }
                }
                () = &mut install, if !installed => {
                    installed = true;
                    install::autoscalers(self.client, scenario.who).await?;
                }
                _tick = looks.tick() => self.audit.look(self.clock.now()),
                // A picture shows them at any time.
                _tick = tables.tick(), if matches!(self.view, View::Lines) => {
                    self.view.tell(self.narrator.table(self.world))?;
                }
                change = self.narrator.next() => {
                    if let Some(line) = self.narrator.tell(&change) {
                        self.view.tell(line)?;
                    }
                }
                () = self.pace.step() => {}
            }
            if let View::Live(live) = &mut self.view {
                live.refresh(self.world, &self.controls, &mut self.pace, (self.clock.now(), length))?;
            }
        }
    }

    fn obey(&mut self, wish: Wish) -> ControlFlow<()> {
        let View::Live(live) = &mut self.view else { return ControlFlow::Continue(()) };
        let (world, controls) = (self.world, &mut self.controls);
        let member = live.selected().unwrap_or_default().to_owned();
        let done = match wish {
            Wish::Quit => return ControlFlow::Break(()),
            Wish::Next | Wish::Previous => {
                live.select(wish == Wish::Next);
                return ControlFlow::Continue(());
            }
            Wish::Pause => Ok(format!("speed: {}", self.pace.toggle_pause())),
            Wish::Faster => Ok(format!("speed: {}", self.pace.go_faster())),
            Wish::Slower => Ok(format!("speed: {}", self.pace.go_slower())),
            Wish::More => Ok(controls.more(world)),
            Wish::Less => Ok(controls.less(world)),
            Wish::Lose => controls.lose(world, &member),
            Wish::Drain => controls.drain(world, &member),
            Wish::Uncordon => controls.uncordon(world, &member),
        };
        let words = done.unwrap_or_else(|error| error.to_string());
        live.tell(self.narrator.by_hand(words));
        ControlFlow::Continue(())
    }
}
