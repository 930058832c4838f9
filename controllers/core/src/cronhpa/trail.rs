//! The reasons of a decision, as data.
//!
//! Status, events, logs and `explain` are all rendered from a [`Trail`], so they never disagree.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{
    composition::{Standing, Yielded},
    facts::{Fate, Holder, Level},
};

/// The steps of one decision, in the order in which they were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail(Vec<Step>);

impl Trail {
    /// Adds a step.
    pub fn note(&mut self, step: Step) {
        self.0.push(step);
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// One line a step.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// One step of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The clock stands before a slot that is accounted for: what held then holds.
    ClockBehind {
        /// That slot.
        handled: DateTime<Utc>,
    },
    /// Someone else holds the target.
    HeldBy(Holder),
    /// A rule is in force.
    InForce {
        /// The rule.
        rule: String,
        /// Since when and until when.
        standing: Standing,
    },
    /// A rule acts before its slot.
    Leads {
        /// The rule.
        rule: String,
        /// The slot.
        slot: DateTime<Utc>,
    },
    /// A slot was judged.
    Judged {
        /// The rule.
        rule: String,
        /// The slot.
        slot: DateTime<Utc>,
        /// What becomes of it, if the target follows.
        fate: Fate,
    },
    /// More slots were due than are listed.
    Counted {
        /// The rule.
        rule: String,
        /// All slots that were due.
        slots: u64,
    },
    /// The min in force and its rule.
    Min(u32, String),
    /// The max in force and its rule.
    Max(u32, String),
    /// Two rules' bounds did not fit together.
    Yields(Yielded),
    /// What the target has is recorded, to be given back.
    Recorded(Level),
    /// The target's bounds or count are written.
    Writes(Level),
    /// What the target had is given back.
    GivesBack(Level),
    /// Someone changed what is held.
    Reverted {
        /// Who.
        by: String,
        /// How often while the same rules hold.
        times: u32,
    },
    /// Someone changed it too often: it is left alone.
    LeftAlone {
        /// Who.
        by: String,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClockBehind { handled } => {
                write!(f, "the clock stands before {}, which is accounted for", time(*handled))
            }
            Self::HeldBy(holder) => write!(f, "{} {} holds the target", holder.kind, holder.name),
            Self::InForce { rule, standing: Standing::Since(slot) } => {
                write!(f, "{rule} is in force since {}", time(*slot))
            }
            Self::InForce { rule, standing: Standing::Inside(open) } => {
                write!(f, "{rule} is open since {}", time(open.since))?;
                open.until.map_or(Ok(()), |until| write!(f, " until {}", time(until)))
            }
            Self::Leads { rule, slot } => write!(f, "{rule} leads its slot at {}", time(*slot)),
            Self::Judged { rule, slot, fate } => {
                write!(f, "{rule}, due at {}: {}", time(*slot), fate.as_str())
            }
            Self::Counted { rule, slots } => write!(f, "{rule}: {slots} slots were due"),
            Self::Min(replicas, rule) => write!(f, "min {replicas} by {rule}"),
            Self::Max(replicas, rule) => write!(f, "max {replicas} by {rule}"),
            Self::Yields(yielded) => yielded.fmt(f),
            Self::Recorded(level) => write!(f, "{level} is recorded, to be given back"),
            Self::Writes(level) => write!(f, "{level} is written"),
            Self::GivesBack(level) => write!(f, "{level} is given back"),
            Self::Reverted { by, times } => write!(f, "{by} changed what is held, {times} times now"),
            Self::LeftAlone { by } => write!(f, "{by} keeps changing what is held: left alone"),
        }
    }
}

impl fmt::Display for Yielded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Min(from) => {
                write!(f, "min {from} is above the max of a rule of higher priority and moves to it")
            }
            Self::Max(from) => write!(f, "max {from} is below the min in force and moves to it"),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{}..{}", self.min, self.max) }
    }
}

/// An instant as it is told.
pub(super) fn time(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
