//! Which bounds hold at an instant, and whose they are.
//!
//! Responsible for what is in force and for composing it bound by bound. A function of the rules and the instant,
//! apart from slots that were missed. Knows nothing of the target.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    facts::Level,
    policy::{Policy, Rule, Sets, Timing},
};
use crate::schedule::{DaysOff, Open};

/// Since when a rule stands ready to be composed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A point rule whose latest slot this is.
    Since(DateTime<Utc>),
    /// A window that is open.
    Inside(Open),
}

impl Standing {
    /// The slot that it stands since.
    pub fn slot(self) -> DateTime<Utc> {
        match self {
            Self::Since(slot) => slot,
            Self::Inside(open) => open.since,
        }
    }
}

/// What a rule's past says about what holds, besides its timing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// The last slot that is accounted for: it has begun, even if the time is before it.
    pub handled: Option<DateTime<Utc>>,
    /// A slot that does not take effect, since it was too late.
    pub missed: Option<DateTime<Utc>>,
    /// The one slot of a rule that runs once.
    pub once: Option<DateTime<Utc>>,
}

/// A bound and the rule that sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Replicas.
    pub replicas: u32,
    /// The rule.
    pub rule: String,
    /// The rule's priority.
    pub priority: i32,
}

/// What is held. A count is held as a min and a max that are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Least replicas.
    pub min: Option<Bound>,
    /// Most replicas.
    pub max: Option<Bound>,
}

/// A bound that moved to meet the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yielded {
    /// The min was lowered from this to the max.
    Min(u32),
    /// The max was raised from this to the min.
    Max(u32),
}

/// What holds at an instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// The bounds, fitting together.
    pub held: Held,
    /// Which of two rules' bounds gave way, if one did.
    pub yielded: Option<Yielded>,
    /// The rules in force, whether or not another of higher priority hides them.
    pub rules: BTreeMap<String, Standing>,
}

impl Held {
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    /// Whether both are held for the same rules. Numbers that differ do not matter.
    pub fn is_by_same_rules(&self, other: &Self) -> bool {
        let rules =
            |held: &Self| [&held.min, &held.max].map(|bound| bound.as_ref().map(|bound| bound.rule.clone()));
        rules(self) == rules(other)
    }

    /// The target's level with this held over `base`: a bound of a rule stands, the base's moves to meet it.
    pub fn over(&self, base: Level) -> Level {
        let mut level = Level {
            min: self.min.as_ref().map_or(base.min, |bound| bound.replicas),
            max: self.max.as_ref().map_or(base.max, |bound| bound.replicas),
        };
        if level.min > level.max {
            if self.min.is_some() {
                level.max = level.min;
            } else {
                level.min = level.max;
            }
        }
        level
    }
}

/// What holds at `instant`, given the past of the rules that have one.
pub fn in_force(policy: &Policy, instant: DateTime<Utc>, pasts: &BTreeMap<String, Past>) -> InForce {
    let acting = policy.rules.iter().filter(|(_, rule)| !policy.suspension_of(rule).covers(instant));
    let standing: BTreeMap<&str, (&Rule, Standing)> = acting
        .filter_map(|(name, rule)| {
            let past = pasts.get(name).copied().unwrap_or_default();
            Some((name.as_str(), (rule, standing(rule, instant, &policy.days_off, past)?)))
        })
        .collect();
    let (min, min_rules) = compose(&standing, Sets::min);
    let (max, max_rules) = compose(&standing, Sets::max);
    let (held, yielded) = fit(Held { min, max });
    let rules: BTreeSet<&str> = min_rules.into_iter().chain(max_rules).collect();
    let rules = rules.into_iter().filter_map(|name| Some((name.to_owned(), standing.get(name)?.1)));
    InForce { held, yielded, rules: rules.collect() }
}

/// Until when the slots of `rule` have begun at `instant`, its ends apart.
pub fn reach(rule: &Rule, instant: DateTime<Utc>, past: Past) -> DateTime<Utc> {
    let ahead = instant + rule.lead;
    past.handled.map_or(ahead, |handled| handled.max(ahead))
}

fn standing(rule: &Rule, instant: DateTime<Utc>, days_off: &DaysOff, past: Past) -> Option<Standing> {
    let reach = reach(rule, instant, past);
    match (&rule.timing, rule.sets) {
        (Timing::Point(_), Sets::Bounds { .. }) if rule.runs_once() => past.once.map(Standing::Since),
        (Timing::Point(schedule), Sets::Bounds { .. }) => {
            let latest = schedule.latest_working(reach, days_off)?;
            if Some(latest) != past.missed {
                return Some(Standing::Since(latest));
            }
            let before = latest - TimeDelta::nanoseconds(1);
            schedule.latest_working(before, days_off).map(Standing::Since)
        }
        // Written once when due, and not held.
        (Timing::Point(_), Sets::Count(_)) => None,
        (Timing::Window(window), Sets::Bounds { .. } | Sets::Count(_)) => {
            let open = match (past.once, past.missed) {
                (Some(once), _) => window.opened(once, instant),
                (None, _) if rule.runs_once() => None,
                (None, Some(missed)) => window.without(missed, instant, reach, days_off),
                (None, None) => window.reaching(instant, reach, days_off),
            };
            open.map(Standing::Inside)
        }
    }
}

/// The bound that counts, and all rules in force that set it.
fn compose<'a>(
    standing: &BTreeMap<&'a str, (&Rule, Standing)>,
    bound: fn(Sets) -> Option<u32>,
) -> (Option<Bound>, Vec<&'a str>) {
    let setting = standing.iter().filter_map(|(name, (rule, standing))| {
        let replicas = bound(rule.sets)?;
        Some((*standing, Bound { replicas, rule: (*name).to_owned(), priority: rule.priority }, *name))
    });
    let setting: Vec<_> = setting.collect();
    let latest_point = setting.iter().filter_map(|(standing, ..)| since(*standing)).max();
    let in_force = setting.into_iter().filter(|(standing, ..)| match standing {
        Standing::Since(slot) => Some(*slot) == latest_point,
        Standing::Inside(_) => true,
    });
    let in_force: Vec<_> = in_force.map(|(_, bound, name)| (bound, name)).collect();
    let names = in_force.iter().map(|(_, name)| *name).collect();
    // Of equals the rule whose name comes first, so that the order of the rules decides nothing.
    let rank = |bound: &Bound| (bound.priority, bound.replicas, std::cmp::Reverse(bound.rule.clone()));
    (in_force.into_iter().map(|(bound, _)| bound).max_by_key(rank), names)
}

fn since(standing: Standing) -> Option<DateTime<Utc>> {
    match standing {
        Standing::Since(slot) => Some(slot),
        Standing::Inside(_) => None,
    }
}

/// Where min is above max, the bound of the rule of higher priority stands (ties: min) and the other moves to it.
fn fit(mut held: Held) -> (Held, Option<Yielded>) {
    let (Some(min), Some(max)) = (&mut held.min, &mut held.max) else {
        return (held, None);
    };
    if min.replicas <= max.replicas {
        return (held, None);
    }
    let yielded = if max.priority > min.priority {
        Yielded::Min(std::mem::replace(&mut min.replicas, max.replicas))
    } else {
        Yielded::Max(std::mem::replace(&mut max.replicas, min.replicas))
    };
    (held, Some(yielded))
}
