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
    /// The most the user allows it.
    pub cap: u32,
    /// The most its max may be: the lower of cap and room.
    pub ceiling: u32,
    /// What runs there or is wanted there now.
    pub demand: u32,
    /// How much more than that it is taken to want, because it is at its max. Yields to all that runs.
    pub thirst: u32,
    /// It already has an HPA or replicas: among equals it is kept awake.
    pub awake: bool,
    /// Its HPA may have a min of 0.
    pub to_zero: bool,
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

/// Whether a running workload is being taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floors {
    /// Mins are divided by weight.
    ByWeight,
    /// Taking over moves nothing: where the total allows it, mins stay at or below what runs and no cluster that
    /// has replicas goes to sleep.
    UnderWhatRuns,
}

/// How many clusters may take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Fewer are only awake where there are no more candidates.
    pub fewest: u32,
    /// No cluster is woken beyond this; those that are awake stay.
    pub most: u32,
}

impl Groups {
    /// No limits.
    pub const ANY: Self = Self { fewest: 0, most: u32::MAX };
}

/// The ideal split. `totals.max >= 1`; claims with a ceiling of 0 take no part. What had to yield is written to
/// the trail in the order room and cap, max, what runs, floors, min.
pub fn ideal(
    totals: Bounds,
    groups: Groups,
    claims: &BTreeMap<String, Claim>,
    floors: Floors,
    trail: &mut Trail,
) -> Split {
    covering(totals, totals.min, groups, claims, floors, trail)
}

/// The same, but those that take part hold `covered` together if that is more than the total min: what ran in clusters
/// that were lost. Nobody is woken for it.
pub fn covering(
    totals: Bounds,
    covered: u32,
    groups: Groups,
    claims: &BTreeMap<String, Claim>,
    floors: Floors,
    trail: &mut Trail,
) -> Split {
    let roster = Roster::of(totals, groups, claims, floors);
    let maxes = roster.maxes(totals.max, trail);
    let mins = roster.mins(totals.min.max(covered), &maxes, floors, trail);
    let shares: Shares = roster
        .seats
        .iter()
        .zip(maxes.iter().zip(&mins))
        .map(|(seat, (max, min))| (seat.name.to_owned(), Bounds { min: *min, max: *max }))
        .collect();
    let unplaced = totals.max.saturating_sub(total(&shares).max);
    if unplaced > 0 {
        trail.note(Reason::Unplaced { replicas: unplaced });
    }
    Split { shares, unplaced }
}

/// The clusters that take part, by name. Their number never exceeds the total max.
struct Roster<'a> {
    seats: Vec<Seat<'a>>,
    tally: Tally,
    floors: Floors,
}

/// What the seated clusters come to. Kept with each that is seated: to ask all of them for every candidate would be
/// quadratic.
#[derive(Default)]
struct Tally {
    /// What runs, at least one each.
    running: u64,
    /// What of the min they need in any case.
    feeds: u64,
    tiers: BTreeMap<u32, TierTally>,
}

/// What the seated clusters of one tier come to.
#[derive(Default)]
struct TierTally {
    ceilings: u64,
    dues: u64,
}

impl Tally {
    fn add(&mut self, claim: &Claim, floors: Floors) {
        // Taking over wakes nobody for what runs already.
        let need = match floors {
            Floors::ByWeight => claim.presence(),
            Floors::UnderWhatRuns => claim.present(),
        };
        self.running += u64::from(claim.running());
        self.feeds += u64::from(need);
        let tier = self.tiers.entry(claim.tier).or_default();
        tier.ceilings += u64::from(claim.ceiling);
        tier.dues += u64::from(claim.due());
    }

    /// What can be held before a tier is given more: all that it and earlier ones may take, and what later ones
    /// have in any case.
    fn held(&self, tier: u32) -> u64 {
        let hold = |(of, sums): (&u32, &TierTally)| if *of <= tier { sums.ceilings } else { sums.dues };
        self.tiers.iter().map(hold).sum()
    }

    /// A tier is of use when those before it cannot hold the max.
    fn reaches(&self, tier: u32, max: u32) -> bool {
        let held_before: u64 = self.tiers.range(..tier).map(|(_, sums)| sums.ceilings).sum();
        held_before < u64::from(max)
    }
}

