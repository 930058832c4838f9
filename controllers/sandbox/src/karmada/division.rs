//! How Karmada's scheduler divides replicas over clusters: the strategies and the house method, on plain numbers.
//! Does not know how candidates are chosen or how their room is estimated.
//!
//! Source: the behaviour of karmada-scheduler from 1.15 on (Webster's method for all weighted divisions).

use super::names::fnv1a_32;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Replicas by cluster.
pub(crate) type Shares = BTreeMap<String, i64>;

/// How a placement wants its replicas divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Every cluster gets all.
    Duplicated,
    /// By fixed weights; clusters without one get nothing, and without any weight all count alike.
    Static(BTreeMap<String, i64>),
    /// By free room.
    Dynamic,
    /// On as few clusters as hold them.
    Aggregated,
}

/// What a division starts from.
#[derive(Debug, Clone)]
pub(crate) struct Question<'a> {
    pub(crate) replicas: i64,
    pub(crate) strategy: &'a Strategy,
    /// The candidates with the replicas that each could still take.
    pub(crate) room: &'a Shares,
    /// What candidates have been given before.
    pub(crate) before: &'a Shares,
    /// Whether what was given before is to be forgotten.
    pub(crate) fresh: Freshness,
    /// The template's uid: it breaks ties.
    pub(crate) uid: &'a str,
}

/// Whether a division keeps what it can of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It changes as little as it can.
    Steady,
    /// It starts anew, as after a trigger by hand.
    Fresh,
}

/// There is not enough room: so much was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom(pub(crate) i64);

/// Divides. Clusters with nothing are left in; the scheduler drops them afterwards.
pub(crate) fn divide(question: &Question<'_>) -> Result<Shares, NoRoom> {
    let Question { replicas, strategy, room, before, fresh, uid } = question;
    match strategy {
        Strategy::Duplicated => Ok(room.keys().map(|name| (name.clone(), *replicas)).collect()),
        Strategy::Static(weights) => {
            let counting = weights.iter().filter(|(name, weight)| **weight > 0 && room.contains_key(*name));
            let mut votes: Shares = counting.map(|(name, weight)| (name.clone(), *weight)).collect();
            if votes.is_empty() {
                votes = room.keys().map(|name| (name.clone(), 1)).collect();
            }
            Ok(webster(*replicas, &votes, uid))
        }
        Strategy::Dynamic | Strategy::Aggregated => by_room(*replicas, strategy, room, before, *fresh, uid),
    }
}

fn by_room(
    replicas: i64,
    strategy: &Strategy,
    room: &Shares,
    before: &Shares,
    fresh: Freshness,
    uid: &str,
) -> Result<Shares, NoRoom> {
    let assigned: i64 = before.values().sum();
    let none = Shares::new();
    match (fresh, assigned.cmp(&replicas)) {
        (Freshness::Fresh, _) => spread(replicas, strategy, &sum(room, before), &none, before, uid),
        (Freshness::Steady, Ordering::Greater) => spread(replicas, strategy, before, &none, before, uid),
        (Freshness::Steady, Ordering::Less) => {
            spread(replicas - assigned, strategy, room, before, before, uid)
        }
        (Freshness::Steady, Ordering::Equal) => Ok(before.clone()),
    }
}

/// Divides `replicas` by room and adds `kept`. Aggregation fills the clusters of before first, then the roomiest.
fn spread(
    replicas: i64,
    strategy: &Strategy,
    room: &Shares,
    kept: &Shares,
    before: &Shares,
    uid: &str,
) -> Result<Shares, NoRoom> {
    let available: i64 = room.values().sum();
    if available < replicas {
        return Err(NoRoom(available));
    }
    let votes = match strategy {
        Strategy::Aggregated => fewest(replicas, room, before),
        Strategy::Duplicated | Strategy::Static(_) | Strategy::Dynamic => room.clone(),
    };
    Ok(sum(&webster(replicas, &votes, uid), kept))
}

fn fewest(replicas: i64, room: &Shares, before: &Shares) -> Shares {
    let mut order: Vec<_> = room.iter().collect();
    let had = |name: &String| before.get(name).is_some_and(|replicas| *replicas > 0);
    order.sort_by_key(|(name, room)| (!had(name), -**room));
    let mut chosen = Shares::new();
    let mut holding = 0;
    for (name, room) in order {
        if holding >= replicas {
            break;
        }
        holding += room;
        chosen.insert(name.clone(), *room);
    }
    chosen
}

fn sum(one: &Shares, other: &Shares) -> Shares {
    let mut both = one.clone();
    for (name, replicas) in other {
        *both.entry(name.clone()).or_default() += replicas;
    }
    both
}

/// Webster's method, seat by seat: the next seat goes to the most votes per odd number. Ties go to the fewer seats, then
/// by name, upwards or downwards as the uid's hash says. With no votes at all nobody gets anything but the first by
/// tie-break.
pub(crate) fn webster(seats: i64, votes: &Shares, uid: &str) -> Shares {
    let mut given: Vec<(&String, i64, i64)> = votes.iter().map(|(name, votes)| (name, *votes, 0)).collect();
    let order = Alphabet::of(uid);
    for _ in 0..seats.max(0) {
        let next = given.iter_mut().min_by(|one, other| precedence(one, other, order));
        if let Some((_, _, seats)) = next {
            *seats += 1;
        }
    }
    given.into_iter().map(|(name, _, seats)| (name.clone(), seats)).collect()
}

