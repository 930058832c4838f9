//! A whole world: a control plane with Karmada's model, member clusters, and demand on what runs in them. Everything
//! runs as tasks on the current tokio runtime, under whatever time that runtime keeps; the same seed gives the same world.

#[cfg(test)]
mod tests;

use crate::apiserver::{ApiError, ApiServer, Gates};
use crate::clock::Clock;
use crate::karmada::{Joining, Karmada, Lags};
use crate::member::hpa::CustomMetrics;
use crate::member::traffic::{Demand, PodCount, Totals, Traffic, Workload};
use crate::member::{FillerSpec, Habits, Member, NodeSpec, Placement};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::task::JoinSet;

/// Demand is looked at this often even if nothing else happens.
const STEP: Duration = Duration::from_secs(15);

/// What a world is made of.
pub struct WorldSpec {
    /// Decides all lags and start times.
    pub seed: u64,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The member clusters.
    pub members: Vec<MemberSpec>,
    /// The demand from the start on.
    pub demands: Vec<Demand>,
    /// How late Karmada's controllers are.
    pub lags: Lags,
}

/// A member cluster to begin with.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberSpec {
    /// Its name, and its Cluster's.
    pub name: String,
    /// Labels of its Cluster.
    pub labels: BTreeMap<String, String>,
    /// Taints of its Cluster, as in `spec.taints`.
    pub taints: Vec<Value>,
    /// Its nodes.
    pub nodes: Vec<NodeSpec>,
    /// Other people's pods on them.
    pub fillers: Vec<FillerSpec>,
    /// How long a pod needs to become ready, a fifth more or less.
    pub start: Duration,
    /// Which node its scheduler prefers.
    pub placement: Placement,
    /// What its Cluster says of its version. Up to 1.36 its HPAs have a min of at least 1; but for that the member
    /// behaves the same whatever it is.
    pub kubernetes_version: String,
}

impl MemberSpec {
    /// A member of these nodes, without labels, taints and fillers, whose pods need 20 s to become ready.
    #[must_use]
    pub fn new(name: &str, nodes: Vec<NodeSpec>) -> Self {
        let habits = Habits::default();
        Self {
            name: name.to_owned(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            nodes,
            fillers: Vec::new(),
            start: habits.start,
            placement: habits.placement,
            kubernetes_version: "v1.36.0".to_owned(),
        }
    }
}

/// Why a world cannot do what it is asked to.
#[derive(Debug, Error)]
pub enum WorldError {
    /// There is no member of that name.
    #[error("there is no member \"{0}\"")]
    NoSuchMember(String),
    /// An API server refused.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// A running world. Its tasks end when it is dropped.
pub struct World {
    clock: Arc<dyn Clock>,
    control_plane: ApiServer,
    members: BTreeMap<String, Member>,
    karmada: Karmada,
    traffic: Traffic,
    _tasks: JoinSet<()>,
}

impl World {
    /// Starts a world on the current tokio runtime.
    pub fn start(spec: WorldSpec) -> Result<Self, WorldError> {
        let mut seeds = ChaCha8Rng::seed_from_u64(spec.seed);
        let clock = spec.clock;
        let traffic = Traffic::default();
        for demand in spec.demands {
            traffic.set_demand(demand, clock.now());
        }
        let mut members = BTreeMap::new();
        for member in &spec.members {
            members.insert(member.name.clone(), start_member(member, &clock, &traffic, seeds.next_u64())?);
        }
        let control_plane = ApiServer::new("karmada", clock.clone());
        let joining: Vec<_> = spec.members.iter().filter_map(|spec| joining(spec, &members)).collect();
        let karmada = Karmada::start(&control_plane, &clock, &joining, (spec.lags, seeds.next_u64()))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(keep_books(traffic.clone(), clock.clone()));
        Ok(Self { clock, control_plane, members, karmada, traffic, _tasks: tasks })
    }

    /// The control plane's API server.
    #[must_use]
    pub fn control_plane(&self) -> &ApiServer {
        &self.control_plane
    }

    /// A member's API server.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&ApiServer> {
        self.members.get(name).map(Member::api)
    }

