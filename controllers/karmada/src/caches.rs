//! What is watched of Karmada, and where to find things in it.
//!
//! Responsible for following clusters, bindings and Works, for keeping of the many Works only what is read, and
//! for lookups that touch few objects. Knows nothing of what is done with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use fedscaler_runtime::{
    key::ObjectKey,
    metrics::Metrics,
    readiness::Readiness,
    watch::{Cache, Watch, Watched},
};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Map, Value};

use crate::{
    customizations::{self, InForce},
    labels::{BINDING_NAME, FEDHPA, HOLDS_SCHEDULING, OWNER_UID, RETAIN_REPLICAS},
    names::{self, HPA_KIND},
    template::{Workload, WorkloadKind},
    types::{
        Cluster, CronFederatedHPA, FederatedHPA, FederatedTarget, ResourceBinding,
        ResourceInterpreterCustomization, Work,
    },
    workload,
};

/// The fields of a member workload's status that are kept.
const KEPT_OF_STATUS: [&str; 4] = ["replicas", "readyReplicas", "updatedReplicas", "observedGeneration"];

/// The running watches.
#[derive(Clone)]
pub struct Watches {
    /// All member clusters.
    pub clusters: Watched<Cluster>,
    /// All bindings.
    pub bindings: Watched<ResourceBinding>,
    /// The Works that we made: one HPA each.
    pub hpa_works: Watched<Work>,
    /// All other Works, reduced to what says how a workload fares.
    pub workload_works: Watched<Work>,
    /// How objects are interpreted.
    pub customizations: Watched<ResourceInterpreterCustomization>,
    /// Karmada's own autoscalers.
    pub federated_hpas: Watched<FederatedHPA>,
    /// Karmada's own autoscalers by the clock.
    pub cron_federated_hpas: Watched<CronFederatedHPA>,
}

impl Watches {
    /// Starts all of them on the current tokio runtime. They end when the last clone is dropped.
    pub fn start(client: &Client, readiness: &Readiness, metrics: &Metrics) -> Self {
        let works = || Watch::<Work>::of(Api::all(client.clone()));
        Self {
            clusters: Watch::<Cluster>::of(Api::all(client.clone())).start(readiness, metrics),
            bindings: Watch::<ResourceBinding>::of(Api::all(client.clone()))
                .prune(prune_binding)
                .start(readiness, metrics),
            hpa_works: works().labels(OWNER_UID).start(readiness, metrics),
            workload_works: works()
                .labels(&format!("!{OWNER_UID}"))
                .prune(prune_workload_work)
                .start(readiness, metrics),
            customizations: Watch::<ResourceInterpreterCustomization>::of(Api::all(client.clone()))
                .optional()
                .start(readiness, metrics),
            federated_hpas: Watch::<FederatedHPA>::of(Api::all(client.clone()))
                .optional()
                .start(readiness, metrics),
            cron_federated_hpas: Watch::<CronFederatedHPA>::of(Api::all(client.clone()))
                .optional()
                .start(readiness, metrics),
        }
    }

    /// Where to find things.
    pub fn view(&self) -> View {
        View {
            clusters: self.clusters.cache().clone(),
            bindings: self.bindings.cache().clone(),
            hpa_works: self.hpa_works.cache().clone(),
            workload_works: self.workload_works.cache().clone(),
            customizations: self.customizations.cache().clone(),
            federated_hpas: self.federated_hpas.cache().clone(),
            cron_federated_hpas: self.cron_federated_hpas.cache().clone(),
        }
    }
}

/// What is known of Karmada's objects. Clones are the same view.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// All member clusters.
    pub clusters: Cache<Cluster>,
    /// All bindings.
    pub bindings: Cache<ResourceBinding>,
    /// The Works that we made.
    pub hpa_works: Cache<Work>,
    /// All other Works.
    pub workload_works: Cache<Work>,
    /// How objects are interpreted.
    pub customizations: Cache<ResourceInterpreterCustomization>,
    /// Karmada's own autoscalers.
    pub federated_hpas: Cache<FederatedHPA>,
    /// Karmada's own autoscalers by the clock.
    pub cron_federated_hpas: Cache<CronFederatedHPA>,
}

impl View {
    /// Whether all lists have been seen.
    pub fn is_synced(&self) -> bool {
        self.clusters.is_synced()
            && self.bindings.is_synced()
            && self.hpa_works.is_synced()
            && self.workload_works.is_synced()
            && self.customizations.is_synced()
    }

    /// Whether this process wrote something about the workload, or about its HPAs, that it has not seen yet.
    pub fn is_behind(&self, namespace: &str, kind: &str, name: &str) -> bool {
        let binding = ObjectKey::within(namespace, names::binding_name(kind, name));
        let work = names::work_name(HPA_KIND, name, namespace);
        self.bindings.is_behind(|key| *key == binding) || self.hpa_works.is_behind(|key| key.name == work)
    }

