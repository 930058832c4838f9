//! Scenarios to be read aloud.

use std::fmt::Write as _;

use super::*;
use crate::cronhpa::conditions::findings;

/// What is decided, wake-up by wake-up.
fn story(world: &mut World, from: &str, until: &str) -> String {
    let (mut now, mut story) = (at(from), String::new());
    while now <= at(until) {
        let decision = world.reconcile(now, Life::Lives);
        writeln!(story, "{}", now.format("%a %H:%M")).unwrap();
        for line in decision.trail.lines() {
            writeln!(story, "  {line}").unwrap();
        }
        let Some(next) = decision.wake_up() else { break };
        now = next;
    }
    story
}

#[test]
fn a_day_of_bounds_for_a_fedhpa() {
    let rules = [
        ("morning", point("0 9 * * 1-5", bounds(40, 80))),
        ("night", point("0 22 * * *", bounds(4, 20))),
        ("launch", window("0 21 * * *", "0 23 * * *", bounds(100, None)).priority(10)),
    ];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    insta::assert_snapshot!(story(&mut world, "2026-03-02T08:00:00Z", "2026-03-02T23:30:00Z"), @r"
    Mon 08:00
      night is in force since 2026-03-01T22:00:00Z
      min 4 by night
      max 20 by night
    Mon 09:00
      morning is in force since 2026-03-02T09:00:00Z
      min 40 by morning
      max 80 by morning
      morning, due at 2026-03-02T09:00:00Z: Applied
    Mon 21:00
      launch is open since 2026-03-02T21:00:00Z until 2026-03-02T23:00:00Z
      morning is in force since 2026-03-02T09:00:00Z
      min 100 by launch
      max 100 by morning
      max 80 is below the min in force and moves to it
      launch, due at 2026-03-02T21:00:00Z: Applied
    Mon 22:00
      launch is open since 2026-03-02T21:00:00Z until 2026-03-02T23:00:00Z
      night is in force since 2026-03-02T22:00:00Z
      min 100 by launch
      max 100 by night
      max 20 is below the min in force and moves to it
      night, due at 2026-03-02T22:00:00Z: Applied
    Mon 23:00
      night is in force since 2026-03-02T22:00:00Z
      min 4 by night
      max 20 by night
      launch, due at 2026-03-02T23:00:00Z: Applied
    ");
}

fn in_paris(text: &str) -> Schedule {
    Schedule::new(Pattern::parse(text).unwrap(), "Europe/Paris".parse().unwrap())
}

/// A fixed time, a window and an interval, all in the hour that a shift of the clock takes or gives.
fn night_in_paris() -> World {
    let window = Window { start: in_paris("15 2 * * *"), end: in_paris("45 2 * * *") };
    let rules = [
        ("fixed", rule(Timing::Point(in_paris("30 2 * * *")), bounds(5, None), &["30 2"])),
        ("window", rule(Timing::Window(window), bounds(None, 50), &["15 2", "45 2"])),
        ("interval", rule(Timing::Point(in_paris("*/40 2 * * *")), bounds(7, None), &["*/40 2"])),
    ];
    World::new(policy(Aim::FedHpa, rules), None)
}

/// Only what became of slots.
fn fates(story: &str) -> String {
    let fates = story.lines().filter(|line| line.contains(", due at "));
    fates.flat_map(|line| [line.trim(), "\n"]).collect()
}

#[test]
fn the_night_in_which_the_clock_is_put_forward() {
    let told = story(&mut night_in_paris(), "2026-03-28T12:00:00Z", "2026-03-30T00:50:00Z");
    insta::assert_snapshot!(fates(&told), @r"
    fixed, due at 2026-03-29T01:00:00Z: Applied
    window, due at 2026-03-29T01:00:00Z: Applied
    interval, due at 2026-03-30T00:00:00Z: Applied
    window, due at 2026-03-30T00:15:00Z: Applied
    fixed, due at 2026-03-30T00:30:00Z: Applied
    interval, due at 2026-03-30T00:40:00Z: Applied
    window, due at 2026-03-30T00:45:00Z: Applied
    ");
}

#[test]
fn the_night_in_which_the_clock_is_put_back() {
    let told = story(&mut night_in_paris(), "2026-10-24T12:00:00Z", "2026-10-25T02:00:00Z");
    insta::assert_snapshot!(fates(&told), @r"
    interval, due at 2026-10-25T00:00:00Z: Applied
    window, due at 2026-10-25T00:15:00Z: Applied
    fixed, due at 2026-10-25T00:30:00Z: Applied
    interval, due at 2026-10-25T00:40:00Z: Applied
    window, due at 2026-10-25T00:45:00Z: Applied
    interval, due at 2026-10-25T01:00:00Z: Applied
    interval, due at 2026-10-25T01:40:00Z: Applied
    ");
}

#[test]
fn a_window_over_an_hpa_with_a_visitor() {
    let rules = [("office", window("0 8 * * *", "0 20 * * *", bounds(10, 50)))];
    let mut world = World::new(policy(Aim::Hpa, rules), Level { min: 2, max: 30 });
    let mut told = story(&mut world, "2026-03-02T07:00:00Z", "2026-03-02T08:00:00Z");
    world.intrude("kubectl-edit", Level { min: 3, max: 50 });
    told += &story(&mut world, "2026-03-02T12:00:00Z", "2026-03-02T20:00:00Z");
    insta::assert_snapshot!(told, @r"
    Mon 07:00
    Mon 08:00
      office is open since 2026-03-02T08:00:00Z until 2026-03-02T20:00:00Z
      min 10 by office
      max 50 by office
      2..30 is recorded, to be given back
      10..50 is written
      office, due at 2026-03-02T08:00:00Z: Applied
    Mon 12:00
      office is open since 2026-03-02T08:00:00Z until 2026-03-02T20:00:00Z
      min 10 by office
      max 50 by office
      kubectl-edit changed what is held, 1 times now
      3..30 is recorded, to be given back
      10..50 is written
    Mon 20:00
      3..30 is given back
      office, due at 2026-03-02T20:00:00Z: Applied
    ");
}

#[test]
fn the_conditions_say_in_plain_words_how_it_stands() {
    use crate::cronhpa::{facts::Holder, policy::Fault};
    let rules = [("office", window("0 8 * * *", "0 20 * * *", bounds(10, 50)))];
    let world = World::new(policy(Aim::Hpa, rules), Level { min: 2, max: 30 });
    let mut story = String::new();
    let mut tell = |policy: &Policy, facts: &Facts, outcome: &Outcome| {
        let decision = decide(policy, facts);
        for finding in findings(policy, facts, &decision, outcome) {
            let line =
                format!("{:?}={:?} {} {}", finding.kind, finding.status, finding.reason, finding.message);
            writeln!(story, "{}", line.trim_end()).unwrap();
        }
        writeln!(story).unwrap();
    };
    let facts = world.facts(at("2026-03-02T09:00:00Z"));
    tell(&world.policy, &facts, &Outcome::Done);
    tell(&world.policy, &facts, &Outcome::Failed("conflict".to_owned()));
    let holder = Some(Holder { kind: "CronHPA".to_owned(), name: "older".to_owned() });
    tell(&world.policy, &Facts { holder, ..facts.clone() }, &Outcome::Done);
    tell(&world.policy, &Facts { target: Target::Missing, ..facts.clone() }, &Outcome::Done);
    let faults = vec![Fault { rule: Some("lunch".to_owned()), reason: "no date matches".to_owned() }];
    tell(&Policy { faults, ..world.policy.clone() }, &facts, &Outcome::Done);
    tell(&Policy { suspension: Suspension::Always, ..world.policy.clone() }, &facts, &Outcome::Done);
    insta::assert_snapshot!(story, @r"
    Ready=True InForce in force: office; an HPA here bounds each member cluster by itself, not the total: for the total use a FedHPA
    Contested=False Uncontested
    Suspended=False Active
    Invalid=False Valid

    Ready=False WriteFailed the target cannot be written: conflict
    Contested=False Uncontested
    Suspended=False Active
    Invalid=False Valid

    Ready=False Contested the target is held by the older CronHPA older
    Contested=True HeldByAnother the target is held by the older CronHPA older
    Suspended=False Active
    Invalid=False Valid

    Ready=False TargetMissing there is no such target
    Contested=False Uncontested
    Suspended=False Active
    Invalid=False Valid

    Ready=False Invalid rule lunch: no date matches
    Contested=False Uncontested
    Suspended=False Active
    Invalid=True Invalid rule lunch: no date matches

    Ready=False Suspended spec.suspend is true: no rule acts
    Contested=False Uncontested
    Suspended=True Suspended spec.suspend is true: no rule acts
    Invalid=False Valid
    ");
}
