//! The reasons of a decision, as data.
//!
//! Status message, events, logs, metric labels and `explain` are all rendered from a [`Trail`], so they never
//! disagree.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::Bounds;

/// The steps of one decision, in the order in which they were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Trail(Vec<Reason>);

impl Trail {
    /// Adds a step, once.
    pub fn note(&mut self, reason: Reason) {
        if !self.0.contains(&reason) {
            self.0.push(reason);
        }
    }

    /// The steps.
    pub fn reasons(&self) -> &[Reason] {
        &self.0
    }

    /// One line a step.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// Why a split replaced the one before; the label of `fedhpa_rebalances_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Change {
    /// There was none.
    First,
    /// The totals in force or the distribution changed.
    SpecChanged,
    /// The one before breaks a cap, a floor or the totals, or leaves out what could be placed by now.
    Invalid,
    /// A cluster is at its max and wants more while another has slack.
    Saturated,
    /// More runs in a cluster by now than its share, which its max has not come down to yet.
    Outgrown,
    /// A cluster with a share was lost or is no longer a candidate.
    ClusterLost,
    /// A cluster came back or is new.
    ClusterReturned,
    /// Survivors no longer hold what ran in lost clusters: those are back, or the HPAs have seen the load.
    CoverOver,
    /// The ideal is further away than the tolerance, and the cooldown has passed.
    Drift,
}

impl Change {
    /// Every value, for metrics.
    pub const ALL: [Self; 9] = [
        Self::First,
        Self::SpecChanged,
        Self::Invalid,
        Self::Saturated,
        Self::Outgrown,
        Self::ClusterLost,
        Self::ClusterReturned,
        Self::CoverOver,
        Self::Drift,
    ];

    /// The name used as reason and metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "First",
            Self::SpecChanged => "SpecChanged",
            Self::Invalid => "Invalid",
            Self::Saturated => "Saturated",
            Self::Outgrown => "Outgrown",
            Self::ClusterLost => "ClusterLost",
            Self::ClusterReturned => "ClusterReturned",
            Self::CoverOver => "CoverOver",
            Self::Drift => "Drift",
        }
    }
}

