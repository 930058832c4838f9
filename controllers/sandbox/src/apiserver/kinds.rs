//! Which kinds a server serves: their names, scope and subresources, and the built-in ones.
//!
//! It knows nothing of objects.

use std::{borrow::Cow, fmt};

use serde_json::Value;

use super::tables::PrinterColumn;

/// A kind as a client addresses it: group (empty for the core group), version and plural.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// Version within the group.
    pub version: Cow<'static, str>,
    /// Plural, lower case, as in URLs.
    pub plural: Cow<'static, str>,
}

impl Kind {
    /// The kind `plural` of `group` at `version`, known when the program is compiled.
    #[must_use]
    pub const fn new(group: &'static str, version: &'static str, plural: &'static str) -> Self {
        Self { group: Cow::Borrowed(group), version: Cow::Borrowed(version), plural: Cow::Borrowed(plural) }
    }

    /// The kind `plural` of `group` at `version`, known only while the program runs.
    #[must_use]
    pub fn named(group: &str, version: &str, plural: &str) -> Self {
        Self {
            group: Cow::Owned(group.to_owned()),
            version: Cow::Owned(version.to_owned()),
            plural: Cow::Owned(plural.to_owned()),
        }
    }

    /// `group/version`, or `version` alone for the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// What storage knows the kind by: versions share their objects.
    #[must_use]
    pub fn resource(&self) -> GroupResource {
        GroupResource { group: self.group.clone(), plural: self.plural.clone() }
    }

    /// Whether both are versions of the same kind.
    #[must_use]
    pub fn shares_objects_with(&self, other: &Self) -> bool {
        self.group == other.group && self.plural == other.plural
    }

    /// Whether this is a version of `resource`.
    #[must_use]
    pub fn is_of(&self, resource: &GroupResource) -> bool {
        self.group == resource.group && self.plural == resource.plural
    }
}

/// `group/version`, or `version` alone for the core group.
#[must_use]
pub fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// A kind regardless of version; displays as error messages name it (`deployments.apps`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupResource {
    /// API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// Plural, lower case.
    pub plural: Cow<'static, str>,
}

impl fmt::Display for GroupResource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.plural)?;
        if self.group.is_empty() { Ok(()) } else { write!(out, ".{}", self.group) }
    }
}

/// Whether objects of a kind live in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One object per name in the whole server.
    Cluster,
    /// One object per namespace and name.
    Namespaced,
}

/// Where in an object the scale subresource finds its numbers: dotted paths with a leading dot, as in CRDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalePaths {
    /// Wanted replicas, under `.spec`.
    pub spec_replicas: String,
    /// Observed replicas, under `.status`.
    pub status_replicas: String,
    /// Serialized label selector, under `.spec` or `.status`.
    pub label_selector: Option<String>,
}

/// Whether the status of a kind is a resource of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusWrites {
    /// Status is written through `/status` only, and `/status` writes nothing else; spec changes move `generation`.
    Subresource,
    /// There is no `/status`: everything is written through the object itself.
    WithObject,
}

/// A kind to be served in one version.
#[derive(Debug, Clone)]
pub struct ResourceType {
    /// API group; empty for the core group.
    pub group: String,
    /// The one version served.
    pub version: String,
    /// Kind, in camel case.
    pub kind: String,
    /// Plural, as in URLs.
    pub plural: String,
    /// Singular, for people.
    pub singular: String,
    /// Abbreviations, for people.
    pub short_names: Vec<String>,
    /// Groups of kinds this belongs to, such as `all`.
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub scope: Scope,
    /// Whether `/status` exists.
    pub status: StatusWrites,
    /// Where `/scale` finds its numbers, if it exists.
    pub scale: Option<ScalePaths>,
    /// What tables show of it besides the name.
    pub columns: Vec<PrinterColumn>,
    /// Structural `OpenAPI` v3 schema of the whole object; without one, anything is stored as it comes.
    pub schema: Option<Value>,
}

impl ResourceType {
    /// A kind with a status subresource and nothing else of note; the singular is the kind in lower case.
    #[must_use]
    pub fn new(kind: &Kind, camel_case: &str, scope: Scope) -> Self {
        Self {
            group: kind.group.clone().into_owned(),
            version: kind.version.clone().into_owned(),
            kind: camel_case.to_owned(),
            plural: kind.plural.clone().into_owned(),
            singular: camel_case.to_lowercase(),
            short_names: Vec::new(),
            categories: Vec::new(),
            scope,
            status: StatusWrites::Subresource,
            scale: None,
            columns: Vec::new(),
            schema: None,
        }
    }
}

