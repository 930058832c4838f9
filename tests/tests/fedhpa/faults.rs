//! An API server that misbehaves, and a member that cannot be reached.

use std::time::Duration;

use fedscaler_sandbox::{
    demand::Trace,
    fault::Which,
    member::traffic::{Demand, Workload},
};
use http::{Method, StatusCode};

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
async fn with_the_way_to_the_control_plane_cut_members_go_on_and_one_round_makes_all_true_again() {
    let mut stage = at_rest(9).await;
    let before = stage.numbers();
    stage.faults.partition();
    stage.world.set_demand(demand(26_000));
    stage.run(600).await;
    let members: u64 = stage.numbers().members.values().sum();
    assert!(members >= 26, "{:?}", stage.numbers());
    assert_eq!(stage.numbers().template, before.template, "nobody writes back");
    stage.faults.heal();
    tokio::time::sleep(Duration::from_mins(2)).await;
    let numbers = stage.numbers();
    assert!(numbers.agree(), "{numbers:?}");
    assert_eq!(stage.reschedules(), 0);
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
