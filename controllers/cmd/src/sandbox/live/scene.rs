//! What there is to see.
//!
//! Responsible for gathering it as any user could: from the objects of the control plane and the books of the world.
//! Knows no terminal.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use fedscaler_crds::{
    CronHpa, FedHpa,
    cronhpa::{CronRule, RuleStatus},
    fedhpa::{ClusterPhase, ClusterStatus, FedHpaStatus},
};
use fedscaler_runtime::time::from_wire;
use fedscaler_sandbox::{
    apiserver::{Local, kinds::Kind},
    member::traffic::{PodCount, Workload},
    world::World,
};
use serde::de::DeserializeOwned;

use crate::sandbox::{controls::Controls, narrate::Line};

const FED_HPAS: Kind = Kind::new("autoscaling.fedscaler.io", "v1alpha1", "fedhpas");
const CRON_HPAS: Kind = Kind::new("autoscaling.fedscaler.io", "v1alpha1", "cronhpas");

/// The curves show no more than this.
const REMEMBERED: TimeDelta = TimeDelta::hours(24);

/// A point of the curves each so often.
const POINT: TimeDelta = TimeDelta::minutes(1);

/// Lines that are kept; no terminal shows more.
const TOLD: usize = 500;

/// All that is on the screen.
pub(super) struct Scene {
    /// Sandbox time.
    pub(super) now: DateTime<Utc>,
    /// How fast it passes, in words.
    pub(super) speed: String,
    /// Demand in thousandths of a replica.
    pub(super) demand_milli: i64,
    /// What part of the trace's demand that is.
    pub(super) percent: u32,
    /// Where the kubeconfig is.
    pub(super) kubeconfig: PathBuf,
    /// The way to the end, if there is one.
    pub(super) progress: Option<Progress>,
    /// What the FedHPA says of all members.
    pub(super) totals: Option<Totals>,
    /// The members by name.
    pub(super) clusters: Vec<Cluster>,
    /// Which of them keys are about.
    pub(super) selected: usize,
    /// Demand and ready replicas so far, oldest first.
    pub(super) curve: VecDeque<Point>,
    /// What the rules hold, and what comes next.
    pub(super) slots: Vec<Slot>,
    /// What happened, oldest first.
    pub(super) told: VecDeque<Line>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Progress {
    /// From 0 to 1.
    pub(super) done: f64,
    /// Wall time to the end. None: not known, or it is paused.
    pub(super) to_go: Option<Duration>,
}

/// The FedHPA's totals, as `kubectl get fedhpas` has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) min: Option<i32>,
    pub(super) max: Option<i32>,
    pub(super) unplaced: Option<i32>,
}

/// A member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) min: Option<u32>,
    pub(super) max: Option<u32>,
    pub(super) current: u32,
    pub(super) desired: Option<u32>,
    pub(super) pending: u32,
    pub(super) room: Option<u32>,
    /// In percent of what is free.
    pub(super) fragmentation: Option<u32>,
}

/// What is to be known of a member in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// No FedHPA speaks of it.
    #[default]
    Alone,
    /// What the FedHPA says.
    Phase(ClusterPhase),
    /// It has its share, and wants more than its max.
    Saturated,
    /// The way to it is cut.
    Lost,
}

/// A point of the curves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) at: DateTime<Utc>,
    /// In replicas.
    pub(super) demand: f64,
    pub(super) ready: f64,
}

/// What a rule does, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// When. None: it holds now.
    pub(super) at: Option<DateTime<Utc>>,
    /// Whose: `cronhpa/rule`.
    pub(super) rule: String,
    /// What it sets: a count, or bounds such as `12..60`.
    pub(super) sets: String,
}

impl Scene {
    /// An empty one.
    pub(super) fn new(now: DateTime<Utc>, kubeconfig: PathBuf) -> Self {
        Self {
            now,
            speed: String::new(),
            demand_milli: 0,
            percent: 100,
            kubeconfig,
            progress: None,
            totals: None,
            clusters: Vec::new(),
            selected: 0,
            curve: VecDeque::new(),
            slots: Vec::new(),
            told: VecDeque::new(),
        }
    }

    /// Keeps a line.
    pub(super) fn tell(&mut self, line: Line) {
        if self.told.len() == TOLD {
            self.told.pop_front();
        }
        self.told.push_back(line);
    }

    /// The member that keys are about.
    pub(super) fn selected(&self) -> Option<&str> {
        self.clusters.get(self.selected).map(|cluster| cluster.name.as_str())
    }

    /// The next member, or the one before; around the ends.
    pub(super) fn select(&mut self, forwards: bool) {
        let count = self.clusters.len().max(1);
        let step = if forwards { 1 } else { count - 1 };
        self.selected = (self.selected + step) % count;
    }