/// Which names come first among equals.
#[derive(Debug, Clone, Copy)]
enum Alphabet {
    Upwards,
    Downwards,
}

impl Alphabet {
    fn of(uid: &str) -> Self {
        if !uid.is_empty() && fnv1a_32(uid) & 1 == 1 { Self::Downwards } else { Self::Upwards }
    }
}

fn precedence(one: &(&String, i64, i64), other: &(&String, i64, i64), order: Alphabet) -> Ordering {
    let weighed = |party: &(&String, i64, i64), rival: &(&String, i64, i64)| {
        i128::from(party.1) * i128::from(2 * rival.2 + 1)
    };
    let by_name = match order {
        Alphabet::Upwards => one.0.cmp(other.0),
        Alphabet::Downwards => other.0.cmp(one.0),
    };
    weighed(other, one).cmp(&weighed(one, other)).then(one.2.cmp(&other.2)).then(by_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn shares<const N: usize>(pairs: [(&str, i64); N]) -> Shares {
        pairs.into_iter().map(|(name, replicas)| (name.to_owned(), replicas)).collect()
    }

    fn ask(replicas: i64, strategy: &Strategy, room: &Shares, before: &Shares) -> Result<Shares, NoRoom> {
        let fresh = Freshness::Steady;
        divide(&Question { replicas, strategy, room, before, fresh, uid: "" })
    }

    #[test]
    fn static_weights_divide_by_websters_method() {
        let room = shares([("a", 100), ("b", 100)]);
        let divided = |replicas, a, b| {
            ask(replicas, &Strategy::Static(shares([("a", a), ("b", b)])), &room, &Shares::new()).unwrap()
        };
        assert_eq!(divided(9, 1, 2), shares([("a", 3), ("b", 6)]));
        assert_eq!(divided(9, 1, 3), shares([("a", 2), ("b", 7)]));
        assert_eq!(divided(6, 1, 1), shares([("a", 3), ("b", 3)]));
        assert_eq!(divided(5, 1, 1), shares([("a", 3), ("b", 2)]));
    }

    #[test]
    fn a_member_without_a_weight_gets_nothing_and_no_weights_are_equal_weights() {
        let room = shares([("a", 9), ("b", 9), ("c", 9)]);
        let some = ask(6, &Strategy::Static(shares([("a", 1), ("b", 1)])), &room, &Shares::new());
        assert_eq!(some, Ok(shares([("a", 3), ("b", 3)])));
        let none = ask(6, &Strategy::Static(Shares::new()), &room, &Shares::new());
        assert_eq!(none, Ok(shares([("a", 2), ("b", 2), ("c", 2)])));
    }

    #[test]
    fn growing_by_room_divides_only_what_is_new() {
        let grown =
            ask(8, &Strategy::Dynamic, &shares([("a", 10), ("b", 30)]), &shares([("a", 3), ("b", 1)]));
        assert_eq!(grown, Ok(shares([("a", 4), ("b", 4)])));
    }

    #[test]
    fn shrinking_by_room_divides_by_what_was_there() {
        let before = shares([("a", 11), ("b", 1)]);
        let shrunk = ask(1, &Strategy::Dynamic, &shares([("a", 10), ("b", 10)]), &before);
        assert_eq!(shrunk, Ok(shares([("a", 1), ("b", 0)])), "b ends at nothing");
    }

    #[test]
    fn too_little_room_divides_nothing() {
        let asked = ask(9, &Strategy::Dynamic, &shares([("a", 3), ("b", 5)]), &Shares::new());
        assert_eq!(asked, Err(NoRoom(8)));
    }

    #[test]
    fn aggregation_stays_where_it_is_and_takes_as_few_clusters_as_hold_it() {
        let room = shares([("a", 5), ("b", 20), ("c", 10)]);
        let first = ask(12, &Strategy::Aggregated, &room, &Shares::new());
        assert_eq!(first, Ok(shares([("b", 12)])));
        let grown = ask(14, &Strategy::Aggregated, &room, &shares([("a", 12)]));
        assert_eq!(grown, Ok(shares([("a", 14)])));
    }

    #[test]
    fn a_fresh_division_forgets_what_was_there() {
        let (room, before) = (shares([("a", 0), ("b", 10)]), shares([("a", 10), ("b", 0)]));
        let fresh = Freshness::Fresh;
        let strategy = &Strategy::Dynamic;
        let question = Question { replicas: 10, strategy, room: &room, before: &before, fresh, uid: "" };
        assert_eq!(divide(&question), Ok(shares([("a", 5), ("b", 5)])));
    }

    #[test]
    fn duplication_gives_everybody_everything() {
        let all = ask(3, &Strategy::Duplicated, &shares([("a", 1), ("b", 0)]), &Shares::new());
        assert_eq!(all, Ok(shares([("a", 3), ("b", 3)])));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_growth_takes_nothing_away(
            room in proptest::collection::btree_map("[a-e]", 0..50_i64, 1..5), more in 0..40_i64, had in 0..20_i64,
        ) {
            let before: Shares = room.keys().map(|name| (name.clone(), had)).collect();
            let replicas = before.values().sum::<i64>() + more;
            match ask(replicas, &Strategy::Dynamic, &room, &before) {
                Ok(after) => {
                    prop_assert_eq!(after.values().sum::<i64>(), replicas);
                    prop_assert!(before.iter().all(|(name, replicas)| after[name] >= *replicas));
                }
                Err(NoRoom(found)) => prop_assert!(found < more),
            }
        }
    }
}
