//! Which propagation policy is for a template. Pure. Preemption, dependencies and lazy activation are not modelled: a
//! template keeps the policy that has claimed it while that policy still selects it.

use crate::fields::{annotation, int, items, label, name, namespace, text};
use serde_json::Value;
use std::sync::Arc;

/// How closely a selector names a template; more is closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    Kind,
    Labels,
    Name,
}

/// The annotations and the label by which a claim is known, for the two kinds of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) id: &'static str,
    pub(crate) namespace: Option<&'static str>,
    pub(crate) name: &'static str,
}

const NAMESPACED: Claim = Claim {
    id: "propagationpolicy.karmada.io/permanent-id",
    namespace: Some("propagationpolicy.karmada.io/namespace"),
    name: "propagationpolicy.karmada.io/name",
};
const CLUSTER_WIDE: Claim = Claim {
    id: "clusterpropagationpolicy.karmada.io/permanent-id",
    namespace: None,
    name: "clusterpropagationpolicy.karmada.io/name",
};

/// The claim marks of a policy.
pub(crate) fn claim_of(policy: &Value) -> Claim {
    if namespace(policy).is_empty() { CLUSTER_WIDE } else { NAMESPACED }
}

/// A policy's identity: the label that Karmada's webhook gives it, else its uid.
pub(crate) fn identity(policy: &Value) -> &str {
    label(policy, claim_of(policy).id).unwrap_or_else(|| text(policy, "/metadata/uid"))
}

/// The policy for a template: the one that has claimed it, else the best of its namespace, else the best of the
/// cluster-wide ones. Best is the highest priority, then the closest selector, then the first name.
pub(crate) fn matching<'a>(template: &Value, policies: &'a [Arc<Value>]) -> Option<&'a Arc<Value>> {
    let local = || policies.iter().filter(|policy| namespace(policy) == namespace(template));
    let global = || policies.iter().filter(|policy| namespace(policy).is_empty());
    let best = |among: &mut dyn Iterator<Item = &'a Arc<Value>>| {
        let fitting = among.filter_map(|policy| Some((closeness(policy, template)?, policy)));
        let rank = |(closeness, policy): &(Closeness, &'a Arc<Value>)| {
            (
                int(policy, "/spec/priority").unwrap_or(0),
                *closeness,
                std::cmp::Reverse(name(policy).to_owned()),
            )
        };
        fitting.max_by_key(rank).map(|(_, policy)| policy)
    };
    let claimed = policies.iter().find(|policy| claimed_by(template, policy));
    claimed.or_else(|| best(&mut local())).or_else(|| best(&mut global()))
}

fn claimed_by(template: &Value, policy: &Value) -> bool {
    let claim = claim_of(policy);
    let same_namespace =
        claim.namespace.is_none_or(|key| annotation(template, key) == Some(namespace(policy)));
    same_namespace
        && annotation(template, claim.name) == Some(name(policy))
        && closeness(policy, template).is_some()
}

fn closeness(policy: &Value, template: &Value) -> Option<Closeness> {
    let selectors = items(policy, "/spec/resourceSelectors").iter();
    selectors.filter_map(|selector| selected(selector, template)).max()
}

fn selected(selector: &Value, template: &Value) -> Option<Closeness> {
    let same = |pointer: &str| text(selector, pointer) == text(template, pointer);
    let wanted = text(selector, "/namespace");
    if !same("/apiVersion") || !same("/kind") || !(wanted.is_empty() || wanted == namespace(template)) {
        return None;
    }
    let wanted = text(selector, "/name");
    if !wanted.is_empty() {
        return (wanted == name(template)).then_some(Closeness::Name);
    }
    match selector.get("labelSelector") {
        Some(labels) => selects(labels, template).then_some(Closeness::Labels),
        None => Some(Closeness::Kind),
    }
}

/// Whether a label selector selects an object.
pub(crate) fn selects(selector: &Value, object: &Value) -> bool {
    let exact = selector.get("matchLabels").and_then(Value::as_object);
    let exact = exact.into_iter().flatten().all(|(key, value)| label(object, key) == value.as_str());
    exact && items(selector, "/matchExpressions").iter().all(|expression| holds(expression, object))
}

fn holds(expression: &Value, object: &Value) -> bool {
    let found = label(object, text(expression, "/key"));
    let values = items(expression, "/values");
    let among = found.is_some_and(|found| values.iter().any(|value| value.as_str() == Some(found)));
    match text(expression, "/operator") {
        "In" => among,
        "NotIn" => !among,
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(name: &str, priority: i64, selector: &Value) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"priority": priority, "resourceSelectors": [selector]},
        }))
    }

    fn template() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
        })
    }

    fn selector(extra: &Value) -> Value {
        let mut selector = json!({"apiVersion": "apps/v1", "kind": "Deployment"});
        for (key, value) in extra.as_object().into_iter().flatten() {
            selector[key] = value.clone();
        }
        selector
    }

    fn chosen(policies: &[Arc<Value>]) -> Option<String> {
        matching(&template(), policies).map(|policy| name(policy).to_owned())
    }

    #[test]
    fn a_name_beats_labels_and_labels_beat_a_kind() {
        let all = policy("all", 0, &selector(&json!({})));
        let labels =
            policy("labels", 0, &selector(&json!({"labelSelector": {"matchLabels": {"app": "web"}}})));
        let named = policy("named", 0, &selector(&json!({"name": "web"})));
        assert_eq!(chosen(&[all.clone(), labels.clone(), named]).as_deref(), Some("named"));
        assert_eq!(chosen(&[all, labels]).as_deref(), Some("labels"));
    }

    #[test]
    fn priority_comes_before_closeness_and_the_name_last() {
        let all = policy("b", 1, &selector(&json!({})));
        let named = policy("a", 0, &selector(&json!({"name": "web"})));
        assert_eq!(chosen(&[named, all.clone()]).as_deref(), Some("b"));
        assert_eq!(chosen(&[policy("c", 1, &selector(&json!({}))), all]).as_deref(), Some("b"));
    }

    #[test]
    fn other_kinds_names_and_labels_are_not_selected() {
        for extra in [
            json!({"kind": "StatefulSet"}),
            json!({"name": "other"}),
            json!({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}}),
        ] {
            assert_eq!(chosen(&[policy("p", 0, &selector(&extra))]), None, "{extra}");
        }
    }

    #[test]
    fn a_claim_stands_while_its_policy_selects_the_template() {
        let mut template = template();
        template["metadata"]["annotations"] = json!({
            "propagationpolicy.karmada.io/namespace": "default", "propagationpolicy.karmada.io/name": "all",
        });
        let all = policy("all", 0, &selector(&json!({})));
        let named = policy("named", 9, &selector(&json!({"name": "web"})));
        assert_eq!(matching(&template, &[named.clone(), all]).map(|policy| name(policy)), Some("all"));
        assert_eq!(matching(&template, &[named]).map(|policy| name(policy)), Some("named"));
    }
}
