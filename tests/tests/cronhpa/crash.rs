//! The process dies at every write there is; a new one loses no slot and applies none twice.

use fedscaler_sandbox::fault::Crash;
use fedscaler_tests::stage::Stage;

use super::{BATCH, batch, slots};

async fn every_write(side: Crash) {
    for nth in 1.. {
        let mut stage = Stage::with_demand(6).await;
        stage.faults.crash_at_write(nth, side);
        stage.start_controllers();
        stage.apply(BATCH).await;
        let crashed = stage.run_until_crash(25 * 60).await;
        stage.restart_controllers().await;
        stage.run(65 * 60).await;
        // 00:10, 00:20 and 01:10 at least, 01:20 too unless the crash came early; all of them once.
        let seen = |rule: &str| -> u64 {
            let results = ["applied", "superseded", "missed", "failed", "excluded", "suspended"];
            results.iter().map(|result| slots(&stage, "batch", rule, result)).sum()
        };
        let minute = stage.clock.now().timestamp() / 60 % (24 * 60);
        let due = |at: i64| u64::try_from((minute - at).div_euclid(60) + 1).unwrap();
        assert_eq!((seen("more"), seen("fewer")), (due(10), due(20)), "crash at write {nth}");
        assert_eq!(slots(&stage, "batch", "more", "applied"), due(10), "crash at write {nth}");
        let wanted = if minute % 60 >= 20 || minute % 60 < 10 { 3 } else { 8 };
        assert_eq!(batch(&stage), wanted, "crash at write {nth}");
        if !crashed {
            assert!(nth > 4, "only {nth} writes: the loop does not test what it should");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dying_before_any_write_loses_and_doubles_no_slot() {
    every_write(Crash::Before).await;
}

#[tokio::test(start_paused = true)]
async fn dying_after_any_write_loses_and_doubles_no_slot() {
    every_write(Crash::After).await;
}
