//! The process dies at every write there is, before or after it took effect; a new one finishes what was begun.

use fedscaler_sandbox::fault::Crash;
use serde_json::json;

use super::*;

/// Twelve minutes from noon on, through a window and a point, with a crash and half a minute without a process.
async fn live(stage: &mut Stage, object: &CronHpa, crash: Option<(u64, Crash)>) -> bool {
    if let Some((nth, side)) = crash {
        stage.faults.crash_at_write(nth, side);
    }
    stage.apply(object).await;
    stage.start();
    let mut crashed = false;
    for _ in 0..12 * 60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !crashed && stage.faults.has_crashed() {
            crashed = true;
            stage.kill().await;
            tokio::time::sleep(Duration::from_secs(30)).await;
            stage.restart().await;
        }
    }
    crashed
}

async fn every_write(target: Value, side: Crash) {
    let rules = if target == hpa() {
        json!([
            {"name": "office", "start": "2 12 * * *", "end": "9 12 * * *", "minReplicas": 10},
            {"name": "rush", "start": "4 12 * * *", "end": "6 12 * * *", "minReplicas": 20, "maxReplicas": 40, "priority": 5},
        ])
    } else {
        json!([
            {"name": "quiet", "start": "2 12 * * *", "end": "5 12 * * *", "targetReplicas": 1},
            {"name": "batch", "schedule": "8 12 * * *", "targetReplicas": 12},
        ])
    };
    let object = cron_hpa(&target, &rules);
    for nth in 1.. {
        let mut stage = Stage::new().await;
        stage.create_hpa("api");
        let crashed = live(&mut stage, &object, Some((nth, side))).await;
        let status = stage.seen().status.unwrap();
        assert_eq!(
            (stage.bounds(), status.base, status.pending),
            ((2, 30), None, None),
            "crash at write {nth}"
        );
        let accounted = status.rules.iter().map(|rule| (rule.counts.applied, rule.counts.superseded));
        let expected = if target == hpa() { vec![(2, 0), (2, 0)] } else { vec![(1, 0), (2, 0)] };
        assert_eq!(accounted.collect::<Vec<_>>(), expected, "crash at write {nth}");
        assert_eq!(stage.count(), if target == hpa() { 3 } else { 12 }, "crash at write {nth}");
        if !crashed {
            assert!(nth > 8, "only {nth} writes: the loop does not test what it should");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dying_before_any_write_to_an_hpa_loses_nothing() {
    every_write(hpa(), Crash::Before).await;
}

#[tokio::test(start_paused = true)]
async fn dying_after_any_write_to_an_hpa_loses_nothing() {
    every_write(hpa(), Crash::After).await;
}

#[tokio::test(start_paused = true)]
async fn dying_before_any_write_to_a_workload_loses_nothing() {
    every_write(deployment(), Crash::Before).await;
}

#[tokio::test(start_paused = true)]
async fn dying_after_any_write_to_a_workload_loses_nothing() {
    every_write(deployment(), Crash::After).await;
}
