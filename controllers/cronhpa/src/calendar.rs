//! Calendars of days off, as iCalendar (RFC 5545) has them.
//!
//! Responsible for turning the all-day events of a calendar into days: how long they last, how they recur, what is
//! taken out again. All in dates, without a zone: whoever asks for a date says where. Knows nothing of where the text
//! comes from.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use fedscaler_core::schedule::DaysOff;
use icalendar::parser::{Component, Property, read_components, unfold};
use rrule::{RRule, RRuleSet, Tz, Unvalidated};
use thiserror::Error;

/// Recurrences are followed up to here. A date of its own, not of the clock: a calendar means the same whenever it is read.
const HORIZON: NaiveDate = NaiveDate::from_ymd_opt(2100, 1, 1).unwrap();

/// The most times that one event may recur until then: every day for sixty years.
const MOST_TIMES: u16 = 22_000;

/// The most days that one event may last: what is longer is a mistake.
const LONGEST: u64 = 366;

/// A calendar that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// The days of its all-day events.
    pub days: DaysOff,
    /// Events that are left out, since they have a time of day: by their summaries.
    pub timed: Vec<String>,
}

/// A calendar that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadCalendar {
    /// It cannot be read as iCalendar.
    #[error("it is no iCalendar (RFC 5545): it must begin with BEGIN:VCALENDAR and every component must end")]
    NotACalendar,
    /// An event cannot be understood.
    #[error("event {event}: {reason}")]
    Event {
        /// Its summary, else its UID, else its place among the events.
        event: String,
        /// What is wrong with it.
        reason: BadEvent,
    },
}

/// What is wrong with an event.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadEvent {
    /// It does not say when it is.
    #[error("it has no DTSTART")]
    NoStart,
    /// A property is not what it has to be.
    #[error("{property} cannot be {value:?}: {reason}")]
    Property {
        /// Which.
        property: &'static str,
        /// What it says.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// It ends before it begins, or lasts more than a year.
    #[error("it must last from 1 to {LONGEST} days")]
    Length,
    /// It recurs too often.
    #[error("it recurs more than {MOST_TIMES} times before the year 2100")]
    TooOften,
}

/// Reads a calendar.
pub fn read(text: &str) -> Result<Calendar, BadCalendar> {
    let unfolded = unfold(text.trim_start_matches('\u{feff}'));
    let roots = read_components(unfolded.trim()).map_err(|_| BadCalendar::NotACalendar)?;
    if roots.is_empty() || roots.iter().any(|root| root.name.as_str() != "VCALENDAR") {
        return Err(BadCalendar::NotACalendar);
    }
    let events = roots.iter().flat_map(|root| &root.components);
    let events = events.filter(|component| component.name.as_str() == "VEVENT");
    let mut calendar = Calendar::default();
    let mut spans = Vec::new();
    for (index, event) in events.enumerate() {
        let name = || named(event, index);
        match days(event).map_err(|reason| BadCalendar::Event { event: name(), reason })? {
            Some(days) => spans.extend(days),
            None => calendar.timed.push(name()),
        }
    }
    calendar.days.include(spans);
    Ok(calendar)
}

fn named(event: &Component<'_>, index: usize) -> String {
    let said = ["SUMMARY", "UID"].into_iter().find_map(|property| event.find_prop(property));
    said.map_or_else(|| format!("{}", index + 1), |said| format!("{:?}", said.val.as_str()))
}

/// The first and last days of each time that the event is held. `None`: it is of some hours.
fn days(event: &Component<'_>) -> Result<Option<Vec<(NaiveDate, NaiveDate)>>, BadEvent> {
    let is_cancelled = event.find_prop("STATUS").is_some_and(|status| status.val.as_str() == "CANCELLED");
    let start = event.find_prop("DTSTART").ok_or(BadEvent::NoStart)?;
    if is_cancelled {
        return Ok(Some(Vec::new()));
    }
    if !is_date(start) {
        return Ok(None);
    }
    let first = date("DTSTART", start.val.as_str())?;
    let more = length(event, first)? - 1;
    let begins = begins(event, first)?;
    let spans =
        begins.into_iter().map(|begin| (begin, begin.checked_add_days(Days::new(more)).unwrap_or(begin)));
    Ok(Some(spans.collect()))
}

