//! Later tiers give back first.
//!
//! Responsible for when the load of a later tier is no claim: when the tiers before it can hold the whole total. Then a
//! rented cluster is of no use and has to go, although it runs replicas; these fit elsewhere, and
//! [`moves`](super::moves) sees to that. While the total needs a tier, what runs there stays: nothing is cut to bring
//! part of it home. Knows nothing of how anything moves.

use std::collections::{BTreeMap, BTreeSet};

use super::split::Claim;

/// Takes the demand from the claims of tiers that `total` does not need. Whose demand was taken.
pub fn homeward(total: u32, claims: &mut BTreeMap<String, Claim>) -> BTreeSet<String> {
    let mut sent = BTreeSet::new();
    let tiers: BTreeSet<u32> = claims.values().map(|claim| claim.tier).collect();
    let mut held = 0_u64;
    for tier in tiers {
        let here = || claims.values().filter(|claim| claim.tier == tier);
        let ceilings: u64 = here().map(|claim| u64::from(claim.ceiling)).sum();
        if held >= u64::from(total) {
            for (name, claim) in claims.iter_mut().filter(|(_, claim)| claim.tier == tier && claim.demand > 0)
            {
                claim.demand = 0;
                sent.insert(name.clone());
            }
        }
        held = held.saturating_add(ceilings);
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(tier: u32, ceiling: u32, demand: u32) -> Claim {
        Claim {
            tier,
            weight: 1,
            floor: 0,
            cap: u32::MAX,
            ceiling,
            demand,
            thirst: 0,
            awake: true,
            to_zero: false,
        }
    }

    fn demands(total: u32, mut claims: BTreeMap<String, Claim>) -> Vec<u32> {
        homeward(total, &mut claims);
        claims.into_values().map(|claim| claim.demand).collect()
    }

    fn named<const N: usize>(claims: [Claim; N]) -> BTreeMap<String, Claim> {
        ["a", "b", "c", "d"].into_iter().map(str::to_owned).zip(claims).collect()
    }

    #[test]
    fn a_tier_that_the_total_does_not_need_has_no_claim() {
        assert_eq!(demands(20, named([claim(0, 20, 8), claim(1, 10, 5)])), [8, 0]);
    }

    #[test]
    fn a_tier_that_the_total_needs_keeps_what_it_runs() {
        assert_eq!(demands(21, named([claim(0, 20, 8), claim(1, 10, 5), claim(2, 10, 9)])), [8, 5, 0]);
    }

    #[test]
    fn within_one_tier_nobody_gives_anything_back() {
        assert_eq!(demands(5, named([claim(0, 20, 1), claim(0, 10, 9)])), [1, 9]);
    }
}
