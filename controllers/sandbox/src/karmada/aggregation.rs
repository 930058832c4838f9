//! From the statuses of Works to their binding's, and from there to the template's. Writing the template's status moves
//! its resource version, which is why nobody may wait for the template's latest one.

use super::kinds::{RESOURCE_BINDINGS, WORKS, served};
use super::names::{self, BINDING_ID, BINDING_NAME, BINDING_NAMESPACE};
use super::{Desk, reflection, set_condition};
use crate::agenda::Agenda;
use crate::apiserver::{Change, ChangeType};
use crate::fields::{annotation, deleting, items, label, name, namespace, put, stamp, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A namespace and a name.
type Key = (String, String);

/// What is to be summed up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Binding(Key),
    Template(Key),
}

pub(super) struct Aggregation {
    desk: Desk,
    agenda: Agenda<Step>,
}

impl Aggregation {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk, agenda: Agenda::new() }
    }

    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                change = self.desk.changes.next() => self.observe(&change),
                () = self.agenda.wait() => {
                    while let Some(step) = self.agenda.pop() {
                        match step {
                            Step::Binding(key) => self.sum_up_binding(&key),
                            Step::Template(key) => self.sum_up_template(&key),
                        }
                    }
                }
            }
        }
    }

    fn observe(&mut self, change: &Change) {
        let object = &change.object;
        let step = if *change.kind == WORKS && is_status_news(change) {
            let back = |key| annotation(object, key).map(str::to_owned);
            let (Some(namespace), Some(name)) = (back(BINDING_NAMESPACE), back(BINDING_NAME)) else { return };
            Step::Binding((namespace, name))
        } else if *change.kind == RESOURCE_BINDINGS && is_binding_news(change) {
            Step::Template((namespace(object).to_owned(), name(object).to_owned()))
        } else {
            return;
        };
        let lag = self.desk.draw(|lags| lags.aggregation);
        self.agenda.add(step, lag);
    }

    fn sum_up_binding(&self, key: &Key) {
        let Some(binding) = self.desk.api.get(&RESOURCE_BINDINGS, &key.0, &key.1) else { return };
        let Some(identity) = label(&binding, BINDING_ID) else { return };
        let works = self.desk.api.list(&WORKS, None);
        let own = works.iter().filter(|work| label(work, BINDING_ID) == Some(identity) && !deleting(work));
        let mut entries: Vec<_> = own.map(|work| entry(work)).collect();
        entries.sort_by(|one, other| text(one, "/clusterName").cmp(text(other, "/clusterName")));
        let mut object = (*binding).clone();
        self.say_whether_applied(&mut object, &binding, &entries);
        put(&mut object, &["status", "aggregatedStatus"], entries.into());
        if object != *binding {
            self.log(self.desk.api.update_status(&RESOURCE_BINDINGS, object).map(|_| ()));
        }
    }

    fn say_whether_applied(&self, object: &mut Value, binding: &Value, entries: &[Value]) {
        let clusters = items(binding, "/spec/clusters").iter().map(|target| text(target, "/name"));
        let evicting = items(binding, "/spec/gracefulEvictionTasks").iter();
        let wanted: BTreeSet<_> = clusters.chain(evicting.map(|task| text(task, "/fromCluster"))).collect();
        let applied = entries.iter().filter(|entry| entry["applied"] == true);
        let applied: BTreeSet<_> = applied.map(|entry| text(entry, "/clusterName")).collect();
        let now = stamp(self.desk.clock.now());
        if !wanted.is_empty() && wanted == applied && entries.len() == wanted.len() {
            let message = "All works have been successfully applied";
            set_condition(object, "FullyApplied", "True", "FullyAppliedSuccess", (message, now));
        } else {
            let message = "Failed to apply all works, see status.aggregatedStatus for details";
            set_condition(object, "FullyApplied", "False", "FullyAppliedFailed", (message, now));
        }
    }

    fn sum_up_template(&self, key: &Key) {
        let Some(binding) = self.desk.api.get(&RESOURCE_BINDINGS, &key.0, &key.1) else { return };
        let resource = &binding["spec"]["resource"];
        let kind = served(resource);
        let found = self.desk.api.get(&kind, text(resource, "/namespace"), text(resource, "/name"));
        let Some(template) = found else { return };
        let entries = items(&binding, "/status/aggregatedStatus");
        let members: Vec<_> = entries.iter().filter_map(|entry| entry.get("status")).collect();
        let Some(status) = reflection::aggregate(&template, &members) else { return };
        if template.get("status") == Some(&status) {
            return;
        }
        let mut object = (*template).clone();
        object["status"] = status;
        self.log(self.desk.api.update_status(&kind, object).map(|_| ()));
    }

    #[expect(clippy::unused_self, reason = "reads as the controller's own report")]
    fn log(&self, result: Result<(), crate::apiserver::ApiError>) {
        if let Err(error) = result {
            tracing::debug!(%error, "status not summed up");
        }
    }
}

fn is_status_news(change: &Change) -> bool {
    let status = |object: &Value| object.get("status").cloned();
    let before = change.previous.as_ref().and_then(|previous| status(previous));
    change.what == ChangeType::Deleted || before != status(&change.object)
}

/// The template's status follows what is summed up, and what the template's generation is.
fn is_binding_news(change: &Change) -> bool {
    let part = |object: &Value| {
        let pointer = |pointer: &str| object.pointer(pointer).cloned();
        (pointer("/status/aggregatedStatus"), pointer("/spec/resource"))
    };
    let before = change.previous.as_ref().map(|previous| part(previous));
    change.what != ChangeType::Deleted && before != Some(part(&change.object))
}

fn entry(work: &Value) -> Value {
    let cluster = names::cluster_of(namespace(work)).unwrap_or_default();
    let conditions = items(work, "/status/conditions");
    let applied = conditions.iter().find(|condition| text(condition, "/type") == "Applied");
    if applied.is_none_or(|applied| text(applied, "/status") != "True") {
        let mut entry = json!({"clusterName": cluster, "health": "Unknown"});
        if let Some(applied) = applied {
            entry["appliedMessage"] = applied["message"].clone();
        }
        return entry;
    }
    let mut entry = json!({"clusterName": cluster, "applied": true, "health": "Unknown"});
    if let Some(reported) = items(work, "/status/manifestStatuses").first() {
        entry["status"] = reported["status"].clone();
        entry["health"] = reported["health"].clone();
    }
    entry
}
