//! Bad input, and others in the way: each has its condition and its words, and nothing is scaled to zero.

use fedscaler_sandbox::{apiserver::kinds::DEPLOYMENTS, fault::Crash};
use fedscaler_tests::stage::{BINDINGS, FED_HPAS, Stage};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use super::{FED_HPA, assert_in_order, at_rest};

const HOLDS: &str = "/metadata/annotations/autoscaling.fedscaler.io~1holds-scheduling";
const RETAINED: &str = "/metadata/labels/autoscaling.fedscaler.io~1retain-replicas";

/// A FedHPA on a stage of its own, a minute and a half after it was applied.
async fn told_of(fed_hpa: &str, before: impl AsyncFnOnce(&mut Stage)) -> Stage {
    let mut stage = Stage::with_demand(9).await;
    before(&mut stage).await;
    stage.start_controllers();
    stage.apply(fed_hpa).await;
    stage.run(90).await;
    assert!(stage.numbers().members.values().sum::<u64>() > 0, "{:?}", stage.numbers());
    stage
}

fn said(stage: &Stage, kind: &str, status: &str, reason: &str, words: &str) {
    let found = stage.condition(kind).unwrap_or_else(|| panic!("no {kind}"));
    assert_eq!((found.0.as_str(), found.1.as_str()), (status, reason), "{found:?}");
    assert!(found.2.contains(words), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_min_above_the_max_is_refused_by_the_api_server_in_words() {
    let stage = Stage::with_demand(9).await;
    let bad = FED_HPA.replace("minReplicas: 6\n", "minReplicas: 61\n");
    let refused = fedscaler_cmd::sandbox::install::apply(&stage.user, &bad).await.unwrap_err();
    assert!(refused.to_string().contains("minReplicas is above maxReplicas"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn without_a_binding_it_waits_and_asks_for_a_policy() {
    let alone = FED_HPA.replace("kind: Deployment, name: web}", "kind: Deployment, name: lonely}");
    let stage = told_of(&alone, async |stage: &mut Stage| {
        let lonely = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: lonely, namespace: default}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: lonely}}\n  template:\n    metadata: {labels: {app: lonely}}\n    spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 1}}}]}\n";
        stage.apply(lonely).await;
    })
    .await;
    said(&stage, "Ready", "False", "Waiting", "does a PropagationPolicy select the target?");
}

#[tokio::test(start_paused = true)]
async fn with_no_cluster_of_the_distribution_nothing_is_cut() {
    let nowhere =
        FED_HPA.replace("name: idc-roomy", "name: nowhere-1").replace("name: idc-crowded", "name: nowhere-2");
    let nowhere =
        nowhere.replace("provider: cloud", "provider: nobody").replace("minReplicas: 2}", "minReplicas: 1}");
    let mut stage = told_of(&nowhere, async |_: &mut Stage| {}).await;
    stage.run(600).await;
    assert!(stage.numbers().members.values().sum::<u64>() >= 6, "{:?}", stage.numbers());
    said(&stage, "CapacityLimited", "True", "Unplaced", "60 of the max fit nowhere");
}

#[tokio::test(start_paused = true)]
async fn with_all_clusters_lost_nothing_is_forgotten_and_their_return_is_quiet() {
    let mut stage = at_rest(12).await;
    let before = stage.numbers();
    for member in ["idc-roomy", "idc-crowded", "cloud"] {
        stage.world.partition(member).unwrap();
    }
    stage.run(300).await;
    assert_eq!(
        (stage.numbers().clusters, stage.numbers().template),
        (before.clusters.clone(), before.template)
    );
    let status = stage.object(&FED_HPAS, "web").unwrap();
    assert!(status["status"]["possibleOvershoot"].as_u64().unwrap() > 0, "{status}");
    for member in ["idc-roomy", "idc-crowded", "cloud"] {
        stage.world.heal(member).unwrap();
    }
    stage.run(900).await;
    assert_in_order(&stage);
}

