//! Who takes part when the min is smaller than the number of clusters.

use proptest::prelude::*;

use super::*;

fn awake(of: impl IntoIterator<Item = Claim>, totals: (u32, u32)) -> String {
    let (split, _) = divide(Bounds { min: totals.0, max: totals.1 }, &claims(of), Floors::ByWeight);
    split.shares.into_keys().collect()
}

#[test]
fn no_more_clusters_are_awake_than_the_min_feeds() {
    assert_eq!(awake(vec![idle(); 5], (2, 9)), "ab");
}

#[test]
fn a_min_of_zero_counts_as_one() {
    assert_eq!(awake(vec![idle(); 3], (0, 9)), "a");
}

#[test]
fn among_equals_those_stay_awake_that_are() {
    let there = Claim { awake: true, demand: 1, ..idle() };
    assert_eq!(awake([idle(), there.clone(), idle(), there], (2, 9)), "bd");
}

#[test]
fn load_keeps_a_cluster_awake() {
    assert_eq!(awake([running(3), running(1), running(2)], (1, 9)), "ac");
}

#[test]
fn a_floor_keeps_a_cluster_awake() {
    assert_eq!(awake([idle(), idle(), Claim { floor: 1, ..idle() }], (1, 9)), "c");
}

#[test]
fn clusters_are_woken_while_nobody_else_can_hold_the_max_and_get_only_that() {
    let small = || Claim { ceiling: 4, ..idle() };
    assert_eq!(told((1, 4), [small(), small(), small()]), "a 1..4");
    assert_eq!(
        told((2, 9), [small(), small(), small()]),
        "a 1..4, b 1..4, c 1..1; min 2 counts as 3: an HPA needs at least one replica in each active cluster"
    );
}

#[test]
fn a_later_tier_sleeps_while_an_earlier_one_can_hold_the_max() {
    let cloud = Claim { tier: 1, ..idle() };
    assert_eq!(awake([Claim { ceiling: 9, ..idle() }, cloud.clone()], (2, 9)), "a");
    assert_eq!(awake([Claim { ceiling: 8, ..idle() }, cloud], (2, 9)), "ab");
}

#[test]
fn a_cluster_is_woken_before_a_later_tier_is_given_more_than_it_runs() {
    let small = || Claim { ceiling: 6, ..idle() };
    let cloud = Claim { tier: 1, ..running(2) };
    assert_eq!(
        told((1, 12), [small(), small(), cloud]),
        "a 1..6, b 1..3, c 1..3; min 1 counts as 3: an HPA needs at least one replica in each active cluster"
    );
}

#[test]
fn a_cluster_without_room_takes_no_part() {
    assert_eq!(awake([Claim { ceiling: 0, ..running(3) }, idle()], (1, 9)), "b");
}

fn small_claims() -> impl Strategy<Value = Vec<Claim>> {
    let claim = (0_u32..2, 0_u32..2, 0_u32..6, 0_u32..4, any::<bool>()).prop_map(
        |(tier, floor, ceiling, demand, awake)| Claim {
            tier,
            floor: floor.min(ceiling),
            ceiling,
            demand,
            awake: awake || demand > 0,
            ..idle()
        },
    );
    prop::collection::vec(claim, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_woken_without_need(of in small_claims(), min in 0_u32..8, spread in 0_u32..8) {
        let max = (min + spread).max(1);
        let named = claims(of);
        let (split, _) = divide(Bounds { min, max }, &named, Floors::ByWeight);
        let must = |claim: &Claim| claim.ceiling > 0 && (claim.floor > 0 || claim.demand > 1);
        let (obliged, optional): (Vec<_>, Vec<_>) = named.iter().partition(|(_, claim)| must(claim));
        let woken = optional.iter().filter(|(name, _)| split.shares.contains_key(*name));
        for (name, claim) in woken {
            // Later tiers are relieved of all but what runs there.
            let holds = |other: &Claim| if other.tier <= claim.tier { other.ceiling } else { other.demand.max(1).min(other.ceiling) };
            let held: u32 = obliged.iter().map(|(_, other)| holds(other)).sum();
            prop_assert!(obliged.len() < usize::try_from(min).unwrap() || held < max, "{name} in {split:?}");
        }
    }

    #[test]
    fn a_tier_sleeps_only_whole_clusters_and_never_leaves_the_total_unplaced(
        of in small_claims(), min in 0_u32..8, spread in 0_u32..8,
    ) {
        let max = (min + spread).max(1);
        let named = claims(of);
        let (split, _) = divide(Bounds { min, max }, &named, Floors::ByWeight);
        let ceilings: u32 = named.values().map(|claim| claim.ceiling).sum();
        prop_assert_eq!(split.totals().max, max.min(ceilings));
        prop_assert!(ceilings == 0 || !split.shares.is_empty());
    }
}
