//! A member cluster: an API server of its own with nodes, the controllers that keep workloads at their number, a
//! scheduler and the native horizontal pod autoscaler. It knows nothing of Karmada: who writes its objects is the same
//! to it.
//!
//! Everything reacts to objects, as the real controllers do: a node is cordoned by editing it, a pod is lost by
//! deleting it. Not modelled: `ReplicaSets` (a Deployment owns its pods), grace periods, images, volumes, disruption
//! budgets, affinities and tolerations.

mod autoscaling;
mod fleet;
pub mod hpa;
mod keeper;
mod objects;
mod rollout;
mod tally;
pub mod traffic;

pub use fleet::Placement;
pub(crate) use fleet::{Amounts, Fleet, Node, Request};

use crate::apiserver::kinds::{NODES, PODS};
use crate::apiserver::{ApiError, ApiServer};
use crate::clock::Clock;
use crate::fields::{name, namespace, put, text};
use autoscaling::Autoscaling;
use chrono::{DateTime, Utc};
use hpa::CustomMetrics;
use keeper::Keeper;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use traffic::Traffic;

/// A node to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// Allocatable cpu in milli-cores.
    pub cpu_milli: i64,
    /// Allocatable memory in MiB.
    pub memory_mib: i64,
    /// How many pods it takes.
    pub pods: i64,
    /// Labels besides its host name.
    pub labels: BTreeMap<String, String>,
}

impl NodeSpec {
    /// A node that takes 110 pods and has no further labels.
    #[must_use]
    pub fn new(name: &str, cpu_milli: i64, memory_mib: i64) -> Self {
        Self { name: name.to_owned(), cpu_milli, memory_mib, pods: 110, labels: BTreeMap::new() }
    }
}

/// A pod of somebody else that sits on a node from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FillerSpec {
    /// The pod's name.
    pub name: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The node that it is on.
    pub node: String,
    /// What it asks for, in milli-cores.
    pub cpu_milli: i64,
    /// What it asks for, in MiB.
    pub memory_mib: i64,
}

/// How a member behaves, apart from what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Habits {
    /// From its binding to a node a pod needs this long to become ready, a fifth more or less.
    pub start: Duration,
    /// Which node its scheduler prefers.
    pub placement: Placement,
    /// Decides all its chances.
    pub seed: u64,
}

impl Default for Habits {
    fn default() -> Self {
        Self { start: Duration::from_secs(20), placement: Placement::LeastAllocated, seed: 0 }
    }
}

/// A running member cluster. Its tasks end when it is dropped.
pub struct Member {
    api: ApiServer,
    clock: Arc<dyn Clock>,
    fleet: SharedFleet,
    metrics: SharedMetrics,
    _tasks: JoinSet<()>,
}

/// The scheduler's books, shared with those who measure the member.
#[derive(Clone, Default)]
pub(crate) struct SharedFleet(Arc<Mutex<Fleet>>);

impl SharedFleet {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Fleet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the member's custom and external metrics APIs answer.
#[derive(Clone, Default)]
struct SharedMetrics(Arc<Mutex<CustomMetrics>>);

impl SharedMetrics {
    fn lock(&self) -> MutexGuard<'_, CustomMetrics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Starts a member with these nodes and pods on the current tokio runtime. `api` is its API server, whose name is
    /// the member's.
    pub fn start(
        api: ApiServer,
        clock: Arc<dyn Clock>,
        habits: Habits,
        traffic: &Traffic,
        (nodes, fillers): (&[NodeSpec], &[FillerSpec]),
    ) -> Result<Self, ApiError> {
        let fleet = SharedFleet::default();
        let metrics = SharedMetrics::default();
        let keeper = Keeper::new(&api, clock.clone(), habits, fleet.clone(), traffic.clone());
        let autoscaling =
            Autoscaling::new(&api, clock.clone(), fleet.clone(), traffic.clone(), metrics.clone());
        furnish(&api, nodes, fillers, clock.now())?;
        let mut tasks = JoinSet::new();
        tasks.spawn(keeper.run());
        tasks.spawn(autoscaling.run());
        Ok(Self { api, clock, fleet, metrics, _tasks: tasks })
    }

