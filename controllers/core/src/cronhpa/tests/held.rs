//! What is written to a target, and what is given back.

use super::*;
use crate::cronhpa::facts::{Fate, Holder};

const BASE: Level = Level { min: 2, max: 30 };

fn office() -> World {
    let rules = [("office", window("0 8 * * *", "0 20 * * *", bounds(10, None)))];
    let mut world = World::new(policy(Aim::Hpa, rules), BASE);
    world.run("2026-03-02T07:00:00Z");
    world
}

#[test]
fn the_base_is_recorded_before_the_first_write_and_applied_at_the_end() {
    let mut world = office();
    world.reconcile(at("2026-03-02T08:00:00Z"), Life::DiesBeforeWrite);
    assert_eq!(world.level, Some(BASE));
    assert_eq!(world.memory.base.map(|base| base.level), Some(BASE), "it is remembered already");
    world.run("2026-03-02T08:00:01Z");
    assert_eq!(world.level, Some(Level { min: 10, max: 30 }));
    world.run("2026-03-02T20:00:00Z");
    assert_eq!((world.level, world.memory.base), (Some(BASE), None));
    assert_eq!(world.writes.len(), 2);
}

#[test]
fn deciding_again_after_a_write_that_nobody_lived_to_remember_writes_nothing() {
    let mut world = office();
    world.reconcile(at("2026-03-02T08:00:00Z"), Life::DiesAfterWrite);
    world.run("2026-03-02T08:00:05Z");
    assert_eq!(world.writes.len(), 1);
    assert_eq!(world.memory.rules["office"].counts.applied, 1);
    world.reconcile(at("2026-03-02T20:00:00Z"), Life::DiesAfterWrite);
    world.run("2026-03-02T20:00:05Z");
    assert_eq!((world.writes.len(), world.level), (2, Some(BASE)));
}

#[test]
fn a_window_that_closes_while_nobody_lives_to_remember_its_write_is_given_back_all_the_same() {
    let mut world = office();
    world.reconcile(at("2026-03-02T08:00:00Z"), Life::DiesAfterWrite);
    world.run("2026-03-02T21:00:00Z");
    assert_eq!((world.level, world.memory.base), (Some(BASE), None));
}

#[test]
fn what_another_changes_inside_a_window_becomes_the_base_and_the_window_is_applied_once_more() {
    let mut world = office();
    world.run("2026-03-02T08:00:00Z");
    world.intrude("kubectl-edit", Level { min: 3, max: 40 });
    world.run("2026-03-02T09:00:00Z");
    assert_eq!(world.level, Some(Level { min: 10, max: 40 }));
    world.run("2026-03-02T20:00:00Z");
    assert_eq!(world.level, Some(Level { min: 3, max: 40 }));
}

#[test]
fn a_bound_that_no_rule_sets_may_be_changed_freely() {
    let mut world = office();
    world.run("2026-03-02T08:00:00Z");
    for max in [40, 50, 60, 70] {
        world.intrude("kubectl-edit", Level { min: 10, max });
        assert_eq!(world.run("2026-03-02T09:00:00Z").plan.write, None);
    }
    world.run("2026-03-02T20:00:00Z");
    assert_eq!(world.level, Some(Level { min: 2, max: 70 }));
}

#[test]
fn after_three_changes_by_the_same_manager_the_target_is_left_alone_until_another_rule_holds() {
    let mut world = office();
    world.run("2026-03-02T08:00:00Z");
    for (by, times) in [("argocd", 1), ("kubectl", 1), ("argocd", 2)] {
        world.intrude(by, BASE);
        world.run("2026-03-02T09:00:00Z");
        assert_eq!(world.memory.reversions[by], times);
        assert_eq!(world.level, Some(Level { min: 10, max: 30 }), "applied once more");
    }
    world.intrude("argocd", BASE);
    let third = world.run("2026-03-02T10:00:00Z");
    assert_eq!((third.plan.write, third.plan.contested_by.as_deref()), (None, Some("argocd")));
    assert_eq!(world.run("2026-03-02T11:00:00Z").plan.write, None);
    world.run("2026-03-02T20:00:00Z");
    assert_eq!((world.level, world.memory.base), (Some(BASE), None));
    world.run("2026-03-03T08:00:00Z");
    assert_eq!(world.level, Some(Level { min: 10, max: 30 }), "a new window is a new beginning");
}

