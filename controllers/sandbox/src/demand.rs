//! Demand over time: how many replicas' worth of load the users of a workload bring, as a trace that can be replayed.
//! One unit is the load that one replica carries at its target utilisation. Knows no workload and no member.
//!
//! Values are kept as whole thousandths of a replica, so that a replay is the same on every machine.

use chrono::{DateTime, Utc};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::time::Duration;
use thiserror::Error;

/// How a trace goes from one point to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// A point's value holds until the next point.
    Step,
    /// Straight lines between the points.
    Linear,
}

/// What happens after the last point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Hold,
    Repeat { period: i64 },
}

/// Why points make no trace. Rows are counted from 0.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TraceError {
    /// There is no point at all.
    #[error("a demand trace needs at least one point")]
    Empty,
    /// A point is not later than the one before it.
    #[error("point {row} is not later than the point before it")]
    Unordered {
        /// The offending point.
        row: usize,
    },
    /// A value is negative, not a number, or beyond a thousand million.
    #[error("point {row} is not a number between 0 and 1e9")]
    Value {
        /// The offending point.
        row: usize,
    },
}

/// A demand curve: points in seconds after its start, and values in thousandths of a replica's worth of load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    points: Vec<(i64, i64)>,
    interpolation: Interpolation,
    ending: Ending,
    /// How much of the curve is over when it starts, in seconds.
    skipped: i64,
}

/// Above this a value is taken for a mistake; it also keeps all sums far inside 64 bits.
const LARGEST: f64 = 1e9;

/// The shape of a working day, hour by hour, in thousandths of its peak.
const DAY: [i64; 24] = [
    220, 170, 140, 120, 120, 150, 240, 420, 640, 800, 890, 940, 960, 930, 910, 900, 890, 900, 960, 1000, 950,
    780, 540, 340,
];

/// A generated trace has a point every five minutes.
const GENERATED_STEP: i64 = 300;

impl Trace {
    /// A trace from points: seconds after the start, in strictly rising order, and values of any unit that
    /// [`Trace::with_peak`] may scale later; unscaled they count replicas. After the last point its value holds.
    pub fn new<P>(points: P, interpolation: Interpolation) -> Result<Self, TraceError>
    where
        P: IntoIterator<Item = (i64, f64)>,
    {
        let mut kept: Vec<(i64, i64)> = Vec::new();
        for (row, (offset, value)) in points.into_iter().enumerate() {
            if kept.last().is_some_and(|(before, _)| *before >= offset) {
                return Err(TraceError::Unordered { row });
            }
            kept.push((offset, thousandths(value).ok_or(TraceError::Value { row })?));
        }
        if kept.is_empty() {
            return Err(TraceError::Empty);
        }
        Ok(Self { points: kept, interpolation, ending: Ending::Hold, skipped: 0 })
    }

    /// A trace from points in time; the first one is its start.
    pub fn from_times<P>(points: P, interpolation: Interpolation) -> Result<Self, TraceError>
    where
        P: IntoIterator<Item = (DateTime<Utc>, f64)>,
    {
        let points: Vec<_> = points.into_iter().collect();
        let start = points.first().ok_or(TraceError::Empty)?.0;
        Self::new(points.iter().map(|(at, value)| ((*at - start).num_seconds(), *value)), interpolation)
    }

    /// The same demand at all times, in thousandths of a replica.
    #[must_use]
    pub fn constant(milli_replicas: i64) -> Self {
        Self {
            points: vec![(0, milli_replicas.max(0))],
            interpolation: Interpolation::Step,
            ending: Ending::Hold,
            skipped: 0,
        }
    }

    /// A day that repeats: low at night, a double hump by day, a few percent of noise and two bursts, all from the
    /// seed. `peak` is in whole replicas.
    #[must_use]
    pub fn generated(seed: u64, peak: u32) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let bursts = [burst_start(&mut dice), burst_start(&mut dice)];
        let points = (0..24 * 3600 / GENERATED_STEP).map(|step| {
            let noise = i64::from(dice.next_u32() % 81) - 40;
            (step * GENERATED_STEP, generated_value(step * GENERATED_STEP, noise, &bursts))
        });
        let day = Self {
            points: points.collect(),
            interpolation: Interpolation::Linear,
            ending: Ending::Repeat { period: 24 * 3600 },
            skipped: 0,
        };
        day.with_peak(i64::from(peak) * 1000)
    }

    /// The same curve, scaled so that its highest point is this many thousandths of a replica.
    #[must_use]
    pub fn with_peak(mut self, milli_replicas: i64) -> Self {
        let highest = self.points.iter().map(|(_, value)| *value).max().unwrap_or_default();
        if highest > 0 {
            for (_, value) in &mut self.points {
                *value = ratio(*value, milli_replicas, highest);
            }
        }
        self
    }

    /// The same curve, again and again: one step of the width of the last one after the last point comes the first.
    #[must_use]
    pub fn repeated(mut self) -> Self {
        if let [.., (before, _), (last, _)] = self.points.as_slice() {
            let period = last - self.points[0].0 + (last - before);
            self.ending = Ending::Repeat { period };
        }
        self
    }

    /// The same curve, begun this long after its first point.
    #[must_use]
    pub fn skipping(mut self, skipped: Duration) -> Self {
        self.skipped = i64::try_from(skipped.as_secs()).unwrap_or(i64::MAX);
        self
    }

    /// Seconds from the first point to the last.
    #[must_use]
    pub fn length(&self) -> Duration {
        let first = self.points.first().map_or(0, |(offset, _)| *offset);
        let last = self.points.last().map_or(0, |(offset, _)| *offset);
        Duration::from_secs(u64::try_from(last - first).unwrap_or_default())
    }

    /// The demand this long after the start of the trace, in thousandths of a replica.
    #[must_use]
    pub fn at(&self, elapsed: Duration) -> i64 {
        let first = self.points.first().map_or(0, |(offset, _)| *offset);
        let elapsed = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX).saturating_add(self.skipped);
        match self.ending {
            Ending::Hold => self.between(first.saturating_add(elapsed), None),
            Ending::Repeat { period } => self.between(first + elapsed % period, Some(first + period)),
        }
    }

    fn between(&self, offset: i64, wraps_at: Option<i64>) -> i64 {
        let next = self.points.partition_point(|(at, _)| *at <= offset);
        let Some(&(from, value)) = next.checked_sub(1).and_then(|last| self.points.get(last)) else {
            return self.points.first().map_or(0, |(_, value)| *value);
        };
        let wrapped = wraps_at.and_then(|end| self.points.first().map(|(_, value)| (end, *value)));
        let following = self.points.get(next).copied().or(wrapped);
        match (self.interpolation, following) {
            (Interpolation::Linear, Some((to, target))) => {
                value + ratio(target - value, offset - from, to - from)
            }
            (Interpolation::Linear, None) | (Interpolation::Step, _) => value,
        }
    }
}

