//! An API server that misbehaves, and a member that cannot be reached.

use fedscaler_cmd::sandbox::audit::Attendance;
use fedscaler_karmada::types::ResourceBinding;
use fedscaler_sandbox::{
    apiserver::ApiError,
    demand::{Interpolation, Trace},
    fault::Which,
    member::traffic::{Demand, Workload},
};
use fedscaler_tests::stage::{FED_HPAS, Stage};
use http::{Method, StatusCode};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{assert_in_order, at_rest};

fn demand(milli: i64) -> Demand {
    Demand::new(Workload::new("default", "web"), Trace::constant(milli))
}

#[tokio::test(start_paused = true)]
async fn conflicts_and_failures_of_the_server_only_delay() {
    let mut stage = at_rest(9).await;
    stage.faults.answer(Which::of(Method::PATCH, "/resourcebindings/"), StatusCode::CONFLICT, 3);
    stage.faults.answer(Which::of(Method::PATCH, "/scale"), StatusCode::INTERNAL_SERVER_ERROR, 2);
    stage.faults.answer(Which::on("/fedhpas/web/status"), StatusCode::SERVICE_UNAVAILABLE, 2);
    stage.faults.expire_watches(Which::default(), 4);
    stage.faults.cut_watches();
    stage.world.set_demand(demand(20_000));
    stage.run(400).await;
    assert_in_order(&stage);
    assert!(stage.numbers().template >= 20, "{:?}", stage.numbers());
}

#[tokio::test(start_paused = true)]
async fn a_repair_that_takes_several_attempts_is_one_reset() {
    let mut stage = at_rest(9).await;
    stage.faults.answer(Which::of(Method::PATCH, "/scale"), StatusCode::CONFLICT, 4);
    let deployments: Api<Deployment> = Api::default_namespaced(stage.user.clone());
    let one = json!({"spec": {"replicas": 1}});
    deployments.patch("web", &PatchParams::default(), &Patch::Merge(&one)).await.unwrap();
    stage.run(90).await;
    assert_in_order(&stage);
    let object = stage.object(&FED_HPAS, "web").unwrap();
    assert_eq!(object["status"]["resets"]["count"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_refuses_the_true_numbers_is_a_condition_until_it_allows_them() {
    let mut stage = at_rest(9).await;
    let quota = ApiError::new(StatusCode::FORBIDDEN, "QuotaExceeded", "web exceeds the quota of team-a");
    stage.faults.refuse(Which::of(Method::PATCH, "/resourcebindings/web-deployment"), quota, u32::MAX);
    stage.world.set_demand(demand(15_000));
    stage.run(45).await;
    let (status, reason, message) = stage.condition("Synchronized").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("False", "QuotaExceeded"), "{message}");
    assert!(
        message.contains("the control plane refuses the true numbers: web exceeds the quota"),
        "{message}"
    );
    assert!(stage.numbers().members.values().sum::<u64>() >= 15, "members scale all the same");
    stage.attended(Attendance::Hindered);
    stage.faults.calm();
    stage.run(600).await;
    stage.attended(Attendance::Present);
    assert_in_order(&stage);
}

const COUNTER: &str = "fedhpa_reschedules_observed_total";

/// The line of a metric without labels.
fn metric(stage: &Stage, name: &str) -> String {
    let text = stage.metrics.render().unwrap();
    let line = text.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_division_by_the_scheduler_while_we_hold_is_counted_and_put_right() {
    let mut stage = at_rest(12).await;
    let before = stage.numbers();
    assert_eq!(metric(&stage, COUNTER), format!("{COUNTER} 0"));
    // Somebody lets the scheduler divide though we hold it, and gives it a reason to.
    let bindings: Api<ResourceBinding> = Api::default_namespaced(stage.user.clone());
    let freed =
        json!({"spec": {"suspension": null, "rescheduleTriggeredAt": stage.clock.now().to_rfc3339()}});
    let gate = stage.faults.hold(Which::of(Method::PATCH, "/resourcebindings/web-deployment"));
    bindings.patch("web-deployment", &PatchParams::default(), &Patch::Merge(&freed)).await.unwrap();
    stage.run(2).await;
    gate.open();
    stage.run(120).await;
    assert_eq!(metric(&stage, COUNTER), format!("{COUNTER} 1"));
    assert_eq!(stage.reschedules(), 1);
    assert!(stage.numbers().agree(), "{:?}", stage.numbers());
    assert_eq!(stage.numbers().members, before.members, "nothing moved in the members");
}

/// Rises from 9 to 42 replicas in half an hour and is back at 26 ten minutes before the hour is over.
fn burst() -> Demand {
    let points = [(0, 9.0), (600, 30.0), (1800, 42.0), (2400, 42.0), (3000, 26.0)];
    let trace = Trace::new(points, Interpolation::Linear).unwrap();
    Demand::new(Workload::new("default", "web"), trace)
}

#[tokio::test(start_paused = true)]
async fn without_a_control_plane_for_an_hour_of_a_burst_members_go_on_and_one_round_makes_all_true_again() {
    let mut stage = at_rest(9).await;
    let before = stage.numbers();
    stage.world.stop_control_plane();
    stage.faults.partition();
    stage.attended(Attendance::Hindered);
    stage.world.set_demand(burst());
    let running = |stage: &Stage| stage.numbers().members.values().sum::<u64>();
    let mut peak = 0;
    stage.run_under(3600, &mut |stage| peak = peak.max(running(stage))).await;
    assert!(peak >= 38, "members follow the burst up to {peak} only");
    assert!((24..=29).contains(&running(&stage)), "and down again: {:?}", stage.numbers());
    assert_eq!(stage.numbers().template, before.template, "nobody writes back");
    stage.world.resume_control_plane();
    stage.faults.forget_writes();
    stage.faults.heal();
    stage.run(120).await;
    let numbers = stage.numbers();
    assert!(numbers.agree(), "{numbers:?}");
    let count = |path: &str| stage.faults.count_writes(&Which::of(Method::PATCH, path));
    assert_eq!((count("/resourcebindings/"), count("/scale")), (1, 1), "{:?}", stage.faults.writes());
    stage.attended(Attendance::Present);
    stage.run(600).await;
    assert_in_order(&stage);
}

#[tokio::test(start_paused = true)]
async fn a_lost_clusters_share_goes_to_the_others_and_comes_back_with_it() {
    let mut stage = at_rest(20).await;
    stage.world.partition("cloud").unwrap();
    stage.run(180).await;
    let status = stage.object(&fedscaler_tests::stage::FED_HPAS, "web").unwrap();
    let clusters = status["status"]["clusters"].as_array().unwrap();
    let cloud = clusters.iter().find(|cluster| cluster["name"] == "cloud").unwrap();
    assert_eq!(cloud["phase"], "Frozen", "{cloud}");
    assert!(status["status"]["possibleOvershoot"].as_u64().unwrap() > 0, "{status}");
    assert!(stage.numbers().clusters["cloud"] > 0, "what ran there still stands in the binding");
    stage.world.heal("cloud").unwrap();
    stage.run(900).await;
    assert_in_order(&stage);
    assert_eq!(stage.hpas().len(), 3);
}
