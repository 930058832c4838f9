//! Access to a server from within the process, for the models that run beside it.
//!
//! Same rules as over HTTP, no serialisation in between.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    ApiServer, State,
    catalog::Served,
    deletion::DeletePreconditions,
    errors::ApiError,
    garbage::{self, Propagation},
    kinds::{Kind, NAMESPACES},
    metadata::namespace_of,
    objects::{self, Effect, Part, Unconditional, UnknownFields, Writing},
    store::Change,
    versions,
};

/// In-process access to a server under one name, which owns the fields it writes.
#[derive(Clone)]
pub struct Local {
    server: ApiServer,
    manager: String,
}

impl Local {
    pub(super) fn new(server: ApiServer, manager: &str) -> Self {
        Self { server, manager: manager.to_owned() }
    }

    fn writing(&self) -> Writing {
        Writing::new(&self.manager, self.server.now(), Effect::Stored, UnknownFields::Dropped)
    }

    /// The object of that name; `namespace` is empty for cluster-scoped kinds.
    #[must_use]
    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let state = self.server.state();
        let served = state.catalog.find(kind)?;
        let found = state.store.get(served.stored_as(), namespace, name)?;
        Some(versions::present(&served, found))
    }

    /// All objects of a kind, or one namespace's, by namespace and name; empty if the kind is not served.
    #[must_use]
    pub fn list(&self, kind: &Kind, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let state = self.server.state();
        let Some(served) = state.catalog.find(kind) else { return Vec::new() };
        let found = state.store.iter(served.stored_as(), namespace);
        found.map(|object| versions::present(&served, object)).collect()
    }

    /// Creates an object; `apiVersion` and `kind` may be left out. As no kind takes a status on creation, one that is
    /// stated is written in a second step.
    pub fn create(&self, kind: &Kind, object: Value) -> Result<Arc<Value>, ApiError> {
        let status = object.get("status").filter(|status| !status.is_null()).cloned();
        let created = self.write(kind, |state, served, writing| {
            let namespace = namespace_of(&object).to_owned();
            objects::create(state, served, &namespace, object, writing)
        })?;
        match status {
            Some(status) if created.get("status") != Some(&status) => {
                let mut reported = (*created).clone();
                reported["status"] = status;
                self.replace(kind, Part::Status, reported)
            }
            Some(_) | None => Ok(created),
        }
    }

    /// Replaces an object but for its status; a `resourceVersion` in it is a precondition.
    pub fn update(&self, kind: &Kind, object: Value) -> Result<Arc<Value>, ApiError> {
        self.replace(kind, Part::Object, object)
    }

    /// Replaces the status of an object; a `resourceVersion` in it is a precondition.
    pub fn update_status(&self, kind: &Kind, object: Value) -> Result<Arc<Value>, ApiError> {
        self.replace(kind, Part::Status, object)
    }

    fn write<T>(
        &self,
        kind: &Kind,
        act: impl FnOnce(&mut State, &Served, &mut Writing) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut writing = self.writing();
        let mut state = self.server.state();
        let served = state.catalog.find(kind).ok_or_else(ApiError::no_such_path)?;
        let outcome = act(&mut state, &served, &mut writing);
        garbage::settle(&mut state, &writing);
        outcome
    }

    fn replace(&self, kind: &Kind, part: Part, object: Value) -> Result<Arc<Value>, ApiError> {
        self.write(kind, |state, served, writing| {
            objects::update(state, served, part, object, Unconditional::Allowed, writing)
        })
    }

    /// Deletes an object, or marks it for deletion while finalizers hold it.
    pub fn delete(&self, kind: &Kind, namespace: &str, name: &str) -> Result<(), ApiError> {
        self.write(kind, |state, served, writing| {
            let (key, always) = ((namespace, name), DeletePreconditions::default());
            garbage::delete(state, served, key, &always, Propagation::Background, writing).map(|_| ())
        })
    }

    /// Makes sure that a namespace is there.
    pub fn ensure_namespace(&self, name: &str) -> Result<(), ApiError> {
        if self.get(&NAMESPACES, "", name).is_some() {
            return Ok(());
        }
        let namespace = serde_json::json!({"metadata": {"name": name}});
        self.create(&NAMESPACES, namespace).map(|_| ())
    }

    /// Every change of every kind from now on, in the order of their revisions; nothing is ever skipped.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes(self.server.state().store.follow())
    }
}

/// The changes of a server, one after the other.
pub struct Changes(UnboundedReceiver<Arc<Change>>);

impl Changes {
    /// The next change, as soon as there is one. It never comes once the server itself is gone.
    pub async fn next(&mut self) -> Arc<Change> {
        match self.0.recv().await {
            Some(change) => change,
            None => std::future::pending().await,
        }
    }

    /// The next change if it has happened already.
    pub fn ready(&mut self) -> Option<Arc<Change>> {
        self.0.try_recv().ok()
    }
}
