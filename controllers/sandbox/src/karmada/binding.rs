//! From bindings to Works: one for each cluster, with the cluster's replicas in it. A Work of the same name that
//! somebody else has made is overwritten.

use super::kinds::{RESOURCE_BINDINGS, WORKS, served};
use super::names::{
    self, BINDING_FINALIZER, BINDING_ID, BINDING_NAME, BINDING_NAMESPACE, CONFLICT_RESOLUTION,
    EXECUTION_FINALIZER, MANAGED, MANAGED_ANNOTATIONS, MANAGED_LABELS, TEMPLATE_GENERATION, TEMPLATE_UID,
    WORK_ID, WORK_NAME, WORK_NAMESPACE,
};
use super::{Desk, is_more_than_status};
use crate::agenda::Agenda;
use crate::apiserver::{Change, ChangeType};
use crate::fields::{
    annotation, deleting, int, items, label, name, namespace, put, set_annotation, set_label, take, text,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A binding's namespace and name.
type Key = (String, String);

pub(super) struct Binding {
    desk: Desk,
    agenda: Agenda<Key>,
}

impl Binding {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk, agenda: Agenda::new() }
    }

    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                change = self.desk.changes.next() => self.observe(&change),
                () = self.agenda.wait() => {
                    while let Some(key) = self.agenda.pop() {
                        self.reconcile(&key);
                    }
                }
            }
        }
    }

    fn observe(&mut self, change: &Change) {
        let object = &change.object;
        let key = if *change.kind == RESOURCE_BINDINGS && is_more_than_status(change) {
            (namespace(object).to_owned(), name(object).to_owned())
        } else if *change.kind == WORKS && change.what == ChangeType::Deleted {
            // A Work of a binding that somebody deleted is made again.
            let back = |key| annotation(object, key).map(str::to_owned);
            let (Some(namespace), Some(name)) = (back(BINDING_NAMESPACE), back(BINDING_NAME)) else { return };
            (namespace, name)
        } else {
            return;
        };
        let lag = self.desk.draw(|lags| lags.binding);
        self.agenda.add(key, lag);
    }

    fn reconcile(&mut self, key: &Key) {
        let Some(binding) = self.desk.api.get(&RESOURCE_BINDINGS, &key.0, &key.1) else { return };
        let targets = if deleting(&binding) { BTreeMap::new() } else { targets(&binding) };
        self.remove_orphans(&binding, &targets);
        if deleting(&binding) {
            self.release(&binding);
            return;
        }
        let resource = &binding["spec"]["resource"];
        let kind = served(resource);
        let Some(template) = self.desk.api.get(&kind, namespace_of(resource), text(resource, "/name")) else {
            return;
        };
        for (cluster, replicas) in targets.iter().filter_map(|(cluster, share)| Some((cluster, (*share)?))) {
            self.ensure(&binding, &template, cluster, replicas);
        }
    }

    fn remove_orphans(&self, binding: &Value, targets: &BTreeMap<String, Option<i64>>) {
        let Some(identity) = label(binding, BINDING_ID) else { return };
        for work in self.desk.api.list(&WORKS, None) {
            let cluster = names::cluster_of(namespace(&work)).unwrap_or_default();
            if label(&work, BINDING_ID) == Some(identity)
                && !targets.contains_key(cluster)
                && !deleting(&work)
            {
                self.log("orphan not deleted", self.desk.api.delete(&WORKS, namespace(&work), name(&work)));
            }
        }
    }

    fn release(&self, binding: &Value) {
        let mut object = binding.clone();
        let kept: Vec<_> = items(binding, "/metadata/finalizers")
            .iter()
            .filter(|finalizer| finalizer.as_str() != Some(BINDING_FINALIZER))
            .cloned()
            .collect();
        put(&mut object, &["metadata", "finalizers"], kept.into());
        self.log("binding not released", self.desk.api.update(&RESOURCE_BINDINGS, object).map(|_| ()));
    }

    fn ensure(&mut self, binding: &Value, template: &Value, cluster: &str, replicas: i64) {
        let work_namespace = names::execution_namespace(cluster);
        let work_name = names::work(text(template, "/kind"), namespace(template), name(template));
        let found = self.desk.api.get(&WORKS, &work_namespace, &work_name);
        if found.as_ref().is_some_and(|found| deleting(found)) {
            // It is made again when it is gone.
            return;
        }
        let mut work = found.as_ref().map_or_else(
            || json!({"metadata": {"name": work_name, "namespace": work_namespace}}),
            |found| (**found).clone(),
        );
        if label(&work, WORK_ID).is_none() {
            let identity = self.desk.identity();
            set_label(&mut work, WORK_ID, &identity);
        }
        fill(&mut work, binding, manifest(binding, template, replicas));
        let written = match found {
            Some(found) if *found == work => return,
            Some(_) => self.desk.api.update(&WORKS, work),
            None => self.desk.api.create(&WORKS, work),
        };
        self.log("work not written", written.map(|_: Arc<Value>| ()));
    }

    #[expect(clippy::unused_self, reason = "reads as the controller's own report")]
    fn log(&self, what: &str, result: Result<(), crate::apiserver::ApiError>) {
        if let Err(error) = result {
            tracing::debug!(%error, "{what}");
        }
    }
}

