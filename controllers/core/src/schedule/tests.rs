//! Schedules, held against an oracle and shown at both edges of daylight saving time.

use std::fmt::Write as _;

use chrono::{DateTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::{
    oracle::{Field, Fields},
    *,
};

mod zones;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn schedule(text: &str, zone: &str) -> Schedule {
    Schedule::new(Pattern::parse(text).unwrap(), zone.parse().unwrap())
}

fn days_off(dates: &[&str]) -> DaysOff {
    let mut days_off = DaysOff::default();
    for date in dates {
        days_off.add(date).unwrap();
    }
    days_off
}

/// The slots of a rule in a span, as a table to be read.
fn told(text: &str, zone: &str, after: &str, until: &str) -> String {
    let schedule = schedule(text, zone);
    let slots = schedule.oldest(at(after), at(until), 100);
    assert_eq!(slots, schedule.newest(at(after), at(until), 100), "backwards it is the same");
    assert!(!slots.cut);
    slots.times.iter().fold(String::new(), |mut table, slot| {
        writeln!(table, "{} = {}", schedule.zone().written(*slot), slot.format("%d %H:%M:%SZ")).unwrap();
        table
    })
}

#[test]
fn spring_in_paris_a_fixed_time_in_the_gap_falls_on_the_first_instant_after_it() {
    insta::assert_snapshot!(
        told("30 2 * * *", "Europe/Paris", "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z"),
        @r"
    2026-03-28T02:30:00+01:00 = 28 01:30:00Z
    2026-03-29T03:00:00+02:00 = 29 01:00:00Z
    2026-03-30T02:30:00+02:00 = 30 00:30:00Z
    "
    );
}

#[test]
fn autumn_in_paris_a_fixed_time_in_the_overlap_falls_on_the_first_pass_only() {
    insta::assert_snapshot!(
        told("30 2 * * *", "Europe/Paris", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"),
        @r"
    2026-10-25T02:30:00+02:00 = 25 00:30:00Z
    2026-10-26T02:30:00+01:00 = 26 01:30:00Z
    "
    );
}

#[test]
fn spring_in_new_york_an_interval_leaves_out_what_the_clock_leaves_out() {
    insta::assert_snapshot!(
        told("*/30 * * * *", "America/New_York", "2026-03-08T06:00:00Z", "2026-03-08T08:00:00Z"),
        @r"
    2026-03-08T01:30:00-05:00 = 08 06:30:00Z
    2026-03-08T03:00:00-04:00 = 08 07:00:00Z
    2026-03-08T03:30:00-04:00 = 08 07:30:00Z
    2026-03-08T04:00:00-04:00 = 08 08:00:00Z
    "
    );
}

#[test]
fn autumn_in_new_york_an_interval_does_twice_what_the_clock_shows_twice() {
    insta::assert_snapshot!(
        told("*/30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
        @r"
    2026-11-01T01:00:00-04:00 = 01 05:00:00Z
    2026-11-01T01:30:00-04:00 = 01 05:30:00Z
    2026-11-01T01:00:00-05:00 = 01 06:00:00Z
    2026-11-01T01:30:00-05:00 = 01 06:30:00Z
    "
    );
}

#[test]
fn london_midnight_is_one_slot_on_each_day_of_spring() {
    insta::assert_snapshot!(
        told("0 0 * * *", "Europe/London", "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"),
        @r"
    2026-03-29T00:00:00+00:00 = 29 00:00:00Z
    2026-03-30T00:00:00+01:00 = 29 23:00:00Z
    "
    );
}

#[test]
fn lord_howe_moves_its_clock_by_half_an_hour() {
    insta::assert_snapshot!(
        told("15,45 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z"),
        @r"
    2026-10-04T02:30:00+11:00 = 03 15:30:00Z
    2026-10-04T02:45:00+11:00 = 03 15:45:00Z
    "
    );
    insta::assert_snapshot!(
        told("*/15 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-05T00:00:00Z"),
        @r"
    2026-04-05T01:00:00+11:00 = 04 14:00:00Z
    2026-04-05T01:15:00+11:00 = 04 14:15:00Z
    2026-04-05T01:30:00+11:00 = 04 14:30:00Z
    2026-04-05T01:45:00+11:00 = 04 14:45:00Z
    2026-04-05T01:30:00+10:30 = 04 15:00:00Z
    2026-04-05T01:45:00+10:30 = 04 15:15:00Z
    "
    );
}

#[test]
fn a_day_that_a_zone_left_out_has_its_fixed_times_at_the_start_of_the_next() {
    insta::assert_snapshot!(
        told("0 9 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", "2012-12-31T12:00:00Z"),
        @r"
    2011-12-31T00:00:00+14:00 = 30 10:00:00Z
    2012-12-30T09:00:00+14:00 = 29 19:00:00Z
    "
    );
}

#[test]
fn a_day_begins_with_its_first_midnight_and_lasts_until_the_first_midnight_of_the_next() {
    // In 2006 the clock of St. John's went from 00:01 back to 23:01 of the day before.
    let zone: Zone = "America/St_Johns".parse().unwrap();
    let (eve, day) = ("2006-10-28".parse().unwrap(), "2006-10-29".parse().unwrap());
    assert_eq!(zone.start_of(day), at("2006-10-29T02:30:00Z"));
    assert_eq!(zone.day_of(at("2006-10-29T02:29:59Z")), eve);
    assert_eq!(zone.day_of(at("2006-10-29T02:45:00Z")), day, "the wall clock says 23:15 of the day before");
}

#[test]
fn a_step_from_a_number_goes_to_the_end_of_the_field() {
    let quarters = told("5/20 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z");
    insta::assert_snapshot!(quarters, @r"
    2026-01-01T00:05:00+00:00 = 01 00:05:00Z
    2026-01-01T00:25:00+00:00 = 01 00:25:00Z
    2026-01-01T00:45:00+00:00 = 01 00:45:00Z
    ");
    // From Monday in steps of three: Monday and Thursday, and no Sunday for being a seventh day.
    let week = told("0 0 * * 1/3", "UTC", "2026-01-04T12:00:00Z", "2026-01-11T12:00:00Z");
    insta::assert_snapshot!(week, @r"
    2026-01-05T00:00:00+00:00 = 05 00:00:00Z
    2026-01-08T00:00:00+00:00 = 08 00:00:00Z
    ");
}

#[test]
fn a_day_matches_by_its_date_or_by_its_weekday() {
    let either = told("0 13 13 * 5", "UTC", "2026-08-01T00:00:00Z", "2026-08-15T00:00:00Z");
    insta::assert_snapshot!(either, @r"
    2026-08-07T13:00:00+00:00 = 07 13:00:00Z
    2026-08-13T13:00:00+00:00 = 13 13:00:00Z
    2026-08-14T13:00:00+00:00 = 14 13:00:00Z
    ");
    assert_eq!(
        told("0 13 */1 * 5", "UTC", "2026-08-01T00:00:00Z", "2026-08-15T00:00:00Z").lines().count(),
        2,
        "a step of one is no restriction, so only the weekday counts"
    );
}

#[test]
fn seconds_nicknames_names_and_the_special_days_are_understood() {
    for (text, after, slot) in [
        ("15 30 9 * * MON-FRI", "2026-08-01T00:00:00Z", "2026-08-03T09:30:15Z"),
        ("@hourly", "2026-08-01T00:00:00Z", "2026-08-01T01:00:00Z"),
        ("@Daily", "2026-08-01T00:00:00Z", "2026-08-02T00:00:00Z"),
        ("@midnight", "2026-08-01T00:00:00Z", "2026-08-02T00:00:00Z"),
        ("@weekly", "2026-08-01T00:00:00Z", "2026-08-02T00:00:00Z"),
        ("@monthly", "2026-08-01T00:00:00Z", "2026-09-01T00:00:00Z"),
        ("@yearly", "2026-08-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("0 12 L FEB ?", "2026-08-01T00:00:00Z", "2027-02-28T12:00:00Z"),
        ("0 12 * * 5L", "2026-08-01T00:00:00Z", "2026-08-28T12:00:00Z"),
        ("0 12 * * TUE#2", "2026-08-01T00:00:00Z", "2026-08-11T12:00:00Z"),
        ("0 12 15W * *", "2026-08-01T00:00:00Z", "2026-08-14T12:00:00Z"),
        ("0 0 29 2 *", "2026-08-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 * * 7", "2026-08-01T00:00:00Z", "2026-08-02T00:00:00Z"),
    ] {
        assert_eq!(schedule(text, "UTC").next_after(at(after)), Some(at(slot)), "{text}");
    }
}

#[test]
fn what_cannot_be_read_says_what_is_wrong_with_it() {
    let refusal = |text: &str| Pattern::parse(text).unwrap_err().to_string();
    insta::assert_snapshot!(
        ["0 9 * *", "0 9 * * * * 2027", "@noon", "@every 5m", "61 * * * *", "0 9 * * MO", "1,,2 * * * *", "0 0 30 2 *",
            "0 0 * * L", "*/0 * * * *", "", "ö * * * *", "/5 * * * *", "0 0 0-60 * * *"]
            .map(refusal).join("\n"),
        @r#"
    "0 9 * *" has 4 fields: give five (minute hour day month weekday) or six with seconds in front
    "0 9 * * * * 2027" has 7 fields: give five (minute hour day month weekday) or six with seconds in front
    "@noon" is not known: use @hourly, @daily, @weekly, @monthly or @yearly
    "@every 5m" is not known: use @hourly, @daily, @weekly, @monthly or @yearly
    "61 * * * *": the field minute cannot be "61": Number out of bounds
    "0 9 * * MO": the field day of week cannot be "MO": it has a character or name that does not belong there
    "1,,2 * * * *": the field minute cannot be "1,,2": a part of the list is empty
    "0 0 30 2 *" never comes: no date matches it
    "0 0 * * L": the field day of week cannot be "L": say which weekday is the last one, for example 5L
    "*/0 * * * *": the field minute cannot be "*/0": Step cannot be zero
    "" has 0 fields: give five (minute hour day month weekday) or six with seconds in front
    "ö * * * *": the field minute cannot be "ö": it has a character or name that does not belong there
    "/5 * * * *": the field minute cannot be "/5": Invalid step syntax: omitting the starting point like "/5" is not allowed. Use "*/5" for wildcard steps or "X-Y/5" for range steps
    "0 0 0-60 * * *": the field hour cannot be "0-60": Range out of bounds
    "#
    );
    assert_eq!(
        "Mars/Olympus".parse::<Zone>().unwrap_err().to_string(),
        "\"Mars/Olympus\" is no time zone: give an IANA name such as Europe/Paris or UTC"
    );
}

#[test]
fn days_off_merge_and_are_found() {
    let days = days_off(&["2026-10-05/2026-10-07", "2026-10-01/2026-10-04", "2026-12-25", "2026-10-03"]);
    let spans: Vec<_> = days.spans().map(|(first, last)| format!("{first}/{last}")).collect();
    assert_eq!(spans, ["2026-10-01/2026-10-07", "2026-12-25/2026-12-25"]);
    for (date, off) in
        [("2026-09-30", false), ("2026-10-01", true), ("2026-10-07", true), ("2026-10-08", false)]
    {
        assert_eq!(days.span_of(date.parse().unwrap()).is_some(), off, "{date}");
    }
    let mut days = DaysOff::default();
    assert!(days.add("2026-13-01").is_err() && days.add("2026-10-02/2026-10-01").is_err());
}

#[test]
fn the_latest_working_slot_jumps_over_days_off() {
    let schedule = schedule("0 9 * * *", "Asia/Shanghai");
    let days = days_off(&["2026-10-01/2026-10-07"]);
    assert_eq!(schedule.latest_working(at("2026-10-07T12:00:00Z"), &days), Some(at("2026-09-30T01:00:00Z")));
    assert_eq!(schedule.count_off(at("2026-09-30T00:00:00Z"), at("2026-10-10T00:00:00Z"), &days), 7);
}

#[test]
fn a_year_of_seconds_is_counted_without_a_walk() {
    let every_second = schedule("* * * * * *", "Europe/Paris");
    let (from, until) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    assert_eq!(every_second.count(from, until), 365 * 86_400);
    let millennia = at("1026-01-01T00:00:00Z");
    assert!(every_second.count(millennia, until) < 40_000 * 86_400, "at most a century is counted");
    assert!(every_second.oldest(from, until, 3).cut);
}

#[test]
fn a_slot_that_the_clock_skips_up_to_midnight_is_counted_on_the_day_after() {
    // On the evening of 29 March 2025 the clock of Scoresbysund goes from 23:00 to midnight.
    let late = schedule("1 23 * * *", "America/Scoresbysund");
    let (from, until) = (at("2025-03-30T00:00:00Z"), at("2025-04-02T00:30:00Z"));
    let times = late.oldest(from, until, 9).times;
    assert_eq!(times[..2], [at("2025-03-30T01:00:00Z"), at("2025-03-31T00:01:00Z")]);
    assert_eq!(late.count(from, until), times.len() as u64);
}

#[test]
fn a_window_is_open_from_its_start_until_its_end() {
    let window = Window {
        start: schedule("0 22 * * 1-5", "Europe/Paris"),
        end: schedule("0 6 * * *", "Europe/Paris"),
    };
    let open = |text: &str| window.at(at(text), &DaysOff::NONE);
    // Friday 22:00 is 20:00 UTC in summer.
    assert_eq!(open("2026-07-10T19:59:59Z"), None);
    let night = Some(Open { since: at("2026-07-10T20:00:00Z"), until: Some(at("2026-07-11T04:00:00Z")) });
    assert_eq!(open("2026-07-10T20:00:00Z"), night);
    assert_eq!(open("2026-07-11T03:59:59.999Z"), night);
    assert_eq!(open("2026-07-11T04:00:00Z"), None);
}

#[test]
fn a_start_on_a_day_off_opens_nothing_but_an_open_window_closes_on_any_day() {
    let window = Window { start: schedule("0 22 * * *", "UTC"), end: schedule("0 6 * * *", "UTC") };
    let days = days_off(&["2026-10-01"]);
    assert!(window.at(at("2026-10-01T05:00:00Z"), &days).is_some(), "opened the evening before");
    assert_eq!(window.at(at("2026-10-01T06:00:00Z"), &days), None);
    assert_eq!(window.at(at("2026-10-01T23:00:00Z"), &days), None);
}

#[test]
fn windows_that_meet_close_and_open_again_at_once() {
    let window = Window { start: schedule("0 9 * * *", "UTC"), end: schedule("0 9 * * *", "UTC") };
    let open = window.at(at("2026-10-02T09:00:00Z"), &DaysOff::NONE).unwrap();
    assert_eq!(open, Open { since: at("2026-10-02T09:00:00Z"), until: Some(at("2026-10-03T09:00:00Z")) });
}

#[test]
fn a_start_inside_an_open_window_does_not_move_its_end() {
    let window = Window { start: schedule("0 * * * *", "UTC"), end: schedule("30 12 * * *", "UTC") };
    let open = window.at(at("2026-10-02T12:10:00Z"), &DaysOff::NONE).unwrap();
    assert_eq!(open.until, Some(at("2026-10-02T12:30:00Z")));
    let instant = at("2026-10-02T12:10:00Z");
    let without = window.without(at("2026-10-02T12:00:00Z"), instant, instant, &DaysOff::NONE);
    assert_eq!(without.map(|open| open.until), Some(open.until), "an earlier start had opened it");
}

/// Zones whose clocks do unusual things, and some that do nothing at all.
const ZONES: [Tz; 16] = [
    Tz::UTC,
    Tz::Asia__Shanghai,
    Tz::Asia__Kolkata,
    Tz::Europe__Paris,
    Tz::Europe__London,
    Tz::America__New_York,
    Tz::America__Sao_Paulo,
    Tz::America__St_Johns,
    Tz::America__Havana,
    Tz::America__Scoresbysund,
    Tz::Australia__Lord_Howe,
    Tz::Africa__Casablanca,
    Tz::Africa__Cairo,
    Tz::Asia__Beirut,
    Tz::Antarctica__Troll,
    Tz::Pacific__Apia,
];

/// An hour just before the zone's clock is next moved after `from`, or `from` where that is not soon.
fn before_transition(zone: Tz, from: DateTime<Utc>) -> DateTime<Utc> {
    let offset = |instant: DateTime<Utc>| zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
    let hours = (0..24 * 250).map(|hours| from + TimeDelta::hours(hours));
    let found = hours.into_iter().find(|hour| offset(*hour) != offset(*hour + TimeDelta::hours(1)));
    found.unwrap_or(from)
}

fn field(smallest: u32, largest: u32) -> impl Strategy<Value = Field> {
    prop_oneof![
        3 => Just(Field::Any),
        1 => (1..=largest / 2).prop_map(Field::Each),
        1 => (smallest..=largest, 1..=largest / 2).prop_map(|(first, step)| Field::From(first, step)),
        1 => (smallest..=largest, smallest..=largest).prop_map(|(a, b)| Field::Range(a.min(b), a.max(b))),
        2 => prop::collection::vec(smallest..=largest, 1..4).prop_map(Field::List),
    ]
}

/// Hours near midnight and the small hours, where clocks are moved, come up most.
fn hour() -> impl Strategy<Value = Field> {
    prop_oneof![2 => field(0, 23), 3 => prop::collection::vec(0..4_u32, 1..3).prop_map(Field::List), 1 => Just(Field::List(vec![23, 0]))]
}

fn fields() -> impl Strategy<Value = Fields> {
    let days = prop_oneof![4 => Just(Field::Any), 1 => field(1, 31)];
    let months = prop_oneof![6 => Just(Field::Any), 1 => field(1, 12)];
    let weekdays = prop_oneof![4 => Just(Field::Any), 1 => field(0, 6)];
    let all = (field(0, 59), hour(), days, months, weekdays);
    all.prop_map(|(minute, hour, day, month, weekday)| Fields([minute, hour, day, month, weekday]))
}

fn near_a_transition() -> impl Strategy<Value = (Tz, DateTime<Utc>)> {
    let zone = prop::sample::select(ZONES.to_vec());
    (zone, 2001..2026_i32, 0..365_i64, -40..10_i64).prop_map(|(zone, year, day, hours)| {
        let from = Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap() + TimeDelta::days(day);
        (zone, before_transition(zone, from) + TimeDelta::hours(hours))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn slots_are_those_that_the_oracle_finds_minute_by_minute(
        fields in fields(),
        (zone, after) in near_a_transition(),
        minutes in 1..6000_i64,
        probe in 0..6000_i64,
    ) {
        let Ok(pattern) = Pattern::parse(&fields.text()) else {
            // No year has such a day.
            prop_assert!(fields.slots(zone, after, after + TimeDelta::days(400)).is_empty());
            return Ok(());
        };
        let schedule = Schedule::new(pattern, zone.name().parse().unwrap());
        let until = after + TimeDelta::minutes(minutes);
        let expected = fields.slots(zone, after, until);
        let count = expected.len();
        prop_assert_eq!(schedule.count(after, until), u64::try_from(count).unwrap(), "{}", fields.text());
        prop_assert_eq!(&schedule.oldest(after, until, count), &Slots { times: expected.clone(), cut: false });
        prop_assert_eq!(&schedule.newest(after, until, count), &Slots { times: expected.clone(), cut: false });

        let probe = after + TimeDelta::minutes(probe % minutes) + TimeDelta::milliseconds(probe % 2 * 500);
        let next = expected.iter().find(|slot| **slot > probe).copied();
        prop_assert_eq!(schedule.next_after(probe).filter(|slot| *slot <= until), next);
        let latest = expected.iter().rfind(|slot| **slot <= probe).copied();
        prop_assert_eq!(schedule.latest_at_or_before(probe).filter(|slot| *slot > after), latest);
    }

    #[test]
    fn a_window_is_open_when_the_oracle_saw_more_recently_a_start_than_an_end(
        starts in fields(),
        ends in fields(),
        (zone, after) in near_a_transition(),
        probe in 0..3000_i64,
    ) {
        let (Ok(start), Ok(end)) = (Pattern::parse(&starts.text()), Pattern::parse(&ends.text())) else {
            return Ok(());
        };
        let named: Zone = zone.name().parse().unwrap();
        let window = Window { start: Schedule::new(start, named), end: Schedule::new(end, named) };
        let probe = after + TimeDelta::minutes(probe);
        let began = starts.slots(zone, after, probe).last().copied();
        let ended = ends.slots(zone, after, probe).last().copied();
        if let Some(began) = began {
            let is_open = ended.is_none_or(|ended| ended <= began);
            prop_assert_eq!(window.at(probe, &DaysOff::NONE).is_some(), is_open, "{} to {}", starts.text(), ends.text());
        }
    }

    #[test]
    fn days_off_are_counted_as_they_are_walked(
        fields in fields(),
        (zone, after) in near_a_transition(),
        first in 0..5_i64,
        length in 0..4_i64,
    ) {
        let Ok(pattern) = Pattern::parse(&fields.text()) else { return Ok(()) };
        let schedule = Schedule::new(pattern, zone.name().parse().unwrap());
        let day = |days: i64| (after + TimeDelta::days(days)).date_naive();
        let days = days_off(&[&format!("{}/{}", day(first), day(first + length))]);
        let until = after + TimeDelta::days(6);
        let walked = schedule.oldest(after, until, 100_000).times;
        let off = walked.iter().filter(|slot| schedule.is_off(**slot, &days)).count();
        prop_assert_eq!(schedule.count_off(after, until, &days), u64::try_from(off).unwrap());
        let working = walked.iter().rfind(|slot| !schedule.is_off(**slot, &days)).copied();
        prop_assert_eq!(schedule.latest_working(until, &days).filter(|slot| *slot > after), working);
    }
}
