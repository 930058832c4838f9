//! The next safe step from the bounds that members have towards those they should have.
//!
//! Responsible for the totals while share moves: at every instant the maxes that may be in effect add up to no
//! more than the total max, and the mins that are sure to be in effect to no less than the total min. Knows
//! nothing of why the shares are what they are.
//!
//! A member's HPA acts on an edited spec up to a sync period later, so a lowered max counts as its old value
//! until it has *settled*, while a raised one counts at once; a lowered min counts at once, a raised one when the
//! HPA has surely seen it and that many replicas are ready. Each call takes one step; its state is in the objects.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    policy::Bounds,
    split::{Groups, Shares, total},
};

/// What a member cluster has of the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who says how many replicas run there.
    pub presence: Presence,
    /// Replicas in the binding.
    pub entry: u32,
    /// Replicas that run or are wanted there now.
    pub load: u32,
    /// Earlier tiers can hold all of that: it goes to them.
    pub homeward: bool,
    /// Replicas that are ready there; unknown counts as none.
    pub ready: u32,
}

/// Who says how many replicas run in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The cluster has no replicas.
    Absent,
    /// Karmada keeps what the binding says there; an HPA can follow once `prepared` (workload seen there, retention on).
    Entry {
        /// Whether an HPA may be installed.
        prepared: bool,
    },
    /// An HPA of ours.
    Hpa(Installed),
    /// An HPA of ours that is being deleted; until it is gone it may act.
    Leaving(Installed),
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

    /// Enough ready replicas do not make a raised min sure: until the HPA has seen it, it may still go below.
    fn sure_min(&self, ready: u32, now: DateTime<Utc>) -> u32 {
        if ready >= self.bounds.min { self.kept_min(now) } else { self.bounds.min.min(self.before.min) }
    }

    /// The min that the HPA surely goes by, whether or not so many replicas are ready.
    fn kept_min(&self, now: DateTime<Utc>) -> u32 {
        let seen = now >= self.settles_at()
            && self.confirmed.is_none_or(|confirmed| confirmed.min >= self.bounds.min);
        if seen { self.bounds.min } else { self.bounds.min.min(self.before.min) }
    }
}

/// Bounds to write to a member, with what may still be in effect from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Donors that are to leave, but what runs there fits nowhere else.
    pub stranded: Vec<String>,
    /// Replicas by which the total max may be exceeded for now: donors are pinned by their min, or the total fell
    /// and members have not acted on it yet.
    pub surge: u32,
    /// When the next step may become possible by time alone.
    pub check_at: Option<DateTime<Utc>>,
}

/// The next step towards `target` (a cluster that is absent there is to have nothing). `standings` holds the
/// reachable clusters only: what a lost one may do is counted elsewhere.
pub fn next_step(
    totals: Bounds,
    groups: Groups,
    target: &Shares,
    standings: &BTreeMap<String, Standing>,
    now: DateTime<Utc>,
) -> Step {
    let mut floor = Floor::new(totals, groups, target, standings, now);
    floor.lower_mins();
    floor.lower_maxes();
    floor.cut_what_exceeds_the_total();
    floor.raise_maxes();
    floor.raise_mins();
    floor.step()
}

