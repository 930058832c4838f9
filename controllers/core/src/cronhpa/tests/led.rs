//! Rules that act before their slots.

use super::*;
use crate::cronhpa::facts::{Counts, Fate};

#[test]
fn a_rule_acts_at_the_beginning_of_its_lead_and_the_slot_keeps_its_time() {
    let rules = [("morning", point("0 9 * * *", bounds(40, None)).lead(600))];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    let waiting = world.run("2026-03-02T08:00:00Z");
    let next = waiting.next["morning"];
    assert_eq!((next.acts, next.slot), (at("2026-03-02T08:50:00Z"), at("2026-03-02T09:00:00Z")));
    assert_eq!(waiting.wake_up(), Some(next.acts));
    world.run("2026-03-02T08:50:00Z");
    let last = world.memory.rules["morning"].last.clone().unwrap();
    assert_eq!((last.slot, last.fate, last.finished), (next.slot, Fate::Applied, Some(next.acts)));
    let decision = world.run("2026-03-02T09:00:00Z");
    assert_eq!((numbers(&decision), decision.due.len()), ((Some(40), None), 0));
}

#[test]
fn restarts_between_the_lead_and_the_slot_neither_lose_nor_double_it() {
    for life in [Life::DiesFirst, Life::DiesBeforeWrite, Life::DiesAfterWrite, Life::Lives, Life::WriteFails]
    {
        let rules = [("batch", point("0 9 * * *", Sets::Count(12)).lead(600))];
        let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(3));
        world.run("2026-03-02T08:00:00Z");
        world.reconcile(at("2026-03-02T08:50:00Z"), life);
        for now in ["2026-03-02T08:55:00Z", "2026-03-02T09:00:00Z", "2026-03-02T09:10:00Z"] {
            world.run(now);
        }
        assert_eq!((world.writes.as_slice(), life), ([Level::exactly(12)].as_slice(), life));
        assert_eq!(world.memory.rules["batch"].counts, Counts { applied: 1, ..Counts::default() });
    }
}

#[test]
fn the_deadline_counts_from_the_slot() {
    let rules = [("batch", point("0 9 * * *", Sets::Count(12)).lead(600).deadline(60))];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(3));
    world.run("2026-03-02T08:00:00Z");
    world.run("2026-03-02T09:01:00Z");
    assert_eq!(world.memory.rules["batch"].counts, Counts { applied: 1, ..Counts::default() });
}

#[test]
fn a_window_is_led_at_its_start_and_closes_at_its_end() {
    // Overnight, so that an end comes between the lead and the start.
    let rules = [("night", window("0 20 * * *", "55 19 * * *", bounds(10, None)).lead(600))];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    world.run("2026-03-02T19:56:00Z");
    world.run("2026-03-02T19:56:30Z");
    let open = world.run("2026-03-03T19:50:00Z");
    assert_eq!(numbers(&open), (Some(10), None));
    assert_eq!(open.next["night"].slot, at("2026-03-03T19:55:00Z"), "the end of the day before");
    let closed = world.run("2026-03-03T19:55:00Z");
    assert_eq!(numbers(&closed), (Some(10), None), "open already for the next one");
    assert_eq!(world.memory.rules["night"].counts, Counts { applied: 3, ..Counts::default() });
    let last = world.memory.rules["night"].last.as_ref().unwrap();
    assert_eq!(last.slot, at("2026-03-03T19:55:00Z"));
    world.run("2026-03-04T12:00:00Z");
    assert_eq!(world.memory.rules["night"].counts.total(), 3);
}

#[test]
fn of_two_rules_the_later_slot_counts_however_early_it_is_acted_on() {
    let rules = [
        ("early", point("0 9 * * *", Sets::Count(5))),
        ("led", point("5 9 * * *", Sets::Count(12)).lead(600)),
    ];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(3));
    for now in
        ["2026-03-02T08:00:00Z", "2026-03-02T08:55:00Z", "2026-03-02T09:00:00Z", "2026-03-02T09:05:00Z"]
    {
        world.run(now);
    }
    assert_eq!(world.level, Some(Level::exactly(12)));
    assert_eq!(world.memory.rules["early"].last.as_ref().unwrap().fate, Fate::Superseded);
    let rules = [
        ("early", point("0 9 * * *", bounds(5, None))),
        ("led", point("5 9 * * *", bounds(12, None)).lead(600)),
    ];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    for now in ["2026-03-02T08:00:00Z", "2026-03-02T08:55:00Z", "2026-03-02T09:00:00Z"] {
        world.run(now);
    }
    assert_eq!(numbers(&world.decide("2026-03-02T09:01:00Z")), (Some(12), None));
}

#[test]
fn another_lead_neither_doubles_a_slot_nor_takes_it_back() {
    let rule = || point("0 9 * * *", bounds(40, None));
    let rules =
        [("morning", rule().lead(600)), ("lunch", window("0 8 * * *", "57 8 * * *", bounds(50, None)))];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    world.run("2026-03-02T08:00:00Z");
    world.run("2026-03-02T08:50:00Z");
    world.policy.rules.insert("morning".to_owned(), rule());
    assert_eq!(numbers(&world.run("2026-03-02T08:56:00Z")), (Some(50), None), "lunch is still open");
    assert_eq!(numbers(&world.run("2026-03-02T08:58:00Z")), (Some(40), None));
    world.run("2026-03-02T09:00:00Z");
    assert_eq!(world.memory.rules["morning"].counts.total(), 1);
}

#[test]
fn a_slot_after_a_suspension_is_not_led_into_it() {
    let rules =
        [("morning", point("0 9 * * *", bounds(40, None)).lead(600).suspended_until("2026-03-02T08:55:00Z"))];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    world.run("2026-03-02T07:00:00Z");
    assert_eq!(numbers(&world.run("2026-03-02T08:50:00Z")), (None, None));
    let decision = world.run("2026-03-02T08:55:00Z");
    assert_eq!(numbers(&decision), (Some(40), None));
    assert_eq!(world.memory.rules["morning"].counts, Counts { applied: 1, ..Counts::default() });
}
