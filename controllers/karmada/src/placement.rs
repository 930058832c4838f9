//! Which clusters a workload may be in.
//!
//! Responsible for answering that as Karmada's scheduler would, because while its scheduling is held, following
//! placement, taints and evictions is ours. Knows nothing of what a FedHPA narrows further, nor of room.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use k8s_openapi::{
    api::core::v1::{NodeSelectorRequirement, Taint, Toleration},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{
    ResourceExt as _,
    core::{Selector, SelectorExt as _},
};

use crate::{
    binding::Binding,
    names::HPA_KIND,
    types::{Cluster, ClusterAffinity, ClusterAffinityTerm, Placement},
};

const HPA_API: &str = "autoscaling/v2";

/// Whether a cluster may be used, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidacy {
    /// It may.
    In,
    /// It may not.
    Out(Exclusion),
}

/// Why a cluster may not be used: the first reason that applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// It is being deleted.
    Deleting,
    /// Karmada is emptying it.
    Evicting,
    /// The placement's affinity in force does not select it.
    Affinity,
    /// It bears a taint that the placement does not tolerate: `key=value:effect`.
    Taint(String),
    /// It does not serve a kind that is needed: `apiVersion/kind`.
    Api(String),
    /// A spread constraint groups clusters by a property that it does not have.
    Spread(String),
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleting => f.write_str("being deleted"),
            Self::Evicting => f.write_str("being emptied by Karmada"),
            Self::Affinity => f.write_str("not selected by the placement's affinity"),
            Self::Taint(taint) => write!(f, "taint {taint} is not tolerated"),
            Self::Api(api) => write!(f, "does not serve {api}"),
            Self::Spread(property) => write!(f, "has no {property} to spread by"),
        }
    }
}

/// How many clusters a workload may be in at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupLimits {
    /// At least so many, where so many are candidates.
    pub min: u32,
    /// At most; `None`: no limit.
    pub max: Option<u32>,
}

/// Each of these clusters by name, and whether the workload of `binding` may be in it.
///
/// A cluster that already has replicas is not dropped for a taint that only keeps new ones away, nor because it
/// seems not to serve a kind: Karmada would not, either.
pub fn candidates<'a>(
    binding: &Binding,
    clusters: impl IntoIterator<Item = &'a Cluster>,
) -> BTreeMap<String, Candidacy> {
    clusters
        .into_iter()
        .map(|cluster| {
            (cluster.name_any(), exclusion(binding, cluster).map_or(Candidacy::In, Candidacy::Out))
        })
        .collect()
}

/// The placement's limits on the number of clusters.
pub fn group_limits(placement: &Placement) -> GroupLimits {
    let by_cluster = placement.spread_constraints.iter().filter(|it| {
        it.spread_by_label.is_none() && it.spread_by_field.as_deref().is_none_or(|field| field == "cluster")
    });
    by_cluster.fold(GroupLimits { min: 1, max: None }, |limits, constraint| {
        let min = u32::try_from(constraint.min_groups).unwrap_or(0);
        let max = u32::try_from(constraint.max_groups).ok().filter(|max| *max > 0);
        let narrower = [limits.max, max].into_iter().flatten().min();
        GroupLimits { min: limits.min.max(min), max: narrower }
    })
}

fn exclusion(binding: &Binding, cluster: &Cluster) -> Option<Exclusion> {
    let name = cluster.name_any();
    if cluster.metadata.deletion_timestamp.is_some() {
        return Some(Exclusion::Deleting);
    }
    if binding.evicting.contains(&name) {
        return Some(Exclusion::Evicting);
    }
    if !selected(binding, cluster) {
        return Some(Exclusion::Affinity);
    }
    let has_replicas = binding.clusters.contains_key(&name);
    untolerated(&binding.placement, cluster, has_replicas)
        .or_else(|| missing_api(binding, cluster).filter(|_| !has_replicas))
        .or_else(|| missing_property(&binding.placement, cluster))
}

/// Whether the affinity in force selects the cluster. With several terms that is the one that the scheduler last
/// worked with, or the first where it has not worked yet; the clusters that a term overflows to belong to it.
fn selected(binding: &Binding, cluster: &Cluster) -> bool {
    let placement = &binding.placement;
    if !placement.cluster_affinities.is_empty() {
        return term_in_force(binding).is_some_and(|term| {
            matches(&term.affinity, cluster)
                || term.overflow_affinities.iter().any(|further| matches(&further.affinity, cluster))
        });
    }
    placement.cluster_affinity.as_ref().is_none_or(|affinity| matches(affinity, cluster))
}

