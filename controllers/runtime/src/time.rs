//! Times on the wire.
//!
//! Responsible for converting between chrono, which the decisions use, and the jiff timestamps inside
//! Kubernetes objects. Knows nothing of clocks.

use chrono::{DateTime, SubsecRound, Utc};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

/// A time as most fields hold it: whole seconds, the rest cut off.
///
/// Times outside the years -9999 to 9999, which no wire format has, become the nearest one that it has.
#[must_use]
pub fn to_wire(time: DateTime<Utc>) -> Time {
    Time(timestamp(time.timestamp(), 0))
}

/// A time as events hold it: whole microseconds, the rest cut off.
#[must_use]
pub fn to_wire_micros(time: DateTime<Utc>) -> MicroTime {
    let time = time.trunc_subsecs(6);
    MicroTime(timestamp(time.timestamp(), i32::try_from(time.timestamp_subsec_nanos()).unwrap_or(0)))
}

/// The time in a field, to whole seconds.
#[must_use]
pub fn from_wire(time: &Time) -> DateTime<Utc> {
    let second = time.0.as_second() - i64::from(time.0.subsec_nanosecond() < 0);
    DateTime::from_timestamp(second, 0).unwrap_or_default()
}

/// The time in a field that holds microseconds.
#[must_use]
pub fn from_wire_micros(time: &MicroTime) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.0.as_microsecond()).unwrap_or_default()
}

fn timestamp(second: i64, nanosecond: i32) -> Timestamp {
    let nearest = if second < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::new(second, nanosecond).unwrap_or(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_loses_its_fraction_and_nothing_else_on_the_way_there_and_back() {
        for (before, after) in [
            ("2026-03-29T01:00:00.999Z", "2026-03-29T01:00:00Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z"),
            ("2026-02-28T23:59:59Z", "2026-02-28T23:59:59Z"),
        ] {
            assert_eq!(from_wire(&to_wire(time(before))), time(after));
        }
    }

    #[test]
    fn a_fraction_that_another_writer_left_is_cut_off_towards_the_past() {
        assert_eq!(from_wire(&Time("1969-12-31T23:59:59.5Z".parse().unwrap())), time("1969-12-31T23:59:59Z"));
    }

    #[test]
    fn the_wire_shows_seconds_and_microseconds() {
        let time = time("2026-01-02T03:04:05.1234567Z");
        assert_eq!(serde_json::to_value(to_wire(time)).unwrap(), "2026-01-02T03:04:05Z");
        assert_eq!(serde_json::to_value(to_wire_micros(time)).unwrap(), "2026-01-02T03:04:05.123456Z");
    }
}
