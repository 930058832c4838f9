//! The member's workload controllers, its scheduler and its kubelets in one loop: pods are made and deleted, bound to
//! nodes, and become ready. Decisions are `rollout`'s and `fleet`'s; this writes them.

use super::fleet::{Owner, Pod, PodKey, Progress, WorkloadKind};
use super::rollout::{Pace, Plan, Seen, Wanted, plan, replicas_of};
use super::tally::Tally;
use super::traffic::{Traffic, Workload};
use super::{Habits, SharedFleet, objects};
use crate::agenda::Agenda;
use crate::apiserver::kinds::{DEPLOYMENTS, NODES, PODS, STATEFUL_SETS};
use crate::apiserver::{ApiError, ApiServer, Change, ChangeType, Changes, Local};
use crate::clock::Clock;
use crate::fields::{int, items, name, namespace, put, text, version};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long the pods of a broken node are left there.
const EVICTION: Duration = Duration::from_mins(5);

/// What a keeper waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A pod's containers are up.
    Up(PodKey),
    /// The pods of a broken node are given up.
    Evict(String),
}

/// A workload as last seen.
struct Kept {
    object: Arc<Value>,
    wanted: Wanted,
    /// The template behind `wanted.revision`, to hash it only when it changes.
    template: Value,
}

pub(super) struct Keeper {
    member: String,
    api: Local,
    changes: Changes,
    clock: Arc<dyn Clock>,
    habits: Habits,
    fleet: SharedFleet,
    traffic: Traffic,
    workloads: BTreeMap<Owner, Kept>,
    dirty: BTreeSet<Owner>,
    /// Whether room may have appeared since the last look at the pods that wait.
    look: bool,
    agenda: Agenda<Due>,
    dice: ChaCha8Rng,
}

impl Keeper {
    pub(super) fn new(
        api: &ApiServer,
        clock: Arc<dyn Clock>,
        habits: Habits,
        fleet: SharedFleet,
        traffic: Traffic,
    ) -> Self {
        let local = api.local("kube-controller-manager");
        Self {
            member: api.name().to_owned(),
            changes: local.changes(),
            api: local,
            clock,
            dice: ChaCha8Rng::seed_from_u64(habits.seed),
            habits,
            fleet,
            traffic,
            workloads: BTreeMap::new(),
            dirty: BTreeSet::new(),
            look: false,
            agenda: Agenda::new(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                change = self.changes.next() => self.observe(&change),
                () = self.agenda.wait() => {
                    while let Some(due) = self.agenda.pop() {
                        self.meet(due);
                    }
                }
            }
            while let Some(change) = self.changes.ready() {
                self.observe(&change);
            }
            self.settle();
        }
    }

    fn observe(&mut self, change: &Change) {
        if *change.kind == PODS {
            self.observe_pod(change);
        } else if *change.kind == NODES {
            self.observe_node(change);
        } else if *change.kind == DEPLOYMENTS {
            self.observe_workload(WorkloadKind::Deployment, change);
        } else if *change.kind == STATEFUL_SETS {
            self.observe_workload(WorkloadKind::StatefulSet, change);
        }
    }

    fn observe_workload(&mut self, kind: WorkloadKind, change: &Change) {
        let object = &change.object;
        let owner = Owner { kind, namespace: namespace(object).to_owned(), name: name(object).to_owned() };
        if change.what == ChangeType::Deleted {
            self.workloads.remove(&owner);
            self.dirty.insert(owner);
            return;
        }
        let known = self.workloads.get(&owner);
        let generation = int(object, "/metadata/generation");
        if known.is_some_and(|known| int(&known.object, "/metadata/generation") == generation) {
            if let Some(known) = self.workloads.get_mut(&owner) {
                known.object = object.clone();
            }
            return;
        }
        let replicas = replicas_of(object);
        let template = object.pointer("/spec/template").cloned().unwrap_or_default();
        let same = known.filter(|known| known.template == template);
        let revision = same.map_or_else(|| hash(&template), |known| known.wanted.revision.clone());
        let pace = match kind {
            WorkloadKind::Deployment => Pace::of_deployment(object, replicas),
            WorkloadKind::StatefulSet => Pace::of_stateful_set(object),
        };
        let wanted = Wanted { replicas, revision, pace };
        self.workloads.insert(owner.clone(), Kept { object: object.clone(), wanted, template });
        self.dirty.insert(owner);
    }

    fn observe_pod(&mut self, change: &Change) {
        let object = &change.object;
        let key = (namespace(object).to_owned(), name(object).to_owned());
        // What this loop wrote itself it knows already, and a pod of the same name may have followed a deleted one.
        if self.fleet.lock().pod(&key).is_some_and(|pod| pod.version >= version(object)) {
            return;
        }
        if change.what == ChangeType::Deleted {
            self.forget(&key);
        } else {
            self.take(key, object);
        }
    }

