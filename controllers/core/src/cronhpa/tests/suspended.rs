//! What is suspended until a time, and what is then.

use super::*;
use crate::cronhpa::facts::{Counts, Fate};

#[test]
fn what_is_suspended_until_a_time_begins_at_that_time_by_itself() {
    let mut world =
        World::new(policy(Aim::FedHpa, [("morning", point("0 9 * * *", bounds(40, None)))]), None);
    world.policy.suspension = Suspension::Until(at("2026-03-04T06:00:00Z"));
    world.run("2026-03-01T12:00:00Z");
    let decision = world.run("2026-03-03T09:00:00Z");
    assert_eq!(numbers(&decision), (None, None));
    assert_eq!(decision.wake_up(), Some(at("2026-03-04T06:00:00Z")), "before the next slot");
    assert_eq!(numbers(&world.run("2026-03-04T05:59:59Z")), (None, None));
    assert_eq!(numbers(&world.run("2026-03-04T06:00:00Z")), (Some(40), None));
    world.run("2026-03-04T09:00:00Z");
    let counts = world.memory.rules["morning"].counts;
    assert_eq!(counts, Counts { suspended: 2, applied: 1, ..Counts::default() });
}

#[test]
fn slots_of_a_suspension_that_ended_while_no_controller_ran_are_suspended_all_the_same() {
    let rules = [("batch", point("30 1 * * *", Sets::Count(12)).suspended_until("2026-03-04T01:30:00Z"))];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(3));
    world.run("2026-03-01T12:00:00Z");
    world.run("2026-03-03T23:00:00Z");
    assert_eq!(world.writes, []);
    world.run("2026-03-06T12:00:00Z");
    let batch = &world.memory.rules["batch"];
    assert_eq!(batch.counts, Counts { suspended: 2, superseded: 2, applied: 1, ..Counts::default() });
    let told: Vec<_> = batch.history.iter().map(|record| (record.slot.to_string(), record.fate)).collect();
    assert_eq!(told[2], ("2026-03-04 01:30:00 UTC".to_owned(), Fate::Superseded), "the end is outside");
    assert_eq!(told[3], ("2026-03-03 01:30:00 UTC".to_owned(), Fate::Suspended));
    assert_eq!(batch.history[3].note, "the rule is suspended until 2026-03-04T01:30:00Z");
}

#[test]
fn a_count_that_was_due_while_suspended_is_never_written() {
    let rules = [("batch", point("30 1 * * *", Sets::Count(12)).suspended_until("2026-03-02T02:00:00Z"))];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(3));
    world.run("2026-03-02T01:00:00Z");
    world.run("2026-03-02T03:00:00Z");
    assert_eq!((world.writes.len(), world.memory.rules["batch"].counts.suspended), (0, 1));
}

#[test]
fn suspend_goes_on_after_suspend_until() {
    let rules = [("morning", point("0 9 * * *", bounds(40, None)).suspended_until("2026-03-02T06:00:00Z"))];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    world.policy.suspension = Suspension::Always;
    world.run("2026-03-01T12:00:00Z");
    assert_eq!(numbers(&world.run("2026-03-02T10:00:00Z")), (None, None));
    assert_eq!(world.memory.rules["morning"].last.as_ref().unwrap().note, "spec.suspend is true");
}

#[test]
fn an_hpa_inside_its_window_is_given_back_at_the_end_of_a_suspension_that_outlasted_it() {
    let rules = [("office", window("0 8 * * *", "0 20 * * *", bounds(10, None)))];
    let base = Level { min: 2, max: 30 };
    let mut world = World::new(policy(Aim::Hpa, rules), base);
    world.run("2026-03-02T07:00:00Z");
    world.run("2026-03-02T08:00:00Z");
    world.policy.suspension = Suspension::Until(at("2026-03-02T23:00:00Z"));
    world.run("2026-03-02T20:00:00Z");
    assert_eq!(world.level, Some(Level { min: 10, max: 30 }), "hands off");
    world.run("2026-03-02T23:00:00Z");
    assert_eq!(world.level, Some(base));
}
