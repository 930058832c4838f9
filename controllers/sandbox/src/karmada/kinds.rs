//! The kinds that Karmada's API server serves, as far as they are modelled: with their scopes, short names, status and
//! scale. Schemas are permissive; what Karmada's webhooks would refuse is let through.

use crate::apiserver::ApiServer;
use crate::apiserver::kinds::{Kind, ResourceType, Scope, StatusWrites};
use crate::fields::text;
use serde_json::Value;

/// `cluster.karmada.io/v1alpha1` Cluster.
pub const CLUSTERS: Kind = Kind::new("cluster.karmada.io", "v1alpha1", "clusters");
/// `policy.karmada.io/v1alpha1` PropagationPolicy.
pub const PROPAGATION_POLICIES: Kind = Kind::new("policy.karmada.io", "v1alpha1", "propagationpolicies");
/// `policy.karmada.io/v1alpha1` `ClusterPropagationPolicy`.
pub const CLUSTER_PROPAGATION_POLICIES: Kind =
    Kind::new("policy.karmada.io", "v1alpha1", "clusterpropagationpolicies");
/// `work.karmada.io/v1alpha2` ResourceBinding.
pub const RESOURCE_BINDINGS: Kind = Kind::new("work.karmada.io", "v1alpha2", "resourcebindings");
/// `work.karmada.io/v1alpha1` Work.
pub const WORKS: Kind = Kind::new("work.karmada.io", "v1alpha1", "works");
/// `config.karmada.io/v1alpha1` ResourceInterpreterCustomization.
pub const INTERPRETER_CUSTOMIZATIONS: Kind =
    Kind::new("config.karmada.io", "v1alpha1", "resourceinterpretercustomizations");
/// `autoscaling.karmada.io/v1alpha1` `FederatedHPA`. Only kept: its controller is not modelled.
pub const FEDERATED_HPAS: Kind = Kind::new("autoscaling.karmada.io", "v1alpha1", "federatedhpas");
/// `autoscaling.karmada.io/v1alpha1` `CronFederatedHPA`. Only kept: its controller is not modelled.
pub const CRON_FEDERATED_HPAS: Kind = Kind::new("autoscaling.karmada.io", "v1alpha1", "cronfederatedhpas");

/// Serves Karmada's kinds.
pub(super) fn install(api: &ApiServer) {
    use Scope::{Cluster, Namespaced};
    let with_status = [
        (CLUSTERS, "Cluster", Cluster, ""),
        (RESOURCE_BINDINGS, "ResourceBinding", Namespaced, "rb"),
        (WORKS, "Work", Namespaced, "wk"),
    ];
    let plain = [
        (PROPAGATION_POLICIES, "PropagationPolicy", Namespaced, "pp"),
        (CLUSTER_PROPAGATION_POLICIES, "ClusterPropagationPolicy", Cluster, "cpp"),
        (INTERPRETER_CUSTOMIZATIONS, "ResourceInterpreterCustomization", Cluster, "ric"),
        (FEDERATED_HPAS, "FederatedHPA", Namespaced, "fhpa"),
        (CRON_FEDERATED_HPAS, "CronFederatedHPA", Namespaced, "cronfhpa"),
    ];
    for (kind, camel_case, scope, short) in with_status {
        api.install(named(ResourceType::new(&kind, camel_case, scope), short));
    }
    for (kind, camel_case, scope, short) in plain {
        let row =
            ResourceType { status: StatusWrites::WithObject, ..ResourceType::new(&kind, camel_case, scope) };
        api.install(named(row, short));
    }
}

fn named(row: ResourceType, short: &str) -> ResourceType {
    let short_names = if short.is_empty() { Vec::new() } else { vec![short.to_owned()] };
    ResourceType { short_names, categories: vec!["karmada-io".to_owned()], ..row }
}

/// Where the API serves an object that names its own `apiVersion` and `kind`, by the rule for English plurals that
/// Kubernetes itself guesses with.
pub(crate) fn served(object: &Value) -> Kind {
    let (group, version) = group_version(text(object, "/apiVersion"));
    Kind::named(group, version, &plural(text(object, "/kind")))
}

/// Splits an `apiVersion`.
pub(crate) fn group_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

fn plural(kind: &str) -> String {
    let singular = kind.to_lowercase();
    match singular.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if singular.ends_with('s') => format!("{singular}es"),
        None => format!("{singular}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apiserver::kinds::{DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, NAMESPACES};
    use serde_json::json;

    #[test]
    fn plurals_are_guessed_as_kubernetes_does() {
        let cases = [
            ("apps/v1", "Deployment", DEPLOYMENTS),
            ("autoscaling/v2", "HorizontalPodAutoscaler", HORIZONTAL_POD_AUTOSCALERS),
            ("v1", "Namespace", NAMESPACES),
            ("policy.karmada.io/v1alpha1", "PropagationPolicy", PROPAGATION_POLICIES),
        ];
        for (api_version, kind, expected) in cases {
            assert_eq!(served(&json!({"apiVersion": api_version, "kind": kind})), expected);
        }
        assert_eq!(plural("Ingress"), "ingresses");
    }
}
