//! Karmada's names for what it makes, its labels and annotations. Repeated here on purpose: the sandbox is the other
//! side, and what it says is compared with what the controllers say.

/// The finalizer without which a Work's object stays in the member when the Work goes.
pub(crate) const EXECUTION_FINALIZER: &str = "karmada.io/execution-controller";
/// The finalizer of a binding that has Works.
pub(crate) const BINDING_FINALIZER: &str = "karmada.io/binding-controller";
/// The label of a member's object that Karmada may change.
pub(crate) const MANAGED: &str = "karmada.io/managed";
/// The annotations of a member's object that lead back to its Work.
pub(crate) const WORK_NAMESPACE: &str = "work.karmada.io/namespace";
/// See [`WORK_NAMESPACE`].
pub(crate) const WORK_NAME: &str = "work.karmada.io/name";
/// The label by which a Work and its object are one.
pub(crate) const WORK_ID: &str = "work.karmada.io/permanent-id";
/// The annotation that lets Karmada take over an object that is in the member already.
pub(crate) const CONFLICT_RESOLUTION: &str = "work.karmada.io/conflict-resolution";
/// The label by which Works belong to a binding.
pub(crate) const BINDING_ID: &str = "resourcebinding.karmada.io/permanent-id";
/// The annotations of a Work that lead back to its binding.
pub(crate) const BINDING_NAMESPACE: &str = "resourcebinding.karmada.io/namespace";
/// See [`BINDING_NAMESPACE`].
pub(crate) const BINDING_NAME: &str = "resourcebinding.karmada.io/name";
/// The annotation with the template's uid.
pub(crate) const TEMPLATE_UID: &str = "resourcetemplate.karmada.io/uid";
/// The annotation with the template's generation: each spec write of the template changes all Works.
pub(crate) const TEMPLATE_GENERATION: &str = "resourcetemplate.karmada.io/generation";
/// The annotation that lists the annotations that Karmada brought.
pub(crate) const MANAGED_ANNOTATIONS: &str = "resourcetemplate.karmada.io/managed-annotations";
/// The annotation that lists the labels that Karmada brought.
pub(crate) const MANAGED_LABELS: &str = "resourcetemplate.karmada.io/managed-labels";
/// Karmada's own retention label, for Deployments only.
pub(crate) const RETAIN_REPLICAS: &str = "resourcetemplate.karmada.io/retain-replicas";
/// The scheduler's memory on a binding.
pub(crate) const APPLIED_PLACEMENT: &str = "policy.karmada.io/applied-placement";
/// The taint of a cluster that says it is not ready.
pub(crate) const NOT_READY_TAINT: &str = "cluster.karmada.io/not-ready";
/// The taint of a cluster that is not heard of.
pub(crate) const UNREACHABLE_TAINT: &str = "cluster.karmada.io/unreachable";

/// A binding's name: of the template's name and kind, neither hashed nor shortened.
#[must_use]
pub fn binding(kind: &str, name: &str) -> String {
    format!("{}-{kind}", name.replace(':', ".")).to_lowercase()
}

/// A Work's name: of the object's name and a hash of its namespace, name and kind.
#[must_use]
pub fn work(kind: &str, namespace: &str, name: &str) -> String {
    let hashed = if namespace.is_empty() {
        format!("{name}-{kind}").to_lowercase()
    } else {
        format!("{namespace}-{name}-{kind}").to_lowercase()
    };
    let encoded: String = fnv1a_32(&hashed).to_string().bytes().map(safe).collect();
    format!("{}-{encoded}", name.replace(':', ".").to_lowercase())
}

/// The namespace of a member's Works.
#[must_use]
pub fn execution_namespace(cluster: &str) -> String {
    format!("karmada-es-{cluster}")
}

/// The member that a namespace of Works is for.
pub(crate) fn cluster_of(execution_namespace: &str) -> Option<&str> {
    execution_namespace.strip_prefix("karmada-es-")
}

pub(crate) fn fnv1a_32(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn safe(byte: u8) -> char {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    char::from(ALPHABET[usize::from(byte) % 27])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_names_are_those_of_a_live_karmada() {
        assert_eq!(work("Deployment", "default", "nginx"), "nginx-687f7fb96f");
        assert_eq!(work("HorizontalPodAutoscaler", "default", "nginx"), "nginx-6ccdcf94c4");
    }

    #[test]
    fn binding_names_are_lower_case_without_a_hash() {
        assert_eq!(binding("Deployment", "web"), "web-deployment");
        assert_eq!(binding("ClusterRole", "system:node"), "system.node-clusterrole");
    }
}
