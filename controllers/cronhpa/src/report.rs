//! Says what was decided and what came of it.
//!
//! Responsible for the status, silent when nothing moved, and for events and counters, which are edges between the
//! old status and the new one. Decides nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use fedscaler_core::{
    conditions::merge,
    cronhpa::{
        composition::Standing,
        conditions::{TO_ZERO, findings},
        decide::Decision,
        facts::{Facts, Level, Memory},
        policy::Aim,
        settle::{Outcome, catch_up, settle},
    },
};
use fedscaler_crds::{
    CronHpa, CronHpaStatus,
    cronhpa::{Holder, RuleStatus, SlotResult, WindowEdge},
};
use fedscaler_runtime::{
    client::CallError,
    conditions::{from_wire, to_wire},
    events::{Notice, Severity},
    leadership::Term,
    status::{StatusWrite, write_status},
    time,
};
use kube::{Api, Resource as _};

use crate::{
    act::Acted,
    admit::Admitted,
    context::{CALL_BUDGET, Context},
    finalizer,
    memory::remember,
};

/// Writes the status if it says something new, then tells and counts what is new about it. Returns what is remembered.
pub async fn report(
    cx: &Context,
    term: &Term,
    admitted: &Admitted,
    facts: &Facts,
    decision: &Decision,
    acted: &Acted,
) -> Result<Memory, CallError> {
    let (object, policy) = (acted.object.as_ref(), &admitted.policy);
    let finished = cx.clock.now();
    let mut memory = settle(policy, facts, decision, &acted.outcome, finished);
    if admitted.leaving && facts.holder.is_some() {
        // What we wrote to it is its holder's to put right.
        memory.base = None;
    }
    let spoken =
        Spoken { admitted, facts, decision, outcome: &acted.outcome, memory: &memory, now: finished };
    let status = spoken.status(object);
    let api: Api<CronHpa> = Api::namespaced(cx.client.clone(), &admitted.namespace);
    let old = object.status.as_ref();
    let written = write_status(&api, term, CALL_BUDGET, object, old, &status).await?;
    cx.metrics.count(old, &status);
    for notice in notices(old, &status, admitted, decision, &acted.outcome) {
        cx.events.publish(term, &object.object_ref(&()), &notice).await;
    }
    let let_go = memory.base.is_none();
    match written {
        StatusWrite::Written(object) if let_go && finalizer::is_on(&object) => {
            finalizer::remove(cx, term, &object).await?;
        }
        StatusWrite::Unchanged if let_go && finalizer::is_on(object) => {
            finalizer::remove(cx, term, object).await?;
        }
        StatusWrite::Written(_) | StatusWrite::Unchanged => {}
    }
    Ok(memory)
}

/// Says what a process before this one did and did not live to say. Returns the object after that.
pub async fn make_up(
    cx: &Context,
    term: &Term,
    object: Arc<CronHpa>,
    admitted: &Admitted,
    facts: &mut Facts,
) -> Result<Arc<CronHpa>, CallError> {
    let Some(memory) = catch_up(&admitted.policy, facts) else { return Ok(object) };
    let old = object.status.as_ref();
    let mut status = old.cloned().unwrap_or_default();
    remember(&mut status, &memory, admitted.policy.aim, &admitted.target);
    let api: Api<CronHpa> = Api::namespaced(cx.client.clone(), &admitted.namespace);
    let written = write_status(&api, term, CALL_BUDGET, object.as_ref(), old, &status).await?;
    cx.metrics.count(old, &status);
    for notice in slots(old, &status) {
        cx.events.publish(term, &object.object_ref(&()), &notice).await;
    }
    facts.memory = memory;
    Ok(match written {
        StatusWrite::Written(object) => Arc::from(object),
        StatusWrite::Unchanged => object,
    })
}

/// Everything that a status is written from.
pub struct Spoken<'a> {
    /// What was asked for.
    pub admitted: &'a Admitted,
    /// What was seen.
    pub facts: &'a Facts,
    /// What was decided.
    pub decision: &'a Decision,
    /// What came of it.
    pub outcome: &'a Outcome,
    /// What is remembered.
    pub memory: &'a Memory,
    /// The time.
    pub now: DateTime<Utc>,
}

impl Spoken<'_> {
    /// The status of `object` from now on.
    pub fn status(&self, object: &CronHpa) -> CronHpaStatus {
        let mut status = object.status.clone().unwrap_or_default();
        let policy = &self.admitted.policy;
        remember(&mut status, self.memory, policy.aim, &self.admitted.target);
        status.calendar.clone_from(&self.admitted.calendar);
        for rule in &mut status.rules {
            self.show(rule);
        }
        if let Some(active) = &mut status.active {
            active.note = self.decision.in_force.yielded.map(|yielded| yielded.to_string());
        }
        let next = self.decision.next_slot();
        status.next_slot_time = next.map(|(next, _)| time::to_wire(next.slot));
        status.next_rule = next.map(|(_, rule)| rule.to_owned());
        let holder = self.facts.holder.clone();
        status.holder = holder.map(|holder| Holder { kind: holder.kind, name: holder.name });
        let found = findings(policy, self.facts, self.decision, self.outcome);
        let generation = object.metadata.generation;
        status.conditions = to_wire(&merge(&from_wire(&status.conditions), found, generation, self.now));
        status.observed_generation = generation;
        status
    }

    fn show(&self, rule: &mut RuleStatus) {
        let standing = self.decision.in_force.rules.get(&rule.name);
        rule.in_force = standing.is_some();
        rule.window_until = match standing {
            Some(Standing::Inside(open)) => open.until.map(time::to_wire),
            Some(Standing::Since(_)) | None => None,
        };
        let next = self.decision.next.get(&rule.name);
        rule.next_slot_time = next.map(|next| time::to_wire(next.slot));
        let led = next.filter(|next| next.acts != next.slot);
        rule.next_action_time = led.map(|next| time::to_wire(next.acts));
    }
}

