//! What holds of every division, whatever its size.

use proptest::prelude::*;

use super::*;

fn claim() -> impl Strategy<Value = Claim> {
    let ceiling = prop_oneof![3 => 0_u32..200, 1 => Just(u32::MAX)];
    (0_u32..3, 0_u64..1000, 0_u32..8, ceiling, 0_u32..60, 0_u32..10, any::<(bool, bool)>()).prop_map(
        |(tier, weight, floor, ceiling, demand, thirst, (awake, to_zero))| Claim {
            tier,
            weight,
            floor: floor.saturating_sub(4).min(ceiling),
            cap: ceiling,
            ceiling,
            demand,
            thirst: thirst.min(demand),
            awake: awake || demand > 0,
            to_zero,
        },
    )
}

fn fleet() -> impl Strategy<Value = BTreeMap<String, Claim>> {
    prop::collection::vec(claim(), 1..9).prop_map(claims)
}

fn totals() -> impl Strategy<Value = Bounds> {
    (1_u32..400, 0_u32..400).prop_map(|(max, min)| Bounds { min: min.min(max), max })
}

fn both() -> impl Strategy<Value = Floors> {
    prop_oneof![Just(Floors::ByWeight), Just(Floors::UnderWhatRuns)]
}

fn max_of(split: &Split, name: &str) -> u32 {
    split.shares.get(name).map_or(0, |share| share.max)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_maxes_add_up_to_the_total_as_far_as_ceilings_allow(of in fleet(), totals in totals(), floors in both()) {
        let (split, _) = divide(totals, &of, floors);
        let ceilings: u64 = of.values().map(|claim| u64::from(claim.ceiling)).sum();
        let placed = u64::from(split.totals().max);
        prop_assert_eq!(placed, u64::from(totals.max).min(ceilings));
        prop_assert_eq!(u64::from(split.unplaced), u64::from(totals.max) - placed);
    }

    #[test]
    fn the_mins_add_up_to_the_total_or_to_what_presence_and_floors_need(
        of in fleet(), totals in totals(), floors in both(),
    ) {
        let (split, _) = divide(totals, &of, floors);
        let least = |claim: &Claim| claim.floor.max(u32::from(!claim.to_zero));
        let needed: u32 = split.shares.iter().map(|(name, share)| least(&of[name]).min(share.max)).sum();
        prop_assert_eq!(split.totals().min, totals.min.max(needed).min(split.totals().max));
    }

    #[test]
    fn each_share_keeps_its_bounds(of in fleet(), totals in totals(), floors in both()) {
        let (split, reasons) = divide(totals, &of, floors);
        for (name, share) in &split.shares {
            let claim = &of[name];
            prop_assert!(u32::from(!claim.to_zero) <= share.min && 1 <= share.max, "{name} {share:?}");
            prop_assert!(share.min <= share.max && share.max <= claim.ceiling, "{name} {share:?}");
        }
        let floors_hold = of.iter().all(|(name, claim)| split.shares.get(name).map_or(0, |share| share.min) >= claim.floor);
        let floors_fit = of.values().map(|claim| u64::from(claim.demand.max(claim.floor).max(1).min(claim.ceiling))).sum::<u64>() <= u64::from(totals.max);
        prop_assert!(floors_hold || !floors_fit, "{split:?} {reasons:?}");
    }

    #[test]
    fn what_runs_is_covered_or_fills_the_whole_total(of in fleet(), totals in totals(), floors in both()) {
        let (split, _) = divide(totals, &of, floors);
        // One replica is mere presence: it may move elsewhere for the sake of a small min.
        let load = |claim: &Claim| if claim.demand > 1 { claim.demand.min(claim.ceiling) } else { 0 };
        let short = of.iter().any(|(name, claim)| max_of(&split, name) < load(claim));
        let beyond = of.iter().any(|(name, claim)| max_of(&split, name) > claim.demand.max(1));
        prop_assert!(!(short && beyond), "{split:?}");
    }

    #[test]
    fn a_higher_max_takes_nothing_from_anybody(of in fleet(), totals in totals(), floors in both()) {
        let (fewer, _) = divide(totals, &of, floors);
        let (more, _) = divide(Bounds { max: totals.max + 1, ..totals }, &of, floors);
        for name in of.keys() {
            prop_assert!(max_of(&fewer, name) <= max_of(&more, name), "{name}: {fewer:?} {more:?}");
        }
    }

    #[test]
    fn a_later_tier_has_more_than_its_due_only_where_earlier_ones_are_full(
        of in fleet(), totals in totals(), floors in both(),
    ) {
        let (split, _) = divide(totals, &of, floors);
        let due = |claim: &Claim| (claim.demand + claim.thirst.max(claim.demand.min(1))).max(claim.floor).max(1).min(claim.ceiling);
        for (later, claim) in &of {
            if max_of(&split, later) <= due(claim) {
                continue;
            }
            for (earlier, before) in of.iter().filter(|(_, before)| before.tier < claim.tier) {
                prop_assert_eq!(max_of(&split, earlier), before.ceiling, "{} before {}: {:?}", earlier, later, split);
            }
        }
    }

    #[test]
    fn taking_over_moves_nothing_where_the_total_allows_it(
        found in prop::collection::vec((claim(), 0_u32..30), 1..9), min in 0_u32..200, spare in 0_u32..100,
    ) {
        let fitting = |(claim, room): (Claim, u32)| {
            let demand = claim.demand.min(claim.ceiling);
            Claim { demand, floor: claim.floor.min(demand), ceiling: demand.saturating_add(room), ..claim }
        };
        let of = claims(found.into_iter().map(fitting));
        let running: u32 = of.values().map(|claim| claim.demand).sum();
        prop_assume!(running > 0);
        let totals = Bounds { min: min.min(running), max: running + spare };
        let (split, _) = divide(totals, &of, Floors::UnderWhatRuns);
        for (name, claim) in &of {
            let share = split.shares.get(name).copied().unwrap_or_default();
            prop_assert!(share.min <= claim.demand.max(1) && claim.demand <= share.max, "{name} {share:?}");
            let holds = |other: &&Claim| if other.tier <= claim.tier { other.ceiling } else { other.demand };
            let held: u64 = of.values().filter(|other| other.demand > 0).map(|other| u64::from(holds(&other))).sum();
            let needed = held < u64::from(totals.max);
            prop_assert!(claim.demand > 0 || share.max == 0 || needed, "{name} is woken: {share:?}");
        }
    }

    #[test]
    fn headroom_of_equals_differs_by_one_at_most(totals in totals(), clusters in 1_usize..9, weight in 0_u64..50) {
        let of = claims(vec![Claim { weight, floor: 1, ..idle() }; clusters]);
        let (split, _) = divide(totals, &of, Floors::ByWeight);
        let maxes: Vec<u32> = of.keys().map(|name| max_of(&split, name)).collect();
        prop_assert!(maxes.iter().max().unwrap() - maxes.iter().min().unwrap() <= 1, "{maxes:?}");
    }

    #[test]
    fn the_names_settle_ties_and_nothing_else(of in fleet(), totals in totals(), floors in both()) {
        let renamed = of.iter().map(|(name, claim)| (format!("x-{name}"), claim.clone())).collect();
        let (split, _) = divide(totals, &of, floors);
        let (other, _) = divide(totals, &renamed, floors);
        prop_assert!(split.shares.values().eq(other.shares.values()));
        let renamed: Vec<String> = split.shares.keys().map(|name| format!("x-{name}")).collect();
        prop_assert_eq!(renamed, other.shares.into_keys().collect::<Vec<_>>());
    }
}

#[test]
fn the_largest_numbers_are_divided_at_once() {
    let of = claims(vec![Claim { weight: 1 << 30, demand: 1 << 20, ..idle() }; 26]);
    let (split, _) = divide(Bounds { min: 1 << 28, max: u32::MAX }, &of, Floors::ByWeight);
    assert_eq!(split.totals(), Bounds { min: 1 << 28, max: u32::MAX });
}
