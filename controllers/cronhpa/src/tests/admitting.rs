//! What is admitted, and what is said of the rest.

use fedscaler_core::cronhpa::policy::{Aim, Sets, Suspension};
use serde_json::json;

use super::*;
use crate::admit::{Refusal, admit};

#[test]
fn a_wire_object_becomes_a_policy() {
    let mut object = cron_hpa(
        &fed_hpa(),
        &json!([
            {"name": "morning", "schedule": "0 9 * * 1-5", "minReplicas": 40, "maxReplicas": 80, "priority": 3,
                "startingDeadlineSeconds": 600},
            {"name": "launch", "start": "0 10 24 12 *", "end": "0 2 25 12 *", "minReplicas": 100, "suspend": true},
        ]),
    );
    object.spec.exclude.dates = vec!["2026-10-01/2026-10-07".to_owned()];
    let policy = admit(&object).unwrap().policy;
    assert_eq!((policy.aim, policy.faults.len(), policy.history_limit), (Aim::FedHpa, 0, 5));
    let morning = &policy.rules["morning"];
    assert_eq!(morning.sets, Sets::Bounds { min: Some(40), max: Some(80) });
    assert_eq!((morning.priority, morning.deadline.unwrap().num_seconds()), (3, 600));
    assert_eq!(policy.rules["launch"].suspension, Suspension::Always);
    assert_eq!(policy.days_off.spans().count(), 1);
}

#[test]
fn each_fault_is_told_in_plain_words() {
    let mut object = cron_hpa(
        &fed_hpa(),
        &json!([
            {"name": "both", "schedule": "0 9 * * *", "start": "0 9 * * *", "end": "0 9 * * *", "minReplicas": 1},
            {"name": "half", "start": "0 9 * * *", "minReplicas": 1},
            {"name": "empty", "schedule": "0 9 * * *"},
            {"name": "count", "schedule": "0 9 * * *", "targetReplicas": 1},
            {"name": "upside", "schedule": "0 9 * * *", "minReplicas": 5, "maxReplicas": 4},
            {"name": "negative", "schedule": "0 9 * * *", "minReplicas": -5},
            {"name": "nothing", "schedule": "0 9 * * *", "maxReplicas": 0},
            {"name": "hasty", "schedule": "0 9 * * *", "minReplicas": 5, "startingDeadlineSeconds": 0},
            {"name": "bad-cron", "schedule": "0 25 * * *", "minReplicas": 5},
            {"name": "twin", "schedule": "0 9 * * *", "minReplicas": 5},
            {"name": "twin", "schedule": "0 10 * * *", "minReplicas": 5},
        ]),
    );
    object.spec.exclude.dates = vec!["2026-02-30".to_owned(), "2026-02-02/2026-02-01".to_owned()];
    let policy = admit(&object).unwrap().policy;
    assert_eq!(policy.rules.keys().collect::<Vec<_>>(), ["twin"]);
    let told = policy
        .faults
        .iter()
        .map(|fault| format!("{}: {}", fault.rule.as_deref().unwrap_or("-"), fault.reason));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r#"
    both: give either schedule, or both start and end
    half: give either schedule, or both start and end
    empty: give either targetReplicas, or minReplicas and maxReplicas or one of the two
    count: targetReplicas is for workloads: a FedHPA needs minReplicas and maxReplicas
    upside: minReplicas 5 is above maxReplicas 4
    negative: minReplicas -5 is out of range: it must be 0 or more
    nothing: maxReplicas 0 is out of range: it must be 1 or more
    hasty: startingDeadlineSeconds 0 is out of range: it must be from 1 to 31536000
    bad-cron: "0 25 * * *": the field hour cannot be "25": Number out of bounds
    twin: there are two rules of this name
    -: exclude.dates: "2026-02-30" is no date: write 2026-10-01, or 2026-10-01/2026-10-07 for a range
    -: exclude.dates: "2026-02-02/2026-02-01" ends before it begins
    "#);
}

#[test]
fn bounds_on_a_workload_are_a_fault() {
    let object = cron_hpa(&deployment(), &json!([{"name": "a", "schedule": "0 9 * * *", "minReplicas": 1}]));
    let policy = admit(&object).unwrap().policy;
    assert_eq!(
        policy.faults[0].reason,
        "minReplicas and maxReplicas are for autoscalers: a Deployment needs targetReplicas"
    );
}

#[test]
fn another_schedule_zone_or_target_is_another_rule_but_other_numbers_are_not() {
    let rule = |rule: Value, target: Value| {
        let object = cron_hpa(&target, &json!([rule]));
        admit(&object).unwrap().policy.rules["a"].fingerprint.clone()
    };
    let base = json!({"name": "a", "schedule": "0 9 * * *", "minReplicas": 1});
    let same = json!({"name": "a", "schedule": "0 9 * * *", "minReplicas": 2, "priority": 4});
    let moved = json!({"name": "a", "schedule": "0 9 * * *", "minReplicas": 1, "timeZone": "Asia/Tokyo"});
    assert_eq!(rule(base.clone(), hpa()), rule(same, hpa()));
    assert_ne!(rule(base.clone(), hpa()), rule(moved, hpa()));
    assert_ne!(rule(base.clone(), hpa()), rule(base, fed_hpa()));
}

#[test]
fn an_object_that_is_being_deleted_has_no_rules_left() {
    let mut object = cron_hpa(&hpa(), &json!([{"name": "a", "schedule": "0 9 * * *", "minReplicas": 1}]));
    object.spec.suspend = true;
    object.metadata.deletion_timestamp = Some(fedscaler_runtime::time::to_wire(at("2026-03-02T12:00:00Z")));
    let admitted = admit(&object).unwrap();
    assert!(
        admitted.leaving && admitted.policy.rules.is_empty() && admitted.policy.suspension == Suspension::Not
    );
    object.metadata.namespace = None;
    assert_eq!(admit(&object).unwrap_err(), Refusal::NoNamespace);
}
