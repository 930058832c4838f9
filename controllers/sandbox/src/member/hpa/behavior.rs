//! What an autoscaler remembers between syncs, and how it holds a proposal back: stabilisation windows, rate policies
//! and bounds. Does not know where a proposal comes from.

use super::spec::{Behavior, PolicyKind, ScalingPolicy, ScalingRules, Select};
use chrono::{DateTime, TimeDelta, Utc};

/// The controller's own stabilisation window downwards where there is no behaviour.
const DOWN_WINDOW: i64 = 300;

/// Recommendations and scale events of one autoscaler. It lives in the controller, not in the object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    recommendations: Vec<(DateTime<Utc>, i64)>,
    ups: Vec<(DateTime<Utc>, i64)>,
    downs: Vec<(DateTime<Utc>, i64)>,
}

/// The bounds of a sync, and where it starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) min: i64,
    pub(super) max: i64,
    pub(super) current: i64,
}

/// A reason and its sentence.
type Words = (&'static str, &'static str);

/// A proposal after windows, policies and bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Normalised {
    pub(super) replicas: i64,
    pub(super) stabilised: i64,
    pub(super) stabilisation: Words,
    pub(super) limit: Words,
}

const WITHIN: Words = ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_MANY: Words =
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const TOO_FEW: Words = ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const UP_LIMIT: Words =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const DOWN_LIMIT: Words =
    ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate");
const UP_STABILISED: Words = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);
const DOWN_STABILISED: Words = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
);

impl Memory {
    /// The first sync takes what runs for a recommendation, so that a new autoscaler does not scale down at once.
    pub(super) fn begin(&mut self, current: i64, now: DateTime<Utc>) {
        if self.recommendations.is_empty() {
            self.recommendations.push((now, current));
        }
    }

    /// Remembers a change of the scale, for the policies.
    pub(super) fn scaled(&mut self, behavior: Option<&Behavior>, from: i64, to: i64, now: DateTime<Utc>) {
        let Some(behavior) = behavior else { return };
        let (events, rules) =
            if to > from { (&mut self.ups, &behavior.up) } else { (&mut self.downs, &behavior.down) };
        let longest = rules.policies.iter().map(|policy| policy.seconds).max().unwrap_or_default();
        events.retain(|(at, _)| *at > now - TimeDelta::seconds(longest));
        events.push((now, (to - from).abs()));
    }

    /// Holds a proposal back by windows, then by policies and bounds.
    pub(super) fn normalise(
        &mut self,
        behavior: Option<&Behavior>,
        limits: Limits,
        proposed: i64,
        now: DateTime<Utc>,
    ) -> Normalised {
        let (stabilised, stabilisation) = match behavior {
            Some(behavior) => self.stabilise(behavior, limits.current, proposed, now),
            None => (self.highest_since(DOWN_WINDOW, proposed, now), DOWN_STABILISED),
        };
        let longest = behavior.map_or(DOWN_WINDOW, |both| both.up.window.max(both.down.window));
        self.recommendations.retain(|(at, _)| *at >= now - TimeDelta::seconds(longest));
        self.recommendations.push((now, proposed));
        let (replicas, limit) = match behavior {
            Some(behavior) => self.limit(behavior, limits, stabilised, now),
            None => limit_simply(limits, stabilised),
        };
        Normalised { replicas, stabilised, stabilisation, limit }
    }

    /// Without a behaviour a recommendation that is exactly as old as the window still counts.
    fn highest_since(&self, seconds: i64, proposed: i64, now: DateTime<Utc>) -> i64 {
        let cutoff = now - TimeDelta::seconds(seconds);
        let counting = self.recommendations.iter().filter(|(at, _)| *at >= cutoff);
        counting.map(|(_, recommended)| *recommended).fold(proposed, i64::max)
    }

