//! Bounds compose one by one, held against a simulation that goes through time minute by minute.

use proptest::prelude::*;

use super::*;
use crate::{
    cronhpa::{
        composition::{Yielded, in_force},
        facts::Holder,
        owner::{Autoscaler, Claim, Reference, holder},
    },
    schedule::oracle::{Field, Fields},
};

#[test]
fn each_bound_comes_from_the_latest_point_rule_that_sets_it() {
    let rules =
        [("ceiling", point("0 9 * * *", bounds(40, 80))), ("lunch", point("0 12 * * *", bounds(60, None)))];
    let world = World::new(policy(Aim::FedHpa, rules), None);
    assert_eq!(numbers(&world.decide("2026-03-02T13:00:00Z")), (Some(60), Some(80)));
}

#[test]
fn a_window_of_higher_priority_hides_the_point_rule_and_gives_back_at_its_end() {
    let rules = [
        ("night", point("0 22 * * *", bounds(4, 20))),
        ("launch", window("0 10 24 12 *", "0 2 25 12 *", bounds(100, None)).priority(10)),
    ];
    let world = World::new(policy(Aim::FedHpa, rules), None);
    let inside = world.decide("2026-12-24T23:00:00Z");
    assert_eq!(numbers(&inside), (Some(100), Some(100)));
    assert_eq!(inside.in_force.yielded, Some(Yielded::Max(20)), "the min of the higher priority stands");
    assert_eq!(numbers(&world.decide("2026-12-25T02:00:00Z")), (Some(4), Some(20)));
}

#[test]
fn of_equal_priorities_the_larger_number_counts() {
    let rules = [
        ("a", window("0 8 * * *", "0 20 * * *", bounds(10, 30))),
        ("b", window("0 12 * * *", "0 14 * * *", bounds(5, 50))),
    ];
    let world = World::new(policy(Aim::FedHpa, rules), None);
    assert_eq!(numbers(&world.decide("2026-03-02T13:00:00Z")), (Some(10), Some(50)));
}

#[test]
fn a_max_of_higher_priority_lowers_the_min() {
    let rules = [
        ("high", window("0 8 * * *", "0 20 * * *", bounds(40, None))),
        ("freeze", window("0 12 * * *", "0 14 * * *", bounds(None, 10)).priority(5)),
    ];
    let decision = World::new(policy(Aim::FedHpa, rules), None).decide("2026-03-02T13:00:00Z");
    assert_eq!(numbers(&decision), (Some(10), Some(10)));
    assert_eq!(decision.in_force.yielded, Some(Yielded::Min(40)));
}

