//! Cases worked out by hand from the documented behaviour of the real controller.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn t(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// A pod that asks for a core, ready for an hour, at this many percent of its request.
fn pod(percent: i64) -> PodSample {
    PodSample {
        stage: Stage::Running { started: t(-3600) },
        readiness: Readiness::Ready(t(-3600)),
        cpu_request: Some(1000),
        cpu_usage: Some(percent * 10),
        memory_request: None,
        memory_usage: None,
    }
}

fn pods(count: usize, percent: i64) -> Vec<PodSample> {
    vec![pod(percent); count]
}

fn spec(min: i64, max: i64, percent: i64) -> Spec {
    Spec::read(&json!({"spec": {"minReplicas": min, "maxReplicas": max, "metrics": [{"type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}]}}))
}

fn with_behavior(mut spec: Spec, behavior: &Value) -> Spec {
    spec.behavior = Spec::read(&json!({"spec": {"behavior": behavior}})).behavior;
    spec
}

/// An autoscaler in a world where the scale follows at once.
struct Bench {
    spec: Spec,
    status: Status,
    memory: Memory,
    metrics: CustomMetrics,
    replicas: i64,
}

impl Bench {
    fn new(spec: Spec, replicas: i64) -> Self {
        Self {
            spec,
            status: Status::default(),
            memory: Memory::default(),
            metrics: CustomMetrics::default(),
            replicas,
        }
    }

    fn sync(&mut self, seconds: i64, pods: &[PodSample]) -> i64 {
        let seen = Observed {
            now: t(seconds),
            spec_replicas: self.replicas,
            status_replicas: i64::try_from(pods.len()).unwrap(),
            pods,
            metrics: &self.metrics,
        };
        let done = sync(&self.spec, &self.status, &mut self.memory, &seen);
        self.status = done.status;
        if let Some(replicas) = done.rescale {
            self.replicas = replicas;
        }
        self.replicas
    }

    fn load(&mut self, seconds: i64, percent: i64) -> i64 {
        let pods = pods(usize::try_from(self.replicas).unwrap(), percent);
        self.sync(seconds, &pods)
    }

    fn reason(&self, kind: &str) -> (&str, &str) {
        self.status.condition(kind).unwrap()
    }
}

#[test]
fn replicas_follow_the_ratio_of_utilisation_to_target_rounded_up() {
    for (percent, expected) in [(80, 4), (100, 5), (150, 8), (88, 4), (89, 5), (72, 4)] {
        let mut bench = Bench::new(spec(1, 100, 80), 4);
        assert_eq!(bench.load(0, percent), expected, "{percent} %");
    }
}

#[test]
fn a_ratio_within_the_tolerance_changes_nothing_and_says_so() {
    let mut bench = Bench::new(spec(1, 100, 80), 10);
    assert_eq!(bench.load(0, 87), 10);
    assert_eq!(bench.reason("AbleToScale"), ("True", "ReadyForNewScale"));
    assert_eq!(bench.reason("ScalingActive"), ("True", "ValidMetricFound"));
    assert_eq!(bench.reason("ScalingLimited"), ("False", "DesiredWithinRange"));
}

#[test]
fn a_tolerance_of_its_own_replaces_the_controllers() {
    let number = with_behavior(spec(1, 100, 80), &json!({"scaleUp": {"tolerance": 0}}));
    assert_eq!(number.behavior.map(|behavior| behavior.up.tolerance), Some(Some(0.0)));
    let own = with_behavior(spec(1, 100, 80), &json!({"scaleUp": {"tolerance": "0.3"}}));
    let mut bench = Bench::new(own, 10);
    assert_eq!(bench.load(0, 100), 10);
    assert_eq!(bench.load(15, 112), 14);
}

#[test]
fn current_is_the_scale_at_the_start_of_the_sync_and_desired_what_it_wrote() {
    let mut bench = Bench::new(spec(1, 100, 50), 4);
    bench.load(0, 100);
    assert_eq!((bench.status.current, bench.status.desired), (4, 8));
    assert_eq!(bench.status.last_scale, Some(t(0)));
    assert_eq!(bench.reason("AbleToScale"), ("True", "SucceededRescale"));
    bench.load(15, 50);
    assert_eq!((bench.status.current, bench.status.desired), (8, 8));
    assert_eq!(bench.status.last_scale, Some(t(0)));
}

#[test]
fn without_behavior_it_grows_by_doubling_or_to_four() {
    let mut bench = Bench::new(spec(1, 1000, 10), 1);
    let grown: Vec<_> = (0..4).map(|n| bench.load(n * 15, 200)).collect();
    assert_eq!(grown, [4, 8, 16, 32]);
    assert_eq!(bench.reason("ScalingLimited"), ("True", "ScaleUpLimit"));
}

#[test]
fn scaling_down_waits_until_five_minutes_of_recommendations_agree() {
    let mut bench = Bench::new(spec(1, 100, 80), 10);
    let at = |seconds: i64, bench: &mut Bench| bench.load(seconds, 16);
    assert_eq!(at(0, &mut bench), 10);
    assert_eq!(bench.reason("AbleToScale"), ("True", "ScaleDownStabilized"));
    assert_eq!(at(15, &mut bench), 10);
    assert_eq!(at(300, &mut bench), 10, "the first recommendation still counts");
    assert_eq!(at(315, &mut bench), 2);
}

#[test]
fn a_behaviors_window_replaces_the_controllers() {
    let own = with_behavior(spec(1, 100, 80), &json!({"scaleDown": {"stabilizationWindowSeconds": 60}}));
    let mut bench = Bench::new(own, 10);
    assert_eq!(bench.load(0, 16), 10);
    assert_eq!(bench.load(45, 16), 10);
    assert_eq!(bench.load(60, 16), 2);
}

#[test]
fn a_window_upwards_follows_the_lowest_recommendation() {
    let own = with_behavior(spec(1, 100, 80), &json!({"scaleUp": {"stabilizationWindowSeconds": 60}}));
    let mut bench = Bench::new(own, 4);
    assert_eq!(bench.load(0, 160), 4);
    assert_eq!(bench.reason("AbleToScale"), ("True", "ScaleUpStabilized"));
    assert_eq!(bench.load(59, 160), 4);
    assert_eq!(bench.load(61, 160), 8);
}

#[test]
fn pods_policies_allow_so_many_in_each_period() {
    let own = with_behavior(
        spec(1, 100, 10),
        &json!({"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}}),
    );
    let mut bench = Bench::new(own, 4);
    let grown: Vec<_> = [0, 15, 45, 60, 75].into_iter().map(|at| bench.load(at, 200)).collect();
    assert_eq!(grown, [8, 8, 8, 12, 12]);
    assert_eq!(bench.reason("ScalingLimited"), ("True", "ScaleUpLimit"));
}

#[test]
fn percent_policies_round_up_when_growing_and_down_when_shrinking() {
    let policies = json!([{"type": "Percent", "value": 10, "periodSeconds": 60}]);
    let own = with_behavior(
        spec(1, 100, 80),
        &json!({"scaleUp": {"policies": policies},
                "scaleDown": {"policies": policies, "stabilizationWindowSeconds": 0}}),
    );
    let mut bench = Bench::new(own, 15);
    assert_eq!(bench.load(0, 200), 17);
    assert_eq!(bench.load(120, 8), 15);
    assert_eq!(bench.reason("ScalingLimited"), ("True", "ScaleDownLimit"));
}

#[test]
fn the_default_behavior_takes_the_larger_of_double_and_four_more() {
    let mut bench = Bench::new(with_behavior(spec(1, 100, 10), &json!({"scaleUp": {}})), 2);
    let grown: Vec<_> = (0..3).map(|n| bench.load(n * 15, 200)).collect();
    assert_eq!(grown, [6, 12, 24]);
}

#[test]
fn a_disabled_direction_stays() {
    let own = with_behavior(
        spec(1, 100, 80),
        &json!({"scaleDown": {"selectPolicy": "Disabled", "stabilizationWindowSeconds": 0}}),
    );
    let mut bench = Bench::new(own, 10);
    assert_eq!(bench.load(0, 8), 10);
    assert_eq!(bench.load(15, 160), 20);
}

#[test]
fn the_smallest_change_counts_where_so_selected() {
    let own = with_behavior(
        spec(1, 100, 10),
        &json!({"scaleUp": {"selectPolicy": "Min", "policies": [
            {"type": "Pods", "value": 2, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15}]}}),
    );
    assert_eq!(Bench::new(own, 10).load(0, 200), 12);
}

#[test]
fn bounds_clamp_and_name_themselves() {
    let mut bench = Bench::new(spec(1, 6, 80), 4);
    assert_eq!(bench.load(0, 160), 6);
    assert_eq!(bench.reason("ScalingLimited"), ("True", "TooManyReplicas"));
    let own = with_behavior(spec(3, 6, 80), &json!({"scaleDown": {"stabilizationWindowSeconds": 0}}));
    let mut bench = Bench::new(own, 4);
    assert_eq!(bench.load(0, 1), 3);
    assert_eq!(bench.reason("ScalingLimited"), ("True", "TooFewReplicas"));
}

#[test]
fn an_edited_max_below_current_cuts_at_once_past_every_window() {
    let own = with_behavior(
        spec(1, 20, 80),
        &json!({"scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}}),
    );
    let mut bench = Bench::new(own, 20);
    bench.load(0, 80);
    bench.spec.max = 5;
    assert_eq!(bench.load(15, 80), 5);
    assert_eq!((bench.status.current, bench.status.desired), (20, 5));
    assert!(bench.status.metrics.is_empty(), "nothing was measured");
    assert_eq!(bench.reason("ScalingActive"), ("True", "ValidMetricFound"), "it stays as it was");
}

#[test]
fn a_raised_min_is_reached_at_once() {
    let mut bench = Bench::new(spec(30, 60, 80), 4);
    assert_eq!(bench.load(0, 10), 30);
}

#[test]
fn at_zero_replicas_scaling_is_disabled() {
    let mut bench = Bench::new(spec(1, 10, 80), 0);
    assert_eq!(bench.sync(0, &[]), 0);
    assert_eq!(bench.reason("ScalingActive"), ("False", "ScalingDisabled"));
    assert_eq!((bench.status.current, bench.status.desired), (0, 0));
}

#[test]
fn no_pods_means_no_metric_and_desired_stays_what_it_was() {
    let mut bench = Bench::new(spec(1, 10, 80), 4);
    assert_eq!(bench.sync(0, &[]), 4);
    assert_eq!(bench.reason("ScalingActive"), ("False", "FailedGetResourceMetric"));
    assert_eq!((bench.status.current, bench.status.desired), (4, 0), "desired 0 of a broken autoscaler");
}

#[test]
fn a_pod_without_a_request_is_an_error_for_utilisation() {
    let mut bench = Bench::new(spec(1, 10, 80), 2);
    let mut pods = pods(2, 200);
    pods[1].cpu_request = None;
    assert_eq!(bench.sync(0, &pods), 2);
    assert_eq!(bench.reason("ScalingActive"), ("False", "FailedGetResourceMetric"));
}

#[test]
fn unready_pods_count_as_idle_when_growing_and_not_at_all_when_shrinking() {
    let mut young = pod(0);
    young.stage = Stage::Running { started: t(-20) };
    young.readiness = Readiness::Unready(t(-20));
    let mut crowd = pods(4, 160);
    crowd.extend(vec![young.clone(); 2]);
    // 4 pods at 160 % and 2 taken for idle: 106 % of 80 % on 6 pods.
    assert_eq!(Bench::new(spec(1, 100, 80), 6).sync(0, &crowd), 8);
    let mut crowd = pods(4, 8);
    crowd.extend(vec![young; 2]);
    let own = with_behavior(spec(1, 100, 80), &json!({"scaleDown": {"stabilizationWindowSeconds": 0}}));
    assert_eq!(Bench::new(own, 6).sync(0, &crowd), 1);
}

#[test]
fn pending_pods_damp_a_growth_that_they_would_satisfy() {
    let mut waiting = pod(0);
    waiting.stage = Stage::Pending;
    waiting.cpu_usage = None;
    let mut crowd = pods(4, 160);
    crowd.extend(vec![waiting; 4]);
    assert_eq!(Bench::new(spec(1, 100, 80), 8).sync(0, &crowd), 8);
}

#[test]
fn pods_without_a_sample_count_as_full_when_shrinking() {
    let mut silent = pod(0);
    silent.cpu_usage = None;
    let mut crowd = pods(5, 10);
    crowd.extend(vec![silent; 5]);
    let own = with_behavior(spec(1, 100, 80), &json!({"scaleDown": {"stabilizationWindowSeconds": 0}}));
    // 5 at 10 % and 5 at 100 %: 55 % of 80 % on 10 pods.
    assert_eq!(Bench::new(own, 10).sync(0, &crowd), 7);
}

#[test]
fn a_pod_that_just_became_ready_is_not_believed_before_a_window_has_passed() {
    let mut fresh = pod(200);
    fresh.stage = Stage::Running { started: t(-30) };
    fresh.readiness = Readiness::Ready(t(-10));
    let mut bench = Bench::new(spec(1, 100, 80), 1);
    assert_eq!(bench.sync(0, std::slice::from_ref(&fresh)), 1);
    assert_eq!(bench.reason("ScalingActive"), ("False", "FailedGetResourceMetric"));
    assert_eq!(bench.sync(5, &[fresh]), 3);
}

#[test]
fn the_highest_proposal_counts_and_a_failed_metric_forbids_shrinking() {
    let mut both = spec(1, 100, 80);
    both.behavior =
        with_behavior(spec(1, 1, 1), &json!({"scaleDown": {"stabilizationWindowSeconds": 0}})).behavior;
    both.metrics.push(Metric::External { name: "queue".to_owned(), target: Target::AverageValue(10_000) });
    let mut bench = Bench::new(both, 4);
    assert_eq!(bench.load(0, 40), 4, "half the load, but the queue is unknown");
    assert_eq!(bench.reason("ScalingActive"), ("False", "FailedGetExternalMetric"));
    bench.metrics.external.insert("queue".to_owned(), 65_000);
    assert_eq!(bench.load(15, 40), 7);
    bench.metrics.external.clear();
    assert_eq!(bench.load(30, 160), 14, "growing needs no more than one metric");
}

#[test]
fn an_external_value_scales_the_ready_pods_and_an_average_the_scales_status() {
    let external = |target: Target| {
        let mut spec = spec(1, 100, 80);
        spec.metrics = vec![Metric::External { name: "queue".to_owned(), target }];
        let mut bench = Bench::new(spec, 4);
        bench.metrics.external.insert("queue".to_owned(), 90_000);
        bench.load(0, 0)
    };
    assert_eq!(external(Target::Value(60_000)), 6);
    assert_eq!(external(Target::AverageValue(20_000)), 5);
    assert_eq!(external(Target::AverageValue(22_000)), 4, "within the tolerance");
}

#[test]
fn a_pods_metric_compares_the_average() {
    let mut own = spec(1, 100, 80);
    own.metrics = vec![Metric::Pods { name: "rps".to_owned(), average: 100_000 }];
    let mut bench = Bench::new(own, 4);
    bench.metrics.pods.insert("rps".to_owned(), 150_000);
    assert_eq!(bench.load(0, 0), 6);
}

#[test]
fn a_status_is_written_as_the_real_one() {
    let mut bench = Bench::new(spec(1, 100, 50), 2);
    bench.load(0, 60);
    let rendered = bench.status.render();
    assert_eq!(rendered["currentReplicas"], json!(2));
    assert_eq!(rendered["desiredReplicas"], json!(3));
    let resource = json!({"name": "cpu", "current": {"averageUtilization": 60, "averageValue": "600m"}});
    assert_eq!(rendered["currentMetrics"], json!([{"type": "Resource", "resource": resource}]));
    assert_eq!(rendered["conditions"][0]["type"], json!("AbleToScale"));
    assert!(rendered.get("observedGeneration").is_none());
}

#[test]
fn a_conditions_time_moves_only_with_its_status() {
    let mut bench = Bench::new(spec(1, 100, 50), 2);
    bench.load(0, 50);
    bench.load(15, 100);
    let able = bench.status.conditions.iter().find(|condition| condition.kind == "AbleToScale").unwrap();
    assert_eq!((able.reason.as_str(), able.since), ("SucceededRescale", t(0)));
}

#[test]
fn a_target_without_a_scale_says_so() {
    let status = without_scale(&Status::default(), "not found", t(0));
    assert_eq!(status.condition("AbleToScale"), Some(("False", "FailedGetScale")));
}

proptest! {
    #[test]
    fn what_is_written_is_within_the_bounds(
        min in 1..10_i64, span in 0..30_i64, start in 1..60_i64,
        loads in proptest::collection::vec(0..300_i64, 1..40), behaved: bool,
    ) {
        let mut own = spec(min, min + span, 80);
        if behaved {
            own = with_behavior(own, &json!({"scaleUp": {}}));
        }
        let mut bench = Bench::new(own, start);
        for (n, load) in (0_i64..).zip(loads) {
            let replicas = bench.load(n * 15, load);
            prop_assert!((min..=min + span).contains(&replicas));
        }
    }

    #[test]
    fn a_steady_load_comes_to_rest_near_its_target(demand in 1_000..60_000_i64, start in 1..60_i64) {
        let mut bench = Bench::new(spec(1, 100, 80), start);
        for n in 0..60 {
            let percent = demand * 80 / (1000 * bench.replicas);
            bench.load(n * 15, percent);
        }
        let rested = bench.replicas;
        let percent = demand * 80 / (1000 * rested);
        prop_assert_eq!(bench.load(10_000, percent), rested);
        let ideal = demand / 1000;
        prop_assert!(rested * 10 >= ideal * 9, "{rested} for {ideal}");
        prop_assert!(rested <= ideal + 1 + ideal / 8 + 1, "{rested} for {ideal}");
    }
}
