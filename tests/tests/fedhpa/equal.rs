//! Members together scale as one cluster would.

use std::collections::BTreeMap;

use fedscaler_sandbox::{
    demand::Trace,
    member::{
        NodeSpec,
        hpa::CustomMetrics,
        traffic::{Balance, Demand, Workload},
    },
    world::MemberSpec,
};
use fedscaler_tests::stage::{FED_HPAS, Stage};

/// Enough room for everything in each of so many members.
fn members(number: usize) -> Vec<MemberSpec> {
    let nodes = || (1..=6).map(|node| NodeSpec::new(&format!("node-{node}"), 16_000, 64 * 1024)).collect();
    ["one", "three", "two"].iter().take(number).map(|name| MemberSpec::new(name, nodes())).collect()
}

fn fed_hpa(rest: &str) -> String {
    format!(
        "apiVersion: autoscaling.fedscaler.io/v1alpha1\nkind: FedHPA\nmetadata: {{name: web, namespace: default}}\n\
         spec:\n  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}\n  minReplicas: 6\n  \
         maxReplicas: 60\n  distribution: {{strategy: Even}}\n{rest}"
    )
}

/// The total after each of these times under the demand or metric that `set` makes.
async fn totals(number: usize, rest: &str, steps: &[(i64, u64)], set: impl Fn(&Stage, i64)) -> Vec<u64> {
    let mut stage = Stage::of(members(number), Trace::constant(12_000)).await;
    set(&stage, 12);
    stage.start_controllers();
    stage.apply(&fed_hpa(rest)).await;
    stage.run(420).await;
    let mut totals = vec![running(&stage)];
    for (level, seconds) in steps {
        set(&stage, *level);
        stage.run(*seconds).await;
        totals.push(running(&stage));
    }
    assert_eq!(stage.audit.violations(), []);
    totals
}

fn running(stage: &Stage) -> u64 {
    stage.numbers().members.values().sum()
}

/// Every member has as many users of its own. (Behind a balancer that follows the pods a member's load would depend on how
/// far the others have come, and with that on which of them looks first.)
fn demand(stage: &Stage, replicas: i64) {
    let weights = stage.world.members().map(|name| (name.to_owned(), 1)).collect();
    let demand = Demand::new(Workload::new("default", "web"), Trace::constant(replicas * 1000));
    stage.world.set_demand(Demand { balance: Balance::Weights(weights), ..demand });
}

#[tokio::test(start_paused = true)]
async fn on_cpu_three_members_run_as_many_as_one_cluster() {
    let steps = [(24, 300), (36, 300), (18, 900)];
    let one = totals(1, "", &steps, demand).await;
    let three = totals(3, "", &steps, demand).await;
    assert_eq!(one[1..3], [24, 36], "the demand is followed");
    assert_eq!(three, one);
}

/// Every member sees the whole queue.
fn queue(stage: &Stage, replicas: i64) {
    let external = BTreeMap::from([("queue".to_owned(), replicas * 30 * 1000)]);
    for member in stage.world.members() {
        let metrics = CustomMetrics { external: external.clone(), ..CustomMetrics::default() };
        stage.world.set_metrics(member, metrics).unwrap();
    }
}

const QUEUE: &str = "  globalMetrics: [queue]\n  metrics:\n  - {type: External, external: {metric: {name: queue}, \
                     target: {type: AverageValue, averageValue: \"30\"}}}\n";

#[tokio::test(start_paused = true)]
async fn on_a_global_metric_three_members_run_as_many_as_one_cluster() {
    let steps = [(24, 300), (36, 300), (18, 900)];
    let one = totals(1, QUEUE, &steps, queue).await;
    let three = totals(3, QUEUE, &steps, queue).await;
    assert_eq!(one[1..], [24, 36, 18], "the queue is followed");
    assert_eq!(three, one);
}