    /// Takes a pod as it is now, whoever wrote it.
    fn take(&mut self, key: PodKey, object: &Value) {
        let pod = Pod::read(object);
        self.look |= pod.is_waiting() || pod.progress == Progress::Finished;
        self.dirty.extend(pod.owner.clone());
        if matches!(pod.progress, Progress::Starting { .. }) {
            let broken = pod.node.as_ref().is_some_and(|node| !self.node_is_ready(node));
            if !broken {
                self.agenda.add(Due::Up(key.clone()), start_time(&mut self.dice, self.habits.start));
            }
        }
        self.fleet.lock().set_pod(key, pod);
    }

    fn node_is_ready(&self, node: &str) -> bool {
        self.fleet.lock().nodes().get(node).is_some_and(|node| node.ready)
    }

    fn forget(&mut self, key: &PodKey) {
        let removed = self.fleet.lock().remove_pod(key);
        if let Some(pod) = removed {
            self.dirty.extend(pod.owner);
            self.look = true;
        }
    }

    fn observe_node(&mut self, change: &Change) {
        let node = name(&change.object);
        self.look = true;
        if change.what == ChangeType::Deleted {
            self.fleet.lock().remove_node(node);
            return;
        }
        let was = self.node_is_ready(node);
        let known = self.fleet.lock().nodes().contains_key(node);
        self.fleet.lock().set_node(&change.object);
        match (was, self.node_is_ready(node)) {
            (true, false) if known => self.node_broken(node),
            (false, true) if known => self.node_mended(node),
            _ => {}
        }
    }

    fn pods_on(&self, node: &str) -> Vec<(PodKey, Progress)> {
        let fleet = self.fleet.lock();
        fleet.pods_on(node).map(|(key, pod)| (key.clone(), pod.progress)).collect()
    }

    /// A mended node's pods come up again.
    fn node_mended(&mut self, node: &str) {
        for (key, progress) in self.pods_on(node) {
            if let Progress::Starting { .. } = progress {
                self.agenda.add(Due::Up(key), start_time(&mut self.dice, self.habits.start));
            }
        }
    }

    /// A broken node's pods are unready at once.
    fn node_broken(&mut self, node: &str) {
        let now = self.clock.now();
        for (key, progress) in self.pods_on(node) {
            if let Progress::Ready { started, .. } = progress {
                self.write_progress(&key, Progress::Starting { started, since: now });
            }
        }
        self.agenda.add(Due::Evict(node.to_owned()), EVICTION);
    }

    fn meet(&mut self, due: Due) {
        match due {
            Due::Up(key) => self.bring_up(&key),
            Due::Evict(node) if !self.node_is_ready(&node) => {
                for (key, _) in self.pods_on(&node) {
                    self.delete(&key);
                }
            }
            Due::Evict(_) => {}
        }
    }

    fn bring_up(&mut self, key: &PodKey) {
        let found = self.fleet.lock().pod(key).map(|pod| (pod.progress, pod.node.clone()));
        let Some((Progress::Starting { started, .. }, Some(node))) = found else { return };
        if self.node_is_ready(&node) {
            self.write_progress(key, Progress::Ready { started, since: self.clock.now() });
        }
    }

    fn write_progress(&mut self, key: &PodKey, progress: Progress) {
        let Some(found) = self.api.get(&PODS, &key.0, &key.1) else { return };
        let mut object = (*found).clone();
        objects::set_status(&mut object, progress, self.clock.now());
        let written = self.api.update_status(&PODS, object);
        self.took(key, written);
    }

    /// Notes what a write of a pod left behind; the change that follows says nothing new.
    fn took(&mut self, key: &PodKey, written: Result<Arc<Value>, ApiError>) {
        match written {
            Ok(object) => {
                let pod = Pod::read(&object);
                self.dirty.extend(pod.owner.clone());
                self.fleet.lock().set_pod(key.clone(), pod);
            }
            Err(error) => tracing::debug!(member = self.member, pod = key.1, %error, "pod not written"),
        }
    }

    fn delete(&mut self, key: &PodKey) {
        match self.api.delete(&PODS, &key.0, &key.1) {
            Ok(()) => self.forget(key),
            Err(error) => tracing::debug!(member = self.member, pod = key.1, %error, "pod not deleted"),
        }
    }

    /// Does what is left to do: workloads first, then the pods that wait, then what there is to say about it.
    fn settle(&mut self) {
        if self.dirty.is_empty() && !self.look {
            return;
        }
        let mut moved = BTreeSet::new();
        // A deletion that a plan makes can call for another plan, as in a StatefulSet's update.
        while let Some(owner) = self.dirty.pop_first() {
            self.keep(&owner);
            moved.insert(owner);
        }
        if std::mem::take(&mut self.look) {
            self.schedule();
        }
        moved.append(&mut self.dirty);
        for owner in moved {
            self.report(&owner);
        }
    }

