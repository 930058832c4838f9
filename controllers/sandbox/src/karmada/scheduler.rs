//! When the scheduler divides a binding, and how what it decides is written. The numbers come from `division`.
//!
//! It looks at a binding when the binding's or a cluster's generation changes. Its patch carries no resource version:
//! what somebody wrote between its look and its patch is overwritten. Of spread constraints only the bounds on the
//! number of clusters are modelled; of affinities, the names, labels, exclusions and the first term that has candidates.

use super::division::{Freshness, Question, Shares, Strategy, divide};
use super::kinds::{CLUSTERS, RESOURCE_BINDINGS};
use super::names::APPLIED_PLACEMENT;
use super::policy::selects;
use super::{Desk, Divisions, estimate, set_condition};
use crate::agenda::Agenda;
use crate::apiserver::{Change, ChangeType};
use crate::fields::{
    annotation, deleting, int, items, name, namespace, put, set_annotation, stamp, text, time, truth,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A binding's namespace and name.
type Key = (String, String);

/// A binding that found no room is looked at again after this.
const RETRY: Duration = Duration::from_secs(5);

/// What the scheduler waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Look(Key),
    Patch(Key),
}

/// What a look ended with, to be written a moment later.
struct Decision {
    generation: Option<i64>,
    /// The clusters as they were at the look: only what differs from them is patched.
    seen: Vec<Value>,
    placement: Value,
    /// The new clusters, or why there are none.
    outcome: Result<Vec<Value>, String>,
}

pub(super) struct Scheduler {
    desk: Desk,
    divisions: Divisions,
    decided: BTreeMap<Key, Decision>,
    agenda: Agenda<Step>,
}

