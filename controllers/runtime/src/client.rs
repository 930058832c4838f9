//! Calls to the API server.
//!
//! Responsible for connecting, for the time that a call may take and for saying in a closed set of words why it
//! failed. Knows nothing of what is called. The reconcile loop is the retry: nothing here tries twice.

use std::{fmt, path::Path, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    core::Status,
};
use thiserror::Error;

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server may keep silent on a connection. A watch is ended by the server after 290 s at the
/// latest and bookmarks come each minute, so a longer silence is a dead connection.
const READ_TIMEOUT: Duration = Duration::from_secs(295);

/// Why there is no connection to an API server: what is wrong and what to do, in one line.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The kubeconfig that was asked for cannot be used.
    #[error("cannot use the kubeconfig {path}: {reason}; check --kubeconfig and --context")]
    Kubeconfig {
        /// Which file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No kubeconfig was asked for, none is in the usual places, and this is no pod either.
    #[error(
        "found no API server to talk to: {reason}; give --kubeconfig FILE, set KUBECONFIG, or run inside a cluster"
    )]
    Nowhere {
        /// What was tried.
        reason: String,
    },
    /// The configuration is there, but no client can be made of it.
    #[error(
        "cannot talk to {server}: {reason}; check the server, certificates and credentials in the kubeconfig"
    )]
    Client {
        /// The server's address.
        server: String,
        /// What is wrong.
        reason: String,
    },
}

/// A client for the API server that `kubeconfig` and `context` name; without them the usual places (KUBECONFIG,
/// `~/.kube/config`) and then the pod's own service account are tried. No call is made yet.
pub async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Client, ConnectError> {
    install_crypto();
    let mut config = configuration(kubeconfig, context).await?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.default_retry = false;
    let server = config.cluster_url.to_string();
    Client::try_from(config).map_err(|error| ConnectError::Client { server, reason: one_line(&error) })
}

/// Makes ring the process's TLS provider, unless one has been chosen before.
pub fn install_crypto() {
    let chosen_before = rustls::crypto::ring::default_provider().install_default().is_err();
    tracing::trace!(chosen_before, "TLS provider");
}

async fn configuration(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Config, ConnectError> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    match (kubeconfig, context) {
        (Some(path), _) => from_file(path, &options).await,
        (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(|error| {
            ConnectError::Kubeconfig { path: "in its usual place".to_owned(), reason: one_line(&error) }
        }),
        (None, None) => {
            Config::infer().await.map_err(|error| ConnectError::Nowhere { reason: one_line(&error) })
        }
    }
}

async fn from_file(path: &Path, options: &KubeConfigOptions) -> Result<Config, ConnectError> {
    let unusable =
        |error| ConnectError::Kubeconfig { path: path.display().to_string(), reason: one_line(&error) };
    let file = Kubeconfig::read_from(path).map_err(unusable)?;
    Config::from_custom_kubeconfig(file, options).await.map_err(unusable)
}

fn one_line(error: &impl fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Why a call to the API server failed.
#[derive(Clone, Debug, Error)]
pub enum CallError {
    /// No answer within the budget. Whether the call took effect is not known.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The object has changed since it was read (409).
    #[error("conflict: {}", .0.message)]
    Conflict(Box<Status>),
    /// There is no such object, or no such kind (404).
    #[error("not found: {}", .0.message)]
    NotFound(Box<Status>),
    /// There already is one of that name (409).
    #[error("already exists: {}", .0.message)]
    AlreadyExists(Box<Status>),
    /// Not allowed (401, 403): RBAC, an admission plugin or a quota.
    #[error("forbidden: {}", .0.message)]
    Forbidden(Box<Status>),
    /// The API server does not accept what was sent (400, 422 and their like).
    #[error("invalid: {}", .0.message)]
    Invalid(Box<Status>),
    /// The version that was asked for is no longer kept (410).
    #[error("gone: {}", .0.message)]
    Gone(Box<Status>),
    /// Too many requests (429).
    #[error("throttled: {}", .status.message)]
    Throttled {
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// What the server said.
        status: Box<Status>,
    },
    /// The server failed (5xx) or cannot be reached.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It was not sent: this process does not lead, or perhaps not for as long as the call may take.
    #[error("not sent: this process does not lead")]
    NotLeading,
    /// Something else, such as an answer that cannot be read.
    #[error("{0}")]
    Other(String),
}

impl CallError {
    /// The word for metrics: one of a closed set.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Conflict(_) => "conflict",
            Self::NotFound(_) => "not_found",
            Self::AlreadyExists(_) => "already_exists",
            Self::Forbidden(_) => "forbidden",
            Self::Invalid(_) => "invalid",
            Self::Gone(_) => "gone",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable(_) => "unavailable",
            Self::NotLeading => "not_leading",
            Self::Other(_) => "other",
        }
    }

    /// Whether the same call may succeed later with nothing changed on our side.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout(_)
            | Self::Throttled { .. }
            | Self::Unavailable(_)
            | Self::NotLeading
            | Self::Other(_) => true,
            Self::Conflict(_)
            | Self::NotFound(_)
            | Self::AlreadyExists(_)
            | Self::Forbidden(_)
            | Self::Invalid(_)
            | Self::Gone(_) => false,
        }
    }

    /// What the API server said, where it said something.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Conflict(status)
            | Self::NotFound(status)
            | Self::AlreadyExists(status)
            | Self::Forbidden(status)
            | Self::Invalid(status)
            | Self::Gone(status)
            | Self::Throttled { status, .. } => Some(status),
            Self::Timeout(_) | Self::Unavailable(_) | Self::NotLeading | Self::Other(_) => None,
        }
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let status = Box::new(status);
        match (status.code, status.reason.as_str()) {
            (409, "AlreadyExists") => Self::AlreadyExists(status),
            (409, _) => Self::Conflict(status),
            (404, _) => Self::NotFound(status),
            (410, _) => Self::Gone(status),
            (401 | 403, _) => Self::Forbidden(status),
            (429, _) => Self::Throttled { retry_after: retry_after(&status), status },
            (400..500, _) => Self::Invalid(status),
            (500.., _) => Self::Unavailable(one_line(&status)),
            _ => Self::Other(one_line(&status)),
        }
    }
}

