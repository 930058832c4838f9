//! Composes the totals: the spec, and what CronHPAs hold at this moment.
//!
//! Responsible for which number is in force and who set it. Knows nothing of how a CronHPA found its bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::Bounds;

/// Bounds that a CronHPA publishes for this FedHPA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Published {
    /// Name of the CronHPA.
    pub cron_hpa: String,
    /// The min in force there and its rule.
    pub min: Option<Set>,
    /// The max in force there and its rule.
    pub max: Option<Set>,
}

/// One bound that a rule sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Set {
    /// Replicas.
    pub replicas: u32,
    /// The rule behind it.
    pub rule: String,
}

/// The totals in force and where each comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The totals.
    pub bounds: Bounds,
    /// `CRONHPA/RULE` behind the min; `None` is the spec.
    pub min_rule: Option<String>,
    /// `CRONHPA/RULE` behind the max; `None` is the spec.
    pub max_rule: Option<String>,
    /// Which bound had to give way to the other, if any did.
    pub yielded: Option<Yielded>,
}

/// A bound that moved to meet the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yielded {
    /// The min was lowered to the max, from this.
    Min(u32),
    /// The max was raised to the min, from this.
    Max(u32),
}

/// What holds: each bound from the CronHPA that owns this target if it sets it, else from the spec. Where min
/// would exceed max, a rule's bound stands against the spec's (a CronHPA publishes bounds that fit together; should
/// they not, min stands). A max of 0 is raised to 1: an HPA needs at least one.
pub fn in_force(spec: Bounds, published: Option<&Published>) -> InForce {
    let set_min = published.and_then(|by| by.min.as_ref());
    let set_max = published.and_then(|by| by.max.as_ref());
    let mut bounds = Bounds {
        min: set_min.map_or(spec.min, |set| set.replicas),
        max: set_max.map_or(spec.max, |set| set.replicas).max(1),
    };
    let mut yielded = None;
    if bounds.min > bounds.max {
        if set_max.is_some() && set_min.is_none() {
            yielded = Some(Yielded::Min(bounds.min));
            bounds.min = bounds.max;
        } else {
            yielded = Some(Yielded::Max(bounds.max));
            bounds.max = bounds.min;
        }
    }
    let named =
        |set: Option<&Set>| published.and_then(|by| set.map(|set| format!("{}/{}", by.cron_hpa, set.rule)));
    InForce { bounds, min_rule: named(set_min), max_rule: named(set_max), yielded }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(replicas: u32) -> Set {
        Set { replicas, rule: "r".into() }
    }

    fn by(min: impl Into<Option<Set>>, max: impl Into<Option<Set>>) -> Published {
        Published { cron_hpa: "c".into(), min: min.into(), max: max.into() }
    }

    const SPEC: Bounds = Bounds { min: 6, max: 60 };

    #[test]
    fn without_a_cronhpa_the_spec_holds() {
        assert_eq!(in_force(SPEC, None).bounds, SPEC);
        assert_eq!(in_force(SPEC, Some(&by(None, None))).min_rule, None);
    }

    #[test]
    fn each_bound_is_composed_alone() {
        let held = in_force(SPEC, Some(&by(set(40), None)));
        assert_eq!(held.bounds, Bounds { min: 40, max: 60 });
        assert_eq!((held.min_rule.as_deref(), held.max_rule), (Some("c/r"), None));
    }

    #[test]
    fn a_min_above_the_specs_max_raises_the_max() {
        let held = in_force(SPEC, Some(&by(set(100), None)));
        assert_eq!((held.bounds, held.yielded), (Bounds::pinned(100), Some(Yielded::Max(60))));
    }

    #[test]
    fn a_max_below_the_specs_min_lowers_the_min() {
        let held = in_force(SPEC, Some(&by(None, set(4))));
        assert_eq!((held.bounds, held.yielded), (Bounds::pinned(4), Some(Yielded::Min(6))));
    }

    #[test]
    fn of_two_rules_that_do_not_fit_together_the_min_stands() {
        assert_eq!(in_force(SPEC, Some(&by(set(9), set(4)))).bounds, Bounds::pinned(9));
    }

    #[test]
    fn a_max_of_zero_counts_as_one() {
        assert_eq!(in_force(SPEC, Some(&by(set(0), set(0)))).bounds, Bounds { min: 0, max: 1 });
    }
}
