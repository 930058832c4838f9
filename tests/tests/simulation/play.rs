//! Plays a plan.

use std::collections::BTreeMap;

use fedscaler_cmd::sandbox::audit::Attendance;
use fedscaler_crds::FedHpa;
use fedscaler_sandbox::{fault::Which, member::NodeSpec, world::WorldError};
use fedscaler_tests::{
    chronicle::account,
    stage::{FED_HPAS, Setting, Stage},
};
use http::{Method, StatusCode};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    deed::Deed,
    judge::{self, Bystanders},
    plan::{Ending, Plan, Shape},
};

/// Longest time from quiet to rest, in seconds.
const RESTS_WITHIN: u64 = 2400;

/// At rest nothing is written for so long, in seconds: longer than the time after which everything is compared again.
const CALM: u64 = 330;

/// Plays it. How it ended, or the first promise that was broken.
pub async fn play(plan: &Plan) -> Result<String, String> {
    let mut player = Player::begin(plan).await;
    player.until_quiet().await;
    player.calm_down().await;
    let rested = player.stage.rest(CALM, RESTS_WITHIN).await;
    if !rested && never_scheduled(&player.stage) {
        return Ok("Karmada finds no place for what the template asks for, and the FedHPA waits".to_owned());
    }
    judge::judge(plan, &player.stage, rested, &player.bystanders)
        .map_err(|broken| format!("{broken}\n    {}", account(&player.stage).join("\n    ")))
}

/// A workload that Karmada has never placed is not touched.
fn never_scheduled(stage: &Stage) -> bool {
    let waits = stage.condition("Ready").is_some_and(|(_, reason, _)| reason == "Waiting");
    waits && stage.numbers().clusters.is_empty() && stage.hpas().is_empty()
}

/// What ends later.
#[derive(Clone, Debug)]
enum Then {
    Clear,
    Prompt,
    Relist,
    Heal,
    HealMember(String),
    ResumePlane,
    Start,
    Unsuspend,
    Return,
    Uncordon(String, String),
    Mend(String, String),
}

struct Player<'a> {
    plan: &'a Plan,
    stage: Stage,
    shape: Shape,
    bystanders: Bystanders,
    second: u64,
    later: BTreeMap<u64, Vec<Then>>,
    /// Until when something is in the controllers' way.
    hindered_until: u64,
    /// For how long the controllers are gone once they have crashed.
    absent_for: u64,
    is_dead: bool,
    plane_stopped: bool,
    deleted: bool,
    helpers: JoinSet<()>,
}

impl<'a> Player<'a> {
    async fn begin(plan: &'a Plan) -> Self {
        let shape = Shape { members: plan.members.iter().map(|member| member.name.clone()).collect() };
        let Deed::Demand { milli, region } = &plan.demand else { panic!("a plan begins with demand") };
        let setting = Setting {
            seed: plan.seed,
            members: plan.members.clone(),
            demand: shape.traffic(*milli, region.as_ref()),
            lags: plan.lags,
        };
        let mut stage = Stage::set(setting).await;
        stage.apply(judge::GUESTS).await;
        stage.run(30).await;
        stage.start_controllers();
        stage.apply(&plan.fed_hpa.to_string()).await;
        Self {
            plan,
            bystanders: Bystanders::of(&stage),
            stage,
            shape,
            second: 0,
            later: BTreeMap::new(),
            hindered_until: 0,
            absent_for: 0,
            is_dead: false,
            plane_stopped: false,
            deleted: false,
            helpers: JoinSet::new(),
        }
    }

    async fn until_quiet(&mut self) {
        let mut waiting: Vec<Deed> = Vec::new();
        let mut deeds = self.plan.deeds.iter().peekable();
        while self.second <= self.plan.length {
            let due: Vec<u64> = self.later.range(..=self.second).map(|(second, _)| *second).collect();
            for second in due {
                for then in self.later.remove(&second).into_iter().flatten() {
                    self.end(then).await;
                }
            }
            while let Some((_, deed)) = deeds.next_if(|(second, _)| *second <= self.second) {
                waiting.push(deed.clone());
            }
            // Nobody reaches a control plane that is stopped.
            while !self.plane_stopped && !waiting.is_empty() {
                let deed = waiting.remove(0);
                self.begin_deed(deed).await;
            }
            if self.plan.ending == Ending::Deleted(self.second) && !self.deleted {
                self.deleted = true;
                self.delete().await;
            }
            self.pass().await;
        }
    }

