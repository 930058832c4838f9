//! The nodes and pods of a member, as its scheduler sees them: who asks for what, and where it fits.
//! Pure bookkeeping: it writes no object and reads no clock.
//!
//! A pod's node selector, a node's cordon and a node's readiness are honoured; affinities, taints beyond those and
//! topology spread are not modelled.

use crate::apiserver::kinds::{DEPLOYMENTS, Kind, STATEFUL_SETS};
use crate::fields::{deleting, items, name, text, time, truth, version};
use crate::quantity::milli;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Which of the nodes with room gets a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// The emptiest: load is spread, and fragments.
    #[default]
    LeastAllocated,
    /// The fullest: pods are packed.
    MostAllocated,
}

/// The kinds of workload that a member keeps at their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WorkloadKind {
    Deployment,
    StatefulSet,
}

impl WorkloadKind {
    pub(crate) fn named(kind: &str) -> Option<Self> {
        match kind {
            "Deployment" => Some(Self::Deployment),
            "StatefulSet" => Some(Self::StatefulSet),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
        }
    }

    /// Where the API serves it.
    pub(crate) fn served(self) -> Kind {
        match self {
            Self::Deployment => DEPLOYMENTS,
            Self::StatefulSet => STATEFUL_SETS,
        }
    }
}

/// A workload of a member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    pub(crate) kind: WorkloadKind,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// A pod's namespace and name.
pub(crate) type PodKey = (String, String);

/// How far a pod has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// On no node.
    Waiting,
    /// On a node and not ready.
    Starting { started: DateTime<Utc>, since: DateTime<Utc> },
    /// Ready.
    Ready { started: DateTime<Utc>, since: DateTime<Utc> },
    /// Over: it holds nothing any more.
    Finished,
}

/// What a pod asks for: milli-cores and bytes; absent where a container asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Request {
    pub(crate) cpu: Option<i64>,
    pub(crate) memory: Option<i64>,
}

impl Request {
    /// The sum over a pod spec's containers.
    pub(crate) fn of(pod_spec: &Value) -> Self {
        let containers = items(pod_spec, "/containers");
        let sum = |pointer: &str| -> Option<i64> {
            let asked = containers.iter().map(|container| milli(text(container, pointer)));
            if containers.is_empty() { None } else { asked.sum() }
        };
        Self {
            cpu: sum("/resources/requests/cpu"),
            memory: sum("/resources/requests/memory").map(|bytes| bytes / 1000),
        }
    }
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) owner: Option<Owner>,
    pub(crate) request: Request,
    pub(crate) node: Option<String>,
    pub(crate) selector: BTreeMap<String, String>,
    pub(crate) progress: Progress,
    /// The hash of the template it was made from.
    pub(crate) revision: String,
    pub(crate) created: DateTime<Utc>,
    /// The version of the object that this was read from.
    pub(crate) version: u64,
}

impl Pod {
    /// Reads a pod object.
    pub(crate) fn read(object: &Value) -> Self {
        let created = time(object, "/metadata/creationTimestamp").unwrap_or_default();
        let node = Some(text(object, "/spec/nodeName")).filter(|node| !node.is_empty());
        Self {
            owner: owner_of(object),
            request: Request::of(object.get("spec").unwrap_or(&Value::Null)),
            node: node.map(str::to_owned),
            selector: labels(object, "/spec/nodeSelector"),
            progress: progress_of(object, created),
            revision: crate::fields::label(object, super::objects::REVISION_LABEL)
                .unwrap_or_default()
                .to_owned(),
            created,
            version: version(object),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.progress, Progress::Ready { .. })
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.node.is_none() && self.progress == Progress::Waiting
    }

    fn holds(&self) -> Option<(&str, Request)> {
        let node = self.node.as_deref().filter(|_| self.progress != Progress::Finished)?;
        Some((node, self.request))
    }
}