#[derive(Clone, Copy)]
struct Seat<'a> {
    name: &'a str,
    /// Its place in the order of names, which is compared faster than the name.
    place: usize,
    claim: &'a Claim,
    /// 0, or higher for a cluster that is only there for what nobody before it can hold: within its tier it is
    /// filled later, so that a higher total takes nothing from those before it.
    rank: usize,
}

impl<'a> Roster<'a> {
    /// Those that must take part, what runs before mere floors; then in order of preference those that the totals
    /// have a use for.
    fn of(totals: Bounds, groups: Groups, claims: &'a BTreeMap<String, Claim>, floors: Floors) -> Self {
        let mut order: Vec<Seat<'a>> = claims
            .iter()
            .enumerate()
            .filter(|(_, (_, claim))| claim.ceiling > 0)
            .map(|(place, (name, claim))| Seat { name, place, claim, rank: 0 })
            .collect();
        order.sort_by_key(|seat| {
            (seat.claim.tier, !seat.claim.awake, std::cmp::Reverse(seat.claim.weight), seat.place)
        });
        let (mut running, rest): (Vec<_>, Vec<_>) =
            order.into_iter().partition(|seat| seat.claim.runs(floors));
        let (floored, optional): (Vec<_>, Vec<_>) = rest.into_iter().partition(|seat| seat.claim.floor > 0);
        running.truncate(usize::try_from(totals.max).unwrap_or(usize::MAX));
        let mut roster = Self { seats: Vec::with_capacity(claims.len()), tally: Tally::default(), floors };
        for seat in running {
            roster.seat(seat);
        }
        roster.admit(floored, totals, groups, |_, _| Some(0));
        let left = roster.admit(optional, totals, groups, |roster, claim| {
            let tally = &roster.tally;
            // Who may be at 0 costs nothing of the min; but taking over wakes nobody.
            let free = claim.to_zero && floors == Floors::ByWeight;
            let affordable = free || tally.feeds < u64::from(totals.min);
            (affordable && tally.reaches(claim.tier, totals.max)).then_some(0)
        });
        let left = roster.admit(left, totals, groups, |roster, _| {
            (roster.seats.len() < usize::try_from(groups.fewest).unwrap_or(usize::MAX)).then_some(0)
        });
        roster.admit(left, totals, groups, |roster, claim| {
            (roster.tally.held(claim.tier) < u64::from(totals.max)).then_some(roster.seats.len())
        });
        roster.seats.sort_by_key(|seat| seat.place);
        roster
    }