/// Of version 1.37, whose HPAs may have a min of 0.
fn recent(mut members: Vec<MemberSpec>) -> Vec<MemberSpec> {
    for member in &mut members {
        "v1.37.1".clone_into(&mut member.kubernetes_version);
    }
    members
}

#[tokio::test(start_paused = true)]
async fn an_empty_queue_takes_all_members_to_zero_and_a_full_one_wakes_them() {
    let mut stage = Stage::of(recent(members(3)), Trace::constant(12_000)).await;
    queue(&stage, 12);
    stage.start_controllers();
    let idle = "  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}\n";
    stage.apply(&fed_hpa(&format!("{QUEUE}{idle}")).replace("minReplicas: 6", "minReplicas: 0")).await;
    stage.run(300).await;
    assert_eq!(running(&stage), 12);
    queue(&stage, 0);
    stage.run(300).await;
    assert_eq!((running(&stage), stage.numbers().template), (0, 0), "{:?}", stage.numbers());
    assert!(
        stage.numbers().agree() && stage.hpas().values().all(|bounds| bounds.0 == 0),
        "{:?}",
        stage.hpas()
    );
    assert_eq!(stage.condition("Ready").map(|ready| ready.0).as_deref(), Some("True"));
    stage.restart_controllers().await;
    queue(&stage, 24);
    stage.run(300).await;
    assert_eq!((running(&stage), stage.numbers().template), (24, 24), "{:?}", stage.numbers());
    assert_eq!((stage.audit.violations(), stage.reschedules()), ([].as_slice(), 0));
}

/// With an empty queue, at rest.
async fn idle(specs: Vec<MemberSpec>) -> Stage {
    let mut stage = Stage::of(specs, Trace::constant(12_000)).await;
    queue(&stage, 12);
    stage.start_controllers();
    let idle = "  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}\n";
    stage.apply(&fed_hpa(&format!("{QUEUE}{idle}")).replace("minReplicas: 6", "minReplicas: 0")).await;
    stage.run(300).await;
    assert_eq!(running(&stage), 12);
    queue(&stage, 0);
    stage.run(600).await;
    assert!(stage.numbers().agree(), "{:?}", stage.numbers());
    assert_eq!((stage.audit.violations(), stage.reschedules()), ([].as_slice(), 0));
    stage
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_too_old_for_zero_sleeps_beside_others_that_are_not() {
    let mut specs = recent(members(3));
    "v1.36.2".clone_into(&mut specs[1].kubernetes_version);
    let stage = idle(specs).await;
    assert_eq!(running(&stage), 0, "{:?}", stage.numbers());
    assert_eq!(stage.hpas().keys().collect::<Vec<_>>(), ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn where_all_are_too_old_for_zero_a_min_of_0_counts_as_1_and_is_said() {
    let stage = idle(members(3)).await;
    assert_eq!(running(&stage), 1, "{:?}", stage.numbers());
    let status = stage.object(&FED_HPAS, "web").unwrap();
    let why = status["status"]["lastDecision"].to_string();
    assert!(why.contains("min 0 counts as 1: an HPA needs at least one replica"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn four_pods_a_minute_are_four_in_three_members_too() {
    // A member of 11 that wants 12 is within the tolerance where one cluster of 33 that wants 36 would be as well, but of 32
    // would not: without a tolerance both come to the same end.
    let slow = format!(
        "{QUEUE}  behavior: {{scaleUp: {{tolerance: 0, policies: [{{type: Pods, value: 4, periodSeconds: 60}}]}}}}\n"
    );
    let minutes: Vec<(i64, u64)> = [(36, 60); 10].to_vec();
    let one = totals(1, &slow, &minutes, queue).await;
    let three = totals(3, &slow, &minutes, queue).await;
    let most = |totals: &[u64]| totals.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert_eq!((most(&one), most(&three)), (Some(4), Some(4)), "{one:?} {three:?}");
    assert_eq!((one.last(), three.last()), (Some(&36), Some(&36)), "{one:?} {three:?}");
}