    fn keep(&mut self, owner: &Owner) {
        let planned = match self.workloads.get(owner) {
            Some(kept) => next(&kept.wanted, &self.fleet, owner),
            None => everything(&self.fleet, owner),
        };
        for pod in planned.delete {
            self.delete(&(owner.namespace.clone(), pod));
        }
        let Some(kept) = self.workloads.get(owner) else { return };
        let ordinals = planned.ordinals.into_iter().map(Some);
        let unnamed = (0..planned.make).map(|_| None);
        let pods: Vec<_> = ordinals
            .chain(unnamed)
            .map(|ordinal| objects::pod(&kept.object, owner, &kept.wanted.revision, ordinal))
            .collect();
        for pod in pods {
            match self.api.create(&PODS, pod) {
                Ok(made) => self.take((owner.namespace.clone(), name(&made).to_owned()), &made),
                Err(error) => tracing::debug!(member = self.member, %error, "pod not created"),
            }
        }
    }

    fn schedule(&mut self) {
        let waiting = self.fleet.lock().waiting();
        for key in waiting {
            let node = self.fleet.lock().place(&key, self.habits.placement);
            match node {
                Some(node) => self.bind(&key, &node),
                None => self.say_unschedulable(&key),
            }
        }
    }

    fn bind(&mut self, key: &PodKey, node: &str) {
        let Some(found) = self.api.get(&PODS, &key.0, &key.1) else { return };
        let mut object = (*found).clone();
        put(&mut object, &["spec", "nodeName"], node.into());
        let now = self.clock.now();
        let bound = self.api.update(&PODS, object).and_then(|bound| {
            let mut object = (*bound).clone();
            objects::set_status(&mut object, Progress::Starting { started: now, since: now }, now);
            self.api.update_status(&PODS, object)
        });
        if bound.is_ok() {
            self.agenda.add(Due::Up(key.clone()), start_time(&mut self.dice, self.habits.start));
        }
        self.took(key, bound);
    }

    fn say_unschedulable(&mut self, key: &PodKey) {
        let Some(found) = self.api.get(&PODS, &key.0, &key.1) else { return };
        let said = items(&found, "/status/conditions").iter().any(|condition| {
            text(condition, "/type") == "PodScheduled" && text(condition, "/status") == "False"
        });
        if !said {
            self.write_progress(key, Progress::Waiting);
        }
    }

    /// Counts a workload's pods and writes what has changed into its status.
    fn report(&mut self, owner: &Owner) {
        let revision = self.workloads.get(owner).map(|kept| kept.wanted.revision.as_str());
        let tally = Tally::of(&self.fleet, owner, revision.unwrap_or_default());
        let workload = Workload { namespace: owner.namespace.clone(), name: owner.name.clone() };
        self.traffic.report(&self.member, &workload, tally.pods(), self.clock.now());
        let Some(kept) = self.workloads.get(owner) else { return };
        let mut object = (*kept.object).clone();
        let status = tally.status(owner.kind, &kept.object, &kept.wanted, self.clock.now());
        if kept.object.get("status") == Some(&status) {
            return;
        }
        // Without its version: only this writes the status, and the spec may have moved on.
        put(&mut object, &["metadata", "resourceVersion"], Value::from(""));
        object["status"] = status;
        match self.api.update_status(&owner.kind.served(), object) {
            Ok(written) => {
                if let Some(kept) = self.workloads.get_mut(owner) {
                    kept.object = keep_spec(&kept.object, &written);
                }
            }
            Err(error) => tracing::debug!(member = self.member, %error, "workload status not written"),
        }
    }
}

/// The written object if it is of the generation that was seen; otherwise the seen one with the written status, so that
/// the change to the newer generation is still news when it arrives.
fn keep_spec(seen: &Arc<Value>, written: &Arc<Value>) -> Arc<Value> {
    if int(seen, "/metadata/generation") == int(written, "/metadata/generation") {
        return written.clone();
    }
    let mut merged = (**seen).clone();
    merged["status"] = written["status"].clone();
    Arc::new(merged)
}

fn start_time(dice: &mut ChaCha8Rng, start: Duration) -> Duration {
    start * (80 + dice.next_u32() % 41) / 100
}

/// FNV-1a over the template's text, as ten digits and letters at most.
fn hash(template: &Value) -> String {
    let bytes = template.to_string();
    let sum =
        bytes.bytes().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{sum:x}")
}

fn next(wanted: &Wanted, fleet: &SharedFleet, owner: &Owner) -> Plan {
    let fleet = fleet.lock();
    let living = fleet.pods_of(owner).filter(|(_, pod)| pod.progress != Progress::Finished);
    let pods: Vec<_> = living.map(|(name, pod)| seen(name, pod)).collect();
    plan(wanted, &pods)
}

fn seen<'a>(name: &'a str, pod: &'a Pod) -> Seen<'a> {
    let ready_since = match pod.progress {
        Progress::Ready { since, .. } => Some(since),
        Progress::Waiting | Progress::Starting { .. } | Progress::Finished => None,
    };
    Seen { name, revision: &pod.revision, bound: pod.node.is_some(), ready_since, created: pod.created }
}

fn everything(fleet: &SharedFleet, owner: &Owner) -> Plan {
    let delete = fleet.lock().pods_of(owner).map(|(name, _)| name.to_owned()).collect();
    Plan { delete, ..Plan::default() }
}
