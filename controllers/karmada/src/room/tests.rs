//! Histograms and totals of all shapes.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const GIB: u64 = 1 << 30;

/// Karmada's first four default grades, and how many nodes are in each.
fn cluster(counts: [i64; 4], status: &Value) -> Cluster {
    let grade = |grade: usize, cpu: &str, memory: &str| {
        json!({"grade": grade, "ranges": [
            {"name": "cpu", "min": cpu, "max": "1000"}, {"name": "memory", "min": memory, "max": "1000Ti"},
        ]})
    };
    let modelings: Vec<_> =
        counts.iter().enumerate().map(|(grade, count)| json!({"grade": grade, "count": count})).collect();
    let mut object = json!({
        "spec": {"resourceModels": [
            grade(0, "0", "0"), grade(1, "1", "4Gi"), grade(2, "2", "16Gi"), grade(3, "4", "32Gi"),
        ]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "reason": "", "message": "", "lastTransitionTime": "2026-05-01T10:00:00Z"}],
            "nodeSummary": {"totalNum": counts.iter().sum::<i64>()},
            "resourceSummary": {
                "allocatable": {"cpu": "100", "memory": "400Gi", "pods": "110"},
                "allocated": {"cpu": "39500m", "memory": "100Gi", "pods": "10"},
                "allocating": {"cpu": "500m"},
                "allocatableModelings": modelings,
            },
        },
    });
    object["status"].as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

fn asking(cpu: u64, memory: u64) -> Amounts {
    Amounts::from([("cpu".to_owned(), cpu), ("memory".to_owned(), memory)])
}

fn free(source: &dyn ReadsRoom, cluster: &Cluster, requests: &Amounts) -> Reading<Free> {
    source.free(cluster, requests, "2026-05-01T10:01:00Z".parse().unwrap())
}

fn silent() -> Value {
    json!({"conditions": [{"type": "Ready", "status": "Unknown", "reason": "", "message": "", "lastTransitionTime": "2026-05-01T10:00:00Z"}]})
}

#[test]
fn the_histogram_counts_whole_replicas_on_the_least_that_each_node_has() {
    let cluster = cluster([5, 2, 0, 1], &json!({}));
    let models = free(&Models, &cluster, &asking(1000, 2 * GIB));
    assert_eq!(
        models,
        Reading::Fresh(Free { fit: 2 + 4, naive: 60, unbound: 0, source: RoomSource::Models })
    );
}

#[test]
fn the_totals_are_what_is_allocatable_without_what_is_taken_or_about_to_be() {
    let summary = free(&Summary, &cluster([0; 4], &json!({})), &asking(1500, GIB));
    assert_eq!(summary, Reading::Fresh(Free { fit: 40, naive: 40, unbound: 0, source: RoomSource::Summary }));
}

#[test]
fn pod_slots_bound_the_histogram_too() {
    let cluster = cluster([0, 0, 0, 40], &json!({}));
    let models = free(&Models, &cluster, &asking(1, 1));
    assert_eq!(models.known().unwrap().fit, 100);
    assert_eq!(free(&Models, &cluster, &Amounts::new()).known().unwrap().fit, 100);
}

#[test]
fn a_resource_that_no_grade_has_makes_the_histogram_unusable_and_the_totals_answer() {
    let mut cluster = cluster([0, 0, 0, 4], &json!({}));
    let requests = Amounts::from([("nvidia.com/gpu".to_owned(), 1)]);
    assert_eq!(free(&Models, &cluster, &requests), Reading::Dark(Dark::Unusable));
    assert_eq!(free(&Auto, &cluster, &requests).known().unwrap().fit, 0);
    let summary = cluster.status.resource_summary.as_mut().unwrap();
    summary.allocatable.insert("nvidia.com/gpu".to_owned(), Quantity("8".to_owned()));
    let expected = Free { fit: 8, naive: 8, unbound: 0, source: RoomSource::Summary };
    assert_eq!(free(&Auto, &cluster, &requests), Reading::Fresh(expected));
}

#[test]
fn grades_of_the_users_own_may_name_any_resource() {
    let mut cluster = cluster([3, 0, 0, 0], &json!({}));
    let requests = Amounts::from([("nvidia.com/gpu".to_owned(), 1)]);
    cluster.spec.resource_models = serde_json::from_value(json!([
        {"grade": 0, "ranges": [{"name": "nvidia.com/gpu", "min": "2", "max": "9"}]},
    ]))
    .unwrap();
    let summary = cluster.status.resource_summary.as_mut().unwrap();
    summary.allocatable.insert("nvidia.com/gpu".to_owned(), Quantity("8".to_owned()));
    summary.allocatable_modelings.truncate(1);
    assert_eq!(free(&Auto, &cluster, &requests).known().unwrap().fit, 6);
}