fn owner_of(object: &Value) -> Option<Owner> {
    let owners = items(object, "/metadata/ownerReferences");
    let controller = owners.iter().find(|owner| truth(owner, "/controller"))?;
    let kind = WorkloadKind::named(text(controller, "/kind"))?;
    let namespace = text(object, "/metadata/namespace").to_owned();
    Some(Owner { kind, namespace, name: text(controller, "/name").to_owned() })
}

fn progress_of(object: &Value, created: DateTime<Utc>) -> Progress {
    let phase = text(object, "/status/phase");
    if matches!(phase, "Succeeded" | "Failed") || deleting(object) {
        return Progress::Finished;
    }
    if text(object, "/spec/nodeName").is_empty() {
        return Progress::Waiting;
    }
    let started = time(object, "/status/startTime").unwrap_or(created);
    let conditions = items(object, "/status/conditions");
    let ready = conditions.iter().find(|condition| text(condition, "/type") == "Ready");
    let since = ready.and_then(|ready| time(ready, "/lastTransitionTime")).unwrap_or(started);
    match ready.map(|ready| text(ready, "/status")) {
        Some("True") => Progress::Ready { started, since },
        Some(_) | None => Progress::Starting { started, since },
    }
}

fn labels(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    let map = object.pointer(pointer).and_then(Value::as_object);
    let pairs = map.into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Amounts of a node: milli-cores, bytes, pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Amounts {
    pub(crate) cpu: i64,
    pub(crate) memory: i64,
    pub(crate) pods: i64,
}

impl Amounts {
    pub(crate) fn of(request: Request) -> Self {
        Self { cpu: request.cpu.unwrap_or(0), memory: request.memory.unwrap_or(0), pods: 1 }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, memory: self.memory + other.memory, pods: self.pods + other.pods }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self { cpu: self.cpu - other.cpu, memory: self.memory - other.memory, pods: self.pods - other.pods }
    }

    fn holds(self, other: Self) -> bool {
        self.cpu >= other.cpu && self.memory >= other.memory && self.pods >= other.pods
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) allocatable: Amounts,
    pub(crate) used: Amounts,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) cordoned: bool,
    pub(crate) ready: bool,
}

impl Node {
    fn read(object: &Value, used: Amounts) -> Self {
        let amount = |key: &str| milli(text(object, &format!("/status/allocatable/{key}"))).unwrap_or(0);
        let conditions = items(object, "/status/conditions");
        let ready = conditions.iter().find(|condition| text(condition, "/type") == "Ready");
        Self {
            allocatable: Amounts {
                cpu: amount("cpu"),
                memory: amount("memory") / 1000,
                pods: amount("pods") / 1000,
            },
            used,
            labels: labels(object, "/metadata/labels"),
            cordoned: truth(object, "/spec/unschedulable"),
            ready: ready.is_some_and(|ready| text(ready, "/status") == "True"),
        }
    }

    pub(crate) fn free(&self) -> Amounts {
        self.allocatable.minus(self.used)
    }

    fn takes(&self, pod: &Pod) -> bool {
        let selected = pod.selector.iter().all(|(key, value)| self.labels.get(key) == Some(value));
        self.ready && !self.cordoned && selected && self.free().holds(Amounts::of(pod.request))
    }

    /// How full the node would be with the pod, in thousandths, cpu and memory counting alike.
    fn fullness_with(&self, pod: &Pod) -> i64 {
        let used = self.used.plus(Amounts::of(pod.request));
        let share = |used: i64, of: i64| {
            let exact = i128::from(used) * 1000 / i128::from(of.max(1));
            i64::try_from(exact).unwrap_or(i64::MAX)
        };
        share(used.cpu, self.allocatable.cpu) + share(used.memory, self.allocatable.memory)
    }
}

/// All nodes and pods of a member.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    nodes: BTreeMap<String, Node>,
    pods: BTreeMap<PodKey, Pod>,
    owned: BTreeMap<Owner, BTreeSet<String>>,
    waiting: BTreeSet<(DateTime<Utc>, PodKey)>,
    revision: u64,
}