    /// Adds a point to the curves, if it is time for one.
    pub(super) fn follow(&mut self, world: &World, workload: &Workload, now: DateTime<Utc>) {
        if self.curve.back().is_some_and(|last| now - last.at < POINT) {
            return;
        }
        let ready: u32 = world.pods(workload).values().map(|count| count.ready).sum();
        let demand = thousandth(world.demand(workload));
        self.curve.push_back(Point { at: now, demand, ready: ready.into() });
        while self.curve.front().is_some_and(|first| now - first.at > REMEMBERED) {
            self.curve.pop_front();
        }
    }

    /// Looks at the world.
    pub(super) fn look(
        &mut self,
        (world, local): (&World, &Local),
        workload: &Workload,
        controls: &Controls,
    ) {
        let fed_hpa: Option<FedHpa> =
            read(local.get(&FED_HPAS, &workload.namespace, &workload.name).as_deref());
        let status = fed_hpa.and_then(|fed_hpa| fed_hpa.status);
        self.demand_milli = world.demand(workload);
        self.percent = controls.percent();
        self.totals = status.as_ref().map(totals);
        let pods = world.pods(workload);
        self.clusters = world
            .members()
            .map(|name| {
                let said = status.iter().flat_map(|status| &status.clusters).find(|said| said.name == name);
                let pods = pods.get(name).copied().unwrap_or_default();
                cluster(name, said, pods, controls.is_lost(name))
            })
            .collect();
        let cron_hpas = local.list(&CRON_HPAS, None);
        self.slots = slots(cron_hpas.iter().filter_map(|object| read(Some(object))));
    }
}

/// Thousandths, for a picture.
#[expect(clippy::cast_precision_loss, reason = "no screen shows the difference")]
pub(super) fn thousandth(milli: i64) -> f64 {
    milli as f64 / 1000.0
}

fn read<K: DeserializeOwned>(object: Option<&serde_json::Value>) -> Option<K> {
    K::deserialize(object?).ok()
}

fn totals(status: &FedHpaStatus) -> Totals {
    let of = status.totals.as_ref();
    Totals {
        min: of.and_then(|totals| totals.min_replicas),
        max: of.and_then(|totals| totals.max_replicas),
        unplaced: status.unplaced,
    }
}

fn cluster(name: &str, said: Option<&ClusterStatus>, pods: PodCount, is_lost: bool) -> Cluster {
    let count = |of: Option<i32>| of.and_then(|count| u32::try_from(count).ok());
    let state = match said {
        _ if is_lost => State::Lost,
        Some(said) if said.saturated => State::Saturated,
        Some(said) => State::Phase(said.phase),
        None => State::Alone,
    };
    Cluster {
        name: name.to_owned(),
        state,
        min: said.and_then(|said| count(said.min_replicas)),
        max: said.and_then(|said| count(said.max_replicas)),
        current: pods.ready,
        desired: said.and_then(|said| count(said.desired_replicas)),
        pending: pods.pending,
        room: said.and_then(|said| count(said.room)),
        fragmentation: said.and_then(|said| count(said.fragmentation_percent)),
    }
}

/// What holds now, then what comes, soonest first.
fn slots(cron_hpas: impl Iterator<Item = CronHpa>) -> Vec<Slot> {
    let mut slots = Vec::new();
    for cron_hpa in cron_hpas {
        let name = cron_hpa.metadata.name.unwrap_or_default();
        let rules: BTreeMap<_, _> =
            cron_hpa.spec.rules.iter().map(|rule| (rule.name.as_str(), rule)).collect();
        for known in cron_hpa.status.iter().flat_map(|status| &status.rules) {
            let Some(rule) = rules.get(known.name.as_str()) else { continue };
            slots.extend(slots_of(&name, rule, known));
        }
    }
    slots.sort_by(|one, other| (one.at, &one.rule).cmp(&(other.at, &other.rule)));
    slots
}

fn slots_of(cron_hpa: &str, rule: &CronRule, known: &RuleStatus) -> impl Iterator<Item = Slot> {
    let slot = |at| Slot { at, rule: format!("{cron_hpa}/{}", rule.name), sets: sets(rule) };
    let now = known.in_force.then(|| slot(None));
    let next = known.next_slot_time.as_ref().map(|time| slot(Some(from_wire(time))));
    now.into_iter().chain(next)
}

/// Bounds as they are shown everywhere; one that a rule leaves alone is left out.
fn sets(rule: &CronRule) -> String {
    let number = |count: Option<i32>| count.map_or_else(String::new, |count| count.to_string());
    match rule.target_replicas {
        Some(count) => count.to_string(),
        None => format!("{}..{}", number(rule.min_replicas), number(rule.max_replicas)),
    }
}