/// The trading floor: every cluster's bounds while a step is worked out.
struct Floor<'a> {
    totals: Bounds,
    groups: Groups,
    now: DateTime<Utc>,
    traders: Vec<Trader<'a>>,
    /// What must be granted beyond the total, since the total min holds it where it is to leave.
    surge: u64,
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
            Presence::Entry { .. } => Bounds::pinned(standing.entry),
            Presence::Hpa(installed) => installed.bounds,
            Presence::Leaving(installed) => Bounds { min: 0, max: installed.bounds.max },
        };
        Self { name, standing, target, old, new: old }
    }

    /// The lowest bounds an HPA can have on the way to the target.
    fn aim(&self) -> Bounds {
        match self.standing.presence {
            Presence::Hpa(_) | Presence::Entry { .. } if self.target.max == 0 => Bounds::pinned(1),
            Presence::Hpa(_) | Presence::Entry { .. } | Presence::Absent | Presence::Leaving(_) => {
                self.target
            }
        }
    }

    /// The highest max that may be in effect after this step.
    fn highest_max(&self, now: DateTime<Utc>) -> u32 {
        match &self.standing.presence {
            Presence::Hpa(installed) | Presence::Leaving(installed) => {
                installed.highest_max(now).max(self.new.max)
            }
            Presence::Entry { .. } => self.old.max.max(self.new.max),
            Presence::Absent => self.new.max,
        }
    }

    /// The min that is surely kept before this step raises it.
    fn sure_min(&self, now: DateTime<Utc>) -> u32 {
        match &self.standing.presence {
            Presence::Hpa(installed) => installed.sure_min(self.standing.ready, now),
            Presence::Entry { .. } => self.standing.entry.min(self.standing.ready),
            Presence::Absent | Presence::Leaving(_) => 0,
        }
    }

    /// The min that is in force before this step raises it, ready or not.
    fn kept_min(&self, now: DateTime<Utc>) -> u32 {
        match &self.standing.presence {
            Presence::Hpa(installed) => installed.kept_min(now),
            Presence::Entry { prepared: true } => self.standing.entry,
            // Nothing says that they are there already.
            Presence::Entry { prepared: false } => self.standing.entry.min(self.standing.ready),
            Presence::Absent | Presence::Leaving(_) => 0,
        }
    }

    /// What of its min it surely keeps after this step.
    fn keeps(&self, now: DateTime<Utc>) -> u64 {
        u64::from(self.sure_min(now).min(self.new.min))
    }

    /// Its HPA has told nothing in the time in which it would have: it may not be there at all.
    fn is_silent(&self, now: DateTime<Utc>) -> bool {
        match &self.standing.presence {
            Presence::Hpa(installed) => {
                installed.confirmed.is_none() && !installed.within && now >= installed.settles_at()
            }
            Presence::Absent | Presence::Entry { .. } | Presence::Leaving(_) => false,
        }
    }

    /// What a receiver's min will surely be without any more max, beyond what it surely is.
    fn coming_min(&self, now: DateTime<Utc>) -> u32 {
        let stays = self.adjustable() && self.target.max > 0 && self.new.min <= self.target.min;
        let reached = self.target.min.min(self.new.max).max(self.new.min);
        if stays { reached - self.sure_min(now).min(self.new.min) } else { 0 }
    }

    /// The lowest max that this step could give it.
    fn least_max(&self) -> u32 {
        if self.adjustable() { self.aim().max.max(self.new.min) } else { self.new.max }
    }

    /// What it could take over at once, without any more max, from others that leave.
    fn headroom(&self) -> u64 {
        let stays = self.target.max > 0 && !self.standing.homeward;
        let reach = if stays { self.new.max.min(self.target.max) } else { 0 };
        u64::from(reach.saturating_sub(self.standing.load))
    }

    /// It has no share and is not gone yet.
    fn leaves(&self) -> bool {
        self.target.max == 0 && !matches!(self.standing.presence, Presence::Absent)
    }

    fn above_aim(&self) -> bool {
        self.adjustable() && self.new.max > self.aim().max
    }

    fn adjustable(&self) -> bool {
        match self.standing.presence {
            Presence::Hpa(_) => true,
            // What is to leave and cannot go at once shrinks by an HPA.
            Presence::Entry { prepared } => prepared,
            Presence::Absent | Presence::Leaving(_) => false,
        }
    }
}

impl<'a> Floor<'a> {
    fn new(
        totals: Bounds,
        groups: Groups,
        target: &Shares,
        standings: &'a BTreeMap<String, Standing>,
        now: DateTime<Utc>,
    ) -> Self {
        // Where caps and rooms allow less than the total min, they go first.
        let totals = Bounds { min: totals.min.min(total(target).min), ..totals };
        let traders = standings
            .iter()
            .map(|(name, standing)| {
                Trader::new(name, standing, target.get(name).copied().unwrap_or_default())
            })
            .collect();
        Self { totals, groups, now, traders, surge: 0 }
    }

