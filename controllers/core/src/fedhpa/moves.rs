//! The next safe step from the bounds that members have towards those they should have.
//!
//! Responsible for the totals while share moves: at every instant the maxes that may be in effect add up to no
//! more than the total max, and the mins that are sure to be in effect to no less than the total min. Knows
//! nothing of why the shares are what they are.
//!
//! A member's HPA acts on an edited spec up to a sync period later, so a lowered max counts as its old value
//! until it has *settled*, while a raised one counts at once; a lowered min counts at once, a raised one when that
//! many replicas are ready. Each call takes one step; its state is in the objects.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::{policy::Bounds, split::Shares};

/// What a member cluster has of the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who says how many replicas run there.
    pub presence: Presence,
    /// Replicas that run or are wanted there now.
    pub load: u32,
    /// Replicas that are ready there; unknown counts as none.
    pub ready: u32,
}

/// Who says how many replicas run in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The cluster has no replicas.
    Absent,
    /// Karmada keeps this many there; an HPA can follow once `prepared` (workload seen there, retention on).
    Entry {
        /// Replicas in the binding.
        replicas: u32,
        /// Whether an HPA may be installed.
        prepared: bool,
    },
    /// An HPA of ours.
    Hpa(Installed),
    /// An HPA of ours that is being deleted; until it is gone it may act with this max.
    Leaving {
        /// Replicas it may still go up to.
        max: u32,
    },
}

/// An HPA in a member, as far as it can be known from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// What its Work says.
    pub bounds: Bounds,
    /// What may still be in effect from before, until settled.
    pub before: Bounds,
    /// When the Work's bounds were last changed.
    pub since: DateTime<Utc>,
    /// The bounds that the member's HPA was last seen with, if it tells.
    pub confirmed: Option<Bounds>,
    /// Whether what it runs and wants was last seen within `bounds.max`, by a report that is fresh.
    pub within: bool,
}

/// How long after its edit an HPA has surely synced: two sync periods of 15 s where it confirms nothing, else one
/// and some time for the edit to arrive.
const SURELY_SYNCED_UNCONFIRMED: Duration = Duration::seconds(45);
const SURELY_SYNCED: Duration = Duration::seconds(20);

impl Installed {
    /// Whether only the Work's bounds can be in effect.
    pub fn settled(&self, now: DateTime<Utc>) -> bool {
        now >= self.settles_at()
            && self.within
            && self.confirmed.is_none_or(|confirmed| confirmed.max <= self.bounds.max)
    }

    fn settles_at(&self) -> DateTime<Utc> {
        self.since + if self.confirmed.is_some() { SURELY_SYNCED } else { SURELY_SYNCED_UNCONFIRMED }
    }

    fn highest_max(&self, now: DateTime<Utc>) -> u32 {
        if self.settled(now) { self.bounds.max } else { self.bounds.max.max(self.before.max) }
    }

    fn sure_min(&self, ready: u32) -> u32 {
        if ready >= self.bounds.min { self.bounds.min } else { self.bounds.min.min(self.before.min) }
    }
}

/// Bounds to write to a member, with what may still be in effect from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Install {
    /// The new bounds.
    pub bounds: Bounds,
    /// The widest bounds that may still act.
    pub before: Bounds,
}

/// One step. Whatever is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// HPAs to create or change.
    pub install: BTreeMap<String, Install>,
    /// HPAs to delete, so that the cluster can go to sleep.
    pub remove: BTreeSet<String>,
    /// Clusters to give replicas through the binding, which have none yet.
    pub wake: BTreeMap<String, u32>,
    /// Clusters to take out of the binding.
    pub vacate: BTreeSet<String>,
    /// Clusters that still have to give.
    pub donors: Vec<String>,
    /// Clusters that still wait for more.
    pub receivers: Vec<String>,
    /// Replicas by which the total max may be exceeded because donors are pinned by their min.
    pub surge: u32,
    /// When the next step may become possible by time alone.
    pub check_at: Option<DateTime<Utc>>,
}

/// The next step towards `target` (a cluster that is absent there is to have nothing). `standings` holds the
/// reachable clusters only: what a lost one may do is counted elsewhere.
pub fn next_step(
    totals: Bounds,
    target: &Shares,
    standings: &BTreeMap<String, Standing>,
    now: DateTime<Utc>,
) -> Step {
    let mut floor = Floor::new(totals, target, standings, now);
    floor.lower_mins();
    floor.lower_maxes();
    floor.raise_maxes();
    floor.raise_mins();
    floor.step()
}

/// The trading floor: every cluster's bounds while a step is worked out.
struct Floor<'a> {
    totals: Bounds,
    now: DateTime<Utc>,
    traders: Vec<Trader<'a>>,
    surge: u32,
}

