//! Clusters that are lost or evicted from: what survivors do at once, and for how long.

use super::{
    plane::{Plane, policy},
    story::Story,
    *,
};

/// Three clusters with 4 replicas each under 1..8 of 4..24, at rest for long.
fn at_rest() -> Plane {
    let plane = Plane::running(policy(4, 24), &[("a", 4, 40), ("b", 4, 40), ("c", 4, 40)]);
    Story::new(plane).passes(900).plane
}

/// The bounds that each cluster is given or keeps.
fn given(decision: &Decision) -> BTreeMap<String, (u32, u32)> {
    let bounds = |(name, view): (&String, &crate::fedhpa::decision::ClusterView)| {
        view.bounds.map(|bounds| (name.clone(), (bounds.min, bounds.max)))
    };
    decision.clusters.iter().filter_map(bounds).collect()
}

fn survivors(plane: &Plane) -> (u32, u32) {
    let given = given(&plane.decide());
    let alive = given.iter().filter(|(name, _)| plane.members[*name].lost.is_none());
    alive.fold((0, 0), |sum, (_, bounds)| (sum.0 + bounds.0, sum.1 + bounds.1))
}

#[test]
fn survivors_mins_and_maxes_rise_in_the_very_decision_that_sees_the_loss() {
    let mut plane = at_rest();
    plane.lose("c");
    assert_eq!(survivors(&plane), (12, 24), "12 ran, 24 is the max");
    assert_eq!(plane.decide().possible_overshoot, 8, "the lost cluster's frozen max");
}

#[test]
fn an_evicted_cluster_is_covered_while_its_own_hpa_is_left_alone() {
    let mut plane = at_rest();
    plane.member("c").candidacy = Candidacy::Evicting;
    plane.binding.as_mut().unwrap().clusters.remove("c");
    let decision = plane.decide();
    let given = given(&decision);
    assert_eq!((given["a"].0 + given["b"].0, given["a"].1 + given["b"].1), (12, 24));
    assert_eq!(given["c"], (1, 8));
    let touches_c = |write: &Write| matches!(write, Write::EnsureHpa { cluster, .. } | Write::RemoveHpa { cluster } if cluster == "c");
    assert!(!decision.writes.iter().any(touches_c), "{:?}", decision.writes);
    assert_eq!(decision.possible_overshoot, 8);
}

#[test]
fn the_cover_ends_after_five_minutes_though_the_cluster_stays_lost() {
    let mut plane = at_rest();
    plane.lose("c");
    let plane = Story::new(plane).passes(290).plane;
    assert_eq!(survivors(&plane), (12, 24));
    let plane = Story::new(plane).passes(60).plane;
    assert_eq!(survivors(&plane), (4, 24));
    assert_eq!(plane.memory.split.as_ref().map(|split| split.change), Some(Change::CoverOver));
}

#[test]
fn the_cover_does_not_grow_with_what_it_made_run() {
    let mut plane = at_rest();
    plane.lose("c");
    let plane = Story::new(plane).passes(120).plane;
    assert_eq!(plane.members["a"].running() + plane.members["b"].running(), 12);
    assert_eq!(survivors(&plane), (12, 24));
}

#[test]
fn a_second_loss_is_covered_too_and_never_beyond_the_max() {
    let mut plane = at_rest();
    plane.lose("c");
    let mut plane = Story::new(plane).passes(60).plane;
    plane.lose("b");
    let (min, max) = survivors(&plane);
    assert_eq!(max, 24);
    assert!((12..=24).contains(&min), "{min}");
}

#[test]
fn a_cluster_that_is_only_no_candidate_any_more_needs_no_cover() {
    let mut plane = at_rest();
    plane.member("c").candidacy = Candidacy::Excluded("not selected".into());
    let decision = plane.decide();
    assert_eq!(decision.split.unwrap().cover, None);
}

#[test]
fn dying_before_the_status_is_written_covers_all_the_same() {
    let mut plane = at_rest();
    plane.lose("c");
    let decision = plane.decide();
    plane.act(&decision, 2);
    assert!(plane.memory.split.as_ref().unwrap().cover.is_none(), "the status was not written");
    for _ in 0..20 {
        plane.second();
    }
    let (min, max) = survivors(&plane);
    assert!((12..=24).contains(&min), "{min}");
    assert_eq!(max, 24);
}
