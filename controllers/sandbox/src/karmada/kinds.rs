//! The kinds that Karmada's API server serves, as far as they are modelled: with their scopes, short names, status and
//! scale. Schemas are permissive; what Karmada's webhooks would refuse is let through.

use crate::apiserver::ApiServer;
use crate::apiserver::kinds::{Kind, ResourceType, Scope, StatusWrites};
use crate::apiserver::tables::PrinterColumn;
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
        (CLUSTERS, "Cluster", Cluster, "", clusters()),
        (RESOURCE_BINDINGS, "ResourceBinding", Namespaced, "rb", bindings()),
        (WORKS, "Work", Namespaced, "wk", works()),
    ];
    let plain = [
        (PROPAGATION_POLICIES, "PropagationPolicy", Namespaced, "pp", policies()),
        (CLUSTER_PROPAGATION_POLICIES, "ClusterPropagationPolicy", Cluster, "cpp", policies()),
        (INTERPRETER_CUSTOMIZATIONS, "ResourceInterpreterCustomization", Cluster, "ric", customizations()),
        (FEDERATED_HPAS, "FederatedHPA", Namespaced, "fhpa", federated_hpas()),
        (CRON_FEDERATED_HPAS, "CronFederatedHPA", Namespaced, "cronfhpa", cron_federated_hpas()),
    ];
    for (kind, camel_case, scope, short, columns) in with_status {
        api.install(named(ResourceType::new(&kind, camel_case, scope), short, columns));
    }
    for (kind, camel_case, scope, short, columns) in plain {
        let row =
            ResourceType { status: StatusWrites::WithObject, ..ResourceType::new(&kind, camel_case, scope) };
        api.install(named(row, short, columns));
    }
}

fn named(row: ResourceType, short: &str, columns: Vec<PrinterColumn>) -> ResourceType {
    let short_names = if short.is_empty() { Vec::new() } else { vec![short.to_owned()] };
    ResourceType { short_names, categories: vec!["karmada-io".to_owned()], columns, ..row }
}

/// Columns of text, then the age. What each kind shows is what Karmada 1.18 states of it.
fn columns(stated: &[(&str, &str)], age: &str) -> Vec<PrinterColumn> {
    let age = PrinterColumn { name: age.to_owned(), ..PrinterColumn::age() };
    stated.iter().map(|(name, path)| PrinterColumn::new(name, "string", path)).chain([age]).collect()
}

fn count(name: &str, path: &str) -> PrinterColumn {
    PrinterColumn::new(name, "integer", path)
}

fn clusters() -> Vec<PrinterColumn> {
    let ready = ".status.conditions[?(@.type==\"Ready\")].status";
    columns(&[("Version", ".status.kubernetesVersion"), ("Mode", ".spec.syncMode"), ("Ready", ready)], "Age")
}

fn bindings() -> Vec<PrinterColumn> {
    let scheduled = ".status.conditions[?(@.type==\"Scheduled\")].status";
    let applied = ".status.conditions[?(@.type==\"FullyApplied\")].status";
    columns(&[("SCHEDULED", scheduled), ("FULLYAPPLIED", applied)], "AGE")
}

fn works() -> Vec<PrinterColumn> {
    let applied = ".status.conditions[?(@.type==\"Applied\")].status";
    columns(&[("WORKLOAD-KIND", ".spec.workload.manifests[*].kind"), ("APPLIED", applied)], "AGE")
}

fn policies() -> Vec<PrinterColumn> {
    columns(&[("CONFLICT-RESOLUTION", ".spec.conflictResolution"), ("PRIORITY", ".spec.priority")], "AGE")
}

fn customizations() -> Vec<PrinterColumn> {
    columns(&[("TARGET-API-VERSION", ".spec.target.apiVersion"), ("TARGET-KIND", ".spec.target.kind")], "AGE")
}

fn federated_hpas() -> Vec<PrinterColumn> {
    let mut all = cron_federated_hpas();
    let counts = [
        count("MINPODS", ".spec.minReplicas"),
        count("MAXPODS", ".spec.maxReplicas"),
        count("REPLICAS", ".status.currentReplicas"),
    ];
    all.splice(2..2, counts);
    all
}

fn cron_federated_hpas() -> Vec<PrinterColumn> {
    let stated =
        [("REFERENCE-KIND", ".spec.scaleTargetRef.kind"), ("REFERENCE-NAME", ".spec.scaleTargetRef.name")];
    columns(&stated, "AGE")
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
