//! Every slot has one fate, whatever the controller missed.

use proptest::prelude::*;

use super::*;
use crate::cronhpa::facts::{Counts, Fate, Holder};

fn counts(world: &World, rule: &str) -> Counts {
    world.memory.rules[rule].counts
}

fn last(world: &World, rule: &str) -> (String, Fate) {
    let last = world.memory.rules[rule].last.as_ref().unwrap();
    (last.slot.format("%dT%H:%M").to_string(), last.fate)
}

#[test]
fn bounds_that_hold_when_a_rule_is_first_seen_apply_at_once_and_are_no_slot() {
    let mut world = World::new(policy(Aim::FedHpa, [("night", point("0 22 * * *", bounds(4, 20)))]), None);
    assert_eq!(numbers(&world.run("2026-03-02T12:00:00Z")), (Some(4), Some(20)));
    assert_eq!(counts(&world, "night").total(), 0);
    assert_eq!(world.memory.rules["night"].last, None);
}

#[test]
fn a_count_that_was_due_before_the_rule_was_first_seen_is_not_applied() {
    let rules = [("batch", point("30 1 * * *", Sets::Count(12)))];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(3));
    world.run("2026-03-02T12:00:00Z");
    assert_eq!(world.level, Some(Level::exactly(3)));
    world.run("2026-03-03T01:30:00Z");
    assert_eq!(world.level, Some(Level::exactly(12)));
    assert_eq!(last(&world, "batch"), ("03T01:30".to_owned(), Fate::Applied));
}

#[test]
fn after_an_outage_the_latest_slot_is_applied_and_those_before_it_are_superseded() {
    let rules = [("batch", point("30 1 * * *", Sets::Count(12)))];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(3));
    world.run("2026-03-01T12:00:00Z");
    world.run("2026-03-05T12:00:00Z");
    assert_eq!(counts(&world, "batch"), Counts { applied: 1, superseded: 3, ..Counts::default() });
    assert_eq!(world.writes, [Level::exactly(12)]);
    let history = &world.memory.rules["batch"].history;
    let told: Vec<_> = history.iter().map(|record| (record.slot.to_string(), record.fate)).collect();
    assert_eq!(told[0], ("2026-03-05 01:30:00 UTC".to_owned(), Fate::Applied));
    assert_eq!(told[3], ("2026-03-02 01:30:00 UTC".to_owned(), Fate::Superseded));
}

#[test]
fn of_two_counts_that_are_due_only_the_later_one_is_written() {
    let rules = [("up", point("0 8 * * *", Sets::Count(12))), ("down", point("0 20 * * *", Sets::Count(2)))];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(5));
    world.run("2026-03-01T00:00:00Z");
    world.run("2026-03-01T23:00:00Z");
    assert_eq!(world.writes, [Level::exactly(2)]);
    assert_eq!(last(&world, "up").1, Fate::Superseded);
    assert_eq!(last(&world, "down").1, Fate::Applied);
}

#[test]
fn a_slot_past_its_deadline_is_missed_and_what_held_before_goes_on() {
    let rules = [
        ("morning", point("0 9 * * *", bounds(40, 80)).deadline(600)),
        ("night", point("0 22 * * *", bounds(4, 20))),
    ];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    world.run("2026-03-01T23:00:00Z");
    let late = world.run("2026-03-02T09:10:01Z");
    assert_eq!(numbers(&late), (Some(4), Some(20)));
    assert_eq!(last(&world, "morning"), ("02T09:00".to_owned(), Fate::Missed));
    assert_eq!(numbers(&world.run("2026-03-02T15:00:00Z")), (Some(4), Some(20)), "it stays missed");
    assert_eq!(numbers(&world.run("2026-03-03T09:10:00Z")), (Some(40), Some(80)), "just in time");
    assert_eq!(counts(&world, "morning"), Counts { applied: 1, missed: 1, ..Counts::default() });
}

#[test]
fn a_start_past_its_deadline_opens_nothing_until_the_next_one() {
    let rules = [("launch", window("0 10 * * *", "0 18 * * *", bounds(100, None)).deadline(60))];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    world.run("2026-03-02T00:00:00Z");
    assert_eq!(numbers(&world.run("2026-03-02T11:00:00Z")), (None, None));
    assert_eq!(last(&world, "launch").1, Fate::Missed);
    world.run("2026-03-02T18:05:00Z");
    assert_eq!(last(&world, "launch").1, Fate::Applied, "the end has no deadline");
    assert_eq!(numbers(&world.run("2026-03-03T10:00:00Z")), (Some(100), None));
}