impl From<kube::Error> for CallError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from(*status),
            kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
                Self::Unavailable(with_causes(&error))
            }
            other => Self::Other(with_causes(&other)),
        }
    }
}

fn retry_after(status: &Status) -> Option<Duration> {
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

/// An error and what is behind it, where the causes add something.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = one_line(&error);
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = one_line(&inner);
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}

/// The outcome of `call`, if it comes within `budget`.
///
/// Dropping a call that took too long closes its connection; what it was to write may have been written.
pub async fn within<T>(
    budget: Duration,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(budget, call).await {
        Ok(outcome) => outcome.map_err(CallError::from),
        Err(_elapsed) => Err(CallError::Timeout(budget)),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use tokio::time::Instant;

    use super::*;
    use crate::fake::{Answer, FakeServer, failure, refusal};

    async fn error_of(answer: Answer) -> CallError {
        let api: Api<ConfigMap> = Api::default_namespaced(FakeServer::answering([answer]).client());
        within(Duration::from_secs(5), api.get("web")).await.unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_gets_no_answer_ends_with_its_budget() {
        let start = Instant::now();
        let error = error_of(Answer::Silence).await;
        assert_eq!((error.class(), start.elapsed()), ("timeout", Duration::from_secs(5)));
    }

    #[tokio::test]
    async fn each_refusal_has_its_class() {
        for (code, reason, class, is_transient) in [
            (400, "BadRequest", "invalid", false),
            (401, "Unauthorized", "forbidden", false),
            (403, "Forbidden", "forbidden", false),
            (404, "NotFound", "not_found", false),
            (409, "AlreadyExists", "already_exists", false),
            (409, "Conflict", "conflict", false),
            (410, "Expired", "gone", false),
            (422, "Invalid", "invalid", false),
            (429, "TooManyRequests", "throttled", true),
            (500, "InternalError", "unavailable", true),
            (503, "ServiceUnavailable", "unavailable", true),
        ] {
            let error = error_of(refusal(code, reason)).await;
            assert_eq!((error.class(), error.is_transient()), (class, is_transient), "{code} {reason}");
        }
    }

    #[tokio::test]
    async fn the_time_that_the_server_asks_for_is_kept() {
        let mut status = failure(429, "TooManyRequests");
        status["details"] = serde_json::json!({ "retryAfterSeconds": 7 });
        let error = error_of(Answer::Json(429, status)).await;
        assert!(
            matches!(error, CallError::Throttled { retry_after: Some(wait), .. } if wait == Duration::from_secs(7))
        );
    }

    #[tokio::test]
    async fn an_answer_that_is_no_object_is_told_apart_from_an_outage() {
        let error = error_of(Answer::Json(200, serde_json::json!(["not", "an", "object"]))).await;
        assert_eq!(error.class(), "other");
    }

    #[tokio::test]
    async fn a_bad_kubeconfig_is_told_in_one_line_that_names_the_file() {
        let missing = connect(Some(Path::new("/nowhere/kubeconfig")), None).await.err().unwrap().to_string();
        assert!(missing.contains("/nowhere/kubeconfig") && !missing.contains('\n'), "{missing}");

        let path = std::env::temp_dir().join(format!("fedscaler-{}.yaml", std::process::id()));
        std::fs::write(&path, "apiVersion: v1\nkind: Config\nclusters: [\n").unwrap();
        let broken = connect(Some(&path), None).await.err().unwrap().to_string();
        std::fs::write(&path, "apiVersion: v1\nkind: Config\ncontexts: []\n").unwrap();
        let other = connect(Some(&path), Some("staging")).await.err().unwrap().to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(!broken.contains('\n'), "{broken}");
        assert!(other.contains("staging") && !other.contains('\n'), "{other}");
    }

    #[tokio::test]
    async fn a_kubeconfig_becomes_a_client_without_a_call() {
        let path = std::env::temp_dir().join(format!("fedscaler-good-{}.yaml", std::process::id()));
        let file = "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
                    contexts: [{name: c, context: {cluster: k, user: u, namespace: apps}}]\n\
                    clusters: [{name: k, cluster: {server: 'https://karmada.example:5443'}}]\n\
                    users: [{name: u, user: {token: t}}]\n";
        std::fs::write(&path, file).unwrap();
        let client = connect(Some(&path), None).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(client.default_namespace(), "apps");
    }
}
