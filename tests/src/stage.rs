//! A world with the controllers in it, under paused time, for tests to play on.
//!
//! Responsible for starting, killing and restarting the controllers, for letting time pass under the auditor's eyes and
//! for reading numbers back. Knows no scenario.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use fedscaler_cmd::{
    sandbox::{
        audit::{Attendance, Audit},
        audit_of, install, scenario,
    },
    suite::{Suite, build},
};
use fedscaler_runtime::{
    clock::TokioClock as ControllersClock,
    heartbeat::IntervalHeartbeat,
    leadership,
    metrics::{Metrics, MetricsError},
    readiness::Readiness,
    shutdown,
};
use fedscaler_sandbox::{
    apiserver::{
        Changes, Local,
        kinds::{DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, Kind},
    },
    clock::{Clock, TokioClock},
    demand::Trace,
    fault::{Faults, WriteRecord},
    karmada::Lags,
    karmada::kinds::RESOURCE_BINDINGS,
    member::traffic::{Demand, Workload},
    world::{MemberSpec, World, WorldSpec},
};
use kube::Client;
use serde_json::Value;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tower::Layer as _;

use crate::{
    chronicle::Chronicle,
    numbers::{Numbers, number},
};

/// FedHPAs in the control plane.
pub const FED_HPAS: Kind = Kind::new("autoscaling.fedscaler.io", "v1alpha1", "fedhpas");
/// CronHPAs in the control plane.
pub const CRON_HPAS: Kind = Kind::new("autoscaling.fedscaler.io", "v1alpha1", "cronhpas");
/// Bindings in the control plane.
pub const BINDINGS: Kind = RESOURCE_BINDINGS;

/// When every test's clock starts: a Monday.
pub const START: &str = "2026-03-02T00:00:00Z";

/// The stage.
pub struct Stage {
    /// The world.
    pub world: World,
    /// The sandbox's clock.
    pub clock: Arc<dyn Clock>,
    /// The control plane, as a user reaches it: without faults.
    pub user: Client,
    /// What goes wrong between the controllers and the control plane.
    pub faults: Faults,
    /// The auditor.
    pub audit: Audit,
    /// The metrics of the running controllers.
    pub metrics: Metrics,
    controllers: Option<JoinHandle<Result<(), MetricsError>>>,
    control_plane: Local,
    members: BTreeMap<String, Local>,
    /// What happens in the members.
    followed: Vec<Changes>,
    divisions: Divisions,
    chronicle: Chronicle,
    /// What controllers wrote that are dead now.
    past_writes: Vec<WriteRecord>,
}

/// What a stage is made of.
pub struct Setting {
    /// Decides all lags and start times.
    pub seed: u64,
    /// The members.
    pub members: Vec<MemberSpec>,
    /// The demand on `web`.
    pub demand: Demand,
    /// How late Karmada's controllers are.
    pub lags: Lags,
}

/// The annotation by which we hold a binding's scheduling.
const HOLDS: &str = "/metadata/annotations/autoscaling.fedscaler.io~1holds-scheduling";

/// Divisions by Karmada's scheduler, told apart by whether we held the binding before and after.
#[derive(Default)]
struct Divisions {
    was_held: bool,
    seen: u64,
    while_held: u64,
}

impl Divisions {
    fn see(&mut self, is_held: bool, divided: u64) {
        if self.was_held && is_held {
            self.while_held += divided - self.seen;
        }
        (self.was_held, self.seen) = (is_held, divided);
    }
}

/// However little happens in the members, the auditor looks this often.
const LOOKS_EVERY: Duration = Duration::from_secs(STEP);

/// Whether all is at rest is looked at this often, in seconds.
const STEP: u64 = 5;

impl Stage {
    /// A stage with the three example members, the example workloads, this constant demand on `web` (in replicas) and
    /// our definitions; the controllers do not run yet. A minute has passed.
    pub async fn with_demand(replicas: i64) -> Self {
        Self::of(scenario::members(), Trace::constant(replicas * 1000)).await
    }

    /// A stage with these members and this demand on `web`.
    pub async fn of(members: Vec<MemberSpec>, trace: Trace) -> Self {
        let demand = Demand::new(Workload::new("default", "web"), trace);
        Self::set(Setting { seed: 7, members, demand, lags: Lags::default() }).await
    }