    /// The cluster of that name.
    pub fn cluster(&self, name: &str) -> Option<Arc<Cluster>> {
        self.clusters.get(&ObjectKey::cluster_scoped(name))
    }

    /// The binding of a workload.
    pub fn binding(&self, workload: &Workload) -> Option<Arc<ResourceBinding>> {
        self.bindings.get(&ObjectKey::within(workload.namespace.as_str(), workload.binding_name()))
    }

    /// The Works of a workload, by cluster.
    pub fn workload_works(&self, workload: &Workload) -> BTreeMap<String, Arc<Work>> {
        self.by_cluster(&self.workload_works, &workload.work_name())
    }

    /// How many replicas of a workload of any kind are ready at least: those that members were last seen to have.
    pub fn ready(&self, namespace: &str, kind: &str, name: &str) -> u32 {
        let works = self.by_cluster(&self.workload_works, &names::work_name(kind, name, namespace));
        works.values().map(|work| workload::ready(work)).sum()
    }

    /// The Works of ours that carry the HPA of that name, by cluster.
    pub fn hpa_works(&self, namespace: &str, hpa: &str) -> BTreeMap<String, Arc<Work>> {
        self.by_cluster(&self.hpa_works, &names::work_name(HPA_KIND, hpa, namespace))
    }

    /// Works that others made for an HPA of that name, by cluster: the user propagates one, and it would overwrite
    /// ours or be overwritten.
    pub fn foreign_hpa_works(&self, namespace: &str, hpa: &str) -> BTreeMap<String, Arc<Work>> {
        self.by_cluster(&self.workload_works, &names::work_name(HPA_KIND, hpa, namespace))
    }

    /// All Works that we made for the FedHPA of that uid, by cluster, whatever they are called and though their
    /// cluster is no longer known. Goes through all Works of ours: for the end of a life, not for each reconcile.
    pub fn works_owned_by(&self, owner_uid: &str) -> BTreeMap<String, Vec<Arc<Work>>> {
        let mut owned = BTreeMap::<String, Vec<Arc<Work>>>::new();
        for work in self.hpa_works.all() {
            let cluster = work.metadata.namespace.as_deref().and_then(names::cluster_of);
            if let Some(cluster) =
                cluster.filter(|_| work.labels().get(OWNER_UID).is_some_and(|uid| uid == owner_uid))
            {
                owned.entry(cluster.to_owned()).or_default().push(work);
            }
        }
        owned
    }

    /// Whether members keep the replicas of this kind under our label.
    pub fn retention(&self, kind: &WorkloadKind) -> InForce {
        customizations::retention(&self.customizations.all(), kind)
    }

    /// Whether the conditions and bounds of members' HPAs are shown.
    pub fn reflection(&self) -> InForce {
        customizations::reflection(&self.customizations.all())
    }

    /// Karmada's own autoscalers that scale a workload, in words.
    pub fn federated_rivals(&self, workload: &Workload) -> Vec<String> {
        let aims =
            |target: &FederatedTarget| target.kind == workload.kind.kind() && target.name == workload.name;
        let mut rivals = Vec::new();
        let mut central = Vec::new();
        for it in self.federated_hpas.within(&workload.namespace) {
            if aims(&it.spec.scale_target_ref) {
                central.push(it.name_any());
                rivals.push(format!(
                    "Karmada's FederatedHPA {} scales the same workload; delete it",
                    it.name_any()
                ));
            }
        }
        for it in self.cron_federated_hpas.within(&workload.namespace) {
            let target = &it.spec.scale_target_ref;
            if aims(target) || (target.kind == "FederatedHPA" && central.contains(&target.name)) {
                rivals.push(format!(
                    "Karmada's CronFederatedHPA {} scales the same workload; put its rules into a CronHPA and delete it",
                    it.name_any()
                ));
            }
        }
        rivals
    }

    /// What is held for the FedHPA of that uid, as the objects say: workloads whose scheduling is suspended for it, and
    /// those that HPAs of it scale. Goes through the bindings of the namespace and all Works of ours: for when nothing
    /// is remembered.
    pub fn held_for(&self, namespace: &str, owner_uid: &str) -> BTreeSet<Subject> {
        let is_ours = |binding: &&Arc<ResourceBinding>| {
            binding.annotations().get(HOLDS_SCHEDULING).is_some_and(|uid| uid == owner_uid)
        };
        let bindings = self.bindings.within(namespace);
        let bound = bindings.iter().filter(is_ours).map(|binding| subject_of_binding(binding));
        let works = self.works_owned_by(owner_uid);
        let scaled = works.values().flatten().filter_map(|work| scaled_by(work));
        bound.chain(scaled).collect()
    }