#[test]
fn a_slot_on_a_day_off_is_excluded_and_the_bounds_before_it_go_on() {
    let rules =
        [("morning", point("0 9 * * *", bounds(40, None))), ("night", point("0 22 * * *", bounds(4, None)))];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    world.policy.days_off = days_off("2026-10-01/2026-10-07");
    world.run("2026-09-30T23:00:00Z");
    assert_eq!(numbers(&world.run("2026-10-01T12:00:00Z")), (Some(4), None));
    world.run("2026-10-08T12:00:00Z");
    assert_eq!(counts(&world, "morning"), Counts { applied: 1, excluded: 7, ..Counts::default() });
    assert_eq!(counts(&world, "night").excluded, 7);
}

#[test]
fn a_slot_that_was_missed_stays_missed_over_days_off() {
    let rules = [
        ("morning", point("0 9 * * *", bounds(40, None)).deadline(600)),
        ("night", point("0 22 * * *", bounds(4, None))),
    ];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    world.policy.days_off = days_off("2026-10-02/2026-10-07");
    world.policy.history_limit = 0;
    for now in ["2026-09-30T23:00:00Z", "2026-10-01T12:00:00Z"] {
        assert_eq!(numbers(&world.run(now)), (Some(4), None));
    }
    world.run("2026-10-02T12:00:00Z");
    assert_eq!(numbers(&world.run("2026-10-03T12:00:00Z")), (Some(4), None));
}

#[test]
fn what_falls_due_while_suspended_is_recorded_and_what_holds_afterwards_holds() {
    let mut world =
        World::new(policy(Aim::FedHpa, [("morning", point("0 9 * * *", bounds(40, None)))]), None);
    world.run("2026-03-01T23:00:00Z");
    world.policy.suspension = Suspension::Always;
    assert_eq!(numbers(&world.run("2026-03-02T10:00:00Z")), (None, None));
    assert_eq!(last(&world, "morning").1, Fate::Suspended);
    world.policy.suspension = Suspension::Not;
    assert_eq!(numbers(&world.run("2026-03-02T11:00:00Z")), (Some(40), None));
    assert_eq!(counts(&world, "morning"), Counts { suspended: 1, ..Counts::default() });
}

#[test]
fn a_target_that_another_holds_gets_nothing_and_the_slot_failed() {
    let mut world =
        World::new(policy(Aim::FedHpa, [("morning", point("0 9 * * *", bounds(40, None)))]), None);
    world.run("2026-03-01T23:00:00Z");
    let mut facts = world.facts(at("2026-03-02T09:00:00Z"));
    facts.holder = Some(Holder { kind: "CronHPA".to_owned(), name: "older".to_owned() });
    let decision = decide(&world.policy, &facts);
    assert_eq!(numbers(&decision), (None, None));
    let memory = settle(&world.policy, &facts, &decision, &Outcome::Done, facts.now);
    let last = memory.rules["morning"].last.clone().unwrap();
    assert_eq!((last.fate, last.note.as_str()), (Fate::Failed, "CronHPA older holds the target"));
}

#[test]
fn a_write_that_fails_leaves_its_slot_due_until_the_deadline() {
    let rules = [("batch", point("30 1 * * *", Sets::Count(12)).deadline(600))];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(3));
    world.run("2026-03-02T01:00:00Z");
    world.reconcile(at("2026-03-02T01:30:00Z"), Life::WriteFails);
    assert_eq!(counts(&world, "batch").total(), 0);
    assert_eq!(world.memory.pending.as_ref().map(|pending| pending.count), Some(12));
    world.reconcile(at("2026-03-02T01:39:00Z"), Life::WriteFails);
    world.run("2026-03-02T01:40:01Z");
    assert_eq!(counts(&world, "batch"), Counts { missed: 1, ..Counts::default() });
    assert_eq!(world.memory.pending, None);
    assert_eq!(world.writes, []);
}