/// One step of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "step", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Reason {
    /// The totals in force and the rules that set them.
    Totals {
        /// The totals.
        bounds: Bounds,
        /// `CRONHPA/RULE` behind the min.
        min_rule: Option<String>,
        /// `CRONHPA/RULE` behind the max.
        max_rule: Option<String>,
    },
    /// The min in force is above the max in force; it counts as the max.
    MinLowered {
        /// From.
        from: u32,
        /// To.
        to: u32,
    },
    /// The max in force is below the min in force; it counts as the min.
    MaxRaised {
        /// From.
        from: u32,
        /// To.
        to: u32,
    },
    /// A new split was adopted.
    Adopted {
        /// Why.
        change: Change,
        /// The clusters behind it, if it is about some.
        clusters: Vec<String>,
    },
    /// The old split stays though the ideal is elsewhere.
    Kept {
        /// Replicas by which the ideal differs.
        drift: u32,
        /// Whether it is within tolerance (else the cooldown holds it).
        within_tolerance: bool,
    },
    /// No cluster may take this part of the max.
    Unplaced {
        /// Replicas.
        replicas: u32,
    },
    /// Floors do not all fit into the max.
    FloorsYield {
        /// The total max.
        total: u32,
    },
    /// More runs than the max allows: replicas are cut.
    RunningYields {
        /// What runs.
        running: u32,
        /// The total max.
        total: u32,
    },
    /// Each active cluster needs at least one, so the min is higher than asked for.
    MinYields {
        /// What was asked for.
        min: u32,
        /// What the active clusters and floors need.
        present: u32,
    },
    /// Share moves and is not there yet.
    Moving {
        /// Clusters whose max is being lowered.
        donors: Vec<String>,
        /// Clusters that wait for more.
        receivers: Vec<String>,
    },
    /// For a while this much more may be in effect than the max: a pinned donor cannot be lowered first, or the
    /// total fell and members have not acted on it yet.
    Surge {
        /// Replicas.
        replicas: u32,
    },
    /// The min is higher than asked for, so that survivors hold what ran in lost clusters.
    Covering {
        /// The total min for now.
        min: u32,
    },
    /// A lost cluster may still run up to this.
    PossibleOvershoot {
        /// Replicas.
        replicas: u32,
    },
    /// The room of these clusters is not known; only their cap limits them.
    RoomUnknown {
        /// Clusters.
        clusters: Vec<String>,
    },
    /// Others keep writing the workload's replicas.
    Contested {
        /// How often within the window.
        resets: u32,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Totals { bounds, min_rule, max_rule } => {
                let by = |rule: &Option<String>| rule.as_ref().map_or("the spec".to_owned(), Clone::clone);
                write!(
                    f,
                    "totals {}..{} (min by {}, max by {})",
                    bounds.min,
                    bounds.max,
                    by(min_rule),
                    by(max_rule)
                )
            }
            Self::MinLowered { from, to } => write!(f, "min {from} is above the max in force: {to} holds"),
            Self::MaxRaised { from, to } => write!(f, "max {from} is below the min in force: {to} holds"),
            Self::Adopted { change, clusters } => adopted(f, *change, clusters),
            Self::Kept { drift, within_tolerance: true } => {
                write!(f, "kept the split: the ideal differs by {drift}, within tolerance")
            }
            Self::Kept { drift, within_tolerance: false } => {
                write!(f, "kept the split: the ideal differs by {drift}, but the cooldown has not passed")
            }
            Self::Unplaced { replicas } => {
                write!(f, "{replicas} of the max fit nowhere: rooms and caps are used up")
            }
            Self::FloorsYield { total } => write!(f, "floors do not all fit into max {total}"),
            Self::RunningYields { running, total } => {
                write!(f, "{running} run or are wanted, more than max {total}: the rest is cut")
            }
            Self::MinYields { min, present } => {
                write!(
                    f,
                    "min {min} counts as {present}: an HPA needs at least one replica in each active cluster"
                )
            }
            Self::Moving { donors, receivers } => {
                write!(f, "share moves from {} to {}", list(donors), list(receivers))
            }
            Self::Surge { replicas } => {
                write!(f, "up to {replicas} more than the max for the time of the move")
            }
            Self::Covering { min } => {
                write!(
                    f,
                    "the survivors' mins sum to {min} for now, to cover what ran in clusters that are lost"
                )
            }
            Self::PossibleOvershoot { replicas } => {
                write!(f, "unreachable clusters may run up to {replicas} beyond the max")
            }
            Self::RoomUnknown { clusters } => {
                write!(f, "room unknown in {}: only caps limit there", list(clusters))
            }
            Self::Contested { resets } => {
                write!(
                    f,
                    "others set the workload's replicas {resets} times: remove spec.replicas from the manifest"
                )
            }
        }
    }
}

fn adopted(f: &mut fmt::Formatter<'_>, change: Change, clusters: &[String]) -> fmt::Result {
    match change {
        Change::First => f.write_str("divided for the first time"),
        Change::SpecChanged => f.write_str("divided again: the totals or the distribution changed"),
        Change::Invalid => write!(
            f,
            "divided again: the old split no longer places all that can be placed; more for {}",
            list(clusters)
        ),
        Change::Saturated => {
            write!(f, "headroom moves to {}: at its max while others have slack", list(clusters))
        }
        Change::Outgrown => {
            write!(
                f,
                "divided again: {} runs more by now than the share it was to come down to",
                list(clusters)
            )
        }
        Change::ClusterLost => write!(f, "divided again without {}", list(clusters)),
        Change::ClusterReturned => write!(f, "divided again with {}", list(clusters)),
        Change::CoverOver => {
            f.write_str("divided again: what ran in lost clusters need not be covered any longer")
        }
        Change::Drift => {
            f.write_str("rebalanced: the ideal moved past tolerance, and the cooldown has passed")
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}
