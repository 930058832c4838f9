//! Days on which nothing is due.
//!
//! Responsible for reading dates and ranges of dates, and for saying whether a date is among them. A date is a
//! date in whatever zone the question is asked for; this knows nothing of zones.

use chrono::{Days, NaiveDate};
use thiserror::Error;

/// A set of dates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaysOff {
    /// First and last dates, in order and with at least a day between two spans.
    spans: Vec<(NaiveDate, NaiveDate)>,
}

/// A date or range that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadDates {
    /// It is not a date.
    #[error("{0:?} is no date: write 2026-10-01, or 2026-10-01/2026-10-07 for a range")]
    NoDate(String),
    /// It ends before it begins.
    #[error("{0:?} ends before it begins")]
    Backwards(String),
}

impl DaysOff {
    /// No days at all.
    pub const NONE: Self = Self { spans: Vec::new() };

    /// Adds a date (`2026-10-01`) or a range with both its ends (`2026-10-01/2026-10-07`).
    pub fn add(&mut self, text: &str) -> Result<(), BadDates> {
        let date = |part: &str| part.parse().map_err(|_| BadDates::NoDate(text.to_owned()));
        let (first, last) = text.split_once('/').unwrap_or((text, text));
        let (first, last) = (date(first)?, date(last)?);
        if first > last {
            return Err(BadDates::Backwards(text.to_owned()));
        }
        self.include([(first, last)]);
        Ok(())
    }

    /// Adds spans from a first to a last date, all at once. One that ends before it begins adds nothing.
    pub fn include(&mut self, spans: impl IntoIterator<Item = (NaiveDate, NaiveDate)>) {
        self.spans.extend(spans.into_iter().filter(|(first, last)| first <= last));
        self.merge();
    }

    /// The spans that touch the days from `first` to `last`, as they are written in dates and ranges.
    pub fn written(&self, first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = String> {
        let there = self.spans().filter(move |(begin, end)| *begin <= last && *end >= first);
        there.map(|(begin, end)| if begin == end { begin.to_string() } else { format!("{begin}/{end}") })
    }

    /// The dates as spans from a first to a last date, in order; no two of them touch.
    pub fn spans(&self) -> impl Iterator<Item = (NaiveDate, NaiveDate)> {
        self.spans.iter().copied()
    }

    /// The span that `date` lies in, if it is among the dates.
    pub fn span_of(&self, date: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
        let later = self.spans.partition_point(|(first, _)| *first <= date);
        let span = later.checked_sub(1).and_then(|index| self.spans.get(index))?;
        (date <= span.1).then_some(*span)
    }

    fn merge(&mut self) {
        self.spans.sort_unstable();
        let mut merged: Vec<(NaiveDate, NaiveDate)> = Vec::with_capacity(self.spans.len());
        for (first, last) in self.spans.drain(..) {
            match merged.last_mut() {
                Some((_, end)) if first <= end.checked_add_days(Days::new(1)).unwrap_or(*end) => {
                    *end = last.max(*end);
                }
                _ => merged.push((first, last)),
            }
        }
        self.spans = merged;
    }
}
