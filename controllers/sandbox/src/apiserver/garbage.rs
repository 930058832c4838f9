//! What follows from a deletion: dependents go with their owners, contents with their namespace or kind.
//!
//! In kube-controller-manager this happens a moment later; here it happens before the request that caused it is
//! answered, in the same order every time.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    State,
    catalog::Served,
    crds,
    deletion::{self, DeletePreconditions, Deletion},
    errors::ApiError,
    kinds::{self, GroupResource, Kind},
    metadata::{is_terminating, metadata_mut, name_of, namespace_of, text},
    objects::{self, Effect, Writing},
    store::{Change, ChangeType},
};

const FOREGROUND: &str = "foregroundDeletion";

/// What is to become of dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Propagation {
    /// They go after the owner.
    Background,
    /// They go before the owner.
    Foreground,
    /// They stay and lose the reference.
    Orphan,
}

/// Deletes an object as `propagation` says.
pub(super) fn delete(
    state: &mut State,
    served: &Served,
    (namespace, name): (&str, &str),
    preconditions: &DeletePreconditions,
    propagation: Propagation,
    writing: &Writing,
) -> Result<Deletion, ApiError> {
    let old = objects::existing(state, served, namespace, name)?;
    deletion::check_delete_preconditions(served, &old, preconditions)?;
    let uid = text(&old, "uid");
    let mut further: &[&str] = &[];
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground if state.store.dependents(uid).is_empty() => {}
        Propagation::Foreground => further = &[FOREGROUND],
        Propagation::Orphan if writing.effect == Effect::DryRun => {}
        Propagation::Orphan => {
            for dependent in state.store.dependents(uid) {
                drop_reference(state, &dependent, uid);
            }
        }
    }
    Ok(deletion::delete(state, served, &old, further, writing))
}

/// Where an object is: its kind as stored, namespace and name.
pub(super) type Place = (Arc<Kind>, String, String);

/// Does all that follows from changes so far.
pub(super) fn settle(state: &mut State, writing: &Writing) {
    while let Some(change) = state.store.next_unsettled() {
        match change.what {
            ChangeType::Added | ChangeType::Modified => after_write(state, &change, writing),
            ChangeType::Deleted => after_deletion(state, &change, writing),
        }
    }
}

fn after_write(state: &mut State, change: &Change, writing: &Writing) {
    let object = &change.object;
    if kinds::CUSTOM_RESOURCE_DEFINITIONS.shares_objects_with(&change.kind) {
        crds::follow(state, object, writing);
    }
    if is_terminating(object) {
        if kinds::NAMESPACES.shares_objects_with(&change.kind) {
            empty_namespace(state, name_of(object), writing);
        }
        if has_finalizer(object, FOREGROUND) {
            delete_dependents(state, text(object, "uid"), writing);
            finish_foreground(state, text(object, "uid"), &place_of(change));
        }
        return;
    }
    if let Some(reference) = dangling_reference(state, object) {
        release(state, &place_of(change), &reference, writing);
    }
}

fn place_of(change: &Change) -> Place {
    (change.kind.clone(), namespace_of(&change.object).to_owned(), name_of(&change.object).to_owned())
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|finalizers| finalizers.iter().any(|held| held == finalizer))
}

fn references(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten()
}

/// The uid of an owner that does not exist where the reference says it is.
fn dangling_reference(state: &State, object: &Value) -> Option<String> {
    references(object)
        .find(|reference| !is_owner_there(state, object, reference))
        .and_then(|reference| reference["uid"].as_str().map(str::to_owned))
}

/// Also true where the owner's kind is not served: nothing is known about it then.
fn is_owner_there(state: &State, object: &Value, reference: &Value) -> bool {
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
    let served = state.catalog.iter().find(|resource| {
        resource.id.group == group && resource.kind == text("kind") && resource.versions.contains_key(version)
    });
    let Some(resource) = served else { return true };
    let namespace = match resource.scope {
        kinds::Scope::Cluster => "",
        kinds::Scope::Namespaced => namespace_of(object),
    };
    let owner = state.store.get(&resource.stored, namespace, text("name"));
    owner.is_some_and(|owner| owner["metadata"]["uid"] == reference["uid"])
}

fn stored<'a>(state: &'a State, (kind, namespace, name): &Place) -> Option<&'a Arc<Value>> {
    state.store.get(&kind.resource(), namespace, name)
}