#[test]
fn auto_prefers_the_histogram_but_passes_over_one_that_is_short_of_nodes() {
    let requests = asking(1000, GIB);
    let whole = cluster([0, 2, 0, 0], &json!({}));
    assert_eq!(free(&Auto, &whole, &requests).known().unwrap().source, RoomSource::Models);
    let short = cluster([0, 2, 0, 0], &json!({"nodeSummary": {"totalNum": 3}}));
    assert_eq!(free(&Auto, &short, &requests).known().unwrap().source, RoomSource::Summary);
    assert_eq!(free(&Models, &short, &requests).known().unwrap().fit, 2);
}

#[test]
fn a_silent_clusters_room_is_stale_and_still_the_best_that_is_known() {
    let cluster = cluster([0, 2, 0, 0], &silent());
    let Reading::Stale { value, age_seconds } = free(&Auto, &cluster, &asking(1000, GIB)) else {
        panic!("expected a stale reading");
    };
    assert_eq!((value.source, value.fit, age_seconds), (RoomSource::Models, 2, 60));
}

#[test]
fn a_cluster_that_has_not_reported_is_dark_and_one_without_grades_has_no_histogram() {
    let requests = asking(1000, GIB);
    let unheard = Cluster::default();
    assert_eq!(free(&Auto, &unheard, &requests), Reading::Dark(Dark::NotYetReported));
    let mut without = cluster([0, 2, 0, 0], &json!({}));
    without.spec.resource_models.clear();
    assert_eq!(free(&Models, &without, &requests), Reading::Dark(Dark::NoSource));
    assert_eq!(free(&Auto, &without, &requests).known().unwrap().source, RoomSource::Summary);
}

#[test]
fn an_amount_that_is_no_quantity_is_unusable_and_not_zero() {
    let cluster = cluster([0; 4], &json!({"resourceSummary": {"allocatable": {"cpu": "plenty"}}}));
    assert_eq!(free(&Summary, &cluster, &asking(1, 1)), Reading::Dark(Dark::Unusable));
}

#[test]
fn no_more_of_a_workloads_replicas_wait_for_a_node_than_every_resource_allows() {
    let unbound = |allocating: Value| {
        let summary = json!({"resourceSummary": {"allocating": allocating}});
        free(&Summary, &cluster([0; 4], &summary), &asking(1000, GIB)).known().unwrap().unbound
    };
    assert_eq!(unbound(json!({"cpu": "2500m", "memory": "5Gi", "pods": "9"})), 3);
    assert_eq!(unbound(json!({"cpu": "2500m", "memory": "5Gi", "pods": "2"})), 2);
    assert_eq!(unbound(json!({"cpu": "2500m", "pods": "9"})), 0);
    assert_eq!(unbound(json!({})), 0);
}

#[test]
fn more_taken_than_there_is_leaves_nothing() {
    let over = json!({"resourceSummary": {"allocatable": {"cpu": "1"}, "allocated": {"cpu": "2"}}});
    let cpu = Amounts::from([("cpu".to_owned(), 1)]);
    assert_eq!(free(&Summary, &cluster([0; 4], &over), &cpu).known().unwrap().fit, 0);
}

proptest! {
    #[test]
    fn no_source_ever_promises_more_than_the_totals_hold(
        counts in proptest::array::uniform4(0_i64..1000), cpu in 0_u64..9000, gib in 0_u64..70,
    ) {
        let (cluster, requests) = (cluster(counts, &json!({})), asking(cpu, gib * GIB));
        let naive = free(&Summary, &cluster, &requests).known().unwrap().naive;
        for source in [&Models as &dyn ReadsRoom, &Auto, &Summary] {
            let free = *free(source, &cluster, &requests).known().unwrap();
            prop_assert!(free.fit <= free.naive);
            prop_assert_eq!(free.naive, naive);
        }
    }

    #[test]
    fn a_larger_replica_never_finds_more_room(
        counts in proptest::array::uniform4(0_i64..50), cpu in 1_u64..4000, more in 0_u64..4000,
    ) {
        let cluster = cluster(counts, &json!({}));
        let fit = |cpu| free(&Models, &cluster, &asking(cpu, GIB)).known().unwrap().fit;
        prop_assert!(fit(cpu + more) <= fit(cpu));
    }
}
