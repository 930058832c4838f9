//! The ideal division of the totals: which clusters take part, and each one's min and max.
//!
//! Responsible for rules 1 to 6 of the division (conservation, bounds, small totals, proportion, demand first,
//! tiers). Knows nothing of what was decided before ([`rebalance`](super::rebalance) weighs that) nor of how to
//! get there ([`moves`](super::moves)).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    apportion::{Party, apportion},
    policy::Bounds,
    trail::{Reason, Trail},
};

/// What one cluster may claim. Where the room is unknown or elastic, `ceiling` is the cap alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Lower tiers are filled first.
    pub tier: u32,
    /// Relative weight within the tier.
    pub weight: u64,
    /// The least its min may be; a floor of 1 or more forbids dormancy.
    pub floor: u32,
    /// The most its max may be: the lower of cap and room.
    pub ceiling: u32,
    /// What runs there or is wanted there now, and more where the cluster is saturated.
    pub demand: u32,
    /// It already has an HPA or replicas: among equals it is kept awake.
    pub awake: bool,
}

/// Shares by cluster. A cluster that is absent is dormant: no HPA, no replicas.
pub type Shares = BTreeMap<String, Bounds>;

/// A division of totals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Split {
    /// Each active cluster's share.
    pub shares: Shares,
    /// Replicas of the total max that no cluster may take.
    pub unplaced: u32,
}

impl Split {
    /// Sum of the shares.
    pub fn totals(&self) -> Bounds {
        total(&self.shares)
    }
}

/// Sum of shares, saturating.
pub fn total(shares: &Shares) -> Bounds {
    shares.values().fold(Bounds::default(), |sum, share| Bounds {
        min: sum.min.saturating_add(share.min),
        max: sum.max.saturating_add(share.max),
    })
}

/// Whether mins may rise above what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floors {
    /// Mins are divided by weight.
    ByWeight,
    /// Mins stay at or below what runs where the total allows it: taking over a running workload moves nothing.
    UnderWhatRuns,
}

/// The ideal split. `totals.max >= 1`; claims with a ceiling of 0 take no part. What had to yield is written to
/// the trail in the order room and cap, max, what runs, floors, min.
pub fn ideal(totals: Bounds, claims: &BTreeMap<String, Claim>, floors: Floors, trail: &mut Trail) -> Split {
    let roster = Roster::of(totals, claims);
    let maxes = roster.maxes(totals.max, trail);
    let mins = roster.mins(totals.min, &maxes, floors, trail);
    let shares: Shares = roster
        .active
        .iter()
        .zip(maxes.iter().zip(&mins))
        .filter(|(_, (max, _))| **max > 0)
        .map(|((name, _), (max, min))| ((*name).to_owned(), Bounds { min: *min, max: *max }))
        .collect();
    let unplaced = totals.max.saturating_sub(total(&shares).max);
    if unplaced > 0 {
        trail.note(Reason::Unplaced { replicas: unplaced });
    }
    Split { shares, unplaced }
}

/// The clusters that take part, by name.
struct Roster<'a> {
    active: Vec<(&'a str, &'a Claim)>,
}

impl<'a> Roster<'a> {
    /// Those that must take part, then in order of preference those that the totals have a use for.
    fn of(totals: Bounds, claims: &'a BTreeMap<String, Claim>) -> Self {
        let mut order: Vec<(&str, &Claim)> =
            claims.iter().filter(|(_, claim)| claim.ceiling > 0).map(|(n, c)| (n.as_str(), c)).collect();
        order.sort_by(|(a, x), (b, y)| {
            (x.tier, !x.awake, std::cmp::Reverse(x.weight), *a).cmp(&(
                y.tier,
                !y.awake,
                std::cmp::Reverse(y.weight),
                *b,
            ))
        });
        let (mut active, optional): (Vec<_>, Vec<_>) =
            order.into_iter().partition(|(_, claim)| claim.must_be_active());
        active.truncate(usize::try_from(totals.max).unwrap_or(usize::MAX));
        let mut roster = Self { active };
        for candidate in optional {
            if roster.has_use_for(candidate.1, totals) {
                roster.active.push(candidate);
            }
        }
        roster.active.sort_by_key(|(name, _)| *name);
        roster
    }

    /// A tier is of use when those before it cannot hold the max. Within it a cluster more is of use while the
    /// min can still give each one replica, or while there is max that nobody else can hold.
    fn has_use_for(&self, claim: &Claim, totals: Bounds) -> bool {
        let held_before: u64 =
            self.active.iter().filter(|(_, c)| c.tier < claim.tier).map(|(_, c)| u64::from(c.ceiling)).sum();
        let held: u64 = self.active.iter().map(|(_, c)| u64::from(c.ceiling)).sum();
        let present: u64 = self.active.iter().map(|(_, c)| u64::from(c.presence())).sum();
        let max = u64::from(totals.max);
        held_before < max && present < max && (present < u64::from(totals.min) || held < max)
    }