#[tokio::test(start_paused = true)]
async fn a_metric_of_unknown_type_is_passed_on_and_the_member_says_what_it_thinks_of_it() {
    let odd = FED_HPA.replace("  - type: Resource\n", "  - type: Tomorrow\n");
    let mut stage = Stage::with_demand(9).await;
    let before = stage.numbers();
    stage.start_controllers();
    if let Err(refused) = fedscaler_cmd::sandbox::install::apply(&stage.user, &odd).await {
        assert!(refused.to_string().contains("type"), "{refused}");
        return;
    }
    stage.run(120).await;
    assert_eq!(stage.numbers().members, before.members, "nothing moves");
    let status = stage.object(&FED_HPAS, "web").unwrap();
    assert_ne!(stage.condition("Ready").unwrap().2, "", "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_template_without_requests_is_divided_without_rooms_and_says_so() {
    let stage = told_of(FED_HPA, async |stage: &mut Stage| {
        let deployments: Api<Deployment> = Api::default_namespaced(stage.user.clone());
        let bare = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "i"}]}}}});
        deployments.patch("web", &PatchParams::default(), &Patch::Merge(&bare)).await.unwrap();
        stage.run(60).await;
    })
    .await;
    let status = stage.object(&FED_HPAS, "web").unwrap();
    let lines = status["status"]["lastDecision"].to_string();
    assert!(
        lines.contains("room unknown in cloud, idc-crowded, idc-roomy: only caps limit there"),
        "{status}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_target_renamed_in_the_spec_is_given_back_before_the_new_one_is_taken() {
    let mut stage = at_rest(12).await;
    let before = stage.numbers();
    stage.apply(&FED_HPA.replace("kind: Deployment, name: web}", "kind: Deployment, name: batch}")).await;
    stage.run(180).await;
    let binding = stage.object(&BINDINGS, "web-deployment").unwrap();
    assert_eq!(
        (binding.pointer(HOLDS), binding.pointer("/spec/suspension/scheduling")),
        (None, None),
        "{binding}"
    );
    assert_eq!(stage.object(&DEPLOYMENTS, "web").unwrap().pointer(RETAINED), None);
    assert_eq!(stage.hpas(), [].into(), "no HPA of the old name");
    assert_eq!(stage.numbers(), before, "nothing was scaled by it");
    let binding = stage.object(&BINDINGS, "batch-deployment").unwrap();
    assert!(binding.pointer(HOLDS).is_some(), "{binding}");
    let status = stage.object(&FED_HPAS, "web").unwrap();
    assert_eq!(status["status"]["target"]["name"], "batch", "{status}");
    assert_eq!(stage.reschedules(), 0);
}

