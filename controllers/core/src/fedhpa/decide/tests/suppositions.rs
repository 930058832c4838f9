//! What-ifs against what happens: the model of the members goes through the same for real, and the split that it
//! comes to is the one that was foretold.

use proptest::prelude::*;

use super::{
    plane::{Plane, policy, rule},
    *,
};
use crate::fedhpa::{
    policy::Terms,
    what_if::{Course, WhatIf, course, suppose},
};

/// Three clusters at rest, with room for more than the max.
fn at_rest(min: u32, max: u32, clusters: &[(&str, u32, u32)]) -> Plane {
    let mut plane = Plane::running(policy(min, max), clusters);
    passes(&mut plane, 900);
    plane
}

fn passes(plane: &mut Plane, seconds: i64) {
    for _ in 0..seconds {
        if plane.now % 5 == 0 {
            let decision = plane.decide();
            plane.act(&decision, usize::MAX);
        }
        plane.second();
    }
}

fn foretold(plane: &Plane, texts: &[&str]) -> Course {
    let what_ifs: Vec<WhatIf> = texts.iter().map(|text| text.parse().unwrap()).collect();
    let (policy, facts) = suppose(&plane.policy, &plane.facts(), &what_ifs).unwrap();
    course(&policy, &facts)
}

/// The shares after the course: of its last turn, or else those in force.
fn comes_to(plane: &Plane, course: &Course) -> Shares {
    let in_force = plane.memory.split.as_ref().unwrap();
    course.turns.last().map_or(in_force, |turn| &turn.split).shares.clone()
}

fn shares(plane: &Plane) -> Shares {
    plane.memory.split.as_ref().unwrap().shares.clone()
}

const ROOMY: [(&str, u32, u32); 3] = [("a", 4, 20), ("b", 4, 20), ("c", 4, 20)];

#[test]
fn at_rest_nothing_comes_by_time_alone() {
    assert_eq!(foretold(&at_rest(6, 40, &ROOMY), &[]), Course { turns: Vec::new(), rests: true });
}

#[test]
fn the_share_of_a_lost_cluster_moves_at_once_and_to_where_it_really_goes() {
    let mut plane = at_rest(6, 40, &ROOMY);
    let course = foretold(&plane, &["lost=b"]);
    let first = course.turns.first().unwrap();
    assert_eq!((first.after.num_seconds(), first.split.change), (0, Change::ClusterLost));
    let then = comes_to(&plane, &course);
    assert_eq!(then.get("b"), None);
    plane.lose("b");
    passes(&mut plane, 900);
    assert_eq!(shares(&plane), then);
}

#[test]
fn the_end_of_the_cover_for_a_lost_cluster_is_foretold_whatever_the_cooldown() {
    for minutes in [1, 10] {
        let mut plane = at_rest(6, 40, &ROOMY);
        plane.policy.rebalance.cooldown = std::time::Duration::from_mins(minutes);
        let course = foretold(&plane, &["lost=b"]);
        let turns: Vec<_> =
            course.turns.iter().map(|turn| (turn.after.num_seconds(), turn.split.change)).collect();
        assert_eq!(turns, [(0, Change::ClusterLost), (300, Change::CoverOver)]);
        plane.lose("b");
        passes(&mut plane, 200);
        assert_eq!(shares(&plane), course.turns[0].split.shares);
        passes(&mut plane, 700);
        assert_eq!(shares(&plane), comes_to(&plane, &course));
    }
}

#[test]
fn other_bounds_are_divided_as_they_really_are() {
    let mut plane = at_rest(6, 40, &ROOMY);
    let course = foretold(&plane, &["min=12", "max=50"]);
    let then = comes_to(&plane, &course);
    assert_eq!(split::total(&then), Bounds { min: 12, max: 50 });
    plane.policy.bounds = Bounds { min: 12, max: 50 };
    passes(&mut plane, 900);
    assert_eq!(shares(&plane), then);
}

#[test]
fn added_room_that_nobody_needs_moves_share_when_the_cooldown_is_over_and_not_before() {
    let mut plane = at_rest(6, 40, &ROOMY);
    // Half of the cooldown after the last change.
    let adopted = plane.memory.split.as_ref().unwrap().adopted;
    plane.memory.split.as_mut().unwrap().adopted = adopted + (plane.facts().now - adopted) - TIME_LEFT;
    let course = foretold(&plane, &["room=c:+40"]);
    let turn = course.turns.first().unwrap();
    assert_eq!((turn.after.num_seconds(), turn.split.change), (150, Change::Drift));
    let then = comes_to(&plane, &course);
    assert!(then["c"].max > shares(&plane)["c"].max, "{then:?}");
    plane.member("c").capacity += 40;
    passes(&mut plane, 145);
    assert_ne!(shares(&plane), then);
    passes(&mut plane, 900);
    assert_eq!(shares(&plane), then);
}

/// How long ago the split was adopted where half of the cooldown is left.
const TIME_LEFT: chrono::TimeDelta = chrono::TimeDelta::seconds(150);

#[test]
fn room_that_was_missing_is_used_at_once() {
    let mut plane = at_rest(3, 40, &[("a", 4, 10), ("b", 4, 10)]);
    let course = foretold(&plane, &["room=a:+30"]);
    let turn = course.turns.first().unwrap();
    assert_eq!((turn.after.num_seconds(), turn.split.change, turn.unplaced), (0, Change::Invalid, 0));
    plane.member("a").capacity += 30;
    passes(&mut plane, 900);
    assert_eq!(shares(&plane), comes_to(&plane, &course));
}

#[test]
fn a_supposition_about_a_second_tier_wakes_it_as_it_really_would() {
    let mut rules = policy(4, 20);
    rules.distribution.rules = vec![
        rule("a", Terms::default()),
        rule("b", Terms::default()),
        rule("c", Terms { tier: 1, ..Terms::default() }),
    ];
    let mut plane = Plane::running(rules, &[("a", 3, 15), ("b", 3, 15), ("c", 0, 30)]);
    passes(&mut plane, 900);
    assert_eq!(shares(&plane)["c"], Bounds::default());
    let course = foretold(&plane, &["lost=a"]);
    let then = comes_to(&plane, &course);
    assert!(then["c"].max > 0, "{then:?}");
    plane.lose("a");
    passes(&mut plane, 900);
    assert_eq!(shares(&plane), then);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Other totals are divided at once and for all, wherever the clusters stand and however much fits. (What members
    /// want may change the split later; here they go on wanting the same.)
    #[test]
    fn whatever_the_totals_the_first_turn_is_what_the_controller_does_next(
        clusters in prop::collection::vec((1_u32..9, 0_u32..20), 2..5),
        (min, headroom) in (1_u32..15, 0_u32..30),
    ) {
        let names = ["a", "b", "c", "d"];
        let clusters: Vec<_> = names
            .iter()
            .zip(&clusters)
            .map(|(name, (replicas, room))| (*name, *replicas, replicas + room))
            .collect();
        let mut plane = at_rest(4, 20, &clusters);
        let (min_text, max_text) = (format!("min={min}"), format!("max={}", min + headroom));
        let course = foretold(&plane, &[&min_text, &max_text]);
        let before = shares(&plane);
        plane.policy.bounds = Bounds { min, max: min + headroom };
        let decided = plane.decide().split.unwrap().shares;
        prop_assert_eq!(&decided, &course.turns.first().map_or(before, |turn| turn.split.shares.clone()));
    }
}
