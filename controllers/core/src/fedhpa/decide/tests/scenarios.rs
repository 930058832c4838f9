//! Whole courses as text.

#![expect(clippy::too_many_lines, reason = "a story is as long as it is")]

use super::{
    plane::{Plane, policy, rule},
    story::Story,
    *,
};
use crate::fedhpa::policy::{Distribution, Strategy, Terms};

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
    insta::assert_snapshot!(text, @r#"
       0 s  finalizer on; hold scheduling; retain
            totals 4..30 (min by the spec, max by the spec); divided for the first time; share moves from nobody to cloud, idc-a, idc-b
            Distributed=False Moving: share moves: none give, cloud, idc-a, idc-b wait
       5 s  HPA of cloud 1..10; HPA of idc-a 2..12; HPA of idc-b 1..8
            totals 4..30 (min by the spec, max by the spec)
            Distributed=False Writing: shares are being written
      10 s  -
            totals 4..30 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
    == at the end
       cloud runs 1, HPA 1..10, entry 1
       idc-a runs 6, HPA 2..12, entry 6
       idc-b runs 3, HPA 1..8, entry 3
       template 10, binding 10
    "#);
}

#[test]
fn a_manifest_with_replicas_is_applied_again() {
    let text = at_rest().then("kubectl apply, replicas: 3", |plane| plane.scale(3)).passes(60).text();
    insta::assert_snapshot!(text, @r#"
    -- kubectl apply, replicas: 3
       0 s  scale 12
            totals 4..24 (min by the spec, max by the spec)
            Synchronized=False Writing: a write-back round is under way
       5 s  -
            totals 4..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
    == at the end
       a runs 4, HPA 2..8, entry 4
       b runs 4, HPA 1..8, entry 4
       c runs 4, HPA 1..8, entry 4
       template 12, binding 12
    "#);
}

#[test]
fn a_gitops_tool_sets_the_replicas_every_minute() {
    let mut story = at_rest();
    for _ in 0..5 {
        story = story.then("replicas: 3", |plane| plane.scale(3)).passes(60);
    }
    let text = story.passes(300).text();
    insta::assert_snapshot!(text, @r#"
    -- replicas: 3
       0 s  scale 12
            totals 4..24 (min by the spec, max by the spec)
            Synchronized=False Writing: a write-back round is under way
       5 s  -
            totals 4..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
    -- replicas: 3
      60 s  scale 12
            totals 4..24 (min by the spec, max by the spec)
            Synchronized=False Writing: a write-back round is under way
      65 s  -
            totals 4..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
    -- replicas: 3
     120 s  scale 12
            totals 4..24 (min by the spec, max by the spec)
            Synchronized=False Writing: a write-back round is under way
     125 s  -
            totals 4..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
    -- replicas: 3
     180 s  scale 12
            totals 4..24 (min by the spec, max by the spec)
            Synchronized=False Writing: a write-back round is under way
     185 s  -
            totals 4..24 (min by the spec, max by the spec); others set the workload's replicas 3 times: remove spec.replicas from the manifest
            Contested=True ReplicasReset: others set the workload's replicas 3 times: remove spec.replicas from the manifest
    -- replicas: 3
     240 s  -
            totals 4..24 (min by the spec, max by the spec); others set the workload's replicas 3 times: remove spec.replicas from the manifest
            Synchronized=False BackingOff: others set the workload's replicas; the next repair waits
            Contested=True ReplicasReset: others set the workload's replicas 3 times: remove spec.replicas from the manifest
     480 s  binding a 4, b 4, c 4; scale 12
            totals 4..24 (min by the spec, max by the spec); others set the workload's replicas 3 times: remove spec.replicas from the manifest
            Synchronized=False Writing: a write-back round is under way
            Contested=True ReplicasReset: others set the workload's replicas 3 times: remove spec.replicas from the manifest
     485 s  -
            totals 4..24 (min by the spec, max by the spec); others set the workload's replicas 4 times: remove spec.replicas from the manifest
            Contested=True ReplicasReset: others set the workload's replicas 4 times: remove spec.replicas from the manifest
    == at the end
       a runs 4, HPA 2..8, entry 4
       b runs 4, HPA 1..8, entry 4
       c runs 4, HPA 1..8, entry 4
       template 12, binding 12
    "#);
}

#[test]
fn one_cluster_is_at_its_max_and_headroom_follows() {
    let text = at_rest().then("load comes to a", |plane| plane.member("a").wish = 14).passes(400).text();
    insta::assert_snapshot!(text, @r#"
    -- load comes to a
       0 s  -
            totals 4..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
      15 s  HPA of b 1..7; HPA of c 1..7; binding a 8, b 4, c 4; scale 16
            totals 4..24 (min by the spec, max by the spec); headroom moves to a: at its max while others have slack; share moves from nobody to a
            Distributed=False Moving: share moves: none give, a wait
            Synchronized=False Writing: a write-back round is under way
      20 s  -
            totals 4..24 (min by the spec, max by the spec); kept the split: the ideal differs by 1, within tolerance; share moves from nobody to a
            Distributed=False Moving: share moves: none give, a wait
      35 s  HPA of a 2..10
            totals 4..24 (min by the spec, max by the spec); kept the split: the ideal differs by 1, within tolerance
            Distributed=False Writing: shares are being written
      40 s  -
            totals 4..24 (min by the spec, max by the spec); kept the split: the ideal differs by 1, within tolerance
            Ready=True InOrder: members have their shares and the numbers are true
      60 s  binding a 10, b 4, c 4; scale 18
            totals 4..24 (min by the spec, max by the spec); kept the split: the ideal differs by 3, but the cooldown has not passed
            Synchronized=False Writing: a write-back round is under way
      65 s  -
            totals 4..24 (min by the spec, max by the spec); kept the split: the ideal differs by 3, but the cooldown has not passed
            Ready=True InOrder: members have their shares and the numbers are true
      75 s  HPA of b 1..6; HPA of c 1..5
            totals 4..24 (min by the spec, max by the spec); headroom moves to a: at its max while others have slack; share moves from nobody to a
            Distributed=False Moving: share moves: none give, a wait
      80 s  -
            totals 4..24 (min by the spec, max by the spec); kept the split: the ideal differs by 2, within tolerance; share moves from nobody to a
            Distributed=False Moving: share moves: none give, a wait
      95 s  HPA of a 2..13
            totals 4..24 (min by the spec, max by the spec); kept the split: the ideal differs by 2, within tolerance
            Distributed=False Writing: shares are being written
     100 s  -
            totals 4..24 (min by the spec, max by the spec); kept the split: the ideal differs by 2, within tolerance
            Ready=True InOrder: members have their shares and the numbers are true
     120 s  binding a 13, b 4, c 4; scale 21
            totals 4..24 (min by the spec, max by the spec); kept the split: the ideal differs by 1, within tolerance
            Synchronized=False Writing: a write-back round is under way
     125 s  -
            totals 4..24 (min by the spec, max by the spec); kept the split: the ideal differs by 1, within tolerance
            Ready=True InOrder: members have their shares and the numbers are true
     135 s  HPA of b 1..5
            totals 4..24 (min by the spec, max by the spec); headroom moves to a: at its max while others have slack; share moves from nobody to a
            Distributed=False Moving: share moves: none give, a wait
     140 s  -
            totals 4..24 (min by the spec, max by the spec); share moves from nobody to a
            Distributed=False Moving: share moves: none give, a wait
     155 s  HPA of a 2..14
            totals 4..24 (min by the spec, max by the spec)
            Distributed=False Writing: shares are being written
     160 s  -
            totals 4..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
     180 s  binding a 14, b 4, c 4; scale 22
            totals 4..24 (min by the spec, max by the spec)
            Synchronized=False Writing: a write-back round is under way
     185 s  -
            totals 4..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
    == at the end
       a runs 14, HPA 2..14, entry 14
       b runs 4, HPA 1..5, entry 4
       c runs 4, HPA 1..5, entry 4
       template 22, binding 22
    "#);
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
    insta::assert_snapshot!(text, @r#"
    -- c cannot be reached, its load goes to a and b
       0 s  HPA of a 6..12; HPA of b 6..12
            totals 4..24 (min by the spec, max by the spec); divided again without c; the survivors' mins sum to 12 for now, to cover what ran in clusters that are lost; unreachable clusters may run up to 8 beyond the max
            Distributed=False Writing: shares are being written
       5 s  -
            totals 4..24 (min by the spec, max by the spec); the survivors' mins sum to 12 for now, to cover what ran in clusters that are lost; unreachable clusters may run up to 8 beyond the max
            Ready=True InOrder: members have their shares and the numbers are true
      15 s  binding a 6, b 6, c 4; scale 16
            totals 4..24 (min by the spec, max by the spec); the survivors' mins sum to 12 for now, to cover what ran in clusters that are lost; unreachable clusters may run up to 8 beyond the max
            Synchronized=False Writing: a write-back round is under way
      20 s  -
            totals 4..24 (min by the spec, max by the spec); the survivors' mins sum to 12 for now, to cover what ran in clusters that are lost; unreachable clusters may run up to 8 beyond the max
            Ready=True InOrder: members have their shares and the numbers are true
    -- c is back
     120 s  HPA of a 2..8; HPA of b 1..8
            totals 4..24 (min by the spec, max by the spec); divided again with c; up to 8 more than the max for the time of the move
            Distributed=False Writing: shares are being written
     125 s  -
            totals 4..24 (min by the spec, max by the spec); up to 8 more than the max for the time of the move
            Ready=True InOrder: members have their shares and the numbers are true
     140 s  -
            totals 4..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
     150 s  binding a 4, b 4, c 4; scale 12
            totals 4..24 (min by the spec, max by the spec)
            Synchronized=False Writing: a write-back round is under way
     155 s  -
            totals 4..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
    == at the end
       a runs 4, HPA 2..8, entry 4
       b runs 4, HPA 1..8, entry 4
       c runs 4, HPA 1..8, entry 4
       template 12, binding 12
    "#);
}

#[test]
fn a_cluster_is_left_out_of_the_distribution() {
    let text = at_rest()
        .then("distribution.clusters names a and b only", |plane| {
            plane.policy.distribution.rules = vec![rule("a", Terms::default()), rule("b", Terms::default())];
        })
        .passes(300)
        .text();
    insta::assert_snapshot!(text, @r#"
    -- distribution.clusters names a and b only
       0 s  HPA of b 2..8; HPA of c 1..1
            totals 4..24 (min by the spec, max by the spec); divided again: the totals or the distribution changed; share moves from c to a, b
            Distributed=False Moving: share moves: c give, a, b wait
       5 s  -
            totals 4..24 (min by the spec, max by the spec); share moves from c to a, b
            Distributed=False Moving: share moves: c give, a, b wait
      30 s  binding a 4, b 4, c 1; scale 9
            totals 4..24 (min by the spec, max by the spec); share moves from c to a, b
            Distributed=False Moving: share moves: c give, a, b wait
            Synchronized=False Writing: a write-back round is under way
      35 s  -
            totals 4..24 (min by the spec, max by the spec); share moves from c to a, b
            Distributed=False Moving: share moves: c give, a, b wait
      45 s  HPA of a 2..12; HPA of b 2..11; no HPA of c
            totals 4..24 (min by the spec, max by the spec); share moves from c to b
            Distributed=False Moving: share moves: c give, b wait
      50 s  binding a 4, b 4; scale 8
            totals 4..24 (min by the spec, max by the spec); share moves from c to b
            Distributed=False Moving: share moves: c give, b wait
            Synchronized=False Writing: a write-back round is under way
      55 s  HPA of b 2..12
            totals 4..24 (min by the spec, max by the spec)
            Distributed=False Writing: shares are being written
      60 s  -
            totals 4..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
    == at the end
       a runs 4, HPA 2..12, entry 4
       b runs 4, HPA 2..12, entry 4
       c runs 0, no HPA, not in the binding
       template 8, binding 8
    "#);
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
    insta::assert_snapshot!(text, @r#"
    -- the night: totals 1..9, next to no load
       0 s  HPA of a 1..3; HPA of b 1..3; HPA of c 1..3
            totals 1..9 (min by the spec, max by the spec); divided again: the totals or the distribution changed; 12 run or are wanted, more than max 9: the rest is cut; min 1 counts as 3: an HPA needs at least one replica in each active cluster; up to 15 more than the max for the time of the move
            Distributed=False Writing: shares are being written
       5 s  -
            totals 1..9 (min by the spec, max by the spec); up to 15 more than the max for the time of the move
            Ready=True InOrder: members have their shares and the numbers are true
      15 s  binding a 2, b 1, c 1; scale 4
            totals 1..9 (min by the spec, max by the spec); up to 15 more than the max for the time of the move
            Synchronized=False Writing: a write-back round is under way
      20 s  -
            totals 1..9 (min by the spec, max by the spec); up to 15 more than the max for the time of the move
            Ready=True InOrder: members have their shares and the numbers are true
      30 s  binding a 1, b 1, c 1; scale 3
            totals 1..9 (min by the spec, max by the spec); kept the split: the ideal differs by 6, but the cooldown has not passed
            Synchronized=False Writing: a write-back round is under way
      35 s  -
            totals 1..9 (min by the spec, max by the spec); kept the split: the ideal differs by 6, but the cooldown has not passed
            Ready=True InOrder: members have their shares and the numbers are true
     300 s  HPA of b 1..1; HPA of c 1..1
            totals 1..9 (min by the spec, max by the spec); rebalanced: the ideal moved past tolerance, and the cooldown has passed; share moves from b, c to a
            Distributed=False Moving: share moves: b, c give, a wait
     305 s  -
            totals 1..9 (min by the spec, max by the spec); share moves from b, c to a
            Distributed=False Moving: share moves: b, c give, a wait
     320 s  HPA of a 1..7; no HPA of b; no HPA of c
     325 s  binding a 1; scale 1
            totals 1..9 (min by the spec, max by the spec); share moves from b, c to a
            Distributed=False Moving: share moves: b, c give, a wait
            Synchronized=False Writing: a write-back round is under way
     330 s  HPA of a 1..9
            totals 1..9 (min by the spec, max by the spec)
            Distributed=False Writing: shares are being written
     335 s  -
            totals 1..9 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
    -- the morning: totals 9..24
     600 s  HPA of a 3..8; binding a 1, b 3, c 3; scale 7
            totals 9..24 (min by the spec, max by the spec); divided again: the totals or the distribution changed; share moves from nobody to b, c
            Distributed=False Moving: share moves: none give, b, c wait
            Synchronized=False Writing: a write-back round is under way
     605 s  HPA of b 3..8; HPA of c 3..7
            totals 9..24 (min by the spec, max by the spec); share moves from nobody to c
            Distributed=False Moving: share moves: none give, c wait
     620 s  HPA of c 3..8
            totals 9..24 (min by the spec, max by the spec)
            Distributed=False Writing: shares are being written
     625 s  -
            totals 9..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
     630 s  binding a 3, b 3, c 3; scale 9
            totals 9..24 (min by the spec, max by the spec)
            Synchronized=False Writing: a write-back round is under way
     635 s  -
            totals 9..24 (min by the spec, max by the spec)
            Ready=True InOrder: members have their shares and the numbers are true
    == at the end
       a runs 3, HPA 3..8, entry 3
       b runs 3, HPA 3..8, entry 3
       c runs 3, HPA 3..8, entry 3
       template 9, binding 9
    "#);
}

#[test]
fn the_fedhpa_is_deleted() {
    let text = at_rest().then("kubectl delete", |plane| plane.deleting = Some(plane.now)).passes(120).text();
    insta::assert_snapshot!(text, @r#"
    -- kubectl delete
       0 s  no HPA of a; no HPA of b; no HPA of c
            Ready=False Releasing: the members' HPAs are being deleted
       5 s  unretain; resume scheduling; finalizer off
            Ready=False Released: the workload is Karmada's again, at its real counts
    == at the end
       a runs 4, no HPA, entry 4
       b runs 4, no HPA, entry 4
       c runs 4, no HPA, entry 4
       template 12, binding 12
    "#);
}