impl Scheduler {
    pub(super) fn new(desk: Desk, divisions: Divisions) -> Self {
        Self { desk, divisions, decided: BTreeMap::new(), agenda: Agenda::new() }
    }

    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                change = self.desk.changes.next() => self.observe(&change),
                () = self.agenda.wait() => {
                    while let Some(step) = self.agenda.pop() {
                        match step {
                            Step::Look(key) => self.look(key),
                            Step::Patch(key) => self.patch(&key),
                        }
                    }
                }
            }
        }
    }

    fn observe(&mut self, change: &Change) {
        if change.what == ChangeType::Deleted {
            return;
        }
        let generation = |object: &Value| int(object, "/metadata/generation");
        let previous = change.previous.as_ref();
        if previous.is_some_and(|previous| generation(previous) == generation(&change.object)) {
            return;
        }
        if *change.kind == RESOURCE_BINDINGS {
            self.plan_look(&change.object);
        } else if *change.kind == CLUSTERS {
            for binding in self.desk.api.list(&RESOURCE_BINDINGS, None) {
                self.plan_look(&binding);
            }
        }
    }

    fn plan_look(&mut self, binding: &Value) {
        let ours = matches!(text(binding, "/spec/schedulerName"), "" | "default-scheduler");
        if !ours || truth(binding, "/spec/suspension/scheduling") {
            return;
        }
        let lag = self.desk.draw(|lags| lags.scheduler);
        self.agenda.add(Step::Look((namespace(binding).to_owned(), name(binding).to_owned())), lag);
    }

    fn look(&mut self, key: Key) {
        let Some(binding) = self.desk.api.get(&RESOURCE_BINDINGS, &key.0, &key.1) else { return };
        if deleting(&binding) || truth(&binding, "/spec/suspension/scheduling") {
            return;
        }
        let clusters = self.desk.api.list(&CLUSTERS, None);
        match reason(&binding, &clusters) {
            Reason::Nothing => self.acknowledge(&binding),
            Reason::First | Reason::Routine => self.decide(key, &binding, &clusters),
            Reason::Division => {
                self.divisions.count(&key.0, &key.1);
                self.decide(key, &binding, &clusters);
            }
        }
    }

    fn acknowledge(&self, binding: &Value) {
        let generation = int(binding, "/metadata/generation");
        if int(binding, "/status/schedulerObservedGeneration") == generation {
            return;
        }
        let mut object = binding.clone();
        put(&mut object, &["status", "schedulerObservedGeneration"], json!(generation));
        self.write_status(object);
    }

    fn write_status(&self, object: Value) {
        if let Err(error) = self.desk.api.update_status(&RESOURCE_BINDINGS, object) {
            tracing::debug!(%error, "binding status not written");
        }
    }

    fn decide(&mut self, key: Key, binding: &Value, clusters: &[Arc<Value>]) {
        let decision = Decision {
            generation: int(binding, "/metadata/generation"),
            seen: items(binding, "/spec/clusters").to_vec(),
            placement: binding.pointer("/spec/placement").cloned().unwrap_or_default(),
            outcome: targets(binding, clusters),
        };
        self.decided.insert(key.clone(), decision);
        let lag = self.desk.draw(|lags| lags.solving);
        self.agenda.add(Step::Patch(key), lag);
    }

    fn patch(&mut self, key: &Key) {
        let Some(decision) = self.decided.remove(key) else { return };
        let Some(found) = self.desk.api.get(&RESOURCE_BINDINGS, &key.0, &key.1) else { return };
        let written = match &decision.outcome {
            Ok(clusters) => {
                let mut object = (*found).clone();
                set_annotation(&mut object, APPLIED_PLACEMENT, &decision.placement.to_string());
                if *clusters != decision.seen {
                    put(&mut object, &["spec", "clusters"], clusters.clone().into());
                }
                self.desk.api.update(&RESOURCE_BINDINGS, object)
            }
            Err(_) => Ok(found),
        };
        match written {
            Ok(binding) => self.conclude(&binding, &decision),
            Err(error) => tracing::debug!(binding = key.1, %error, "clusters not patched"),
        }
        if decision.outcome.is_err() {
            self.agenda.add(Step::Look(key.clone()), RETRY);
        }
    }

    fn conclude(&self, binding: &Value, decision: &Decision) {
        let now = stamp(self.desk.clock.now());
        let mut object = binding.clone();
        match &decision.outcome {
            Ok(_) => {
                put(&mut object, &["status", "schedulerObservedGeneration"], json!(decision.generation));
                put(&mut object, &["status", "lastScheduledTime"], json!(now));
                let message = "Binding has been scheduled successfully.";
                set_condition(&mut object, "Scheduled", "True", "Success", (message, now));
            }
            Err(why) => set_condition(&mut object, "Scheduled", "False", "Unschedulable", (why, now)),
        }
        self.write_status(object);
    }
}

/// Why a binding is scheduled now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It never was.
    First,
    /// It is divided anew.
    Division,
    /// It is no divided workload, and so always scheduled.
    Routine,
    /// It is not.
    Nothing,
}

/// The first rule that matches.
fn reason(binding: &Value, clusters: &[Arc<Value>]) -> Reason {
    let placement = binding.pointer("/spec/placement").unwrap_or(&Value::Null);
    let applied =
        annotation(binding, APPLIED_PLACEMENT).and_then(|text| serde_json::from_str::<Value>(text).ok());
    if applied.is_none() && time(binding, "/status/lastScheduledTime").is_none() {
        return Reason::First;
    }
    if applied.as_ref() != Some(placement) || replicas_changed(binding) || is_triggered(binding) {
        return Reason::Division;
    }
    if !is_workload(binding) || !is_divided(binding) {
        return Reason::Routine;
    }
    let going = clusters.iter().filter(|cluster| deleting(cluster));
    let assigned = assigned(binding);
    if going.into_iter().any(|cluster| assigned.contains_key(name(cluster))) {
        return Reason::Division;
    }
    Reason::Nothing
}

fn replicas_changed(binding: &Value) -> bool {
    let replicas = int(binding, "/spec/replicas").unwrap_or(0);
    match text(binding, "/spec/placement/replicaScheduling/replicaSchedulingType") {
        "Duplicated" => assigned(binding).values().any(|given| *given != replicas),
        _ if is_divided(binding) => assigned(binding).values().sum::<i64>() != replicas,
        _ => false,
    }
}