fn reference(kind: &str, name: &str) -> Reference {
    Reference { group: "apps".to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}

fn claim(name: &str, minute: i64) -> Claim {
    let made = at("2026-01-01T00:00:00Z") + TimeDelta::minutes(minute);
    Claim { made, name: name.to_owned(), target: reference("Deployment", "web") }
}

#[test]
fn the_oldest_claim_holds_the_target_and_of_equals_the_one_whose_name_comes_first() {
    let others = [claim("b", 5), claim("c", 5), claim("d", 9)];
    let held_by = |claim: &Claim| holder(Aim::Workload, claim, &others, &[]).map(|holder| holder.name);
    assert_eq!(held_by(&claim("z", 3)), None);
    assert_eq!(held_by(&claim("a", 5)), None);
    assert_eq!(held_by(&claim("c", 5)), Some("b".to_owned()));
    assert_eq!(held_by(&claim("a", 7)), Some("b".to_owned()));
}

#[test]
fn a_workload_that_an_autoscaler_scales_is_held_by_it() {
    let hpa = Holder { kind: "HorizontalPodAutoscaler".to_owned(), name: "web".to_owned() };
    let scaler = Autoscaler { holder: hpa.clone(), scales: reference("Deployment", "web") };
    let (claim, other) =
        (claim("a", 0), Autoscaler { scales: reference("Deployment", "api"), ..scaler.clone() });
    assert_eq!(holder(Aim::Workload, &claim, &[], &[other.clone(), scaler]), Some(hpa));
    assert_eq!(holder(Aim::Workload, &claim, &[], &[other]), None);
}

#[derive(Clone, Debug)]
struct Plain {
    start: Fields,
    end: Option<Fields>,
    min: Option<u32>,
    max: Option<u32>,
    priority: i32,
}

fn fields() -> impl Strategy<Value = Fields> {
    let minute =
        prop_oneof![Just(Field::List(vec![0])), Just(Field::List(vec![0, 30])), Just(Field::Each(20))];
    let hour = prop_oneof![
        Just(Field::Any),
        Just(Field::Each(5)),
        prop::collection::vec(0..24_u32, 1..4).prop_map(Field::List),
    ];
    (minute, hour).prop_map(|(minute, hour)| Fields([minute, hour, Field::Any, Field::Any, Field::Any]))
}

fn plain() -> impl Strategy<Value = Plain> {
    let numbers = (prop::option::of(1..9_u32), prop::option::of(1..9_u32));
    (fields(), prop::option::of(fields()), numbers, -1..2_i32)
        .prop_filter("sets something", |(_, _, (min, max), _)| min.is_some() || max.is_some())
        .prop_map(|(start, end, (min, max), priority)| Plain { start, end, min, max, priority })
}

/// What one bound is after everything that happened minute by minute.
fn simulated(rules: &[Plain], until: DateTime<Utc>, bound: fn(&Plain) -> Option<u32>) -> Option<(i32, u32)> {
    let after = until - TimeDelta::days(3);
    let slots = |fields: &Fields| fields.slots(chrono_tz::UTC, after, until);
    let starts: Vec<_> = rules.iter().map(|rule| slots(&rule.start)).collect();
    let ends: Vec<_> = rules.iter().map(|rule| rule.end.as_ref().map(slots)).collect();
    let (mut open, mut points) = (vec![false; rules.len()], Vec::new());
    let mut now = after;
    while now < until {
        now += TimeDelta::minutes(1);
        let due: Vec<_> = (0..rules.len()).filter(|index| starts[*index].contains(&now)).collect();
        for index in 0..rules.len() {
            if ends[index].as_ref().is_some_and(|ends| ends.contains(&now)) {
                open[index] = false;
            }
        }
        let sets: Vec<_> =
            due.iter().copied().filter(|i| rules[*i].end.is_none() && bound(&rules[*i]).is_some()).collect();
        if !sets.is_empty() {
            points = sets;
        }
        due.into_iter().filter(|index| rules[*index].end.is_some()).for_each(|index| open[index] = true);
    }
    let windows = (0..rules.len()).filter(|index| open[*index]);
    windows.chain(points).filter_map(|index| Some((rules[index].priority, bound(&rules[index])?))).max()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_in_force_is_what_a_walk_through_time_leaves(
        rules in prop::collection::vec(plain(), 1..5),
        probe in 0..1440_i64,
    ) {
        let until = at("2026-03-05T00:00:00Z") + TimeDelta::minutes(probe);
        let named = rules.iter().enumerate().map(|(index, plain)| {
            let sets = bounds(plain.min, plain.max);
            let rule = match &plain.end {
                Some(end) => window(&plain.start.text(), &end.text(), sets),
                None => point(&plain.start.text(), sets),
            };
            (format!("rule-{index}"), rule.priority(plain.priority))
        });
        let policy = Policy { rules: named.collect(), ..policy(Aim::FedHpa, []) };
        let held = in_force(&policy, until, &BTreeMap::new()).held;
        let (min, max) = (simulated(&rules, until, |rule| rule.min), simulated(&rules, until, |rule| rule.max));
        let expected = match (min, max) {
            (Some((over, min)), Some((under, max))) if min > max => {
                let stands = if under > over { max } else { min };
                (Some(stands), Some(stands))
            }
            _ => (min.map(|(_, min)| min), max.map(|(_, max)| max)),
        };
        let actual = (held.min.map(|bound| bound.replicas), held.max.map(|bound| bound.replicas));
        prop_assert_eq!(actual, expected);
    }
}
