//! From Works to objects in one member: made, kept as the manifest says, deleted. A member's own edits are undone within
//! the lag, but for what is retained.

use super::interpreter::Interpreter;
use super::kinds::{CLUSTERS, WORKS, served};
use super::names::{
    self, CONFLICT_RESOLUTION, EXECUTION_FINALIZER, MANAGED, MANAGED_ANNOTATIONS, MANAGED_LABELS, WORK_NAME,
    WORK_NAMESPACE,
};
use super::{Desk, Post, is_more_than_status, set_condition};
use crate::agenda::Agenda;
use crate::apiserver::{ApiError, Change, ChangeType, Changes, Local};
use crate::fields::{annotation, deleting, items, label, name, namespace, put, stamp, text, truth};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) struct Execution {
    desk: Desk,
    post: Post,
    namespace: String,
    member: Local,
    member_changes: Changes,
    interpreter: Interpreter,
    agenda: Agenda<String>,
    /// Works that wait for the member to be there again.
    parked: BTreeSet<String>,
}

/// What became of a manifest.
type Applied = Result<(), String>;

impl Execution {
    pub(super) fn new(desk: Desk, post: Post) -> Self {
        let member = post.api.local("karmada-controller-manager");
        Self {
            namespace: names::execution_namespace(&post.name),
            member_changes: member.changes(),
            member,
            desk,
            post,
            interpreter: Interpreter::default(),
            agenda: Agenda::new(),
            parked: BTreeSet::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut links = self.post.follow();
        loop {
            tokio::select! {
                biased;
                change = self.desk.changes.next() => self.observe(&change),
                change = self.member_changes.next() => self.observe_member(&change),
                Ok(()) = links.changed() => self.unpark(),
                () = self.agenda.wait() => {
                    while let Some(work) = self.agenda.pop() {
                        self.sync(work);
                    }
                }
            }
        }
    }

    fn observe(&mut self, change: &Change) {
        if self.interpreter.observe(change) {
            self.queue_all();
        } else if *change.kind == WORKS && namespace(&change.object) == self.namespace {
            if change.what != ChangeType::Deleted && is_more_than_status(change) {
                self.queue(name(&change.object).to_owned());
            }
        } else if *change.kind == CLUSTERS && name(&change.object) == self.post.name {
            self.unpark();
        }
    }

    /// A member's object that changed is looked at again; one that vanished is made again if its Work has the name that
    /// Karmada itself would give it.
    fn observe_member(&mut self, change: &Change) {
        let object = &change.object;
        if annotation(object, WORK_NAMESPACE) != Some(&self.namespace) {
            return;
        }
        let Some(work) = annotation(object, WORK_NAME) else { return };
        let generated = || names::work(text(object, "/kind"), namespace(object), name(object));
        let counts = match change.what {
            ChangeType::Added => false,
            ChangeType::Modified => is_more_than_status(change),
            ChangeType::Deleted => generated() == work,
        };
        if counts {
            self.queue(work.to_owned());
        }
    }

    fn queue(&mut self, work: String) {
        let lag = self.desk.draw(|lags| lags.execution);
        self.agenda.add(work, lag);
    }

    fn queue_all(&mut self) {
        for work in self.desk.api.list(&WORKS, Some(&self.namespace)) {
            self.queue(name(&work).to_owned());
        }
    }

    /// Looks again at what waits; what happened in the member meanwhile is seen only now.
    fn unpark(&mut self) {
        if self.post.is_open() {
            for work in std::mem::take(&mut self.parked) {
                self.queue(work);
            }
        }
    }

    fn sync(&mut self, work_name: String) {
        let Some(work) = self.desk.api.get(&WORKS, &self.namespace, &work_name) else { return };
        let going = deleting(&work);
        if !self.post.is_open() || (!going && !self.cluster_is_ready()) {
            self.parked.insert(work_name);
        } else if going {
            self.remove(&work);
        } else if !truth(&work, "/spec/suspendDispatching") {
            self.apply(&work);
        }
    }

    fn cluster_is_ready(&self) -> bool {
        let Some(cluster) = self.desk.api.get(&CLUSTERS, "", &self.post.name) else { return false };
        let conditions = items(&cluster, "/status/conditions");
        conditions
            .iter()
            .any(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") == "True")
    }

    fn remove(&self, work: &Value) {
        for manifest in items(work, "/spec/workload/manifests") {
            let found = self.member.get(&served(manifest), namespace(manifest), name(manifest));
            let managed = found.is_some_and(|found| label(&found, MANAGED) == Some("true"));
            if managed && !truth(work, "/spec/preserveResourcesOnDeletion") {
                let deleted = self.member.delete(&served(manifest), namespace(manifest), name(manifest));
                self.log("object not deleted", deleted);
            }
        }
        let mut object = work.clone();
        let kept: Vec<_> = items(work, "/metadata/finalizers")
            .iter()
            .filter(|finalizer| finalizer.as_str() != Some(EXECUTION_FINALIZER))
            .cloned()
            .collect();
        if kept.len() != items(work, "/metadata/finalizers").len() {
            put(&mut object, &["metadata", "finalizers"], kept.into());
            self.log("work not released", self.desk.api.update(&WORKS, object).map(|_| ()));
        }
    }

    fn apply(&self, work: &Value) {
        let results: Vec<Applied> = items(work, "/spec/workload/manifests")
            .iter()
            .map(|manifest| self.apply_manifest(manifest))
            .collect();
        let failed: Vec<_> = results.into_iter().filter_map(Result::err).collect();
        let mut object = work.clone();
        let now = stamp(self.desk.clock.now());
        if failed.is_empty() {
            let message = "Manifest has been successfully applied";
            set_condition(&mut object, "Applied", "True", "AppliedSuccessful", (message, now));
        } else {
            let message = format!("Failed to apply all manifests: {}", failed.join("; "));
            set_condition(&mut object, "Applied", "False", "AppliedFailed", (&message, now));
        }
        if object.get("status") != work.get("status") {
            self.log("work status not written", self.desk.api.update_status(&WORKS, object).map(|_| ()));
        }
    }

    fn apply_manifest(&self, manifest: &Value) -> Applied {
        let kind = served(manifest);
        let Some(observed) = self.member.get(&kind, namespace(manifest), name(manifest)) else {
            let ready = match namespace(manifest) {
                "" => Ok(()),
                namespace => self.member.ensure_namespace(namespace),
            };
            let created = ready.and_then(|()| self.member.create(&kind, manifest.clone()));
            return created.map(|_| ()).map_err(|error| error.to_string());
        };
        if label(&observed, MANAGED) != Some("true")
            && annotation(manifest, CONFLICT_RESOLUTION) != Some("overwrite")
        {
            return Err(format!(
                "resource(kind={}, {}/{}) already exists in the cluster {}, Karmada will not manage this resource",
                text(manifest, "/kind"),
                namespace(manifest),
                name(manifest),
                self.post.name
            ));
        }
        let wanted = self.wanted(manifest, &observed);
        if wanted == *observed {
            return Ok(());
        }
        self.member.update(&kind, wanted).map(|_: Arc<Value>| ()).map_err(|error| error.to_string())
    }

    /// The manifest with what is the member's: what its server keeps, the labels and annotations that others brought,
    /// the status, and what is retained.
    fn wanted(&self, manifest: &Value, observed: &Value) -> Value {
        let mut wanted = manifest.clone();
        let mut metadata = observed["metadata"].as_object().cloned().unwrap_or_default();
        for (part, record) in [("labels", MANAGED_LABELS), ("annotations", MANAGED_ANNOTATIONS)] {
            let formerly = annotation(observed, record).unwrap_or_default().split(',').collect();
            let merged = merged(&observed["metadata"][part], &manifest["metadata"][part], &formerly);
            metadata.insert(part.to_owned(), merged.into());
        }
        wanted["metadata"] = metadata.into();
        if let Some(status) = observed.get("status") {
            wanted["status"] = status.clone();
        }
        self.interpreter.retain(&mut wanted, observed);
        wanted
    }

    fn log(&self, what: &str, result: Result<(), ApiError>) {
        if let Err(error) = result {
            tracing::debug!(member = self.post.name, %error, "{what}");
        }
    }
}

/// Labels or annotations: the manifest's, and those of the object that were not brought by an earlier manifest.
fn merged(observed: &Value, wanted: &Value, formerly: &BTreeSet<&str>) -> Map<String, Value> {
    let own = observed.as_object().into_iter().flatten();
    let kept = own.filter(|(key, _)| !formerly.contains(key.as_str()));
    let mut all: Map<_, _> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    all.extend(wanted.as_object().cloned().unwrap_or_default());
    all
}
