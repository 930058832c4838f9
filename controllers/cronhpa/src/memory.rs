//! What a status remembers.
//!
//! Responsible for reading a decision's memory out of a status and for writing it back: what goes in comes out.
//! Knows nothing of what it is remembered for.

use chrono::TimeDelta;
use fedscaler_core::cronhpa::{
    composition::{Bound, Held},
    facts::{Base, Counts, Fate, Level, Memory, Pending, Record, RuleMemory},
    policy::{Aim, Edge},
};
use fedscaler_crds::{
    CronHpaStatus, ScaleTargetRef,
    cronhpa::{
        self as wire, ActiveBounds, PendingWrite, Reversion, RuleStatus, SlotCounts, SlotRecord, SlotResult,
        WindowEdge,
    },
};
use fedscaler_runtime::time::{from_wire, to_wire};

use crate::admit::Admitted;

/// What the status remembers about this target. A status that speaks of another target remembers nothing.
pub fn recall(status: &CronHpaStatus, admitted: &Admitted) -> Memory {
    if is_of_another_target(status, admitted) {
        return Memory::default();
    }
    let rules = status.rules.iter().map(|rule| (rule.name.clone(), recall_rule(rule)));
    let reversions = status.reversions.iter();
    Memory {
        rules: rules.collect(),
        held: status.active.as_ref().map(recall_held).unwrap_or_default(),
        base: status.base.as_ref().and_then(recall_base),
        reversions: reversions.map(|by| (by.manager.clone(), from_replicas(by.count))).collect(),
        pending: status.pending.as_ref().map(|pending| Pending {
            rule: pending.rule.clone(),
            slot: from_wire(&pending.slot_time),
            count: from_replicas(pending.replicas),
        }),
    }
}

/// Whether what is remembered was remembered for another target.
pub fn is_of_another_target(status: &CronHpaStatus, admitted: &Admitted) -> bool {
    status.rules.iter().any(|rule| {
        rule.rule_hash.split_once('-').is_some_and(|(_timing, target)| target != admitted.target_mark)
    })
}

fn recall_rule(rule: &RuleStatus) -> RuleMemory {
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    let counts = &rule.counts;
    RuleMemory {
        fingerprint: rule.rule_hash.clone(),
        first_seen: from_wire(&rule.first_seen_time),
        last_handled: rule.last_handled_time.as_ref().map(from_wire),
        accounted: rule.accounted_time.as_ref().map(from_wire),
        once: rule.once_slot_time.as_ref().map(from_wire),
        last: rule.last_slot.as_ref().map(recall_record),
        counts: Counts {
            applied: count(counts.applied),
            superseded: count(counts.superseded),
            excluded: count(counts.excluded),
            suspended: count(counts.suspended),
            missed: count(counts.missed),
            failed: count(counts.failed),
        },
        history: rule.history.iter().map(recall_record).collect(),
    }
}

fn recall_record(record: &SlotRecord) -> Record {
    Record {
        slot: from_wire(&record.slot_time),
        edge: match record.edge {
            None => Edge::Point,
            Some(WindowEdge::Start) => Edge::Start,
            Some(WindowEdge::End) => Edge::End,
        },
        fate: match record.result {
            SlotResult::Applied => Fate::Applied,
            SlotResult::Superseded => Fate::Superseded,
            SlotResult::Excluded => Fate::Excluded,
            SlotResult::Suspended => Fate::Suspended,
            SlotResult::Missed => Fate::Missed,
            SlotResult::Failed => Fate::Failed,
        },
        finished: record.finished_time.as_ref().map(from_wire),
        ready: record.ready_after_seconds.and_then(|seconds| {
            from_wire(&record.slot_time).checked_add_signed(TimeDelta::try_seconds(seconds)?)
        }),
        note: record.message.clone(),
    }
}

fn recall_held(active: &ActiveBounds) -> Held {
    // Priorities are not remembered: what was held is compared by its numbers and rules alone.
    let bound = |replicas: Option<i32>, rule: &Option<String>| {
        let rule = rule.clone().unwrap_or_default();
        Some(Bound { replicas: from_replicas(replicas?), rule, priority: 0 })
    };
    Held {
        min: bound(active.min_replicas, &active.min_rule),
        max: bound(active.max_replicas, &active.max_rule),
    }
}

fn recall_base(base: &wire::Base) -> Option<Base> {
    let level = match (base.replicas, base.max_replicas) {
        (Some(count), _) => Level::exactly(from_replicas(count)),
        (None, Some(max)) => {
            Level { min: base.min_replicas.map_or(1, from_replicas), max: from_replicas(max) }
        }
        (None, None) => return None,
    };
    Some(Base { level, recorded: from_wire(&base.recorded_time) })
}

