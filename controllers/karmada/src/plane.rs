//! The way to Karmada's API server.
//!
//! Responsible for giving each call its budget. Knows nothing of what is called.

use std::{
    fmt::{self, Debug},
    time::Duration,
};

use fedscaler_runtime::{
    client::{self, CallError},
    leadership::Term,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Karmada's API server, how long one call to it may take, and in whose name is written.
#[derive(Clone)]
pub struct ControlPlane {
    client: Client,
    budget: Duration,
    manager: &'static str,
}

impl Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane")
            .field("budget", &self.budget)
            .field("manager", &self.manager)
            .finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// Calls through `client` that take `budget` at most. `manager` is the field manager of all that is written:
    /// [`FEDHPA_MANAGER`](crate::labels::FEDHPA_MANAGER) or [`CRONHPA_MANAGER`](crate::labels::CRONHPA_MANAGER).
    pub fn new(client: Client, budget: Duration, manager: &'static str) -> Self {
        Self { client, budget, manager }
    }

    /// The client, for watches.
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) async fn read<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, CallError> {
        client::within(self.budget, call).await
    }

    pub(crate) async fn write<T>(
        &self,
        term: &Term,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, CallError> {
        term.write(self.budget, call).await
    }

    /// Patches one object with a JSON merge patch, which carries the resourceVersion that it was decided on.
    pub(crate) async fn merge<K: Clone + Debug + DeserializeOwned>(
        &self,
        term: &Term,
        api: &Api<K>,
        name: &str,
        patch: &Value,
    ) -> Result<K, CallError> {
        let (by, patch) = (self.written_by(), Patch::Merge(patch));
        self.write(term, api.patch(name, &by, &patch)).await
    }

    /// Applies our fields of one object, whoever else claims them.
    pub(crate) async fn apply<K: Clone + Debug + DeserializeOwned>(
        &self,
        term: &Term,
        api: &Api<K>,
        name: &str,
        ours: &Value,
    ) -> Result<K, CallError> {
        let (by, patch) = (self.written_by().force(), Patch::Apply(ours));
        self.write(term, api.patch(name, &by, &patch)).await
    }

    /// Applies our fields of one object that should not be there yet. If it is there after all and someone else
    /// says something different in it, that is a conflict: nothing of theirs is overwritten.
    pub(crate) async fn introduce<K: Clone + Debug + DeserializeOwned>(
        &self,
        term: &Term,
        api: &Api<K>,
        name: &str,
        ours: &Value,
    ) -> Result<K, CallError> {
        let (by, patch) = (self.written_by(), Patch::Apply(ours));
        self.write(term, api.patch(name, &by, &patch)).await
    }

    /// On merge patches too, so that managed fields say who wrote.
    pub(crate) fn written_by(&self) -> PatchParams {
        PatchParams::apply(self.manager)
    }
}
