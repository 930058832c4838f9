//! One owner for each target.
//!
//! Responsible for who may write: of the CronHPAs that aim at one target the oldest, and none at all where an
//! autoscaler already scales the workload. Knows nothing of where the claims come from.

use chrono::{DateTime, Utc};

use super::{facts::Holder, policy::Aim};

/// An object in the namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// API group, without the version; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// A CronHPA that aims at something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// When the CronHPA was made.
    pub made: DateTime<Utc>,
    /// Its name.
    pub name: String,
    /// What it aims at.
    pub target: Reference,
}

/// An autoscaler and the workload that it scales.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Autoscaler {
    /// The autoscaler.
    pub holder: Holder,
    /// The workload.
    pub scales: Reference,
}

/// Who holds the target of `claim`, if `claim` does not. A workload's autoscaler comes before other claims.
pub fn holder(aim: Aim, claim: &Claim, others: &[Claim], autoscalers: &[Autoscaler]) -> Option<Holder> {
    let scaler = match aim {
        Aim::Workload => autoscalers.iter().filter(|other| other.scales == claim.target).min(),
        Aim::FedHpa | Aim::Hpa => None,
    };
    let rank = |claim: &Claim| (claim.made, claim.name.clone());
    let older = others.iter().filter(|other| other.target == claim.target && rank(other) < rank(claim));
    let older = older.min_by_key(|other| rank(other));
    scaler
        .map(|scaler| scaler.holder.clone())
        .or_else(|| older.map(|other| Holder { kind: "CronHPA".to_owned(), name: other.name.clone() }))
}
