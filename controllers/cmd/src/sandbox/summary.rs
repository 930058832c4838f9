//! What a run came to.
//!
//! Responsible for the last lines and the verdict. The numbers are those of the world's own books, of the auditor and
//! of the controllers' metrics, as a scrape would show them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use chrono::{DateTime, Utc};
use fedscaler_runtime::metrics::Metrics;
use fedscaler_sandbox::{clock::Clock, member::traffic::Totals, world::World};

use super::{
    audit::{Audit, Violation},
    narrate::stamp,
    scenario::Scenario,
};
use crate::Refusal;

/// The summary of a run.
pub(super) struct Summary {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    books: Totals,
    rebalances: Vec<(String, u64)>,
    write_backs: u64,
    failed_write_backs: u64,
    slots: Vec<(String, u64)>,
    reschedules: u64,
    looks: u64,
    violations: Vec<Violation>,
}

impl Summary {
    /// Sums a run up.
    pub(super) fn of(
        scenario: &Scenario,
        world: &World,
        clock: &Arc<dyn Clock>,
        metrics: &Metrics,
        audit: &Audit,
    ) -> Result<Self, Refusal> {
        let scrape = Scrape(metrics.render().map_err(Refusal::new)?);
        let (namespace, name) = (&scenario.workload.namespace, &scenario.workload.name);
        let held = (namespace.clone(), format!("{name}-deployment"));
        Ok(Self {
            from: scenario.start,
            to: clock.now(),
            books: world.totals(&scenario.workload),
            rebalances: scrape.by_label("fedhpa_rebalances_total", "reason"),
            write_backs: scrape.with_label("fedhpa_write_backs_total", "result", "success"),
            failed_write_backs: scrape.with_label("fedhpa_write_backs_total", "result", "error"),
            slots: scrape.by_label("cronhpa_slots_total", "result"),
            reschedules: world.reschedules().get(&held).copied().unwrap_or(0),
            looks: audit.looks(),
            violations: audit.violations().to_vec(),
        })
    }

    /// Whether every invariant held.
    pub(super) fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.reschedules == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = |of: &[(String, u64)]| {
            let parts: Vec<_> = of
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(what, count)| format!("{what} {count}"))
                .collect();
            if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
        };
        let total = |of: &[(String, u64)]| of.iter().map(|(_, count)| count).sum::<u64>();
        let books = self.books;
        let unmet = books.unmet_milli_seconds * 10_000 / books.demand_milli_seconds.max(1);
        writeln!(f)?;
        writeln!(f, "from {} to {}", stamp(self.from), stamp(self.to))?;
        writeln!(f, "  replica-minutes      {}", books.replica_seconds / 60)?;
        writeln!(
            f,
            "  unmet demand         {} replica-minutes, {}.{:02} % of the demand",
            books.unmet_milli_seconds / 60_000,
            unmet / 100,
            unmet % 100
        )?;
        writeln!(f, "  Pending pod-minutes  {}", books.pending_pod_seconds / 60)?;
        writeln!(f, "  moves of share       {} ({})", total(&self.rebalances), counts(&self.rebalances))?;
        writeln!(
            f,
            "  write-back rounds    {} ({} cut short and repeated)",
            self.write_backs, self.failed_write_backs
        )?;
        writeln!(f, "  cron slots           {} ({})", total(&self.slots), counts(&self.slots))?;
        writeln!(f, "  divisions by Karmada's scheduler while held  {}", self.reschedules)?;
        writeln!(f, "  violations           {} in {} looks", self.violations.len(), self.looks)?;
        for violation in &self.violations {
            writeln!(
                f,
                "    {} {}: {}: {}",
                stamp(violation.at),
                violation.object,
                violation.promise,
                violation.seen
            )?;
        }
        Ok(())
    }
}

/// The text that a scrape would get.
struct Scrape(String);

impl Scrape {
    /// Sums by one label.
    fn by_label(&self, metric: &str, label: &str) -> Vec<(String, u64)> {
        let mut sums = BTreeMap::new();
        for (labels, value) in self.series(metric) {
            let found = labels
                .split(',')
                .find_map(|pair| pair.strip_prefix(label)?.strip_prefix("=\"")?.strip_suffix('"'));
            *sums.entry(found.unwrap_or_default().to_owned()).or_default() += value;
        }
        sums.into_iter().collect()
    }

    fn with_label(&self, metric: &str, label: &str, value: &str) -> u64 {
        self.by_label(metric, label)
            .into_iter()
            .find(|(found, _)| found == value)
            .map_or(0, |(_, count)| count)
    }

    fn series<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
        self.0.lines().filter_map(move |line| {
            let (labels, value) = line.strip_prefix(metric)?.strip_prefix('{')?.rsplit_once("} ")?;
            Some((labels, value.parse().ok()?))
        })
    }
}
