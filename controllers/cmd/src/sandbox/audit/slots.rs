//! Whether every slot of every CronHPA is accounted for, once.
//!
//! Responsible for counting the slots that should have been since a rule was first seen, one by one from its schedule,
//! and for comparing them with what the status says became of them.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use fedscaler_core::{
    cronhpa::policy::{Rule, Timing},
    schedule::Schedule,
};
use fedscaler_crds::{CronHpa, cronhpa::RuleStatus};
use fedscaler_cronhpa::admit::admit;
use fedscaler_runtime::time::from_wire;

/// A slot is looked at within a second of its time; a write and its retries take some more.
const LATEST: TimeDelta = TimeDelta::seconds(30);

/// What is wrong with the accounts of a CronHPA, if something is.
pub fn unaccounted(object: &CronHpa, now: DateTime<Utc>) -> Option<String> {
    let admitted = admit(object).ok()?;
    let statuses = object.status.iter().flat_map(|status| &status.rules);
    statuses.into_iter().find_map(|status| {
        let rule = admitted.policy.rules.get(&status.name)?;
        off(status, rule, now).map(|words| format!("rule {}: {words}", status.name))
    })
}

fn off(status: &RuleStatus, rule: &Rule, now: DateTime<Utc>) -> Option<String> {
    let since = from_wire(&status.first_seen_time);
    let through = status.last_handled_time.as_ref().map_or(since, from_wire);
    // What a rule leads is accounted for before its time; a window's end is not.
    let ends = status.accounted_time.as_ref().map_or(through, from_wire);
    let counts = status.counts;
    let counted = counts.applied
        + counts.superseded
        + counts.excluded
        + counts.suspended
        + counts.missed
        + counts.failed;
    let once = status.once_slot_time.as_ref().map(from_wire);
    let due = slots(rule, once, since..through, since..ends);
    if counted != due {
        return Some(format!("{due} slots were due until {through}, {counted} are accounted for"));
    }
    let waiting = slots(rule, once, through..now - LATEST, ends..now - LATEST);
    (waiting > 0).then(|| format!("{waiting} slots are due and not accounted for"))
}

/// How many slots of the rule lie after the beginning and until the end of a span, one span for ends of windows and one
/// for all else. A rule that has run once has no more, except that its window closes.
fn slots(
    rule: &Rule,
    once: Option<DateTime<Utc>>,
    begins: Range<DateTime<Utc>>,
    ends: Range<DateTime<Utc>>,
) -> i64 {
    let last = |until: DateTime<Utc>, last: Option<DateTime<Utc>>| last.map_or(until, |last| last.min(until));
    match &rule.timing {
        Timing::Point(schedule) => one_by_one(schedule, begins.start, last(begins.end, once)),
        Timing::Window(window) => {
            let closes = once.and_then(|once| window.end.next_after(once));
            one_by_one(&window.start, begins.start, last(begins.end, once))
                + one_by_one(&window.end, ends.start, last(ends.end, closes))
        }
    }
}

fn one_by_one(schedule: &Schedule, after: DateTime<Utc>, until: DateTime<Utc>) -> i64 {
    let slots = std::iter::successors(schedule.next_after(after), |slot| schedule.next_after(*slot));
    i64::try_from(slots.take_while(|slot| *slot <= until).count()).unwrap_or(i64::MAX)
}
