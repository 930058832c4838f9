//! From the wire to domain types that cannot be wrong.
//!
//! Responsible for telling, rule by rule, what cannot be followed: a bad rule is left out and the others go on.
//! Knows nothing of the cluster.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use fedscaler_core::{
    cronhpa::{
        owner::{Claim, Reference},
        policy::{Aim, Fault, Frequency, Policy, Rule, Sets, Suspension, Timing, fingerprint},
    },
    schedule::{BadSchedule, BadZone, DaysOff, Pattern, Schedule, Window, Zone},
};
use fedscaler_crds::{
    CronHpa, CronHpaSpec, ScaleTargetRef,
    cronhpa::{CalendarDays, CronRule, Exclude},
};
use fedscaler_runtime::{key::ObjectKey, time::from_wire};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use thiserror::Error;

/// A CronHPA that can be acted on.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Namespace and name.
    pub key: ObjectKey,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// What it aims at, as it is written.
    pub target: ScaleTargetRef,
    /// Identifies the target within fingerprints.
    pub target_mark: String,
    /// Its claim on the target.
    pub claim: Claim,
    /// What is decided by. Without rules if the object is being deleted: what was taken is given back.
    pub policy: Policy,
    /// What is to be remembered of the calendar, once it has been looked for.
    pub calendar: Option<CalendarDays>,
    /// Whether the target is to be let go: the object is being deleted, or the spec names another target by now.
    pub leaving: bool,
    /// Whether it is about the target that the spec named before.
    pub is_former: bool,
}

/// Why an object cannot be acted on at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It was never in an API server.
    #[error("the object has no namespace")]
    NoNamespace,
}

/// Why a rule cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum BadRule {
    #[error(transparent)]
    Schedule(#[from] BadSchedule),
    #[error(transparent)]
    Zone(#[from] BadZone),
    #[error("give either schedule, or both start and end")]
    Timing,
    #[error("give either targetReplicas, or minReplicas and maxReplicas or one of the two")]
    Sets,
    #[error("{field} {value} is out of range: it must be {range}")]
    Range { field: &'static str, value: i64, range: &'static str },
    #[error("minReplicas {min} is above maxReplicas {max}")]
    MinAboveMax { min: u32, max: u32 },
    #[error("targetReplicas is for workloads: a {kind} needs minReplicas and maxReplicas")]
    CountForAutoscaler { kind: String },
    #[error("minReplicas and maxReplicas are for autoscalers: a {kind} needs targetReplicas")]
    BoundsForWorkload { kind: String },
}

/// Admits a CronHPA.
pub fn admit(object: &CronHpa) -> Result<Admitted, Refusal> {
    let namespace = object.namespace().ok_or(Refusal::NoNamespace)?;
    let leaving = object.metadata.deletion_timestamp.is_some();
    let target = object.spec.scale_target_ref.clone();
    let target_mark = mark(&target);
    let mut policy = policy(&object.spec, &target_mark);
    if leaving {
        policy.rules.clear();
        policy.faults.clear();
        policy.suspension = Suspension::Not;
    }
    Ok(Admitted {
        key: ObjectKey::of(object),
        name: object.name_any(),
        claim: claim(object),
        namespace,
        target,
        target_mark,
        policy,
        calendar: None,
        leaving,
        is_former: false,
    })
}

/// The target that still has to get back what it had, if the spec names another one by now. It comes first.
pub fn former(object: &CronHpa, admitted: &Admitted) -> Option<Admitted> {
    let target = left(object)?.clone();
    let target_mark = mark(&target);
    if target_mark == admitted.target_mark {
        return None;
    }
    let policy = Policy {
        aim: aim(&target),
        rules: BTreeMap::new(),
        suspension: Suspension::Not,
        faults: Vec::new(),
        ..admitted.policy.clone()
    };
    let claim = Claim { target: reference(&target), ..admitted.claim.clone() };
    let calendar = object.status.as_ref()?.calendar.clone();
    let of_it = Admitted { target, target_mark, claim, policy, calendar, ..admitted.clone() };
    Some(Admitted { leaving: true, is_former: true, ..of_it })
}

/// The target that the base in the status is of.
fn left(object: &CronHpa) -> Option<&ScaleTargetRef> {
    object.status.as_ref()?.base.as_ref()?.target.as_ref()
}

/// All that a CronHPA claims: what it aims at, and what still has to get back what it had.
pub fn claims(object: &CronHpa) -> Vec<Claim> {
    let claim = claim(object);
    let former = left(object).map(reference).filter(|former| *former != claim.target);
    former.map(|target| Claim { target, ..claim.clone() }).into_iter().chain([claim.clone()]).collect()
}

/// What a CronHPA claims.
pub fn claim(object: &CronHpa) -> Claim {
    // An object without a time was never stored: it is the youngest.
    let made = object.creation_timestamp().map_or(DateTime::<Utc>::MAX_UTC, |made| from_wire(&made));
    Claim { made, name: object.name_any(), target: reference(&object.spec.scale_target_ref) }
}

/// The group and not the version makes a kind.
pub fn reference(target: &ScaleTargetRef) -> Reference {
    named(&target.api_version, &target.kind, &target.name)
}

/// Whether `at` is among what a CronHPA [`claims`], without making them.
pub fn is_claiming(object: &CronHpa, at: &Reference) -> bool {
    left(object).into_iter().chain([&object.spec.scale_target_ref]).any(|target| aims_at(target, at))
}

/// Whether a CronHPA with this target aims at `at`: as comparing [`reference()`]s, without making one.
pub fn aims_at(target: &ScaleTargetRef, at: &Reference) -> bool {
    target.name == at.name && target.kind == at.kind && group_of(&target.api_version) == at.group
}

fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _version)| group)
}