/// Whether a property is a date without a time. Some programs leave `VALUE=DATE` out.
fn is_date(property: &Property<'_>) -> bool {
    property.val.as_str().len() == 8
}

fn date(property: &'static str, text: &str) -> Result<NaiveDate, BadEvent> {
    NaiveDate::parse_from_str(text, "%Y%m%d").ok().filter(|_| text.len() == 8).ok_or_else(|| {
        let reason = "write a date such as 20261225".to_owned();
        BadEvent::Property { property, value: text.to_owned(), reason }
    })
}

/// How many days the event lasts: its end is the first day after it.
fn length(event: &Component<'_>, first: NaiveDate) -> Result<u64, BadEvent> {
    let days = match (event.find_prop("DTEND"), event.find_prop("DURATION")) {
        (Some(end), _) => (date("DTEND", end.val.as_str())? - first).num_days(),
        (None, Some(duration)) => whole_days(duration.val.as_str())?,
        (None, None) => 1,
    };
    // Some programs end a single day on itself.
    let days = if days == 0 { 1 } else { days };
    u64::try_from(days).ok().filter(|days| (1..=LONGEST).contains(days)).ok_or(BadEvent::Length)
}

/// `P3D` or `P1W`: the duration of an event of whole days has nothing else.
fn whole_days(text: &str) -> Result<i64, BadEvent> {
    let unit = |unit: char, days: i64| {
        let number: i64 = text.strip_prefix('P')?.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(days)
    };
    unit('D', 1).or_else(|| unit('W', 7)).ok_or_else(|| {
        let reason = "an event of whole days lasts days (P3D) or weeks (P1W)".to_owned();
        BadEvent::Property { property: "DURATION", value: text.to_owned(), reason }
    })
}

/// On which days the event begins: the first, those of its rules and its further dates, without those taken out.
fn begins(event: &Component<'_>, first: NaiveDate) -> Result<Vec<NaiveDate>, BadEvent> {
    let start = noon(first);
    let mut set = RRuleSet::new(start).before(noon(HORIZON)).rdate(start);
    for property in &event.properties {
        let text = property.val.as_str();
        set = match property.name.as_str() {
            "RRULE" => set.rrule(rule(text)?.validate(start).map_err(|why| bad_rule(text, &why))?),
            "RDATE" => dates("RDATE", text)?.into_iter().fold(set, |set, date| set.rdate(noon(date))),
            "EXDATE" => dates("EXDATE", text)?.into_iter().fold(set, |set, date| set.exdate(noon(date))),
            _ => set,
        };
    }
    let found = set.all(MOST_TIMES);
    if found.limited {
        return Err(BadEvent::TooOften);
    }
    Ok(found.dates.into_iter().map(|begin| begin.date_naive()).collect())
}

/// Rules are followed in UTC, where every day has a noon.
fn noon(date: NaiveDate) -> DateTime<Tz> {
    let instant: DateTime<Utc> = date.and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(12);
    instant.with_timezone(&Tz::UTC)
}

fn dates(property: &'static str, text: &str) -> Result<Vec<NaiveDate>, BadEvent> {
    // A time of day in an exception, or a period, says nothing more about whole days.
    text.split(',').map(|text| date(property, text.get(..8).unwrap_or(text))).collect()
}

fn rule(text: &str) -> Result<RRule<Unvalidated>, BadEvent> {
    // The last day as an instant in UTC, which the event's noon is compared with.
    let parts = text.split(';').map(|part| match part.split_once('=') {
        Some(("UNTIL", until)) => {
            let last = date("RRULE", until.get(..8).unwrap_or(until))?;
            Ok(format!("UNTIL={}", last.format("%Y%m%dT235959Z")))
        }
        Some(_) | None => Ok(part.to_owned()),
    });
    let parts = parts.collect::<Result<Vec<_>, BadEvent>>()?;
    parts.join(";").parse().map_err(|why| bad_rule(text, &why))
}

fn bad_rule(text: &str, why: &dyn std::fmt::Display) -> BadEvent {
    BadEvent::Property { property: "RRULE", value: text.to_owned(), reason: why.to_string() }
}