    /// Lets a second pass.
    async fn pass(&mut self) {
        let hindered = self.is_dead || self.second < self.hindered_until;
        self.stage.attended(if hindered { Attendance::Hindered } else { Attendance::Present });
        self.stage.run(1).await;
        self.second += 1;
        if self.stage.faults.has_crashed() && !self.is_dead {
            self.stage.kill_controllers().await;
            self.is_dead = true;
            self.then(self.absent_for, Then::Start);
        }
    }

    /// Ends everything that goes on.
    async fn calm_down(&mut self) {
        self.stage.faults.calm();
        let rest: Vec<Then> = std::mem::take(&mut self.later).into_values().flatten().collect();
        for then in rest {
            self.end(then).await;
        }
        while let Some((_, thens)) = self.later.pop_first() {
            self.stage.run(5).await;
            for then in thens {
                self.end(then).await;
            }
        }
        self.stage.faults.calm();
        self.stage.attended(Attendance::Present);
    }

    fn then(&mut self, seconds: u64, then: Then) {
        self.later.entry(self.second + seconds.max(1)).or_default().push(then);
    }

    fn hindered_for(&mut self, seconds: u64) {
        self.hindered_until = self.hindered_until.max(self.second + seconds + 1);
    }

    async fn begin_deed(&mut self, deed: Deed) {
        let writes = || Which::of(Method::PATCH, "");
        match deed {
            Deed::Conflicts(times) => {
                self.stage.faults.answer(writes(), StatusCode::CONFLICT, times);
                self.hindered_for(30);
            }
            Deed::ServerErrors(times) => {
                self.stage.faults.answer(Which::default(), StatusCode::SERVICE_UNAVAILABLE, times);
                self.hindered_for(30);
            }
            Deed::LostAnswers(times) => {
                self.stage.faults.lose_answers(writes(), times);
                self.hindered_for(30);
            }
            Deed::StaleReads(times) => {
                self.stage.faults.stale_reads(Which::of(Method::GET, "/deployments/web"), times);
                self.hindered_for(30);
            }
            Deed::Weather { per_mille, seconds } => {
                self.stage.faults.scatter(self.plan.seed + self.second, per_mille);
                self.hindered_for(seconds);
                self.then(seconds, Then::Clear);
            }
            deed => self.begin_apart(deed).await,
        }
    }

    /// What is wrong with watches, with whole connections and with the controllers themselves.
    async fn begin_apart(&mut self, deed: Deed) {
        match deed {
            Deed::LateEvents { millis, seconds } => {
                self.stage.faults.lag_watches(std::time::Duration::from_millis(millis));
                self.hindered_for(seconds + 30);
                self.then(seconds, Then::Prompt);
            }
            Deed::LostEvents { path, events } => {
                self.stage.faults.drop_events(Which::on(path), events);
                self.stage.faults.cut_watches();
                self.hindered_for(60);
                self.then(60, Then::Relist);
            }
            Deed::ExpiredWatches => self.end(Then::Relist).await,
            Deed::Partition { seconds } => {
                self.stage.faults.partition();
                self.hindered_for(seconds);
                self.then(seconds, Then::Heal);
            }
            Deed::PlaneStopped { seconds } => {
                self.plane_stopped = true;
                self.stage.world.stop_control_plane();
                self.stage.faults.partition();
                self.hindered_for(seconds);
                self.then(seconds, Then::ResumePlane);
            }
            Deed::Crash { nth, side, seconds } => {
                self.absent_for = seconds;
                self.stage.faults.crash_at_write(nth, side);
            }
            Deed::Killed { seconds } => {
                if !self.is_dead {
                    self.stage.kill_controllers().await;
                    self.is_dead = true;
                    self.then(seconds, Then::Start);
                }
            }
            deed => self.begin_outside(deed).await,
        }
    }