/// As [`reference()`], of its parts.
pub fn named(api_version: &str, kind: &str, name: &str) -> Reference {
    Reference { group: group_of(api_version).to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}

/// Identifies a target: half of a fingerprint's digits.
fn mark(target: &ScaleTargetRef) -> String {
    let Reference { group, kind, name } = reference(target);
    let mut mark = fingerprint([group.as_str(), &kind, &name]);
    mark.truncate(8);
    mark
}

fn aim(target: &ScaleTargetRef) -> Aim {
    let Reference { group, kind, .. } = reference(target);
    match (group.as_str(), kind.as_str()) {
        (fedscaler_crds::GROUP, "FedHPA") => Aim::FedHpa,
        ("autoscaling", "HorizontalPodAutoscaler") => Aim::Hpa,
        _ => Aim::Workload,
    }
}

fn policy(spec: &CronHpaSpec, target_mark: &str) -> Policy {
    let aim = aim(&spec.scale_target_ref);
    let mut faults = Vec::new();
    let mut rules = BTreeMap::new();
    for wire in &spec.rules {
        let admitted = rule(spec, wire, aim, target_mark).map_err(|bad| bad.to_string());
        let is_second = rules.contains_key(&wire.name);
        match admitted {
            Ok(_) if is_second => faults.push(fault(wire, "there are two rules of this name".to_owned())),
            Ok(rule) => {
                rules.insert(wire.name.clone(), rule);
            }
            Err(reason) => faults.push(fault(wire, reason)),
        }
    }
    Policy {
        aim,
        rules,
        days_off: days_off(&spec.exclude, &mut faults),
        suspension: suspension(spec.suspend, spec.suspend_until.as_ref()),
        history_limit: usize::try_from(spec.history_limit).unwrap_or(0),
        faults,
    }
}

fn fault(wire: &CronRule, reason: String) -> Fault {
    Fault { rule: Some(wire.name.clone()), reason }
}

fn days_off(exclude: &Exclude, faults: &mut Vec<Fault>) -> DaysOff {
    let mut days_off = DaysOff::NONE;
    for dates in &exclude.dates {
        if let Err(bad) = days_off.add(dates) {
            faults.push(Fault { rule: None, reason: format!("exclude.dates: {bad}") });
        }
    }
    days_off
}

fn rule(spec: &CronHpaSpec, wire: &CronRule, aim: Aim, target_mark: &str) -> Result<Rule, BadRule> {
    let zone_name = wire.time_zone.as_ref().unwrap_or(&spec.time_zone);
    let zone: Zone = zone_name.parse()?;
    let schedule = |text: &str| Ok::<_, BadSchedule>(Schedule::new(Pattern::parse(text)?, zone));
    let timing = match (&wire.schedule, &wire.start, &wire.end) {
        (Some(text), None, None) => Timing::Point(schedule(text)?),
        (None, Some(start), Some(end)) => {
            Timing::Window(Window { start: schedule(start)?, end: schedule(end)? })
        }
        _ => return Err(BadRule::Timing),
    };
    let texts = [&wire.schedule, &wire.start, &wire.end].map(|text| text.as_deref().unwrap_or_default());
    let once = wire.run_once.then_some("once");
    let timing_mark = fingerprint(texts.into_iter().chain([zone_name.as_str()]).chain(once));
    Ok(Rule {
        timing,
        sets: fitting(sets(wire)?, aim, &spec.scale_target_ref.kind)?,
        priority: wire.priority,
        deadline: deadline(wire)?,
        lead: lead(wire)?,
        frequency: if wire.run_once { Frequency::Once } else { Frequency::Always },
        suspension: suspension(wire.suspend, wire.suspend_until.as_ref()),
        fingerprint: format!("{timing_mark}-{target_mark}"),
    })
}

fn sets(wire: &CronRule) -> Result<Sets, BadRule> {
    let min = wire.min_replicas.map(|min| whole("minReplicas", min)).transpose()?;
    let max = wire.max_replicas.map(|max| whole("maxReplicas", max)).transpose()?;
    match (min, max, wire.target_replicas) {
        (None, None, Some(count)) => Ok(Sets::Count(whole("targetReplicas", count)?)),
        (None, None, None) | (_, _, Some(_)) => Err(BadRule::Sets),
        (Some(min), Some(max), None) if min > max => Err(BadRule::MinAboveMax { min, max }),
        (_, Some(0), None) => Err(BadRule::Range { field: "maxReplicas", value: 0, range: "1 or more" }),
        (min, max, None) => Ok(Sets::Bounds { min, max }),
    }
}

fn fitting(sets: Sets, aim: Aim, kind: &str) -> Result<Sets, BadRule> {
    match (aim, sets) {
        (Aim::FedHpa | Aim::Hpa, Sets::Count(_)) => {
            Err(BadRule::CountForAutoscaler { kind: kind.to_owned() })
        }
        (Aim::Workload, Sets::Bounds { .. }) => Err(BadRule::BoundsForWorkload { kind: kind.to_owned() }),
        (Aim::FedHpa | Aim::Hpa, Sets::Bounds { .. }) | (Aim::Workload, Sets::Count(_)) => Ok(sets),
    }
}

fn deadline(wire: &CronRule) -> Result<Option<TimeDelta>, BadRule> {
    let bad = |value| BadRule::Range { field: "startingDeadlineSeconds", value, range: "from 1 to 31536000" };
    let deadline = wire.starting_deadline_seconds.map(|seconds| {
        let in_range = (1..=31_536_000).contains(&seconds);
        in_range.then(|| TimeDelta::seconds(seconds)).ok_or_else(|| bad(seconds))
    });
    deadline.transpose()
}

fn lead(wire: &CronRule) -> Result<TimeDelta, BadRule> {
    let value = wire.lead_seconds;
    if (0..=86_400).contains(&value) {
        Ok(TimeDelta::seconds(value))
    } else {
        Err(BadRule::Range { field: "leadSeconds", value, range: "from 0 to 86400" })
    }
}

fn suspension(suspend: bool, until: Option<&Time>) -> Suspension {
    let until = until.map_or(Suspension::Not, |end| Suspension::Until(from_wire(end)));
    if suspend { Suspension::Always } else { until }
}

fn whole(field: &'static str, value: i32) -> Result<u32, BadRule> {
    u32::try_from(value).map_err(|_| BadRule::Range { field, value: value.into(), range: "0 or more" })
}
