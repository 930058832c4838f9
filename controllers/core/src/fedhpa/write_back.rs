//! Keeps the control plane's numbers true: template, binding and members.
//!
//! Responsible for when a write-back round may start, what it writes and when it is done. The state is in the
//! objects; the status remembers only the version that the last scale write returned. Knows nothing of where
//! the counts come from.
//!
//! One round: the binding's `{replicas, clusters}` in one patch, at once the template's `/scale`, done when the
//! binding has caught up with the version that the scale write returned. A round starts only when the last is
//! done, since the detector's lag would let an older template value hit a newer binding.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::facts::{Binding, Resets, Round, Template};

/// After this many resets within the window the workload is contested.
pub const CONTESTED_AFTER: u32 = 3;
/// The window that resets are counted in.
pub const RESET_WINDOW: TimeDelta = TimeDelta::minutes(10);
/// While contested, the number is still repaired, but only this often.
const CONTESTED_INTERVAL: TimeDelta = TimeDelta::minutes(5);
/// Numbers that have been equal for so long count as acknowledged where the version was lost.
const EQUAL_LONG_ENOUGH: TimeDelta = TimeDelta::seconds(5);

/// A round that was cut off may never be acknowledged; after so long no older template value is on its way.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::minutes(1);

/// What a write-back needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The true number for each cluster that should be in the binding.
    pub counts: &'a BTreeMap<String, u32>,
    /// The binding.
    pub binding: &'a Binding,
    /// The template.
    pub template: &'a Template,
    /// The last round.
    pub round: Option<&'a Round>,
    /// Resets so far.
    pub resets: Resets,
    /// Shortest time between two starts.
    pub interval: Duration,
    /// The time of the decision.
    pub now: DateTime<Utc>,
}

/// What to do about the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All agree; the last round, if it was open, is done.
    True,
    /// The last round is not done yet, or the next may not start yet; look again then at the latest.
    Wait {
        /// Why.
        why: Waiting,
        /// When.
        until: DateTime<Utc>,
    },
    /// Write these numbers now.
    Write {
        /// Others had set the template's replicas.
        repairs_reset: bool,
    },
}

/// Why a write-back waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The detector has not brought the template's version to the binding yet.
    Detector,
    /// Changes are gathered until the interval has passed.
    Interval,
    /// Others keep resetting the number.
    Backoff,
}

/// The answer for this moment. Stateless: asked again with the same facts it is the same.
pub fn answer(question: &Question<'_>) -> Answer {
    if numbers_true(question) {
        return Answer::True;
    }
    let reset = reset_by_others(question);
    match question.round {
        Some(round) if !acknowledged(round, question.binding, question.template, question.now) && !reset => {
            Answer::Wait { why: Waiting::Detector, until: acknowledged_by(round, question.now) }
        }
        Some(round) => {
            let (why, earliest) = earliest_start(question, round, reset);
            if question.now < earliest {
                return Answer::Wait { why, until: earliest };
            }
            Answer::Write { repairs_reset: reset }
        }
        None => Answer::Write { repairs_reset: reset },
    }
}

fn earliest_start(question: &Question<'_>, round: &Round, reset: bool) -> (Waiting, DateTime<Utc>) {
    if reset {
        return (Waiting::Backoff, round.started + reset_backoff(question.resets, question.now));
    }
    // A binding that already has the numbers is a round that was cut off after its first write: finish it at once.
    let interval = if binding_true(question) { TimeDelta::zero() } else { delta(question.interval) };
    (Waiting::Interval, round.started + interval)
}

/// Template, binding, its clusters and what the members run are one number.
pub fn numbers_true(question: &Question<'_>) -> bool {
    question.template.replicas == sum(question.counts) && binding_true(question)
}

fn binding_true(question: &Question<'_>) -> bool {
    question.binding.replicas == sum(question.counts) && question.binding.clusters == *question.counts
}

/// The total of some counts, saturating.
pub fn sum(counts: &BTreeMap<String, u32>) -> u32 {
    counts.values().fold(0, |sum, count| sum.saturating_add(*count))
}

/// When to look again at a round that no version acknowledges.
pub fn acknowledged_by(round: &Round, now: DateTime<Utc>) -> DateTime<Utc> {
    let due = round.started + EQUAL_LONG_ENOUGH;
    if due > now { due } else { now + EQUAL_LONG_ENOUGH }
}

/// Whether the binding has caught up with the version that the round's scale write returned. Three numbers that
/// have been equal for long enough count too: the version may be lost, and a scale write that changes nothing
/// (share moved between clusters, the sum stayed) returns one that the detector never brings, since it passes
/// over changes of status.
pub fn acknowledged(round: &Round, binding: &Binding, template: &Template, now: DateTime<Utc>) -> bool {
    if round.acknowledged.is_some() {
        return true;
    }
    let caught_up = match (binding.template_version.parse::<u128>(), round.template_version.parse::<u128>()) {
        (Ok(seen), Ok(written)) => seen >= written,
        (Err(_), _) | (_, Err(_)) => binding.template_version == round.template_version,
    };
    let equal = binding.replicas == template.replicas && binding.replicas == sum(&binding.clusters);
    let passed = now - round.started;
    caught_up || (equal && passed >= EQUAL_LONG_ENOUGH) || passed >= GIVEN_UP_AFTER
}

/// The template has a number that is neither our last one nor that of a round which was cut off after its writes:
/// then the binding's clusters, which nobody else divides while scheduling is held, add up to it.
fn reset_by_others(question: &Question<'_>) -> bool {
    let replicas = question.template.replicas;
    question.round.is_some_and(|round| replicas != round.replicas)
        && replicas != sum(&question.binding.clusters)
}

/// The count of resets after one more at `now`.
pub fn one_more(resets: Resets, now: DateTime<Utc>) -> Resets {
    match resets.since {
        Some(since) if now - since < RESET_WINDOW => {
            Resets { count: resets.count.saturating_add(1), since: Some(since) }
        }
        Some(_) | None => Resets { count: 1, since: Some(now) },
    }
}

/// Whether others have reset the number too often within the window.
pub fn contested(resets: Resets, now: DateTime<Utc>) -> bool {
    resets.count >= CONTESTED_AFTER && resets.since.is_some_and(|since| now - since < RESET_WINDOW)
}

fn reset_backoff(resets: Resets, now: DateTime<Utc>) -> TimeDelta {
    if contested(resets, now) {
        CONTESTED_INTERVAL
    } else {
        TimeDelta::seconds(1_i64 << resets.count.min(CONTESTED_AFTER))
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests;