    /// The members' names.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// A member's nodes and metrics, to change them.
    pub fn cluster(&self, name: &str) -> Result<&Member, WorldError> {
        self.members.get(name).ok_or_else(|| WorldError::NoSuchMember(name.to_owned()))
    }

    /// Sets the demand on a workload; its trace starts now.
    pub fn set_demand(&self, demand: Demand) {
        self.traffic.set_demand(demand, self.clock.now());
    }

    /// Lets so many percent of a workload's demand come from now on; its trace goes on.
    pub fn scale_demand(&self, workload: &Workload, percent: u32) {
        self.traffic.scale_demand(workload, percent, self.clock.now());
    }

    /// The demand on a workload now, in thousandths of a replica.
    #[must_use]
    pub fn demand(&self, workload: &Workload) -> i64 {
        self.traffic.demand(workload, self.clock.now())
    }

    /// Sets what a member's custom and external metrics APIs answer.
    pub fn set_metrics(&self, member: &str, metrics: CustomMetrics) -> Result<(), WorldError> {
        self.cluster(member)?.set_metrics(metrics);
        Ok(())
    }

    /// A workload's pods, member by member.
    #[must_use]
    pub fn pods(&self, workload: &Workload) -> BTreeMap<String, PodCount> {
        self.traffic.pods(workload)
    }

    /// What a workload has served and what it took, up to now.
    #[must_use]
    pub fn totals(&self, workload: &Workload) -> Totals {
        self.traffic.totals(workload, self.clock.now())
    }

    /// How often Karmada's scheduler has divided each binding (namespace, name) anew, the first time not counted.
    #[must_use]
    pub fn reschedules(&self) -> BTreeMap<(String, String), u64> {
        self.karmada.reschedules()
    }

    /// Cuts the way between the control plane and a member: nothing is dispatched and nothing reported; the member
    /// goes on. After half a minute its Cluster is not ready.
    pub fn partition(&self, member: &str) -> Result<(), WorldError> {
        self.cluster(member)?;
        self.karmada.partition(member);
        Ok(())
    }

    /// Opens the way again. What has happened meanwhile is reported at once; dispatching waits until the Cluster is
    /// ready, half a minute later.
    pub fn heal(&self, member: &str) -> Result<(), WorldError> {
        self.cluster(member)?;
        self.karmada.heal(member);
        Ok(())
    }

    /// Stops the control plane: nothing is dispatched and nothing reported until [`World::resume_control_plane`]; the
    /// members go on. Its API server still answers: whoever should not reach it is to be cut off besides.
    pub fn stop_control_plane(&self) {
        self.karmada.stop();
    }

    /// Lets a stopped control plane go on where it stopped; what the members have done meanwhile is reported at once.
    pub fn resume_control_plane(&self) {
        self.karmada.resume();
    }

    /// Ends all of the world's tasks; its objects can still be read through API servers that were cloned before.
    pub fn stop(self) {
        drop(self);
    }
}

fn start_member(
    spec: &MemberSpec,
    clock: &Arc<dyn Clock>,
    traffic: &Traffic,
    seed: u64,
) -> Result<Member, ApiError> {
    let gates = Gates { hpa_scale_to_zero: minor_version(&spec.kubernetes_version) >= Some(37) };
    let api = ApiServer::with_gates(&spec.name, clock.clone(), gates);
    let habits = Habits { start: spec.start, placement: spec.placement, seed };
    Member::start(api, clock.clone(), habits, traffic, (&spec.nodes, &spec.fillers))
}

/// 37 of `v1.37.0`.
fn minor_version(version: &str) -> Option<u32> {
    version.split('.').nth(1)?.parse().ok()
}

fn joining<'a>(spec: &MemberSpec, members: &'a BTreeMap<String, Member>) -> Option<Joining<'a>> {
    let member = members.get(&spec.name)?;
    Some(Joining {
        member,
        labels: spec.labels.clone(),
        taints: spec.taints.clone(),
        kubernetes_version: spec.kubernetes_version.clone(),
    })
}

async fn keep_books(traffic: Traffic, clock: Arc<dyn Clock>) {
    let mut ticks = tokio::time::interval(STEP);
    loop {
        ticks.tick().await;
        traffic.advance(clock.now());
    }
}
