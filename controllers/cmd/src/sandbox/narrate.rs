//! Tells what happens, line by line.
//!
//! Responsible for words on the terminal. It follows the control plane's events and bindings as any user could; knows
//! nothing of the controllers.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc};

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

    /// The first lines.
    pub(super) fn open(&self, scenario: &Scenario) {
        let members: Vec<_> = self.members.keys().map(String::as_str).collect();
        self.line("sandbox", &format!("a control plane with Karmada and the members {}", members.join(", ")));
        self.line("sandbox", &format!("members: {}", scenario.members_source));
        self.line(
            "sandbox",
            &format!("demand on {}/{}: {}", self.workload.namespace, self.workload.name, self.demand_source),
        );
        self.line(
            "sandbox",
            "applied deploy/karmada and deploy/examples; FedHPA and CronHPAs follow in 90 s",
        );
    }

    /// How to look at it from outside.
    pub(super) fn welcome(&self, address: SocketAddr, kubeconfig: &Path) {
        self.line("sandbox", &format!("serves at https://{address}; try, in another terminal:"));
        let file = kubeconfig.display();
        let member = self.members.keys().next().map_or("", String::as_str);
        println!("    export KUBECONFIG={file}");
        println!("    kubectl get fedhpas,cronhpas,deployments");
        println!("    kubectl describe fedhpa web");
        println!("    kubectl --context {member} get hpa,pods --watch");
    }

    /// The next change of the control plane.
    pub(super) async fn next(&mut self) -> Arc<Change> {
        self.changes.next().await
    }

    /// Tells a change, if it is worth it.
    pub(super) fn tell(&mut self, change: &Change) {
        let object = change.object.as_ref();
        if *change.kind == CORE_EVENTS && change.previous.is_none() {
            self.event(object);
        } else if *change.kind == RESOURCE_BINDINGS {
            self.binding(object);
        }
    }

    fn event(&self, event: &Value) {
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let subject = format!("{}/{}", text("/involvedObject/kind"), text("/involvedObject/name"));
        let alarm = if text("/type") == "Warning" { "! " } else { "" };
        self.line(&subject, &format!("{alarm}{}: {}", text("/reason"), text("/message")));
    }

    fn binding(&mut self, binding: &Value) {
        let name = binding.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let clusters = binding.pointer("/spec/clusters").and_then(Value::as_array).into_iter().flatten();
        let parts: Vec<_> = clusters
            .map(|cluster| {
                let name = cluster.get("name").and_then(Value::as_str).unwrap_or_default();
                format!("{name} {}", number(cluster, "/replicas"))
            })
            .collect();
        let words = format!("{} replicas: {}", number(binding, "/spec/replicas"), parts.join(", "));
        if self.bindings.insert(name.clone(), words.clone()).as_ref() != Some(&words) && !parts.is_empty() {
            self.line(&format!("ResourceBinding/{name}"), &words);
        }
    }

    /// One line a member, and the demand.
    pub(super) fn table(&self, world: &World) {
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
        self.line("members", &parts.join(" | "));
    }

    fn line(&self, subject: &str, words: &str) {
        println!("{}  {subject:<30} {words}", stamp(self.clock.now()));
    }
}

fn number(object: &Value, path: &str) -> u64 {
    object.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

/// Day of the week and time, in UTC.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.format("%a %d %b %H:%M:%S").to_string()
}
