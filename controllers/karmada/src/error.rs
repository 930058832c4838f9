//! What can go wrong when reading and writing Karmada's objects.
//!
//! Responsible for errors that say what to show and how to go on. Knows nothing of retries.

use fedscaler_runtime::client::CallError;
use kube::core::Status;
use thiserror::Error;

use crate::quantity::BadQuantity;

/// An object that cannot be understood. It is someone else's mistake, and waiting for a change is all there is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// A field is missing that the API server always sets, or that nothing can be done without.
    #[error("{object} has no {field}")]
    Missing {
        /// What kind of object.
        object: &'static str,
        /// The field's path.
        field: &'static str,
    },
    /// An amount of a resource is no quantity.
    #[error("{field}: {bad}")]
    Quantity {
        /// The field's path.
        field: &'static str,
        /// The text that was there.
        bad: BadQuantity,
    },
}

/// A read that brought nothing.
#[derive(Clone, Debug, Error)]
pub enum ReadError {
    /// The API server did not give it, or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It cannot be understood.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl ReadError {
    /// The word for metrics: one of a closed set.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Call(error) => error.class(),
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Whether there is no such object, or no such kind.
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Call(error) => matches!(error, CallError::NotFound(_)),
            Self::Unreadable(_) => false,
        }
    }
}

/// A write that did not happen, or of which that is not known.
#[derive(Clone, Debug, Error)]
pub enum WriteError {
    /// The API server did not take it, or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The object's scheduling is suspended by someone else: theirs to resume.
    #[error("scheduling of the binding is suspended by someone else")]
    HeldByOther,
    /// The answer cannot be understood, so what was written is not known to have stuck.
    #[error("unreadable answer: {0}")]
    Answer(#[from] Unreadable),
}

impl WriteError {
    /// The word for metrics: one of a closed set.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Call(error) if quota_refusal(error).is_some() => "quota_exceeded",
            Self::Call(error) => error.class(),
            Self::HeldByOther => "held_by_other",
            Self::Answer(_) => "unreadable",
        }
    }

    /// Whether someone else wrote in between: read again, decide again, write again.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Call(error) => matches!(error, CallError::Conflict(_)),
            Self::HeldByOther | Self::Answer(_) => false,
        }
    }

    /// What the API server said if a quota refused the write, see [`quota_refusal`].
    pub fn quota_refusal(&self) -> Option<&str> {
        match self {
            Self::Call(error) => quota_refusal(error),
            Self::HeldByOther | Self::Answer(_) => None,
        }
    }
}

/// What the API server said if a `FederatedResourceQuota` refused the call: it does so even for pods that
/// already run, so it is to be shown and not to be retried hotly.
pub fn quota_refusal(error: &CallError) -> Option<&str> {
    match error {
        CallError::Forbidden(status) if is_quota(status) => Some(&status.message),
        CallError::Forbidden(_)
        | CallError::Timeout(_)
        | CallError::Conflict(_)
        | CallError::NotFound(_)
        | CallError::AlreadyExists(_)
        | CallError::Invalid(_)
        | CallError::Gone(_)
        | CallError::Throttled { .. }
        | CallError::Unavailable(_)
        | CallError::NotLeading
        | CallError::Other(_) => None,
    }
}

fn is_quota(status: &Status) -> bool {
    status.reason == "QuotaExceeded" || status.message.contains("QuotaExceeded")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: &str) -> CallError {
        let mut status = Status::failure("exceeds the quota", reason);
        status.code = 403;
        CallError::from(status)
    }

    #[test]
    fn a_quota_refusal_is_told_from_a_missing_permission() {
        assert_eq!(quota_refusal(&refused("QuotaExceeded")), Some("exceeds the quota"));
        assert_eq!(quota_refusal(&refused("Forbidden")), None);
        assert_eq!(WriteError::from(refused("QuotaExceeded")).class(), "quota_exceeded");
        assert_eq!(WriteError::from(refused("Forbidden")).class(), "forbidden");
    }
}