struct Trader<'a> {
    name: &'a str,
    standing: &'a Standing,
    target: Bounds,
    /// What its HPA says, or would say to keep what runs.
    old: Bounds,
    new: Bounds,
}

impl<'a> Trader<'a> {
    fn new(name: &'a str, standing: &'a Standing, target: Bounds) -> Self {
        let old = match &standing.presence {
            Presence::Absent => Bounds::default(),
            Presence::Entry { replicas, .. } => Bounds::pinned(*replicas),
            Presence::Hpa(installed) => installed.bounds,
            Presence::Leaving { max } => Bounds { min: 0, max: *max },
        };
        Self { name, standing, target, old, new: old }
    }

    /// The lowest bounds an HPA can have on the way to the target.
    fn aim(&self) -> Bounds {
        match self.standing.presence {
            Presence::Hpa(_) => Bounds { min: self.target.min.max(1), max: self.target.max.max(1) },
            Presence::Absent | Presence::Entry { .. } | Presence::Leaving { .. } => self.target,
        }
    }

    /// The highest max that may be in effect after this step.
    fn highest_max(&self, now: DateTime<Utc>) -> u32 {
        match &self.standing.presence {
            Presence::Hpa(installed) => installed.highest_max(now).max(self.new.max),
            Presence::Entry { .. } | Presence::Leaving { .. } => self.old.max.max(self.new.max),
            Presence::Absent => self.new.max,
        }
    }

    /// The min that is surely kept before this step raises it.
    fn sure_min(&self) -> u32 {
        match &self.standing.presence {
            Presence::Hpa(installed) => installed.sure_min(self.standing.ready),
            Presence::Entry { replicas, .. } => *replicas,
            Presence::Absent | Presence::Leaving { .. } => 0,
        }
    }

    fn adjustable(&self) -> bool {
        match self.standing.presence {
            Presence::Hpa(_) => true,
            Presence::Entry { prepared, .. } => prepared && self.target.max > 0,
            Presence::Absent | Presence::Leaving { .. } => false,
        }
    }
}

impl<'a> Floor<'a> {
    fn new(
        totals: Bounds,
        target: &Shares,
        standings: &'a BTreeMap<String, Standing>,
        now: DateTime<Utc>,
    ) -> Self {
        let traders = standings
            .iter()
            .map(|(name, standing)| {
                Trader::new(name, standing, target.get(name).copied().unwrap_or_default())
            })
            .collect();
        Self { totals, now, traders, surge: 0 }
    }

    /// Mins go down as far as the others' sure mins keep the total.
    fn lower_mins(&mut self) {
        let sure: u64 = self.traders.iter().map(|trader| u64::from(trader.sure_min())).sum();
        let mut slack = u32::try_from(sure.saturating_sub(u64::from(self.totals.min))).unwrap_or(u32::MAX);
        for trader in self.traders.iter_mut().filter(|trader| trader.adjustable()) {
            let wanted = trader.new.min.saturating_sub(trader.aim().min);
            // A min that is not kept yet was not counted as sure, so giving it up costs nothing.
            let unsure = trader.new.min.saturating_sub(trader.sure_min());
            let given = wanted.min(slack.saturating_add(unsure));
            slack -= given.saturating_sub(unsure).min(slack);
            trader.new.min -= given;
        }
    }

    /// Maxes go down to the target, not below what runs nor below the min, unless the total itself fell.
    fn lower_maxes(&mut self) {
        let cut = self.total_fell();
        let spare = self.spare_elsewhere();
        for (trader, spare) in self.traders.iter_mut().zip(spare) {
            if !trader.adjustable() || trader.new.max <= trader.aim().max {
                continue;
            }
            let must_leave = trader.target.max == 0 && spare >= trader.standing.load;
            let keep = if cut || must_leave { 0 } else { trader.standing.load.min(trader.new.max) };
            if cut {
                trader.new.min = trader.new.min.min(trader.aim().max);
            }
            trader.new.max = trader.aim().max.max(keep).max(trader.new.min);
        }
    }

