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

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;
    use crate::{
        fake::metrics,
        readiness::{Need, WatchState},
    };

    async fn get(readiness: &Readiness, path: &str) -> (u16, String) {
        let doors = doors(metrics(), readiness.clone());
        let answer = doors.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_names_the_kind_that_is_absent() {
        let board = Readiness::default();
        assert_eq!(get(&board, "/readyz").await.0, 200);
        board.set("fedhpas.autoscaling.fedscaler.io", Need::Required, WatchState::Absent);
        let (code, body) = get(&board, "/readyz").await;
        assert_eq!(code, 503);
        assert!(body.starts_with("[-] fedhpas.autoscaling.fedscaler.io: absent"), "{body}");
        assert_eq!(get(&board, "/healthz").await.0, 200, "an absent kind is no reason to be restarted");
    }

    #[tokio::test]
    async fn metrics_are_served_as_text() {
        let (code, body) = get(&Readiness::default(), "/metrics").await;
        assert_eq!(code, 200);
        assert!(body.contains("# TYPE build_info gauge"), "{body}");
    }

    #[tokio::test]
    async fn the_server_answers_until_it_is_told_to_stop() {
        let any = "127.0.0.1:0".parse().unwrap();
        let admin = Admin::bind(any, metrics(), Readiness::default()).await.unwrap();
        let taken = admin.address().unwrap();
        let error = Admin::bind(taken, metrics(), Readiness::default()).await.unwrap_err().to_string();
        assert!(error.contains(&taken.to_string()) && !error.contains('\n'), "{error}");
        let (stopper, shutdown) = crate::shutdown::channel();
        let serving = tokio::spawn(admin.serve(shutdown.requested()));
        tokio::net::TcpStream::connect(taken).await.unwrap();
        stopper.stop();
        serving.await.unwrap().unwrap();
    }
}