/// Writes into `status` what is to be remembered, and nothing else.
pub fn remember(status: &mut CronHpaStatus, memory: &Memory, aim: Aim, target: &ScaleTargetRef) {
    let shown = |name: &str| status.rules.iter().find(|rule| rule.name == name);
    status.rules = memory.rules.iter().map(|(name, rule)| remember_rule(name, rule, shown(name))).collect();
    status.active = remember_held(&memory.held);
    status.base = memory.base.map(|base| remember_base(base, aim, target));
    status.pending = memory.pending.as_ref().map(|pending| PendingWrite {
        rule: pending.rule.clone(),
        slot_time: to_wire(pending.slot),
        replicas: to_replicas(pending.count),
    });
    let reversions = memory.reversions.iter();
    status.reversions = reversions
        .map(|(manager, count)| Reversion { manager: manager.clone(), count: to_replicas(*count) })
        .collect();
}

fn remember_rule(name: &str, rule: &RuleMemory, shown: Option<&RuleStatus>) -> RuleStatus {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let counts = rule.counts;
    RuleStatus {
        name: name.to_owned(),
        rule_hash: rule.fingerprint.clone(),
        first_seen_time: to_wire(rule.first_seen),
        last_handled_time: rule.last_handled.map(to_wire),
        accounted_time: rule.accounted.map(to_wire),
        once_slot_time: rule.once.map(to_wire),
        next_slot_time: shown.and_then(|shown| shown.next_slot_time.clone()),
        next_action_time: shown.and_then(|shown| shown.next_action_time.clone()),
        last_slot: rule.last.as_ref().map(remember_record),
        in_force: shown.is_some_and(|shown| shown.in_force),
        window_until: shown.and_then(|shown| shown.window_until.clone()),
        counts: SlotCounts {
            applied: count(counts.applied),
            superseded: count(counts.superseded),
            excluded: count(counts.excluded),
            suspended: count(counts.suspended),
            missed: count(counts.missed),
            failed: count(counts.failed),
        },
        history: rule.history.iter().map(remember_record).collect(),
    }
}

fn remember_record(record: &Record) -> SlotRecord {
    SlotRecord {
        slot_time: to_wire(record.slot),
        edge: match record.edge {
            Edge::Point => None,
            Edge::Start => Some(WindowEdge::Start),
            Edge::End => Some(WindowEdge::End),
        },
        result: match record.fate {
            Fate::Applied => SlotResult::Applied,
            Fate::Superseded => SlotResult::Superseded,
            Fate::Excluded => SlotResult::Excluded,
            Fate::Suspended => SlotResult::Suspended,
            Fate::Missed => SlotResult::Missed,
            Fate::Failed => SlotResult::Failed,
        },
        lateness_seconds: record.finished.map(|finished| (finished - record.slot).num_seconds().max(0)),
        finished_time: record.finished.map(to_wire),
        ready_after_seconds: record.ready.map(|ready| (ready - record.slot).num_seconds()),
        message: record.note.chars().take(1024).collect(),
    }
}

fn remember_held(held: &Held) -> Option<ActiveBounds> {
    if held.is_empty() {
        return None;
    }
    let (min, max) = (held.min.as_ref(), held.max.as_ref());
    Some(ActiveBounds {
        min_replicas: min.map(|bound| to_replicas(bound.replicas)),
        min_rule: min.map(|bound| bound.rule.clone()),
        max_replicas: max.map(|bound| to_replicas(bound.replicas)),
        max_rule: max.map(|bound| bound.rule.clone()),
        note: None,
    })
}

fn remember_base(base: Base, aim: Aim, target: &ScaleTargetRef) -> wire::Base {
    let Base { level, recorded } = base;
    let is_counted = aim == Aim::Workload;
    let bound = |replicas: u32| Some(to_replicas(replicas)).filter(|_| !is_counted);
    wire::Base {
        target: Some(target.clone()),
        min_replicas: bound(level.min),
        max_replicas: bound(level.max),
        replicas: is_counted.then(|| to_replicas(level.max)),
        recorded_time: to_wire(recorded),
    }
}

/// Replicas as the wire has them.
pub fn to_replicas(replicas: u32) -> i32 {
    i32::try_from(replicas).unwrap_or(i32::MAX)
}

/// Replicas from the wire; what is below nothing is nothing.
pub fn from_replicas(replicas: i32) -> u32 {
    u32::try_from(replicas).unwrap_or(0)
}
