//! Days off that are written as cron expressions.
//!
//! Responsible for turning them into weekdays, which a schedule can leave out itself, or into dates. Knows nothing of
//! the rules that they are about.

use std::collections::BTreeSet;

use chrono::{Datelike as _, NaiveDate};
use fedscaler_core::schedule::Pattern;

/// The most dates and ranges of dates that a CronHPA excludes.
const MOST_DATES: usize = 366;

/// So many calendar years after the present one are written out.
const YEARS: i32 = 2;

/// Weekdays from Sunday on, as cron counts them.
pub(super) type Weekdays = BTreeSet<usize>;

/// The weekdays of a field of a cron expression.
pub(super) fn weekdays(field: &str) -> Option<Weekdays> {
    let pattern = Pattern::parse(&format!("0 0 0 * * {field}")).ok()?;
    let sunday = NaiveDate::from_ymd_opt(2023, 1, 1)?;
    let week = sunday.iter_days().take(7).enumerate();
    Some(week.filter(|(_, day)| pattern.falls_on(*day)).map(|(number, _)| number).collect())
}

/// Dates and ranges of dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dates {
    pub(super) texts: Vec<String>,
    /// The last day that was looked at.
    pub(super) until: NaiveDate,
}

/// The days from `today` on to which one of the patterns applies, for some years, or as many as a CronHPA can exclude.
pub(super) fn dates(patterns: &[Pattern], today: NaiveDate) -> Dates {
    let end = NaiveDate::from_ymd_opt(today.year() + YEARS, 12, 31).unwrap_or(today);
    let is_off = |day: &NaiveDate| patterns.iter().any(|pattern| pattern.falls_on(*day));
    let mut spans: Vec<(NaiveDate, NaiveDate)> = Vec::new();
    let mut until = end;
    for day in today.iter_days().take_while(|day| *day <= end).filter(is_off) {
        let is_full = spans.len() == MOST_DATES;
        match spans.last_mut() {
            Some((_, last)) if last.succ_opt() == Some(day) => *last = day,
            Some((_, last)) if is_full => {
                until = *last;
                break;
            }
            Some(_) | None => spans.push((day, day)),
        }
    }
    let text = |(first, last)| if first == last { format!("{first}") } else { format!("{first}/{last}") };
    Dates { texts: spans.into_iter().map(text).collect(), until }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn weekdays_are_read_as_cron_means_them() {
        assert_eq!(weekdays("1-5"), Some([1, 2, 3, 4, 5].into()));
        assert_eq!(weekdays("SUN,6"), Some([0, 6].into()));
        assert_eq!(weekdays("*"), Some((0..7).collect()));
        assert_eq!(weekdays("someday"), None);
    }

    #[test]
    fn days_in_a_row_are_one_range() {
        let pattern = Pattern::parse("* * * 1-3,7 10 *").unwrap();
        let dates = dates(&[pattern], date("2026-10-02"));
        let expected =
            ["2026-10-02/2026-10-03", "2026-10-07", "2027-10-01/2027-10-03", "2027-10-07"].map(str::to_owned);
        assert_eq!(dates.texts[..4], expected);
        assert_eq!((dates.texts.len(), dates.until), (6, date("2028-12-31")));
    }

    #[test]
    fn no_more_dates_are_written_than_a_cronhpa_can_have() {
        let pattern = Pattern::parse("* * * */2 * *").unwrap();
        let dates = dates(&[pattern], date("2026-01-01"));
        assert_eq!(dates.texts.len(), MOST_DATES);
        assert!(dates.until < date("2028-12-31"));
        assert!(dates.until >= date(dates.texts.last().unwrap().get(..10).unwrap()));
    }
}
