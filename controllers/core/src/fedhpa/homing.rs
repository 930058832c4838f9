//! Later tiers give back first.
//!
//! Responsible for what of a later tier's load counts as its own claim: only what the tiers before it could not take.
//! So a rented cluster that runs replicas which would fit at home has no claim to keep them. Knows nothing of how they
//! come home ([`moves`](super::moves) sees to that, and cuts nothing that does not fit elsewhere).

use std::collections::{BTreeMap, BTreeSet};

use super::split::Claim;

/// Lowers the demand of each tier's claims by what the tiers before it have left over their own demand; within a tier
/// in the order of names.
pub fn homeward(claims: &mut BTreeMap<String, Claim>) {
    let tiers: BTreeSet<u32> = claims.values().map(|claim| claim.tier).collect();
    let mut spare = 0_u64;
    for tier in tiers {
        for claim in claims.values_mut().filter(|claim| claim.tier == tier) {
            let taken = u32::try_from(spare).unwrap_or(u32::MAX).min(claim.demand);
            claim.demand -= taken;
            spare -= u64::from(taken);
        }
        let left = |claim: &Claim| u64::from(claim.ceiling.saturating_sub(claim.demand));
        spare += claims.values().filter(|claim| claim.tier == tier).map(left).sum::<u64>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(tier: u32, ceiling: u32, demand: u32) -> Claim {
        Claim { tier, weight: 1, floor: 0, cap: u32::MAX, ceiling, demand, thirst: 0, awake: true }
    }

    fn demands(mut claims: BTreeMap<String, Claim>) -> Vec<u32> {
        homeward(&mut claims);
        claims.into_values().map(|claim| claim.demand).collect()
    }

    fn named<const N: usize>(claims: [Claim; N]) -> BTreeMap<String, Claim> {
        ["a", "b", "c", "d"].into_iter().map(str::to_owned).zip(claims).collect()
    }

    #[test]
    fn what_fits_at_home_is_no_claim_of_a_later_tier() {
        assert_eq!(demands(named([claim(0, 20, 8), claim(1, 10, 5)])), [8, 0]);
    }

    #[test]
    fn what_does_not_fit_at_home_stays_where_it_runs() {
        assert_eq!(demands(named([claim(0, 10, 8), claim(1, 10, 5), claim(2, 10, 9)])), [8, 3, 2]);
    }

    #[test]
    fn within_one_tier_nobody_gives_anything_back() {
        assert_eq!(demands(named([claim(0, 20, 1), claim(0, 10, 9)])), [1, 9]);
    }
}
