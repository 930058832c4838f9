//! What a CronHPA asks for, in terms that cannot be wrong.
//!
//! Responsible for the domain types that a wire object is admitted into. Knows nothing of the wire or of time.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::schedule::{DaysOff, Schedule, Window};

/// A CronHPA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What kind of target it is aimed at.
    pub aim: Aim,
    /// The rules, by name.
    pub rules: BTreeMap<String, Rule>,
    /// Days on which no slot takes effect, in each rule's zone.
    pub days_off: DaysOff,
    /// Whether and how long all rules are suspended.
    pub suspension: Suspension,
    /// How many past slots of each rule are kept.
    pub history_limit: usize,
    /// What could not be admitted. The rest goes on without it.
    pub faults: Vec<Fault>,
}

/// What kind of target a CronHPA is aimed at, and so how it acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// A FedHPA: bounds are published, the target reads them.
    FedHpa,
    /// A HorizontalPodAutoscaler: its bounds are written.
    Hpa,
    /// Anything with a scale: its count is written.
    Workload,
}

/// A rule that can be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// When it holds.
    pub timing: Timing,
    /// What it sets.
    pub sets: Sets,
    /// Of two rules in force the one of higher priority counts.
    pub priority: i32,
    /// How late a slot may take effect. `None`: however late.
    pub deadline: Option<TimeDelta>,
    /// How much before its slot the rule acts. A window closes at its end all the same.
    pub lead: TimeDelta,
    /// Whether its first slot is its last.
    pub frequency: Frequency,
    /// Whether and how long the rule is suspended.
    pub suspension: Suspension,
    /// Identifies the timing: a rule whose fingerprint changes is a rule that was never seen before.
    pub fingerprint: String,
}

/// Whether and how long something is suspended. Of two the larger one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspension {
    /// It is not.
    Not,
    /// Until then; what is due at that very instant acts.
    Until(DateTime<Utc>),
    /// Until somebody says otherwise.
    Always,
}

/// How often a rule acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frequency {
    /// At every slot.
    Always,
    /// At the first slot after it was first seen that is not excluded, suspended, missed or failed: once applied, or
    /// superseded by another rule, it has run. A window opens once and closes.
    Once,
}

/// When a rule holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timing {
    /// From each slot on.
    Point(Schedule),
    /// Inside a window.
    Window(Window),
}

/// What a rule sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sets {
    /// One or both bounds of an autoscaler.
    Bounds {
        /// Least replicas.
        min: Option<u32>,
        /// Most replicas.
        max: Option<u32>,
    },
    /// The exact count of a workload.
    Count(u32),
}

impl Sets {
    /// The least that it sets; a count is a bound on both sides.
    pub fn min(self) -> Option<u32> {
        match self {
            Self::Bounds { min, .. } => min,
            Self::Count(count) => Some(count),
        }
    }

    /// The most that it sets.
    pub fn max(self) -> Option<u32> {
        match self {
            Self::Bounds { max, .. } => max,
            Self::Count(count) => Some(count),
        }
    }
}

/// What a slot does to its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// A window closes.
    End,
    /// A window opens.
    Start,
    /// A point rule begins to hold.
    Point,
}

/// A part of the object that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The rule; `None` for the object as a whole.
    pub rule: Option<String>,
    /// What is wrong with it, in plain words.
    pub reason: String,
}

impl Suspension {
    /// Whether what is due at `instant` is suspended.
    pub fn covers(self, instant: DateTime<Utc>) -> bool {
        match self {
            Self::Not => false,
            Self::Until(end) => instant < end,
            Self::Always => true,
        }
    }

    /// When it ends by itself, if it still covers `instant`.
    pub fn end_after(self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Until(end) if instant < end => Some(end),
            Self::Not | Self::Until(_) | Self::Always => None,
        }
    }
}

impl Policy {
    /// Whether all rules are suspended at `instant`.
    pub fn is_suspended(&self, instant: DateTime<Utc>) -> bool {
        self.suspension.covers(instant)
    }

    /// Whether and how long `rule` does not act, be it by itself or with all.
    pub fn suspension_of(&self, rule: &Rule) -> Suspension {
        self.suspension.max(rule.suspension)
    }

    /// When the next suspension ends that covers `instant`.
    pub fn resumes(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let all = self.rules.values().map(|rule| rule.suspension).chain([self.suspension]);
        all.filter_map(|suspension| suspension.end_after(instant)).min()
    }
}

impl Timing {
    /// The schedule of the slots that do this to the rule.
    pub fn schedule(&self, edge: Edge) -> &Schedule {
        match self {
            Self::Point(schedule) => schedule,
            Self::Window(window) if edge == Edge::End => &window.end,
            Self::Window(window) => &window.start,
        }
    }
}

impl Rule {
    /// Whether it acts once.
    pub fn runs_once(&self) -> bool {
        self.frequency == Frequency::Once
    }
}

/// A short text that differs when any of the parts does: FNV-1a, 64 bits, in hexadecimal digits.
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = parts.into_iter().flat_map(|part| part.bytes().chain([0]));
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}
