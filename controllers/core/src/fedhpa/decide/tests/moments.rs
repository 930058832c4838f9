//! Single decisions on facts that a course would not come to by itself.

use super::{
    plane::{Plane, policy},
    story::Story,
    *,
};
use crate::{reading::Reading, room::Free};

/// Three clusters with 4 replicas each under 1..8, at rest for long.
fn at_rest() -> Plane {
    let plane = Plane::running(policy(4, 24), &[("a", 4, 40), ("b", 4, 40), ("c", 4, 40)]);
    Story::new(plane).passes(900).plane
}

fn written_back(decision: &Decision) -> Option<&BTreeMap<String, u32>> {
    decision.writes.iter().find_map(|write| match write {
        Write::WriteBack { clusters, .. } => Some(clusters),
        Write::AddFinalizer
        | Write::HoldScheduling
        | Write::Retain { .. }
        | Write::EnsureHpa { .. }
        | Write::RemoveHpa { .. }
        | Write::Unretain
        | Write::ResumeScheduling
        | Write::RemoveFinalizer => None,
    })
}

fn installed(decision: &Decision, name: &str) -> Option<Bounds> {
    decision.writes.iter().find_map(|write| match write {
        Write::EnsureHpa { cluster, install, .. } if cluster == name => Some(install.bounds),
        Write::EnsureHpa { .. }
        | Write::AddFinalizer
        | Write::HoldScheduling
        | Write::Retain { .. }
        | Write::RemoveHpa { .. }
        | Write::WriteBack { .. }
        | Write::Unretain
        | Write::ResumeScheduling
        | Write::RemoveFinalizer => None,
    })
}

fn report_of<'a>(facts: &'a mut Facts, name: &str) -> &'a mut HpaReport {
    let hpa = facts.clusters.get_mut(name).and_then(|cluster| cluster.hpa.as_mut());
    match hpa.map(|hpa| &mut hpa.report) {
        Some(Reading::Fresh(report)) => report,
        other => panic!("no report but {other:?}"),
    }
}

#[test]
fn a_cluster_that_karmada_evicts_is_not_put_back_into_the_binding() {
    let plane = at_rest();
    let mut facts = plane.facts();
    facts.clusters.get_mut("c").unwrap().candidacy = Candidacy::Evicting;
    facts.binding.as_mut().unwrap().clusters.remove("c");
    let decision = decide(&plane.policy, &facts);
    let clusters = written_back(&decision).expect("the sum is smaller now");
    assert_eq!(clusters.keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_candidate_that_others_took_out_of_the_binding_is_put_back() {
    let plane = at_rest();
    let mut facts = plane.facts();
    facts.binding.as_mut().unwrap().clusters.remove("c");
    let decision = decide(&plane.policy, &facts);
    assert_eq!(written_back(&decision).and_then(|clusters| clusters.get("c")), Some(&4));
}

#[test]
fn a_member_scaled_to_zero_by_hand_is_not_kept_there() {
    let plane = at_rest();
    let mut facts = plane.facts();
    let report = report_of(&mut facts, "c");
    (report.current, report.desired) = (0, 0);
    let workload = &mut facts.clusters.get_mut("c").unwrap().workload;
    *workload = Reading::Fresh(crate::fedhpa::facts::MemberWorkload { replicas: 0, ready: 0 });
    let decision = decide(&plane.policy, &facts);
    assert_eq!(written_back(&decision).and_then(|clusters| clusters.get("c")), Some(&1));
}

#[test]
fn pods_that_no_node_takes_do_not_hold_share_for_ever() {
    let plane = at_rest();
    let mut facts = plane.facts();
    let report = report_of(&mut facts, "c");
    (report.current, report.desired) = (8, 8);
    let cluster = facts.clusters.get_mut("c").unwrap();
    cluster.workload = Reading::Fresh(crate::fedhpa::facts::MemberWorkload { replicas: 8, ready: 4 });
    cluster.free = cluster.free.clone().map(|free| Free { fit: 0, naive: 0, unbound: 4, ..free });
    let split = facts.memory.split.as_mut().unwrap();
    split.shares.get_mut("c").unwrap().max = 4;
    split.shares.get_mut("a").unwrap().max = 12;
    let decision = decide(&plane.policy, &facts);
    assert_eq!(installed(&decision, "c"), Some(Bounds { min: 1, max: 4 }));
}

#[test]
fn a_pinned_share_says_nothing_of_more_load() {
    let plane = at_rest();
    let mut facts = plane.facts();
    facts.memory.split.as_mut().unwrap().shares.insert("c".into(), Bounds::pinned(4));
    facts.clusters.get_mut("c").and_then(|cluster| cluster.hpa.as_mut()).unwrap().bounds = Bounds::pinned(4);
    assert!(decide(&plane.policy, &facts).saturated.is_empty());
    report_of(&mut facts, "c").capped = Some(true);
    assert_eq!(decide(&plane.policy, &facts).saturated.into_iter().collect::<Vec<_>>(), ["c"]);
}

#[test]
fn the_policys_spread_limits_hold() {
    let mut plane = Plane::running(policy(9, 24), &[("a", 9, 40), ("b", 0, 40), ("c", 0, 40)]);
    plane.binding.as_mut().unwrap().max_groups = Some(2);
    let plane = Story::new(plane).passes(900).plane;
    let awake = plane.members.values().filter(|member| member.hpa.is_some()).count();
    assert_eq!(awake, 2);
}

#[test]
fn an_open_round_is_looked_at_again() {
    let mut plane = at_rest();
    plane.memory.round = Some(crate::fedhpa::facts::Round {
        template_version: "999".into(),
        replicas: 12,
        started: plane.facts().now,
        acknowledged: None,
    });
    let decision = plane.decide();
    assert_eq!(decision.look_again, Some(plane.facts().now + chrono::TimeDelta::seconds(5)));
}