    fn by_cluster(&self, works: &Cache<Work>, name: &str) -> BTreeMap<String, Arc<Work>> {
        let clusters = self.clusters.all();
        let found = clusters.iter().filter_map(|cluster| {
            let cluster = cluster.name_any();
            let work = works.get(&ObjectKey::within(names::execution_namespace(&cluster), name))?;
            Some((cluster, work))
        });
        found.collect()
    }
}

/// The object that a binding or a Work is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl From<&Workload> for Subject {
    fn from(workload: &Workload) -> Self {
        Self {
            api_version: workload.kind.api_version().to_owned(),
            kind: workload.kind.kind().to_owned(),
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
        }
    }
}

/// The workload that a binding is about.
pub fn subject_of_binding(binding: &ResourceBinding) -> Subject {
    let resource = &binding.spec.resource;
    Subject {
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
        namespace: resource.namespace.clone().or_else(|| binding.namespace()).unwrap_or_default(),
        name: resource.name.clone(),
    }
}

/// The workload that one of Karmada's own autoscalers scales.
pub fn subject_of_federated(rival: &FederatedHPA) -> Subject {
    let target = &rival.spec.scale_target_ref;
    Subject {
        api_version: target.api_version.clone(),
        kind: target.kind.clone(),
        namespace: rival.namespace().unwrap_or_default(),
        name: target.name.clone(),
    }
}

/// The object in a Work; `None` where there is none in a namespace.
pub fn subject_of_work(work: &Work) -> Option<Subject> {
    let manifest = work.spec.workload.manifests.first()?;
    let text = |path| manifest.pointer(path).and_then(Value::as_str).map(str::to_owned);
    Some(Subject {
        api_version: text("/apiVersion")?,
        kind: text("/kind")?,
        namespace: text("/metadata/namespace")?,
        name: text("/metadata/name")?,
    })
}

/// What the HPA in a Work scales.
fn scaled_by(work: &Work) -> Option<Subject> {
    let manifest = work.spec.workload.manifests.first()?;
    let text = |path| manifest.pointer(path).and_then(Value::as_str).map(str::to_owned);
    Some(Subject {
        api_version: text("/spec/scaleTargetRef/apiVersion")?,
        kind: text("/spec/scaleTargetRef/kind")?,
        namespace: text("/metadata/namespace")?,
        name: text("/spec/scaleTargetRef/name")?,
    })
}

/// The FedHPA that we made a Work for.
pub fn owner_of_work(work: &Work) -> Option<ObjectKey> {
    let (namespace, name) = work.annotations().get(FEDHPA)?.split_once('/')?;
    Some(ObjectKey::within(namespace, name))
}

fn prune_binding(binding: &mut ResourceBinding) {
    // Karmada keeps a copy of the whole placement in an annotation.
    binding.annotations_mut().retain(|name, _| name == HOLDS_SCHEDULING);
    binding.status.conditions.clear();
}

fn prune_workload_work(work: &mut Work) {
    work.annotations_mut().retain(|name, _| name == BINDING_NAME);
    work.spec.workload.manifests.iter_mut().for_each(prune_manifest);
    for status in &mut work.status.manifest_statuses {
        if let Some(fields) = status.status.as_mut().and_then(Value::as_object_mut) {
            prune_status(fields);
        }
    }
}

fn prune_manifest(manifest: &mut Value) {
    let mut kept = Value::Object(Map::new());
    keep(manifest, &mut kept, &["apiVersion"]);
    keep(manifest, &mut kept, &["kind"]);
    keep(manifest, &mut kept, &["metadata", "name"]);
    keep(manifest, &mut kept, &["metadata", "namespace"]);
    keep(manifest, &mut kept, &["metadata", "labels", RETAIN_REPLICAS]);
    keep(manifest, &mut kept, &["spec", "replicas"]);
    *manifest = kept;
}

fn keep(from: &Value, to: &mut Value, path: &[&str]) {
    let found = path.iter().try_fold(from, |value, field| value.get(field));
    if let Some(found) = found {
        let place = path.iter().fold(to, |value, field| &mut value[field]);
        *place = found.clone();
    }
}

/// A status that says something must not become an empty one, which would read as not known.
fn prune_status(fields: &mut Map<String, Value>) {
    let said_something = !fields.is_empty();
    fields.retain(|name, _| KEPT_OF_STATUS.contains(&name.as_str()));
    if said_something {
        fields.entry("replicas").or_insert(Value::from(0));
    }
}

#[cfg(test)]
mod tests;