#[test]
fn a_clock_that_is_put_back_fires_nothing_twice_and_gives_nothing_back() {
    let rules = [("batch", point("30 1 * * *", Sets::Count(12)))];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(3));
    world.run("2026-03-02T00:00:00Z");
    world.run("2026-03-02T01:30:05Z");
    world.intrude("kubectl", Level::exactly(9));
    world.run("2026-03-02T01:00:00Z");
    world.run("2026-03-02T01:31:00Z");
    assert_eq!(world.level, Some(Level::exactly(9)));
    assert_eq!(counts(&world, "batch"), Counts { applied: 1, ..Counts::default() });

    let rules =
        [("morning", point("0 9 * * *", bounds(40, None))), ("night", point("0 22 * * *", bounds(4, None)))];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    world.run("2026-03-02T08:00:00Z");
    world.run("2026-03-02T09:00:00Z");
    assert_eq!(numbers(&world.run("2026-03-02T08:30:00Z")), (Some(40), None));
}

#[test]
fn a_rule_whose_schedule_is_edited_is_seen_for_the_first_time() {
    let mut world = World::new(
        policy(Aim::Workload, [("batch", point("30 1 * * *", Sets::Count(12)))]),
        Level::exactly(3),
    );
    world.run("2026-03-02T01:00:00Z");
    world.policy = policy(Aim::Workload, [("batch", point("45 1 * * *", Sets::Count(12)))]);
    world.run("2026-03-02T01:50:00Z");
    assert_eq!(world.writes, []);
    assert_eq!(world.memory.rules["batch"].first_seen, at("2026-03-02T01:50:00Z"));
}

#[test]
fn a_year_without_a_controller_of_a_rule_of_every_second_is_counted_and_not_walked() {
    let mut world = World::new(policy(Aim::FedHpa, [("tick", point("* * * * * *", bounds(1, None)))]), None);
    world.run("2026-01-01T00:00:00Z");
    world.run("2027-01-01T00:00:00Z");
    assert_eq!(
        counts(&world, "tick"),
        Counts { applied: 1, superseded: 365 * 86_400 - 1, ..Counts::default() }
    );
    assert_eq!(world.memory.rules["tick"].history.len(), 5);
}

/// Rules of all kinds; what they are does not matter here, only how many slots they have.
pub(super) fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let minute = prop_oneof![Just("*/20"), Just("0"), Just("30"), Just("15,45")];
    let hour = prop_oneof![Just("*"), Just("9"), Just("22"), Just("*/6"), Just("0,12")];
    let text = (minute, hour).prop_map(|(minute, hour)| format!("{minute} {hour} * * *"));
    let sets = (prop::option::of(1..50_u32), 50..99_u32).prop_map(|(min, max)| bounds(min, max));
    let lead = prop_oneof![3 => Just(0), 1 => Just(900), 1 => Just(5400)];
    let frequency = prop::sample::select(vec![Frequency::Always, Frequency::Always, Frequency::Once]);
    let resumes = prop::option::weighted(0.3, 0..4320_i64);
    let one = (text.clone(), prop::option::of(text), sets, -1..2_i32, lead, frequency, resumes).prop_map(
        |(one, other, sets, priority, lead, frequency, resumes)| {
            let rule = match other {
                Some(end) => window(&one, &end, sets),
                None => point(&one, sets),
            };
            let end = |minutes| at("2026-03-01T00:00:00Z") + TimeDelta::minutes(minutes);
            let suspension = resumes.map_or(Suspension::Not, |minutes| Suspension::Until(end(minutes)));
            Rule { frequency, suspension, ..rule.priority(priority).lead(lead) }
        },
    );
    prop::collection::vec(one, 1..4)
}