    /// Seats those that `rank` finds a use for, while the total max has something left for one more and no
    /// cluster is woken beyond the limit. Gives back the others.
    fn admit(
        &mut self,
        candidates: Vec<Seat<'a>>,
        totals: Bounds,
        groups: Groups,
        rank: impl Fn(&Self, &Claim) -> Option<usize>,
    ) -> Vec<Seat<'a>> {
        let mut left = Vec::new();
        for seat in candidates {
            let crowded = self.seats.len() >= usize::try_from(groups.most).unwrap_or(usize::MAX);
            match rank(self, seat.claim) {
                Some(rank)
                    if self.tally.running < u64::from(totals.max) && (seat.claim.awake || !crowded) =>
                {
                    self.seat(Seat { rank, ..seat });
                }
                Some(_) | None => left.push(seat),
            }
        }
        left
    }

    fn seat(&mut self, seat: Seat<'a>) {
        self.tally.add(seat.claim, self.floors);
        self.seats.push(seat);
    }

    /// Sum of maxes: the total, as far as ceilings allow. Demand is covered first, tiers are filled in order.
    fn maxes(&self, total: u32, trail: &mut Trail) -> Vec<u32> {
        let lowers = self.lower_limits(total, trail);
        self.fill(total, |index, claim| Party {
            weight: claim.weight,
            lower: lowers[index],
            upper: claim.ceiling,
        })
    }

    /// What each cluster has in any case, level by level: one, its floor as far as it runs, what runs, the floor,
    /// one more than what runs, the thirst. The first level that does not fit is granted in part, earlier tiers first.
    fn lower_limits(&self, total: u32, trail: &mut Trail) -> Vec<u32> {
        let of = |what: fn(&Claim) -> u32| self.seats.iter().map(|seat| what(seat.claim)).collect::<Vec<_>>();
        let running = sum(&of(Claim::running));
        let yields = [
            (of(Claim::kept), Some(Reason::RunningYields { running: saturating(running), total })),
            (of(Claim::running), Some(Reason::RunningYields { running: saturating(running), total })),
            (of(Claim::present), Some(Reason::FloorsYield { total })),
            (of(Claim::at_ease), None),
            (of(Claim::due), None),
        ];
        let mut lowers = vec![1; self.seats.len()];
        for (uppers, reason) in yields {
            if sum(&uppers) <= u64::from(total) {
                lowers = uppers;
                continue;
            }
            if let Some(reason) = reason {
                trail.note(reason);
            }
            return self.fill(total, |index, _| Party {
                weight: u64::from(uppers[index]),
                lower: lowers[index],
                upper: uppers[index],
            });
        }
        lowers
    }

    /// Sum of mins: the total, but at least one for each active cluster and its floor; never above the maxes.
    fn mins(&self, total: u32, maxes: &[u32], floors: Floors, trail: &mut Trail) -> Vec<u32> {
        let least: Vec<u32> =
            self.seats.iter().zip(maxes).map(|(seat, max)| seat.claim.presence().min(*max)).collect();
        if sum(&least) > u64::from(total) {
            trail.note(Reason::MinYields { min: total, present: saturating(sum(&least)) });
        }
        let runs: Vec<u32> = self
            .seats
            .iter()
            .zip(maxes.iter().zip(&least))
            .map(|(seat, (max, least))| seat.claim.running().min(*max).max(*least))
            .collect();
        let (lowers, uppers) = match floors {
            Floors::ByWeight => (least.as_slice(), maxes),
            Floors::UnderWhatRuns if sum(&runs) >= u64::from(total) => (least.as_slice(), runs.as_slice()),
            Floors::UnderWhatRuns => (runs.as_slice(), maxes),
        };
        self.fill(total, |index, claim| Party {
            weight: claim.weight,
            lower: lowers[index],
            upper: uppers[index],
        })
    }

    /// Lower tiers first, within them lower ranks, each to the brim, leaving what later ones have in any case.
    fn fill(&self, total: u32, party: impl Fn(usize, &Claim) -> Party) -> Vec<u32> {
        let parties: Vec<Party> =
            self.seats.iter().enumerate().map(|(index, seat)| party(index, seat.claim)).collect();
        let order = |index: usize| (self.seats[index].claim.tier, self.seats[index].rank);
        let lowers = |parties: &[Party]| parties.iter().map(|party| u64::from(party.lower)).sum::<u64>();
        let mut turns: Vec<usize> = (0..parties.len()).collect();
        turns.sort_by_key(|index| order(*index));
        let (mut left, mut reserved) = (u64::from(total), lowers(&parties));
        let mut given = vec![0; parties.len()];
        for turn in turns.chunk_by(|one, other| order(*one) == order(*other)) {
            let here: Vec<Party> = turn.iter().map(|index| parties[*index]).collect();
            reserved -= lowers(&here);
            let seats = apportion(saturating(left.saturating_sub(reserved)), &here);
            left = left.saturating_sub(sum(&seats));
            for (index, seats) in turn.iter().zip(seats) {
                given[*index] = seats;
            }
        }
        given
    }
}

impl Claim {
    /// One replica is mere presence, which any cluster that takes part has; more than that, run or wanted, is load.
    /// Where a workload is taken over, one replica counts too.
    fn runs(&self, floors: Floors) -> bool {
        match floors {
            Floors::ByWeight => self.demand > 1 || (self.demand == 1 && self.floor.max(self.thirst) > 0),
            Floors::UnderWhatRuns => self.demand > 0,
        }
    }

    /// The least that its min may be while it takes part.
    pub(super) fn presence(&self) -> u32 {
        self.floor.max(u32::from(!self.to_zero)).min(self.ceiling)
    }

    fn running(&self) -> u32 {
        self.demand.max(1).min(self.ceiling)
    }

    fn kept(&self) -> u32 {
        self.running().min(self.presence().max(1))
    }

    fn present(&self) -> u32 {
        self.running().max(self.presence())
    }

    /// Held to exactly what it wants, a cluster looks as thirsty as one that wants more: then the two would take
    /// headroom from each other for ever.
    fn at_ease(&self) -> u32 {
        self.demand.saturating_add(self.demand.min(1)).min(self.ceiling).max(self.present())
    }

    fn due(&self) -> u32 {
        self.demand.saturating_add(self.thirst).min(self.ceiling).max(self.at_ease())
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
