//! An autoscaler's status: the numbers and the conditions, and how they look in the object.

use crate::fields::stamp;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `AbleToScale`, `ScalingActive` or `ScalingLimited`.
    pub kind: &'static str,
    /// `True` or `False`.
    pub status: &'static str,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// Since when it has had this status.
    pub since: DateTime<Utc>,
}

/// An autoscaler's status. It says nothing of the generation that it was computed from, as the real one does not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// The scale's `spec.replicas` at the start of the last sync.
    pub current: i64,
    /// What the last sync wanted.
    pub desired: i64,
    /// When the scale was last written.
    pub last_scale: Option<DateTime<Utc>>,
    /// `currentMetrics`, as written.
    pub metrics: Vec<Value>,
    /// The conditions, in the order in which they first came.
    pub conditions: Vec<Condition>,
}

impl Status {
    /// Sets a condition; its time moves only with its status.
    pub(super) fn set(
        &mut self,
        kind: &'static str,
        status: &'static str,
        reason: &str,
        message: &str,
        now: DateTime<Utc>,
    ) {
        let known = self.conditions.iter_mut().find(|condition| condition.kind == kind);
        let (reason, message) = (reason.to_owned(), message.to_owned());
        let Some(known) = known else {
            self.conditions.push(Condition { kind, status, reason, message, since: now });
            return;
        };
        let since = if known.status == status { known.since } else { now };
        *known = Condition { kind, status, reason, message, since };
    }

    /// A condition's status and reason.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<(&str, &str)> {
        let found = self.conditions.iter().find(|condition| condition.kind == kind)?;
        Some((found.status, &found.reason))
    }

    /// The `status` of the object. `currentReplicas` and `currentMetrics` of nothing are absent or null as in Go.
    #[must_use]
    pub fn render(&self) -> Value {
        let mut status = Map::new();
        if self.current != 0 {
            status.insert("currentReplicas".to_owned(), self.current.into());
        }
        status.insert("desiredReplicas".to_owned(), self.desired.into());
        if let Some(at) = self.last_scale {
            status.insert("lastScaleTime".to_owned(), stamp(at).into());
        }
        if !self.metrics.is_empty() {
            status.insert("currentMetrics".to_owned(), self.metrics.clone().into());
        }
        status.insert("conditions".to_owned(), self.conditions.iter().map(Condition::render).collect());
        status.into()
    }
}

impl Condition {
    fn render(&self) -> Value {
        json!({
            "type": self.kind,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": stamp(self.since),
        })
    }
}
