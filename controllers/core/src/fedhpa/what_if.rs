//! What would become of the shares if something were otherwise.
//!
//! Responsible for changing a policy and its facts as a supposition says, and for following decisions on facts that
//! stand still until the split rests. Writes nothing, and knows nothing of how members would answer: they go on
//! wanting what they want now.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::{
    decide,
    facts::{Cluster, Facts},
    policy::Policy,
    rebalance::{self, InForceSplit},
    trail::Trail,
};
use crate::{reading::Reading, room::Free};

/// One thing that is supposed to be otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhatIf {
    /// The spec's min is this.
    Min(u32),
    /// The spec's max is this.
    Max(u32),
    /// This cluster cannot be reached from now on.
    Lost(String),
    /// So many more replicas fit into a cluster; fewer where negative.
    Room {
        /// The cluster.
        cluster: String,
        /// How many more.
        more: i64,
    },
}

impl fmt::Display for WhatIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Min(min) => write!(f, "min={min}"),
            Self::Max(max) => write!(f, "max={max}"),
            Self::Lost(cluster) => write!(f, "lost={cluster}"),
            Self::Room { cluster, more } => write!(f, "room={cluster}:{more:+}"),
        }
    }
}

/// A text that is no supposition.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text:?} is no what-if: give min=N, max=N, lost=CLUSTER or room=CLUSTER:+N")]
pub struct Unreadable {
    /// The text.
    pub text: String,
}

impl FromStr for WhatIf {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        read(text).ok_or_else(|| Unreadable { text: text.to_owned() })
    }
}

fn read(text: &str) -> Option<WhatIf> {
    let (what, value) = text.split_once('=')?;
    match what {
        "min" => Some(WhatIf::Min(whole(value)?)),
        "max" => Some(WhatIf::Max(whole(value)?)),
        "lost" if !value.is_empty() => Some(WhatIf::Lost(value.to_owned())),
        "room" => {
            let (cluster, more) = value.split_once(':').filter(|(cluster, _)| !cluster.is_empty())?;
            let digits = more.strip_prefix(['+', '-'])?;
            let change = i64::from(whole(digits)?);
            let more = if more.starts_with('-') { -change } else { change };
            Some(WhatIf::Room { cluster: cluster.to_owned(), more })
        }
        _ => None,
    }
}

/// Digits and nothing else, up to what a number of replicas on the wire can be.
fn whole(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| plain && i32::try_from(*number).is_ok())
}

/// A supposition that cannot be made about these facts.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Impossible {
    /// There is no such cluster.
    #[error("{what_if}: there is no cluster {cluster}; there are: {known}")]
    UnknownCluster {
        /// The supposition.
        what_if: WhatIf,
        /// The cluster that it names.
        cluster: String,
        /// Those that there are.
        known: String,
    },
    /// Nothing is known that room could be added to.
    #[error("{what_if}: the room of the cluster is not known ({why}), so it limits nothing")]
    UnknownRoom {
        /// The supposition.
        what_if: WhatIf,
        /// Why it is not known.
        why: String,
    },
    /// An HPA needs a max of at least one.
    #[error("max=0: an HPA needs a max of at least 1")]
    NoMax,
    /// The bounds do not fit together.
    #[error("min {min} would be above max {max}: suppose both")]
    MinAboveMax {
        /// The min.
        min: u32,
        /// The max.
        max: u32,
    },
}

/// The policy and the facts if all of that were so. Of two suppositions about one bound the later one stands; rooms
/// add up.
pub fn suppose(policy: &Policy, facts: &Facts, what_ifs: &[WhatIf]) -> Result<(Policy, Facts), Impossible> {
    let (mut policy, mut facts) = (policy.clone(), facts.clone());
    for what_if in what_ifs {
        match what_if {
            WhatIf::Min(min) => policy.bounds.min = *min,
            WhatIf::Max(0) => return Err(Impossible::NoMax),
            WhatIf::Max(max) => policy.bounds.max = *max,
            WhatIf::Lost(name) => {
                let now = facts.now;
                lose(cluster(&mut facts, name, what_if)?, now);
            }
            WhatIf::Room { cluster: name, more } => {
                let cluster = cluster(&mut facts, name, what_if)?;
                cluster.free = with_room(&cluster.free, *more, what_if)?;
            }
        }
    }
    let (min, max) = (policy.bounds.min, policy.bounds.max);
    if min > max { Err(Impossible::MinAboveMax { min, max }) } else { Ok((policy, facts)) }
}