impl Fleet {
    /// Grows whenever something about room or requests changes.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn nodes(&self) -> &BTreeMap<String, Node> {
        &self.nodes
    }

    pub(crate) fn pod(&self, key: &PodKey) -> Option<&Pod> {
        self.pods.get(key)
    }

    /// The pods of a workload, by name.
    pub(crate) fn pods_of<'a>(&'a self, owner: &'a Owner) -> impl Iterator<Item = (&'a str, &'a Pod)> + 'a {
        let names = self.owned.get(owner).into_iter().flatten();
        names.filter_map(|name| {
            let pod = self.pods.get(&(owner.namespace.clone(), name.clone()))?;
            Some((name.as_str(), pod))
        })
    }

    /// The pods on a node.
    pub(crate) fn pods_on<'a>(&'a self, node: &'a str) -> impl Iterator<Item = (&'a PodKey, &'a Pod)> + 'a {
        self.pods.iter().filter(move |(_, pod)| pod.node.as_deref() == Some(node))
    }

    /// The requests of the pods that are on no node.
    pub(crate) fn unbound(&self) -> Amounts {
        let pods = self.waiting.iter().filter_map(|(_, key)| self.pods.get(key));
        pods.fold(Amounts::default(), |sum, pod| sum.plus(Amounts::of(pod.request)))
    }

    /// Takes a node as it is now.
    pub(crate) fn set_node(&mut self, object: &Value) {
        let used = self.nodes.get(name(object)).map(|node| node.used);
        let used = used.unwrap_or_else(|| self.used_on(name(object)));
        self.nodes.insert(name(object).to_owned(), Node::read(object, used));
        self.revision += 1;
    }

    fn used_on(&self, node: &str) -> Amounts {
        let holding = self.pods.values().filter_map(Pod::holds).filter(|(on, _)| *on == node);
        holding.fold(Amounts::default(), |sum, (_, request)| sum.plus(Amounts::of(request)))
    }

    /// Forgets a node.
    pub(crate) fn remove_node(&mut self, name: &str) {
        self.nodes.remove(name);
        self.revision += 1;
    }

    /// Takes a pod as it is now.
    pub(crate) fn set_pod(&mut self, key: PodKey, pod: Pod) {
        self.remove_pod(&key);
        if let Some(node) = pod.holds().and_then(|(node, _)| self.nodes.get_mut(node)) {
            node.used = node.used.plus(Amounts::of(pod.request));
        }
        if let Some(owner) = &pod.owner {
            self.owned.entry(owner.clone()).or_default().insert(key.1.clone());
        }
        if pod.is_waiting() {
            self.waiting.insert((pod.created, key.clone()));
        }
        self.pods.insert(key, pod);
        self.revision += 1;
    }

    /// Forgets a pod.
    pub(crate) fn remove_pod(&mut self, key: &PodKey) -> Option<Pod> {
        let pod = self.pods.remove(key)?;
        if let Some(node) = pod.holds().and_then(|(node, _)| self.nodes.get_mut(node)) {
            node.used = node.used.minus(Amounts::of(pod.request));
        }
        if let Some(names) = pod.owner.as_ref().and_then(|owner| self.owned.get_mut(owner)) {
            names.remove(&key.1);
        }
        self.waiting.remove(&(pod.created, key.clone()));
        self.revision += 1;
        Some(pod)
    }

    /// The pods that are on no node, oldest first.
    pub(crate) fn waiting(&self) -> Vec<PodKey> {
        self.waiting.iter().map(|(_, key)| key.clone()).collect()
    }

    /// The node for a pod, if it fits on any. Ties go to the first name.
    pub(crate) fn place(&self, key: &PodKey, placement: Placement) -> Option<String> {
        let pod = self.pods.get(key)?;
        let fitting = self.nodes.iter().filter(|(_, node)| node.takes(pod));
        let best = match placement {
            Placement::LeastAllocated => fitting.min_by_key(|(name, node)| (node.fullness_with(pod), *name)),
            Placement::MostAllocated => fitting.min_by_key(|(name, node)| (-node.fullness_with(pod), *name)),
        };
        best.map(|(name, _)| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(name: &str, cpu: &str, pods: i64) -> Value {
        json!({
            "metadata": {"name": name},
            "status": {
                "allocatable": {"cpu": cpu, "memory": "8Gi", "pods": pods.to_string()},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        })
    }

    fn pod(cpu: &str, on: Option<&str>) -> Pod {
        Pod::read(&json!({
            "metadata": {"name": "p", "namespace": "default"},
            "spec": {
                "nodeName": on,
                "containers": [{"resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}],
            },
        }))
    }

    fn key(name: &str) -> PodKey {
        ("default".to_owned(), name.to_owned())
    }

    fn fleet() -> Fleet {
        let mut fleet = Fleet::default();
        fleet.set_node(&node("a", "2", 10));
        fleet.set_node(&node("b", "4", 10));
        fleet.set_pod(key("old"), pod("1", Some("a")));
        fleet
    }

    #[test]
    fn a_pod_goes_to_the_emptiest_or_to_the_fullest_node_that_holds_it() {
        let mut fleet = fleet();
        fleet.set_pod(key("new"), pod("500m", None));
        assert_eq!(fleet.place(&key("new"), Placement::LeastAllocated).as_deref(), Some("b"));
        assert_eq!(fleet.place(&key("new"), Placement::MostAllocated).as_deref(), Some("a"));
    }

    #[test]
    fn room_in_pieces_holds_no_larger_pod() {
        let mut fleet = fleet();
        fleet.set_pod(key("mid"), pod("2500m", Some("b")));
        fleet.set_pod(key("new"), pod("2", None));
        assert_eq!(fleet.place(&key("new"), Placement::LeastAllocated), None);
        fleet.remove_pod(&key("mid"));
        assert!(fleet.place(&key("new"), Placement::LeastAllocated).is_some());
    }

    #[test]
    fn pod_slots_count_and_finished_pods_hold_nothing() {
        let mut fleet = Fleet::default();
        fleet.set_node(&node("a", "8", 1));
        fleet.set_pod(key("old"), pod("1", Some("a")));
        fleet.set_pod(key("new"), pod("1", None));
        assert_eq!(fleet.place(&key("new"), Placement::LeastAllocated), None);
        let finished = Pod { progress: Progress::Finished, ..pod("1", Some("a")) };
        fleet.set_pod(key("old"), finished);
        assert_eq!(fleet.place(&key("new"), Placement::LeastAllocated).as_deref(), Some("a"));
    }

    #[test]
    fn cordoned_and_unready_nodes_take_nothing() {
        let mut fleet = Fleet::default();
        let mut cordoned = node("a", "8", 10);
        cordoned["spec"] = json!({"unschedulable": true});
        fleet.set_node(&cordoned);
        let mut unready = node("b", "8", 10);
        unready["status"]["conditions"][0]["status"] = json!("Unknown");
        fleet.set_node(&unready);
        fleet.set_pod(key("new"), pod("1", None));
        assert_eq!(fleet.place(&key("new"), Placement::LeastAllocated), None);
    }

    #[test]
    fn a_pod_asks_for_the_sum_of_its_containers_and_for_nothing_if_one_is_silent() {
        let both = json!({"containers": [{"resources": {"requests": {"cpu": "1"}}}, {"resources":
            {"requests": {"cpu": "500m"}}}]});
        assert_eq!(Request::of(&both), Request { cpu: Some(1500), memory: None });
        assert_eq!(Request::of(&json!({"containers": [{}]})), Request::default());
    }
}
