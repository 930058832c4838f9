//! A namespace of the rig that a scenario has for itself, and what it reads and does there.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{Rig, eventually, get};
use crate::{
    numbers::{Numbers, number},
    stage::condition,
};

/// How long a scenario waits for what should come within seconds, on a machine that does other things as well.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// A kind of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// `apps/v1`.
    Deployment,
    /// `apps/v1`.
    StatefulSet,
    /// `apps.kruise.io/v1alpha1`.
    CloneSet,
}

impl Workload {
    /// Its API version.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet => "apps/v1",
            Self::CloneSet => "apps.kruise.io/v1alpha1",
        }
    }

    /// Its kind, as manifests name it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::CloneSet => "CloneSet",
        }
    }

    /// Its resource, as paths name it.
    pub fn plural(self) -> String {
        format!("{}s", self.kind().to_lowercase())
    }
}

/// A namespace and one workload in it, `web`.
pub struct Place {
    /// The rig.
    pub rig: Rig,
    /// The namespace.
    pub namespace: String,
    /// What `web` is.
    pub workload: Workload,
}

impl Place {
    /// A namespace of that name in Karmada and all members, with `web` of `replicas` spread over all members. Each pod
    /// asks for a tenth of a CPU and uses nothing.
    pub async fn with(rig: &Rig, namespace: &str, workload: Workload, replicas: u32) -> Self {
        let place = Self { rig: rig.clone(), namespace: namespace.to_owned(), workload };
        let space = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n");
        rig.kubectl("karmada", &["apply", "-f", "-"], &space).await.expect("a namespace");
        for (member, client) in &rig.members {
            let path = format!("/api/v1/namespaces/{namespace}");
            eventually("the namespace is in the member", PATIENCE, async || {
                get(client, &path).await.ok_or_else(|| format!("it is not in {member}"))
            })
            .await;
        }
        place.usage(&rig.members.keys().map(|member| (member.as_str(), 1)).collect()).await;
        place.apply(&place.manifest(replicas)).await;
        place.spread(replicas.into()).await;
        place
    }

    /// The manifest of `web` and its policy.
    pub fn manifest(&self, replicas: u32) -> String {
        let further =
            if self.workload == Workload::StatefulSet { "serviceName: web" } else { "minReadySeconds: 0" };
        MANIFEST
            .replace("API_VERSION", self.workload.api_version())
            .replace("KIND", self.workload.kind())
            .replace("FURTHER", further)
            .replace("COUNT", &replicas.to_string())
    }

    /// The manifest of the FedHPA `web`, with these totals, evenly divided.
    pub fn fed_hpa(&self, min: u32, max: u32) -> String {
        FED_HPA
            .replace("API_VERSION", self.workload.api_version())
            .replace("KIND", self.workload.kind())
            .replace("STRATEGY", "Even")
            .replace("MIN", &min.to_string())
            .replace("MAX", &max.to_string())
    }

    /// Applies a manifest here, as a user does.
    pub async fn apply(&self, manifest: &str) {
        self.kubectl(&["apply", "-f", "-"], manifest).await;
    }

