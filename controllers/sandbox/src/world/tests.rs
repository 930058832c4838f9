//! Whole worlds under paused time: what was measured on a live Karmada happens here too.

use super::*;
use crate::apiserver::kinds::{DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, Kind, PODS, STATEFUL_SETS};
use crate::clock::TokioClock;
use crate::demand::Trace;
use crate::fields::{annotation, int, items, label, name, put, text, version};
use crate::karmada::kinds::{
    CLUSTERS, INTERPRETER_CUSTOMIZATIONS, PROPAGATION_POLICIES, RESOURCE_BINDINGS, WORKS,
};
use crate::karmada::{Lag, names};
use chrono::DateTime;
use serde_json::json;

const RETAIN: &str = "autoscaling.fedscaler.io/retain-replicas";

fn two_members() -> Vec<MemberSpec> {
    let nodes =
        |prefix: &str| (0..4).map(|n| NodeSpec::new(&format!("{prefix}-{n}"), 8000, 32 << 10)).collect();
    vec![MemberSpec::new("member1", nodes("a")), MemberSpec::new("member2", nodes("b"))]
}

fn world_with(seed: u64, members: Vec<MemberSpec>, demands: Vec<Demand>, lags: Lags) -> World {
    let start = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(start));
    World::start(WorldSpec { seed, clock, members, demands, lags }).unwrap()
}

fn world(seed: u64) -> World {
    world_with(seed, two_members(), Vec::new(), Lags::default())
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn pass_millis(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn workload(kind: &str, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": "default", "labels": {RETAIN: "true"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1",
                    "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}}}]},
            },
        },
    })
}

fn policy(kind: &str) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": kind, "name": "web"}],
            "placement": {"replicaScheduling": {
                "replicaSchedulingType": "Divided",
                "replicaDivisionPreference": "Weighted",
            }},
        },
    })
}