/// `v1` Namespace.
pub const NAMESPACES: Kind = Kind::new("", "v1", "namespaces");
/// `v1` `ConfigMap`.
pub const CONFIG_MAPS: Kind = Kind::new("", "v1", "configmaps");
/// `v1` Secret.
pub const SECRETS: Kind = Kind::new("", "v1", "secrets");
/// `v1` Event; stored once with `events.k8s.io/v1` Event.
pub const CORE_EVENTS: Kind = Kind::new("", "v1", "events");
/// `events.k8s.io/v1` Event; stored once with `v1` Event.
pub const EVENTS: Kind = Kind::new("events.k8s.io", "v1", "events");
/// `v1` Node.
pub const NODES: Kind = Kind::new("", "v1", "nodes");
/// `v1` Pod.
pub const PODS: Kind = Kind::new("", "v1", "pods");
/// `v1` Service.
pub const SERVICES: Kind = Kind::new("", "v1", "services");
/// `v1` `ServiceAccount`.
pub const SERVICE_ACCOUNTS: Kind = Kind::new("", "v1", "serviceaccounts");
/// `apps/v1` Deployment.
pub const DEPLOYMENTS: Kind = Kind::new("apps", "v1", "deployments");
/// `apps/v1` `StatefulSet`.
pub const STATEFUL_SETS: Kind = Kind::new("apps", "v1", "statefulsets");
/// `apps/v1` `ReplicaSet`.
pub const REPLICA_SETS: Kind = Kind::new("apps", "v1", "replicasets");
/// `autoscaling/v2` `HorizontalPodAutoscaler`.
pub const HORIZONTAL_POD_AUTOSCALERS: Kind = Kind::new("autoscaling", "v2", "horizontalpodautoscalers");
/// `coordination.k8s.io/v1` Lease.
pub const LEASES: Kind = Kind::new("coordination.k8s.io", "v1", "leases");
/// `apiextensions.k8s.io/v1` `CustomResourceDefinition`.
pub const CUSTOM_RESOURCE_DEFINITIONS: Kind =
    Kind::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
/// `rbac.authorization.k8s.io/v1` `ClusterRole`.
pub const CLUSTER_ROLES: Kind = Kind::new("rbac.authorization.k8s.io", "v1", "clusterroles");
/// `rbac.authorization.k8s.io/v1` `ClusterRoleBinding`.
pub const CLUSTER_ROLE_BINDINGS: Kind = Kind::new("rbac.authorization.k8s.io", "v1", "clusterrolebindings");
/// `rbac.authorization.k8s.io/v1` Role.
pub const ROLES: Kind = Kind::new("rbac.authorization.k8s.io", "v1", "roles");
/// `rbac.authorization.k8s.io/v1` `RoleBinding`.
pub const ROLE_BINDINGS: Kind = Kind::new("rbac.authorization.k8s.io", "v1", "rolebindings");

/// The paths of every built-in kind that can be scaled.
fn replica_paths() -> ScalePaths {
    ScalePaths {
        spec_replicas: ".spec.replicas".to_owned(),
        status_replicas: ".status.replicas".to_owned(),
        label_selector: Some(".spec.selector".to_owned()),
    }
}

/// Every kind that a server has from its start.
#[must_use]
pub fn built_in() -> Vec<ResourceType> {
    use Scope::{Cluster, Namespaced};
    use StatusWrites::{Subresource, WithObject};
    let rows = [
        (NAMESPACES, "Namespace", Cluster, Subresource, "ns"),
        (CONFIG_MAPS, "ConfigMap", Namespaced, WithObject, "cm"),
        (SECRETS, "Secret", Namespaced, WithObject, ""),
        (CORE_EVENTS, "Event", Namespaced, WithObject, "ev"),
        (EVENTS, "Event", Namespaced, WithObject, "ev"),
        (NODES, "Node", Cluster, Subresource, "no"),
        (PODS, "Pod", Namespaced, Subresource, "po"),
        (SERVICES, "Service", Namespaced, Subresource, "svc"),
        (SERVICE_ACCOUNTS, "ServiceAccount", Namespaced, WithObject, "sa"),
        (DEPLOYMENTS, "Deployment", Namespaced, Subresource, "deploy"),
        (STATEFUL_SETS, "StatefulSet", Namespaced, Subresource, "sts"),
        (REPLICA_SETS, "ReplicaSet", Namespaced, Subresource, "rs"),
        (HORIZONTAL_POD_AUTOSCALERS, "HorizontalPodAutoscaler", Namespaced, Subresource, "hpa"),
        (LEASES, "Lease", Namespaced, WithObject, ""),
        (CUSTOM_RESOURCE_DEFINITIONS, "CustomResourceDefinition", Cluster, Subresource, "crd"),
        (CLUSTER_ROLES, "ClusterRole", Cluster, WithObject, ""),
        (CLUSTER_ROLE_BINDINGS, "ClusterRoleBinding", Cluster, WithObject, ""),
        (ROLES, "Role", Namespaced, WithObject, ""),
        (ROLE_BINDINGS, "RoleBinding", Namespaced, WithObject, ""),
    ];
    rows.into_iter()
        .map(|(kind, camel_case, scope, status, short)| {
            let scaled = [DEPLOYMENTS, STATEFUL_SETS, REPLICA_SETS].contains(&kind);
            let grouped = scaled || [PODS, SERVICES, HORIZONTAL_POD_AUTOSCALERS].contains(&kind);
            ResourceType {
                status,
                scale: scaled.then(replica_paths),
                short_names: if short.is_empty() { Vec::new() } else { vec![short.to_owned()] },
                categories: if grouped { vec!["all".to_owned()] } else { Vec::new() },
                ..ResourceType::new(&kind, camel_case, scope)
            }
        })
        .collect()
}
