//! The objects that a member's own controllers write: nodes, pods and their conditions.

use super::fleet::{Owner, Progress};
use super::{FillerSpec, NodeSpec};
use crate::fields::{items, name, namespace, put, set_label, stamp, text};
use crate::quantity::{binary_text, decimal_text};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// The label that carries the hash of the template a pod was made from, for both kinds of workload.
pub(crate) const REVISION_LABEL: &str = "pod-template-hash";

/// A node, ready and empty.
pub(crate) fn node(spec: &NodeSpec, now: DateTime<Utc>) -> Value {
    let amounts = json!({
        "cpu": decimal_text(spec.cpu_milli),
        "memory": binary_text(spec.memory_mib << 20),
        "pods": spec.pods.to_string(),
    });
    let mut labels = json!({"kubernetes.io/hostname": spec.name, "kubernetes.io/os": "linux"});
    for (key, value) in &spec.labels {
        labels[key] = json!(value);
    }
    json!({
        "metadata": {"name": spec.name, "labels": labels},
        "spec": {},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [condition("Ready", "True", "KubeletReady", "", now)],
        },
    })
}

/// A pod of somebody else's workload, on its node and ready from the start.
pub(crate) fn filler(spec: &FillerSpec, now: DateTime<Utc>) -> Value {
    let mut pod = json!({
        "metadata": {"name": spec.name, "namespace": spec.namespace, "labels": {"app": "filler"}},
        "spec": {"nodeName": spec.node, "containers": [{
            "name": "filler",
            "resources": {"requests": {
                "cpu": decimal_text(spec.cpu_milli),
                "memory": binary_text(spec.memory_mib << 20),
            }},
        }]},
    });
    set_status(&mut pod, Progress::Ready { started: now, since: now }, now);
    pod
}

/// A new pod of a workload, on no node. The name is generated unless the workload names its pods.
pub(crate) fn pod(workload: &Value, owner: &Owner, revision: &str, ordinal: Option<i64>) -> Value {
    let mut pod = workload.pointer("/spec/template").cloned().unwrap_or_else(|| json!({}));
    let workload_name = name(workload);
    put(&mut pod, &["metadata", "namespace"], json!(namespace(workload)));
    match ordinal {
        Some(ordinal) => put(&mut pod, &["metadata", "name"], json!(format!("{workload_name}-{ordinal}"))),
        None => {
            put(&mut pod, &["metadata", "generateName"], json!(format!("{workload_name}-{revision}-")));
        }
    }
    set_label(&mut pod, REVISION_LABEL, revision);
    let reference = json!([{
        "apiVersion": "apps/v1",
        "kind": owner.kind.as_str(),
        "name": workload_name,
        "uid": text(workload, "/metadata/uid"),
        "controller": true,
        "blockOwnerDeletion": true,
    }]);
    put(&mut pod, &["metadata", "ownerReferences"], reference);
    pod["status"] = json!({"phase": "Pending"});
    pod
}

/// Gives a pod the status of some point of its life, as a kubelet would write it.
pub(crate) fn set_status(pod: &mut Value, progress: Progress, now: DateTime<Utc>) {
    let mut status = status(progress, now);
    if let Progress::Starting { started, .. } | Progress::Ready { started, .. } = progress {
        let ready = matches!(progress, Progress::Ready { .. });
        let container = |container: &Value| {
            json!({
                "name": text(container, "/name"),
                "image": text(container, "/image"),
                "imageID": "",
                "ready": ready,
                "started": true,
                "restartCount": 0,
                "state": {"running": {"startedAt": stamp(started)}},
            })
        };
        status["containerStatuses"] = items(pod, "/spec/containers").iter().map(container).collect();
    }
    pod["status"] = status;
}

fn status(progress: Progress, now: DateTime<Utc>) -> Value {
    let running = |started: DateTime<Utc>, ready: Value| {
        json!({
            "phase": "Running",
            "startTime": stamp(started),
            "conditions": [condition("PodScheduled", "True", "", "", started), ready],
        })
    };
    match progress {
        Progress::Waiting => {
            let why = "0 nodes are available that hold this pod";
            let condition = condition("PodScheduled", "False", "Unschedulable", why, now);
            json!({"phase": "Pending", "conditions": [condition]})
        }
        Progress::Starting { started, since } => {
            let why = "containers with unready status";
            running(started, condition("Ready", "False", "ContainersNotReady", why, since))
        }
        Progress::Ready { started, since } => running(started, condition("Ready", "True", "", "", since)),
        Progress::Finished => json!({"phase": "Failed"}),
    }
}

/// A condition as Kubernetes writes it; an empty reason and message are absent.
pub(crate) fn condition(
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    since: DateTime<Utc>,
) -> Value {
    let mut condition = json!({"type": kind, "status": status, "lastTransitionTime": stamp(since)});
    for (key, words) in [("reason", reason), ("message", message)] {
        if !words.is_empty() {
            condition[key] = json!(words);
        }
    }
    condition
}