fn is_triggered(binding: &Value) -> bool {
    let triggered = time(binding, "/spec/rescheduleTriggeredAt");
    let scheduled = time(binding, "/status/lastScheduledTime");
    triggered.zip(scheduled).is_some_and(|(triggered, scheduled)| triggered > scheduled)
}

fn is_workload(binding: &Value) -> bool {
    int(binding, "/spec/replicas").unwrap_or(0) > 0 || binding.pointer("/spec/replicaRequirements").is_some()
}

/// Without `replicaScheduling` a placement is duplicated; with an empty one it is divided.
fn is_divided(binding: &Value) -> bool {
    let scheduling = binding.pointer("/spec/placement/replicaScheduling");
    scheduling.is_some_and(|scheduling| text(scheduling, "/replicaSchedulingType") != "Duplicated")
}

fn assigned(binding: &Value) -> Shares {
    let clusters = items(binding, "/spec/clusters").iter();
    clusters.map(|target| (text(target, "/name").to_owned(), int(target, "/replicas").unwrap_or(0))).collect()
}

/// The clusters for a binding, those that end at nothing dropped.
fn targets(binding: &Value, clusters: &[Arc<Value>]) -> Result<Vec<Value>, String> {
    let candidates = candidates(binding, clusters);
    if candidates.is_empty() {
        return Err(format!("0/{} clusters are available", clusters.len()));
    }
    if !is_workload(binding) {
        return Ok(candidates.iter().map(|cluster| json!({"name": name(cluster)})).collect());
    }
    let requirements = binding.pointer("/spec/replicaRequirements");
    let mut room: Shares = candidates
        .iter()
        .map(|cluster| (name(cluster).to_owned(), estimate::room(cluster, requirements)))
        .collect();
    let mut before = assigned(binding);
    before.retain(|cluster, _| room.contains_key(cluster));
    keep_to_groups(binding, &mut room, &before);
    before.retain(|cluster, _| room.contains_key(cluster));
    let strategy = strategy(binding, &candidates);
    let question = Question {
        replicas: int(binding, "/spec/replicas").unwrap_or(0),
        strategy: &strategy,
        room: &room,
        before: &before,
        fresh: if is_triggered(binding) { Freshness::Fresh } else { Freshness::Steady },
        uid: text(binding, "/spec/resource/uid"),
    };
    let shares = divide(&question)
        .map_err(|found| format!("Clusters available replicas {} are not enough to schedule.", found.0))?;
    let kept = shares.into_iter().filter(|(_, replicas)| *replicas > 0);
    Ok(kept.map(|(name, replicas)| json!({"name": name, "replicas": replicas})).collect())
}

fn candidates<'a>(binding: &Value, clusters: &'a [Arc<Value>]) -> Vec<&'a Arc<Value>> {
    let had = assigned(binding);
    let tasks = items(binding, "/spec/gracefulEvictionTasks");
    let fit = |cluster: &&Arc<Value>| {
        let name = name(cluster);
        let evicted = tasks.iter().any(|task| text(task, "/fromCluster") == name);
        let kept = had.contains_key(name);
        !deleting(cluster) && !evicted && (kept || tolerates(binding, cluster))
    };
    let open: Vec<_> = clusters.iter().filter(fit).collect();
    let terms = items(binding, "/spec/placement/clusterAffinities");
    if terms.is_empty() {
        let affinity = binding.pointer("/spec/placement/clusterAffinity");
        return open.into_iter().filter(|cluster| attracts(affinity, cluster)).collect();
    }
    let of_term =
        |term| open.iter().copied().filter(|cluster| attracts(Some(term), cluster)).collect::<Vec<_>>();
    terms.iter().map(of_term).find(|found| !found.is_empty()).unwrap_or_default()
}