fn namespace_of(resource: &Value) -> &str {
    text(resource, "/namespace")
}

/// The clusters that keep or get a Work: with their replicas, or without a number where a Work only stays because its
/// cluster is being evicted.
fn targets(binding: &Value) -> BTreeMap<String, Option<i64>> {
    let evicting = items(binding, "/spec/gracefulEvictionTasks").iter();
    let staying = evicting.map(|task| (text(task, "/fromCluster").to_owned(), None));
    let clusters = items(binding, "/spec/clusters").iter();
    let given = clusters
        .map(|target| (text(target, "/name").to_owned(), Some(int(target, "/replicas").unwrap_or(0))));
    staying.chain(given).collect()
}

/// The template as a member is to have it, but for what leads back to the Work.
fn manifest(binding: &Value, template: &Value, replicas: i64) -> Value {
    let mut manifest = template.clone();
    let generation = int(template, "/metadata/generation").unwrap_or(0);
    let uid = text(template, "/metadata/uid");
    for own in [
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "finalizers",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    ] {
        take(&mut manifest, &["metadata", own]);
    }
    take(&mut manifest, &["status"]);
    let is_workload = binding.pointer("/spec/replicaRequirements").is_some();
    if is_workload || int(binding, "/spec/replicas").unwrap_or(0) > 0 {
        put(&mut manifest, &["spec", "replicas"], replicas.into());
    }
    set_annotation(&mut manifest, TEMPLATE_UID, uid);
    set_annotation(&mut manifest, TEMPLATE_GENERATION, &generation.to_string());
    set_annotation(&mut manifest, BINDING_NAMESPACE, namespace(binding));
    set_annotation(&mut manifest, BINDING_NAME, name(binding));
    if let Some(identity) = label(binding, BINDING_ID) {
        set_label(&mut manifest, BINDING_ID, identity);
    }
    if text(binding, "/spec/conflictResolution") == "Overwrite" {
        set_annotation(&mut manifest, CONFLICT_RESOLUTION, "overwrite");
    }
    manifest
}

/// Writes what the binding controller owns of a Work.
fn fill(work: &mut Value, binding: &Value, mut manifest: Value) {
    if let Some(identity) = label(binding, BINDING_ID) {
        set_label(work, BINDING_ID, identity);
    }
    set_annotation(work, BINDING_NAMESPACE, namespace(binding));
    set_annotation(work, BINDING_NAME, name(binding));
    put(work, &["metadata", "finalizers"], json!([EXECUTION_FINALIZER]));
    set_label(&mut manifest, MANAGED, "true");
    if let Some(identity) = label(work, WORK_ID) {
        set_label(&mut manifest, WORK_ID, identity);
    }
    set_annotation(&mut manifest, WORK_NAMESPACE, namespace(work));
    set_annotation(&mut manifest, WORK_NAME, name(work));
    record_keys(&mut manifest);
    let suspended = binding.pointer("/spec/suspension/dispatching") == Some(&Value::Bool(true));
    if suspended {
        put(work, &["spec", "suspendDispatching"], json!(true));
    } else {
        take(work, &["spec", "suspendDispatching"]);
    }
    if binding.pointer("/spec/preserveResourcesOnDeletion") == Some(&Value::Bool(true)) {
        put(work, &["spec", "preserveResourcesOnDeletion"], json!(true));
    }
    put(work, &["spec", "workload", "manifests"], json!([manifest]));
}

/// Records which labels and annotations are the control plane's, so that those that go away go away in members too.
fn record_keys(manifest: &mut Value) {
    set_annotation(manifest, MANAGED_ANNOTATIONS, "");
    set_annotation(manifest, MANAGED_LABELS, "");
    for (key, pointer) in
        [(MANAGED_ANNOTATIONS, "/metadata/annotations"), (MANAGED_LABELS, "/metadata/labels")]
    {
        let map = manifest.pointer(pointer).and_then(Value::as_object);
        let keys: Vec<_> = map.into_iter().flatten().map(|(key, _)| key.clone()).collect();
        set_annotation(manifest, key, &keys.join(","));
    }
}
