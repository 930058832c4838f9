//! Whether to leave the split that is in force for the ideal one.
//!
//! Responsible for stability (rule 7 of the division). Knows neither how the ideal was found nor how shares move.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    cover::Cover,
    policy::{Bounds, Rebalance, RebalanceMode},
    split::{Claim, Shares, Split, total},
    trail::Change,
};
use crate::time::Time;

/// The split in force, as remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InForceSplit {
    /// Shares of every candidate of that time; a dormant one has `0..0`.
    pub shares: Shares,
    /// The totals that were divided.
    pub totals: Bounds,
    /// Identifies the distribution that it was made under.
    pub fingerprint: String,
    /// When it was adopted.
    #[schemars(with = "Time")]
    pub adopted: DateTime<Utc>,
    /// Why it was adopted.
    pub change: Change,
    /// More min than was asked for, for a while.
    pub cover: Option<Cover>,
}

/// Slack tells something once members had the time to use what they were given: a settled move and two syncs.
const PROVEN_AFTER: TimeDelta = TimeDelta::seconds(60);

/// What the verdict is about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The split in force.
    pub previous: &'a InForceSplit,
    /// The ideal for the facts of this moment.
    pub ideal: &'a Split,
    /// The totals in force.
    pub totals: Bounds,
    /// Identifies the distribution in force.
    pub fingerprint: &'a str,
    /// Clusters that may have a share now, with what each may claim.
    pub claims: &'a BTreeMap<String, Claim>,
    /// Clusters at their max that want more.
    pub saturated: &'a BTreeSet<String>,
    /// Clusters whose max has not come down to their share yet.
    pub above: &'a BTreeSet<String>,
    /// What is left of the cover that the split in force gives.
    pub cover: Option<Cover>,
    /// The time of the decision.
    pub now: DateTime<Utc>,
}

/// What to do with the split in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Leave it.
    Keep {
        /// Replicas by which the ideal differs.
        drift: u32,
        /// Whether that is within tolerance.
        within_tolerance: bool,
        /// When the cooldown ends, if only that holds it.
        until: Option<DateTime<Utc>>,
    },
    /// Take the ideal.
    Adopt {
        /// Why.
        change: Change,
        /// The clusters behind it.
        clusters: Vec<String>,
    },
}

/// The first reason that holds, in the order of [`Change`]; the ideal equal to the split in force is never
/// adopted again, so that applying a split and deciding again changes nothing.
pub fn verdict(question: &Question<'_>, rules: &Rebalance) -> Verdict {
    let previous = question.previous;
    let awake: BTreeMap<_, _> = previous.shares.iter().filter(|(_, share)| share.max > 0).collect();
    let adopt = |change, clusters: Vec<String>| Verdict::Adopt { change, clusters };
    if previous.totals != question.totals || previous.fingerprint != question.fingerprint {
        return adopt(Change::SpecChanged, Vec::new());
    }
    let lost: Vec<String> = awake
        .keys()
        .filter(|name| !question.claims.contains_key(**name))
        .map(|name| (*name).clone())
        .collect();
    if !lost.is_empty() {
        return adopt(Change::ClusterLost, lost);
    }
    let returned: Vec<String> =
        question.claims.keys().filter(|name| !previous.shares.contains_key(*name)).cloned().collect();
    if !returned.is_empty() {
        return adopt(Change::ClusterReturned, returned);
    }
    if previous.cover != question.cover {
        return adopt(Change::CoverOver, Vec::new());
    }
    let gained = gaining(question, previous);
    if falls_short(previous, question.ideal) || breaks_terms(question) {
        return adopt(Change::Invalid, gained);
    }
    let outgrown = outgrown(question, &gained);
    if !outgrown.is_empty() {
        return adopt(Change::Outgrown, outgrown);
    }
    let relieved: Vec<String> = gained.into_iter().filter(|name| question.saturated.contains(name)).collect();
    let proven = previous.adopted + PROVEN_AFTER;
    if !relieved.is_empty() && from_slack(question) {
        if question.now >= proven {
            return adopt(Change::Saturated, relieved);
        }
        return drift(question, previous, rules).looking_again_by(proven);
    }
    drift(question, previous, rules)
}

/// Clusters that run more than their share, which their max can then not come down to, so that others would wait for it
/// for ever. Where more runs in all than the total allows, cutting it is right.
fn outgrown(question: &Question<'_>, gained: &[String]) -> Vec<String> {
    let runs = |claim: &Claim| claim.demand.min(claim.ceiling);
    let running: u64 = question.claims.values().map(|claim| u64::from(runs(claim))).sum();
    if running > u64::from(question.totals.max) {
        return Vec::new();
    }
    let exceeds = |name: &&String| {
        if !question.above.contains(*name) {
            return false;
        }
        let share = question.previous.shares.get(*name).map_or(0, |share| share.max);
        question.claims.get(*name).is_some_and(|claim| runs(claim) > share)
    };
    gained.iter().filter(exceeds).cloned().collect()
}

