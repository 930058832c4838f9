//! What is done to a world while it runs.

use std::fmt;

use fedscaler_sandbox::fault::Crash;
use serde_json::Value;

use super::{dice::Dice, plan::Shape};

/// Something that is done at one moment; what lasts ends after so many seconds.
#[derive(Clone, Debug)]
pub enum Deed {
    /// The next writes are answered 409.
    Conflicts(u32),
    /// The next requests are answered 503.
    ServerErrors(u32),
    /// The next writes take effect and are answered 504.
    LostAnswers(u32),
    /// So many of a thousand requests go wrong by chance.
    Weather { per_mille: u32, seconds: u64 },
    /// Watch events are late.
    LateEvents { millis: u64, seconds: u64 },
    /// Watches break and lose what comes next; a minute later they are read anew.
    LostEvents { path: &'static str, events: u32 },
    /// Watches break and cannot be resumed.
    ExpiredWatches,
    /// The next reads of the workload are answered from the past.
    StaleReads(u32),
    /// The controllers do not reach the control plane.
    Partition { seconds: u64 },
    /// The control plane does not reach a member.
    MemberLost { member: String, seconds: u64 },
    /// The control plane stops.
    PlaneStopped { seconds: u64 },
    /// The controllers die at their nth write from now and are gone for a while.
    Crash { nth: u64, side: Crash, seconds: u64 },
    /// The controllers are killed and gone for a while.
    Killed { seconds: u64 },
    /// The manifest is applied again, with its number of replicas.
    Reapplied(u32),
    /// The same right between the next patch of the binding and the write of the scale.
    ReappliedBetween(u32),
    /// The pod template changes.
    Rollout,
    /// The FedHPA is edited: a merge patch of its spec, and what it changes.
    Edited { what: &'static str, patch: Value },
    /// The FedHPA is suspended.
    Suspended { seconds: u64 },
    /// The FedHPA is deleted and applied again.
    Replaced { seconds: u64 },
    /// A member has one more node.
    NodeAdded { member: String, cpu_milli: i64 },
    /// A node takes no more pods.
    NodeCordoned { member: String, node: String, seconds: u64 },
    /// A node is gone with its pods.
    NodeRemoved { member: String, node: String },
    /// A node breaks.
    NodeFailed { member: String, node: String, seconds: u64 },
    /// Demand, in thousandths of a replica, and whether it comes from one member's region.
    Demand { milli: i64, region: Option<String> },
}

impl Deed {
    /// Any deed.
    pub fn any(dice: &mut Dice, shape: &Shape) -> Self {
        let seconds = dice.between(5, 150);
        let member = dice.one_of(&shape.members).clone();
        let node = format!("n{}", dice.between(1, 3));
        match dice.between(0, 27) {
            0 => Self::Conflicts(dice.small(1, 4)),
            1 => Self::ServerErrors(dice.small(1, 12)),
            2 => Self::LostAnswers(dice.small(1, 3)),
            3 => Self::Weather { per_mille: dice.small(50, 400), seconds },
            4 => Self::LateEvents { millis: dice.between(100, 9000), seconds },
            5 => {
                let path = *dice.one_of(&["/works", "/resourcebindings", "/fedhpas", "/clusters"]);
                Self::LostEvents { path, events: dice.small(1, 5) }
            }
            6 => Self::ExpiredWatches,
            7 => Self::StaleReads(dice.small(1, 6)),
            8 | 9 => Self::Partition { seconds },
            10..=12 => Self::MemberLost { member, seconds: dice.between(5, 300) },
            13 => Self::PlaneStopped { seconds },
            14..=16 => {
                let side = *dice.one_of(&[Crash::Before, Crash::After]);
                Self::Crash { nth: dice.between(1, 8), side, seconds: dice.between(0, 60) }
            }
            17 => Self::Killed { seconds },
            18 => Self::Reapplied(dice.small(1, 30)),
            19 => Self::ReappliedBetween(dice.small(1, 30)),
            20 => Self::Rollout,
            21 => shape.bounds_edit(dice),
            22 => shape.distribution_edit(dice),
            23 => Self::Suspended { seconds },
            24 => Self::Replaced { seconds: dice.between(1, 90) },
            25 => Self::NodeAdded { member, cpu_milli: *dice.one_of(&[2000, 4000, 8000]) },
            26 => match dice.between(0, 2) {
                0 => Self::NodeCordoned { member, node, seconds },
                1 => Self::NodeRemoved { member, node },
                _ => Self::NodeFailed { member, node, seconds },
            },
            _ => shape.demand(dice),
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflicts(times) => write!(f, "the next {times} writes are answered 409"),
            Self::ServerErrors(times) => write!(f, "the next {times} requests are answered 503"),
            Self::LostAnswers(times) => write!(f, "the answers of the next {times} writes are lost"),
            Self::Weather { per_mille, seconds } => {
                write!(f, "for {seconds} s {per_mille} of 1000 requests go wrong")
            }
            Self::LateEvents { millis, seconds } => {
                write!(f, "for {seconds} s watch events are {millis} ms late")
            }
            Self::LostEvents { path, events } => {
                write!(f, "watches break, the next {events} events on {path} are lost for a minute")
            }
            Self::ExpiredWatches => write!(f, "watches break and are read anew"),
            Self::StaleReads(times) => write!(f, "the next {times} reads of the workload are stale"),
            Self::Partition { seconds } => write!(f, "controllers cut off for {seconds} s"),
            Self::MemberLost { member, seconds } => write!(f, "{member} cut off for {seconds} s"),
            Self::PlaneStopped { seconds } => write!(f, "the control plane stops for {seconds} s"),
            Self::Crash { nth, side, seconds } => {
                write!(f, "controllers die ({side:?}) at write {nth} and are back after {seconds} s")
            }
            Self::Killed { seconds } => write!(f, "controllers killed, back after {seconds} s"),
            Self::Reapplied(replicas) => write!(f, "the manifest is applied with replicas {replicas}"),
            Self::ReappliedBetween(replicas) => {
                write!(f, "the manifest is applied with replicas {replicas} between binding and scale")
            }
            Self::Rollout => write!(f, "the pod template changes"),
            Self::Edited { what, patch } => write!(f, "{what}: {patch}"),
            Self::Suspended { seconds } => write!(f, "suspended for {seconds} s"),
            Self::Replaced { seconds } => write!(f, "the FedHPA is deleted, and applied {seconds} s later"),
            Self::NodeAdded { member, cpu_milli } => write!(f, "{member} has a new node of {cpu_milli} m"),
            Self::NodeCordoned { member, node, seconds } => {
                write!(f, "{node} of {member} cordoned for {seconds} s")
            }
            Self::NodeRemoved { member, node } => write!(f, "{node} of {member} is gone"),
            Self::NodeFailed { member, node, seconds } => {
                write!(f, "{node} of {member} fails for {seconds} s")
            }
            Self::Demand { milli, region: None } => write!(f, "demand is {milli} m"),
            Self::Demand { milli, region: Some(region) } => {
                write!(f, "demand is {milli} m, most of it near {region}")
            }
        }
    }
}
