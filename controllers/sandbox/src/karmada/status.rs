//! From the objects of one member to the status of their Works. Each object's report replaces the whole list: a Work
//! with two manifests would show only the one that changed last.

use super::interpreter::Interpreter;
use super::kinds::{WORKS, group_version, served};
use super::names::{self, WORK_NAME, WORK_NAMESPACE};
use super::reflection::health;
use super::{Desk, Post};
use crate::agenda::Agenda;
use crate::apiserver::kinds::Kind;
use crate::apiserver::{Change, ChangeType, Changes, Local};
use crate::fields::{annotation, items, name, namespace, put, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// An object of the member: its kind, namespace and name.
type Key = (Kind, String, String);

pub(super) struct Reflecting {
    desk: Desk,
    post: Post,
    namespace: String,
    member: Local,
    member_changes: Changes,
    interpreter: Interpreter,
    agenda: Agenda<Key>,
    /// Objects whose changes could not be told yet.
    parked: BTreeSet<Key>,
}

impl Reflecting {
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
                    while let Some(key) = self.agenda.pop() {
                        self.reflect(key);
                    }
                }
            }
        }
    }

    fn observe(&mut self, change: &Change) {
        if self.interpreter.observe(change) {
            for work in self.desk.api.list(&WORKS, Some(&self.namespace)) {
                for manifest in items(&work, "/spec/workload/manifests") {
                    self.queue((served(manifest), namespace(manifest).to_owned(), name(manifest).to_owned()));
                }
            }
        }
    }

    fn observe_member(&mut self, change: &Change) {
        let object = &change.object;
        if change.what != ChangeType::Deleted && annotation(object, WORK_NAMESPACE) == Some(&self.namespace) {
            let kind = (*change.kind).clone();
            self.queue((kind, namespace(object).to_owned(), name(object).to_owned()));
        }
    }

    fn queue(&mut self, key: Key) {
        let lag = self.desk.draw(|lags| lags.status);
        self.agenda.add(key, lag);
    }

    fn unpark(&mut self) {
        if self.post.is_open() {
            for key in std::mem::take(&mut self.parked) {
                self.queue(key);
            }
        }
    }

    fn reflect(&mut self, key: Key) {
        if !self.post.is_open() {
            self.parked.insert(key);
            return;
        }
        let (kind, object_namespace, object_name) = &key;
        let Some(observed) = self.member.get(kind, object_namespace, object_name) else { return };
        let Some(work_name) = annotation(&observed, WORK_NAME) else { return };
        let Some(work) = self.desk.api.get(&WORKS, &self.namespace, work_name) else { return };
        let Some(ordinal) = ordinal_of(&work, &observed) else { return };
        let Some(status) = self.interpreter.reflect(&observed) else { return };
        let statuses = json!([{
            "identifier": identifier(&observed, ordinal),
            "status": status,
            "health": health(&observed),
        }]);
        if work.pointer("/status/manifestStatuses") == Some(&statuses) {
            return;
        }
        let mut object = (*work).clone();
        put(&mut object, &["status", "manifestStatuses"], statuses);
        if let Err(error) = self.desk.api.update_status(&WORKS, object) {
            tracing::debug!(member = self.post.name, %error, "work status not written");
        }
    }
}

fn ordinal_of(work: &Value, observed: &Value) -> Option<usize> {
    let same = |manifest: &Value| {
        ["/apiVersion", "/kind", "/metadata/namespace", "/metadata/name"]
            .iter()
            .all(|pointer| text(manifest, pointer) == text(observed, pointer))
    };
    items(work, "/spec/workload/manifests").iter().position(same)
}

fn identifier(observed: &Value, ordinal: usize) -> Value {
    let (group, version) = group_version(text(observed, "/apiVersion"));
    let mut identifier = json!({
        "ordinal": ordinal,
        "version": version,
        "kind": text(observed, "/kind"),
        "resource": "",
        "name": name(observed),
    });
    for (key, value) in [("group", group), ("namespace", namespace(observed))] {
        if !value.is_empty() {
            identifier[key] = json!(value);
        }
    }
    identifier
}
