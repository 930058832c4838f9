//! Cron expressions, on the wall clock.
//!
//! Responsible for what people write: five fields, six with leading seconds, `@hourly` and its like, names, `L`,
//! `#`, `W`; a day matches if its day of month *or* its weekday does where both are given (as in Vixie cron);
//! `a/b` counts from `a` to the end of the field (as in robfig's). Knows nothing of zones.

use std::{borrow::Cow, fmt};

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _};
use croner::{
    Cron, CronDateTime as _,
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use thiserror::Error;

/// The largest value of each of the six fields, seconds first.
const LARGEST: [&str; 6] = ["59", "59", "23", "31", "12", "6"];

/// Names of the fields, for people.
const FIELDS: [&str; 6] = ["second", "minute", "hour", "day of month", "month", "day of week"];

/// A cron expression that can match.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    cron: Cron,
    is_interval: bool,
    per_day: u64,
}

/// A cron expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadSchedule {
    /// The wrong number of fields.
    #[error(
        "{text:?} has {found} fields: give five (minute hour day month weekday) or six with seconds in front"
    )]
    Fields {
        /// What was given.
        text: String,
        /// How many fields it has.
        found: usize,
    },
    /// A name after `@` that is not a time of day.
    #[error("{text:?} is not known: use @hourly, @daily, @weekly, @monthly or @yearly")]
    Nickname {
        /// What was given.
        text: String,
    },
    /// A field that cannot be read.
    #[error("{text:?}: the field {field} cannot be {value:?}: {reason}")]
    Field {
        /// The whole expression.
        text: String,
        /// Which field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// It is well-formed, but no day is like that.
    #[error("{text:?} never comes: no date matches it")]
    Never {
        /// What was given.
        text: String,
    },
}

impl Pattern {
    /// Reads a cron expression.
    pub fn parse(text: &str) -> Result<Self, BadSchedule> {
        let expression = expand(text.trim())?;
        let mut fields: Vec<&str> = expression.split_whitespace().collect();
        match fields.len() {
            5 => fields.insert(0, "0"),
            6 => {}
            found => return Err(BadSchedule::Fields { text: text.to_owned(), found }),
        }
        let fields = fields.iter().zip(LARGEST).map(|(field, largest)| plain(field, largest));
        let fields: Vec<String> = fields.collect();
        let cron = parse_fields(text, &fields)?;
        let values = |field: &croner::CronComponent| u64::try_from(field.values().len()).unwrap_or(0);
        let per_day = [&cron.pattern.seconds, &cron.pattern.minutes, &cron.pattern.hours].map(values);
        let pattern = Self {
            is_interval: fields[..3].iter().any(|field| field.contains(['*', '?', '/'])),
            per_day: per_day.iter().product(),
            cron,
        };
        // Any expression that matches at all does so within 400 years, after which the calendar repeats.
        let first = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN);
        if pattern.from(first).is_none() {
            return Err(BadSchedule::Never { text: text.to_owned() });
        }
        Ok(pattern)
    }

    /// Whether it follows the wall clock through gaps and overlaps; else it names fixed times.
    pub fn is_interval(&self) -> bool {
        self.is_interval
    }

    /// How many slots a day of 24 hours has on which it matches.
    pub fn per_day(&self) -> u64 {
        self.per_day
    }

    /// How many slots a minute has in which it matches.
    pub fn per_minute(&self) -> u64 {
        u64::try_from(self.cron.pattern.seconds.values().len()).unwrap_or(0)
    }

    /// Whether it has slots in the minute of `wall`.
    pub fn has_minute(&self, wall: NaiveDateTime) -> bool {
        let pattern = &self.cron.pattern;
        let minute_matches = pattern.minute_match(wall.minute()).unwrap_or(false);
        minute_matches && pattern.hour_match(wall.hour()).unwrap_or(false) && self.falls_on(wall.date())
    }

    /// Whether it has slots on `date`.
    pub fn falls_on(&self, date: NaiveDate) -> bool {
        let weekday = date.and_time(NaiveTime::MIN).civil_weekday();
        let (year, month, day) = (date.year(), date.month(), date.day());
        let pattern = &self.cron.pattern;
        let month_matches = pattern.month_match(month).unwrap_or(false);
        month_matches && pattern.day_match(year, month, day, weekday).unwrap_or(false)
    }

    /// The first match at or after `wall`, until the year 5000.
    pub fn from(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        self.cron.find_next_occurrence(&wall, true).ok()
    }

    /// The first match after `wall`, until the year 5000.
    pub fn after(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        self.cron.find_next_occurrence(&wall, false).ok()
    }

    /// The last match at or before `wall`.
    pub fn until(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        self.cron.find_previous_occurrence(&wall, true).ok()
    }

    /// The last match before `wall`.
    pub fn before(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        self.cron.find_previous_occurrence(&wall, false).ok()
    }
}

/// As the fields that were parsed: the tables behind them say nothing to a reader.
impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.cron.as_str())
    }
}

/// The fields behind an `@` name.
fn expand(text: &str) -> Result<Cow<'_, str>, BadSchedule> {
    if !text.starts_with('@') {
        return Ok(text.into());
    }
    let fields = match text.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return Err(BadSchedule::Nickname { text: text.to_owned() }),
    };
    Ok(fields.into())
}

/// The field in the parser's own terms: `a/b` with its end, `*/1` as the `*` that it is.
fn plain(field: &str, largest: &str) -> String {
    if matches!(field, "?" | "*/1" | "?/1") {
        return "*".to_owned();
    }
    let parts = field.split(',').map(|part| match part.split_once('/') {
        Some((start, step)) if !start.is_empty() && !start.contains(['*', '?', '-']) => {
            format!("{start}-{largest}/{step}")
        }
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join(",")
}

fn parse_fields(text: &str, fields: &[String]) -> Result<Cron, BadSchedule> {
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).build();
    let blamed = |index: usize, reason: String| BadSchedule::Field {
        text: text.to_owned(),
        field: FIELDS[index],
        value: fields[index].clone(),
        reason,
    };
    let nonsense =
        fields.iter().enumerate().find_map(|(index, field)| Some((index, nonsense(index, field)?)));
    if let Some((index, reason)) = nonsense {
        return Err(blamed(index, reason.to_owned()));
    }
    parser.parse(&fields.join(" ")).map_err(|error| {
        // Each field alone, so that the message can name the one to blame.
        let alone = |index: usize| {
            let mut alone = ["*"; 6];
            alone[index] = &fields[index];
            Some((index, parser.parse(&alone.join(" ")).err()?))
        };
        let (index, error) = (0..fields.len()).find_map(alone).unwrap_or((0, error));
        blamed(index, words(&error))
    })
}

/// What the parser lets through though it means nothing.
fn nonsense(index: usize, field: &str) -> Option<&'static str> {
    let is_weekday = index == 5;
    if field.split(',').any(str::is_empty) {
        Some("a part of the list is empty")
    } else if is_weekday && field.split(',').any(|part| part.eq_ignore_ascii_case("L")) {
        Some("say which weekday is the last one, for example 5L")
    } else if field.starts_with('+') {
        Some("'+' is not supported")
    } else {
        None
    }
}

fn words(error: &CronError) -> String {
    match error {
        CronError::IllegalCharacters(_) => "it has a character or name that does not belong there".to_owned(),
        CronError::ComponentError(words) => words.trim_end_matches('.').to_owned(),
        other => other.to_string(),
    }
}
