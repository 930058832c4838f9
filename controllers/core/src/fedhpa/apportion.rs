//! Divides a number of seats in proportion to weights, within bounds.
//!
//! Responsible for the arithmetic alone: seats, weights, lower and upper limits. Knows nothing of clusters.
//!
//! The method is Webster's (Sainte-Laguë) with minimum and maximum requirements: the next seat goes to the
//! highest `weight / (2 * seats + 1)` among those below their upper limit, starting from the lower limits
//! (Balinski and Young, *Fair Representation*, 2nd ed., 2001, appendix A). It is house-monotone: one more seat
//! takes none away. Ties go to the earlier entry, so callers order by name.

use std::{cmp::Ordering, collections::BinaryHeap};

/// One entry that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Relative weight, up to 2^40; 0 counts as 1 so that bounds alone can still place seats.
    pub weight: u64,
    /// Seats it has in any case.
    pub lower: u32,
    /// Seats it can have at most; raised to `lower` if below.
    pub upper: u32,
}

impl Party {
    fn weight(self) -> u64 {
        self.weight.max(1)
    }

    fn upper(self) -> u32 {
        self.upper.max(self.lower)
    }

    /// Seats at the scale `lambda / 2^SCALE_BITS`: the weight times the scale, rounded half up, within the limits.
    fn seats_at(self, lambda: u128) -> u32 {
        let doubled = u128::from(self.weight()).saturating_mul(lambda) >> (SCALE_BITS - 1);
        let rounded = u32::try_from(doubled.saturating_add(1) / 2).unwrap_or(u32::MAX);
        rounded.clamp(self.lower, self.upper())
    }
}

const SCALE_BITS: u32 = 40;

/// Seats for each party, in the order given. The sum is `seats` where the limits allow it, else the nearest
/// sum that they allow. O(n log n) for any number of seats.
pub fn apportion(seats: u32, parties: &[Party]) -> Vec<u32> {
    let seats = u64::from(seats);
    let mut given = given_at_common_scale(seats, parties);
    let placed: u64 = sum(&given);
    hand_out(seats.saturating_sub(placed), parties, &mut given);
    given
}

/// The seats that a common scale places without exceeding the total: the first ones that would be handed out one by
/// one, whatever the scale is, and all but fewer than `n` of them.
fn given_at_common_scale(seats: u64, parties: &[Party]) -> Vec<u32> {
    let at = |scale: u128| parties.iter().map(move |party| party.seats_at(scale));
    let lowers: Vec<u32> = parties.iter().map(|party| party.lower).collect();
    let uppers: Vec<u32> = parties.iter().map(|party| party.upper()).collect();
    if sum(&lowers) >= seats {
        return lowers;
    }
    if sum(&uppers) <= seats {
        return uppers;
    }
    let mut search = Search::new(seats, sum(&lowers), parties);
    while let Some(scale) = search.next() {
        search.learn(scale, at(scale).map(u64::from).sum());
    }
    at(search.fits.scale).collect()
}

/// The search for a scale that places nearly all seats. It only has to be good, so it stops early.
struct Search {
    seats: u64,
    /// Seats that are handed out one by one at no loss.
    few: u64,
    fits: Tried,
    exceeds: Tried,
    guess: u128,
    turn: u32,
}

/// A scale, and how many seats it places.
#[derive(Clone, Copy)]
struct Tried {
    scale: u128,
    places: u64,
}

impl Search {
    fn new(seats: u64, lowest: u64, parties: &[Party]) -> Self {
        let weights: u128 = parties.iter().map(|party| u128::from(party.weight())).sum();
        Self {
            seats,
            few: u64::try_from(parties.len()).unwrap_or(u64::MAX) / 4,
            fits: Tried { scale: 0, places: lowest },
            // No weight needs a scale above the total plus one half: with weight 1 that alone places every seat.
            exceeds: Tried { scale: (u128::from(seats) + 1) << SCALE_BITS, places: u64::MAX },
            // Where no limit binds, this is it.
            guess: (u128::from(seats) << SCALE_BITS) / weights.max(1),
            turn: 0,
        }
    }

    /// The next scale to try; none when one that fits is good enough.
    fn next(&mut self) -> Option<u128> {
        let (fits, exceeds) = (self.fits, self.exceeds);
        if self.seats - fits.places <= self.few || exceeds.scale - fits.scale <= 1 {
            return None;
        }
        Some(self.guess.clamp(fits.scale + 1, exceeds.scale - 1))
    }

