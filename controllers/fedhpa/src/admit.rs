//! From the wire to domain types that cannot be wrong.
//!
//! Responsible for refusing, in plain words, what the schema let through. Knows nothing of the cluster.

use std::{collections::BTreeMap, time::Duration};

use fedscaler_core::fedhpa::policy::{
    Adoption, Bounds, ClusterRule, Distribution, Policy, Rebalance, RebalanceMode, Requirement, Selects,
    Strategy, Terms,
};
use fedscaler_crds::{FedHpa, FedHpaSpec, fedhpa as wire};
use fedscaler_runtime::key::ObjectKey;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt as _;
use thiserror::Error;

use crate::member_hpa::Metrics;

/// A FedHPA that can be acted on.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Namespace and name.
    pub key: ObjectKey,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The uid: what marks the Works that are ours.
    pub uid: String,
    /// The generation that is spoken of.
    pub generation: i64,
    /// What to scale, or to give back.
    pub target: Target,
    /// What the spec names, where `target` is another one that has to be given back first.
    pub next_target: Option<Target>,
    /// What is decided by.
    pub policy: Policy,
    /// Where room is read from.
    pub room: wire::CapacitySource,
    /// What members scale on.
    pub metrics: Metrics,
}

/// The workload that is scaled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// Why an object cannot be acted on as it is written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// A number is out of its range.
    #[error("{field}: {value} is out of range; it must be {range}")]
    OutOfRange {
        /// Path of the field.
        field: &'static str,
        /// What it is.
        value: i64,
        /// What it may be.
        range: &'static str,
    },
    /// min above max.
    #[error("minReplicas {min} is above maxReplicas {max}")]
    MinAboveMax {
        /// The min.
        min: u32,
        /// The max.
        max: u32,
    },
    /// A cluster rule selects nothing or in two ways.
    #[error("distribution.clusters[{index}]: give either name or selector")]
    Selects {
        /// Which rule.
        index: usize,
    },
    /// A selector has an operator that Kubernetes does not know.
    #[error(
        "distribution.clusters[{index}].selector: {operator} is no operator; use In, NotIn, Exists or DoesNotExist"
    )]
    Operator {
        /// Which rule.
        index: usize,
        /// What it says.
        operator: String,
    },
    /// The object is not in a namespace or has no uid: it was never in an API server.
    #[error("the object has no {0}")]
    Unstored(&'static str),
}

/// Admits a FedHPA.
pub fn admit(object: &FedHpa) -> Result<Admitted, Refusal> {
    let spec = &object.spec;
    let target = &spec.scale_target_ref;
    Ok(Admitted {
        key: ObjectKey::of(object),
        namespace: object.namespace().ok_or(Refusal::Unstored("namespace"))?,
        name: object.name_any(),
        uid: object.uid().ok_or(Refusal::Unstored("uid"))?,
        generation: object.metadata.generation.unwrap_or_default(),
        target: Target {
            api_version: target.api_version.clone(),
            kind: target.kind.clone(),
            name: target.name.clone(),
        },
        next_target: None,
        policy: policy(spec)?,
        room: spec.capacity.source,
        metrics: Metrics {
            metrics: spec.metrics.clone(),
            behavior: spec.behavior.clone(),
            global: spec.global_metrics.iter().cloned().collect(),
        },
    })
}

fn policy(spec: &FedHpaSpec) -> Result<Policy, Refusal> {
    let bounds = Bounds {
        min: whole("minReplicas", spec.min_replicas)?,
        max: whole("maxReplicas", spec.max_replicas)?,
    };
    if bounds.min > bounds.max {
        return Err(Refusal::MinAboveMax { min: bounds.min, max: bounds.max });
    }
    Ok(Policy {
        bounds,
        distribution: distribution(&spec.distribution)?,
        rebalance: Rebalance {
            mode: match spec.rebalance.mode {
                wire::RebalanceMode::Auto => RebalanceMode::Auto,
                wire::RebalanceMode::Off => RebalanceMode::Off,
            },
            cooldown: seconds("rebalance.cooldownSeconds", spec.rebalance.cooldown_seconds)?,
            tolerance_percent: whole("rebalance.tolerancePercent", spec.rebalance.tolerance_percent)?,
        },
        reserve_percent: whole("capacity.reservePercent", spec.capacity.reserve_percent)?,
        write_back_interval: seconds("writeBack.intervalSeconds", spec.write_back.interval_seconds)?,
        adoption: match spec.adopt {
            wire::Adoption::Never => Adoption::Never,
            wire::Adoption::Existing => Adoption::Existing,
        },
        suspended: spec.suspend,
    })
}

fn distribution(wire: &wire::Distribution) -> Result<Distribution, Refusal> {
    let strategy = match wire.strategy {
        wire::Strategy::Capacity => Strategy::Capacity,
        wire::Strategy::Weighted => Strategy::Weighted,
        wire::Strategy::Even => Strategy::Even,
    };
    let rules = wire.clusters.iter().enumerate().map(|(index, rule)| cluster_rule(index, rule));
    Ok(Distribution { strategy, rules: rules.collect::<Result<_, _>>()? })
}

fn cluster_rule(index: usize, rule: &wire::ClusterRule) -> Result<ClusterRule, Refusal> {
    let selects = match (&rule.name, &rule.selector) {
        (Some(name), None) => Selects::Name(name.clone()),
        (None, Some(selector)) => Selects::Labels(requirements(index, selector)?),
        (Some(_), Some(_)) | (None, None) => return Err(Refusal::Selects { index }),
    };
    let terms = Terms {
        tier: whole("distribution.clusters.tier", rule.tier)?,
        weight: whole("distribution.clusters.weight", rule.weight)?.max(1),
        floor: whole("distribution.clusters.minReplicas", rule.min_replicas)?,
        cap: rule.max_replicas.map(|cap| whole("distribution.clusters.maxReplicas", cap)).transpose()?,
        elastic: rule.elastic,
    };
    Ok(ClusterRule { selects, terms })
}

fn requirements(index: usize, selector: &LabelSelector) -> Result<Vec<Requirement>, Refusal> {
    let empty = BTreeMap::new();
    let equal = selector.match_labels.as_ref().unwrap_or(&empty);
    let equal = equal.iter().map(|(key, value)| Ok(Requirement::In(key.clone(), vec![value.clone()])));
    let expressions = selector.match_expressions.iter().flatten().map(|expression| {
        let key = expression.key.clone();
        let values = expression.values.clone().unwrap_or_default();
        match expression.operator.as_str() {
            "In" => Ok(Requirement::In(key, values)),
            "NotIn" => Ok(Requirement::NotIn(key, values)),
            "Exists" => Ok(Requirement::Exists(key)),
            "DoesNotExist" => Ok(Requirement::DoesNotExist(key)),
            operator => Err(Refusal::Operator { index, operator: operator.to_owned() }),
        }
    });
    equal.chain(expressions).collect()
}

fn whole(field: &'static str, value: i32) -> Result<u32, Refusal> {
    u32::try_from(value).map_err(|_| Refusal::OutOfRange { field, value: value.into(), range: "0 or more" })
}

fn seconds(field: &'static str, value: i32) -> Result<Duration, Refusal> {
    whole(field, value).map(|value| Duration::from_secs(value.into()))
}

#[cfg(test)]
mod tests;
