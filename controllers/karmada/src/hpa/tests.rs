//! Defaults, and statuses of all shapes.

use super::*;

fn read(status: &Value) -> Reading<MemberHpa> {
    MemberHpa::read(Some(status))
}

fn fresh(status: &Value) -> MemberHpa {
    *read(status).fresh().unwrap()
}

fn says(type_: &str, status: &str, reason: &str) -> Value {
    json!({"type": type_, "status": status, "reason": reason})
}

#[test]
fn an_empty_spec_gets_what_kubernetes_would_give_it_and_no_behavior() {
    let spec = defaulted(json!({"maxReplicas": 5, "metrics": [], "behavior": null}));
    assert_eq!(
        spec,
        json!({
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": [{
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
            }],
        })
    );
}

#[test]
fn half_a_behavior_is_completed_in_both_directions_and_what_is_set_stays() {
    let given = json!({"scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Disabled", "tolerance": "5%"}});
    let spec = defaulted(json!({"behavior": given}));
    assert_eq!(
        spec["behavior"],
        json!({
            "scaleUp": {
                "stabilizationWindowSeconds": 0,
                "selectPolicy": "Max",
                "policies": [
                    {"type": "Pods", "value": 4, "periodSeconds": 15},
                    {"type": "Percent", "value": 100, "periodSeconds": 15},
                ],
            },
            "scaleDown": {
                "stabilizationWindowSeconds": 60,
                "selectPolicy": "Disabled",
                "tolerance": "5%",
                "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
            },
        })
    );
}

#[test]
fn defaulting_twice_changes_nothing_and_unknown_fields_are_kept() {
    let once = defaulted(json!({"behavior": {}, "fieldOfTomorrow": {"a": [1, null]}, "minReplicas": 0}));
    assert_eq!(once["fieldOfTomorrow"], json!({"a": [1, null]}));
    assert_eq!(once["minReplicas"], 0);
    assert_eq!(defaulted(once.clone()), once);
}

#[test]
fn a_reflected_status_is_read_whole() {
    let hpa = fresh(&json!({
        "currentReplicas": 4, "desiredReplicas": 6, "minReplicas": 2, "maxReplicas": 6,
        "conditions": [
            says("AbleToScale", "True", "ReadyForNewScale"),
            says("ScalingActive", "True", "ValidMetricFound"),
            says("ScalingLimited", "True", "TooManyReplicas"),
        ],
    }));
    let expected = MemberHpa {
        min: Some(2),
        max: Some(6),
        current: 4,
        desired: Some(6),
        scaling_active: Some(true),
        able_to_scale: Some(true),
        limited: Some(Limited::TooMany),
    };
    assert_eq!(hpa, expected);
    assert_eq!(hpa.trusted_desired(), Some(6));
}

#[test]
fn without_reflected_conditions_the_wish_is_known_but_not_trusted() {
    let hpa = fresh(&json!({"currentReplicas": 4, "desiredReplicas": 6}));
    assert_eq!((hpa.desired, hpa.trusted_desired(), hpa.max), (Some(6), None, None));
}

#[test]
fn a_broken_hpa_wants_nothing_rather_than_zero() {
    let hpa = fresh(&json!({
        "currentReplicas": 4, "desiredReplicas": 0, "minReplicas": 1,
        "conditions": [says("ScalingActive", "False", "FailedGetResourceMetric")],
    }));
    assert_eq!((hpa.current, hpa.desired, hpa.scaling_active), (4, None, Some(false)));
}

#[test]
fn an_hpa_that_may_scale_to_zero_is_believed_when_it_wants_to() {
    let hpa = fresh(&json!({
        "currentReplicas": 4, "desiredReplicas": 0, "minReplicas": 0,
        "conditions": [says("ScalingActive", "True", "ValidMetricFound"), says("AbleToScale", "True", "")],
    }));
    assert_eq!(hpa.trusted_desired(), Some(0));
}

#[test]
fn absent_empty_and_blank_statuses_are_not_known() {
    assert_eq!(MemberHpa::read(None), Reading::Dark(Dark::NotYetReported));
    for status in [json!(null), json!({}), json!({"desiredReplicas": 0, "minReplicas": 2, "maxReplicas": 3})]
    {
        assert_eq!(read(&status), Reading::Dark(Dark::NotYetReported), "{status}");
    }
}

#[test]
fn a_workload_at_zero_is_known_to_be_there_once_its_hpa_says_so() {
    let hpa = fresh(&json!({
        "desiredReplicas": 0, "conditions": [says("ScalingActive", "False", "ScalingDisabled")],
    }));
    assert_eq!((hpa.current, hpa.desired), (0, Some(0)));
}

#[test]
fn nonsense_is_unusable_and_not_zero() {
    for status in [
        json!(3),
        json!({"currentReplicas": -1}),
        json!({"desiredReplicas": "six"}),
        json!({"maxReplicas": 1.5}),
    ] {
        assert_eq!(read(&status), Reading::Dark(Dark::Unusable), "{status}");
    }
}

#[test]
fn limits_that_are_over_are_not_reported() {
    let status = |status, reason| {
        fresh(&json!({"currentReplicas": 1, "conditions": [says("ScalingLimited", status, reason)]})).limited
    };
    assert_eq!(status("False", "DesiredWithinRange"), None);
    assert_eq!(status("True", "TooFewReplicas"), Some(Limited::TooFew));
    assert_eq!(status("True", "ScaleUpLimit"), Some(Limited::Otherwise));
}
