//! A workload's pods, counted, and the status that follows from the counts.

use super::fleet::{Owner, Progress, WorkloadKind};
use super::rollout::{Pace, Wanted};
use super::traffic::PodCount;
use super::{SharedFleet, objects};
use crate::fields::{counts, int, items, stamp, text};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// A workload's pods, counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    total: u32,
    updated: u32,
    ready: u32,
    waiting: u32,
}

impl Tally {
    pub(super) fn of(fleet: &SharedFleet, owner: &Owner, revision: &str) -> Self {
        let fleet = fleet.lock();
        fleet.pods_of(owner).filter(|(_, pod)| pod.progress != Progress::Finished).fold(
            Self::default(),
            |count, (_, pod)| Self {
                total: count.total + 1,
                updated: count.updated + u32::from(pod.revision == revision),
                ready: count.ready + u32::from(pod.is_ready()),
                waiting: count.waiting + u32::from(pod.is_waiting()),
            },
        )
    }

    pub(super) fn pods(self) -> PodCount {
        PodCount { ready: self.ready, pending: self.waiting, total: self.total }
    }

    pub(super) fn status(
        self,
        kind: WorkloadKind,
        object: &Value,
        wanted: &Wanted,
        now: DateTime<Utc>,
    ) -> Value {
        let mut status = counts(&[
            ("observedGeneration", int(object, "/metadata/generation").unwrap_or(0)),
            ("replicas", self.total.into()),
            ("updatedReplicas", self.updated.into()),
            ("readyReplicas", self.ready.into()),
            ("availableReplicas", self.ready.into()),
        ]);
        match kind {
            WorkloadKind::Deployment => {
                let unavailable = i64::from(self.total - self.ready);
                status.extend(counts(&[("unavailableReplicas", unavailable)]));
                status.insert("conditions".to_owned(), self.available(object, wanted, now));
            }
            WorkloadKind::StatefulSet => {
                // The real one always writes these two, and counts pods of the revision that an update replaces.
                status.insert("replicas".to_owned(), self.total.into());
                status.insert("availableReplicas".to_owned(), self.ready.into());
                let current = if self.updated == self.total { self.total } else { self.total - self.updated };
                status.extend(counts(&[("currentReplicas", current.into())]));
            }
        }
        Value::Object(status.into_iter().collect::<Map<_, _>>())
    }

    /// A Deployment's `Available` condition; its time moves with its status.
    fn available(self, object: &Value, wanted: &Wanted, now: DateTime<Utc>) -> Value {
        let slack = match wanted.pace {
            Pace::Rolling { unavailable, .. } => unavailable,
            Pace::Recreate | Pace::Ordered | Pace::Parallel => 0,
        };
        let enough = i64::from(self.ready) >= wanted.replicas - slack;
        let (status, reason) = if enough {
            ("True", "MinimumReplicasAvailable")
        } else {
            ("False", "MinimumReplicasUnavailable")
        };
        let before = items(object, "/status/conditions").first();
        let since = before
            .filter(|before| text(before, "/status") == status)
            .map(|before| text(before, "/lastTransitionTime").to_owned());
        let mut condition = objects::condition("Available", status, reason, "", now);
        condition["lastTransitionTime"] = since.unwrap_or_else(|| stamp(now)).into();
        Value::Array(vec![condition])
    }
}