/// What is new, for people.
pub fn notices(
    old: Option<&CronHpaStatus>,
    new: &CronHpaStatus,
    admitted: &Admitted,
    decision: &Decision,
    outcome: &Outcome,
) -> Vec<Notice> {
    let mut notices = slots(old, new);
    let to_zero = decision.plan.write == Some(Level::exactly(0)) && *outcome == Outcome::Done;
    if admitted.policy.aim == Aim::Workload && to_zero {
        notices.push(warning("ScaledToZero", TO_ZERO.to_owned()));
    }
    let former = old.and_then(|old| old.base.as_ref());
    if let Some(target) =
        former.filter(|_| admitted.is_former && new.base.is_none()).and_then(|base| base.target.as_ref())
    {
        let note = format!(
            "the former target, {} {}, has back what it had before a rule held it",
            target.kind, target.name
        );
        notices.push(Notice {
            severity: Severity::Normal,
            reason: "TargetChanged",
            action: "Reconcile",
            note,
        });
    }
    notices.extend(turned(old, new));
    notices
}

fn warning(reason: &'static str, note: String) -> Notice {
    Notice { severity: Severity::Warning, reason, action: "Reconcile", note }
}

/// The latest slots of all rules, if they are new.
fn slots(old: Option<&CronHpaStatus>, new: &CronHpaStatus) -> Vec<Notice> {
    let before = |name: &str| old.and_then(|old| old.rules.iter().find(|rule| rule.name == name));
    new.rules.iter().filter_map(|rule| slot(before(&rule.name), rule)).collect()
}

/// The latest slot, if it is new and somebody should hear of it.
fn slot(old: Option<&RuleStatus>, new: &RuleStatus) -> Option<Notice> {
    let latest = new.last_slot.as_ref()?;
    if old.and_then(|old| old.last_slot.as_ref()).is_some_and(|before| before.is_about_same(latest)) {
        return None;
    }
    let was_open = old.is_some_and(|old| old.in_force);
    let (severity, reason) = match (latest.result, latest.edge) {
        // A window that was not open has not closed.
        (SlotResult::Applied, Some(WindowEdge::End)) if !was_open => return None,
        (SlotResult::Applied, _) => (Severity::Normal, "Applied"),
        (SlotResult::Missed, _) => (Severity::Warning, "Missed"),
        (SlotResult::Failed, _) => (Severity::Warning, "Failed"),
        (SlotResult::Superseded | SlotResult::Excluded | SlotResult::Suspended, _) => return None,
    };
    let what = match latest.edge {
        None => "",
        Some(WindowEdge::Start) => " opens",
        Some(WindowEdge::End) => " closes",
    };
    let due = time::from_wire(&latest.slot_time).format("%Y-%m-%dT%H:%M:%SZ");
    let late = latest.lateness_seconds.map(|seconds| {
        let finished = latest.finished_time.as_ref().unwrap_or(&latest.slot_time);
        let early = (time::from_wire(&latest.slot_time) - time::from_wire(finished)).num_seconds();
        if early > 0 { format!(", {early} s before it") } else { format!(", {seconds} s after it was due") }
    });
    let late = late.unwrap_or_default();
    let why = if latest.message.is_empty() { String::new() } else { format!(": {}", latest.message) };
    let note = format!("{}{what}, due at {due}{late}{why}", new.name);
    Some(Notice { severity, reason, action: "Slot", note })
}

/// Conditions whose change is worth an event, and the status that is alarming.
const WATCHED: [(&str, Option<&str>); 3] =
    [("Contested", Some("True")), ("Invalid", Some("True")), ("Suspended", None)];

fn turned(old: Option<&CronHpaStatus>, new: &CronHpaStatus) -> Vec<Notice> {
    let status_of = |status: &CronHpaStatus, kind: &str| {
        let found = status.conditions.iter().find(|condition| condition.type_ == kind);
        found.map(|condition| (condition.status.clone(), condition.message.clone()))
    };
    let turned = WATCHED.iter().filter_map(|(kind, alarming)| {
        let (status, message) = status_of(new, kind)?;
        let before =
            old.and_then(|old| status_of(old, kind)).map_or_else(|| "False".to_owned(), |(status, _)| status);
        if before == status {
            return None;
        }
        let is_alarming = *alarming == Some(status.as_str());
        let severity = if is_alarming { Severity::Warning } else { Severity::Normal };
        let note = if message.is_empty() { format!("{kind} is {status}") } else { message };
        Some(Notice { severity, reason: kind, action: "Reconcile", note })
    });
    turned.collect()
}
