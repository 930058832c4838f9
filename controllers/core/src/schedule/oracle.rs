//! The slots of a rule, found by looking at each minute of a span: the oracle that schedules are held against.
//!
//! Shares no code with what it judges: it has a matcher of its own, and sees gaps and overlaps by watching the
//! wall clock jump.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;

/// A field of a cron expression as generated, so that nothing has to be parsed.
#[derive(Clone, Debug)]
pub(crate) enum Field {
    Any,
    Each(u32),
    From(u32, u32),
    Range(u32, u32),
    List(Vec<u32>),
}

impl Field {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Any => "*".to_owned(),
            Self::Each(step) => format!("*/{step}"),
            Self::From(first, step) => format!("{first}/{step}"),
            Self::Range(first, last) => format!("{first}-{last}"),
            Self::List(values) => values.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        }
    }

    fn matches(&self, value: u32, smallest: u32) -> bool {
        match self {
            Self::Any => true,
            Self::Each(step) => (value - smallest).is_multiple_of(*step),
            Self::From(first, step) => value >= *first && (value - first).is_multiple_of(*step),
            Self::Range(first, last) => (*first..=*last).contains(&value),
            Self::List(values) => values.contains(&value),
        }
    }

    fn is_plain(&self) -> bool {
        matches!(self, Self::Range(..) | Self::List(_))
    }
}

/// Minute, hour, day of month, month, weekday.
#[derive(Clone, Debug)]
pub(crate) struct Fields(pub(crate) [Field; 5]);

impl Fields {
    pub(crate) fn text(&self) -> String {
        self.0.each_ref().map(Field::text).join(" ")
    }

    fn matches(&self, wall: NaiveDateTime) -> bool {
        let [minute, hour, day, month, weekday] = &self.0;
        let by_day = day.matches(wall.day(), 1);
        let by_weekday = weekday.matches(wall.weekday().num_days_from_sunday(), 0);
        let on_day = match (day, weekday) {
            (Field::Any | Field::Each(1), _) => by_weekday,
            (_, Field::Any | Field::Each(1)) => by_day,
            _ => by_day || by_weekday,
        };
        on_day
            && month.matches(wall.month(), 1)
            && hour.matches(wall.hour(), 0)
            && minute.matches(wall.minute(), 0)
    }

    /// All slots in (`after`, `until`], which lie on whole minutes.
    pub(crate) fn slots(&self, zone: Tz, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let is_fixed = self.0[0].is_plain() && self.0[1].is_plain();
        let minute = TimeDelta::minutes(1);
        let wall = |instant: DateTime<Utc>| instant.with_timezone(&zone).naive_local();
        let mut instant = after - TimeDelta::days(3);
        let (mut latest, mut slots) = (wall(instant), Vec::new());
        while instant < until {
            instant += minute;
            let shown = wall(instant);
            let is_new = shown > latest;
            let mut skipped = latest + minute;
            let mut fires = self.matches(shown) && (is_new || !is_fixed);
            while is_new && skipped < shown {
                fires |= is_fixed && self.matches(skipped);
                skipped += minute;
            }
            latest = latest.max(shown);
            if fires && instant > after {
                slots.push(instant);
            }
        }
        slots
    }
}