    /// Mins go down as far as the others' sure mins keep the total, and never so far that those in force do not: what
    /// is not ready in a rollout will be again.
    fn lower_mins(&mut self) {
        let now = self.now;
        let mut sure = self.beyond_min(|trader| trader.sure_min(now));
        let mut kept = self.beyond_min(|trader| trader.kept_min(now));
        for trader in self.traders.iter_mut().filter(|trader| trader.adjustable()) {
            let wanted = trader.new.min.saturating_sub(trader.aim().min);
            // A min that is not kept yet was not counted, so giving it up costs nothing; but one that is on its way may
            // arrive before what is to replace it.
            let unsure = trader.new.min.saturating_sub(trader.sure_min(now));
            let unkept =
                if trader.is_silent(now) { trader.new.min.saturating_sub(trader.kept_min(now)) } else { 0 };
            let given = wanted.min(sure.saturating_add(unsure)).min(kept.saturating_add(unkept));
            sure -= given.saturating_sub(unsure);
            kept -= given.saturating_sub(unkept);
            trader.new.min -= given;
        }
    }

    /// By how much these mins together exceed the total min.
    fn beyond_min(&self, min: impl Fn(&Trader<'_>) -> u32) -> u32 {
        let sum: u64 = self.traders.iter().map(|trader| u64::from(min(trader))).sum();
        saturating(sum.saturating_sub(u64::from(self.totals.min)))
    }

    /// Maxes go down to the target, not below the min nor below what runs, unless that has to go. As far as it fits
    /// elsewhere it goes as fast as others have headroom for it; where they get that only by what is given, a quarter at a
    /// time.
    fn lower_maxes(&mut self) {
        let mut spare = self.spare(|_| true);
        let mut headroom: u64 = self.traders.iter().map(Trader::headroom).sum();
        for trader in self.traders.iter_mut().filter(|trader| trader.above_aim()) {
            let load = trader.standing.load.min(trader.new.max);
            let has_to_go = trader.target.max == 0 || trader.standing.homeward;
            let excess = if has_to_go { load.saturating_sub(trader.target.max) } else { 0 };
            let gives = excess.min(saturating(spare));
            let goes = gives.min(saturating(headroom).max(load.div_ceil(4)));
            spare -= u64::from(gives);
            headroom = headroom.saturating_sub(u64::from(goes));
            trader.new.max = trader.aim().max.max(trader.new.min).max(load - goes);
        }
    }

    /// Where what runs holds more than the total allows, the total goes first: it fell, or a cluster came back.
    /// What cannot go yet is the surge: mins that the total min needs, and the last replicas of clusters that leave;
    /// but nothing that the others' mins can take over within the maxes they have.
    fn cut_what_exceeds_the_total(&mut self) {
        let staying = self.traders.iter().filter(|trader| trader.adjustable() && trader.target.max > 0);
        let pinned: u64 =
            staying.map(|trader| u64::from(trader.new.min.saturating_sub(trader.target.max))).sum();
        let leaving = self.traders.iter().filter(|trader| trader.target.max == 0);
        let at_last = leaving.clone().filter(|trader| trader.new.max <= trader.least_max());
        let last: u64 = at_last.map(|trader| u64::from(trader.new.max)).sum();
        let needed: u64 = leaving.map(|trader| u64::from(trader.new.min)).sum();
        self.surge = (pinned + needed).saturating_sub(self.slack_to_come());
        if self.installed() > u64::from(self.totals.max) + pinned + last {
            for trader in self.traders.iter_mut().filter(|trader| trader.above_aim()) {
                trader.new.max = trader.least_max();
            }
        }
    }

    /// What may be in effect at most, whichever of this step's writes happen.
    fn in_effect(&self) -> u64 {
        self.traders.iter().map(|trader| u64::from(trader.highest_max(self.now))).sum()
    }

    fn installed(&self) -> u64 {
        self.traders.iter().map(|trader| u64::from(trader.new.max)).sum()
    }

    /// By how much the sure mins, after this step's lowering, exceed the total min; `None` where they fall short of it.
    fn slack(&self) -> Option<u64> {
        let sure: u64 = self.traders.iter().map(|trader| trader.keeps(self.now)).sum();
        sure.checked_sub(u64::from(self.totals.min))
    }

    /// The slack once the mins that can go up without any more max are sure.
    fn slack_to_come(&self) -> u64 {
        let kept = |trader: &Trader<'_>| {
            u64::from(trader.sure_min(self.now).min(trader.new.min)) + u64::from(trader.coming_min(self.now))
        };
        let sure: u64 = self.traders.iter().map(kept).sum();
        sure.saturating_sub(u64::from(self.totals.min))
    }

