//! From Karmada's CronFederatedHPA.
//!
//! Responsible for what its rules mean, as `pkg/controllers/cronfederatedhpa` has it: five fields, read by robfig/cron 3.
//! Knows nothing of files.

use fedscaler_core::schedule::{BadSchedule, Pattern, Zone};

use super::{
    Terms,
    manifest::{Draft, Head, Rule},
    target::{Aim, Target},
    tree::{At, Flaw, Node},
};

/// The zone of containers that are told none.
const ZONE: &str = "UTC";

/// How many slots of each result Karmada keeps unless it is told.
const DEFAULT_HISTORY: i32 = 3;

/// The most slots that a CronHPA keeps.
const MOST_HISTORY: i32 = 50;

const FIELDS: [&str; 9] = [
    "name",
    "schedule",
    "targetReplicas",
    "targetMinReplicas",
    "targetMaxReplicas",
    "suspend",
    "timeZone",
    "successfulHistoryLimit",
    "failedHistoryLimit",
];

/// The CronHPA that does what the object did.
pub(super) fn converted(object: &Node, terms: &Terms) -> Result<Draft, Flaw> {
    let head = Head::of(object)?;
    let spec = object.required("spec")?;
    let target = Target::of(spec.required("scaleTargetRef")?)?;
    let mut draft = Draft::new(head, target.reference.clone());
    draft.leave_out_unknown(spec, &["scaleTargetRef", "rules"]);
    target.tell(&mut draft);
    for node in spec.list("rules")? {
        if let Some(rule) = rule(node, &target, &mut draft)? {
            draft.spec.rules.push(rule);
        }
    }
    if draft.spec.rules.iter().any(|rule| rule.time_zone.is_none()) {
        draft.spec.time_zone = Some(terms.zone_or(ZONE));
        if terms.time_zone.is_none() {
            draft.say(
                spec.line,
                format!(
                    "rules without timeZone were read in the zone of \
                karmada-controller-manager's process; {ZONE} is what a container has unless it \
                is told: if yours had another, convert with --time-zone"
                ),
            );
        }
    }
    draft.spec.history_limit = history(spec, &mut draft)?;
    Ok(draft)
}

fn rule(node: &Node, target: &Target, draft: &mut Draft) -> Result<Option<Rule>, Flaw> {
    draft.leave_out_unknown(node, &FIELDS);
    let written = node.required_text("name")?;
    let schedule = node.required_text("schedule")?;
    if !comes(written, schedule, draft)? {
        return Ok(None);
    }
    let mut rule = Rule {
        name: draft.rule_name(written.line, written.value),
        schedule: schedule.value.trim().to_owned(),
        time_zone: zone(node)?,
        suspend: node.flag("suspend")?,
        ..Rule::default()
    };
    let count = node.replicas("targetReplicas")?;
    let (min, max) = (node.replicas("targetMinReplicas")?, node.replicas("targetMaxReplicas")?);
    let unheeded = match (target.aim, count, min, max) {
        (Aim::Hpa, ..) => {
            draft.leave_out(
                node.line,
                format!(
                    "rule {} is left out: an HPA has bounds and no \
                count, so that it cannot have worked over there; write minReplicas and \
                maxReplicas, or name the workload",
                    rule.name
                ),
            );
            return Ok(None);
        }
        (Aim::Workload, None, ..) => return Err(node.flaw("targetReplicas is missing")),
        (Aim::Workload, Some(count), min, max) => {
            rule.target_replicas = Some(count.value);
            vec![min.map(|_| "targetMinReplicas"), max.map(|_| "targetMaxReplicas")]
        }
        (Aim::FedHpa, _, None, None) => {
            return Err(node.flaw("targetMinReplicas and targetMaxReplicas are missing"));
        }
        (Aim::FedHpa, count, min, max) => {
            (rule.min_replicas, rule.max_replicas) = (bound(min)?, bound(max)?);
            vec![count.map(|_| "targetReplicas")]
        }
    };
    for field in unheeded.into_iter().flatten() {
        draft.say(
            node.line,
            format!("rule {}: {field} is left out, it was not heeded over there either", rule.name),
        );
    }
    Ok(Some(rule))
}

/// Whether a schedule ever comes. One that Karmada's controller cannot read either is a flaw.
fn comes(name: At<&str>, schedule: At<&str>, draft: &mut Draft) -> Result<bool, Flaw> {
    let text = schedule.value.trim();
    let flaw = |words: String| Flaw { line: schedule.line, words: format!("rule {}: {words}", name.value) };
    let fields = text.split_whitespace().count();
    if !text.starts_with('@') && fields != 5 {
        return Err(flaw(format!("{text:?} has {fields} fields: Karmada's controller takes five")));
    }
    let left_out = match Pattern::parse(text) {
        Ok(_) => return Ok(true),
        Err(BadSchedule::Never { .. }) => "no date matches its schedule",
        Err(_) if text.starts_with("@every ") => {
            "@every counts from the start of the controller; write the times as a cron \
                expression, such as */30 * * * *"
        }
        Err(bad) => return Err(flaw(bad.to_string())),
    };
    draft.leave_out(schedule.line, format!("rule {} is left out: {left_out}", name.value));
    Ok(false)
}

fn zone(node: &Node) -> Result<Option<String>, Flaw> {
    let Some(zone) = node.text("timeZone")? else { return Ok(None) };
    let flaw = |bad| Flaw { line: zone.line, words: format!("timeZone: {bad}") };
    let known: Zone =
        zone.value.parse().map_err(|bad: fedscaler_core::schedule::BadZone| flaw(bad.to_string()))?;
    Ok(Some(known.to_string()))
}

fn bound(bound: Option<At<i32>>) -> Result<Option<i32>, Flaw> {
    match bound {
        Some(At { line, value: 0 }) => {
            Err(Flaw { line, words: "Karmada takes no bound of 0: give 1 or more".to_owned() })
        }
        bound => Ok(bound.map(|bound| bound.value)),
    }
}

/// One limit for all results of all rules, where Karmada has two for each rule.
fn history(spec: &Node, draft: &mut Draft) -> Result<Option<i32>, Flaw> {
    let mut most = None;
    let mut line = spec.line;
    for rule in spec.list("rules")? {
        let limits = [rule.replicas("successfulHistoryLimit")?, rule.replicas("failedHistoryLimit")?];
        if let Some(first) = limits.iter().flatten().next() {
            let sum = limits.iter().map(|limit| limit.map_or(DEFAULT_HISTORY, |limit| limit.value));
            if most.is_none() {
                line = first.line;
            }
            most = most.max(Some(sum.fold(0, i32::saturating_add)));
        }
    }
    let most = most.map(|most| most.min(MOST_HISTORY));
    if let Some(most) = most {
        draft.say(
            line,
            format!(
                "a CronHPA has one historyLimit, for all rules and results: \
            {most}, the largest sum of the two"
            ),
        );
    }
    Ok(most)
}