/// Whether whoever gives keeps more than it wants. Else it would look saturated next and take the share back.
fn from_slack(question: &Question<'_>) -> bool {
    question.claims.iter().all(|(name, claim)| {
        let before = question.previous.shares.get(name).map_or(0, |share| share.max);
        let after = question.ideal.shares.get(name).map_or(0, |share| share.max);
        after >= before || after > claim.demand || after == claim.ceiling || claim.demand == 0
    })
}

impl Verdict {
    fn looking_again_by(self, time: DateTime<Utc>) -> Self {
        match self {
            Self::Keep { drift, within_tolerance, until } => {
                let until = Some(until.map_or(time, |until| until.min(time)));
                Self::Keep { drift, within_tolerance, until }
            }
            Self::Adopt { .. } => self,
        }
    }
}

fn gaining(question: &Question<'_>, previous: &InForceSplit) -> Vec<String> {
    let before = |name: &String| previous.shares.get(name).map_or(0, |share| share.max);
    let gains = question.ideal.shares.iter().filter(|(name, share)| share.max > before(name));
    gains.map(|(name, _)| name.clone()).collect()
}

/// The old split places less of the totals than is possible now.
fn falls_short(previous: &InForceSplit, ideal: &Split) -> bool {
    let (old, new) = (total(&previous.shares), ideal.totals());
    old.max < new.max || old.min < new.min.min(previous.totals.min)
}

/// The old split breaks a cap, or a floor that the ideal keeps better: a cluster has come under another rule.
/// Room is not looked at: less of it acts past tolerance and cooldown only.
fn breaks_terms(question: &Question<'_>) -> bool {
    let share = |shares: &Shares, name: &String| shares.get(name).copied().unwrap_or_default();
    question.claims.iter().any(|(name, claim)| {
        let (old, new) = (share(&question.previous.shares, name), share(&question.ideal.shares, name));
        old.max > claim.cap || (old.max > 0 && old.min < claim.presence().min(new.min))
    })
}

fn drift(question: &Question<'_>, previous: &InForceSplit, rules: &Rebalance) -> Verdict {
    let drift = distance(&previous.shares, &question.ideal.shares);
    let within_tolerance =
        u64::from(drift) * 100 <= u64::from(rules.tolerance_percent) * u64::from(question.totals.max);
    let cooled = cooled(previous, rules);
    match rules.mode {
        RebalanceMode::Auto if !within_tolerance && question.now >= cooled => {
            Verdict::Adopt { change: Change::Drift, clusters: Vec::new() }
        }
        RebalanceMode::Auto => {
            Verdict::Keep { drift, within_tolerance, until: (!within_tolerance).then_some(cooled) }
        }
        RebalanceMode::Off => Verdict::Keep { drift, within_tolerance, until: None },
    }
}

fn cooled(split: &InForceSplit, rules: &Rebalance) -> DateTime<Utc> {
    let cooldown = TimeDelta::from_std(rules.cooldown).unwrap_or(TimeDelta::MAX);
    split.adopted.checked_add_signed(cooldown).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// When time alone may change the verdict about a split.
pub(super) fn looks(split: &InForceSplit, rules: &Rebalance) -> impl Iterator<Item = DateTime<Utc>> {
    let cover_ends = split.cover.map(|cover| cover.until);
    [split.adopted + PROVEN_AFTER, cooled(split, rules)].into_iter().chain(cover_ends)
}

/// Replicas that would have to change hands: half the sum of differences, of mins or of maxes, whichever is
/// more, rounded up.
pub fn distance(a: &Shares, b: &Shares) -> u32 {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let of = |bound: fn(&Bounds) -> u32| {
        let at = |shares: &Shares, name: &String| shares.get(name).map_or(0, bound);
        let sum: u64 = names.iter().map(|name| u64::from(at(a, name).abs_diff(at(b, name)))).sum();
        u32::try_from(sum.div_ceil(2)).unwrap_or(u32::MAX)
    };
    of(|share| share.max).max(of(|share| share.min))
}

/// How much more than its max a saturated cluster is taken to want: a quarter of its max, at least one. Its HPA
/// does not tell (desired is cut to max), so headroom arrives in steps.
pub fn saturation_bonus(max: u32) -> u32 {
    max.div_ceil(4).max(1)
}

#[cfg(test)]
mod tests;