fn cluster<'a>(facts: &'a mut Facts, name: &str, what_if: &WhatIf) -> Result<&'a mut Cluster, Impossible> {
    let known = facts.clusters.keys().cloned().collect::<Vec<_>>().join(", ");
    facts.clusters.get_mut(name).ok_or_else(|| Impossible::UnknownCluster {
        what_if: what_if.clone(),
        cluster: name.to_owned(),
        known: if known.is_empty() { "none".to_owned() } else { known },
    })
}

/// As it is observed at the moment in which nothing more is heard from it: what was last known of it stays known.
fn lose(cluster: &mut Cluster, now: DateTime<Utc>) {
    cluster.lost.get_or_insert(now);
    silence(&mut cluster.free);
    silence(&mut cluster.workload);
    if let Some(hpa) = &mut cluster.hpa {
        silence(&mut hpa.report);
    }
}

fn silence<T: Clone>(reading: &mut Reading<T>) {
    if let Reading::Fresh(value) = reading {
        *reading = Reading::Fresh(value.clone()).aged(Duration::ZERO);
    }
}

fn with_room(free: &Reading<Free>, more: i64, what_if: &WhatIf) -> Result<Reading<Free>, Impossible> {
    if let Reading::Dark(why) = free {
        return Err(Impossible::UnknownRoom { what_if: what_if.clone(), why: why.to_string() });
    }
    let changed = |of: u32| {
        let sum = i64::from(of).saturating_add(more).clamp(0, u32::MAX.into());
        u32::try_from(sum).unwrap_or(u32::MAX)
    };
    Ok(free.clone().map(|free| Free { fit: changed(free.fit), naive: changed(free.naive), ..free }))
}

/// A split that is adopted on the way to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// How long after the facts.
    pub after: TimeDelta,
    /// The split.
    pub split: InForceSplit,
    /// Replicas of the max that no cluster may take under it.
    pub unplaced: u32,
    /// Why it is adopted.
    pub trail: Trail,
}

/// The splits that are adopted one after another while all else stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// In the order of time; none where the split in force stays.
    pub turns: Vec<Turn>,
    /// Whether the last of them stays in force.
    pub rests: bool,
}

/// More turns than any course has that comes to rest: each of them has a cause, and causes do not come back while the
/// facts stand still.
const MOST_TURNS: usize = 16;

/// Follows the decisions on facts that stand still while time passes: at once, when the slack of a new split is
/// proven, when its cooldown is over, and when it no longer covers for lost clusters.
pub fn course(policy: &Policy, facts: &Facts) -> Course {
    let mut facts = facts.clone();
    let (start, mut turns) = (facts.now, Vec::new());
    while turns.len() < MOST_TURNS {
        let decision = decide(policy, &facts);
        let adopted = decision.split.filter(|split| facts.memory.split.as_ref() != Some(split));
        if let Some(split) = adopted {
            facts.memory.split = Some(split.clone());
            let after = facts.now - start;
            turns.push(Turn { after, split, unplaced: decision.unplaced, trail: decision.trail });
        } else if let Some(next) = next_look(policy, &facts) {
            facts.now = next;
        } else {
            return Course { turns, rests: true };
        }
    }
    Course { turns, rests: false }
}

fn next_look(policy: &Policy, facts: &Facts) -> Option<DateTime<Utc>> {
    let split = facts.memory.split.as_ref()?;
    rebalance::looks(split, &policy.rebalance).filter(|look| *look > facts.now).min()
}

#[cfg(test)]
mod tests;
