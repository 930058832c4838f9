//! What the user asked for, as domain types that cannot be wrong.
//!
//! `admit` in the controller makes these from the wire; after that no field is optional that has a default.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A lower and an upper number of replicas, `min <= max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Lowest number of replicas.
    pub min: u32,
    /// Highest number of replicas.
    pub max: u32,
}

impl Bounds {
    /// Bounds that allow one number only.
    pub fn pinned(replicas: u32) -> Self {
        Self { min: replicas, max: replicas }
    }
}

/// One FedHPA as its user wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Totals over all clusters, before any CronHPA.
    pub bounds: Bounds,
    /// How the totals are divided.
    pub distribution: Distribution,
    /// When an existing division is left for a better one.
    pub rebalance: Rebalance,
    /// Percent of each cluster's free room that is left alone, 0 to 90.
    pub reserve_percent: u32,
    /// Shortest time between the starts of two write-back rounds.
    pub write_back_interval: Duration,
    /// What becomes of HPAs that members already have under the name that ours would bear.
    pub adoption: Adoption,
    /// Hands off: nothing is written while true.
    pub suspended: bool,
}

/// What becomes of HPAs that members already have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// They are left alone and block ours.
    Never,
    /// They are taken over.
    Existing,
}

/// How totals become shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Where weights come from.
    pub strategy: Strategy,
    /// First match wins; unmatched clusters are left out. Empty matches everything.
    pub rules: Vec<ClusterRule>,
}

/// Where a cluster's weight comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Its room, times the weight of its rule.
    Capacity,
    /// The weight of its rule.
    Weighted,
    /// The same for all.
    Even,
}

/// Shapes the share of the clusters that it selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRule {
    /// Which clusters.
    pub selects: Selects,
    /// Terms for each of them.
    pub terms: Terms,
}

/// Which clusters a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selects {
    /// The cluster of this name.
    Name(String),
    /// Clusters whose labels meet every requirement.
    Labels(Vec<Requirement>),
}

/// One requirement of a label selector, with the meaning it has in Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The label has one of these values.
    In(String, Vec<String>),
    /// The label is absent or has none of these values.
    NotIn(String, Vec<String>),
    /// The label is there.
    Exists(String),
    /// The label is not there.
    DoesNotExist(String),
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Self::Exists(key) => labels.contains_key(key),
            Self::DoesNotExist(key) => !labels.contains_key(key),
        }
    }
}

impl Selects {
    /// Whether the rule is about this cluster.
    pub fn cluster(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Name(wanted) => wanted == name,
            Self::Labels(requirements) => requirements.iter().all(|requirement| requirement.holds(labels)),
        }
    }
}

/// What a rule grants one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Lower tiers are filled first.
    pub tier: u32,
    /// Relative weight, at least 1.
    pub weight: u32,
    /// The least that the cluster's min may be.
    pub floor: u32,
    /// The most that the cluster's max may be.
    pub cap: Option<u32>,
    /// The cluster grows its own nodes: room does not limit it.
    pub elastic: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self { tier: 0, weight: 1, floor: 0, cap: None, elastic: false }
    }
}

impl Distribution {
    /// The terms for a cluster; `None` where the rules leave it out.
    pub fn terms(&self, name: &str, labels: &BTreeMap<String, String>) -> Option<Terms> {
        if self.rules.is_empty() {
            return Some(Terms::default());
        }
        self.rules.iter().find(|rule| rule.selects.cluster(name, labels)).map(|rule| rule.terms)
    }
}

/// When an existing division is left for a better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebalance {
    /// Whether a better division is reason enough.
    pub mode: RebalanceMode,
    /// Shortest time between two changes made only because something better was found.
    pub cooldown: Duration,
    /// How far, in percent of the total, the ideal must be away.
    pub tolerance_percent: u32,
}

/// Whether a better division is reason enough to leave a valid one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebalanceMode {
    /// Yes, past tolerance and cooldown.
    Auto,
    /// Only what is invalid, saturated, lost or returned moves share.
    Off,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn rule(selects: Selects, tier: u32) -> ClusterRule {
        ClusterRule { selects, terms: Terms { tier, ..Terms::default() } }
    }

    #[test]
    fn the_first_rule_that_matches_wins_and_unmatched_clusters_are_left_out() {
        let cloud = Selects::Labels(vec![Requirement::In("provider".into(), vec!["cloud".into()])]);
        let rules = vec![rule(Selects::Name("a".into()), 0), rule(cloud.clone(), 1), rule(cloud, 2)];
        let distribution = Distribution { strategy: Strategy::Even, rules };
        let in_cloud = labels(&[("provider", "cloud")]);
        assert_eq!(distribution.terms("a", &in_cloud).map(|t| t.tier), Some(0));
        assert_eq!(distribution.terms("b", &in_cloud).map(|t| t.tier), Some(1));
        assert_eq!(distribution.terms("c", &labels(&[])), None);
    }

    #[test]
    fn without_rules_every_cluster_has_the_default_terms() {
        let distribution = Distribution { strategy: Strategy::Even, rules: Vec::new() };
        assert_eq!(distribution.terms("any", &labels(&[])), Some(Terms::default()));
    }

    #[test]
    fn an_absent_label_satisfies_not_in_as_in_kubernetes() {
        assert!(Requirement::NotIn("a".into(), vec!["x".into()]).holds(&labels(&[])));
        assert!(!Requirement::In("a".into(), vec!["x".into()]).holds(&labels(&[])));
    }
}
