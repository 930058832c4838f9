//! The placement changes under a FedHPA that holds scheduling: following it is ours then.

use fedscaler_karmada::types::{Cluster, ResourceBinding};
use fedscaler_tests::stage::{FED_HPAS, Stage};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{assert_in_order, at_rest};

const WORKLOADS: &str = include_str!("../../../deploy/examples/workloads.yaml");

/// The policy of the examples, for these clusters only.
fn policy(clusters: &str) -> String {
    let policy = &WORKLOADS[WORKLOADS.rfind("---").expect("several documents")..];
    policy.replace(
        "  placement:\n",
        &format!("  placement:\n    clusterAffinity: {{clusterNames: [{clusters}]}}\n"),
    )
}

fn phase(stage: &Stage, cluster: &str) -> String {
    let status = stage.object(&FED_HPAS, "web").expect("a FedHPA");
    let clusters = status.pointer("/status/clusters").and_then(Value::as_array).expect("clusters");
    let found = clusters.iter().find(|found| found["name"] == cluster);
    found.map_or("none".to_owned(), |found| found["phase"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_the_policy_drops_gives_everything_up_in_steps_and_gets_it_back_with_the_policy() {
    let mut stage = at_rest(20).await;
    assert!(stage.numbers().members["cloud"] > 0, "{:?}", stage.numbers());
    stage.apply(&policy("idc-roomy, idc-crowded")).await;
    stage.run(1200).await;
    assert_in_order(&stage);
    assert_eq!(stage.numbers().members.keys().collect::<Vec<_>>(), ["idc-crowded", "idc-roomy"]);
    assert_eq!(stage.hpas().keys().collect::<Vec<_>>(), ["idc-crowded", "idc-roomy"]);
    assert!(stage.numbers().template >= 20, "the load was taken over: {:?}", stage.numbers());
    stage.apply(&policy("idc-roomy, idc-crowded, cloud")).await;
    stage.run(1200).await;
    assert_in_order(&stage);
    assert_ne!(phase(&stage, "cloud"), "none", "it may be used again");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_unjoined_is_covered_by_the_others_and_forgotten() {
    let mut stage = at_rest(20).await;
    let before = stage.numbers();
    let clusters: Api<Cluster> = Api::all(stage.user.clone());
    clusters.delete("cloud", &DeleteParams::default()).await.unwrap();
    stage.run(600).await;
    let status = stage.object(&FED_HPAS, "web").unwrap();
    assert_eq!(phase(&stage, "cloud"), "none", "{status}");
    let numbers = stage.numbers();
    assert!(!numbers.clusters.contains_key("cloud"), "{numbers:?}");
    assert_eq!(numbers.template, numbers.clusters.values().sum::<u64>(), "{numbers:?}");
    assert!(numbers.template >= before.template - before.members["cloud"], "{numbers:?}");
    assert_eq!(stage.reschedules(), 0);
    assert_eq!(
        status["status"]["unplaced"].as_u64().unwrap()
            + status["status"]["totals"]["maxReplicas"].as_u64().unwrap(),
        60
    );
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_karmada_evicts_from_is_covered_and_never_put_back_meanwhile() {
    let mut stage = at_rest(20).await;
    let before = stage.numbers();
    let left: Vec<Value> = before
        .clusters
        .iter()
        .filter(|(name, _)| *name != "cloud")
        .map(|(name, replicas)| json!({"name": name, "replicas": replicas}))
        .collect();
    let bindings: Api<ResourceBinding> = Api::default_namespaced(stage.user.clone());
    let task = json!({"fromCluster": "cloud", "reason": "TaintUntolerated", "producer": "TaintManager"});
    let evicted = json!({"spec": {"clusters": left, "gracefulEvictionTasks": [task]}});
    bindings.patch("web-deployment", &PatchParams::default(), &Patch::Merge(&evicted)).await.unwrap();
    stage.run(120).await;
    assert_eq!(phase(&stage, "cloud"), "Evicting");
    assert!(!stage.numbers().clusters.contains_key("cloud"), "{:?}", stage.numbers());
    let others: u64 = stage.hpas().iter().filter(|(name, _)| *name != "cloud").map(|(_, hpa)| hpa.0).sum();
    assert!(others >= before.template.min(20), "others hold what ran there: {:?}", stage.hpas());
    let done = json!({"spec": {"gracefulEvictionTasks": null}});
    bindings.patch("web-deployment", &PatchParams::default(), &Patch::Merge(&done)).await.unwrap();
    stage.run(1200).await;
    assert_in_order(&stage);
}
