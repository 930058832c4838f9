//! The life of a FedHPA, and bad input.

use fedscaler_tests::stage::{BINDINGS, FED_HPAS, Stage};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use super::{FED_HPA, assert_in_order, at_rest};

const RETAINED: &str = "/metadata/labels/autoscaling.fedscaler.io~1retain-replicas";

#[tokio::test(start_paused = true)]
async fn deleting_it_gives_the_workload_back_at_its_real_counts() {
    let mut stage = at_rest(12).await;
    let before = stage.numbers();
    let api: Api<fedscaler_crds::FedHpa> = Api::default_namespaced(stage.user.clone());
    api.delete("web", &DeleteParams::default()).await.unwrap();
    stage.run(180).await;
    assert_eq!(stage.object(&FED_HPAS, "web"), None);
    assert_eq!(stage.hpas(), [].into());
    assert_eq!(stage.numbers(), before);
    let binding = stage.object(&BINDINGS, "web-deployment").unwrap();
    assert_ne!(binding.pointer("/spec/suspension/scheduling"), Some(&json!(true)));
    let template = stage.object(&fedscaler_sandbox::apiserver::kinds::DEPLOYMENTS, "web").unwrap();
    assert_eq!(template.pointer(RETAINED), None);
    assert_eq!(stage.reschedules(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_apply_with_other_replicas_deletes_nothing_and_is_put_right() {
    let mut stage = at_rest(12).await;
    let before = stage.numbers();
    let deployments: Api<Deployment> = Api::default_namespaced(stage.user.clone());
    let one = json!({"spec": {"replicas": 1}});
    deployments.patch("web", &PatchParams::default(), &Patch::Merge(&one)).await.unwrap();
    stage.run(90).await;
    assert_eq!(stage.numbers(), before);
    assert_in_order(&stage);
}

#[tokio::test(start_paused = true)]
async fn who_keeps_resetting_the_number_is_named_contested_and_told_what_to_do() {
    let mut stage = at_rest(12).await;
    let deployments: Api<Deployment> = Api::default_namespaced(stage.user.clone());
    let one = json!({"spec": {"replicas": 1}});
    for _ in 0..5 {
        deployments.patch("web", &PatchParams::default(), &Patch::Merge(&one)).await.unwrap();
        stage.run(45).await;
    }
    let (status, reason, message) = stage.condition("Contested").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("True", "ReplicasReset"));
    assert!(message.contains("remove spec.replicas from the manifest"), "{message}");
    assert_eq!(stage.numbers().members.len(), 3, "no workload is deleted anywhere");
}

#[tokio::test(start_paused = true)]
async fn a_missing_target_is_a_condition_and_harms_nobody_else() {
    let mut stage = at_rest(12).await;
    let lost = FED_HPA
        .replace("name: web\n  namespace", "name: lost\n  namespace")
        .replace("name: web}", "name: nothing}");
    stage.apply(&lost).await;
    stage.run(60).await;
    let object = stage.object(&FED_HPAS, "lost").unwrap();
    let invalid = fedscaler_tests::stage::condition(&object, "Invalid").unwrap();
    assert_eq!((invalid.0.as_str(), invalid.1.as_str()), ("True", "TargetNotFound"));
    assert_in_order(&stage);
}

#[tokio::test(start_paused = true)]
async fn of_two_with_one_target_the_older_holds_it_and_the_other_says_who() {
    let mut stage = at_rest(12).await;
    stage.apply(&FED_HPA.replace("name: web\n  namespace", "name: second\n  namespace")).await;
    stage.run(60).await;
    let object = stage.object(&FED_HPAS, "second").unwrap();
    let contested = fedscaler_tests::stage::condition(&object, "Contested").unwrap();
    assert_eq!(contested.0, "True");
    assert!(contested.2.contains("default/web"), "{contested:?}");
    assert_in_order(&stage);
}

#[tokio::test(start_paused = true)]
async fn a_duplicated_placement_is_refused_with_the_reason() {
    let mut stage = Stage::with_demand(6).await;
    let policy = "apiVersion: policy.karmada.io/v1alpha1\nkind: PropagationPolicy\nmetadata: {name: everywhere, namespace: default}\nspec:\n  resourceSelectors:\n  - {apiVersion: apps/v1, kind: Deployment, name: web}\n  placement:\n    replicaScheduling: {replicaSchedulingType: Duplicated}\n";
    stage.apply(policy).await;
    stage.run(30).await;
    stage.start_controllers();
    stage.apply(FED_HPA).await;
    stage.run(60).await;
    let (status, reason, message) = stage.condition("Invalid").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("True", "DuplicatedPlacement"));
    assert!(message.contains("Divided"), "{message}");
    assert_eq!(stage.hpas(), [].into());
}

#[tokio::test(start_paused = true)]
async fn while_suspended_nothing_is_written_and_members_go_on() {
    let mut stage = at_rest(12).await;
    stage.apply(&FED_HPA.replace("  minReplicas: 6", "  suspend: true\n  minReplicas: 9")).await;
    stage.run(30).await;
    assert_eq!(stage.condition("Suspended").unwrap().0, "True");
    stage.faults.forget_writes();
    let hpas = stage.hpas();
    stage.run(300).await;
    assert_eq!(stage.faults.writes(), []);
    assert_eq!(stage.hpas(), hpas);
}
