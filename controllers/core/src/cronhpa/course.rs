//! What is to come, if nobody changes anything.
//!
//! Responsible for following decisions from wake-up to wake-up, as a controller would make them that is always there and
//! whose target always follows. Knows nothing of the target's real numbers.

use chrono::{DateTime, Utc};

use super::{
    composition::Held,
    decide::{Decision, decide},
    due::Slot,
    facts::{Facts, Fate, Level, Memory, Target, Writers},
    policy::{Aim, Edge, Policy, Sets},
    settle::{Outcome, settle},
};

/// Slots of one rule that may fall on one instant: a window's end and start, and some to spare.
const AT_ONCE: usize = 8;

/// Where the course begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// What is remembered there.
    pub memory: Memory,
    /// When that is.
    pub at: DateTime<Utc>,
}

/// A slot to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    /// The rule.
    pub rule: String,
    /// The slot.
    pub slot: Slot,
    /// When the rule acts for it.
    pub acts: DateTime<Utc>,
    /// What becomes of it.
    pub fate: Fate,
    /// What there is to say about it.
    pub note: String,
    /// What is held after it.
    pub held: Held,
    /// The count that was written last, or is held; `None` where the rules do not say.
    pub count: Option<u32>,
}

/// What is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// What is decided at the beginning of the span.
    pub then: Decision,
    /// The slots after that until the end of the span, in the order in which they are acted on.
    pub slots: Vec<Coming>,
    /// Whether there are more than were asked for.
    pub cut: bool,
}

/// The slots after `from`, which is not before the start, until `until`; at most `most`.
pub fn course(
    policy: &Policy,
    start: &Start,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    most: usize,
) -> Course {
    let history_limit = policy.history_limit.max(AT_ONCE);
    let mut player = Player {
        policy: Policy { history_limit, ..policy.clone() },
        memory: start.memory.clone(),
        level: Level::exactly(1),
        written: None,
    };
    // What is seen for the first time has no slots yet, and may lead one already when it is seen again.
    let (_, early) = player.step(start.at);
    let (mut then, more) = player.step(start.at);
    let mut slots = [early, more].concat();
    let mut next = then.wake_up();
    let mut is_reached = false;
    while slots.len() <= most {
        let now = match next.filter(|next| *next <= until) {
            Some(now) if is_reached || now <= from => now,
            Some(_) | None if is_reached => break,
            Some(_) | None => from,
        };
        let (decision, coming) = player.step(now);
        slots.extend(coming.into_iter().filter(|coming| coming.slot.at > from && coming.slot.at <= until));
        next = decision.wake_up();
        if !is_reached && now >= from {
            is_reached = true;
            then = decision;
        }
    }
    slots.retain(|coming| coming.slot.at > from && coming.slot.at <= until);
    let cut = slots.len() > most;
    slots.truncate(most);
    Course { then, slots, cut }
}

/// A controller and its memory.
struct Player {
    policy: Policy,
    memory: Memory,
    level: Level,
    written: Option<u32>,
}

impl Player {
    /// One reconcile, and the slots that it accounts for, oldest first.
    fn step(&mut self, now: DateTime<Utc>) -> (Decision, Vec<Coming>) {
        let level = (self.policy.aim != Aim::FedHpa).then_some(self.level);
        let target = Target::Found { level, writers: Writers::default() };
        let facts = Facts { now, memory: self.memory.clone(), target, holder: None, ready: None };
        let decision = decide(&self.policy, &facts);
        self.level = decision.plan.write.unwrap_or(self.level);
        self.memory = settle(&self.policy, &facts, &decision, &Outcome::Done, now);
        let mut accounted: Vec<_> = decision
            .due
            .iter()
            .flat_map(|(rule, judged)| {
                judged.due.newest.iter().map(move |slot| (*slot, rule, judged.fate_of(slot)))
            })
            .collect();
        accounted.sort_unstable_by_key(|(slot, rule, _)| (*slot, *rule));
        for (slot, rule, fate) in &accounted {
            let sets = self.policy.rules.get(*rule).map(|rule| rule.sets);
            if let (Some(Sets::Count(count)), Edge::Point, Fate::Applied) = (sets, slot.edge, fate) {
                self.written = Some(count);
            }
        }
        let held = &decision.in_force.held;
        let is_counted = self.policy.aim == Aim::Workload;
        let count = held.max.as_ref().map(|bound| bound.replicas).or(self.written).filter(|_| is_counted);
        let coming = accounted.iter().map(|(slot, rule, fate)| Coming {
            rule: (*rule).clone(),
            slot: *slot,
            acts: now.min(slot.at),
            fate: *fate,
            note: decision.due.get(*rule).map(|judged| judged.note.clone()).unwrap_or_default(),
            held: held.clone(),
            count,
        });
        let coming = coming.collect();
        (decision, coming)
    }
}
