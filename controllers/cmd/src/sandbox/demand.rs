//! Reads a demand trace from CSV.
//!
//! Responsible for times and values of a demand file and for where in it a run begins. Knows nothing of replicas.

use std::path::Path;

use chrono::{DateTime, NaiveDateTime, Utc};
use fedscaler_sandbox::demand::{Interpolation, Trace, TraceError};

use super::rows::Source;
use crate::Refusal;

/// A trace and the time at which it begins.
pub(super) struct Recorded {
    /// The demand, scaled.
    pub(super) trace: Trace,
    /// When it begins.
    pub(super) start: DateTime<Utc>,
}

/// Reads `timestamp,value` rows and scales them so that the highest value of the whole file needs `peak` replicas. Times
/// are as [`instant`] reads them, each later than the one before. It begins at `from`, or with the first row.
pub(super) fn read(path: &Path, peak: u32, from: Option<DateTime<Utc>>) -> Result<Recorded, Refusal> {
    let source = Source { option: "--demand", path };
    let rows = source.read(["timestamp", "value"], point)?;
    let points = rows.iter().map(|(_, point)| *point);
    let trace = Trace::from_times(points, Interpolation::Linear).map_err(|error| match error {
        TraceError::Empty => source.refuse("it has no rows"),
        TraceError::Unordered { row } => {
            source.refuse_line(rows[row].0, "its time is not later than that of the line before")
        }
        TraceError::Value { row } => {
            source.refuse_line(rows[row].0, "its value is not a number between 0 and 1e9")
        }
    })?;
    let trace = trace.with_peak(i64::from(peak) * 1000);
    let [(_, (first, _)), .., (_, (last, _))] = rows.as_slice() else {
        return Err(source.refuse("it has one row only"));
    };
    let start = from.unwrap_or(*first);
    if !(*first..=*last).contains(&start) {
        return Err(Refusal::new(format!("--from {start}: the demand goes from {first} to {last}")));
    }
    let skipped = (start - *first).to_std().unwrap_or_default();
    Ok(Recorded { trace: trace.skipping(skipped), start })
}

fn point([time, value]: [&str; 2]) -> Result<(DateTime<Utc>, f64), String> {
    let at = instant(time).ok_or_else(|| format!("{time:?} is no timestamp"))?;
    match value.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok((at, value)),
        Ok(_) | Err(_) => Err(format!("{value:?} is not a number of 0 or more")),
    }
}

/// A time as `YYYY-MM-DD HH:MM:SS` in UTC, or in RFC 3339.
pub(crate) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let plain = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").map(|time| time.and_utc());
    plain.ok().or_else(|| text.parse().ok())
}