/// One owner of an object is gone: with the last one it goes too, else it only loses the reference.
fn release(state: &mut State, place: &Place, uid: &str, writing: &Writing) {
    let Some(object) = stored(state, place).cloned() else { return };
    let others = references(&object)
        .any(|reference| reference["uid"] != uid && is_owner_there(state, &object, reference));
    if others {
        drop_reference(state, place, uid);
    } else {
        remove(state, place, writing);
    }
}

fn drop_reference(state: &mut State, place: &Place, uid: &str) {
    let Some(object) = stored(state, place) else { return };
    let mut object = (**object).clone();
    let left: Vec<Value> = references(&object).filter(|reference| reference["uid"] != uid).cloned().collect();
    let metadata = metadata_mut(&mut object);
    if left.is_empty() {
        metadata.remove("ownerReferences");
    } else {
        metadata.insert("ownerReferences".to_owned(), Value::Array(left));
    }
    state.store.put(&place.0, object);
}

/// Deletes an object in the background, if it is still there.
pub(super) fn remove(state: &mut State, place: &Place, writing: &Writing) {
    let Some(object) = stored(state, place).cloned() else { return };
    if let Some(served) = state.catalog.find(&place.0) {
        let stored = Writing { effect: Effect::Stored, ..writing.clone() };
        deletion::delete(state, &served, &object, &[], &stored);
    }
}

fn after_deletion(state: &mut State, change: &Change, writing: &Writing) {
    let object = &change.object;
    for dependent in state.store.dependents(text(object, "uid")) {
        release(state, &dependent, text(object, "uid"), writing);
    }
    let owners: Vec<String> =
        references(object).filter_map(|reference| reference["uid"].as_str().map(str::to_owned)).collect();
    for uid in owners {
        if let Some(owner) = state.store.place_of(&uid) {
            finish_foreground(state, &uid, &owner);
        }
    }
    let resource = change.kind.resource();
    if !namespace_of(object).is_empty() {
        finish_namespace(state, namespace_of(object));
    }
    if kinds::CUSTOM_RESOURCE_DEFINITIONS.is_of(&resource) {
        crds::withdraw(state, object);
    } else {
        crds::finish(state, &resource);
    }
}

fn delete_dependents(state: &mut State, uid: &str, writing: &Writing) {
    for dependent in state.store.dependents(uid) {
        remove(state, &dependent, writing);
    }
}

/// An owner that waited for its dependents may go once none is left that blocks it.
fn finish_foreground(state: &mut State, uid: &str, owner: &Place) {
    let Some(object) = stored(state, owner) else { return };
    let blocked = state.store.dependents(uid).iter().any(|place| {
        stored(state, place).is_some_and(|dependent| {
            references(dependent)
                .any(|reference| reference["uid"] == uid && reference["blockOwnerDeletion"] == true)
        })
    });
    if !blocked && is_terminating(object) && has_finalizer(object, FOREGROUND) {
        drop_finalizer(state, owner, FOREGROUND);
    }
}

/// Takes a finalizer off an object, which goes if that was the last.
pub(super) fn drop_finalizer(state: &mut State, place: &Place, finalizer: &str) {
    let Some(object) = stored(state, place) else { return };
    let mut object = (**object).clone();
    if let Some(finalizers) = object["metadata"]["finalizers"].as_array_mut() {
        finalizers.retain(|held| held != finalizer);
    }
    if object["metadata"]["finalizers"] == json!([]) {
        metadata_mut(&mut object).remove("finalizers");
    }
    if is_terminating(&object) && !deletion::is_held(&object) {
        state.store.remove(&place.0, object);
    } else {
        state.store.put(&place.0, object);
    }
}

fn empty_namespace(state: &mut State, namespace: &str, writing: &Writing) {
    let resources: Vec<Arc<Kind>> = state.catalog.iter().map(|resource| resource.storage.clone()).collect();
    for kind in resources {
        for name in state.store.names(&kind.resource(), namespace) {
            remove(state, &(kind.clone(), namespace.to_owned(), name), writing);
        }
    }
    finish_namespace(state, namespace);
}

/// A namespace on its way out goes when it is empty.
fn finish_namespace(state: &mut State, namespace: &str) {
    let namespaces: GroupResource = kinds::NAMESPACES.resource();
    let Some(object) = state.store.get(&namespaces, "", namespace) else { return };
    if !is_terminating(object) || state.store.holds_any_in(namespace) {
        return;
    }
    let mut object = (**object).clone();
    object["spec"]["finalizers"] = json!([]);
    let kind = Arc::new(kinds::NAMESPACES);
    if deletion::is_held(&object) {
        state.store.put(&kind, object);
    } else {
        state.store.remove(&kind, object);
    }
}
