//! Nobody was there: deadlines that pass, and writes that nobody lived to account for.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::cronhpa::facts::{Counts, Fate};

fn counts(world: &World, rule: &str) -> Counts {
    world.memory.rules[rule].counts
}

/// Nine and ten o'clock, each with a count of its own.
fn two_counts() -> World {
    let rules = [("nine", point("0 9 * * *", Sets::Count(9))), ("ten", point("0 10 * * *", Sets::Count(10)))];
    let mut world = World::new(policy(Aim::Workload, rules), Level::exactly(1));
    world.run("2026-03-02T08:00:00Z");
    world
}

#[test]
fn a_count_that_took_effect_is_applied_though_the_next_one_is_due_before_anybody_could_say_so() {
    let mut world = two_counts();
    world.reconcile(at("2026-03-02T09:00:00Z"), Life::DiesAfterWrite);
    world.run("2026-03-02T10:30:00Z");
    assert_eq!(world.writes, [Level::exactly(9), Level::exactly(10)]);
    let nine = world.memory.rules["nine"].last.as_ref().unwrap();
    assert_eq!((nine.slot, nine.fate), (at("2026-03-02T09:00:00Z"), Fate::Applied));
    assert_eq!((counts(&world, "nine").applied, counts(&world, "ten").applied), (1, 1));
}

#[test]
fn a_count_that_was_not_written_is_superseded() {
    let mut world = two_counts();
    world.reconcile(at("2026-03-02T09:00:00Z"), Life::DiesBeforeWrite);
    world.run("2026-03-02T10:30:00Z");
    assert_eq!(world.writes, [Level::exactly(10)]);
    assert_eq!((counts(&world, "nine").superseded, counts(&world, "ten").applied), (1, 1));
}

#[test]
fn a_count_that_somebody_changed_since_is_superseded_like_one_that_was_not_written() {
    let mut world = two_counts();
    world.reconcile(at("2026-03-02T09:00:00Z"), Life::DiesAfterWrite);
    world.intrude("kubectl", Level::exactly(3));
    world.run("2026-03-02T10:30:00Z");
    assert_eq!((counts(&world, "nine").superseded, counts(&world, "ten").applied), (1, 1));
}

/// Schedules of a few hours.
fn hours() -> impl Strategy<Value = String> {
    let hour = prop::sample::select(vec!["*/2", "*/3", "7", "8,16", "1-23/4", "22"]);
    let minute = prop::sample::select(vec!["0", "15", "40"]);
    (minute, hour).prop_map(|(minute, hour)| format!("{minute} {hour} * * *"))
}

fn walk(text: &str, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let schedule = schedule(text);
    let all = std::iter::successors(schedule.next_after(after), |slot| schedule.next_after(*slot));
    all.take_while(|slot| *slot <= until).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_count_that_was_written_is_applied_once_and_each_slot_accounted_for(
        texts in prop::collection::vec(hours(), 1..5),
        awake in prop::collection::btree_set(1..4320_i64, 1..40),
        lives in prop::collection::vec(prop::sample::select(vec![
            Life::Lives, Life::DiesFirst, Life::DiesBeforeWrite, Life::DiesAfterWrite, Life::WriteFails,
        ]), 40),
    ) {
        let start = at("2026-03-01T00:00:00Z");
        let rules = texts.iter().zip(10..).map(|(text, count)| point(text, Sets::Count(count)));
        let rules: BTreeMap<_, _> = (0..).map(|index| format!("r{index}")).zip(rules).collect();
        let mut world = World::new(Policy { rules, ..policy(Aim::Workload, []) }, Level::exactly(1));
        world.reconcile(start, Life::Lives);
        for (minutes, life) in awake.iter().zip(&lives) {
            world.reconcile(start + TimeDelta::minutes(*minutes), *life);
        }
        let end = start + TimeDelta::minutes(4320);
        world.reconcile(end, Life::Lives);
        for ((name, text), count) in (0..).map(|index| format!("r{index}")).zip(&texts).zip(10..) {
            let counted = counts(&world, &name);
            let written = world.writes.iter().filter(|level| level.max == count).count();
            // One that found its count there was applied without a write.
            prop_assert!(counted.applied >= u64::try_from(written).unwrap(), "{counted:?}, written {written}");
            prop_assert_eq!(counted.applied + counted.superseded, counted.total());
            prop_assert_eq!(counted.total(), u64::try_from(walk(text, start, end).len()).unwrap());
        }
    }

    #[test]
    fn a_window_is_open_after_an_outage_if_its_start_was_seen_in_time(
        (opens, closes) in (0..24, 1..24).prop_map(|(opens, length)| (opens, (opens + length) % 24)),
        deadline in prop::sample::select(vec![600, 1800, 7200, 40_000_i64]),
        awake in prop::collection::btree_set(1..4320_i64, 1..40),
    ) {
        let start = at("2026-03-01T00:00:00Z");
        let (opens, closes) = (format!("0 {opens} * * *"), format!("0 {closes} * * *"));
        let rule = window(&opens, &closes, bounds(8, None)).deadline(deadline);
        let mut world = World::new(policy(Aim::FedHpa, [("window", rule)]), None);
        world.reconcile(start, Life::Lives);
        let looks: Vec<_> = awake.iter().map(|minutes| start + TimeDelta::minutes(*minutes)).collect();
        let (mut before, mut missed) = (start, 0);
        for look in &looks {
            let decision = world.reconcile(*look, Life::Lives);
            let (starts, ends) = (walk(&opens, before, *look), walk(&closes, before, *look));
            let opened = starts.last().filter(|opened| ends.last().is_none_or(|closed| closed < opened));
            let is_late = |opened: DateTime<Utc>| *look - opened > TimeDelta::seconds(deadline);
            missed += u64::from(opened.is_some_and(|opened| is_late(*opened)));
            if let Some(opened) = opened {
                prop_assert_eq!(numbers(&decision).0.is_some(), !is_late(*opened), "{} at {}", opened, look);
            } else if ends.last().is_some() {
                prop_assert_eq!(numbers(&decision).0, None, "{}", look);
            }
            before = *look;
        }
        let all = walk(&opens, start, before).len() + walk(&closes, start, before).len();
        prop_assert_eq!(counts(&world, "window").missed, missed);
        prop_assert_eq!(counts(&world, "window").total(), u64::try_from(all).unwrap());
    }
}