fn customization(kind: &str) -> Value {
    let script = format!(
        "function Retain(desiredObj, observedObj)
           if desiredObj.metadata.labels[\"{RETAIN}\"] == \"true\" then
             desiredObj.spec.replicas = observedObj.spec.replicas
           end
           return desiredObj
         end"
    );
    json!({
        "metadata": {"name": format!("retain-{}", kind.to_lowercase())},
        "spec": {
            "target": {"apiVersion": "apps/v1", "kind": kind},
            "customizations": {"retention": {"luaScript": script}},
        },
    })
}

fn propagate(world: &World, kind: &str, replicas: i64) {
    let user = world.control_plane().local("kubectl");
    user.create(&PROPAGATION_POLICIES, policy(kind)).unwrap();
    user.create(&served(kind), workload(kind, replicas)).unwrap();
}

fn served(kind: &str) -> Kind {
    if kind == "Deployment" { DEPLOYMENTS } else { STATEFUL_SETS }
}

fn template(world: &World) -> Arc<Value> {
    world.control_plane().local("test").get(&DEPLOYMENTS, "default", "web").unwrap()
}

fn binding(world: &World) -> Arc<Value> {
    let name = names::binding("Deployment", "web");
    world.control_plane().local("test").get(&RESOURCE_BINDINGS, "default", &name).unwrap()
}

fn assigned(world: &World) -> BTreeMap<String, i64> {
    items(&binding(world), "/spec/clusters")
        .iter()
        .map(|target| (text(target, "/name").to_owned(), int(target, "/replicas").unwrap_or(0)))
        .collect()
}

fn shares<const N: usize>(pairs: [(&str, i64); N]) -> BTreeMap<String, i64> {
    pairs.into_iter().map(|(name, replicas)| (name.to_owned(), replicas)).collect()
}

fn running(world: &World, kind: &Kind) -> BTreeMap<String, i64> {
    let replicas = |member: &str| {
        let object = world.member(member).unwrap().local("test").get(kind, "default", "web")?;
        int(&object, "/spec/replicas")
    };
    world.members().filter_map(|member| Some((member.to_owned(), replicas(member)?))).collect()
}

fn ready(world: &World) -> BTreeMap<String, u32> {
    let pods = world.pods(&Workload::new("default", "web"));
    pods.into_iter().map(|(member, count)| (member, count.ready)).collect()
}

fn divisions(world: &World) -> u64 {
    world.reschedules().values().sum()
}

/// One write of the binding: its replicas and its clusters.
fn write_binding(world: &World, to: [(&str, i64); 2]) {
    let api = world.control_plane().local("controller");
    let mut object = (*binding(world)).clone();
    let clusters: Vec<_> =
        to.iter().map(|(name, replicas)| json!({"name": name, "replicas": replicas})).collect();
    put(&mut object, &["spec", "replicas"], to.iter().map(|(_, replicas)| replicas).sum::<i64>().into());
    put(&mut object, &["spec", "clusters"], clusters.into());
    api.update(&RESOURCE_BINDINGS, object).unwrap();
}

fn write_template(world: &World, replicas: i64) -> u64 {
    let mut object = (*template(world)).clone();
    put(&mut object, &["spec", "replicas"], replicas.into());
    version(&world.control_plane().local("controller").update(&DEPLOYMENTS, object).unwrap())
}

fn seen_by_binding(world: &World) -> u64 {
    text(&binding(world), "/spec/resource/resourceVersion").parse().unwrap()
}

/// Members at {5, 3}, retained, the control plane still at 6 = {3, 3}.
async fn grown() -> World {
    let world = world(1);
    let user = world.control_plane().local("kubectl");
    user.create(&INTERPRETER_CUSTOMIZATIONS, customization("Deployment")).unwrap();
    propagate(&world, "Deployment", 6);
    pass(60).await;
    assert_eq!(assigned(&world), shares([("member1", 3), ("member2", 3)]));
    scale_in(&world, "member1", &DEPLOYMENTS, 5);
    pass(60).await;
    world
}

fn scale_in(world: &World, member: &str, kind: &Kind, replicas: i64) {
    let api = world.member(member).unwrap().local("hpa");
    let mut object = (*api.get(kind, "default", "web").unwrap()).clone();
    put(&mut object, &["spec", "replicas"], replicas.into());
    api.update(kind, object).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deployment_with_a_policy_runs_in_the_members_and_its_status_comes_back() {
    let world = world(1);
    propagate(&world, "Deployment", 5);
    pass(60).await;
    assert_eq!(ready(&world).values().sum::<u32>(), 5);
    let template = template(&world);
    assert_eq!(int(&template, "/status/readyReplicas"), Some(5));
    assert_eq!(int(&template, "/status/observedGeneration"), int(&template, "/metadata/generation"));
    let binding = binding(&world);
    assert_eq!(items(&binding, "/status/aggregatedStatus").len(), 2);
    assert!(items(&binding, "/status/aggregatedStatus").iter().all(|entry| entry["health"] == "Healthy"));
    let conditions = items(&binding, "/status/conditions");
    assert!(conditions.iter().all(|condition| condition["status"] == "True"), "{conditions:?}");
    assert_eq!(divisions(&world), 0, "the first division is no rescheduling");
}

#[tokio::test(start_paused = true)]
async fn a_works_manifest_carries_what_leads_back_to_it() {
    let world = world(1);
    propagate(&world, "Deployment", 4);
    pass(10).await;
    let api = world.control_plane().local("test");
    let work = api.get(&WORKS, "karmada-es-member1", &names::work("Deployment", "default", "web")).unwrap();
    let manifest = &items(&work, "/spec/workload/manifests")[0];
    assert_eq!(label(manifest, "karmada.io/managed"), Some("true"));
    assert_eq!(annotation(manifest, "work.karmada.io/name"), Some(name(&work)));
    assert_eq!(annotation(manifest, "work.karmada.io/namespace"), Some("karmada-es-member1"));
    assert_eq!(int(manifest, "/spec/replicas"), Some(2));
    assert!(manifest.pointer("/status").is_none() && manifest.pointer("/metadata/uid").is_none());
    assert_eq!(work["metadata"]["finalizers"], json!(["karmada.io/execution-controller"]));
}

#[tokio::test(start_paused = true)]
async fn the_binding_in_one_write_and_then_the_template_divides_nothing_and_sticks() {
    let world = grown().await;
    write_binding(&world, [("member1", 5), ("member2", 3)]);
    let written = write_template(&world, 8);
    pass(60).await;
    assert_eq!(divisions(&world), 0);
    assert_eq!(assigned(&world), shares([("member1", 5), ("member2", 3)]));
    assert_eq!(running(&world, &DEPLOYMENTS), shares([("member1", 5), ("member2", 3)]));
    assert!(seen_by_binding(&world) >= written);
}

#[tokio::test(start_paused = true)]
async fn the_clusters_alone_are_divided_at_once() {
    let world = grown().await;
    let mut object = (*binding(&world)).clone();
    let clusters = json!([{"name": "member1", "replicas": 5}, {"name": "member2", "replicas": 3}]);
    put(&mut object, &["spec", "clusters"], clusters);
    world.control_plane().local("controller").update(&RESOURCE_BINDINGS, object).unwrap();
    pass_millis(100).await;
    assert_eq!(divisions(&world), 1);
    assert_eq!(assigned(&world).values().sum::<i64>(), 6);
}

#[tokio::test(start_paused = true)]
async fn the_template_first_costs_one_division() {
    let world = grown().await;
    write_template(&world, 8);
    pass(10).await;
    assert_eq!(divisions(&world), 1);
    assert_eq!(assigned(&world), shares([("member1", 4), ("member2", 4)]));
}

#[tokio::test(start_paused = true)]
async fn the_binding_without_its_template_is_undone_at_the_templates_next_event() {
    let world = grown().await;
    write_binding(&world, [("member1", 5), ("member2", 3)]);
    pass(10).await;
    assert_eq!(divisions(&world), 0);
    let mut object = (*template(&world)).clone();
    put(&mut object, &["metadata", "labels", "touched"], json!("yes"));
    world.control_plane().local("kubectl").update(&DEPLOYMENTS, object).unwrap();
    pass(10).await;
    assert_eq!(divisions(&world), 1);
    assert_eq!(int(&binding(&world), "/spec/replicas"), Some(6));
}

#[tokio::test(start_paused = true)]
async fn a_tight_loop_that_does_not_wait_for_the_detector_is_divided_now_and_then() {
    let world = grown().await;
    for round in 0..20_i64 {
        write_binding(&world, [("member1", 5 + round % 3), ("member2", 3)]);
        write_template(&world, 8 + round % 3);
        pass_millis(60).await;
    }
    assert!(divisions(&world) > 0, "the previous template's number hits the next write of the binding");
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_waits_for_the_detector_is_never_divided() {
    let world = grown().await;
    for round in 0..100_i64 {
        write_binding(&world, [("member1", 5 + round % 3), ("member2", 3)]);
        let written = write_template(&world, 8 + round % 3);
        while seen_by_binding(&world) < written {
            pass_millis(5).await;
        }
    }
    pass(10).await;
    assert_eq!(divisions(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn held_scheduling_keeps_the_scheduler_out_and_an_applied_manifest_deletes_nothing() {
    let world = grown().await;
    let mut object = (*binding(&world)).clone();
    put(&mut object, &["spec", "suspension", "scheduling"], json!(true));
    world.control_plane().local("controller").update(&RESOURCE_BINDINGS, object).unwrap();
    write_binding(&world, [("member1", 7), ("member2", 1)]);
    write_template(&world, 8);
    pass(5).await;
    let observed = int(&binding(&world), "/status/schedulerObservedGeneration");
    write_template(&world, 1);
    pass(60).await;
    assert_eq!(divisions(&world), 0);
    assert_eq!(assigned(&world), shares([("member1", 7), ("member2", 1)]));
    assert_eq!(running(&world, &DEPLOYMENTS), shares([("member1", 5), ("member2", 3)]), "retained");
    assert_eq!(int(&binding(&world), "/status/schedulerObservedGeneration"), observed, "frozen");
    assert_eq!(int(&binding(&world), "/spec/replicas"), Some(1), "the detector writes on");
}

#[tokio::test(start_paused = true)]
async fn a_foreign_scheduler_keeps_karmadas_out_and_works_follow_the_binding() {
    let world = world(1);
    let user = world.control_plane().local("kubectl");
    let mut foreign = policy("Deployment");
    foreign["spec"]["schedulerName"] = json!("somebody-else");
    user.create(&PROPAGATION_POLICIES, foreign).unwrap();
    user.create(&DEPLOYMENTS, workload("Deployment", 6)).unwrap();
    pass(10).await;
    assert!(assigned(&world).is_empty());
    write_binding(&world, [("member1", 1), ("member2", 5)]);
    pass(10).await;
    assert_eq!(running(&world, &DEPLOYMENTS), shares([("member1", 1), ("member2", 5)]));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_evicted_from_keeps_its_work_until_the_task_is_gone() {
    let world = grown().await;
    let set_task = |tasks: Value| {
        let mut object = (*binding(&world)).clone();
        put(&mut object, &["spec", "gracefulEvictionTasks"], tasks);
        put(&mut object, &["spec", "clusters"], json!([{"name": "member1", "replicas": 6}]));
        world.control_plane().local("controller").update(&RESOURCE_BINDINGS, object).unwrap();
    };
    set_task(json!([{"fromCluster": "member2", "reason": "test", "producer": "test"}]));
    pass(10).await;
    assert_eq!(running(&world, &DEPLOYMENTS)["member2"], 3);
    set_task(json!([]));
    pass(10).await;
    assert!(!running(&world, &DEPLOYMENTS).contains_key("member2"));
    assert_eq!(divisions(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn an_applied_manifest_with_one_replica_deletes_a_workload_where_nothing_is_held() {
    let world = grown().await;
    write_binding(&world, [("member1", 11), ("member2", 1)]);
    write_template(&world, 12);
    pass(10).await;
    write_template(&world, 1);
    pass(60).await;
    assert_eq!(assigned(&world), shares([("member1", 1)]));
    assert_eq!(
        running(&world, &DEPLOYMENTS),
        shares([("member1", 5)]),
        "retained in one, deleted in the other"
    );
}

#[tokio::test(start_paused = true)]
async fn without_retention_each_change_in_a_member_is_undone() {
    let world = world(1);
    propagate(&world, "Deployment", 6);
    pass(60).await;
    scale_in(&world, "member1", &DEPLOYMENTS, 9);
    pass_millis(50).await;
    assert_eq!(running(&world, &DEPLOYMENTS), shares([("member1", 3), ("member2", 3)]));
}

#[tokio::test(start_paused = true)]
async fn our_label_retains_a_stateful_set_too() {
    let world = world(1);
    let user = world.control_plane().local("kubectl");
    user.create(&INTERPRETER_CUSTOMIZATIONS, customization("StatefulSet")).unwrap();
    propagate(&world, "StatefulSet", 4);
    pass(120).await;
    scale_in(&world, "member1", &STATEFUL_SETS, 5);
    pass(180).await;
    assert_eq!(running(&world, &STATEFUL_SETS), shares([("member1", 5), ("member2", 2)]));
    assert_eq!(ready(&world)["member1"], 5);
}

/// An autoscaler's Work as a third party makes it.
fn autoscaler_work(min: i64, max: i64) -> Value {
    let work_name = names::work("HorizontalPodAutoscaler", "default", "web");
    let manifest = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": "web", "namespace": "default",
            "labels": {"karmada.io/managed": "true"},
            "annotations": {
                "work.karmada.io/namespace": "karmada-es-member1", "work.karmada.io/name": work_name,
            },
        },
        "spec": {
            "minReplicas": min, "maxReplicas": max,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 80}}}],
        },
    });
    json!({
        "metadata": {"name": work_name, "namespace": "karmada-es-member1",
            "finalizers": ["karmada.io/execution-controller"]},
        "spec": {"workload": {"manifests": [manifest]}},
    })
}

#[tokio::test(start_paused = true)]
async fn a_work_of_a_third_party_is_dispatched_reported_and_taken_back() {
    let world = grown().await;
    let ours = world.control_plane().local("controller");
    let made = ours.create(&WORKS, autoscaler_work(7, 9)).unwrap();
    pass_millis(40).await;
    let member = world.member("member1").unwrap().local("test");
    assert!(member.get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web").is_some(), "within 10-30 ms");
    pass(60).await;
    assert_eq!(running(&world, &DEPLOYMENTS)["member1"], 7, "min is reached");
    let work = ours.get(&WORKS, "karmada-es-member1", name(&made)).unwrap();
    let reported = &items(&work, "/status/manifestStatuses")[0];
    assert_eq!(reported["status"], json!({"currentReplicas": 7, "desiredReplicas": 7}));
    assert_eq!(
        (reported["health"].as_str(), reported["identifier"]["resource"].as_str()),
        (Some("Healthy"), Some(""))
    );
    ours.delete(&WORKS, "karmada-es-member1", name(&made)).unwrap();
    pass(1).await;
    assert!(member.get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web").is_none());
    assert!(ours.get(&WORKS, "karmada-es-member1", name(&made)).is_none());
    assert_eq!(divisions(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn a_work_without_the_finalizer_leaves_its_object_behind() {
    let world = grown().await;
    let ours = world.control_plane().local("controller");
    let mut bare = autoscaler_work(5, 9);
    bare["metadata"]["finalizers"] = json!([]);
    let made = ours.create(&WORKS, bare).unwrap();
    pass(1).await;
    ours.delete(&WORKS, "karmada-es-member1", name(&made)).unwrap();
    pass(1).await;
    let member = world.member("member1").unwrap().local("test");
    assert!(member.get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_manifest_without_the_managed_label_is_never_updated() {
    let world = grown().await;
    let ours = world.control_plane().local("controller");
    let mut unmanaged = autoscaler_work(5, 9);
    unmanaged["spec"]["workload"]["manifests"][0]["metadata"]["labels"] = json!({});
    let made = ours.create(&WORKS, unmanaged).unwrap();
    pass(1).await;
    let mut edited = (*ours.get(&WORKS, "karmada-es-member1", name(&made)).unwrap()).clone();
    edited["spec"]["workload"]["manifests"][0]["spec"]["maxReplicas"] = json!(20);
    ours.update(&WORKS, edited).unwrap();
    pass(1).await;
    let member = world.member("member1").unwrap().local("test");
    let autoscaler = member.get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web").unwrap();
    assert_eq!(int(&autoscaler, "/spec/maxReplicas"), Some(9));
    let work = ours.get(&WORKS, "karmada-es-member1", name(&made)).unwrap();
    assert_eq!(work["status"]["conditions"][0]["status"], json!("False"));
}

#[tokio::test(start_paused = true)]
async fn a_members_own_edit_of_a_dispatched_object_is_undone() {
    let world = grown().await;
    world.control_plane().local("controller").create(&WORKS, autoscaler_work(5, 9)).unwrap();
    pass(1).await;
    let member = world.member("member1").unwrap().local("somebody");
    let mut edited = (*member.get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web").unwrap()).clone();
    edited["spec"]["maxReplicas"] = json!(50);
    member.update(&HORIZONTAL_POD_AUTOSCALERS, edited).unwrap();
    pass_millis(40).await;
    let autoscaler = member.get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web").unwrap();
    assert_eq!(int(&autoscaler, "/spec/maxReplicas"), Some(9));
    member.delete(&HORIZONTAL_POD_AUTOSCALERS, "default", "web").unwrap();
    pass_millis(40).await;
    assert!(member.get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web").is_some(), "made again");
}

#[tokio::test(start_paused = true)]
async fn a_lost_member_goes_on_and_tells_all_when_it_is_back() {
    let world = grown().await;
    world.control_plane().local("controller").create(&WORKS, autoscaler_work(5, 9)).unwrap();
    pass(60).await;
    world.partition("member1").unwrap();
    let member = world.member("member1").unwrap().local("hpa");
    let mut autoscaler = (*member.get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web").unwrap()).clone();
    autoscaler["spec"]["minReplicas"] = json!(9);
    member.update(&HORIZONTAL_POD_AUTOSCALERS, autoscaler).unwrap();
    pass(60).await;
    assert_eq!(running(&world, &DEPLOYMENTS)["member1"], 9, "it scales by itself");
    let api = world.control_plane().local("test");
    let cluster = api.get(&CLUSTERS, "", "member1").unwrap();
    assert_eq!(cluster["status"]["conditions"][0]["status"], json!("False"));
    assert_eq!(cluster["spec"]["taints"][0]["key"], json!("cluster.karmada.io/not-ready"));
    assert_eq!(int(&template(&world), "/status/readyReplicas"), Some(8), "the control plane knows nothing");
    world.heal("member1").unwrap();
    pass(1).await;
    assert_eq!(int(&template(&world), "/status/readyReplicas"), Some(12));
    pass(90).await;
    let autoscaler = member.get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web").unwrap();
    assert_eq!(int(&autoscaler, "/spec/minReplicas"), Some(5), "what the Work says holds again");
    let cluster = api.get(&CLUSTERS, "", "member1").unwrap();
    assert_eq!(cluster["status"]["conditions"][0]["status"], json!("True"));
    assert!(items(&cluster, "/spec/taints").is_empty());
    assert_eq!(divisions(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn pods_that_fit_nowhere_wait_until_there_is_room() {
    let members = vec![MemberSpec::new("member1", vec![NodeSpec::new("a-0", 2000, 8192)])];
    let world = world_with(1, members, Vec::new(), Lags::default());
    propagate(&world, "Deployment", 3);
    pass(60).await;
    let api = world.member("member1").unwrap().local("kubectl");
    let mut object = (*api.get(&DEPLOYMENTS, "default", "web").unwrap()).clone();
    object["metadata"]["labels"]["karmada.io/managed"] = json!("no");
    object["metadata"]["annotations"] = json!({});
    object["spec"]["replicas"] = json!(6);
    api.update(&DEPLOYMENTS, object).unwrap();
    pass(60).await;
    let count = world.pods(&Workload::new("default", "web"))["member1"];
    assert_eq!((count.ready, count.pending, count.total), (4, 2, 6));
    let stuck = api.list(&PODS, Some("default"));
    let stuck: Vec<_> = stuck.iter().filter(|pod| text(pod, "/spec/nodeName").is_empty()).collect();
    assert_eq!(stuck[0]["status"]["conditions"][0]["reason"], json!("Unschedulable"));
    world.cluster("member1").unwrap().add_node(&NodeSpec::new("a-1", 2000, 8192)).unwrap();
    pass(60).await;
    assert_eq!(ready(&world)["member1"], 6);
}

#[tokio::test(start_paused = true)]
async fn a_drained_nodes_pods_move_and_a_broken_nodes_pods_are_evicted_after_five_minutes() {
    let world = world(1);
    propagate(&world, "Deployment", 12);
    pass(60).await;
    let cluster = world.cluster("member1").unwrap();
    cluster.drain("a-0").unwrap();
    pass(60).await;
    assert_eq!(ready(&world)["member1"], 6);
    cluster.fail_node("a-1").unwrap();
    pass(1).await;
    let shaken = ready(&world)["member1"];
    assert!(shaken < 6);
    pass(240).await;
    assert_eq!(ready(&world)["member1"], shaken);
    pass(120).await;
    assert_eq!(ready(&world)["member1"], 6);
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_shows_its_surge_in_the_status() {
    let world = world(1);
    propagate(&world, "Deployment", 8);
    pass(60).await;
    let mut object = (*template(&world)).clone();
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
    world.control_plane().local("kubectl").update(&DEPLOYMENTS, object).unwrap();
    pass(5).await;
    let surged = int(&template(&world), "/status/replicas").unwrap();
    assert!(surged > 8, "{surged}");
    pass(300).await;
    let template = template(&world);
    assert_eq!(int(&template, "/status/replicas"), Some(8));
    assert_eq!(int(&template, "/status/updatedReplicas"), Some(8));
    assert_eq!(divisions(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn clusters_report_their_resources() {
    let world = world(1);
    propagate(&world, "Deployment", 8);
    pass(60).await;
    let cluster = world.control_plane().local("test").get(&CLUSTERS, "", "member1").unwrap();
    let summary = &cluster["status"]["resourceSummary"];
    assert_eq!(summary["allocatable"], json!({"cpu": "32", "memory": "128Gi", "pods": "440"}));
    assert_eq!(summary["allocated"], json!({"cpu": "2", "memory": "1Gi", "pods": "4"}));
    assert_eq!(summary["allocating"], json!({"cpu": "0", "memory": "0", "pods": "0"}));
    assert_eq!(summary["allocatableModelings"][2], json!({"grade": 2, "count": 4}));
    assert_eq!(cluster["status"]["nodeSummary"], json!({"totalNum": 4, "readyNum": 4}));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_taken_out_is_emptied_and_then_gone() {
    let world = world(1);
    propagate(&world, "Deployment", 4);
    pass(60).await;
    let user = world.control_plane().local("karmadactl");
    user.delete(&CLUSTERS, "", "member2").unwrap();
    pass(60).await;
    assert_eq!(assigned(&world), shares([("member1", 4)]));
    assert_eq!(ready(&world), [("member1".to_owned(), 4), ("member2".to_owned(), 0)].into());
    assert!(user.get(&CLUSTERS, "", "member2").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_template_takes_everything_with_it() {
    let world = world(1);
    propagate(&world, "Deployment", 4);
    pass(60).await;
    world.control_plane().local("kubectl").delete(&DEPLOYMENTS, "default", "web").unwrap();
    pass(10).await;
    let api = world.control_plane().local("test");
    assert!(api.list(&RESOURCE_BINDINGS, None).is_empty());
    assert!(api.list(&WORKS, None).is_empty());
    assert!(running(&world, &DEPLOYMENTS).is_empty());
    assert_eq!(ready(&world).values().sum::<u32>(), 0);
}

fn demanding(seed: u64) -> World {
    let web = Workload::new("default", "web");
    let demand = Demand::new(web, Trace::generated(seed, 30));
    let world = world_with(seed, two_members(), vec![demand], Lags::default());
    let user = world.control_plane().local("kubectl");
    user.create(&INTERPRETER_CUSTOMIZATIONS, customization("Deployment")).unwrap();
    propagate(&world, "Deployment", 6);
    for member in ["member1", "member2"] {
        let mut work = autoscaler_work(2, 30);
        let namespace = names::execution_namespace(member);
        put(&mut work, &["metadata", "namespace"], json!(namespace));
        work["spec"]["workload"]["manifests"][0]["metadata"]["annotations"]["work.karmada.io/namespace"] =
            json!(namespace);
        user.create(&WORKS, work).unwrap();
    }
    world
}

#[tokio::test(start_paused = true)]
async fn demand_drives_the_members_autoscalers_through_a_day() {
    let world = demanding(7);
    let mut most = 0;
    let mut least = u32::MAX;
    for hour in 0..24 {
        pass(3600).await;
        let total = ready(&world).values().sum::<u32>();
        most = most.max(total);
        least = least.min(if hour > 0 { total } else { u32::MAX });
    }
    assert!(most > 18 && least < 9, "{least} to {most} replicas");
    let totals = world.totals(&Workload::new("default", "web"));
    assert!(totals.unmet_milli_seconds * 100 < totals.demand_milli_seconds, "{totals:?}");
    let carried = totals.replica_seconds * 1000;
    assert!(carried > totals.demand_milli_seconds && carried < 2 * totals.demand_milli_seconds, "{totals:?}");
    assert_eq!(divisions(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_world() {
    let mut ends = Vec::new();
    for seed in [3, 3, 4] {
        let world = demanding(seed);
        pass(4 * 3600).await;
        let totals = world.totals(&Workload::new("default", "web"));
        ends.push((
            totals,
            template(&world),
            world.member("member1").unwrap().local("test").list(&PODS, None),
        ));
    }
    assert_eq!(ends[0], ends[1]);
    assert_ne!(ends[0].0, ends[2].0);
}

#[tokio::test(start_paused = true)]
async fn lags_can_be_set() {
    let lags = Lags { detector: Lag::millis(5000, 5000), ..Lags::default() };
    let world = world_with(1, two_members(), Vec::new(), lags);
    propagate(&world, "Deployment", 2);
    pass(4).await;
    assert!(running(&world, &DEPLOYMENTS).is_empty());
    pass(4).await;
    assert_eq!(running(&world, &DEPLOYMENTS).len(), 2);
}

/// Not timed as a test: `cargo test --release -p fedscaler-sandbox a_week -- --ignored --nocapture`.
#[tokio::test(start_paused = true)]
#[ignore = "a measurement"]
async fn a_week_of_demand() {
    let world = demanding(7);
    pass(7 * 24 * 3600).await;
    println!("{:?}", world.totals(&Workload::new("default", "web")));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_control_plane_judges_nobody_and_catches_up() {
    let world = grown().await;
    let api = world.control_plane().local("test");
    let cluster = || api.get(&CLUSTERS, "", "member1").unwrap();
    let before = cluster();
    world.stop_control_plane();
    let member = world.member("member1").unwrap().local("hpa");
    let mut deployment = (*member.get(&DEPLOYMENTS, "default", "web").unwrap()).clone();
    deployment["spec"]["template"]["metadata"]["labels"]["touched"] = json!("yes");
    member.update(&DEPLOYMENTS, deployment).unwrap();
    pass(600).await;
    assert_eq!(cluster(), before);
    let touched = || {
        let deployment = member.get(&DEPLOYMENTS, "default", "web").unwrap();
        deployment.pointer("/spec/template/metadata/labels/touched").cloned()
    };
    assert_eq!(touched(), Some(json!("yes")), "nobody puts it right");
    world.resume_control_plane();
    pass(1).await;
    assert_eq!(touched(), None);
    assert_eq!(cluster()["status"]["conditions"], before["status"]["conditions"]);
}