fn term_in_force(binding: &Binding) -> Option<&ClusterAffinityTerm> {
    let terms = &binding.placement.cluster_affinities;
    let named = binding.affinity_in_force.as_ref();
    let in_force = named.and_then(|name| terms.iter().find(|term| term.affinity_name == *name));
    in_force.or(terms.first())
}

fn matches(affinity: &ClusterAffinity, cluster: &Cluster) -> bool {
    let name = cluster.name_any();
    let named = affinity.cluster_names.is_empty() || affinity.cluster_names.contains(&name);
    let labelled = affinity.label_selector.as_ref().is_none_or(|selector| label_match(selector, cluster));
    let fields = affinity.field_selector.iter().flat_map(|selector| &selector.match_expressions);
    named
        && !affinity.exclude.contains(&name)
        && labelled
        && fields.into_iter().all(|it| field_match(it, cluster))
}

/// A selector that cannot be parsed selects nothing, as with Karmada.
fn label_match(selector: &LabelSelector, cluster: &Cluster) -> bool {
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(cluster.labels()))
}

fn field_match(requirement: &NodeSelectorRequirement, cluster: &Cluster) -> bool {
    let there = properties(cluster, &requirement.key);
    let among = |value: &&str| requirement.values.iter().flatten().any(|wanted| wanted == value);
    match requirement.operator.as_str() {
        "In" => there.iter().any(among),
        "NotIn" => !there.iter().any(among),
        "Exists" => !there.is_empty(),
        "DoesNotExist" => there.is_empty(),
        _ => false,
    }
}

/// The values of a property: none, one, or for zones several.
fn properties<'a>(cluster: &'a Cluster, property: &str) -> BTreeSet<&'a str> {
    let spec = &cluster.spec;
    let one =
        |value: &'a Option<String>| value.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
    match property {
        "provider" => one(&spec.provider),
        "region" => one(&spec.region),
        "zone" => spec.zones.iter().map(String::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

fn untolerated(placement: &Placement, cluster: &Cluster, has_replicas: bool) -> Option<Exclusion> {
    let keeps_away = |taint: &&Taint| match taint.effect.as_str() {
        "NoExecute" => true,
        "NoSchedule" => !has_replicas,
        _ => false,
    };
    let tolerated = |taint: &&Taint| placement.cluster_tolerations.iter().any(|it| tolerates(it, taint));
    let taint = cluster.spec.taints.iter().filter(keeps_away).find(|taint| !tolerated(taint))?;
    let value = taint.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
    Some(Exclusion::Taint(format!("{}{value}:{}", taint.key, taint.effect)))
}

/// As Kubernetes does. A toleration for some seconds tolerates: what comes after them is Karmada's eviction.
fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let set = |field: &Option<String>| field.as_deref().filter(|it| !it.is_empty()).map(str::to_owned);
    let same_effect = set(&toleration.effect).is_none_or(|effect| effect == taint.effect);
    let same_key = set(&toleration.key).is_none_or(|key| key == taint.key);
    let same_value = match set(&toleration.operator).as_deref() {
        Some("Exists") => true,
        None | Some("Equal") => set(&toleration.key).is_some() && set(&toleration.value) == set(&taint.value),
        Some(_) => false,
    };
    same_effect && same_key && same_value
}

fn missing_api(binding: &Binding, cluster: &Cluster) -> Option<Exclusion> {
    let needed =
        [(binding.template_api_version.as_str(), binding.template_kind.as_str()), (HPA_API, HPA_KIND)];
    let missing = needed.into_iter().find(|(api_version, kind)| !serves(cluster, api_version, kind));
    missing.map(|(api_version, kind)| Exclusion::Api(format!("{api_version}/{kind}")))
}

fn serves(cluster: &Cluster, api_version: &str, kind: &str) -> bool {
    let group = cluster.status.api_enablements.iter().find(|it| it.group_version == api_version);
    group.is_some_and(|group| group.resources.iter().any(|served| served.kind == kind))
}

fn missing_property(placement: &Placement, cluster: &Cluster) -> Option<Exclusion> {
    let fields = placement.spread_constraints.iter().filter_map(|it| it.spread_by_field.as_deref());
    let missing = fields
        .filter(|field| ["provider", "region", "zone"].contains(field))
        .find(|field| properties(cluster, field).is_empty());
    missing.map(|field| Exclusion::Spread(field.to_owned()))
}

#[cfg(test)]
mod tests;