    /// A stage of this setting, as [`Stage::with_demand`].
    pub async fn set(setting: Setting) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(start()));
        let world = World::start(WorldSpec {
            seed: setting.seed,
            clock: Arc::clone(&clock),
            members: setting.members,
            demands: vec![setting.demand],
            lags: setting.lags,
        });
        let world = world.expect("the world starts");
        let user = Client::new(world.control_plane().service(), "default");
        install::definitions(&user).await.expect("the definitions are accepted");
        install::workloads(&user).await.expect("the workloads are accepted");
        tokio::time::sleep(Duration::from_mins(1)).await;
        let members: BTreeMap<_, _> = world
            .members()
            .filter_map(|name| Some((name.to_owned(), world.member(name)?.local("test"))))
            .collect();
        Self {
            audit: audit_of(&world),
            followed: members.values().map(Local::changes).collect(),
            divisions: Divisions::default(),
            chronicle: Chronicle::if_asked(),
            members,
            control_plane: world.control_plane().local("test"),
            world,
            clock,
            user,
            faults: Faults::new(),
            metrics: Metrics::new(build()).expect("metrics"),
            controllers: None,
            past_writes: Vec::new(),
        }
    }

    /// Starts the controllers, as a new process would, with the faults of [`Stage::faults`] on their way.
    pub fn start_controllers(&mut self) {
        self.metrics = Metrics::new(build()).expect("metrics");
        let service = self.faults.layer(self.world.control_plane().service());
        let (stopper, stopping) = shutdown::channel();
        // The process is killed, never asked to stop.
        std::mem::forget(stopper);
        let suite = Suite {
            client: Client::new(service, "default"),
            clock: Arc::new(ControllersClock::starting_at(self.clock.now())),
            heartbeat: Box::new(IntervalHeartbeat::every(Duration::from_secs(1))),
            term: leadership::sole(),
            metrics: self.metrics.clone(),
            readiness: Readiness::default(),
            instance: "test".to_owned(),
        };
        self.controllers = Some(tokio::spawn(suite.run(stopping)));
    }

    /// Kills the controllers: whatever they were about to do is not done. Nothing is in the way of the next ones.
    pub async fn kill_controllers(&mut self) {
        self.faults.kill();
        if let Some(controllers) = self.controllers.take() {
            controllers.abort();
            let _killed = controllers.await;
        }
        self.past_writes.extend(self.faults.writes());
        self.faults = Faults::new();
    }

    /// Kills the controllers and starts new ones with nothing in their way.
    pub async fn restart_controllers(&mut self) {
        self.kill_controllers().await;
        self.start_controllers();
    }

    /// Applies manifests as a user does.
    pub async fn apply(&self, yaml: &str) {
        install::apply(&self.user, yaml).await.expect("the manifest is accepted");
    }

    /// All writes of the controllers that reached the control plane, those of dead ones first.
    pub fn writes(&self) -> Vec<WriteRecord> {
        self.past_writes.iter().cloned().chain(self.faults.writes()).collect()
    }

    /// Lets time pass; the auditor looks at each change of what a member's workloads and autoscalers ask for, and every
    /// five seconds.
    pub async fn run(&mut self, seconds: u64) {
        self.run_under(seconds, &mut |_| {}).await;
    }

    /// As [`Stage::run`], with somebody else who looks whenever the auditor does.
    pub async fn run_under(&mut self, seconds: u64, witness: &mut impl FnMut(&Self)) {
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            let look = end.min(Instant::now() + LOOKS_EVERY);
            tokio::select! {
                biased;
                () = asked(&mut self.followed) => {}
                () = sleep_until(look) => {}
            }
            self.audit.look(self.clock.now());
            self.divisions.see(self.is_held(), self.divided());
            witness(self);
            let mut chronicle = std::mem::take(&mut self.chronicle);
            chronicle.look(self);
            self.chronicle = chronicle;
        }
    }

    /// Tells the auditor whether the controllers can do their work from now on.
    pub fn attended(&mut self, attendance: Attendance) {
        self.audit.attended(attendance);
    }

    /// Lets time pass until the FedHPA `web` is gone, or says that it is ready (or that only its user can help it) and all
    /// numbers agree, and nothing was written for so many seconds; at most `limit` seconds, and no longer than the
    /// controllers live. Whether it came to that.
    pub async fn rest(&mut self, calm: u64, limit: u64) -> bool {
        let mut calm_for = 0;
        let mut last = self.standing();
        for _ in 0..limit.div_ceil(STEP) {
            self.run(STEP).await;
            let now = self.standing();
            calm_for = if now.1 && now == last { calm_for + STEP } else { 0 };
            if calm_for >= calm || self.faults.has_crashed() {
                return calm_for >= calm;
            }
            last = now;
        }
        false
    }

    /// What has been written so far, and whether all is in order.
    fn standing(&self) -> (usize, bool) {
        let gone = self.object(&FED_HPAS, "web").is_none();
        let in_order = |(status, reason, _): (String, String, _)| status == "True" || reason == "NoPlace";
        let ready = gone || self.condition("Ready").is_some_and(in_order);
        // What Karmada makes of a workload that nobody holds is its own affair.
        (self.past_writes.len() + self.faults.writes_so_far(), ready && (gone || self.numbers().agree()))
    }

    /// Lets time pass until the controllers have crashed, at most so many seconds. Whether they have.
    pub async fn run_until_crash(&mut self, seconds: u64) -> bool {
        for _ in 0..seconds {
            if self.faults.has_crashed() {
                return true;
            }
            self.run(1).await;
        }
        self.faults.has_crashed()
    }

    /// The numbers of `web`.
    pub fn numbers(&self) -> Numbers {
        self.numbers_of("web")
    }

    /// The numbers of a Deployment in `default`.
    pub fn numbers_of(&self, name: &str) -> Numbers {
        self.numbers_if_any(name).expect("template and binding")
    }

    /// The numbers of a Deployment in `default`, if there is one with a binding.
    pub fn numbers_if_any(&self, name: &str) -> Option<Numbers> {
        let template = self.control_plane.get(&DEPLOYMENTS, "default", name)?;
        let binding = self.control_plane.get(&BINDINGS, "default", &format!("{name}-deployment"))?;
        let members = self.members.iter().filter_map(|(member, local)| {
            let deployment = local.get(&DEPLOYMENTS, "default", name)?;
            Some((member.clone(), number(&deployment, "/spec/replicas")))
        });
        Some(Numbers::read(&template, &binding, members.collect()))
    }

    /// Min and max of each member's HPA for `web`.
    pub fn hpas(&self) -> BTreeMap<String, (u64, u64)> {
        let hpas = self.members.iter().filter_map(|(member, local)| {
            let hpa = local.get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web")?;
            Some((member.clone(), (number(&hpa, "/spec/minReplicas"), number(&hpa, "/spec/maxReplicas"))))
        });
        hpas.collect()
    }

    /// An object of the control plane in `default`.
    pub fn object(&self, kind: &Kind, name: &str) -> Option<Arc<Value>> {
        self.control_plane.get(kind, "default", name)
    }

    /// Status, reason and message of a condition of the FedHPA `web`.
    pub fn condition(&self, kind: &str) -> Option<(String, String, String)> {
        condition(self.object(&FED_HPAS, "web")?.as_ref(), kind)
    }

    /// How often Karmada's scheduler divided the binding of `web` again while we held it.
    pub fn reschedules(&self) -> u64 {
        self.divisions.while_held
    }

    /// Whether the binding of `web` says that we hold its scheduling.
    fn is_held(&self) -> bool {
        let binding = self.object(&BINDINGS, "web-deployment");
        binding.is_some_and(|binding| binding.pointer(HOLDS).is_some())
    }

    /// How often Karmada's scheduler divided the binding of `web` again.
    fn divided(&self) -> u64 {
        self.world
            .reschedules()
            .get(&("default".to_owned(), "web-deployment".to_owned()))
            .copied()
            .unwrap_or(0)
    }
}

/// Status, reason and message of an object's condition.
pub fn condition(object: &Value, kind: &str) -> Option<(String, String, String)> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|condition| condition["type"] == kind)?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason"), text("message")))
}

fn start() -> DateTime<Utc> {
    START.parse().expect("a time")
}

/// Waits until somebody asks something else of a workload or an autoscaler of a member.
async fn asked(followed: &mut [Changes]) {
    futures::future::select_all(followed.iter_mut().map(|changes| Box::pin(asked_in(changes)))).await;
}

async fn asked_in(changes: &mut Changes) {
    loop {
        let change = changes.next().await;
        let kind = &*change.kind;
        let asks = *kind == DEPLOYMENTS || *kind == HORIZONTAL_POD_AUTOSCALERS;
        if asks && change.previous.as_ref().map(|before| &before["spec"]) != Some(&change.object["spec"]) {
            return;
        }
    }
}
