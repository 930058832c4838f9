//! How far a cluster's reports can be trusted.
//!
//! Responsible for judging from a Cluster object whether Karmada still hears from the cluster, and for ageing
//! what is read from it accordingly. Knows nothing of what is read.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fedscaler_core::reading::{Dark, Reading};
use fedscaler_runtime::time::from_wire;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::{
    labels::{TAINT_NOT_READY, TAINT_UNREACHABLE},
    types::Cluster,
};

const READY: &str = "Ready";

/// The reason that Karmada gives where a cluster does not answer at all.
const NOT_REACHABLE: &str = "ClusterNotReachable";

/// Whether Karmada hears from a cluster. `Ready == True` is Karmada's own only test.
///
/// While a cluster is ready, its summary is refreshed every 10 s and the statuses in its Works within
/// milliseconds. Karmada keeps no heartbeat that could be read, so the transition away from ready is the last
/// time that the cluster is known to have been alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is heard from.
    Ready,
    /// It answers, but says that it is not well.
    NotReady {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// It does not answer.
    Unreachable {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// It has never been heard from.
    Unheard,
}

impl Health {
    /// The health of a cluster.
    pub fn of(cluster: &Cluster) -> Self {
        let Some(ready) = cluster.status.conditions.iter().find(|condition| condition.type_ == READY) else {
            return Self::Unheard;
        };
        let since = from_wire(&ready.last_transition_time);
        if ready.status == "True" {
            Self::Ready
        } else if is_silent(ready) || tainted(cluster, TAINT_UNREACHABLE) {
            Self::Unreachable { since }
        } else {
            Self::NotReady { since }
        }
    }

    /// Whether what the cluster reports is current.
    pub fn is_ready(self) -> bool {
        self == Self::Ready
    }

    /// What was read from the cluster, as old as its silence at `now`.
    pub fn age<T>(self, reading: Reading<T>, now: DateTime<Utc>) -> Reading<T> {
        match self {
            Self::Ready => reading,
            Self::NotReady { since } => Self::silent(reading, silence(since, now)),
            Self::Unheard => Self::silent(reading, Duration::ZERO),
            Self::Unreachable { since } => match Self::silent(reading, silence(since, now)) {
                Reading::Dark(Dark::NotYetReported) => Reading::Dark(Dark::Unreachable),
                reading @ (Reading::Fresh(_) | Reading::Stale { .. } | Reading::Dark(_)) => reading,
            },
        }
    }

    /// What was stale before for another reason keeps its age.
    fn silent<T>(reading: Reading<T>, silence: Duration) -> Reading<T> {
        match reading {
            Reading::Fresh(value) => Reading::Fresh(value).aged(silence),
            Reading::Stale { .. } | Reading::Dark(_) => reading,
        }
    }
}

/// Why a cluster counts as lost: its survivors are to cover for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Karmada tainted it as not ready.
    NotReady,
    /// Karmada tainted it as unreachable.
    Unreachable,
}

/// Whether Karmada has given up on a cluster, by its taints.
pub fn lost(cluster: &Cluster) -> Option<Lost> {
    if tainted(cluster, TAINT_UNREACHABLE) {
        Some(Lost::Unreachable)
    } else if tainted(cluster, TAINT_NOT_READY) {
        Some(Lost::NotReady)
    } else {
        None
    }
}

fn is_silent(ready: &Condition) -> bool {
    ready.status == "Unknown" || ready.reason == NOT_REACHABLE
}

fn tainted(cluster: &Cluster, key: &str) -> bool {
    cluster.spec.taints.iter().any(|taint| taint.key == key)
}

fn silence(since: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (now - since).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SINCE: &str = "2026-05-01T10:00:00Z";

    fn cluster(status: &str, reason: &str, taints: &[&str]) -> Cluster {
        let taints: Vec<_> = taints.iter().map(|key| json!({"key": key, "effect": "NoSchedule"})).collect();
        serde_json::from_value(json!({
            "spec": {"taints": taints},
            "status": {"conditions": [{
                "type": "Ready", "status": status, "reason": reason, "message": "", "lastTransitionTime": SINCE,
            }]},
        }))
        .unwrap()
    }

    fn since() -> DateTime<Utc> {
        SINCE.parse().unwrap()
    }

    #[test]
    fn a_cluster_is_ready_only_while_its_condition_says_true() {
        assert_eq!(Health::of(&cluster("True", "ClusterReady", &[])), Health::Ready);
        let not_ready = Health::NotReady { since: since() };
        assert_eq!(Health::of(&cluster("False", "ClusterNotReady", &[])), not_ready);
        let unreachable = Health::Unreachable { since: since() };
        assert_eq!(Health::of(&cluster("False", "ClusterNotReachable", &[])), unreachable);
        assert_eq!(Health::of(&cluster("Unknown", "NoHeartbeat", &[])), unreachable);
        assert_eq!(Health::of(&cluster("False", "ClusterNotReady", &[TAINT_UNREACHABLE])), unreachable);
        assert_eq!(Health::of(&Cluster::default()), Health::Unheard);
    }

    #[test]
    fn what_a_silent_cluster_said_last_is_kept_and_as_old_as_its_silence() {
        let now = since() + chrono::TimeDelta::seconds(90);
        let aged = Health::Unreachable { since: since() }.age(Reading::Fresh(7), now);
        assert_eq!(aged, Reading::Stale { value: 7, age_seconds: 90 });
        assert_eq!(Health::Ready.age(Reading::Fresh(7), now), Reading::Fresh(7));
    }

    #[test]
    fn silence_is_never_negative_when_clocks_differ() {
        let early = since() - chrono::TimeDelta::seconds(5);
        let aged = Health::NotReady { since: since() }.age(Reading::Fresh(7), early);
        assert_eq!(aged, Reading::Stale { value: 7, age_seconds: 0 });
    }

    #[test]
    fn an_unreachable_cluster_that_never_spoke_is_dark_and_not_zero() {
        let reading: Reading<u32> = Reading::Dark(Dark::NotYetReported);
        let dark = Health::Unreachable { since: since() }.age(reading, since());
        assert_eq!(dark, Reading::Dark(Dark::Unreachable));
    }

    #[test]
    fn a_cluster_is_lost_by_karmadas_taints_alone() {
        assert_eq!(lost(&cluster("False", "ClusterNotReady", &[])), None);
        assert_eq!(lost(&cluster("True", "ClusterReady", &[TAINT_NOT_READY])), Some(Lost::NotReady));
        let both = [TAINT_NOT_READY, TAINT_UNREACHABLE];
        assert_eq!(lost(&cluster("Unknown", "", &both)), Some(Lost::Unreachable));
    }
}
