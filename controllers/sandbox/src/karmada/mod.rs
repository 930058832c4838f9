//! A model of Karmada on a control plane's API server: its kinds, and the controllers between a template and what runs
//! in the members. Each controller is a task with a lag of its own, as measured on a live Karmada (1.18.2, default
//! feature gates); the races that follow from the lags are part of the model.
//!
//! Not modelled yet: failover and taint eviction, the descheduler, quotas, override policies, dependencies, Jobs,
//! cluster-scoped templates, custom resource models of clusters, pull mode, admission by Karmada's webhooks (what they
//! stamp on Works is stamped by whoever makes the Work here). Members are joined once, at the start.

mod aggregation;
mod binding;
mod cluster;
mod detector;
mod division;
mod estimate;
mod execution;
mod interpreter;
pub mod kinds;
pub mod names;
mod policy;
mod reflection;
mod scheduler;
mod status;

use crate::apiserver::{ApiError, ApiServer, Change, Changes, Local};
use crate::clock::Clock;
use crate::member::{Member, SharedFleet};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long something takes: anything from `least` to `most`, evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl Lag {
    /// A lag in milliseconds.
    #[must_use]
    pub const fn millis(least: u64, most: u64) -> Self {
        Self { least: Duration::from_millis(least), most: Duration::from_millis(most) }
    }

    fn draw(self, dice: &mut ChaCha8Rng) -> Duration {
        let span = u64::try_from(self.most.saturating_sub(self.least).as_micros()).unwrap_or(u64::MAX);
        self.least + Duration::from_micros(dice.next_u64() % span.saturating_add(1))
    }
}

/// How long each controller takes from an event to its write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lags {
    /// From a template's change to its binding. The detector works on the template as it was at the beginning.
    pub detector: Lag,
    /// From a binding's change to the scheduler's look at it.
    pub scheduler: Lag,
    /// From the scheduler's look to its patch, which carries no resource version.
    pub solving: Lag,
    /// From a binding's change to its Works.
    pub binding: Lag,
    /// From a Work's, or a member object's, change to the member's object.
    pub execution: Lag,
    /// From a member object's change to its Work's status.
    pub status: Lag,
    /// From a Work's status to its binding's, and from there to its template's.
    pub aggregation: Lag,
}

impl Default for Lags {
    fn default() -> Self {
        Self {
            detector: Lag::millis(5, 300),
            scheduler: Lag::millis(2, 10),
            solving: Lag::millis(1, 5),
            binding: Lag::millis(5, 20),
            execution: Lag::millis(10, 30),
            status: Lag::millis(8, 40),
            aggregation: Lag::millis(5, 20),
        }
    }
}

/// A member to be joined.
pub struct Joining<'a> {
    /// The member.
    pub member: &'a Member,
    /// Labels of its Cluster.
    pub labels: BTreeMap<String, String>,
    /// Taints of its Cluster, as in `spec.taints`.
    pub taints: Vec<Value>,
    /// What its Cluster says of its version, such as `v1.36.0`.
    pub kubernetes_version: String,
}

/// A running Karmada. Its tasks end when it is dropped.
pub struct Karmada {
    links: Links,
    divisions: Divisions,
    _tasks: JoinSet<()>,
}

impl Karmada {
    /// Serves Karmada's kinds on the control plane's API server, joins the members and starts the controllers on the
    /// current tokio runtime.
    pub fn start(
        api: &ApiServer,
        clock: &Arc<dyn Clock>,
        members: &[Joining<'_>],
        (lags, seed): (Lags, u64),
    ) -> Result<Self, ApiError> {
        kinds::install(api);
        let links = Links::default();
        let divisions = Divisions::default();
        let mut tasks = JoinSet::new();
        let mut seeds = ChaCha8Rng::seed_from_u64(seed);
        let mut desk = |manager: &str| Desk::new(api, manager, clock, lags, seeds.next_u64());
        tasks.spawn(detector::Detector::new(desk("karmada-controller-manager")).run());
        tasks.spawn(scheduler::Scheduler::new(desk("karmada-scheduler"), divisions.clone()).run());
        tasks.spawn(binding::Binding::new(desk("karmada-controller-manager")).run());
        tasks.spawn(aggregation::Aggregation::new(desk("karmada-controller-manager")).run());
        let mut posts = Vec::new();
        for joining in members {
            let post = Post::new(joining, &links);
            let (execution, status) =
                (desk("karmada-controller-manager"), desk("karmada-controller-manager"));
            tasks.spawn(execution::Execution::new(execution, post.clone()).run());
            tasks.spawn(status::Reflecting::new(status, post.clone()).run());
            posts.push(post);
        }
        for (joining, post) in members.iter().zip(&posts) {
            cluster::join(&api.local("karmadactl"), &post.name, &joining.labels, &joining.taints)?;
        }
        tasks.spawn(cluster::ClusterStatus::new(desk("karmada-controller-manager"), posts).run());
        Ok(Self { links, divisions, _tasks: tasks })
    }

    /// Cuts the way between the control plane and a member; the member goes on.
    pub fn partition(&self, member: &str) {
        self.links.set(member, Way::Cut);
    }

    /// Opens the way to a member again.
    pub fn heal(&self, member: &str) {
        self.links.set(member, Way::Open);
    }

    /// Stops the control plane: nothing is dispatched, nothing reported, and nobody judges who can be reached.
    pub fn stop(&self) {
        self.links.run(Plane::Stopped);
    }

    /// Lets a stopped control plane go on where it stopped.
    pub fn resume(&self) {
        self.links.run(Plane::Running);
    }

    /// How often the scheduler has divided each binding (namespace, name) anew, the first time not counted.
    #[must_use]
    pub fn reschedules(&self) -> BTreeMap<(String, String), u64> {
        self.divisions.all()
    }
}

/// Counts of divisions after the first.
#[derive(Clone, Default)]
struct Divisions(Arc<Mutex<BTreeMap<(String, String), u64>>>);

impl Divisions {
    fn count(&self, namespace: &str, name: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((namespace.to_owned(), name.to_owned())).or_default() += 1;
    }