/// A new cluster is taken only if each of its taints is tolerated.
fn tolerates(binding: &Value, cluster: &Value) -> bool {
    let tolerations = items(binding, "/spec/placement/clusterTolerations");
    let tolerated = |taint: &Value| {
        tolerations.iter().any(|toleration| {
            let (key, effect) = (text(toleration, "/key"), text(toleration, "/effect"));
            let exists = text(toleration, "/operator") == "Exists";
            (effect.is_empty() || effect == text(taint, "/effect"))
                && ((key.is_empty() && exists) || key == text(taint, "/key"))
                && (exists || text(toleration, "/value") == text(taint, "/value"))
        })
    };
    let hard = |taint: &&Value| matches!(text(taint, "/effect"), "NoSchedule" | "NoExecute");
    items(cluster, "/spec/taints").iter().filter(hard).all(tolerated)
}

fn attracts(affinity: Option<&Value>, cluster: &Value) -> bool {
    let Some(affinity) = affinity else { return true };
    let lists =
        |pointer: &str| items(affinity, pointer).iter().any(|listed| listed.as_str() == Some(name(cluster)));
    let named = items(affinity, "/clusterNames").is_empty() || lists("/clusterNames");
    let labelled = affinity.get("labelSelector").is_none_or(|selector| selects(selector, cluster));
    named && labelled && !lists("/exclude")
}

/// Keeps to the most clusters that a spread constraint by cluster allows: those of before first, then the roomiest.
fn keep_to_groups(binding: &Value, room: &mut Shares, before: &Shares) {
    let constraints = items(binding, "/spec/placement/spreadConstraints");
    let by_cluster = constraints.iter().find(|constraint| text(constraint, "/spreadByField") == "cluster");
    let Some(most) = by_cluster.and_then(|constraint| int(constraint, "/maxGroups")).filter(|most| *most > 0)
    else {
        return;
    };
    let mut order: Vec<_> = room.clone().into_iter().collect();
    order.sort_by_key(|(name, room)| (!before.contains_key(name), -room, name.clone()));
    order.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    *room = order.into_iter().collect();
}