    fn learn(&mut self, scale: u128, places: u64) {
        let tried = Tried { scale, places };
        if places <= self.seats {
            self.fits = tried;
        } else {
            self.exceeds = tried;
        }
        self.turn += 1;
        let (fits, exceeds) = (self.fits, self.exceeds);
        self.guess = if exceeds.places == u64::MAX {
            fits.scale.saturating_mul(2)
        } else if self.turn.is_multiple_of(2) {
            fits.scale.midpoint(exceeds.scale)
        } else {
            // Seats grow nearly in proportion to the scale; aimed a little low, as it has to fit.
            let missing = self.seats.saturating_sub(self.few / 2).saturating_sub(fits.places);
            let between = u128::from(exceeds.places - fits.places);
            fits.scale + (exceeds.scale - fits.scale) * u128::from(missing) / between.max(1)
        };
    }
}

fn sum(given: &[u32]) -> u64 {
    given.iter().map(|seats| u64::from(*seats)).sum()
}

fn hand_out(left: u64, parties: &[Party], given: &mut [u32]) {
    let mut queue: BinaryHeap<Bid> = parties
        .iter()
        .zip(given.iter())
        .enumerate()
        .filter(|(_, (party, seats))| **seats < party.upper())
        .map(|(index, (party, seats))| Bid { weight: party.weight(), seats: *seats, index })
        .collect();
    for _ in 0..left {
        let Some(bid) = queue.pop() else { return };
        given[bid.index] += 1;
        if given[bid.index] < parties[bid.index].upper() {
            queue.push(Bid { seats: given[bid.index], ..bid });
        }
    }
}

/// A party's claim to the next seat, greatest first.
#[derive(PartialEq, Eq)]
struct Bid {
    weight: u64,
    seats: u32,
    index: usize,
}

impl Ord for Bid {
    fn cmp(&self, other: &Self) -> Ordering {
        let ours = u128::from(self.weight) * (2 * u128::from(other.seats) + 1);
        let theirs = u128::from(other.weight) * (2 * u128::from(self.seats) + 1);
        ours.cmp(&theirs).then_with(|| other.index.cmp(&self.index))
    }
}

impl PartialOrd for Bid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Webster as the textbook says it: one seat after the other.
    fn one_by_one(seats: u32, parties: &[Party]) -> Vec<u32> {
        let mut given: Vec<u32> = parties.iter().map(|party| party.lower).collect();
        while sum(&given) < u64::from(seats) {
            let next = (0..parties.len()).filter(|i| given[*i] < parties[*i].upper()).reduce(|best, i| {
                let claim = |i: usize, j: usize| {
                    u128::from(parties[i].weight()) * u128::from(2 * u64::from(given[j]) + 1)
                };
                if claim(i, best) > claim(best, i) { i } else { best }
            });
            let Some(next) = next else { break };
            given[next] += 1;
        }
        given
    }

    fn parties() -> impl Strategy<Value = Vec<Party>> {
        let party = (0_u64..50, 0_u32..6, 0_u32..40).prop_map(|(weight, lower, spread)| Party {
            weight,
            lower,
            upper: lower + spread,
        });
        prop::collection::vec(party, 0..7)
    }

    proptest! {
        #[test]
        fn it_gives_what_the_textbook_gives_seat_by_seat(seats in 0_u32..200, parties in parties()) {
            prop_assert_eq!(apportion(seats, &parties), one_by_one(seats, &parties));
        }

        #[test]
        fn it_places_every_seat_that_the_limits_allow(seats in 0_u32..100_000, parties in parties()) {
            let lower: u64 = parties.iter().map(|p| u64::from(p.lower)).sum();
            let upper: u64 = parties.iter().map(|p| u64::from(p.upper)).sum();
            prop_assert_eq!(sum(&apportion(seats, &parties)), u64::from(seats).clamp(lower, upper));
        }

        #[test]
        fn one_more_seat_takes_none_away(seats in 0_u32..500, parties in parties()) {
            let fewer = apportion(seats, &parties);
            let more = apportion(seats + 1, &parties);
            prop_assert!(fewer.iter().zip(&more).all(|(a, b)| a <= b), "{fewer:?} {more:?}");
        }
    }

    #[test]
    fn the_largest_numbers_neither_overflow_nor_hang() {
        let huge = Party { weight: 1 << 40, lower: 0, upper: u32::MAX };
        assert_eq!(apportion(u32::MAX, &[huge, huge]), vec![u32::MAX / 2 + 1, u32::MAX / 2]);
    }

    #[test]
    fn equal_claims_are_settled_in_the_order_given() {
        let one = Party { weight: 1, lower: 0, upper: 9 };
        assert_eq!(apportion(4, &[one, one, one]), vec![2, 1, 1]);
    }
}
