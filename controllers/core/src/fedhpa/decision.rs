//! What a decision says: the writes, and everything that is shown about them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    bounds::InForce,
    counts::Count,
    facts::{Resets, Round},
    moves::Install,
    policy::Bounds,
    rebalance::InForceSplit,
    trail::Trail,
};
use crate::conditions::{ConditionKind, Finding};

/// One decision.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// What to write, in this order; a write that fails stops those that build on it.
    pub writes: Vec<Write>,
    /// The totals in force.
    pub in_force: Option<InForce>,
    /// The split in force after this decision.
    pub split: Option<InForceSplit>,
    /// What is shown of each cluster.
    pub clusters: BTreeMap<String, ClusterView>,
    /// Replicas of the max that no cluster may take.
    pub unplaced: u32,
    /// Replicas that unreachable clusters may run beyond the max.
    pub possible_overshoot: u32,
    /// The last write-back round, with what is known of it now.
    pub round: Option<Round>,
    /// Resets by others so far.
    pub resets: Resets,
    /// Since when a target is being given back that the spec no longer names.
    pub releasing_since: Option<DateTime<Utc>>,
    /// Nothing is held any more of a target that the spec no longer names.
    pub let_go: bool,
    /// Clusters at their max that want more.
    pub saturated: BTreeSet<String>,
    /// What holds.
    pub findings: Vec<Finding<FedHpaCondition>>,
    /// Why.
    pub trail: Trail,
    /// When to decide again at the latest, if no change comes first.
    pub look_again: Option<DateTime<Utc>>,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "write", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Write {
    /// Our finalizer, before anything else of ours exists.
    AddFinalizer,
    /// Keep the scheduler from dividing.
    HoldScheduling,
    /// The retention label on the template.
    Retain {
        /// Members may keep it at 0.
        to_zero: bool,
    },
    /// An HPA in a member has these bounds; written only where it differs.
    EnsureHpa {
        /// The member.
        cluster: String,
        /// Its bounds.
        install: Install,
        /// Its part of the whole, for targets and policies that are divided.
        part: Part,
    },
    /// No HPA of ours in a member.
    RemoveHpa {
        /// The member.
        cluster: String,
    },
    /// One write-back round: the binding in one patch, then the template's scale.
    WriteBack {
        /// The number for each cluster.
        clusters: BTreeMap<String, u32>,
        /// Their sum.
        replicas: u32,
        /// The binding says so already: only the template is left.
        binding_agrees: bool,
        /// The resourceVersion of the binding that this was decided on.
        binding_version: String,
        /// The resourceVersion of the template that this was decided on.
        template_version: String,
    },
    /// The retention label off the template.
    Unretain,
    /// Let the scheduler divide again.
    ResumeScheduling,
    /// Our finalizer off: the last write.
    RemoveFinalizer,
}

/// A cluster's part of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Part {
    /// The cluster's share.
    pub share: u32,
    /// The shares of all clusters before it, by name.
    pub before: u32,
    /// The whole.
    pub whole: u32,
}

impl Part {
    /// The cluster's part of a number: the parts of all clusters add up to it. At least 1.
    pub fn of(self, number: u32) -> u32 {
        let whole = u64::from(self.whole.max(1));
        let up_to = |shares: u64| u64::from(number) * shares.min(whole) / whole;
        let before = u64::from(self.before);
        let mine = up_to(before + u64::from(self.share)) - up_to(before);
        u32::try_from(mine).unwrap_or(u32::MAX).max(1)
    }
}

/// What is shown of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterView {
    /// What it is doing.
    pub phase: Phase,
    /// The bounds that its HPA has, or is given now.
    pub bounds: Option<Bounds>,
    /// What it runs, as far as known.
    pub count: Option<Count>,
    /// Replicas that it could hold in all.
    pub room: Option<u32>,
    /// At its max and wants more.
    pub saturated: bool,
    /// Why it is so, in words.
    pub why: String,
}

/// What a cluster is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Phase {
    /// It has an HPA with its share.
    Active,
    /// It has no replicas.
    Dormant,
    /// It is on its way to an HPA.
    Waking,
    /// It gives share to others.
    Donating,
    /// It cannot be reached: its numbers are the last known.
    Frozen,
    /// Karmada takes the workload away.
    Evicting,
}

/// The conditions of a FedHPA, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FedHpaCondition {
    /// All below is as it should be.
    Ready,
    /// The members have the shares that were decided.
    Distributed,
    /// Template, binding and members agree.
    Synchronized,
    /// Some of the max fits nowhere.
    CapacityLimited,
    /// Every cluster is at its max and wants more.
    ScalingLimited,
    /// Somebody else writes the same numbers.
    Contested,
    /// Hands off, as asked.
    Suspended,
    /// The object cannot be acted on.
    Invalid,
}

impl ConditionKind for FedHpaCondition {
    const ALL: &'static [Self] = &[
        Self::Ready,
        Self::Distributed,
        Self::Synchronized,
        Self::CapacityLimited,
        Self::ScalingLimited,
        Self::Contested,
        Self::Suspended,
        Self::Invalid,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Distributed => "Distributed",
            Self::Synchronized => "Synchronized",
            Self::CapacityLimited => "CapacityLimited",
            Self::ScalingLimited => "ScalingLimited",
            Self::Contested => "Contested",
            Self::Suspended => "Suspended",
            Self::Invalid => "Invalid",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(shares: &[u32], number: u32) -> Vec<u32> {
        let whole = shares.iter().sum();
        let mut before = 0;
        let part = |share: &u32| {
            let part = Part { share: *share, before, whole };
            before += share;
            part.of(number)
        };
        shares.iter().map(part).collect()
    }

    #[test]
    fn four_pods_a_minute_stay_four() {
        assert_eq!(parts(&[20, 20, 20], 4), [1, 1, 2]);
        assert_eq!(parts(&[60], 4), [4]);
        assert_eq!(parts(&[1, 1, 1], 2), [1, 1, 1], "at least one in each");
    }

    proptest! {
        #[test]
        fn parts_add_up_and_are_fair_to_within_one(shares in prop::collection::vec(1_u32..50, 1..8), number in 0_u32..500) {
            let whole: u32 = shares.iter().sum();
            let parts = parts(&shares, number);
            let raised = parts.iter().zip(&shares).filter(|(_, share)| number * **share < whole).count();
            let sum: u32 = parts.iter().sum();
            prop_assert!(sum >= number && sum <= number + u32::try_from(raised).unwrap(), "{parts:?}");
            for (part, share) in parts.iter().zip(&shares) {
                let fair = f64::from(number) * f64::from(*share) / f64::from(whole);
                prop_assert!((f64::from(*part) - fair).abs() <= 1.0, "{parts:?}");
            }
        }
    }
}
