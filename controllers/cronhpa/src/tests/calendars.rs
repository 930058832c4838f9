//! Calendars of days off: what is read in them, and what happens when they change, break or go.

use fedscaler_crds::cronhpa::CalendarRef;
use serde_json::json;

use super::*;
use crate::calendar::read;

/// A calendar of these events, each a list of lines.
fn ics(events: &[&str]) -> String {
    let events = events
        .iter()
        .map(|lines| format!("BEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\n", lines.replace('|', "\r\n")));
    let events: String = events.collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{events}END:VCALENDAR\r\n")
}

/// The days of the calendar in 2026 and 2027.
fn days(events: &[&str]) -> Vec<String> {
    let calendar = read(&ics(events)).unwrap();
    calendar.days.written("2026-01-01".parse().unwrap(), "2027-12-31".parse().unwrap()).collect()
}

#[test]
fn an_event_without_an_end_is_one_day_and_an_end_is_the_day_after() {
    assert_eq!(days(&["DTSTART;VALUE=DATE:20261225"]), ["2026-12-25"]);
    assert_eq!(days(&["DTSTART;VALUE=DATE:20261225|DTEND;VALUE=DATE:20261226"]), ["2026-12-25"]);
    assert_eq!(days(&["DTSTART;VALUE=DATE:20261225|DTEND;VALUE=DATE:20261225"]), ["2026-12-25"]);
    assert_eq!(days(&["DTSTART;VALUE=DATE:20261001|DTEND;VALUE=DATE:20261008"]), ["2026-10-01/2026-10-07"]);
    assert_eq!(days(&["DTSTART;VALUE=DATE:20261001|DURATION:P1W"]), ["2026-10-01/2026-10-07"]);
}

#[test]
fn recurrences_come_every_year_without_those_that_are_taken_out() {
    let christmas = "DTSTART;VALUE=DATE:20201224|DTEND;VALUE=DATE:20201227|RRULE:FREQ=YEARLY";
    assert_eq!(days(&[christmas]), ["2026-12-24/2026-12-26", "2027-12-24/2027-12-26"]);
    let without = format!("{christmas}|EXDATE;VALUE=DATE:20251224,20261224");
    assert_eq!(days(&[&without]), ["2027-12-24/2027-12-26"]);
    let until = format!("{christmas};UNTIL=20261224");
    assert_eq!(days(&[&until]), ["2026-12-24/2026-12-26"], "the last day is among them");
    assert_eq!(days(&[&format!("{christmas};COUNT=7")]), ["2026-12-24/2026-12-26"]);
    let thanksgiving = "DTSTART;VALUE=DATE:20201126|RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH";
    assert_eq!(days(&[thanksgiving]), ["2026-11-26", "2027-11-25"]);
    let more = "DTSTART;VALUE=DATE:20260101|RDATE;VALUE=DATE:20260406,20270329";
    assert_eq!(days(&[more]), ["2026-01-01", "2026-04-06", "2027-03-29"]);
    let leap = "DTSTART;VALUE=DATE:20240229|RRULE:FREQ=YEARLY";
    assert_eq!(days(&[leap]), Vec::<String>::new(), "a day that is not there in these years");
}

#[test]
fn folded_lines_line_breaks_of_any_kind_and_cancelled_events_are_understood() {
    let folded = ics(&["DTSTART;VALUE=DA\r\n TE:2026\r\n\t1225|SUMMARY:A long\r\n  name"]);
    let first = |text: &str| read(text).unwrap().days.spans().next().map(|(first, _)| first.to_string());
    assert_eq!(first(&folded), Some("2026-12-25".to_owned()));
    assert_eq!(first(&folded.replace("\r\n", "\n")), Some("2026-12-25".to_owned()));
    assert_eq!(days(&["DTSTART;VALUE=DATE:20261225|STATUS:CANCELLED"]), Vec::<String>::new());
}

#[test]
fn events_with_a_time_of_day_are_left_out_and_named() {
    let calendar =
        read(&ics(&["DTSTART:20261225T090000Z|SUMMARY:Stand-up", "DTSTART;VALUE=DATE:20261226"])).unwrap();
    assert_eq!((calendar.timed, calendar.days.spans().count()), (vec!["\"Stand-up\"".to_owned()], 1));
}