    /// What those clusters could take over within their targets.
    fn spare(&self, of: impl Fn(&Presence) -> bool) -> u64 {
        let able = self.traders.iter().filter(|trader| of(&trader.standing.presence));
        able.map(|trader| u64::from(trader.target.max.saturating_sub(trader.standing.load))).sum()
    }

    /// Maxes go up as far as what may be in effect elsewhere leaves room in the total: first to the mins that others'
    /// mins wait for, which is all that the surge is for, then to the whole share.
    fn raise_maxes(&mut self) {
        self.raise_within(u64::from(self.totals.max) + self.surge, |share| share.min.max(1));
        self.raise_within(u64::from(self.totals.max), |share| share.max);
    }

    fn raise_within(&mut self, allowed: u64, goal: impl Fn(Bounds) -> u32) {
        let mut budget = saturating(allowed.saturating_sub(self.in_effect()));
        let now = self.now;
        let asleep = |trader: &Trader<'_>| matches!(trader.standing.presence, Presence::Absent);
        let woken = self.traders.iter().filter(|trader| asleep(trader) && trader.new.max > 0).count();
        let mut free_groups = self.groups.most.saturating_sub(self.awake() + saturating(woken as u64));
        for trader in &mut self.traders {
            let wakes = asleep(trader) && trader.new.max == 0 && free_groups > 0;
            let grows = wakes || trader.adjustable() || (asleep(trader) && trader.new.max > 0);
            if !grows || trader.new.max >= trader.target.max {
                continue;
            }
            let goal = if asleep(trader) { trader.target.min.max(1) } else { goal(trader.target) };
            // Up to what may be in effect anyway it costs nothing.
            let counted = trader.highest_max(now);
            let raised = goal.min(counted.saturating_add(budget)).max(trader.new.max);
            budget -= raised.saturating_sub(counted).min(budget);
            trader.new.max = raised;
            if wakes && raised > 0 {
                free_groups -= 1;
            }
        }
    }

    fn raise_mins(&mut self) {
        for trader in self.traders.iter_mut().filter(|trader| trader.adjustable()) {
            trader.new.min = trader.new.min.max(trader.target.min).min(trader.new.max);
        }
    }

    fn step(self) -> Step {
        let surge = self.in_effect().saturating_sub(u64::from(self.totals.max));
        let mut step = Step { surge: saturating(surge), ..Step::default() };
        let mut exits = self.exits();
        let spare = self.spare(|_| true);
        for trader in &self.traders {
            let name = || trader.name.to_owned();
            match &trader.standing.presence {
                Presence::Absent if trader.new.max > 0 => {
                    step.wake.insert(name(), trader.new.max);
                }
                Presence::Entry { .. } if trader.target.max == 0 && exits.grant(trader, self.now) => {
                    step.vacate.insert(name());
                }
                Presence::Entry { prepared: true } => {
                    let before = Bounds { min: trader.sure_min(self.now), max: trader.old.max };
                    step.install.insert(name(), Install { bounds: trader.new, before });
                }
                Presence::Hpa(installed) => self.adjust(&mut step, trader, installed, &mut exits),
                Presence::Absent | Presence::Entry { .. } | Presence::Leaving(_) => {}
            }
            let goes = step.remove.contains(trader.name) || step.vacate.contains(trader.name);
            if trader.leaves() && !goes && spare < u64::from(trader.standing.load.max(1)) {
                step.stranded.push(name());
            }
            if trader.new.max > trader.target.max {
                step.donors.push(name());
            } else if trader.new != trader.target {
                step.receivers.push(name());
            }
        }
        step.check_at = self.next_settling();
        step
    }