    fn all(&self) -> BTreeMap<(String, String), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a member can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    Cut,
}

/// Whether the control plane runs at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Plane {
    #[default]
    Running,
    Stopped,
}

/// Who can be reached.
#[derive(Debug, Default)]
struct Reach {
    plane: Plane,
    cut: BTreeSet<String>,
}

/// The ways to the members.
#[derive(Clone)]
struct Links(Arc<watch::Sender<Reach>>);

impl Default for Links {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Reach::default())))
    }
}

impl Links {
    fn set(&self, member: &str, way: Way) {
        self.0.send_if_modified(|reach| match way {
            Way::Cut => reach.cut.insert(member.to_owned()),
            Way::Open => reach.cut.remove(member),
        });
    }

    fn run(&self, plane: Plane) {
        self.0.send_modify(|reach| reach.plane = plane);
    }

    fn plane(&self) -> Plane {
        self.0.borrow().plane
    }

    fn way(&self, member: &str) -> Way {
        let reach = self.0.borrow();
        if reach.plane == Plane::Stopped || reach.cut.contains(member) { Way::Cut } else { Way::Open }
    }
}

/// A controller's place at the control plane: what it reads and writes with, its lags and its dice.
struct Desk {
    api: Local,
    changes: Changes,
    clock: Arc<dyn Clock>,
    lags: Lags,
    dice: ChaCha8Rng,
}

impl Desk {
    fn new(api: &ApiServer, manager: &str, clock: &Arc<dyn Clock>, lags: Lags, seed: u64) -> Self {
        let api = api.local(manager);
        let dice = ChaCha8Rng::seed_from_u64(seed);
        Self { changes: api.changes(), api, clock: clock.clone(), lags, dice }
    }

    fn draw(&mut self, lag: fn(&Lags) -> Lag) -> Duration {
        lag(&self.lags).draw(&mut self.dice)
    }

    /// A random identity, as Karmada's webhooks give.
    fn identity(&mut self) -> String {
        let [a, b, c, d] = [(); 4].map(|()| self.dice.next_u32());
        format!("{a:08x}-{:04x}-4{:03x}-8{:03x}-{c:08x}{:04x}", b >> 16, b & 0xfff, d >> 20, d & 0xffff)
    }
}

/// The way from the control plane to one member.
#[derive(Clone)]
struct Post {
    name: String,
    api: ApiServer,
    fleet: SharedFleet,
    links: Links,
    kubernetes_version: String,
}

impl Post {
    fn new(joining: &Joining<'_>, links: &Links) -> Self {
        let api = joining.member.api().clone();
        Self {
            name: api.name().to_owned(),
            fleet: joining.member.fleet(),
            links: links.clone(),
            kubernetes_version: joining.kubernetes_version.clone(),
            api,
        }
    }

    fn way(&self) -> Way {
        self.links.way(&self.name)
    }

    fn is_open(&self) -> bool {
        self.way() == Way::Open
    }

    /// Follows whether the member can be reached.
    fn follow(&self) -> watch::Receiver<Reach> {
        self.links.0.subscribe()
    }
}

/// Whether a change touches anything but the status and what the server keeps itself.
fn is_more_than_status(change: &Change) -> bool {
    let Some(previous) = &change.previous else { return true };
    let (Some(old), Some(new)) = (previous.as_object(), change.object.as_object()) else { return true };
    let own = |key: &String| key != "status" && key != "metadata";
    let specs = old.iter().filter(|(key, _)| own(key)).eq(new.iter().filter(|(key, _)| own(key)));
    !specs || !same_metadata(&previous["metadata"], &change.object["metadata"])
}

fn same_metadata(old: &Value, new: &Value) -> bool {
    let meant = ["labels", "annotations", "finalizers", "ownerReferences", "deletionTimestamp"];
    meant.iter().all(|key| old.get(*key) == new.get(*key))
}

/// Sets a condition in `status.conditions`; its time moves only with its status.
fn set_condition(object: &mut Value, kind: &str, status: &str, reason: &str, (message, now): (&str, String)) {
    let mut conditions = crate::fields::items(object, "/status/conditions").to_vec();
    let known = conditions.iter_mut().find(|known| known["type"] == kind);
    let since = known.as_ref().filter(|known| known["status"] == status);
    let since = since.map_or(json!(now), |known| known["lastTransitionTime"].clone());
    let condition = json!({"type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": since});
    match known {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
    crate::fields::put(object, &["status", "conditions"], conditions.into());
}