#[tokio::test(start_paused = true)]
async fn dying_at_any_write_of_a_rename_leaves_nothing_of_ours_on_the_old_target() {
    for nth in 1.. {
        let mut stage = Stage::with_demand(12).await;
        stage.start_controllers();
        stage.apply(FED_HPA).await;
        stage.rest(20, 300).await;
        stage.faults.crash_at_write(nth, Crash::After);
        stage.apply(&FED_HPA.replace("kind: Deployment, name: web}", "kind: Deployment, name: batch}")).await;
        stage.run_until_crash(60).await;
        let holds =
            |stage: &Stage, binding| stage.object(&BINDINGS, binding).unwrap().pointer(HOLDS).is_some();
        let had_taken_over = holds(&stage, "batch-deployment");
        stage.restart_controllers().await;
        stage.run(90).await;
        let retained = stage.object(&DEPLOYMENTS, "web").unwrap().pointer(RETAINED).is_some();
        assert!(!retained && !holds(&stage, "web-deployment"), "crash at write {nth}");
        assert_eq!(stage.hpas(), [].into(), "crash at write {nth}");
        assert!(holds(&stage, "batch-deployment"), "crash at write {nth}");
        if had_taken_over {
            assert!(nth > 6, "only {nth} writes: the loop does not test what it should");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_deleted_while_it_is_held_is_a_condition_and_comes_back_in_order() {
    let mut stage = at_rest(12).await;
    let deployments: Api<Deployment> = Api::default_namespaced(stage.user.clone());
    deployments.delete("web", &DeleteParams::default()).await.unwrap();
    stage.run(60).await;
    said(&stage, "Invalid", "True", "TargetNotFound", "does not exist");
    assert_eq!(stage.hpas(), [].into());
    stage.apply(include_str!("../../../deploy/examples/workloads.yaml")).await;
    stage.run(900).await;
    assert_eq!(stage.condition("Ready").unwrap().0, "True", "{:?}", stage.condition("Ready"));
    assert_eq!(stage.hpas().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_begins_to_duplicate_is_refused_while_members_go_on() {
    let mut stage = at_rest(12).await;
    let (hpas, members) = (stage.hpas(), stage.numbers().members);
    let duplicated = include_str!("../../../deploy/examples/workloads.yaml")
        .replace("replicaSchedulingType: Divided\n      replicaDivisionPreference: Weighted\n      weightPreference:\n        dynamicWeight: AvailableReplicas", "replicaSchedulingType: Duplicated");
    stage.apply(&duplicated[duplicated.rfind("---").unwrap()..]).await;
    stage.run(120).await;
    said(&stage, "Invalid", "True", "DuplicatedPlacement", "members go on within the bounds they have");
    assert_eq!((stage.hpas(), stage.numbers().members), (hpas, members));
}

async fn without_customization(stage: &mut Stage, name: &str) {
    let kind = kube::core::GroupVersionKind::gvk(
        "config.karmada.io",
        "v1alpha1",
        "ResourceInterpreterCustomization",
    );
    let resource = kube::core::ApiResource::from_gvk_with_plural(&kind, "resourceinterpretercustomizations");
    let api: Api<kube::core::DynamicObject> = Api::all_with(stage.user.clone(), &resource);
    api.delete(name, &DeleteParams::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_our_customizations_nothing_is_written_and_the_remedy_is_told_and_works() {
    let mut stage = told_of(FED_HPA, async |stage: &mut Stage| {
        without_customization(stage, "fedscaler-retain-deployment").await;
    })
    .await;
    said(&stage, "Invalid", "True", "RetentionMissing", "kubectl apply -k deploy/karmada");
    assert_eq!(stage.hpas(), [].into());
    assert_eq!(stage.object(&BINDINGS, "web-deployment").unwrap().pointer(HOLDS), None);
    stage.apply(include_str!("../../../deploy/karmada/customizations/deployment.yaml")).await;
    stage.run(120).await;
    assert_eq!(stage.hpas().len(), 3, "{:?}", stage.condition("Ready"));
}

#[tokio::test(start_paused = true)]
async fn a_users_own_customization_is_named_with_the_lines_to_add_and_is_enough_with_them() {
    const THEIRS: &str = "apiVersion: config.karmada.io/v1alpha1\nkind: ResourceInterpreterCustomization\nmetadata: {name: theirs}\nspec:\n  target: {apiVersion: apps/v1, kind: Deployment}\n  customizations:\n    retention:\n      luaScript: |\n        LINES\n";
    let mut stage = told_of(FED_HPA, async |stage: &mut Stage| {
        without_customization(stage, "fedscaler-retain-deployment").await;
        stage
            .apply(&THEIRS.replace(
                "LINES",
                "if desiredObj.metadata.labels[\"theirs.example/keep\"] == \"true\" then end",
            ))
            .await;
    })
    .await;
    said(&stage, "Invalid", "True", "ForeignCustomization", "ResourceInterpreterCustomization theirs");
    said(&stage, "Invalid", "True", "ForeignCustomization", "autoscaling.fedscaler.io/retain-replicas");
    assert_eq!(stage.hpas(), [].into());
    let message = stage.condition("Invalid").unwrap().2;
    let lines = &message[message.find("local labels").unwrap()..];
    stage.apply(&THEIRS.replace("LINES", lines)).await;
    stage.run(120).await;
    assert_eq!(stage.hpas().len(), 3, "{:?}", stage.condition("Ready"));
}

#[tokio::test(start_paused = true)]
async fn without_reflection_it_counts_what_runs_and_says_so() {
    let mut stage = told_of(FED_HPA, async |stage: &mut Stage| {
        without_customization(stage, "fedscaler-reflect-horizontalpodautoscaler").await;
    })
    .await;
    stage.run(120).await;
    said(&stage, "Ready", "True", "WithoutReflection", "kubectl apply -k deploy/karmada");
    assert_eq!(stage.hpas().len(), 3);
    assert!(stage.numbers().agree(), "{:?}", stage.numbers());
}

#[tokio::test(start_paused = true)]
async fn karmadas_own_autoscalers_and_its_own_label_are_rivals() {
    let mut stage = at_rest(12).await;
    let federated = "apiVersion: autoscaling.karmada.io/v1alpha1\nkind: FederatedHPA\nmetadata: {name: central, namespace: default}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  maxReplicas: 9\n";
    stage.apply(federated).await;
    stage.run(20).await;
    said(&stage, "Contested", "True", "OtherAutoscaler", "FederatedHPA central");
    let deployments: Api<Deployment> = Api::default_namespaced(stage.user.clone());
    let label = json!({"metadata": {"labels": {"resourcetemplate.karmada.io/retain-replicas": "true"}}});
    deployments.patch("web", &PatchParams::default(), &Patch::Merge(&label)).await.unwrap();
    stage.run(330).await;
    said(&stage, "Contested", "True", "OtherAutoscaler", "deploymentReplicasSyncer");
}

const THEIR_HPA: &str = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web, namespace: default}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  minReplicas: 2\n  maxReplicas: 7\n  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]\n";

async fn with_an_hpa_of_its_own(stage: &Stage, member: &str) {
    let service = stage.world.member(member).unwrap().service();
    let user = kube::Client::new(service, "default");
    fedscaler_cmd::sandbox::install::apply(&user, THEIR_HPA).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_hpa_that_a_member_has_of_its_own_is_left_alone_unless_asked_and_stays_at_the_end() {
    let mut stage =
        told_of(FED_HPA, async |stage: &mut Stage| with_an_hpa_of_its_own(stage, "idc-roomy").await).await;
    said(&stage, "Distributed", "False", "HpaExists", "in idc-roomy");
    assert_eq!(stage.hpas()["idc-roomy"], (2, 7));
    stage.apply(&FED_HPA.replace("  minReplicas: 6", "  adopt: Existing\n  minReplicas: 6")).await;
    stage.run(60).await;
    assert_eq!(stage.condition("Distributed").unwrap().0, "True", "{:?}", stage.condition("Distributed"));
    let adopted = stage.hpas()["idc-roomy"];
    assert_ne!(adopted, (2, 7));
    let api: Api<fedscaler_crds::FedHpa> = Api::default_namespaced(stage.user.clone());
    api.delete("web", &DeleteParams::default()).await.unwrap();
    stage.run(180).await;
    assert_eq!(
        stage.hpas(),
        [("idc-roomy".to_owned(), adopted)].into(),
        "only the one that was there before stays"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cluster_too_old_for_the_only_metric_is_left_out_and_says_why() {
    let mut members = fedscaler_cmd::sandbox::scenario::members();
    members[0].kubernetes_version = "v1.26.3".to_owned();
    members[1].kubernetes_version = "v1.34.0".to_owned();
    let mut stage = Stage::of(members, fedscaler_sandbox::demand::Trace::constant(9000)).await;
    stage.start_controllers();
    let container = FED_HPA.replace(
        "  - type: Resource\n    resource:\n      name: cpu\n",
        "  - type: ContainerResource\n    containerResource:\n      name: cpu\n      container: web\n",
    );
    stage
        .apply(
            &container
                .replace("  distribution:", "  behavior: {scaleUp: {tolerance: \"0.05\"}}\n  distribution:"),
        )
        .await;
    stage.run(90).await;
    let status = stage.object(&FED_HPAS, "web").unwrap();
    let why = |name: &str| {
        let clusters = status["status"]["clusters"].as_array().unwrap();
        clusters.iter().find(|cluster| cluster["name"] == name).unwrap()["why"].as_str().unwrap().to_owned()
    };
    assert!(why("idc-roomy").contains("Kubernetes 1.26 knows no ContainerResource metrics"), "{status}");
    assert!(why("idc-crowded").contains("Kubernetes 1.34 knows no tolerance"), "{status}");
    assert!(!why("cloud").contains("ContainerResource"), "{status}");
    assert!(!stage.hpas().contains_key("idc-roomy"), "{:?}", stage.hpas());
}