fn burst_start(dice: &mut ChaCha8Rng) -> i64 {
    7 * 3600 + i64::from(dice.next_u32() % (13 * 3600))
}

/// The curve at a second of the day: the hour's value on the way to the next hour's, noise, and half as much again
/// within the 25 minutes of a burst.
fn generated_value(second: i64, noise: i64, bursts: &[i64]) -> i64 {
    let hour = usize::try_from(second / 3600).unwrap_or_default() % 24;
    let base = DAY[hour] + ratio(DAY[(hour + 1) % 24] - DAY[hour], second % 3600, 3600);
    let shaken = base + ratio(base, noise, 1000);
    let bursting = bursts.iter().any(|start| (*start..*start + 1500).contains(&second));
    if bursting { shaken + shaken / 2 } else { shaken }
}

fn thousandths(value: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked on the same line")]
    (0.0..=LARGEST).contains(&value).then(|| (value * 1000.0).round() as i64)
}

fn ratio(value: i64, numerator: i64, denominator: i64) -> i64 {
    let exact = i128::from(value) * i128::from(numerator) / i128::from(denominator);
    i64::try_from(exact).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(trace: &Trace, seconds: u64) -> i64 {
        trace.at(Duration::from_secs(seconds))
    }

    #[test]
    fn a_linear_trace_goes_straight_from_point_to_point_and_holds_at_the_end() {
        let trace = Trace::new([(100, 1.0), (200, 3.0)], Interpolation::Linear).unwrap();
        assert_eq!(
            [at(&trace, 0), at(&trace, 50), at(&trace, 100), at(&trace, 999)],
            [1000, 2000, 3000, 3000]
        );
    }

    #[test]
    fn a_step_trace_holds_each_value_until_the_next_point() {
        let trace = Trace::new([(0, 1.0), (10, 2.0)], Interpolation::Step).unwrap();
        assert_eq!([at(&trace, 9), at(&trace, 10)], [1000, 2000]);
    }

    #[test]
    fn a_repeated_trace_returns_to_its_first_point() {
        let trace = Trace::new([(0, 0.0), (10, 4.0)], Interpolation::Linear).unwrap().repeated();
        assert_eq!([at(&trace, 10), at(&trace, 15), at(&trace, 20), at(&trace, 30)], [4000, 2000, 0, 4000]);
    }

    #[test]
    fn scaling_puts_the_highest_point_at_the_peak() {
        let trace = Trace::new([(0, 5000.0), (10, 20000.0)], Interpolation::Step).unwrap().with_peak(60_000);
        assert_eq!([at(&trace, 0), at(&trace, 10)], [15_000, 60_000]);
    }

    #[test]
    fn a_trace_can_begin_in_its_middle_and_keeps_its_peak() {
        let points = [(0, 1.0), (100, 3.0), (200, 2.0)];
        let trace = Trace::new(points, Interpolation::Linear).unwrap().with_peak(3000);
        let later = trace.skipping(Duration::from_secs(150));
        assert_eq!([at(&later, 0), at(&later, 25), at(&later, 1000)], [2500, 2250, 2000]);
        assert_eq!(at(&later.repeated(), 300), 2500, "a repeated one comes back to where it began");
    }

    #[test]
    fn a_generated_day_is_the_same_for_the_same_seed_and_peaks_where_told() {
        let day = Trace::generated(7, 60);
        assert_eq!(day, Trace::generated(7, 60));
        assert_ne!(day, Trace::generated(8, 60));
        let values: Vec<_> = (0..288).map(|step| at(&day, step * 300)).collect();
        assert_eq!(values.iter().max(), Some(&60_000));
        assert!(at(&day, 4 * 3600) < 15_000, "nights are quiet");
        assert_eq!(at(&day, 3600), at(&day, 3600 + 24 * 3600));
    }

    #[test]
    fn wrong_points_are_refused_by_row() {
        assert_eq!(Trace::new([], Interpolation::Step), Err(TraceError::Empty));
        let unordered = Trace::new([(5, 1.0), (5, 1.0)], Interpolation::Step);
        assert_eq!(unordered, Err(TraceError::Unordered { row: 1 }));
        for wrong in [f64::NAN, -1.0, f64::INFINITY] {
            assert_eq!(Trace::new([(0, wrong)], Interpolation::Step), Err(TraceError::Value { row: 0 }));
        }
    }
}
