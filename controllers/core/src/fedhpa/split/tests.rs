//! Examples that a reader can follow; the oracle and the properties are beside them.

mod dormancy;
mod oracle;
mod properties;

use super::*;

/// A claim of weight 1 in tier 0 with nothing running and no limits.
fn idle() -> Claim {
    Claim {
        tier: 0,
        weight: 1,
        floor: 0,
        cap: u32::MAX,
        ceiling: u32::MAX,
        demand: 0,
        thirst: 0,
        awake: false,
        to_zero: false,
    }
}

fn running(demand: u32) -> Claim {
    Claim { demand, awake: demand > 0, ..idle() }
}

fn claims(of: impl IntoIterator<Item = Claim>) -> BTreeMap<String, Claim> {
    ('a'..='z').map(String::from).zip(of).collect()
}

fn divide(totals: Bounds, of: &BTreeMap<String, Claim>, floors: Floors) -> (Split, Vec<String>) {
    let mut trail = Trail::default();
    let split = ideal(totals, Groups::ANY, of, floors, &mut trail);
    (split, trail.lines())
}

/// `a 1..5, b 1..5; 2 unplaced; REASON`
fn told(totals: (u32, u32), of: impl IntoIterator<Item = Claim>) -> String {
    told_as(totals, of, Floors::ByWeight)
}

fn told_as((min, max): (u32, u32), of: impl IntoIterator<Item = Claim>, floors: Floors) -> String {
    let (split, reasons) = divide(Bounds { min, max }, &claims(of), floors);
    let shares: Vec<String> =
        split.shares.iter().map(|(name, share)| format!("{name} {}..{}", share.min, share.max)).collect();
    [vec![shares.join(", ")], reasons].concat().join("; ")
}

#[test]
fn where_hpas_may_go_to_zero_a_min_of_0_is_0() {
    let able = || Claim { to_zero: true, ..running(1) };
    assert_eq!(told((0, 20), [able(), able()]), "a 0..10, b 0..10");
    assert_eq!(
        told((0, 20), [able(), Claim { floor: 2, ..able() }]),
        "a 0..10, b 2..10; min 0 counts as 2: an HPA needs at least one replica in each active cluster"
    );
    assert_eq!(told((0, 20), [able(), running(1)]), "a 0..20", "who cannot is not needed");
    assert_eq!(
        told((0, 20), [able(), running(2)]),
        "a 0..10, b 1..10; min 0 counts as 1: an HPA needs at least one replica in each active cluster"
    );
    assert_eq!(told((3, 20), [able(), able()]), "a 2..10, b 1..10");
}

#[test]
fn idle_clusters_share_both_totals_by_weight() {
    let weights = [5, 3, 2].map(|weight| Claim { weight, ..idle() });
    assert_eq!(told((10, 100), weights), "a 5..50, b 3..30, c 2..20");
}

#[test]
fn demand_is_covered_before_headroom_is_spread() {
    assert_eq!(told((3, 20), [running(14), running(1), running(1)]), "a 1..15, b 1..3, c 1..2");
}

#[test]
fn a_thirsty_cluster_is_granted_more_before_the_rest_is_spread() {
    let thirsty = Claim { thirst: 4, ..running(12) };
    assert_eq!(told((2, 20), [thirsty, running(2)]), "a 1..16, b 1..4");
}

#[test]
fn thirst_never_takes_what_runs_elsewhere() {
    let thirsty = Claim { thirst: 2, ..running(8) };
    assert_eq!(told((2, 12), [thirsty, running(4)]), "a 1..8, b 1..4");
}

#[test]
fn a_second_tier_only_gets_what_the_first_cannot_hold() {
    let own = |ceiling| Claim { ceiling, ..running(2) };
    let cloud = Claim { tier: 1, weight: 100, ..idle() };
    assert_eq!(told((4, 20), [own(10), own(9), cloud.clone()]), "a 2..10, b 1..9, c 1..1");
    assert_eq!(told((4, 19), [own(10), own(9), cloud.clone()]), "a 2..10, b 2..9");
    assert_eq!(told((4, 30), [own(10), own(9), cloud]), "a 2..10, b 1..9, c 1..11");
}

#[test]
fn a_second_tier_keeps_what_runs_there_and_gives_it_back_first() {
    let cloud = Claim { tier: 1, ..running(8) };
    assert_eq!(told((2, 20), [running(8), cloud.clone()]), "a 1..11, b 1..9");
    assert_eq!(
        told((2, 10), [running(8), cloud]),
        "a 1..8, b 1..2; 16 run or are wanted, more than max 10: the rest is cut"
    );
}

#[test]
fn what_runs_goes_before_floors() {
    let floored = |floor| Claim { floor, ..idle() };
    assert_eq!(
        told((1, 6), [floored(4), running(4)]),
        "a 1..2, b 1..4; floors do not all fit into max 6; min 1 counts as 3: an HPA needs at least one replica \
         in each active cluster"
            .replace("a 1..2", "a 2..2")
    );
    assert_eq!(told((1, 5), [floored(1), running(5)]), "b 1..5");
}

#[test]
fn what_runs_in_a_later_tier_goes_before_a_floor_in_an_earlier_one() {
    let floored = Claim { floor: 1, ..idle() };
    assert_eq!(
        told((1, 1), [floored, Claim { tier: 1, ..running(5) }]),
        "b 1..1; 5 run or are wanted, more than max 1: the rest is cut"
    );
}

#[test]
fn a_cluster_is_not_woken_for_the_min_at_the_cost_of_what_runs() {
    assert_eq!(told((2, 5), [running(5), idle()]), "a 2..5");
}

#[test]
fn what_fits_nowhere_is_told() {
    let small = Claim { ceiling: 3, ..idle() };
    assert_eq!(
        told((8, 10), [small.clone(), small]),
        "a 3..3, b 3..3; 4 of the max fit nowhere: rooms and caps are used up"
    );
}

#[test]
fn taking_over_leaves_every_replica_where_it_is() {
    let found = [running(7), running(1), running(1), idle()];
    assert_eq!(
        told_as((2, 20), found.clone(), Floors::UnderWhatRuns),
        "a 1..8, b 1..6, c 1..6; min 2 counts as 3: an HPA needs at least one replica in each active cluster"
    );
    assert_eq!(told_as((9, 20), found.clone(), Floors::UnderWhatRuns), "a 7..8, b 1..6, c 1..6");
    assert_eq!(told((2, 20), found), "a 1..10, b 1..10");
}

#[test]
fn taking_over_too_few_adds_only_what_the_min_lacks() {
    assert_eq!(told_as((12, 20), [running(7), running(2)], Floors::UnderWhatRuns), "a 7..10, b 5..10");
}

#[test]
fn the_spread_limits_of_the_policy_hold() {
    let totals = Bounds { min: 3, max: 9 };
    let of = |fewest, most, claims: &BTreeMap<String, Claim>| {
        let split = ideal(totals, Groups { fewest, most }, claims, Floors::ByWeight, &mut Trail::default());
        split.shares.into_keys().collect::<String>()
    };
    let idle = claims([idle(), idle(), idle(), idle()]);
    assert_eq!(of(0, 9, &idle), "abc", "as many as the min feeds");
    assert_eq!(of(0, 2, &idle), "ab", "nobody is woken beyond the limit");
    assert_eq!(of(4, 9, &idle), "abcd", "nobody sleeps below the limit");
    let busy = claims([running(2), running(2), running(2)]);
    assert_eq!(of(0, 2, &busy), "abc", "what runs is not put to sleep by a limit");
}