pub(super) fn named(aim: Aim, rules: Vec<Rule>) -> Policy {
    let rules = rules.into_iter().enumerate().map(|(index, rule)| (format!("rule-{index}"), rule)).collect();
    Policy { rules, days_off: days_off("2026-03-03"), ..policy(aim, []) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_outage_ends_in_the_state_of_a_controller_that_was_always_on_with_every_slot_accounted_once(
        rules in rules(),
        awake in prop::collection::btree_set(1..4320_i64, 0..12),
        lives in prop::collection::vec(prop::sample::select(vec![
            Life::Lives, Life::DiesFirst, Life::DiesBeforeWrite, Life::DiesAfterWrite, Life::WriteFails,
        ]), 12),
    ) {
        let start = at("2026-03-01T00:00:00Z");
        let minute = |minutes: i64| start + TimeDelta::minutes(minutes);
        for aim in [Aim::FedHpa, Aim::Hpa] {
            let level = Level { min: 2, max: 30 };
            let mut always = World::new(named(aim, rules.clone()), level);
            let mut seldom = World::new(named(aim, rules.clone()), level);
            let mut now = start;
            always.reconcile(start, Life::Lives);
            seldom.reconcile(start, Life::Lives);
            while let Some(next) = decide(&always.policy, &always.facts(now)).wake_up() {
                if next > minute(4320) {
                    break;
                }
                now = next;
                always.reconcile(now, Life::Lives);
            }
            for (minutes, life) in awake.iter().zip(&lives) {
                seldom.reconcile(minute(*minutes), *life);
            }
            let (one, other) = (always.reconcile(minute(4320), Life::Lives), seldom.reconcile(minute(4320), Life::Lives));
            prop_assert_eq!(&one.in_force, &other.in_force);
            prop_assert_eq!(always.level, seldom.level);
            prop_assert_eq!(always.memory.base.map(|base| base.level), seldom.memory.base.map(|base| base.level));
            for (name, rule) in &always.policy.rules {
                let (one, other) = (&always.memory.rules[name], &seldom.memory.rules[name]);
                prop_assert_eq!(one.last_handled, other.last_handled);
                prop_assert_eq!(one.counts.total(), slots(rule, start, minute(4320)), "{}", name);
                prop_assert_eq!(other.counts.total(), one.counts.total());
                prop_assert_eq!(other.counts.excluded, one.counts.excluded);
                prop_assert_eq!(other.counts.suspended, one.counts.suspended);
                prop_assert_eq!(other.once, one.once);
            }
        }
    }

    #[test]
    fn no_step_of_the_clock_accounts_for_a_slot_twice(
        rules in rules(),
        times in prop::collection::vec(0..4320_i64, 1..30),
    ) {
        let start = at("2026-03-01T00:00:00Z");
        let mut world = World::new(named(Aim::FedHpa, rules), None);
        world.reconcile(start, Life::Lives);
        for minutes in &times {
            world.reconcile(start + TimeDelta::minutes(*minutes), Life::Lives);
        }
        let furthest = start + TimeDelta::minutes(*times.iter().max().unwrap());
        for (name, rule) in &world.policy.rules {
            prop_assert_eq!(world.memory.rules[name].counts.total(), slots(rule, start, furthest), "{}", name);
        }
    }
}

/// All slots of a rule that are due by `until`, walked one by one.
fn slots(rule: &Rule, after: DateTime<Utc>, until: DateTime<Utc>) -> u64 {
    let all = |schedule: &Schedule, until: DateTime<Utc>| {
        let walked = std::iter::successors(schedule.next_after(after), |slot| schedule.next_after(*slot));
        walked.take_while(|slot| *slot <= until).collect::<Vec<_>>()
    };
    let (begins, resumes) = match (&rule.timing, rule.suspension) {
        (Timing::Point(schedule), Suspension::Until(end)) => (schedule, end),
        (Timing::Window(window), Suspension::Until(end)) => (&window.start, end),
        (Timing::Point(schedule), _) => (schedule, after),
        (Timing::Window(window), _) => (&window.start, after),
    };
    let is_off = |slot: DateTime<Utc>| slot.date_naive() == "2026-03-03".parse().unwrap();
    let ahead = until + rule.lead;
    let mut begins = all(begins, ahead);
    if until < resumes {
        begins.retain(|slot| *slot < resumes);
    }
    let runs = begins.iter().copied().find(|slot| *slot >= resumes && !is_off(*slot));
    let runs = runs.filter(|_| rule.frequency == Frequency::Once);
    begins.retain(|slot| runs.is_none_or(|last| *slot <= last));
    let mut ends = match &rule.timing {
        Timing::Point(_) => Vec::new(),
        Timing::Window(window) => all(&window.end, until),
    };
    let closes = runs.and_then(|runs| ends.iter().copied().find(|end| *end > runs));
    ends.retain(|end| closes.is_none_or(|last| *end <= last));
    u64::try_from(begins.len() + ends.len()).unwrap()
}