    fn recent(&self, seconds: i64, now: DateTime<Utc>) -> impl Iterator<Item = i64> {
        let cutoff = now - TimeDelta::seconds(seconds);
        self.recommendations.iter().filter(move |(at, _)| *at > cutoff).map(|(_, recommended)| *recommended)
    }

    fn stabilise(
        &self,
        behavior: &Behavior,
        current: i64,
        proposed: i64,
        now: DateTime<Utc>,
    ) -> (i64, Words) {
        let lowest = self.recent(behavior.up.window, now).fold(proposed, i64::min);
        let highest = self.recent(behavior.down.window, now).fold(proposed, i64::max);
        let words = if proposed >= current { UP_STABILISED } else { DOWN_STABILISED };
        (current.max(lowest).min(highest), words)
    }

    fn limit(&self, behavior: &Behavior, limits: Limits, wanted: i64, now: DateTime<Utc>) -> (i64, Words) {
        let Limits { min, max, current } = limits;
        if wanted > current {
            let fastest = self.ceiling(&behavior.up, current, now).max(current);
            let (most, words) = if max > fastest { (fastest, UP_LIMIT) } else { (max, TOO_MANY) };
            return if wanted > most { (most, words) } else { (wanted, WITHIN) };
        }
        if wanted < current {
            let fastest = self.floor(&behavior.down, current, now).min(current);
            let (least, words) = if min < fastest { (fastest, DOWN_LIMIT) } else { (min, TOO_FEW) };
            return if wanted < least { (least, words) } else { (wanted, WITHIN) };
        }
        (wanted, WITHIN)
    }

    fn ceiling(&self, rules: &ScalingRules, current: i64, now: DateTime<Utc>) -> i64 {
        let allowed = rules.policies.iter().map(|policy| {
            let start = self.at_period_start(policy, current, now);
            match policy.kind {
                PolicyKind::Pods => start + policy.value,
                PolicyKind::Percent => grown(start, policy.value),
            }
        });
        match rules.select {
            Select::Disabled => current,
            Select::Max => allowed.max().unwrap_or(current),
            Select::Min => allowed.min().unwrap_or(current),
        }
    }

    fn floor(&self, rules: &ScalingRules, current: i64, now: DateTime<Utc>) -> i64 {
        let allowed = rules.policies.iter().map(|policy| {
            let start = self.at_period_start(policy, current, now);
            match policy.kind {
                PolicyKind::Pods => start - policy.value,
                PolicyKind::Percent => shrunk(start, policy.value),
            }
        });
        match rules.select {
            Select::Disabled => current,
            Select::Max => allowed.min().unwrap_or(current),
            Select::Min => allowed.max().unwrap_or(current),
        }
    }

    fn at_period_start(&self, policy: &ScalingPolicy, current: i64, now: DateTime<Utc>) -> i64 {
        let cutoff = now - TimeDelta::seconds(policy.seconds);
        let sum = |events: &[(DateTime<Utc>, i64)]| -> i64 {
            events.iter().filter(|(at, _)| *at > cutoff).map(|(_, change)| change).sum()
        };
        current - sum(&self.ups) + sum(&self.downs)
    }
}

/// The rules without a behaviour: at most double or four, and the bounds.
fn limit_simply(limits: Limits, wanted: i64) -> (i64, Words) {
    let fastest = (2 * limits.current).max(4);
    let (most, words) = if limits.max > fastest { (fastest, UP_LIMIT) } else { (limits.max, TOO_MANY) };
    if wanted < limits.min {
        return (limits.min, TOO_FEW);
    }
    if wanted > most { (most, words) } else { (wanted, WITHIN) }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the real controller computes in double floats too"
)]
fn grown(start: i64, percent: i64) -> i64 {
    (start as f64 * (1.0 + percent as f64 / 100.0)).ceil() as i64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the real controller computes in double floats too"
)]
fn shrunk(start: i64, percent: i64) -> i64 {
    (start as f64 * (1.0 - percent as f64 / 100.0)) as i64
}