    /// What kubectl prints, in this namespace of Karmada.
    pub async fn kubectl(&self, arguments: &[&str], input: &str) -> String {
        let here: Vec<&str> = ["-n", &self.namespace].into_iter().chain(arguments.iter().copied()).collect();
        self.rig
            .kubectl("karmada", &here, input)
            .await
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    /// Sets what each pod of the namespace uses, in thousandths of a CPU, for each member that is named.
    pub async fn usage(&self, milli: &BTreeMap<&str, u32>) {
        for (member, milli) in milli {
            let usage = json!({
                "apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterResourceUsage",
                "metadata": {"name": self.namespace},
                "spec": {
                    "selector": {"matchNamespaces": [self.namespace]},
                    "usages": [{"usage": {"cpu": {"value": format!("{milli}m")}, "memory": {"value": "1Mi"}}}],
                },
            });
            let applied = self.rig.kubectl(member, &["apply", "-f", "-"], &usage.to_string()).await;
            applied.expect("usage is accepted");
        }
    }

    /// An object of Karmada in this namespace.
    pub async fn object(&self, api: &str, plural: &str, name: &str) -> Option<Value> {
        get(&self.rig.karmada, &self.path(api, plural, name)).await
    }

    /// An object of a member in this namespace.
    pub async fn in_member(&self, member: &str, api: &str, plural: &str, name: &str) -> Option<Value> {
        get(self.rig.members.get(member)?, &self.path(api, plural, name)).await
    }

    /// The FedHPA `web`.
    pub async fn fed(&self) -> Option<Value> {
        self.object("apis/autoscaling.fedscaler.io/v1alpha1", "fedhpas", "web").await
    }

    /// The binding of `web`.
    pub async fn binding(&self) -> Option<Value> {
        let name = format!("web-{}", self.workload.kind().to_lowercase());
        self.object("apis/work.karmada.io/v1alpha2", "resourcebindings", &name).await
    }

    /// What each member has of `web`.
    pub async fn workloads(&self) -> BTreeMap<String, Value> {
        let api = format!("apis/{}", self.workload.api_version());
        let mut found = BTreeMap::new();
        for member in self.rig.members.keys() {
            if let Some(object) = self.in_member(member, &api, &self.workload.plural(), "web").await {
                found.insert(member.clone(), object);
            }
        }
        found
    }

    /// Min and max of each member's HPA.
    pub async fn hpas(&self) -> BTreeMap<String, (u64, u64)> {
        let mut found = BTreeMap::new();
        for member in self.rig.members.keys() {
            let hpa = self.in_member(member, "apis/autoscaling/v2", "horizontalpodautoscalers", "web").await;
            if let Some(hpa) = hpa {
                found.insert(
                    member.clone(),
                    (number(&hpa, "/spec/minReplicas"), number(&hpa, "/spec/maxReplicas")),
                );
            }
        }
        found
    }

    /// The numbers of `web`, if template and binding are there.
    pub async fn numbers(&self) -> Option<Numbers> {
        let api = format!("apis/{}", self.workload.api_version());
        let template = self.object(&api, &self.workload.plural(), "web").await?;
        let members = self.workloads().await;
        let members = members.iter().map(|(member, it)| (member.clone(), number(it, "/spec/replicas")));
        Some(Numbers::read(&template, &self.binding().await?, members.collect()))
    }

    /// Waits until `web` runs as told in the members, in a sum of `replicas`, and template and binding say the same.
    pub async fn spread(&self, replicas: u64) -> Numbers {
        eventually(&format!("{replicas} replicas are told of everywhere"), PATIENCE, async || {
            let numbers = self.numbers().await.ok_or("template or binding is missing")?;
            if numbers.agree() && numbers.template == replicas {
                Ok(numbers)
            } else {
                Err(format!("{numbers:?}"))
            }
        })
        .await
    }

    /// Waits until the FedHPA says that it is ready, and all numbers agree and satisfy `goal`.
    pub async fn in_order(&self, what: &str, goal: impl Fn(&Numbers) -> bool) -> Numbers {
        eventually(what, PATIENCE, async || {
            let fed = self.fed().await.ok_or("no FedHPA")?;
            let numbers = self.numbers().await.ok_or("template or binding is missing")?;
            let is_ready = condition(&fed, "Ready").is_some_and(|(status, ..)| status == "True");
            let heard = number(&fed, "/status/observedGeneration") == number(&fed, "/metadata/generation");
            if is_ready && heard && numbers.agree() && goal(&numbers) {
                Ok(numbers)
            } else {
                Err(format!("{numbers:?} {:#}", fed["status"]))
            }
        })
        .await
    }

    /// How often Karmada's scheduler has divided the binding of `web`, by its own log.
    pub fn divisions(&self) -> usize {
        let line = format!(
            "ResourceBinding({}/web-{}) scheduled to clusters",
            self.namespace,
            self.workload.kind().to_lowercase()
        );
        self.rig.log("karmada-scheduler").lines().filter(|logged| logged.contains(&line)).count()
    }

    /// Deletes everything here and waits until it is gone.
    pub async fn leave(self) {
        self.kubectl(&["delete", "cronhpas,fedhpas", "--all", "--timeout=120s"], "").await;
        let delete = ["delete", "namespace", &self.namespace, "--timeout=120s"];
        self.rig.kubectl("karmada", &delete, "").await.expect("the namespace goes");
    }

    fn path(&self, api: &str, plural: &str, name: &str) -> String {
        format!("/{api}/namespaces/{}/{plural}/{name}", self.namespace)
    }
}

const MANIFEST: &str = "
apiVersion: API_VERSION
kind: KIND
metadata: {name: web}
spec:
  replicas: COUNT
  FURTHER
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: web, image: registry.example/web:1, resources: {requests: {cpu: 100m, memory: 64Mi}}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: web}
spec:
  resourceSelectors: [{apiVersion: API_VERSION, kind: KIND, name: web}]
  placement:
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {dynamicWeight: AvailableReplicas}
";

/// Quick in everything that can be set, so that a test need not wait.
const FED_HPA: &str = "
apiVersion: autoscaling.fedscaler.io/v1alpha1
kind: FedHPA
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: API_VERSION, kind: KIND, name: web}
  minReplicas: MIN
  maxReplicas: MAX
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
  behavior: {scaleUp: {stabilizationWindowSeconds: 0}, scaleDown: {stabilizationWindowSeconds: 0}}
  distribution: {strategy: STRATEGY}
  rebalance: {cooldownSeconds: 10, tolerancePercent: 10}
  writeBack: {intervalSeconds: 1}
";
