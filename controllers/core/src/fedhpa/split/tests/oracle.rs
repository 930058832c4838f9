//! Every possible allocation of tiny totals, judged by the rules alone: the division must be among the best.

use proptest::prelude::*;

use super::*;

const CLUSTERS: usize = 3;
const LARGEST: u32 = 8;

/// Lower is better, the first entry that differs decides.
type Merit = Vec<u64>;

/// What the rules say of maxes, in their order of precedence.
fn merit_of_maxes(maxes: &[u32], claims: &[Claim], total: u32) -> Merit {
    let placed: u32 = maxes.iter().sum();
    let missing = |what: fn(&Claim) -> u32| -> u64 {
        claims
            .iter()
            .zip(maxes)
            .map(|(claim, max)| u64::from(what(claim).min(claim.ceiling).saturating_sub(*max)))
            .sum()
    };
    let floors = missing(|claim| claim.floor);
    // Then one more than what runs, and then thirst.
    let tense = if floors == 0 { missing(|claim| claim.demand + claim.demand.min(1)) } else { 0 };
    let thirsty = if floors + tense == 0 { missing(|claim| claim.demand + claim.thirst) } else { 0 };
    let mut merit = vec![
        u64::from(total - placed),
        missing(|claim| claim.demand),
        maxes.iter().filter(|max| **max == 0).count() as u64,
        floors,
        tense,
        thirsty,
    ];
    merit.extend(later_tiers(maxes, claims));
    // Once everything wanted is covered, the rest is proportional.
    merit.push(if floors + tense + thirsty == 0 { disproportion(maxes, claims) } else { 0 });
    merit
}

fn merit_of_mins(mins: &[u32], claims: &[Claim]) -> Merit {
    let mut merit = later_tiers(mins, claims);
    merit.push(disproportion(mins, claims));
    merit
}

/// What each tier lacks: earlier tiers are filled first.
fn later_tiers(seats: &[u32], claims: &[Claim]) -> Vec<u64> {
    let in_tier = |tier: u32| -> u64 {
        let here = claims.iter().zip(seats).filter(|(claim, _)| claim.tier == tier);
        here.map(|(_, seats)| u64::from(*seats)).sum()
    };
    (0..2).map(|tier| 100 - in_tier(tier)).collect()
}

/// Webster's method minimises the sum of squares over weights: the
/// weights here are at most 4, so 12 is a common denominator.
fn disproportion(seats: &[u32], claims: &[Claim]) -> u64 {
    seats.iter().zip(claims).map(|(seats, claim)| u64::from(seats * seats) * 12 / claim.weight).sum()
}

fn allocations(uppers: &[u32]) -> Vec<Vec<u32>> {
    uppers.iter().fold(vec![Vec::new()], |so_far, upper| {
        so_far
            .iter()
            .flat_map(|head| (0..=*upper).map(|seats| [head.clone(), vec![seats]].concat()))
            .collect()
    })
}

/// The least merit among the allocations of at most `total` for which `allowed`.
fn best(uppers: &[u32], allowed: impl Fn(&[u32]) -> bool, merit: impl Fn(&[u32]) -> Merit) -> Merit {
    allocations(uppers).iter().filter(|seats| allowed(seats)).map(|seats| merit(seats)).min().unwrap()
}

/// Claims that may not sleep, so that who takes part is no question.
fn obliged() -> impl Strategy<Value = Vec<Claim>> {
    let claim = (0_u32..2, 1_u64..5, 1_u32..4, 1_u32..=LARGEST, 0_u32..6, 0_u32..3);
    let claim = claim.prop_filter_map("twelfths", |(tier, weight, floor, ceiling, demand, thirst)| {
        let floor = floor.min(ceiling);
        Some(Claim {
            tier,
            weight,
            floor,
            ceiling,
            demand,
            thirst,
            cap: ceiling,
            awake: demand > 0,
            to_zero: false,
        })
    });
    prop::collection::vec(claim, 1..=CLUSTERS)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_other_allocation_of_maxes_is_better_by_the_rules(of in obliged(), total in 1..=LARGEST) {
        let named = claims(of.clone());
        let (split, _) = divide(Bounds { min: 1, max: total }, &named, Floors::ByWeight);
        let maxes: Vec<u32> = named.keys().map(|name| split.shares.get(name).map_or(0, |share| share.max)).collect();
        let uppers: Vec<u32> = of.iter().map(|claim| claim.ceiling).collect();
        let least = best(
            &uppers,
            |maxes| maxes.iter().sum::<u32>() <= total,
            |maxes| merit_of_maxes(maxes, &of, total),
        );
        prop_assert!(maxes.iter().zip(&uppers).all(|(max, upper)| max <= upper), "{maxes:?}");
        prop_assert_eq!(merit_of_maxes(&maxes, &of, total), least, "{:?}", maxes);
    }

    #[test]
    fn no_other_allocation_of_mins_is_better_by_the_rules(of in obliged(), max in 1..=LARGEST, min in 1..=LARGEST) {
        let totals = Bounds { min: min.min(max), max };
        let named = claims(of.clone());
        let (split, _) = divide(totals, &named, Floors::ByWeight);
        let share = |name: &String| split.shares.get(name).copied().unwrap_or_default();
        let (mins, maxes): (Vec<u32>, Vec<u32>) = named.keys().map(|name| (share(name).min, share(name).max)).unzip();
        let lowers: Vec<u32> = of.iter().zip(&maxes).map(|(claim, max)| claim.floor.min(*max)).collect();
        let wanted = totals.min.max(lowers.iter().sum()).min(maxes.iter().sum());
        let allowed = |mins: &[u32]| {
            mins.iter().zip(&lowers).all(|(min, lower)| min >= lower) && mins.iter().sum::<u32>() == wanted
        };
        prop_assert!(allowed(&mins), "{mins:?} for {wanted}");
        prop_assert_eq!(merit_of_mins(&mins, &of), best(&maxes, allowed, |mins| merit_of_mins(mins, &of)));
    }
}