    /// What users, members and machines do.
    async fn begin_outside(&mut self, deed: Deed) {
        let world = &self.stage.world;
        match deed {
            Deed::MemberLost { member, seconds } => {
                world.partition(&member).expect("a member");
                self.then(seconds, Then::HealMember(member));
            }
            Deed::Reapplied(replicas) => set_replicas(self.deployments(), replicas).await,
            Deed::ReappliedBetween(replicas) => {
                let gate = self.stage.faults.hold(Which::of(Method::PATCH, "/deployments/web/scale"));
                let deployments = self.deployments();
                self.helpers.spawn(async move {
                    gate.arrival().await;
                    set_replicas(deployments, replicas).await;
                    gate.open();
                });
            }
            Deed::Rollout => {
                let annotations = json!({"rollout": self.second.to_string()});
                let patch = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
                let patch = Patch::Merge(patch);
                self.deployments().patch("web", &PatchParams::default(), &patch).await.expect("patched");
            }
            Deed::Edited { patch, .. } => self.edit(patch).await,
            Deed::Suspended { seconds } => {
                self.edit(json!({"suspend": true})).await;
                self.then(seconds, Then::Unsuspend);
            }
            Deed::Replaced { seconds } => {
                if !self.deleted {
                    self.delete().await;
                    self.then(seconds, Then::Return);
                }
            }
            Deed::NodeAdded { member, cpu_milli } => {
                let node = NodeSpec::new(&format!("new-{}", self.second), cpu_milli, cpu_milli * 4);
                // There is one already if two come in one second.
                let _twice = world.cluster(&member).expect("a member").add_node(&node);
            }
            Deed::NodeCordoned { member, node, seconds } => {
                tolerate(world.cluster(&member).and_then(|cluster| Ok(cluster.cordon(&node)?)));
                self.then(seconds, Then::Uncordon(member, node));
            }
            Deed::NodeRemoved { member, node } => {
                tolerate(world.cluster(&member).and_then(|cluster| Ok(cluster.remove_node(&node)?)));
            }
            Deed::NodeFailed { member, node, seconds } => {
                tolerate(world.cluster(&member).and_then(|cluster| Ok(cluster.fail_node(&node)?)));
                self.then(seconds, Then::Mend(member, node));
            }
            Deed::Demand { milli, region } => {
                world.set_demand(self.shape.traffic(milli, region.as_ref()));
            }
            other => unreachable!("{other}"),
        }
    }

    async fn end(&mut self, then: Then) {
        let (world, faults) = (&self.stage.world, &self.stage.faults);
        match then {
            Then::Clear => faults.clear_up(),
            Then::Prompt => faults.lag_watches(std::time::Duration::ZERO),
            Then::Relist => {
                faults.expire_watches(Which::default(), 8);
                faults.cut_watches();
                self.hindered_for(30);
            }
            Then::Heal => {
                if !self.plane_stopped {
                    faults.heal();
                }
            }
            Then::HealMember(member) => world.heal(&member).expect("a member"),
            Then::ResumePlane => {
                self.plane_stopped = false;
                world.resume_control_plane();
                faults.heal();
            }
            Then::Start => {
                self.stage.start_controllers();
                self.is_dead = false;
                if self.plane_stopped {
                    self.stage.faults.partition();
                }
                self.hindered_for(5);
            }
            Then::Unsuspend => self.edit(json!({"suspend": false})).await,
            Then::Return => self.bring_back().await,
            Then::Uncordon(member, node) => {
                tolerate(world.cluster(&member).and_then(|cluster| Ok(cluster.uncordon(&node)?)));
            }
            Then::Mend(member, node) => {
                tolerate(world.cluster(&member).and_then(|cluster| Ok(cluster.mend_node(&node)?)));
            }
        }
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::default_namespaced(self.stage.user.clone())
    }

    fn fed_hpas(&self) -> Api<FedHpa> {
        Api::default_namespaced(self.stage.user.clone())
    }

    async fn delete(&self) {
        // It may be gone already.
        let _absent = self.fed_hpas().delete("web", &DeleteParams::default()).await;
    }

    /// Applies the FedHPA again as soon as the old one is gone.
    async fn bring_back(&mut self) {
        if self.deleted {
            return;
        }
        match self.stage.object(&FED_HPAS, "web") {
            Some(old) if old.pointer("/metadata/deletionTimestamp").is_some() => self.then(5, Then::Return),
            // It was deleted twice in a row.
            Some(_) => {}
            None => self.stage.apply(&self.plan.fed_hpa.to_string()).await,
        }
    }

    async fn edit(&self, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        match self.fed_hpas().patch("web", &PatchParams::default(), &patch).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn set_replicas(deployments: Api<Deployment>, replicas: u32) {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    deployments.patch("web", &PatchParams::default(), &patch).await.expect("patched");
}

/// A node that is not there any more is nobody's concern.
fn tolerate(done: Result<(), WorldError>) {
    drop(done);
}
