//! A Kubernetes-compatible API server in memory.
//!
//! Responsible for what kube-apiserver and etcd are responsible for: kinds, objects, revisions, watches, patches, field
//! ownership, validation and the wording of refusals. It does not know what any object is for: nothing here reconciles.

mod admission;
mod built_in;
mod catalog;
mod compiled;
mod crds;
mod decoding;
mod deletion;
mod discovery;
pub mod errors;
mod fields;
mod garbage;
pub mod kinds;
mod lists;
mod local;
mod metadata;
mod objects;
mod openapi;
mod ownership;
mod patches;
mod path;
mod protobuf;
mod response;
mod routes;
mod rules;
mod scale;
mod schema;
mod selectors;
mod service;
mod shaping;
mod store;
mod strategic;
mod structural;
pub mod tables;
mod validation;
mod verbs;
mod versions;
mod watches;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::json;

use self::{catalog::Catalog, kinds::ResourceType, store::Store};
pub use self::{
    errors::ApiError,
    local::{Changes, Local},
    response::{ConnectionCut, ResponseBody},
    service::ApiService,
    store::{Change, ChangeType},
};
use crate::clock::Clock;

/// A server; clones are the same server.
#[derive(Clone)]
pub struct ApiServer(Arc<Server>);

struct Server {
    name: String,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// What a server may be switched to that the newest one of its kind does by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gates {
    /// `HPAScaleToZero`: on by itself from Kubernetes 1.37.
    pub hpa_scale_to_zero: bool,
}

/// Everything a request may read or write, under one lock.
struct State {
    gates: Gates,
    catalog: Catalog,
    store: Store,
    uids: Identities,
}

/// Identities that are never given twice and are the same in every run.
struct Identities {
    seed: u64,
    given: u64,
}

impl Identities {
    fn of(server: &str) -> Self {
        Self { seed: fnv1a(server.as_bytes()), given: 0 }
    }

    /// A number that looks random and follows from the server's name and how many were given before.
    fn next(&mut self) -> u64 {
        self.given += 1;
        let mut mixed = self.seed ^ self.given.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// 64-bit FNV-1a.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

impl State {
    /// A version 4 UUID in form.
    fn next_uid(&mut self) -> String {
        let (high, low) = (self.uids.next(), self.uids.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            high & 0xFFF,
            0x8000 | ((low >> 48) & 0x3FFF),
            low & 0xFFFF_FFFF_FFFF
        )
    }

    /// Five characters for `generateName`, from the alphabet that Kubernetes uses.
    fn next_suffix(&mut self) -> String {
        const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut rest = self.uids.next();
        let mut suffix = String::with_capacity(5);
        for _ in 0..5 {
            let at = usize::try_from(rest % 27).unwrap_or_default();
            suffix.push(char::from(ALPHABET[at]));
            rest /= 27;
        }
        suffix
    }
}

impl ApiServer {
    /// A server with all built-in kinds and the namespaces every cluster starts with. `name` goes into uids and logs.
    #[must_use]
    pub fn new(name: &str, clock: Arc<dyn Clock>) -> Self {
        Self::with_gates(name, clock, Gates::default())
    }

    /// The same with features switched on.
    pub fn with_gates(name: &str, clock: Arc<dyn Clock>, gates: Gates) -> Self {
        let (catalog, store, uids) = (Catalog::built_in(), Store::new(), Identities::of(name));
        let state = State { gates, catalog, store, uids };
        let server = Self(Arc::new(Server { name: name.to_owned(), clock, state: Mutex::new(state) }));
        let setup = server.local("kube-apiserver");
        for namespace in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            if let Err(error) = setup.create(&kinds::NAMESPACES, json!({"metadata": {"name": namespace}})) {
                tracing::error!(server = name, namespace, %error, "a namespace could not be made");
            }
        }
        server
    }

    /// What the server was called when it was made.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Serves a further kind that no custom resource definition makes, as an aggregated API server would.
    pub fn install(&self, resource: ResourceType) {
        self.state().catalog.install(resource);
    }

    /// A connection, as a `tower::Service` of HTTP requests.
    #[must_use]
    pub fn service(&self) -> ApiService {
        ApiService::new(self.clone())
    }

    /// Access from within the process as the field manager `manager`.
    #[must_use]
    pub fn local(&self, manager: &str) -> Local {
        Local::new(self.clone(), manager)
    }

    /// Forgets the history of changes: watches and pages from before now get 410 Gone.
    pub fn compact(&self) {
        self.state().store.compact();
    }

    fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// The state, for one request. A request that panicked leaves it whole: every write is a single `put` at its end.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