#[test]
fn what_is_wrong_in_a_calendar_is_told_with_the_event() {
    let refused = |event: &str| read(&ics(&[event])).unwrap_err().to_string();
    let told = [
        "SUMMARY:Never",
        "DTSTART;VALUE=DATE:20261325|SUMMARY:Month 13",
        "DTSTART;VALUE=DATE:20261225|DTEND;VALUE=DATE:20261220|SUMMARY:Backwards",
        "DTSTART;VALUE=DATE:20261225|DTEND;VALUE=DATE:20281220|UID:1@x",
        "DTSTART;VALUE=DATE:20261225|DURATION:PT3H",
        "DTSTART;VALUE=DATE:20261225|RRULE:FREQ=SOMETIMES",
        "DTSTART;VALUE=DATE:20261225|EXDATE;VALUE=DATE:soon",
    ];
    let mut told: Vec<_> = told.map(refused).into();
    told.push(read("DTSTART:20261225").unwrap_err().to_string());
    told.push(read("").unwrap_err().to_string());
    insta::assert_snapshot!(told.join("\n"), @r#"
    event "Never": it has no DTSTART
    event "Month 13": DTSTART cannot be "20261325": write a date such as 20261225
    event "Backwards": it must last from 1 to 366 days
    event "1@x": it must last from 1 to 366 days
    event 1: DURATION cannot be "PT3H": an event of whole days lasts days (P3D) or weeks (P1W)
    event 1: RRULE cannot be "FREQ=SOMETIMES": RRule parsing error: `SOMETIMES` is not a valid frequency.
    event 1: EXDATE cannot be "soon": write a date such as 20261225
    it is no iCalendar (RFC 5545): it must begin with BEGIN:VCALENDAR and every component must end
    it is no iCalendar (RFC 5545): it must begin with BEGIN:VCALENDAR and every component must end
    "#);
    let often = "DTSTART;VALUE=DATE:20200101|RRULE:FREQ=DAILY";
    assert_eq!(refused(often), "event 1: it recurs more than 22000 times before the year 2100");
}

fn office() -> CronHpa {
    let rules = json!([{"name": "office", "schedule": "0 13 * * *", "minReplicas": 10}, {"name": "night", "schedule": "0 20 * * *", "minReplicas": 3}]);
    let mut object = cron_hpa(&fed_hpa(), &rules);
    object.spec.exclude.calendar_ref = Some(CalendarRef { name: "holidays".to_owned(), key: None });
    object
}

fn min(stage: &Stage) -> Option<i32> {
    stage.seen().status.unwrap().active.and_then(|active| active.min_replicas)
}

#[tokio::test(start_paused = true)]
async fn a_day_of_the_calendar_is_off_and_a_change_is_seen_at_once() {
    let mut stage = Stage::new().await;
    stage.create_fed_hpa();
    stage.set_calendar(&ics(&["DTSTART;VALUE=DATE:20260302"]));
    stage.apply(&office()).await;
    stage.start();
    stage.until("2026-03-02T13:00:02Z").await;
    assert_eq!((min(&stage), stage.rule("office").counts.excluded), (Some(3), 1));
    assert_eq!(stage.condition("Invalid").0, "False Valid");
    stage.set_calendar(&ics(&["DTSTART;VALUE=DATE:20260303"]));
    stage.until("2026-03-02T13:00:04Z").await;
    assert_eq!(min(&stage), Some(10), "what holds is state: today is no day off any more");
}

#[tokio::test(start_paused = true)]
async fn a_calendar_that_breaks_or_goes_is_told_and_the_days_it_had_stay_off() {
    let mut stage = Stage::new().await;
    stage.create_fed_hpa();
    stage.set_calendar(&ics(&["DTSTART;VALUE=DATE:20260303"]));
    stage.apply(&office()).await;
    stage.start();
    stage.until("2026-03-02T14:00:00Z").await;
    stage.set_calendar("no calendar");
    stage.until("2026-03-02T14:00:05Z").await;
    let (reason, message) = stage.condition("Invalid");
    assert_eq!(reason, "True Invalid");
    assert!(
        message
            .starts_with("exclude.calendarRef: key holidays.ics of ConfigMap holidays: it is no iCalendar"),
        "{message}"
    );
    assert!(message.ends_with("; the days that it had last stay excluded"), "{message}");
    stage.delete_calendar().await;
    stage.restart().await;
    stage.until("2026-03-03T13:00:05Z").await;
    assert_eq!(stage.rule("office").counts.excluded, 1, "a new process knows them too");
    assert!(
        stage.condition("Ready").1.contains("there is no ConfigMap holidays"),
        "{:?}",
        stage.condition("Ready")
    );
    stage.set_calendar(&ics(&[]));
    stage.until("2026-03-03T13:00:10Z").await;
    assert_eq!(stage.condition("Invalid").0, "False Valid");
}

#[tokio::test(start_paused = true)]
async fn a_calendar_that_was_never_there_excludes_nothing_and_is_told() {
    let mut stage = Stage::new().await;
    stage.create_fed_hpa();
    stage.apply(&office()).await;
    stage.start();
    stage.until("2026-03-02T13:00:05Z").await;
    assert_eq!(min(&stage), Some(10));
    let message = "exclude.calendarRef: there is no ConfigMap holidays; it was never read, so none of its days is excluded";
    assert_eq!(stage.condition("Invalid"), ("True Invalid".to_owned(), message.to_owned()));
}
