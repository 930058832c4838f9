//! The workload in a member, as its Work shows it.
//!
//! Responsible for telling whether the retention label has arrived in the manifest and how many replicas the
//! member reports. Knows nothing of the binding that made the Work.

use chrono::{DateTime, Utc};
use fedscaler_core::reading::{Dark, Reading};
use serde_json::{Map, Value};

use crate::{
    freshness::Health,
    hpa::{NoCount, number},
    labels::{RETAIN_REPLICAS, TRUE},
    types::Work,
    work,
};

/// The workload of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberWorkload {
    /// Whether the manifest bears our label. Only then may an HPA of ours scale it.
    pub labelled_for_retention: bool,
    /// The count in the manifest: what the member starts with if the workload is made there anew.
    pub manifest_replicas: Option<u32>,
    /// Whether the member took the manifest.
    pub applied: work::Applied,
    /// What the member reports.
    pub counts: Reading<WorkloadCounts>,
}

/// The replicas of one member by state. All include the surge of a rollout: for display and for readiness, never
/// for counting what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkloadCounts {
    /// Those that exist.
    pub replicas: u32,
    /// Those that are ready.
    pub ready: u32,
    /// Those of the newest revision.
    pub updated: u32,
    /// The generation that the member's controller has dealt with; `None` where Karmada does not reflect it.
    pub observed_generation: Option<i64>,
}

impl MemberWorkload {
    /// Reads a workload's Work, in a cluster of this health at `now`.
    pub fn read(work: &Work, health: Health, now: DateTime<Utc>) -> Self {
        let manifest = work.spec.workload.manifests.first().unwrap_or(&Value::Null);
        let replicas = manifest.pointer("/spec/replicas").and_then(Value::as_u64);
        Self {
            labelled_for_retention: manifest["metadata"]["labels"][RETAIN_REPLICAS] == TRUE,
            manifest_replicas: replicas.and_then(|replicas| u32::try_from(replicas).ok()),
            applied: work::applied(work),
            counts: health.age(counts(work::reflected(work)), now),
        }
    }
}

/// The ready replicas that a workload's Work tells of: 0 where it tells nothing.
pub fn ready(work: &Work) -> u32 {
    let ready = work::reflected(work).and_then(|status| status.get("readyReplicas")).and_then(Value::as_u64);
    ready.and_then(|ready| u32::try_from(ready).ok()).unwrap_or(0)
}

fn counts(status: Option<&Value>) -> Reading<WorkloadCounts> {
    match status {
        None | Some(Value::Null) => Reading::Dark(Dark::NotYetReported),
        Some(Value::Object(fields)) if fields.is_empty() => Reading::Dark(Dark::NotYetReported),
        Some(Value::Object(fields)) => {
            from_fields(fields).map_or(Reading::Dark(Dark::Unusable), Reading::Fresh)
        }
        Some(_) => Reading::Dark(Dark::Unusable),
    }
}

fn from_fields(fields: &Map<String, Value>) -> Result<WorkloadCounts, NoCount> {
    Ok(WorkloadCounts {
        replicas: number(fields, "replicas")?,
        ready: number(fields, "readyReplicas")?,
        updated: number(fields, "updatedReplicas")?,
        observed_generation: fields.get("observedGeneration").and_then(Value::as_i64),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn work(labels: &Value, status: &Value) -> Work {
        let statuses = if status.is_null() { json!([]) } else { json!([{"status": status}]) };
        serde_json::from_value(json!({
            "spec": {"workload": {"manifests": [{
                "kind": "Deployment", "metadata": {"labels": labels}, "spec": {"replicas": 3},
            }]}},
            "status": {
                "conditions": [{"type": "Applied", "status": "True", "reason": "", "message": "", "lastTransitionTime": "2026-05-01T10:00:00Z"}],
                "manifestStatuses": statuses,
            },
        }))
        .unwrap()
    }

    fn read(labels: &Value, status: &Value) -> MemberWorkload {
        MemberWorkload::read(&work(labels, status), Health::Ready, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn the_label_counts_only_with_its_value_in_the_manifest() {
        assert!(read(&json!({RETAIN_REPLICAS: "true"}), &json!(null)).labelled_for_retention);
        assert!(!read(&json!({RETAIN_REPLICAS: "false"}), &json!(null)).labelled_for_retention);
        assert!(!read(&json!({}), &json!(null)).labelled_for_retention);
    }

    #[test]
    fn a_number_that_is_absent_in_a_status_is_zero_but_an_absent_status_is_not_known() {
        let counts = read(&json!({}), &json!({"replicas": 3, "generation": 2})).counts;
        let expected = WorkloadCounts { replicas: 3, ready: 0, updated: 0, observed_generation: None };
        assert_eq!(counts, Reading::Fresh(expected));
        for status in [json!(null), json!({})] {
            assert_eq!(read(&json!({}), &status).counts, Reading::Dark(Dark::NotYetReported));
        }
        assert_eq!(read(&json!({}), &json!({"replicas": "3"})).counts, Reading::Dark(Dark::Unusable));
    }

    #[test]
    fn a_silent_clusters_counts_are_stale() {
        let since = DateTime::UNIX_EPOCH;
        let now = since + chrono::TimeDelta::seconds(30);
        let work = work(&json!({}), &json!({"replicas": 3}));
        let read = MemberWorkload::read(&work, Health::Unreachable { since }, now);
        assert!(matches!(
            read.counts,
            Reading::Stale { value: WorkloadCounts { replicas: 3, .. }, age_seconds: 30 }
        ));
        assert_eq!((read.manifest_replicas, read.applied), (Some(3), work::Applied::Yes));
    }
}
