//! Whether an API server would take what was converted.
//!
//! Responsible for asking one: it lives in this process, has our definitions and nothing else. Knows nothing of where
//! the manifests come from.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveTime};
use fedscaler_sandbox::{apiserver::ApiServer, clock::TokioClock};
use kube::Client;

use crate::{
    Refusal,
    sandbox::{client_of, install},
};

/// An API server with our definitions.
pub(super) struct Judge {
    server: ApiServer,
    client: Client,
}

impl Judge {
    /// A new one.
    pub(super) async fn new(today: NaiveDate) -> Result<Self, Refusal> {
        let now = DateTime::from_naive_utc_and_offset(today.and_time(NaiveTime::MIN), chrono::Utc);
        let server = ApiServer::new("convert", Arc::new(TokioClock::starting_at(now)));
        let client = client_of(&server);
        for definition in fedscaler_crds::render::render().map_err(Refusal::new)?.values() {
            install::apply(&client, definition).await?;
        }
        Ok(Self { server, client })
    }

    /// Refuses a manifest that an API server would refuse.
    pub(super) async fn judge(&self, namespace: Option<&str>, manifest: &str) -> Result<(), Refusal> {
        let namespace = namespace.unwrap_or("default");
        self.server.local("fedscaler").ensure_namespace(namespace).map_err(Refusal::new)?;
        install::apply(&self.client, manifest).await
    }
}
