//! Reads a demand trace from CSV.
//!
//! Responsible for saying which line of a file is wrong; nothing starts half-read. Knows nothing of replicas.

use std::{fs::File, path::Path};

use chrono::{DateTime, NaiveDateTime, Utc};
use fedscaler_sandbox::demand::{Interpolation, Trace, TraceError};

use crate::Refusal;

/// A trace and the time of its first row.
pub(super) struct Recorded {
    /// The demand, scaled.
    pub(super) trace: Trace,
    /// When it begins.
    pub(super) start: DateTime<Utc>,
}

/// Reads `timestamp,value` rows and scales them so that the highest value needs `peak` replicas. Timestamps are
/// `YYYY-MM-DD HH:MM:SS` in UTC or RFC 3339, each later than the one before.
pub(super) fn read(path: &Path, peak: u32) -> Result<Recorded, Refusal> {
    let refuse = |why: String| Refusal::new(format!("--demand {}: {why}", path.display()));
    let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let columns = columns(reader.headers().map_err(|error| refuse(error.to_string()))?)
        .ok_or_else(|| refuse("the first line must name the columns timestamp and value".to_owned()))?;
    let (mut points, mut lines) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.map_err(|error| refuse(error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        points.push(point(&record, columns).map_err(|why| refuse(format!("line {line}: {why}")))?);
        lines.push(line);
    }
    let start = points.first().map(|(at, _)| *at).ok_or_else(|| refuse("it has no rows".to_owned()))?;
    let trace =
        Trace::from_times(points, Interpolation::Linear).map_err(|error| refuse(at_line(&error, &lines)))?;
    Ok(Recorded { trace: trace.with_peak(i64::from(peak) * 1000), start })
}

fn at_line(error: &TraceError, lines: &[u64]) -> String {
    let line = |row: usize| lines.get(row).copied().unwrap_or_default();
    match *error {
        TraceError::Empty => "it has no rows".to_owned(),
        TraceError::Unordered { row } => {
            format!("line {}: its time is not later than that of the line before", line(row))
        }
        TraceError::Value { row } => {
            format!("line {}: its value is not a number between 0 and 1e9", line(row))
        }
    }
}

fn columns(headers: &csv::StringRecord) -> Option<[usize; 2]> {
    let at = |name: &str| headers.iter().position(|header| header.eq_ignore_ascii_case(name));
    Some([at("timestamp")?, at("value")?])
}

fn point(record: &csv::StringRecord, [time, value]: [usize; 2]) -> Result<(DateTime<Utc>, f64), String> {
    let (time, value) = (record.get(time).unwrap_or_default(), record.get(value).unwrap_or_default());
    let at = instant(time).ok_or_else(|| format!("{time:?} is no timestamp"))?;
    match value.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok((at, value)),
        Ok(_) | Err(_) => Err(format!("{value:?} is not a number of 0 or more")),
    }
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    let plain = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").map(|time| time.and_utc());
    plain.ok().or_else(|| text.parse().ok())
}
