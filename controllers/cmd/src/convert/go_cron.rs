//! Schedules as kubernetes-cronhpa-controller reads them (ringtail/go-cron, a fork of robfig/cron 1).
//!
//! Responsible for saying the same in our cron expressions, as far as that can be. Its fields are seconds, minutes,
//! hours, day of month, month and, if it is there, weekday: five fields begin with *seconds* there and with minutes
//! here. Knows nothing of what is done at those times.

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, Timelike as _};
use fedscaler_core::schedule::{BadSchedule, Pattern};

/// Which of the six fields is the day of the month.
const DAY: usize = 3;
/// Which of the six fields is the month.
const MONTH: usize = 4;
/// Which of the six fields is the weekday.
const WEEKDAY: usize = 5;

/// What a schedule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Schedule {
    /// Times by six fields, seconds first.
    Fields(Fields),
    /// Times by a name such as `@daily`.
    Nickname(String),
    /// A single time, whose year is not looked at.
    Once(Fields, NaiveDate),
    /// Spans of time since the controller's start, which no clock shows.
    Every,
}

/// The six fields of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields([String; 6]);

/// Reads a schedule. Whether our own parser takes what comes of it is not looked at.
pub(super) fn read(text: &str) -> Result<Schedule, String> {
    let text = text.trim();
    if let Some(date) = text.strip_prefix("@date ") {
        let time = NaiveDateTime::parse_from_str(date.trim(), "%Y-%m-%d %H:%M:%S");
        let time = time.map_err(|_| format!("{text:?}: write @date 2026-11-15 21:54:00"))?;
        return Ok(Schedule::Once(Fields::of(time), time.date()));
    }
    if text.starts_with("@every ") {
        return Ok(Schedule::Every);
    }
    if text.starts_with('@') {
        return Ok(Schedule::Nickname(text.to_owned()));
    }
    let mut fields: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if fields.len() == 5 {
        fields.push("*".to_owned());
    }
    let fields = <[String; 6]>::try_from(fields).map_err(|fields| {
        format!(
            "{text:?} has {} fields: it takes six, seconds first, the weekday may be absent",
            fields.len()
        )
    })?;
    Ok(Schedule::Fields(Fields(fields)))
}

impl Schedule {
    /// The expression that says the same here, if there is one.
    pub(super) fn expression(&self) -> Option<String> {
        match self {
            Self::Fields(fields) | Self::Once(fields, _) => Some(fields.text()),
            Self::Nickname(name) => Some(name.clone()),
            Self::Every => None,
        }
    }

    /// The pattern that says the same here, if there is one.
    pub(super) fn pattern(&self) -> Option<Result<Pattern, BadSchedule>> {
        self.expression().map(|expression| Pattern::parse(&expression))
    }
}

impl Fields {
    fn of(time: NaiveDateTime) -> Self {
        let parts = [time.second(), time.minute(), time.hour(), time.day(), time.month()];
        let [second, minute, hour, day, month] = parts.map(|part| part.to_string());
        Self([second, minute, hour, day, month, "*".to_owned()])
    }

    pub(super) fn text(&self) -> String {
        self.0.join(" ")
    }

    /// The field of the weekday.
    pub(super) fn weekday(&self) -> &str {
        &self.0[WEEKDAY]
    }

    /// With another field of the weekday.
    pub(super) fn on(mut self, weekday: String) -> Self {
        self.0[WEEKDAY] = weekday;
        self
    }

    /// Whether weekdays are all that it says of days.
    pub(super) fn is_by_weekday(&self) -> bool {
        is_any(&self.0[DAY]) && is_any(&self.0[MONTH]) && !is_any(self.weekday())
    }

    /// Whether any day of the month will do, so that its weekdays can be narrowed.
    pub(super) fn is_any_day_of_month(&self) -> bool {
        is_any(&self.0[DAY])
    }

    /// Whether the time of day is narrowed.
    pub(super) fn has_times(&self) -> bool {
        !self.0[..DAY].iter().all(|field| is_any(field))
    }

    /// Whether both kinds of day have to match there, where here one is enough: a field that is a step of all days
    /// counts as a star there.
    pub(super) fn is_both_days(&self) -> bool {
        let (day, weekday) = (&self.0[DAY], &self.0[WEEKDAY]);
        let has_star = [day, weekday].iter().any(|field| field.contains(['*', '?']));
        has_star && !is_any(day) && !is_any(weekday)
    }
}

fn is_any(field: &str) -> bool {
    matches!(field, "*" | "?" | "*/1" | "?/1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        match read(text).unwrap() {
            Schedule::Fields(fields) => fields,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn five_fields_begin_with_seconds() {
        assert_eq!(fields("0 30 9 * *").text(), "0 30 9 * * *");
        assert_eq!(fields("0 30 9 * * 1-5").text(), "0 30 9 * * 1-5");
    }

    #[test]
    fn a_date_is_its_six_fields() {
        let Schedule::Once(fields, date) = read("@date 2026-11-15 21:04:00").unwrap() else {
            panic!("a date")
        };
        assert_eq!((fields.text().as_str(), date.to_string().as_str()), ("0 4 21 15 11 *", "2026-11-15"));
        assert!(read("@date tomorrow").unwrap_err().contains("write @date"));
    }

    #[test]
    fn steps_of_all_days_count_as_stars_there() {
        assert!(fields("0 0 9 */2 * 1").is_both_days());
        assert!(fields("0 0 9 1 * */2").is_both_days());
        assert!(!fields("0 0 9 1,15 * 1").is_both_days());
        assert!(!fields("0 0 9 */2 * *").is_both_days());
    }

    #[test]
    fn another_number_of_fields_is_told() {
        assert!(read("0 30 9 *").unwrap_err().contains("has 4 fields"));
    }
}
