//! The door for those who look after the process.
//!
//! Responsible for `/metrics`, `/healthz` and `/readyz` over HTTP. Knows nothing of what is measured or watched.

use std::{io, net::SocketAddr};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use thiserror::Error;
use tokio::net::TcpListener;

use crate::{metrics::Metrics, readiness::Readiness};

/// Why there is no such door, in one line.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for metrics and probes: {source}; choose another address")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// It was open and broke.
    #[error("the server for metrics and probes failed: {0}")]
    Serve(#[from] io::Error),
}

/// A server that listens but does not answer yet.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    doors: Router,
}

impl Admin {
    /// Listens on `address`; port 0 takes any that is free.
    pub async fn bind(
        address: SocketAddr,
        metrics: Metrics,
        readiness: Readiness,
    ) -> Result<Self, AdminError> {
        let listener =
            TcpListener::bind(address).await.map_err(|source| AdminError::Bind { address, source })?;
        Ok(Self { listener, doors: doors(metrics, readiness) })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr, AdminError> {
        Ok(self.listener.local_addr()?)
    }

    /// Answers until `shutdown` resolves.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), AdminError> {
        Ok(axum::serve(self.listener, self.doors).with_graceful_shutdown(shutdown).await?)
    }
}

fn doors(metrics: Metrics, readiness: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(scrape).with_state(metrics))
        .route("/readyz", get(ready).with_state(readiness))
        .route("/healthz", get(async || "ok\n"))
}

async fn scrape(State(metrics): State<Metrics>) -> Response {
    match metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let code = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, readiness.report()).into_response()
}
