//! Rules that run once.

use super::*;
use crate::cronhpa::facts::{Counts, Fate, Holder};

fn migration() -> World {
    let rules = [("migration", point("0 9 * * *", Sets::Count(12)).once())];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(3));
    world.run("2026-03-01T12:00:00Z");
    world
}

#[test]
fn the_first_slot_is_the_last() {
    let mut world = migration();
    let decision = world.run("2026-03-02T09:00:00Z");
    assert_eq!(decision.next_slot(), None);
    world.intrude("kubectl", Level::exactly(5));
    world.run("2026-03-09T12:00:00Z");
    assert_eq!(world.writes, [Level::exactly(12)]);
    let rule = &world.memory.rules["migration"];
    assert_eq!((rule.counts.total(), rule.once), (1, Some(at("2026-03-02T09:00:00Z"))));
}

#[test]
fn after_an_outage_the_first_slot_is_the_one_and_those_after_it_are_none() {
    let mut world = migration();
    world.run("2026-03-05T12:00:00Z");
    let rule = &world.memory.rules["migration"];
    assert_eq!(rule.counts, Counts { applied: 1, ..Counts::default() });
    assert_eq!(rule.once, Some(at("2026-03-02T09:00:00Z")));
}

#[test]
fn slots_that_are_excluded_suspended_missed_or_failed_are_not_it() {
    let mut world = migration();
    let rule = world.policy.rules.remove("migration").unwrap();
    let rule = rule.deadline(600).suspended_until("2026-03-03T00:00:00Z");
    world.policy.rules.insert("migration".to_owned(), rule);
    world.policy.days_off = days_off("2026-03-03");
    world.run("2026-03-04T12:00:00Z");
    let mut facts = world.facts(at("2026-03-05T09:00:00Z"));
    facts.holder = Some(Holder { kind: "CronHPA".to_owned(), name: "older".to_owned() });
    let decision = decide(&world.policy, &facts);
    world.memory = settle(&world.policy, &facts, &decision, &Outcome::Done, facts.now);
    let expected = Counts { suspended: 1, excluded: 1, missed: 1, failed: 1, ..Counts::default() };
    assert_eq!(world.memory.rules["migration"].counts, expected);
    assert_eq!(world.memory.rules["migration"].once, None);
    world.run("2026-03-06T09:00:00Z");
    assert_eq!(world.writes, [Level::exactly(12)]);
}

#[test]
fn a_slot_that_another_rule_supersedes_is_it() {
    let mut world = migration();
    let later = point("0 10 * * *", Sets::Count(7));
    world.policy.rules.insert("later".to_owned(), later);
    world.run("2026-03-01T13:00:00Z");
    world.run("2026-03-02T11:00:00Z");
    assert_eq!(world.writes, [Level::exactly(7)]);
    let rule = &world.memory.rules["migration"];
    assert_eq!((rule.counts.superseded, rule.once.is_some()), (1, true));
}

#[test]
fn bounds_hold_from_the_one_slot_on_and_not_before() {
    let rules = [
        ("launch", point("0 9 * * *", bounds(40, None)).once()),
        ("night", point("0 22 * * *", bounds(4, None))),
    ];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    assert_eq!(
        numbers(&world.run("2026-03-02T12:00:00Z")),
        (Some(4), None),
        "a slot before it was seen is none"
    );
    assert_eq!(numbers(&world.run("2026-03-03T09:00:00Z")), (Some(40), None));
    assert_eq!(numbers(&world.run("2026-03-03T22:00:00Z")), (Some(4), None));
    assert_eq!(numbers(&world.run("2026-03-04T12:00:00Z")), (Some(4), None), "it does not come again");
}

#[test]
fn a_window_opens_once_and_closes() {
    let rules = [("launch", window("0 8 * * *", "0 20 * * *", bounds(10, None)).once())];
    let base = Level { min: 2, max: 30 };
    let mut world = World::new(policy(Aim::Hpa, rules), base);
    let first = world.run("2026-03-02T12:00:00Z");
    assert_eq!(numbers(&first), (None, None), "one that is open already does not count");
    world.run("2026-03-02T20:00:00Z");
    let open = world.run("2026-03-03T08:00:00Z");
    assert_eq!((numbers(&open), open.next["launch"].slot), ((Some(10), None), at("2026-03-03T20:00:00Z")));
    let closed = world.run("2026-03-03T20:00:00Z");
    assert_eq!((world.level, closed.next.get("launch")), (Some(base), None));
    world.run("2026-03-06T12:00:00Z");
    assert_eq!(world.writes.len(), 2);
    let expected = Counts { applied: 3, ..Counts::default() };
    assert_eq!(world.memory.rules["launch"].counts, expected, "an end before it, the start, its end");
}

#[test]
fn dying_after_the_write_of_the_one_slot_does_not_bring_it_again() {
    let mut world = migration();
    world.reconcile(at("2026-03-02T09:00:00Z"), Life::DiesAfterWrite);
    world.run("2026-03-03T12:00:00Z");
    world.run("2026-03-04T12:00:00Z");
    assert_eq!(world.writes, [Level::exactly(12)]);
    let last = world.memory.rules["migration"].last.as_ref().unwrap();
    assert_eq!((last.slot, last.fate), (at("2026-03-02T09:00:00Z"), Fate::Applied));
}

#[test]
fn another_timing_begins_anew_and_other_numbers_do_not() {
    let mut world = migration();
    world.run("2026-03-02T09:00:00Z");
    world.policy.rules.get_mut("migration").unwrap().sets = Sets::Count(20);
    world.run("2026-03-03T09:00:00Z");
    assert_eq!(world.writes, [Level::exactly(12)]);
    world.policy.rules.insert("migration".to_owned(), point("0 10 * * *", Sets::Count(20)).once());
    world.run("2026-03-03T09:30:00Z");
    world.run("2026-03-03T10:00:00Z");
    assert_eq!(world.writes, [Level::exactly(12), Level::exactly(20)]);
}