    /// More is installed than the total allows, and not because of a surge.
    fn total_fell(&mut self) -> bool {
        let pinned = |trader: &Trader<'_>| match trader.standing.presence {
            Presence::Hpa(_) => u64::from(trader.new.min.saturating_sub(trader.aim().max)),
            Presence::Absent | Presence::Entry { .. } | Presence::Leaving { .. } => 0,
        };
        self.surge = saturating(self.traders.iter().map(pinned).sum());
        let installed: u64 = self.traders.iter().map(|trader| u64::from(trader.old.max)).sum();
        let fell = installed > u64::from(self.totals.max) + u64::from(self.surge);
        if fell {
            self.surge = 0;
        }
        fell
    }

    /// For each cluster: what the others could take over within their targets.
    fn spare_elsewhere(&self) -> Vec<u32> {
        let spare = |trader: &Trader<'_>| u64::from(trader.target.max.saturating_sub(trader.standing.load));
        let all: u64 = self.traders.iter().map(spare).sum();
        self.traders.iter().map(|trader| saturating(all - spare(trader))).collect()
    }

    /// Maxes go up as far as what may be in effect elsewhere leaves room in the total.
    fn raise_maxes(&mut self) {
        let in_effect: u64 = self.traders.iter().map(|trader| u64::from(trader.highest_max(self.now))).sum();
        let allowed = u64::from(self.totals.max) + u64::from(self.surge);
        let mut budget = saturating(allowed.saturating_sub(in_effect));
        let now = self.now;
        for trader in &mut self.traders {
            let wakes = matches!(trader.standing.presence, Presence::Absent);
            if !(wakes || trader.adjustable()) || trader.new.max >= trader.target.max {
                continue;
            }
            let goal = if wakes { trader.target.min.max(1) } else { trader.target.max };
            // Up to what may be in effect anyway it costs nothing.
            let counted = trader.highest_max(now);
            let raised = goal.min(counted.saturating_add(budget)).max(trader.new.max);
            budget -= raised.saturating_sub(counted).min(budget);
            trader.new.max = raised;
        }
    }

    fn raise_mins(&mut self) {
        for trader in self.traders.iter_mut().filter(|trader| trader.adjustable()) {
            trader.new.min = trader.new.min.max(trader.target.min).min(trader.new.max);
        }
    }

    fn step(self) -> Step {
        let mut step = Step { surge: self.surge, ..Step::default() };
        let mut slack = self.slack_after();
        for (trader, spare) in self.traders.iter().zip(self.spare_elsewhere()) {
            match &trader.standing.presence {
                Presence::Absent if trader.new.max > 0 => {
                    step.wake.insert(trader.name.to_owned(), trader.new.max);
                }
                Presence::Entry { replicas, .. } if trader.target.max == 0 => {
                    if slack >= u64::from(*replicas) && spare >= *replicas {
                        slack -= u64::from(*replicas);
                        step.vacate.insert(trader.name.to_owned());
                    }
                }
                Presence::Entry { prepared: true, .. } => {
                    step.install
                        .insert(trader.name.to_owned(), Install { bounds: trader.new, before: trader.old });
                }
                Presence::Hpa(installed) => self.adjust(&mut step, trader, installed, &mut slack),
                Presence::Absent | Presence::Entry { .. } | Presence::Leaving { .. } => {}
            }
            if trader.new.max > trader.target.max {
                step.donors.push(trader.name.to_owned());
            } else if trader.new != trader.target {
                step.receivers.push(trader.name.to_owned());
            }
        }
        step.check_at = self.next_settling();
        step
    }

    /// Changes an HPA, or deletes one that has come down to its last replica and is not needed for the min.
    fn adjust(&self, step: &mut Step, trader: &Trader<'_>, installed: &Installed, slack: &mut u64) {
        let asleep = trader.target.max == 0 && trader.old == Bounds::pinned(1) && installed.settled(self.now);
        if asleep && *slack >= 1 {
            *slack -= 1;
            step.remove.insert(trader.name.to_owned());
        } else if trader.new != trader.old {
            let before = self.before(trader, installed);
            step.install.insert(trader.name.to_owned(), Install { bounds: trader.new, before });
        }
    }

    fn before(&self, trader: &Trader<'_>, installed: &Installed) -> Bounds {
        Bounds { min: installed.sure_min(trader.standing.ready), max: installed.highest_max(self.now) }
    }

    /// By how much the sure mins, after this step's lowering, exceed the total min.
    fn slack_after(&self) -> u64 {
        let kept: u64 =
            self.traders.iter().map(|trader| u64::from(trader.sure_min().min(trader.new.min))).sum();
        kept.saturating_sub(u64::from(self.totals.min))
    }

    fn next_settling(&self) -> Option<DateTime<Utc>> {
        let waiting = self.traders.iter().filter_map(|trader| match &trader.standing.presence {
            Presence::Hpa(installed) if !installed.settled(self.now) => Some(installed.settles_at()),
            Presence::Hpa(_) | Presence::Absent | Presence::Entry { .. } | Presence::Leaving { .. } => None,
        });
        waiting.filter(|at| *at > self.now).min()
    }
}

fn saturating(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
