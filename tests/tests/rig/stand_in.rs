//! Does in the members what OpenKruise's controller would: makes pods for a `CloneSet`, by a `ReplicaSet`, and says
//! how many.

use std::time::Duration;

use fedscaler_tests::rig::{APPLY, MERGE, Rig, get, patch};
use kube::Client;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const CLONE_SETS: &str = "/apis/apps.kruise.io/v1alpha1/clonesets";

/// Works until it is dropped.
pub(crate) struct StandIn(Vec<JoinHandle<()>>);

impl StandIn {
    /// In each member.
    pub(crate) fn start(rig: &Rig) -> Self {
        Self(rig.members.values().map(|member| tokio::spawn(work(member.clone()))).collect())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        for work in &self.0 {
            work.abort();
        }
    }
}

async fn work(member: Client) {
    loop {
        if let Some(list) = get(&member, CLONE_SETS).await {
            for clone_set in list["items"].as_array().into_iter().flatten() {
                tend(&member, clone_set).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// What fails is tried again at the next turn.
async fn tend(member: &Client, clone_set: &Value) -> Option<()> {
    let (meta, spec) = (&clone_set["metadata"], &clone_set["spec"]);
    let (namespace, name) = (meta["namespace"].as_str()?, meta["name"].as_str()?);
    let replica_sets =
        format!("/apis/apps/v1/namespaces/{namespace}/replicasets/{name}?fieldManager=stand-in&force=true");
    let ours = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": name, "ownerReferences": [{
            "apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet", "name": name, "uid": meta["uid"],
        }]},
        "spec": {"replicas": spec["replicas"], "selector": spec["selector"], "template": spec["template"]},
    });
    let replica_set = patch(member, &replica_sets, APPLY, &ours).await?;
    let counted = |field: &str| replica_set["status"][field].as_u64().unwrap_or(0);
    let labels = spec["selector"]["matchLabels"].as_object()?;
    let selector: Vec<_> =
        labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    let status = json!({"status": {
        "observedGeneration": meta["generation"],
        "replicas": counted("replicas"),
        "readyReplicas": counted("readyReplicas"),
        "availableReplicas": counted("availableReplicas"),
        "updatedReplicas": counted("replicas"),
        "labelSelector": selector.join(","),
    }});
    let path = format!(
        "/apis/apps.kruise.io/v1alpha1/namespaces/{namespace}/clonesets/{name}/status?fieldManager=stand-in"
    );
    patch(member, &path, MERGE, &status).await.map(|_written| ())
}
