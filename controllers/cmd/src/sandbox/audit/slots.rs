//! Whether every slot of every CronHPA is accounted for, once.
//!
//! Responsible for counting the slots that should have been since a rule was first seen, one by one from its schedule,
//! and for comparing them with what the status says became of them.

use chrono::{DateTime, TimeDelta, Utc};
use fedscaler_core::{cronhpa::policy::Timing, schedule::Schedule};
use fedscaler_crds::{CronHpa, cronhpa::RuleStatus};
use fedscaler_cronhpa::admit::admit;
use fedscaler_runtime::time::from_wire;

/// A slot is looked at within a second of its time; a write and its retries take some more.
const LATEST: TimeDelta = TimeDelta::seconds(30);

/// What is wrong with the accounts of a CronHPA, if something is.
pub fn unaccounted(object: &CronHpa, now: DateTime<Utc>) -> Option<String> {
    let admitted = admit(object).ok()?;
    let rules = object.status.iter().flat_map(|status| &status.rules);
    rules.into_iter().find_map(|rule| {
        let timing = &admitted.policy.rules.get(&rule.name)?.timing;
        off(rule, timing, now).map(|words| format!("rule {}: {words}", rule.name))
    })
}

fn off(rule: &RuleStatus, timing: &Timing, now: DateTime<Utc>) -> Option<String> {
    let since = from_wire(&rule.first_seen_time);
    let through = rule.last_handled_time.as_ref().map_or(since, from_wire);
    let counts = rule.counts;
    let counted = counts.applied
        + counts.superseded
        + counts.excluded
        + counts.suspended
        + counts.missed
        + counts.failed;
    let due = slots(timing, since, through);
    if counted != due {
        return Some(format!("{due} slots were due until {through}, {counted} are accounted for"));
    }
    let waiting = slots(timing, through, now - LATEST);
    (waiting > 0).then(|| format!("{waiting} slots are due and not accounted for"))
}

fn slots(timing: &Timing, after: DateTime<Utc>, until: DateTime<Utc>) -> i64 {
    match timing {
        Timing::Point(schedule) => one_by_one(schedule, after, until),
        Timing::Window(window) => {
            one_by_one(&window.start, after, until) + one_by_one(&window.end, after, until)
        }
    }
}

fn one_by_one(schedule: &Schedule, after: DateTime<Utc>, until: DateTime<Utc>) -> i64 {
    let slots = std::iter::successors(schedule.next_after(after), |slot| schedule.next_after(*slot));
    i64::try_from(slots.take_while(|slot| *slot <= until).count()).unwrap_or(i64::MAX)
}
