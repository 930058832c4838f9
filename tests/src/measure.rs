//! Figures for the benchmarks: how long something took, what this process uses, what machine this is.
//!
//! Responsible for real time and for Linux's `/proc`; nothing here is asserted on. Knows nothing of what is measured.

use std::{fs, time::Duration};

/// Processor time is told in hundredths of a second, on every architecture that Linux runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measures real time, whatever tokio's clock does.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts one.
    #[expect(clippy::disallowed_methods, reason = "what is measured is real time, never a decision's")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// The time since its start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// How long each of `times` runs took, shortest first; a tenth as many runs before that warm up.
pub fn sampled(times: usize, mut run: impl FnMut()) -> Vec<Duration> {
    for _ in 0..times.div_ceil(10) {
        run();
    }
    let sample = |_| {
        let watch = Stopwatch::start();
        run();
        watch.elapsed()
    };
    let mut samples: Vec<Duration> = (0..times).map(sample).collect();
    samples.sort();
    samples
}

/// The sample that `percent` of all do not exceed; nothing of nothing. `samples` are sorted.
pub fn quantile(samples: &[Duration], percent: usize) -> Duration {
    let rank = (samples.len() * percent).div_ceil(100).max(1);
    samples.get(rank - 1).copied().unwrap_or_default()
}

/// Microseconds with a digit after the point.
pub fn micros(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}

/// Milliseconds with a digit after the point.
pub fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// What a process has used up to now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Memory that is resident, in MiB.
    pub resident_mib: f64,
    /// Processor time, of all threads, user and system.
    pub processor: Duration,
}

impl Usage {
    /// What this process has used, as the kernel tells it; zeros where there is no `/proc`.
    pub fn now() -> Self {
        Self::read("self")
    }

    /// What another process has used.
    pub fn of(process: u32) -> Self {
        Self::read(&process.to_string())
    }

    fn read(process: &str) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        Self {
            resident_mib: kib(&status, "VmRSS:") / 1024.0,
            processor: Duration::from_secs_f64(ticks(&stat) / TICKS_PER_SECOND),
        }
    }
}

fn kib(text: &str, field: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// User and system time: the 14th and 15th field, the 2nd being a name in parentheses that may hold anything.
fn ticks(stat: &str) -> f64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let numbers = after_name.split_whitespace().skip(11).take(2);
    numbers.filter_map(|number| number.parse::<f64>().ok()).sum()
}

/// Processors and memory, in a line.
pub fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let models = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = models.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([':', '\t', ' ']);
    let memory = kib(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal:") / 1024.0 / 1024.0;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("?").to_owned();
    format!("{processors} processors ({model}), {memory:.0} GiB, load {load} at the start")
}

/// Prints a table, its first column to the left and the others to the right.
pub fn print_table(heads: &[&str], rows: &[Vec<String>]) {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let all = || std::iter::once(&heads).chain(rows);
    let widths: Vec<usize> = (0..heads.len())
        .map(|column| all().map(|row| row[column].chars().count()).max().unwrap_or_default())
        .collect();
    for row in all() {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("{}", cells.collect::<Vec<_>>().join("  "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_sample() {
        let samples: Vec<Duration> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(quantile(&samples, 50), Duration::from_micros(100));
        assert_eq!(quantile(&samples, 99), Duration::from_micros(198));
        assert_eq!(quantile(&samples[..1], 99), Duration::from_micros(1));
        assert_eq!(quantile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "17 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0";
        assert!((ticks(stat) - 200.0).abs() < f64::EPSILON);
    }

    #[test]
    fn memory_is_found_by_its_name() {
        assert!((kib("VmPeak:\t 9 kB\nVmRSS:\t 2048 kB\n", "VmRSS:") - 2048.0).abs() < f64::EPSILON);
    }
}