    /// Sum of maxes: the total, as far as ceilings allow. Demand is covered first, tiers are filled in order.
    fn maxes(&self, total: u32, trail: &mut Trail) -> Vec<u32> {
        let lowers = self.lower_limits(total, trail);
        let parties: Vec<Party> = self
            .active
            .iter()
            .zip(lowers)
            .map(|((_, claim), lower)| Party { weight: claim.weight, lower, upper: claim.ceiling })
            .collect();
        self.fill_tiers(total, &parties)
    }

    /// What each cluster has in any case: what runs there and its floor, cut where the total is too small.
    fn lower_limits(&self, total: u32, trail: &mut Trail) -> Vec<u32> {
        let running: Vec<u32> = self.active.iter().map(|(_, claim)| claim.running()).collect();
        let wanted: Vec<u32> =
            self.active.iter().map(|(_, claim)| claim.running().max(claim.presence())).collect();
        if sum(&wanted) <= u64::from(total) {
            return wanted;
        }
        let cut = |weights: &[u32], lowers: &[u32], uppers: &[u32]| {
            let parties: Vec<Party> = weights
                .iter()
                .zip(lowers.iter().zip(uppers))
                .map(|(weight, (lower, upper))| Party {
                    weight: u64::from(*weight),
                    lower: *lower,
                    upper: *upper,
                })
                .collect();
            apportion(total, &parties)
        };
        if sum(&running) <= u64::from(total) {
            trail.note(Reason::FloorsYield { total });
            return cut(&wanted, &running, &wanted);
        }
        trail.note(Reason::RunningYields { running: saturating(sum(&running)), total });
        cut(&running, &vec![1; running.len()], &running)
    }

    /// Sum of mins: the total, but at least one for each active cluster and its floor; never above the maxes.
    fn mins(&self, total: u32, maxes: &[u32], floors: Floors, trail: &mut Trail) -> Vec<u32> {
        let party = |index: usize, upper: u32| {
            let (_, claim) = self.active[index];
            Party { weight: claim.weight, lower: claim.presence().min(maxes[index]), upper }
        };
        let free: Vec<Party> = (0..maxes.len()).map(|i| party(i, maxes[i])).collect();
        let still: Vec<Party> =
            (0..maxes.len()).map(|i| party(i, maxes[i].min(self.active[i].1.demand.max(1)))).collect();
        let present: u64 = free.iter().map(|party| u64::from(party.lower)).sum();
        if present > u64::from(total) {
            trail.note(Reason::MinYields { min: total, present: saturating(present) });
        }
        let reach: u64 = still.iter().map(|party| u64::from(party.upper.max(party.lower))).sum();
        match floors {
            Floors::UnderWhatRuns if reach >= u64::from(total) => self.fill_tiers(total, &still),
            Floors::UnderWhatRuns | Floors::ByWeight => self.fill_tiers(total, &free),
        }
    }

    /// Lower tiers first, each to the brim, leaving what later tiers have in any case.
    fn fill_tiers(&self, total: u32, parties: &[Party]) -> Vec<u32> {
        let mut tiers: Vec<u32> = self.active.iter().map(|(_, claim)| claim.tier).collect();
        tiers.sort_unstable();
        tiers.dedup();
        let mut left = u64::from(total);
        let mut given = vec![0; parties.len()];
        for tier in tiers {
            let later: u64 = self.sum_of(parties, |claim| claim.tier > tier, |party| party.lower);
            let members: Vec<usize> =
                (0..parties.len()).filter(|index| self.active[*index].1.tier == tier).collect();
            let here: Vec<Party> = members.iter().map(|index| parties[*index]).collect();
            let seats = apportion(saturating(left.saturating_sub(later)), &here);
            left = left.saturating_sub(sum(&seats));
            for (index, seats) in members.into_iter().zip(seats) {
                given[index] = seats;
            }
        }
        given
    }

    fn sum_of(&self, parties: &[Party], of: impl Fn(&Claim) -> bool, what: impl Fn(&Party) -> u32) -> u64 {
        let chosen = self.active.iter().zip(parties).filter(|((_, claim), _)| of(claim));
        chosen.map(|(_, party)| u64::from(what(party))).sum()
    }
}

impl Claim {
    /// One replica is mere presence, which any cluster that takes part has; more than that is load.
    fn must_be_active(&self) -> bool {
        self.floor > 0 || self.demand > 1
    }

    fn presence(&self) -> u32 {
        self.floor.max(1).min(self.ceiling)
    }

    fn running(&self) -> u32 {
        self.demand.max(1).min(self.ceiling)
    }
}

fn sum(seats: &[u32]) -> u64 {
    seats.iter().map(|seats| u64::from(*seats)).sum()
}

fn saturating(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
