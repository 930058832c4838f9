//! Tells what happens, line by line.
//!
//! Responsible for the words. It follows the control plane's events and bindings as any user could; knows
//! nothing of the controllers.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use fedscaler_sandbox::{
    apiserver::{
        Change, Changes, Local,
        kinds::{CORE_EVENTS, HORIZONTAL_POD_AUTOSCALERS},
    },
    clock::Clock,
    karmada::kinds::RESOURCE_BINDINGS,
    member::traffic::Workload,
    world::World,
};
use serde_json::Value;

use super::scenario::Scenario;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// When, in sandbox time.
    pub(super) at: DateTime<Utc>,
    /// To what, such as `FedHPA/web`.
    pub(super) subject: String,
    /// What.
    pub(super) words: String,
    /// Whether somebody should look at it.
    pub(super) is_alarm: bool,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alarm = if self.is_alarm { "! " } else { "" };
        write!(f, "{}  {:<30} {alarm}{}", stamp(self.at), self.subject, self.words)
    }
}

/// The teller of a run.
pub(super) struct Narrator {
    clock: Arc<dyn Clock>,
    changes: Changes,
    members: BTreeMap<String, Local>,
    workload: Workload,
    demand_source: String,
    /// What each binding last said.
    bindings: BTreeMap<String, String>,
}

impl Narrator {
    pub(super) fn new(world: &World, clock: &Arc<dyn Clock>, scenario: &Scenario) -> Self {
        let members =
            world.members().filter_map(|name| Some((name.to_owned(), world.member(name)?.local("narrator"))));
        Self {
            clock: Arc::clone(clock),
            changes: world.control_plane().local("narrator").changes(),
            members: members.collect(),
            workload: scenario.workload.clone(),
            demand_source: scenario.demand_source.clone(),
            bindings: BTreeMap::new(),
        }
    }

    /// The first lines: what is played.
    pub(super) fn open(&self, scenario: &Scenario) -> Vec<Line> {
        let members: Vec<_> = self.members.keys().map(String::as_str).collect();
        let workload = format!("{}/{}", self.workload.namespace, self.workload.name);
        let words = [
            format!("a control plane with Karmada and the members {}", members.join(", ")),
            format!("members: {}", scenario.members_source),
            format!("demand on {workload}: {}", self.demand_source),
            "applied deploy/karmada and deploy/examples; FedHPA and CronHPAs follow in 90 s".to_owned(),
        ];
        words.map(|words| self.line("sandbox", words)).into()
    }

    /// Where it is served.
    pub(super) fn serving(&self, address: SocketAddr, admin: SocketAddr) -> Line {
        let words = format!(
            "serves metrics at http://{admin}/metrics, and Kubernetes at https://{address}; try, in another terminal:"
        );
        self.line("sandbox", words)
    }

    /// Commands to look at it from outside.
    pub(super) fn suggestions(&self, kubeconfig: &Path) -> Vec<Line> {
        let member = self.members.keys().next().map_or("", String::as_str);
        let words = [
            format!("export KUBECONFIG={}", kubeconfig.display()),
            "kubectl get fedhpas,cronhpas,deployments".to_owned(),
            "kubectl describe fedhpa web".to_owned(),
            format!("kubectl --context {member} get hpa,pods --watch"),
        ];
        words.map(|words| self.line("try", words)).into()
    }

    /// The next change of the control plane.
    pub(super) async fn next(&mut self) -> Arc<Change> {
        self.changes.next().await
    }

    /// What a change comes to in words, if it is worth any.
    pub(super) fn tell(&mut self, change: &Change) -> Option<Line> {
        let object = change.object.as_ref();
        if *change.kind == CORE_EVENTS && change.previous.is_none() {
            return Some(self.event(object));
        }
        if *change.kind == RESOURCE_BINDINGS { self.binding(object) } else { None }
    }

    fn event(&self, event: &Value) -> Line {
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let subject = format!("{}/{}", text("/involvedObject/kind"), text("/involvedObject/name"));
        let line = self.line(&subject, format!("{}: {}", text("/reason"), text("/message")));
        Line { is_alarm: text("/type") == "Warning", ..line }
    }

    fn binding(&mut self, binding: &Value) -> Option<Line> {
        let name = binding.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let clusters = binding.pointer("/spec/clusters").and_then(Value::as_array).into_iter().flatten();
        let parts: Vec<_> = clusters
            .map(|cluster| {
                let name = cluster.get("name").and_then(Value::as_str).unwrap_or_default();
                format!("{name} {}", number(cluster, "/replicas"))
            })
            .collect();
        let words = format!("{} replicas: {}", number(binding, "/spec/replicas"), parts.join(", "));
        let is_known = self.bindings.insert(name.clone(), words.clone()).as_ref() == Some(&words);
        (!is_known && !parts.is_empty()).then(|| self.line(&format!("ResourceBinding/{name}"), words))
    }

    /// What was done to the world by hand.
    pub(super) fn by_hand(&self, words: String) -> Line {
        self.line("you", words)
    }

    /// One line a member, and the demand.
    pub(super) fn table(&self, world: &World) -> Line {
        let pods = world.pods(&self.workload);
        let ready: u32 = pods.values().map(|count| count.ready).sum();
        let demand = world.demand(&self.workload);
        let (whole, tenth) = (demand / 1000, demand % 1000 / 100);
        let mut parts = vec![format!("demand {whole}.{tenth}, ready {ready}")];
        for (member, local) in &self.members {
            let hpa = local.get(&HORIZONTAL_POD_AUTOSCALERS, &self.workload.namespace, &self.workload.name);
            let count = pods.get(member).copied().unwrap_or_default();
            let waiting =
                if count.pending > 0 { format!(" ({} Pending)", count.pending) } else { String::new() };
            parts.push(match hpa {
                Some(hpa) => format!(
                    "{member} {}{waiting} of {}..{}",
                    count.ready,
                    number(&hpa, "/spec/minReplicas"),
                    number(&hpa, "/spec/maxReplicas")
                ),
                None => format!("{member} {}{waiting}, no HPA", count.ready),
            });
        }
        self.line("members", parts.join(" | "))
    }

    fn line(&self, subject: &str, words: String) -> Line {
        Line { at: self.clock.now(), subject: subject.to_owned(), words, is_alarm: false }
    }
}

fn number(object: &Value, path: &str) -> u64 {
    object.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

/// Day of the week and time, in UTC.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.format("%a %d %b %H:%M:%S").to_string()
}
