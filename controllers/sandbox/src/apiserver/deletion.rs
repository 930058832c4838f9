//! Deleting objects: preconditions, and what holds an object that is asked to go.
//!
//! What follows from a deletion is not known here.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    State,
    catalog::Served,
    errors::ApiError,
    kinds::{self, GroupResource},
    metadata::{has_finalizers, is_terminating, metadata_mut, name_of, resource_version_of, text},
    objects::{Effect, Writing},
};
use crate::clock::seconds;

/// Conditions on what may be deleted.
#[derive(Debug, Clone, Default)]
pub(super) struct DeletePreconditions {
    pub(super) uid: Option<String>,
    pub(super) resource_version: Option<String>,
}

/// What became of an object that was asked to go.
#[derive(Debug, Clone)]
pub(super) enum Deletion {
    /// It is gone; this was its last state.
    Gone(Arc<Value>),
    /// It waits for its finalizers.
    Waiting(Arc<Value>),
}

/// Deletes an object, or marks it for deletion while finalizers hold it; `further` finalizers are added first.
pub(super) fn delete(
    state: &mut State,
    served: &Served,
    old: &Arc<Value>,
    further: &[&str],
    writing: &Writing,
) -> Deletion {
    let mut object = (**old).clone();
    if !is_held(old) && further.is_empty() {
        return Deletion::Gone(match writing.effect {
            Effect::Stored => state.store.remove(&served.resource.storage, object),
            Effect::DryRun => old.clone(),
        });
    }
    if is_terminating(old) {
        return Deletion::Waiting(old.clone());
    }
    let generation = old["metadata"]["generation"].as_i64();
    let metadata = metadata_mut(&mut object);
    metadata.insert("deletionTimestamp".to_owned(), json!(seconds(writing.now)));
    metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
    if let Some(generation) = generation {
        metadata.insert("generation".to_owned(), json!(generation + 1));
    }
    if !further.is_empty() {
        let mut finalizers = old["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        finalizers.extend(further.iter().map(|finalizer| json!(finalizer)));
        metadata.insert("finalizers".to_owned(), Value::Array(finalizers));
    }
    if kinds::NAMESPACES.is_of(served.name()) {
        object["status"]["phase"] = json!("Terminating");
    }
    Deletion::Waiting(match writing.effect {
        Effect::Stored => state.store.put(&served.resource.storage, object),
        Effect::DryRun => Arc::new(object),
    })
}

/// Refuses a deletion whose preconditions do not hold.
pub(super) fn check_delete_preconditions(
    served: &Served,
    old: &Value,
    preconditions: &DeletePreconditions,
) -> Result<(), ApiError> {
    // kube-apiserver puts the kind where the resource belongs.
    let named =
        GroupResource { group: served.name().group.clone(), plural: served.resource.kind.clone().into() };
    let pairs = [
        ("UID", &preconditions.uid, text(old, "uid"), "deleted and then recreated"),
        ("ResourceVersion", &preconditions.resource_version, resource_version_of(old), "modified"),
    ];
    for (what, wanted, found, else_then) in pairs {
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != found) {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might have been {else_then}"
            );
            return Err(ApiError::conflict(&named, name_of(old), &why));
        }
    }
    Ok(())
}

/// Finalizers of its own, or those of a namespace's spec, keep an object from going.
pub(super) fn is_held(object: &Value) -> bool {
    let emptying = object["kind"] == "Namespace"
        && object["apiVersion"] == "v1"
        && object["spec"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
    has_finalizers(object) || emptying
}
