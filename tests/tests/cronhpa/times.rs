//! What holds when.

use fedscaler_tests::stage::{CRON_HPAS, FED_HPAS, Stage, condition};

use super::{BATCH, FED_HPA, WEB, batch, slots};

/// A stage at one minute past midnight with the controllers running.
async fn stage() -> Stage {
    let mut stage = Stage::with_demand(6).await;
    stage.start_controllers();
    stage
}

#[tokio::test(start_paused = true)]
async fn a_workload_has_its_count_within_seconds_of_each_slot() {
    let mut stage = stage().await;
    stage.apply(BATCH).await;
    stage.run(8 * 60).await;
    assert_eq!(batch(&stage), 3, "at 00:09 nothing was due");
    stage.run(63).await;
    assert_eq!(batch(&stage), 8, "at 00:10 the rule more");
    stage.run(600).await;
    assert_eq!(batch(&stage), 3, "at 00:20 the rule fewer");
    assert_eq!(
        (slots(&stage, "batch", "more", "applied"), slots(&stage, "batch", "fewer", "applied")),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_past_the_deadline_is_a_missed_slot_and_the_latest_one_still_holds() {
    let mut stage = stage().await;
    stage.apply(BATCH).await;
    stage.run(5).await;
    stage.kill_controllers().await;
    // From 00:01 to 02:25: twice 00:10/00:20 kinds of slots and once more each.
    stage.run(144 * 60).await;
    assert_eq!(batch(&stage), 3);
    stage.restart_controllers().await;
    stage.run(10).await;
    assert_eq!(slots(&stage, "batch", "more", "missed"), 1, "02:10 was 15 minutes ago, 5 are allowed");
    assert_eq!(slots(&stage, "batch", "more", "superseded"), 2, "00:10 and 01:10");
    let fewer = ["applied", "superseded"].map(|result| slots(&stage, "batch", "fewer", result));
    assert_eq!(fewer, [1, 2], "00:20 and 01:20 were replaced by 02:20");
}

#[tokio::test(start_paused = true)]
async fn a_fedhpa_is_never_edited_and_has_the_bounds_of_the_rule_in_force() {
    let mut stage = stage().await;
    stage.apply(FED_HPA).await;
    stage.apply(WEB).await;
    let min = |stage: &Stage| -> u64 { stage.hpas().values().map(|(min, _)| *min).sum() };
    stage.run(5 * 60).await;
    // The rule `point` holds from yesterday's 00:10 on.
    assert_eq!(min(&stage), 9);
    stage.run(16 * 60).await;
    assert_eq!(min(&stage), 18, "at 00:22 inside the window");
    let object = stage.object(&FED_HPAS, "web").unwrap();
    assert_eq!(object["spec"]["minReplicas"], 6, "the spec is the user's");
    assert_eq!(object["status"]["bounds"]["minRule"], "web/window");
    stage.run(22 * 60).await;
    assert_eq!(min(&stage), 9, "at 00:44 the window has closed");
    assert_eq!(stage.audit.violations(), []);
    let crons: kube::Api<fedscaler_crds::CronHpa> = kube::Api::default_namespaced(stage.user.clone());
    crons.delete("web", &kube::api::DeleteParams::default()).await.unwrap();
    stage.run(120).await;
    assert_eq!(min(&stage), 6, "deleting the CronHPA gives the user's bounds back");
}

#[tokio::test(start_paused = true)]
async fn a_bad_rule_is_named_and_the_others_go_on() {
    let mut stage = stage().await;
    let bad = BATCH.replace("\"20 * * * *\"", "\"0 0 30 2 *\"");
    stage.apply(&bad).await;
    stage.run(10 * 60).await;
    assert_eq!(batch(&stage), 8);
    let object = stage.object(&CRON_HPAS, "batch").unwrap();
    let (status, _, message) = condition(&object, "Invalid").unwrap();
    assert_eq!(status, "True");
    assert!(message.contains("fewer") && message.contains("never comes"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_workload_under_a_fedhpa_is_left_alone_and_the_message_says_what_to_aim_at() {
    let mut stage = stage().await;
    stage.apply(FED_HPA).await;
    stage.apply(&BATCH.replace("name: batch}", "name: web}")).await;
    stage.run(15 * 60).await;
    let object = stage.object(&CRON_HPAS, "batch").unwrap();
    let (status, _, message) = condition(&object, "Contested").unwrap();
    assert_eq!(status, "True");
    assert!(message.contains("FedHPA web"), "{message}");
    assert_eq!(slots(&stage, "batch", "more", "failed"), 1);
}
