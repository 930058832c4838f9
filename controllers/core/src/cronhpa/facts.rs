//! What a decision starts from.
//!
//! Responsible for the shape of what was observed and of what is remembered. Knows nothing of where they come from.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{composition::Held, policy::Edge};

/// Everything that a decision depends on besides the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The time.
    pub now: DateTime<Utc>,
    /// What earlier decisions left behind.
    pub memory: Memory,
    /// The target as it is.
    pub target: Target,
    /// Who else holds the target, so that we must not touch it.
    pub holder: Option<Holder>,
    /// How many replicas of the workload are ready, if that was looked for and is known.
    pub ready: Option<u32>,
}

/// What is remembered between decisions. All of it lives in the object's status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// By rule.
    pub rules: BTreeMap<String, RuleMemory>,
    /// What was held when last decided.
    pub held: Held,
    /// What the target had before we first wrote to it.
    pub base: Option<Base>,
    /// How often each manager changed what is held.
    pub reversions: BTreeMap<String, u32>,
    /// The count that was about to be written.
    pub pending: Option<Pending>,
}

/// What is remembered of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleMemory {
    /// The fingerprint of the rule as it was then.
    pub fingerprint: String,
    /// When it was first seen.
    pub first_seen: DateTime<Utc>,
    /// The last slot that is accounted for.
    pub last_handled: Option<DateTime<Utc>>,
    /// When that was. Up to here a window's ends are accounted for, while its starts may be ahead of the time.
    pub accounted: Option<DateTime<Utc>>,
    /// The slot that was the last of a rule that runs once.
    pub once: Option<DateTime<Utc>>,
    /// What became of the last slot.
    pub last: Option<Record>,
    /// What became of all slots since it was first seen.
    pub counts: Counts,
    /// The latest slots, latest first.
    pub history: Vec<Record>,
}

/// One slot and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was due.
    pub slot: DateTime<Utc>,
    /// What it does to the rule.
    pub edge: Edge,
    /// What became of it.
    pub fate: Fate,
    /// When it took effect, if it did.
    pub finished: Option<DateTime<Utc>>,
    /// When as many replicas as it asks for were first seen ready, if they were.
    pub ready: Option<DateTime<Utc>>,
    /// What there is to say about it.
    pub note: String,
}

/// What became of a slot. Each slot has exactly one fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The target is as the rule wants it.
    Applied,
    /// A later slot was due too.
    Superseded,
    /// Its day is off.
    Excluded,
    /// The rule or the object was suspended.
    Suspended,
    /// Its deadline had passed.
    Missed,
    /// The target is not ours to write.
    Failed,
}

impl Fate {
    /// Every fate, for metrics.
    pub const ALL: [Self; 6] =
        [Self::Applied, Self::Superseded, Self::Excluded, Self::Suspended, Self::Missed, Self::Failed];

    /// The word for statuses, events and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "Applied",
            Self::Superseded => "Superseded",
            Self::Excluded => "Excluded",
            Self::Suspended => "Suspended",
            Self::Missed => "Missed",
            Self::Failed => "Failed",
        }
    }
}

/// How many slots came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Took effect.
    pub applied: u64,
    /// Replaced by a later one.
    pub superseded: u64,
    /// On days off.
    pub excluded: u64,
    /// While suspended.
    pub suspended: u64,
    /// Past their deadline.
    pub missed: u64,
    /// While the target was not ours.
    pub failed: u64,
}

impl Counts {
    /// The counter of a fate.
    pub fn of(&mut self, fate: Fate) -> &mut u64 {
        match fate {
            Fate::Applied => &mut self.applied,
            Fate::Superseded => &mut self.superseded,
            Fate::Excluded => &mut self.excluded,
            Fate::Suspended => &mut self.suspended,
            Fate::Missed => &mut self.missed,
            Fate::Failed => &mut self.failed,
        }
    }

    /// All slots together.
    pub fn total(self) -> u64 {
        self.applied + self.superseded + self.excluded + self.suspended + self.missed + self.failed
    }

    /// The sums of both.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        let mut other = other;
        for fate in Fate::ALL {
            let sum = self.of(fate);
            *sum = sum.saturating_add(*other.of(fate));
        }
        self
    }
}

/// Bounds of a target; those of a workload are both its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Least replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
}

impl Level {
    /// The level of a workload with this count.
    pub const fn exactly(count: u32) -> Self {
        Self { min: count, max: count }
    }
}

/// What the target had before it was first written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its bounds or count.
    pub level: Level,
    /// When they were recorded.
    pub recorded: DateTime<Utc>,
}

/// A count that was about to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// For this rule.
    pub rule: String,
    /// For its slot.
    pub slot: DateTime<Utc>,
    /// The count.
    pub count: u32,
}

/// The target as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// It is there.
    Found {
        /// Its bounds or count; `None` for a FedHPA, whose own are never touched.
        level: Option<Level>,
        /// Who last wrote each of them, if that is not us.
        writers: Writers,
    },
    /// There is no such object.
    Missing,
    /// There is one, but it cannot be scaled; why.
    Unscalable(String),
    /// It could not be read; why.
    Unreadable(String),
}

/// Who last wrote each bound of a target; `None` is us. A difference that is our own is the trace of a write that
/// nobody lived to remember, not somebody's change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writers {
    /// The manager of the min.
    pub min: Option<String>,
    /// The manager of the max.
    pub max: Option<String>,
}

/// Who holds a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Kind of the object.
    pub kind: String,
    /// Its name.
    pub name: String,
}
