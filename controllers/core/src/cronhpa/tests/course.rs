//! What is said to come is what comes.

use proptest::prelude::*;

use super::*;
use crate::cronhpa::{
    course::{Course, Start, course},
    facts::Fate,
};

fn from(policy: &Policy, from: &str, to: &str) -> Course {
    let start = Start { memory: Memory::default(), at: at(from) };
    course(policy, &start, at(from), at(to), 1000)
}

fn told(course: &Course) -> Vec<String> {
    let told = course.slots.iter().map(|coming| {
        let min = coming.held.min.as_ref().map_or(0, |bound| bound.replicas);
        format!("{} {} {} min {min}", coming.slot.at.format("%dT%H:%M"), coming.rule, coming.fate.as_str())
    });
    told.collect()
}

#[test]
fn a_day_is_told_slot_by_slot_with_what_holds_after_each() {
    let rules = [
        ("morning", point("0 9 * * *", bounds(40, None)).lead(600)),
        ("night", point("0 22 * * *", bounds(4, None))),
        ("launch", window("0 9 * * *", "0 10 * * *", bounds(100, None)).once()),
    ];
    let mut policy = policy(Aim::FedHpa, rules);
    policy.days_off = days_off("2026-03-03");
    let course = from(&policy, "2026-03-02T08:55:00Z", "2026-03-03T09:00:00Z");
    assert_eq!(
        told(&course),
        [
            "02T09:00 morning Applied min 40",
            "02T09:00 launch Applied min 100",
            "02T10:00 launch Applied min 40",
            "02T22:00 night Applied min 4",
            "03T09:00 morning Excluded min 4",
        ]
    );
    assert_eq!(numbers(&course.then), (Some(40), None), "led already at the beginning");
    assert_eq!(course.slots[4].acts, at("2026-03-03T08:50:00Z"));
}

#[test]
fn the_beginning_is_outside_and_the_end_inside_and_more_than_asked_for_is_said() {
    let policy = policy(Aim::Workload, [("batch", point("0 * * * *", Sets::Count(12)))]);
    let hours = from(&policy, "2026-03-02T08:00:00Z", "2026-03-02T11:00:00Z");
    assert_eq!((hours.slots.len(), hours.cut, hours.slots[0].count), (3, false, Some(12)));
    let start = Start { memory: Memory::default(), at: at("2026-03-02T08:00:00Z") };
    let cut = course(&policy, &start, start.at, at("2026-03-02T11:00:00Z"), 2);
    assert_eq!((cut.slots.len(), cut.cut), (2, true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Held against a controller that looks every minute.
    #[test]
    fn what_is_to_come_is_what_comes_to_a_controller_that_looks_all_the_time(
        rules in super::accounting::rules(),
        begins in 0..1440_i64,
    ) {
        for aim in [Aim::FedHpa, Aim::Hpa] {
            let policy = super::accounting::named(aim, rules.clone());
            let (from, to) = (at("2026-03-02T00:00:00Z") + TimeDelta::minutes(begins), at("2026-03-04T00:00:00Z"));
            let start = Start { memory: Memory::default(), at: from };
            let said = course(&policy, &start, from, to, 10_000);
            let mut world = World::new(Policy { history_limit: 50, ..policy }, Level { min: 2, max: 30 });
            let mut seen: Vec<(DateTime<Utc>, String, Fate)> = Vec::new();
            let minutes = std::iter::once(from).chain((0..).map(|minute| from + TimeDelta::minutes(minute)));
            for now in minutes.take_while(|now| *now <= to) {
                let decision = world.reconcile(now, Life::Lives);
                for (name, judged) in &decision.due {
                    let of_it = judged.due.newest.iter().map(|slot| (slot.at, name.clone(), judged.fate_of(slot)));
                    seen.extend(of_it);
                }
            }
            seen.retain(|(slot, ..)| *slot <= to);
            seen.sort();
            let mut said: Vec<_> =
                said.slots.into_iter().map(|coming| (coming.slot.at, coming.rule, coming.fate)).collect();
            said.sort();
            prop_assert_eq!(said, seen, "{:?}", aim);
        }
    }
}
