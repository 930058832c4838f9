//! The names that Karmada gives to what it makes, and back.
//!
//! Responsible for names being exactly Karmada's: up to 1.18 it re-creates an object that was deleted in a member
//! only if the object's Work bears the name that Karmada itself would have given. Knows nothing of the objects.

/// The kind of the autoscaler in members.
pub const HPA_KIND: &str = "HorizontalPodAutoscaler";

const EXECUTION_PREFIX: &str = "karmada-es-";

/// The characters that Karmada's (and Kubernetes') safe encoding draws from: none that could spell a word.
const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The name of the binding of a workload: `name-kind` in lower case, neither hashed nor cut.
pub fn binding_name(kind: &str, name: &str) -> String {
    format!("{}-{kind}", name.replace(':', ".")).to_lowercase()
}

/// The name of the Work of one object: its own name and a hash (FNV-1a, 32 bits) over namespace, name and kind.
pub fn work_name(kind: &str, name: &str, namespace: &str) -> String {
    let name = name.replace(':', ".").to_lowercase();
    let hashed = format!("{namespace}-{name}-{kind}").to_lowercase();
    format!("{name}-{}", safe_encoded(&fnv1a(&hashed).to_string()))
}

/// The namespace of a cluster's Works.
pub fn execution_namespace(cluster: &str) -> String {
    format!("{EXECUTION_PREFIX}{cluster}")
}

/// The cluster whose Works are in `namespace`; `None` if it is no such namespace.
pub fn cluster_of(namespace: &str) -> Option<&str> {
    namespace.strip_prefix(EXECUTION_PREFIX).filter(|cluster| !cluster.is_empty())
}

fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn safe_encoded(text: &str) -> String {
    text.bytes().map(|byte| char::from(SAFE[usize::from(byte) % SAFE.len()])).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn work_names_are_those_that_karmada_was_seen_to_give() {
        assert_eq!(work_name("Deployment", "nginx", "default"), "nginx-687f7fb96f");
        assert_eq!(work_name(HPA_KIND, "nginx", "default"), "nginx-6ccdcf94c4");
    }

    #[test]
    fn a_binding_is_named_after_its_workload_in_lower_case() {
        assert_eq!(binding_name("Deployment", "web"), "web-deployment");
        assert_eq!(binding_name("CloneSet", "a:b"), "a.b-cloneset");
    }

    #[test]
    fn the_cluster_is_read_back_from_its_execution_namespace() {
        assert_eq!(cluster_of("karmada-es-member1"), Some("member1"));
        assert_eq!(cluster_of("karmada-es-"), None);
        assert_eq!(cluster_of("karmada-system"), None);
    }

    proptest! {
        #[test]
        fn the_hash_part_holds_only_safe_characters_and_depends_on_the_namespace(
            name in "[a-z][a-z0-9-]{0,40}[a-z0-9]", namespace in "[a-z]{1,20}",
        ) {
            let work = work_name("Deployment", &name, &namespace);
            let hash = work.strip_prefix(&format!("{name}-")).unwrap();
            prop_assert!((1..=10).contains(&hash.len()));
            prop_assert!(hash.bytes().all(|byte| SAFE.contains(&byte)));
            let namespace = execution_namespace(&name);
            prop_assert_eq!(cluster_of(&namespace), Some(name.as_str()));
        }
    }
}
