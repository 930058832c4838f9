//! From templates and policies to bindings. It works on the template as it was when it was told of it, and is late by
//! up to 300 ms: a template's previous replicas can hit a binding that somebody has written since.

use super::kinds::{CLUSTER_PROPAGATION_POLICIES, PROPAGATION_POLICIES, RESOURCE_BINDINGS, served};
use super::names::{self, BINDING_FINALIZER, BINDING_ID};
use super::{Desk, is_more_than_status, policy};
use crate::agenda::Agenda;
use crate::apiserver::{Change, ChangeType};
use crate::fields::{
    deleting, items, label, name, namespace, put, set_annotation, set_label, take, text, version,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A template: its `apiVersion`, kind, namespace and name.
type Key = [String; 4];

/// Groups that are never propagated, besides what lives in Karmada's and Kubernetes' own namespaces.
const SKIPPED_GROUPS: [&str; 6] = [
    "work.karmada.io",
    "policy.karmada.io",
    "cluster.karmada.io",
    "config.karmada.io",
    "events.k8s.io",
    "coordination.k8s.io",
];

pub(super) struct Detector {
    desk: Desk,
    templates: BTreeMap<Key, Arc<Value>>,
    policies: BTreeMap<(String, String), Arc<Value>>,
    /// The templates under way, as they were at the beginning.
    captured: BTreeMap<Key, Arc<Value>>,
    /// Those that changed since.
    again: BTreeSet<Key>,
    agenda: Agenda<Key>,
}

fn key_of(object: &Value) -> Key {
    [text(object, "/apiVersion"), text(object, "/kind"), namespace(object), name(object)].map(str::to_owned)
}

fn is_template(change: &Change) -> bool {
    let namespace = namespace(&change.object);
    let reserved = namespace.starts_with("karmada-") || namespace.starts_with("kube-");
    let group = change.kind.group.as_ref();
    let event = group.is_empty() && matches!(change.kind.plural.as_ref(), "events" | "pods");
    !namespace.is_empty() && !reserved && !event && !SKIPPED_GROUPS.contains(&group)
}

impl Detector {
    pub(super) fn new(desk: Desk) -> Self {
        Self {
            desk,
            templates: BTreeMap::new(),
            policies: BTreeMap::new(),
            captured: BTreeMap::new(),
            again: BTreeSet::new(),
            agenda: Agenda::new(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                change = self.desk.changes.next() => self.observe(&change),
                () = self.agenda.wait() => {
                    while let Some(key) = self.agenda.pop() {
                        self.finish(key);
                    }
                }
            }
        }
    }

    fn observe(&mut self, change: &Change) {
        if *change.kind == PROPAGATION_POLICIES || *change.kind == CLUSTER_PROPAGATION_POLICIES {
            self.observe_policy(change);
        } else if is_template(change) {
            self.observe_template(change);
        }
    }

    fn observe_policy(&mut self, change: &Change) {
        let object = &change.object;
        let key = (namespace(object).to_owned(), name(object).to_owned());
        match change.what {
            ChangeType::Deleted => self.policies.remove(&key),
            ChangeType::Added | ChangeType::Modified => self.policies.insert(key, object.clone()),
        };
        if is_more_than_status(change) {
            let all: Vec<_> = self.templates.keys().cloned().collect();
            for key in all {
                self.start(key);
            }
        }
    }

    fn observe_template(&mut self, change: &Change) {
        let key = key_of(&change.object);
        if change.what == ChangeType::Deleted {
            self.templates.remove(&key);
            self.collect_garbage(&key);
            return;
        }
        self.templates.insert(key.clone(), change.object.clone());
        if is_more_than_status(change) {
            self.start(key);
        }
    }

    /// Takes the template as it is now and comes back to it after the lag.
    fn start(&mut self, key: Key) {
        if self.captured.contains_key(&key) {
            self.again.insert(key);
            return;
        }
        let Some(template) = self.templates.get(&key).cloned() else { return };
        if deleting(&template) {
            return;
        }
        let policies: Vec<_> = self.policies.values().cloned().collect();
        let Some(policy) = policy::matching(&template, &policies) else { return };
        let claimed = self.claim(&template, policy);
        self.captured.insert(key.clone(), claimed);
        let lag = self.desk.draw(|lags| lags.detector);
        self.agenda.add(key, lag);
    }

    fn finish(&mut self, key: Key) {
        let captured = self.captured.remove(&key);
        if let Some(template) = captured.filter(|_| self.templates.contains_key(&key)) {
            self.bind(&template);
        }
        if self.again.remove(&key) {
            self.start(key);
        }
    }

    /// Marks the template as the policy's. The template that comes back is the one to work on.
    fn claim(&self, template: &Arc<Value>, policy: &Value) -> Arc<Value> {
        let claim = policy::claim_of(policy);
        let mut object = (**template).clone();
        set_claim(&mut object, claim, policy);
        if object == **template {
            return template.clone();
        }
        self.desk.api.update(&served(template), object).unwrap_or_else(|_| template.clone())
    }

    fn bind(&mut self, template: &Value) {
        let policies: Vec<_> = self.policies.values().cloned().collect();
        let Some(policy) = policy::matching(template, &policies) else { return };
        let binding_name = names::binding(text(template, "/kind"), name(template));
        let found = self.desk.api.get(&RESOURCE_BINDINGS, namespace(template), &binding_name);
        let mut binding = found.as_ref().map_or_else(
            || json!({"metadata": {"name": binding_name, "namespace": namespace(template)}, "spec": {}}),
            |found| (**found).clone(),
        );
        describe(&mut binding, template, policy);
        if label(&binding, BINDING_ID).is_none() {
            let identity = self.desk.identity();
            set_label(&mut binding, BINDING_ID, &identity);
        }
        let written = match found {
            Some(found) if *found == binding => Ok(found),
            Some(_) => self.desk.api.update(&RESOURCE_BINDINGS, binding),
            None => self.desk.api.create(&RESOURCE_BINDINGS, binding),
        };
        if let Err(error) = written {
            tracing::debug!(binding = binding_name, %error, "binding not written");
        }
    }

    /// What the garbage collector does when an owner is gone.
    fn collect_garbage(&self, [_, kind, namespace, name]: &Key) {
        let binding = names::binding(kind, name);
        if let Err(error) = self.desk.api.delete(&RESOURCE_BINDINGS, namespace, &binding) {
            tracing::trace!(binding, %error, "no binding to collect");
        }
    }
}

fn set_claim(object: &mut Value, claim: policy::Claim, policy: &Value) {
    set_label(object, claim.id, policy::identity(policy));
    set_annotation(object, claim.name, name(policy));
    if let Some(key) = claim.namespace {
        set_annotation(object, key, namespace(policy));
    }
}

/// Writes what the detector owns of a binding. The clusters are the scheduler's and stay.
fn describe(binding: &mut Value, template: &Value, policy: &Value) {
    set_claim(binding, policy::claim_of(policy), policy);
    put(binding, &["metadata", "finalizers"], json!([BINDING_FINALIZER]));
    let owner = json!([{
        "apiVersion": template["apiVersion"], "kind": template["kind"], "name": name(template),
        "uid": template["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    }]);
    put(binding, &["metadata", "ownerReferences"], owner);
    let resource = json!({
        "apiVersion": template["apiVersion"],
        "kind": template["kind"],
        "namespace": namespace(template),
        "name": name(template),
        "uid": template["metadata"]["uid"],
        "resourceVersion": version(template).to_string(),
    });
    put(binding, &["spec", "resource"], resource);
    let (replicas, requirements) = interpret(template);
    set_or_take(binding, "replicas", replicas.filter(|replicas| *replicas != 0).map(Value::from));
    set_or_take(binding, "replicaRequirements", requirements);
    let placement = policy.pointer("/spec/placement").cloned().unwrap_or_else(|| json!({}));
    put(binding, &["spec", "placement"], placement);
    let scheduler = match text(policy, "/spec/schedulerName") {
        "" => "default-scheduler",
        named => named,
    };
    put(binding, &["spec", "schedulerName"], json!(scheduler));
    for copied in ["failover", "conflictResolution", "preserveResourcesOnDeletion"] {
        set_or_take(binding, copied, policy.pointer(&format!("/spec/{copied}")).cloned());
    }
    merge_suspension(binding, policy);
}

fn set_or_take(binding: &mut Value, key: &str, value: Option<Value>) {
    match value {
        Some(value) => put(binding, &["spec", key], value),
        None => {
            take(binding, &["spec", key]);
        }
    }
}

/// The policy decides on dispatching; a binding's own `scheduling` is left as it is.
fn merge_suspension(binding: &mut Value, policy: &Value) {
    let own = binding.pointer("/spec/suspension/scheduling").cloned();
    let mut merged =
        policy.pointer("/spec/suspension").and_then(Value::as_object).cloned().unwrap_or_default();
    merged.extend(own.map(|own| ("scheduling".to_owned(), own)));
    set_or_take(binding, "suspension", Some(merged).filter(|merged| !merged.is_empty()).map(Value::Object));
}

/// A workload's replicas and what each of them asks for.
fn interpret(template: &Value) -> (Option<i64>, Option<Value>) {
    let Some(pod) = template.pointer("/spec/template/spec") else { return (None, None) };
    let replicas = crate::fields::int(template, "/spec/replicas").unwrap_or(1);
    let request = crate::member::requested(pod);
    let mut amounts = Map::new();
    amounts.extend(request.cpu.map(|milli| ("cpu".to_owned(), crate::quantity::decimal_text(milli).into())));
    let memory =
        request.memory.map(|bytes| ("memory".to_owned(), crate::quantity::binary_text(bytes).into()));
    amounts.extend(memory);
    let mut requirements = Map::new();
    if !amounts.is_empty() {
        requirements.insert("resourceRequest".to_owned(), amounts.into());
    }
    let mut claim = Map::new();
    claim.extend(pod.get("nodeSelector").map(|selector| ("nodeSelector".to_owned(), selector.clone())));
    if !items(pod, "/tolerations").is_empty() {
        claim.insert("tolerations".to_owned(), pod["tolerations"].clone());
    }
    if !claim.is_empty() {
        requirements.insert("nodeClaim".to_owned(), claim.into());
    }
    (Some(replicas), Some(requirements.into()))
}
