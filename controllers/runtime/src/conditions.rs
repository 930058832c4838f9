//! Conditions on the wire.
//!
//! Responsible for converting between the conditions of the core and those inside Kubernetes objects. Knows
//! nothing of what they mean and never changes their times.

use fedscaler_core::conditions::{Condition, ConditionKind, Truth};
use k8s_openapi::apimachinery::pkg::apis::meta::v1;

use crate::{text::clip, time};

/// What the API server accepts in a message, in bytes.
const LONGEST_MESSAGE: usize = 32_768;

/// The conditions as an object's status holds them, in the given order.
pub fn to_wire<K: ConditionKind>(conditions: &[Condition<K>]) -> Vec<v1::Condition> {
    conditions
        .iter()
        .map(|condition| v1::Condition {
            type_: condition.kind.name().to_owned(),
            status: condition.status.as_str().to_owned(),
            reason: condition.reason.clone(),
            message: clip(&condition.message, LONGEST_MESSAGE).to_owned(),
            observed_generation: condition.observed_generation,
            last_transition_time: time::to_wire(condition.since),
        })
        .collect()
}

/// The conditions in an object's status, in the order of their kinds. Kinds that are not ours are left out.
pub fn from_wire<K: ConditionKind>(conditions: &[v1::Condition]) -> Vec<Condition<K>> {
    let mut known: Vec<_> = conditions.iter().filter_map(read).collect();
    known.sort_by_key(|condition| condition.kind);
    known
}

fn read<K: ConditionKind>(condition: &v1::Condition) -> Option<Condition<K>> {
    Some(Condition {
        kind: K::from_name(&condition.type_)?,
        status: Truth::from_wire(&condition.status),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        observed_generation: condition.observed_generation,
        since: time::from_wire(&condition.last_transition_time),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Door {
        Open,
        Locked,
    }

    impl ConditionKind for Door {
        const ALL: &'static [Self] = &[Self::Open, Self::Locked];
        fn name(self) -> &'static str {
            match self {
                Self::Open => "Open",
                Self::Locked => "Locked",
            }
        }
    }

    fn condition(kind: Door) -> Condition<Door> {
        Condition {
            kind,
            status: Truth::Unknown,
            reason: "Dark".to_owned(),
            message: "nobody looked".to_owned(),
            observed_generation: Some(3),
            since: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    #[test]
    fn conditions_come_back_as_they_went() {
        let conditions = vec![condition(Door::Open), condition(Door::Locked)];
        assert_eq!(from_wire::<Door>(&to_wire(&conditions)), conditions);
    }

    #[test]
    fn a_condition_of_another_writer_is_left_out() {
        let mut wire = to_wire(&[condition(Door::Locked), condition(Door::Open)]);
        wire[0].type_ = "Painted".to_owned();
        assert_eq!(from_wire::<Door>(&wire), vec![condition(Door::Open)]);
    }
}