    /// Changes an HPA, or deletes one that has come down to its last replica. Without an HPA nothing tells what runs
    /// there any more but the binding, so that one says so first.
    fn adjust(&self, step: &mut Step, trader: &Trader<'_>, installed: &Installed, exits: &mut Exits) {
        let last = trader.target.max == 0 && trader.old.max == 1 && trader.standing.entry <= 1;
        if last && installed.settled(self.now) && exits.grant(trader, self.now) {
            step.remove.insert(trader.name.to_owned());
        } else if trader.new != trader.old {
            let before = Bounds {
                min: installed.sure_min(trader.standing.ready, self.now),
                max: installed.highest_max(self.now),
            };
            step.install.insert(trader.name.to_owned(), Install { bounds: trader.new, before });
        }
    }

    fn exits(&self) -> Exits {
        let awake = self.awake();
        let shared = self.traders.iter().filter(|trader| trader.target.max > 0).count() as u64;
        let needed = self.groups.fewest.min(saturating(shared));
        // Where no cluster can be woken before one has gone, one goes first.
        let exchange = u32::from(awake >= self.groups.most);
        Exits {
            slack: self.slack(),
            spare: self.spare(|presence| matches!(presence, Presence::Hpa(_))) + self.overload(),
            clusters: awake.saturating_sub(needed).max(exchange),
        }
    }

    /// What runs beyond the total max: the end of a surge. It need not fit anywhere.
    fn overload(&self) -> u64 {
        let load: u64 = self.traders.iter().map(|trader| u64::from(trader.standing.load)).sum();
        load.saturating_sub(u64::from(self.totals.max))
    }

    fn awake(&self) -> u32 {
        let absent = |trader: &&Trader<'_>| matches!(trader.standing.presence, Presence::Absent);
        saturating(self.traders.iter().filter(|trader| !absent(trader)).count() as u64)
    }

    fn next_settling(&self) -> Option<DateTime<Utc>> {
        let waiting = self.traders.iter().filter_map(|trader| match &trader.standing.presence {
            Presence::Hpa(installed) if !installed.settled(self.now) => Some(installed.settles_at()),
            Presence::Hpa(_) | Presence::Absent | Presence::Entry { .. } | Presence::Leaving(_) => None,
        });
        waiting.filter(|at| *at > self.now).min()
    }
}

/// What may still be given up by clusters that go to sleep.
struct Exits {
    /// By how much the sure mins, after this step's lowering, exceed the total min, if they come up to it.
    slack: Option<u64>,
    /// Load that clusters with an HPA could take over, or that exceeds the total.
    spare: u64,
    /// Clusters that the policy can do without.
    clusters: u32,
}

impl Exits {
    /// Whether a cluster may go; if so what it kept and ran is gone.
    fn grant(&mut self, trader: &Trader<'_>, now: DateTime<Utc>) -> bool {
        let slack = self.slack.and_then(|slack| slack.checked_sub(trader.keeps(now)));
        let runs = match trader.standing.presence {
            Presence::Entry { .. } => u64::from(trader.standing.entry),
            Presence::Hpa(_) | Presence::Absent | Presence::Leaving(_) => 1,
        };
        let granted = self.clusters > 0 && slack.is_some() && self.spare >= runs;
        if granted {
            self.slack = slack;
            self.spare -= runs;
            self.clusters -= 1;
        }
        granted
    }
}

fn saturating(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