    /// The member's API server.
    #[must_use]
    pub fn api(&self) -> &ApiServer {
        &self.api
    }

    pub(crate) fn fleet(&self) -> SharedFleet {
        self.fleet.clone()
    }

    /// Sets what the custom and external metrics APIs answer from now on.
    pub fn set_metrics(&self, metrics: CustomMetrics) {
        *self.metrics.lock() = metrics;
    }

    /// Adds a node.
    pub fn add_node(&self, node: &NodeSpec) -> Result<(), ApiError> {
        self.api.local("cloud").create(&NODES, objects::node(node, self.clock.now())).map(|_| ())
    }

    /// Takes a node and the pods on it away.
    pub fn remove_node(&self, node: &str) -> Result<(), ApiError> {
        self.api.local("cloud").delete(&NODES, "", node)?;
        self.delete_pods_on(node)
    }

    /// Lets no more pods onto a node.
    pub fn cordon(&self, node: &str) -> Result<(), ApiError> {
        self.edit_node(node, |object| put(object, &["spec", "unschedulable"], json!(true)))
    }

    /// Lets pods onto a node again.
    pub fn uncordon(&self, node: &str) -> Result<(), ApiError> {
        self.edit_node(node, |object| put(object, &["spec", "unschedulable"], json!(false)))
    }

    /// Cordons a node and deletes the pods on it.
    pub fn drain(&self, node: &str) -> Result<(), ApiError> {
        self.cordon(node)?;
        self.delete_pods_on(node)
    }

    /// Breaks a node: its pods are unready at once and evicted after five minutes.
    pub fn fail_node(&self, node: &str) -> Result<(), ApiError> {
        self.set_node_ready(node, "Unknown", "NodeStatusUnknown")
    }

    /// Mends a node.
    pub fn mend_node(&self, node: &str) -> Result<(), ApiError> {
        self.set_node_ready(node, "True", "KubeletReady")
    }

    fn set_node_ready(&self, node: &str, status: &str, reason: &str) -> Result<(), ApiError> {
        let local = self.api.local("kubelet");
        let Some(found) = local.get(&NODES, "", node) else { return Ok(()) };
        let mut object = (*found).clone();
        let condition = objects::condition("Ready", status, reason, "", self.clock.now());
        put(&mut object, &["status", "conditions"], json!([condition]));
        local.update_status(&NODES, object).map(|_| ())
    }

    fn edit_node(&self, node: &str, edit: impl FnOnce(&mut Value)) -> Result<(), ApiError> {
        let local = self.api.local("kubectl");
        let Some(found) = local.get(&NODES, "", node) else { return Ok(()) };
        let mut object = (*found).clone();
        edit(&mut object);
        local.update(&NODES, object).map(|_| ())
    }

    fn delete_pods_on(&self, node: &str) -> Result<(), ApiError> {
        let local = self.api.local("kubectl");
        let pods = local.list(&PODS, None);
        for pod in pods.iter().filter(|pod| text(pod, "/spec/nodeName") == node) {
            local.delete(&PODS, namespace(pod), name(pod))?;
        }
        Ok(())
    }
}

/// What a pod of this spec asks for.
pub(crate) fn requested(pod_spec: &Value) -> Request {
    Request::of(pod_spec)
}

fn furnish(
    api: &ApiServer,
    nodes: &[NodeSpec],
    fillers: &[FillerSpec],
    now: DateTime<Utc>,
) -> Result<(), ApiError> {
    let local = api.local("kubelet");
    for node in nodes {
        local.create(&NODES, objects::node(node, now))?;
    }
    for filler in fillers {
        local.ensure_namespace(&filler.namespace)?;
        local.create(&PODS, objects::filler(filler, now))?;
    }
    Ok(())
}
