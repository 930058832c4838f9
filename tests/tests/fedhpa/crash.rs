//! The process dies at every write there is, before or after it took effect; a new one finishes what was begun.

use fedscaler_sandbox::{
    demand::Trace,
    fault::Crash,
    member::traffic::{Demand, Workload},
};
use fedscaler_tests::stage::Stage;
use kube::{Api, api::DeleteParams};

use super::{FED_HPA, assert_in_order};

/// In order for so long, in seconds, is at rest: longer than the time between two syncs of an HPA.
const CALM: u64 = 20;

/// From nothing to shares, and once up with the demand. Each part ends when all is in order and quiet.
async fn live(stage: &mut Stage, crash: Option<(u64, Crash)>) -> bool {
    if let Some((nth, side)) = crash {
        stage.faults.crash_at_write(nth, side);
    }
    stage.start_controllers();
    stage.apply(FED_HPA).await;
    stage.rest(CALM, 120).await;
    let mut crashed = stage.faults.has_crashed();
    if crashed {
        stage.restart_controllers().await;
    }
    stage.world.set_demand(Demand::new(Workload::new("default", "web"), Trace::constant(20_000)));
    if !crashed {
        stage.rest(CALM, 120).await;
        crashed = stage.faults.has_crashed();
        if crashed {
            stage.restart_controllers().await;
        }
    }
    grown(stage).await;
    crashed
}

/// Waits until the members have followed the demand and all is quiet.
async fn grown(stage: &mut Stage) {
    for _ in 0..10 {
        stage.rest(CALM, 60).await;
        if stage.numbers().template >= 20 && stage.hpas().len() == 3 {
            return;
        }
    }
}

async fn every_write(side: Crash) {
    let mut expected = Stage::with_demand(9).await;
    live(&mut expected, None).await;
    assert_in_order(&expected);
    for nth in 1.. {
        let mut stage = Stage::with_demand(9).await;
        if !live(&mut stage, Some((nth, side))).await {
            assert!(nth > 10, "only {nth} writes: the loop does not test what it should");
            return;
        }
        assert_in_order(&stage);
        assert!(stage.numbers().template >= 20, "crash at write {nth}: {:?}", stage.numbers());
        assert_eq!(stage.hpas().len(), expected.hpas().len(), "crash at write {nth}");
    }
}

#[tokio::test(start_paused = true)]
async fn dying_before_any_write_loses_nothing() {
    every_write(Crash::Before).await;
}

#[tokio::test(start_paused = true)]
async fn dying_after_any_write_loses_nothing() {
    every_write(Crash::After).await;
}

#[tokio::test(start_paused = true)]
async fn dying_at_any_write_of_the_release_still_gives_the_workload_back() {
    for nth in 1.. {
        let mut stage = Stage::with_demand(12).await;
        stage.start_controllers();
        stage.apply(FED_HPA).await;
        stage.rest(CALM, 300).await;
        assert_in_order(&stage);
        let before = stage.numbers();
        stage.faults.crash_at_write(nth, Crash::After);
        let api: Api<fedscaler_crds::FedHpa> = Api::default_namespaced(stage.user.clone());
        api.delete("web", &DeleteParams::default()).await.unwrap();
        let crashed = stage.run_until_crash(60).await;
        stage.restart_controllers().await;
        stage.rest(CALM, 180).await;
        assert_eq!(stage.object(&fedscaler_tests::stage::FED_HPAS, "web"), None, "crash at write {nth}");
        assert_eq!(stage.hpas(), [].into(), "crash at write {nth}");
        assert_eq!(stage.numbers(), before, "crash at write {nth}");
        if !crashed {
            assert!(nth > 4, "only {nth} writes: the loop does not test what it should");
            return;
        }
    }
}
