//! How long replicas took to be ready, beside how long they really took.

use fedscaler_sandbox::{apiserver::kinds::CORE_EVENTS, member::traffic::Workload};
use fedscaler_tests::stage::{CRON_HPAS, Stage};
use serde_json::Value;

use super::{FED_HPA, batch};

const LED: &str = "
apiVersion: autoscaling.fedscaler.io/v1alpha1
kind: CronHPA
metadata: {name: led, namespace: default}
spec:
  scaleTargetRef: TARGET
  rules:
  - {name: more, SETS, leadSeconds: 300}
";

fn record(stage: &Stage) -> Value {
    let object = stage.object(&CRON_HPAS, "led").expect("the CronHPA");
    let rule = object["status"]["rules"][0].clone();
    assert_eq!(rule["lastSlot"], rule["history"][0], "the same is said of it in both places");
    rule["lastSlot"].clone()
}

/// Plays from one minute past midnight until ten past, and says how many seconds after the rule acted, at 00:05, so many
/// replicas were ready, in truth and by the status.
async fn took(stage: &mut Stage, name: &str, wanted: u32) -> (i64, i64) {
    let workload = Workload::new("default", name);
    let slot = stage.clock.now().timestamp() / 3600 * 3600 + 600;
    let mut truth = None;
    while stage.clock.now().timestamp() < slot {
        stage.run(1).await;
        let ready: u32 = stage.world.pods(&workload).values().map(|count| count.ready).sum();
        let since = stage.clock.now().timestamp() - (slot - 300);
        if since > 0 && ready >= wanted && truth.is_none() {
            truth = Some(since);
        }
    }
    let record = record(stage);
    let seen = record["readyAfterSeconds"].as_i64().expect("it was seen ready") + 300;
    (truth.expect("it was ready"), seen)
}

fn is_right((truth, seen): (i64, i64)) {
    // Karmada takes seconds to gather what members say.
    assert!((truth..=truth + 10).contains(&seen), "ready after {truth} s, said to be after {seen} s");
}

#[tokio::test(start_paused = true)]
async fn of_a_workload_the_time_from_acting_to_ready_is_told_once() {
    let mut stage = Stage::with_demand(6).await;
    stage.start_controllers();
    let target = "{apiVersion: apps/v1, kind: Deployment, name: batch}";
    stage
        .apply(&LED.replace("TARGET", target).replace("SETS", r#"schedule: "10 * * * *", targetReplicas: 9"#))
        .await;
    is_right(took(&mut stage, "batch", 9).await);
    assert_eq!(batch(&stage), 9);
    let events = stage.world.control_plane().local("test").list(&CORE_EVENTS, None);
    let applied = events
        .iter()
        .filter(|event| event["involvedObject"]["name"] == "led" && event["reason"] == "Applied");
    assert_eq!(applied.count(), 1, "that it is ready is no second slot");
    stage.run(1200).await;
    assert_eq!(record(&stage)["result"], "Applied");
}

#[tokio::test(start_paused = true)]
async fn behind_a_fedhpa_it_is_what_the_members_have_together_also_for_the_next_process() {
    let mut stage = Stage::with_demand(6).await;
    stage.start_controllers();
    stage.apply(FED_HPA).await;
    let target = "{apiVersion: autoscaling.fedscaler.io/v1alpha1, kind: FedHPA, name: web}";
    stage
        .apply(
            &LED.replace("TARGET", target)
                .replace("SETS", r#"start: "10 * * * *", end: "40 * * * *", minReplicas: 30"#),
        )
        .await;
    stage.run(250).await;
    assert_eq!(record(&stage)["readyAfterSeconds"], Value::Null);
    stage.restart_controllers().await;
    is_right(took(&mut stage, "web", 30).await);
}
