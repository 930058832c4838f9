//! Whole courses as text.

use super::{
    plane::{Plane, policy, rule},
    story::Story,
    *,
};
use crate::fedhpa::policy::{Distribution, Terms};

/// Two clusters of our own and one of the cloud's, which is only for what they cannot hold.
fn tiered() -> Plane {
    let cloud = Terms { tier: 1, cap: Some(20), elastic: true, ..Terms::default() };
    let rules = vec![rule("idc-a", Terms::default()), rule("idc-b", Terms::default()), rule("cloud", cloud)];
    let distribution = Distribution { strategy: Strategy::Capacity, rules };
    let policy = Policy { distribution, ..policy(4, 30) };
    Plane::running(policy, &[("idc-a", 6, 12), ("idc-b", 3, 8), ("cloud", 1, 1000)])
}

fn even() -> Plane {
    Plane::running(policy(4, 24), &[("a", 4, 40), ("b", 4, 40), ("c", 4, 40)])
}

/// The same, at rest for long.
fn at_rest() -> Story {
    let mut plane = Story::new(even()).passes(900).plane;
    plane.rewind(900);
    Story::new(plane)
}

#[test]
fn a_running_workload_is_taken_over() {
    let text = Story::new(tiered()).passes(1200).text();
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_manifest_with_replicas_is_applied_again() {
    let text = at_rest().then("kubectl apply, replicas: 3", |plane| plane.scale(3)).passes(60).text();
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_gitops_tool_sets_the_replicas_every_minute() {
    let mut story = at_rest();
    for _ in 0..5 {
        story = story.then("replicas: 3", |plane| plane.scale(3)).passes(60);
    }
    let text = story.passes(300).text();
    insta::assert_snapshot!(text, @"");
}

#[test]
fn one_cluster_is_at_its_max_and_headroom_follows() {
    let text = at_rest().then("load comes to a", |plane| plane.member("a").wish = 14).passes(400).text();
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_cluster_is_lost_and_returns() {
    let text = at_rest()
        .then("c cannot be reached, its load goes to a and b", |plane| {
            plane.lose("c");
            plane.member("a").wish = 6;
            plane.member("b").wish = 6;
        })
        .passes(120)
        .then("c is back", |plane| {
            plane.member("c").lost = None;
            plane.member("a").wish = 4;
            plane.member("b").wish = 4;
        })
        .passes(300)
        .text();
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_cluster_is_left_out_of_the_distribution() {
    let text = at_rest()
        .then("distribution.clusters names a and b only", |plane| {
            plane.policy.distribution.rules = vec![rule("a", Terms::default()), rule("b", Terms::default())];
        })
        .passes(300)
        .text();
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_small_min_puts_clusters_to_sleep_and_a_larger_one_wakes_them() {
    let text = at_rest()
        .then("the night: totals 1..9, next to no load", |plane| {
            plane.policy.bounds = Bounds { min: 1, max: 9 };
            for name in ["a", "b", "c"] {
                plane.member(name).wish = 1;
            }
        })
        .passes(600)
        .then("the morning: totals 9..24", |plane| plane.policy.bounds = Bounds { min: 9, max: 24 })
        .passes(300)
        .text();
    insta::assert_snapshot!(text, @"");
}

#[test]
fn the_fedhpa_is_deleted() {
    let text = at_rest().then("kubectl delete", |plane| plane.deleting = Some(plane.now)).passes(120).text();
    insta::assert_snapshot!(text, @"");
}