fn strategy(binding: &Value, candidates: &[&Arc<Value>]) -> Strategy {
    let scheduling = "/spec/placement/replicaScheduling";
    if !is_divided(binding) {
        return Strategy::Duplicated;
    }
    if text(binding, &format!("{scheduling}/replicaDivisionPreference")) == "Aggregated" {
        return Strategy::Aggregated;
    }
    let weights = format!("{scheduling}/weightPreference");
    if !text(binding, &format!("{weights}/dynamicWeight")).is_empty() {
        return Strategy::Dynamic;
    }
    let rules = items(binding, &format!("{weights}/staticWeightList"));
    let weight = |cluster: &Value| {
        let fitting = rules.iter().filter(|rule| attracts(rule.get("targetCluster"), cluster));
        fitting.filter_map(|rule| int(rule, "/weight")).max().unwrap_or(0)
    };
    Strategy::Static(candidates.iter().map(|cluster| (name(cluster).to_owned(), weight(cluster))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(spec: &Value) -> Value {
        let placement = spec["placement"].to_string();
        json!({"metadata": {"annotations": {APPLIED_PLACEMENT: placement}, "generation": 2}, "spec": spec})
    }

    fn cluster(name: &str, cpu: &str) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"name": name},
            "status": {"resourceSummary": {"allocatable": {"cpu": cpu, "memory": "64Gi", "pods": "110"}}},
        }))
    }

    fn divided() -> Value {
        json!({
            "replicas": 8,
            "replicaRequirements": {"resourceRequest": {"cpu": "1"}},
            "placement": {"replicaScheduling": {"replicaSchedulingType": "Divided",
                "replicaDivisionPreference": "Weighted", "weightPreference": {"dynamicWeight": "AvailableReplicas"}}},
            "clusters": [{"name": "a", "replicas": 5}, {"name": "b", "replicas": 3}],
        })
    }

    #[test]
    fn equal_sums_wake_nobody() {
        assert_eq!(reason(&binding(&divided()), &[]), Reason::Nothing);
        let mut moved = divided();
        moved["clusters"] = json!([{"name": "a", "replicas": 1}, {"name": "b", "replicas": 7}]);
        assert_eq!(reason(&binding(&moved), &[]), Reason::Nothing);
    }

    #[test]
    fn unequal_sums_a_new_placement_and_a_trigger_divide() {
        let mut fewer = divided();
        fewer["clusters"] = json!([{"name": "a", "replicas": 5}]);
        assert_eq!(reason(&binding(&fewer), &[]), Reason::Division);
        let mut edited = binding(&divided());
        edited["spec"]["placement"]["clusterTolerations"] = json!([]);
        assert_eq!(reason(&edited, &[]), Reason::Division);
        let mut triggered = binding(&divided());
        triggered["spec"]["rescheduleTriggeredAt"] = json!("2026-01-01T00:00:01Z");
        triggered["status"]["lastScheduledTime"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(reason(&triggered, &[]), Reason::Division);
        triggered["status"]["lastScheduledTime"] = json!("2026-01-01T00:00:02Z");
        assert_eq!(reason(&triggered, &[]), Reason::Nothing);
    }

    #[test]
    fn a_write_that_drops_the_schedulers_memory_divides() {
        let mut forgotten = binding(&divided());
        forgotten["metadata"]["annotations"] = json!({});
        assert_eq!(reason(&forgotten, &[]), Reason::First);
        forgotten["status"]["lastScheduledTime"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(reason(&forgotten, &[]), Reason::Division);
    }

    #[test]
    fn a_placement_without_replica_scheduling_is_duplicated_and_an_empty_one_divided() {
        let mut spec = divided();
        spec["placement"] = json!({});
        assert_eq!(reason(&binding(&spec), &[]), Reason::Routine);
        spec["placement"] = json!({"replicaScheduling": {}});
        assert_eq!(reason(&binding(&spec), &[]), Reason::Nothing);
    }

    #[test]
    fn a_cluster_on_its_way_out_divides() {
        let mut going = (*cluster("a", "8")).clone();
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(reason(&binding(&divided()), &[Arc::new(going)]), Reason::Division);
    }

    #[test]
    fn a_new_taint_keeps_new_bindings_out_and_old_ones_in() {
        let mut tainted = (*cluster("b", "8")).clone();
        tainted["spec"]["taints"] = json!([{"key": "cluster.karmada.io/not-ready", "effect": "NoSchedule"}]);
        let clusters = [cluster("a", "8"), Arc::new(tainted)];
        let named = |binding: &Value| -> Vec<_> {
            candidates(binding, &clusters).iter().map(|cluster| name(cluster).to_owned()).collect()
        };
        assert_eq!(named(&binding(&divided())), ["a", "b"]);
        let mut new = divided();
        new["clusters"] = json!([]);
        assert_eq!(named(&binding(&new)), ["a"]);
        new["placement"]["clusterTolerations"] = json!([{"operator": "Exists"}]);
        assert_eq!(named(&binding(&new)), ["a", "b"]);
    }

    #[test]
    fn clusters_that_end_at_nothing_are_dropped() {
        let mut spec = divided();
        spec["replicas"] = json!(1);
        spec["clusters"] = json!([{"name": "a", "replicas": 11}, {"name": "b", "replicas": 1}]);
        let found = targets(&binding(&spec), &[cluster("a", "8"), cluster("b", "8")]);
        assert_eq!(found, Ok(vec![json!({"name": "a", "replicas": 1})]));
    }

    #[test]
    fn affinity_terms_are_tried_in_order() {
        let mut spec = divided();
        spec["clusters"] = json!([]);
        spec["placement"]["clusterAffinities"] = json!([
            {"affinityName": "first", "clusterNames": ["gone"]},
            {"affinityName": "second", "clusterNames": ["b"]},
        ]);
        let found = targets(&binding(&spec), &[cluster("a", "80"), cluster("b", "80")]);
        assert_eq!(found, Ok(vec![json!({"name": "b", "replicas": 8})]));
    }
}
