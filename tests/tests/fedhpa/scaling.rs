//! Shares, scaling in the members, and the control plane's numbers.

use fedscaler_sandbox::{
    demand::Trace,
    member::traffic::{Demand, Workload},
};
use fedscaler_tests::stage::Stage;

use super::{FED_HPA, assert_in_order, at_rest};

fn sums(stage: &Stage) -> (u64, u64) {
    stage.hpas().values().fold((0, 0), |(min, max), share| (min + share.0, max + share.1))
}

#[tokio::test(start_paused = true)]
async fn a_running_workload_is_taken_over_without_a_replica_moving() {
    let mut stage = Stage::with_demand(9).await;
    let before = stage.numbers();
    stage.start_controllers();
    stage.apply(FED_HPA).await;
    // Long enough for HPAs to arrive, not for them to scale down (their stabilisation takes five minutes).
    for _ in 0..120 {
        stage.run(1).await;
        assert_eq!(stage.numbers().members, before.members);
    }
    assert_eq!(stage.hpas().len(), 3);
    assert_in_order(&stage);
}

#[tokio::test(start_paused = true)]
async fn mins_sum_to_the_total_and_maxes_to_what_the_clusters_can_hold() {
    let stage = at_rest(8).await;
    let status = stage.object(&fedscaler_tests::stage::FED_HPAS, "web").unwrap();
    let unplaced = status["status"]["unplaced"].as_u64().unwrap();
    let (min, max) = sums(&stage);
    assert_eq!((min, max + unplaced), (6, 60));
    assert!(stage.hpas()["idc-roomy"].0 >= 2, "its floor: {:?}", stage.hpas());
}

#[tokio::test(start_paused = true)]
async fn members_follow_demand_and_the_control_plane_follows_the_members() {
    let mut stage = at_rest(8).await;
    stage.world.set_demand(Demand::new(Workload::new("default", "web"), Trace::constant(24_000)));
    stage.run(300).await;
    // Two short of 24 is within the HPA's tolerance of a tenth.
    assert!(stage.numbers().template >= 22, "{:?}", stage.numbers());
    stage.run(60).await;
    assert_in_order(&stage);
    stage.world.set_demand(Demand::new(Workload::new("default", "web"), Trace::constant(10_000)));
    stage.run(900).await;
    assert!(stage.numbers().template <= 14, "{:?}", stage.numbers());
    assert_in_order(&stage);
}

#[tokio::test(start_paused = true)]
async fn at_rest_nothing_is_written() {
    let mut stage = at_rest(8).await;
    stage.faults.forget_writes();
    stage.run(1800).await;
    assert_eq!(stage.faults.writes(), []);
}

#[tokio::test(start_paused = true)]
async fn changed_totals_are_divided_again_and_kept_all_the_way() {
    let mut stage = at_rest(8).await;
    stage
        .apply(
            &FED_HPA
                .replace("minReplicas: 6", "minReplicas: 18")
                .replace("maxReplicas: 60", "maxReplicas: 30"),
        )
        .await;
    stage.run(300).await;
    assert_in_order(&stage);
    assert_eq!(sums(&stage), (18, 30));
    assert!(stage.numbers().template >= 18);
    stage.apply(FED_HPA).await;
    stage.run(900).await;
    assert_in_order(&stage);
    assert_eq!(sums(&stage).0, 6);
}

#[tokio::test(start_paused = true)]
async fn the_second_tier_sleeps_while_the_first_can_hold_everything() {
    let mut stage = Stage::with_demand(6).await;
    stage.start_controllers();
    let small = FED_HPA.replace("maxReplicas: 60", "maxReplicas: 16");
    stage.apply(&small).await;
    stage.run(1800).await;
    assert_in_order(&stage);
    assert!(!stage.hpas().contains_key("cloud"), "{:?}", stage.hpas());
    assert!(!stage.numbers().clusters.contains_key("cloud"), "{:?}", stage.numbers());
    assert_eq!(sums(&stage), (6, 16));
    stage.apply(FED_HPA).await;
    stage.run(600).await;
    assert_in_order(&stage);
    let status = stage.object(&fedscaler_tests::stage::FED_HPAS, "web").unwrap()["status"].clone();
    assert!(stage.hpas().contains_key("cloud"), "{status:#}");
}