#[test]
fn a_failed_write_does_not_count_a_change_twice() {
    let mut world = office();
    world.run("2026-03-02T08:00:00Z");
    world.intrude("kubectl", BASE);
    for _ in 0..5 {
        world.reconcile(at("2026-03-02T09:00:00Z"), Life::WriteFails);
    }
    world.run("2026-03-02T09:01:00Z");
    assert_eq!(world.memory.reversions["kubectl"], 1);
}

#[test]
fn a_max_below_the_bases_min_takes_the_min_along_and_gives_both_back() {
    let rules = [("freeze", window("0 8 * * *", "0 20 * * *", bounds(None, 1)))];
    let mut world = World::new(policy(Aim::Hpa, rules), BASE);
    world.run("2026-03-02T09:00:00Z");
    assert_eq!(world.level, Some(Level { min: 1, max: 1 }));
    world.run("2026-03-02T21:00:00Z");
    assert_eq!(world.level, Some(BASE));
}

#[test]
fn a_rule_that_is_deleted_or_suspended_inside_its_window_gives_back() {
    for suspend in [true, false] {
        let mut world = office();
        world.run("2026-03-02T08:00:00Z");
        if suspend {
            world.policy.rules.get_mut("office").unwrap().suspension = Suspension::Always;
        } else {
            world.policy.rules.clear();
        }
        world.run("2026-03-02T09:00:00Z");
        assert_eq!((world.level, world.memory.base), (Some(BASE), None));
    }
}

#[test]
fn a_suspended_object_keeps_its_hands_off_and_remembers_what_to_give_back() {
    let mut world = office();
    world.run("2026-03-02T08:00:00Z");
    world.policy.suspension = Suspension::Always;
    world.run("2026-03-02T20:00:00Z");
    assert_eq!(world.level, Some(Level { min: 10, max: 30 }));
    world.policy.suspension = Suspension::Not;
    world.run("2026-03-02T21:00:00Z");
    assert_eq!(world.level, Some(BASE));
}

#[test]
fn a_target_that_is_held_by_another_is_not_written() {
    let mut world = office();
    let mut facts = world.facts(at("2026-03-02T08:00:00Z"));
    facts.holder = Some(Holder { kind: "CronHPA".to_owned(), name: "older".to_owned() });
    let decision = decide(&world.policy, &facts);
    assert_eq!(decision.plan.write, None);
    world.memory = settle(&world.policy, &facts, &decision, &Outcome::Done, facts.now);
    assert_eq!(world.memory.rules["office"].counts.failed, 1);
    assert_eq!(world.memory.base, None);
}

#[test]
fn a_target_that_is_missing_is_waited_for() {
    let world = office();
    let mut facts = world.facts(at("2026-03-02T08:00:00Z"));
    facts.target = Target::Missing;
    let decision = decide(&world.policy, &facts);
    let memory = settle(&world.policy, &facts, &decision, &Outcome::Done, facts.now);
    assert_eq!(memory.rules["office"].counts.total(), 0, "the slot is still due");
}

#[test]
fn a_count_that_is_due_inside_a_window_is_given_back_at_its_end() {
    let rules = [
        ("batch", point("30 1 * * *", Sets::Count(12))),
        ("quiet", window("0 1 * * *", "0 4 * * *", Sets::Count(0))),
    ];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(5));
    world.run("2026-03-02T00:00:00Z");
    world.run("2026-03-02T01:00:00Z");
    assert_eq!(world.level, Some(Level::exactly(0)));
    world.run("2026-03-02T01:30:00Z");
    assert_eq!(world.level, Some(Level::exactly(0)));
    assert_eq!(world.memory.rules["batch"].last.as_ref().map(|last| last.fate), Some(Fate::Applied));
    world.run("2026-03-02T04:00:00Z");
    assert_eq!(world.level, Some(Level::exactly(12)));
}

#[test]
fn a_count_is_written_once_and_what_others_do_afterwards_is_theirs() {
    let mut world = World::new(
        policy(Aim::Workload, [("batch", point("30 1 * * *", Sets::Count(12)))]),
        Level::exactly(5),
    );
    world.run("2026-03-02T00:00:00Z");
    world.reconcile(at("2026-03-02T01:30:00Z"), Life::DiesAfterWrite);
    world.run("2026-03-02T01:30:02Z");
    assert_eq!(world.writes, [Level::exactly(12)]);
    world.intrude("kubectl", Level::exactly(7));
    world.run("2026-03-02T02:00:00Z");
    assert_eq!(world.level, Some(Level::exactly(7)));
}
