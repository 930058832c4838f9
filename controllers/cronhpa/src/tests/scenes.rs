//! What users see.

use fedscaler_crds::cronhpa::SlotResult;
use fedscaler_sandbox::{
    apiserver::kinds::{DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS},
    fault::Which,
};
use http::{Method, StatusCode};
use serde_json::json;

use super::*;

fn batch() -> CronHpa {
    cron_hpa(&deployment(), &json!([{"name": "batch", "schedule": "30 13 * * *", "targetReplicas": 12}]))
}

fn office(target: &Value) -> CronHpa {
    cron_hpa(
        target,
        &json!([{"name": "office", "start": "0 13 * * *", "end": "0 15 * * *", "minReplicas": 10}]),
    )
}

#[tokio::test(start_paused = true)]
async fn a_workload_gets_its_count_within_a_second_of_its_time() {
    let mut stage = Stage::new().await;
    stage.apply(&batch()).await;
    stage.start();
    stage.until("2026-03-02T13:29:59Z").await;
    assert_eq!(stage.count(), 3);
    stage.until("2026-03-02T13:30:02Z").await;
    assert_eq!(stage.count(), 12);
    let rule = stage.rule("batch");
    assert_eq!((rule.counts.applied, rule.last_slot.unwrap().result), (1, SlotResult::Applied));
    assert_eq!(
        stage.lines("cronhpa_slots_total{result=\"Applied\"}"),
        ["cronhpa_slots_total{result=\"Applied\"} 1"]
    );
    assert_eq!(stage.lines("cronhpa_lateness_seconds_count"), ["cronhpa_lateness_seconds_count 1"]);
    let next =
        "cronhpa_next_slot_timestamp_seconds{cronhpa=\"hours\",rule=\"batch\",target_namespace=\"default\"} ";
    assert_eq!(stage.lines(next), [format!("{next}{}", at("2026-03-03T13:30:00Z").timestamp())]);
    assert!(
        stage.events()[0].starts_with("Applied: batch, due at 2026-03-02T13:30:00Z"),
        "{:?}",
        stage.events()
    );
    assert_eq!(stage.condition("Ready").0, "True Waiting");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_object_is_neither_written_nor_read_again() {
    let mut stage = Stage::new().await;
    stage.apply(&batch()).await;
    stage.start();
    stage.until("2026-03-02T12:05:00Z").await;
    let version = stage.seen().metadata.resource_version;
    stage.faults.forget_writes();
    stage.until("2026-03-02T13:29:00Z").await;
    assert_eq!(stage.seen().metadata.resource_version, version);
    assert_eq!(stage.faults.writes(), []);
}

#[tokio::test(start_paused = true)]
async fn slots_that_came_while_no_controller_ran_are_caught_up_with_once() {
    let mut stage = Stage::new().await;
    stage.apply(&batch()).await;
    stage.start();
    stage.until("2026-03-02T12:05:00Z").await;
    stage.kill().await;
    stage.until("2026-03-05T14:00:00Z").await;
    stage.restart().await;
    stage.until("2026-03-05T14:00:10Z").await;
    assert_eq!(stage.count(), 12);
    let counts = stage.rule("batch").counts;
    assert_eq!((counts.applied, counts.superseded), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_fedhpa_is_never_touched_and_the_bounds_are_published() {
    let mut stage = Stage::new().await;
    stage.create_fed_hpa();
    stage.apply(&office(&fed_hpa())).await;
    stage.start();
    stage.until("2026-03-02T13:00:02Z").await;
    let active = stage.seen().status.unwrap().active.unwrap();
    assert_eq!(
        (active.min_replicas, active.min_rule.as_deref(), active.max_replicas),
        (Some(10), Some("office"), None)
    );
    assert_eq!(stage.condition("Ready"), ("True InForce".to_owned(), "in force: office".to_owned()));
    stage.until("2026-03-02T15:00:02Z").await;
    assert_eq!(stage.seen().status.unwrap().active, None);
    assert_eq!(stage.faults.count_writes(&Which::on("fedhpas")), 0);
    assert!(stage.seen().metadata.finalizers.is_none(), "there is nothing to give back");
}

#[tokio::test(start_paused = true)]
async fn an_hpa_is_held_inside_a_window_and_gets_back_what_it_had() {
    let mut stage = Stage::new().await;
    stage.create_hpa("api");
    stage.apply(&office(&hpa())).await;
    stage.start();
    stage.until("2026-03-02T13:00:02Z").await;
    assert_eq!(stage.bounds(), (10, 30));
    let base = stage.seen().status.unwrap().base.unwrap();
    assert_eq!((base.min_replicas, base.max_replicas), (Some(2), Some(30)));
    stage.edit("kubectl-edit", &HORIZONTAL_POD_AUTOSCALERS, |hpa| hpa["spec"]["minReplicas"] = json!(5));
    stage.until("2026-03-02T13:00:10Z").await;
    assert_eq!(stage.bounds(), (10, 30), "applied once more");
    assert_eq!(stage.seen().status.unwrap().reversions[0].manager, "kubectl-edit");
    stage.until("2026-03-02T15:00:02Z").await;
    assert_eq!(stage.bounds(), (5, 30));
    assert_eq!(stage.seen().status.unwrap().base, None);
    stage.until("2026-03-02T15:00:10Z").await;
    assert!(stage.seen().metadata.finalizers.is_none_or(|finalizers| finalizers.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn after_three_changes_by_one_manager_the_hpa_is_left_alone_and_contested() {
    let mut stage = Stage::new().await;
    stage.create_hpa("api");
    stage.apply(&office(&hpa())).await;
    stage.start();
    stage.until("2026-03-02T13:00:02Z").await;
    for second in [10, 20, 30] {
        stage.edit("argocd", &HORIZONTAL_POD_AUTOSCALERS, |hpa| hpa["spec"]["minReplicas"] = json!(2));
        stage.until(&format!("2026-03-02T13:00:{second}Z")).await;
    }
    assert_eq!(stage.bounds(), (2, 30));
    assert_eq!(stage.condition("Contested").0, "True KeepsChanging");
    assert!(
        stage.events().iter().any(|event| event.starts_with("Contested: argocd")),
        "{:?}",
        stage.events()
    );
    stage.until("2026-03-02T14:00:00Z").await;
    assert_eq!(stage.bounds(), (2, 30));
}

#[tokio::test(start_paused = true)]
async fn deleting_a_cronhpa_inside_its_window_gives_back_what_it_took() {
    for target in [hpa(), deployment()] {
        let mut stage = Stage::new().await;
        let mut object = office(&target);
        if target == deployment() {
            object = cron_hpa(
                &target,
                &json!([{"name": "quiet", "start": "0 13 * * *", "end": "0 15 * * *", "targetReplicas": 7}]),
            );
        } else {
            stage.create_hpa("api");
        }
        stage.apply(&object).await;
        stage.start();
        stage.until("2026-03-02T13:00:05Z").await;
        assert!(stage.count() == 7 || stage.bounds() == (10, 30));
        stage.delete().await;
        stage.until("2026-03-02T13:00:10Z").await;
        assert_eq!(stage.object("hours"), None);
        assert_eq!(stage.count(), 3);
        if target == hpa() {
            assert_eq!(stage.bounds(), (2, 30));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_that_is_held_is_looked_after_though_nothing_watches_the_workload() {
    let mut stage = Stage::new().await;
    let rules = json!([{"name": "quiet", "start": "0 13 * * *", "end": "0 15 * * *", "targetReplicas": 0}]);
    stage.apply(&cron_hpa(&deployment(), &rules)).await;
    stage.start();
    stage.until("2026-03-02T13:00:05Z").await;
    assert_eq!(stage.count(), 0);
    assert!(stage.events().iter().any(|event| event.starts_with("ScaledToZero")), "{:?}", stage.events());
    stage.edit("kubectl", &DEPLOYMENTS, |deployment| deployment["spec"]["replicas"] = json!(4));
    stage.until("2026-03-02T13:01:00Z").await;
    assert_eq!(stage.count(), 0);
    stage.until("2026-03-02T15:00:05Z").await;
    assert_eq!(stage.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_bad_rule_is_named_and_the_others_go_on() {
    let mut stage = Stage::new().await;
    let rules = json!([
        {"name": "batch", "schedule": "30 13 * * *", "targetReplicas": 12},
        {"name": "never", "schedule": "0 0 30 2 *", "targetReplicas": 1},
        {"name": "nowhere", "schedule": "0 0 * * *", "timeZone": "Mars/Olympus", "targetReplicas": 1},
    ]);
    stage.apply(&cron_hpa(&deployment(), &rules)).await;
    stage.start();
    stage.until("2026-03-02T13:30:05Z").await;
    assert_eq!(stage.count(), 12);
    let (status, message) = stage.condition("Invalid");
    assert_eq!(status, "True Invalid");
    assert_eq!(
        message,
        "rule never: \"0 0 30 2 *\" never comes: no date matches it; rule nowhere: \"Mars/Olympus\" is no time \
         zone: give an IANA name such as Europe/Paris or UTC"
    );
    assert_eq!(stage.condition("Ready").0, "False Invalid");
}

#[tokio::test(start_paused = true)]
async fn a_younger_cronhpa_on_the_same_target_does_nothing_until_the_older_one_is_gone() {
    let mut stage = Stage::new().await;
    stage.apply(&batch()).await;
    stage.until("2026-03-02T12:01:00Z").await;
    let mut younger =
        cron_hpa(&deployment(), &json!([{"name": "more", "schedule": "*/30 * * * *", "targetReplicas": 20}]));
    younger.metadata.name = Some("a-younger".to_owned());
    stage.apply(&younger).await;
    stage.start();
    stage.until("2026-03-02T13:00:05Z").await;
    assert_eq!(stage.count(), 3);
    let seen: CronHpa = serde_json::from_value(stage.object("a-younger").unwrap().as_ref().clone()).unwrap();
    let status = seen.status.unwrap();
    assert_eq!(status.holder.unwrap().name, "hours");
    assert_eq!(status.rules[0].counts.failed, 2);
    stage.delete().await;
    stage.until("2026-03-02T13:30:05Z").await;
    assert_eq!(stage.count(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_workload_under_an_hpa_is_left_to_it() {
    let mut stage = Stage::new().await;
    stage.create_hpa("web");
    stage.apply(&batch()).await;
    stage.start();
    stage.until("2026-03-02T13:30:05Z").await;
    assert_eq!(stage.count(), 3);
    let message = "the HorizontalPodAutoscaler web scales this workload: aim at that instead";
    assert_eq!(stage.condition("Contested"), ("True HeldByAnother".to_owned(), message.to_owned()));
    assert_eq!(stage.rule("batch").last_slot.unwrap().result, SlotResult::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_missing_is_told_and_found_when_it_comes() {
    let mut stage = Stage::new().await;
    let mut object = batch();
    object.spec.scale_target_ref.name = "later".to_owned();
    stage.apply(&object).await;
    stage.start();
    stage.until("2026-03-02T12:00:10Z").await;
    assert_eq!(stage.condition("Ready").0, "False TargetMissing");
    object.spec.scale_target_ref.name = "web".to_owned();
    stage.apply(&object).await;
    stage.until("2026-03-02T12:00:20Z").await;
    assert_eq!(stage.condition("Ready").0, "True Waiting");
    object.spec.scale_target_ref.kind = "Lamp".to_owned();
    stage.apply(&object).await;
    stage.until("2026-03-02T13:31:00Z").await;
    assert_eq!(stage.condition("Ready").0, "False TargetUnscalable");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_refused_is_tried_again_until_it_is_taken() {
    let mut stage = Stage::new().await;
    stage.apply(&batch()).await;
    stage.start();
    stage.until("2026-03-02T13:29:00Z").await;
    stage.faults.answer(Which::of(Method::PATCH, "/scale"), StatusCode::SERVICE_UNAVAILABLE, 4);
    stage.until("2026-03-02T13:30:02Z").await;
    assert_eq!(stage.condition("Ready").0, "False WriteFailed");
    stage.until("2026-03-02T13:31:00Z").await;
    assert_eq!(stage.count(), 12);
    let rule = stage.rule("batch");
    assert_eq!(rule.counts.applied, 1);
    assert!(rule.last_slot.unwrap().lateness_seconds > Some(1));
    assert_eq!(stage.condition("Ready").0, "True Waiting");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_refused_past_its_deadline_is_missed() {
    let mut stage = Stage::new().await;
    let rule = json!({"name": "batch", "schedule": "30 13 * * *", "targetReplicas": 12, "startingDeadlineSeconds": 60});
    stage.apply(&cron_hpa(&deployment(), &json!([rule]))).await;
    stage.start();
    stage.until("2026-03-02T13:29:00Z").await;
    stage.faults.answer(Which::of(Method::PATCH, "/scale"), StatusCode::SERVICE_UNAVAILABLE, 1000);
    stage.until("2026-03-02T13:35:00Z").await;
    assert_eq!(stage.count(), 3);
    let rule = stage.rule("batch");
    assert_eq!((rule.counts.missed, rule.last_slot.unwrap().result), (1, SlotResult::Missed));
    assert_eq!(
        stage.lines("cronhpa_slots_total{result=\"Missed\"}"),
        ["cronhpa_slots_total{result=\"Missed\"} 1"]
    );
    assert!(stage.events().iter().any(|event| event.starts_with("Missed: batch")), "{:?}", stage.events());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_left_inside_a_window_gets_back_what_it_had_before_the_next_one_is_touched() {
    for suspended in [false, true] {
        let mut stage = Stage::new().await;
        stage.create_hpa("api");
        stage.apply(&office(&hpa())).await;
        stage.start();
        stage.until("2026-03-02T13:00:05Z").await;
        assert_eq!(stage.bounds(), (10, 30));
        stage.kill().await;
        let rules =
            json!([{"name": "office", "start": "0 13 * * *", "end": "0 15 * * *", "targetReplicas": 5}]);
        let mut next = cron_hpa(&deployment(), &rules);
        next.spec.suspend = suspended;
        stage.apply(&next).await;
        stage.restart().await;
        stage.until("2026-03-02T13:30:00Z").await;
        assert_eq!(stage.bounds(), (2, 30));
        let base = stage.seen().status.unwrap().base;
        let of = base.as_ref().and_then(|base| base.target.as_ref()).map(|target| target.kind.clone());
        let expected = if suspended { (3, None) } else { (5, Some("Deployment".to_owned())) };
        assert_eq!((stage.count(), of), expected);
        assert!(
            stage.events().iter().any(|event| event.starts_with("TargetChanged")),
            "{:?}",
            stage.events()
        );
        stage.delete().await;
        stage.until("2026-03-02T13:31:00Z").await;
        assert_eq!((stage.object("hours"), stage.count()), (None, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_waits_for_what_it_had_is_still_held_against_others() {
    let mut stage = Stage::new().await;
    stage.create_hpa("api");
    stage.apply(&office(&hpa())).await;
    stage.start();
    stage.until("2026-03-02T13:00:05Z").await;
    stage.faults.answer(
        Which::of(Method::PATCH, "horizontalpodautoscalers"),
        StatusCode::SERVICE_UNAVAILABLE,
        5,
    );
    let mut younger = office(&hpa());
    younger.metadata.name = Some("a-younger".to_owned());
    stage.apply(&younger).await;
    stage
        .apply(&cron_hpa(
            &deployment(),
            &json!([{"name": "a", "schedule": "0 14 * * *", "targetReplicas": 5}]),
        ))
        .await;
    stage.until("2026-03-02T13:30:00Z").await;
    let seen: CronHpa = serde_json::from_value(stage.object("a-younger").unwrap().as_ref().clone()).unwrap();
    let base = seen.status.unwrap().base.unwrap();
    assert_eq!((stage.bounds(), base.min_replicas), ((10, 30), Some(2)), "it took over what was given back");
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_is_changed_inside_a_window_is_another_window() {
    let mut stage = Stage::new().await;
    stage.create_hpa("api");
    let mut object = office(&hpa());
    stage.apply(&object).await;
    stage.start();
    stage.until("2026-03-02T13:00:05Z").await;
    object.spec.time_zone = "Asia/Tokyo".to_owned();
    stage.apply(&object).await;
    stage.until("2026-03-02T13:01:00Z").await;
    assert_eq!(
        (stage.bounds(), stage.seen().status.unwrap().base),
        ((2, 30), None),
        "in Tokyo it is evening"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_is_renamed_inside_its_window_goes_on_holding_and_is_a_new_rule() {
    let mut stage = Stage::new().await;
    stage.create_hpa("api");
    let mut object = office(&hpa());
    stage.apply(&object).await;
    stage.start();
    stage.until("2026-03-02T13:00:05Z").await;
    object.spec.rules[0].name = "desk".to_owned();
    stage.apply(&object).await;
    stage.until("2026-03-02T13:01:00Z").await;
    assert_eq!(
        (stage.bounds(), stage.seen().status.unwrap().base.unwrap().min_replicas),
        ((10, 30), Some(2))
    );
    assert_eq!((stage.rule("desk").counts.applied, stage.seen().status.unwrap().rules.len()), (0, 1));
    stage.until("2026-03-02T15:00:05Z").await;
    assert_eq!(stage.bounds(), (2, 30));
}

#[tokio::test(start_paused = true)]
async fn what_is_suspended_until_a_time_wakes_by_itself() {
    let mut stage = Stage::new().await;
    stage.create_fed_hpa();
    let mut object = office(&fed_hpa());
    object.spec.suspend_until = Some(fedscaler_runtime::time::to_wire(at("2026-03-02T13:30:00Z")));
    stage.apply(&object).await;
    stage.start();
    stage.until("2026-03-02T13:29:59Z").await;
    assert_eq!(stage.seen().status.unwrap().active, None);
    let message = "spec.suspendUntil is 2026-03-02T13:30:00Z: no rule acts";
    assert_eq!(stage.condition("Suspended"), ("True Suspended".to_owned(), message.to_owned()));
    stage.until("2026-03-02T13:30:02Z").await;
    assert_eq!(stage.seen().status.unwrap().active.unwrap().min_replicas, Some(10));
    assert_eq!(
        (stage.condition("Suspended").0, stage.rule("office").counts.suspended),
        ("False Active".to_owned(), 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_leads_its_slot_and_runs_once_says_so() {
    let mut stage = Stage::new().await;
    let rule = json!({"name": "batch", "schedule": "30 13 * * *", "targetReplicas": 12, "leadSeconds": 600, "runOnce": true});
    stage.apply(&cron_hpa(&deployment(), &json!([rule]))).await;
    stage.start();
    stage.until("2026-03-02T13:19:59Z").await;
    let waiting = stage.rule("batch");
    let times = [waiting.next_slot_time, waiting.next_action_time]
        .map(|time| fedscaler_runtime::time::from_wire(&time.unwrap()));
    assert_eq!(times, [at("2026-03-02T13:30:00Z"), at("2026-03-02T13:20:00Z")]);
    assert_eq!(stage.count(), 3);
    stage.until("2026-03-02T13:20:02Z").await;
    assert_eq!(stage.count(), 12);
    stage.restart().await;
    stage.until("2026-03-04T13:31:00Z").await;
    let rule = stage.rule("batch");
    assert_eq!((rule.counts.applied, rule.last_slot.unwrap().lateness_seconds), (1, Some(0)));
    let once = fedscaler_runtime::time::from_wire(&rule.once_slot_time.unwrap());
    assert_eq!((once, rule.next_slot_time), (at("2026-03-02T13:30:00Z"), None));
}
