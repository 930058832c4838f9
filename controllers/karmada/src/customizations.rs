//! Whether the ResourceInterpreterCustomizations that we need are in force.
//!
//! Karmada takes one customization for each kind and operation and refuses a second, so one that a user made keeps ours
//! from being installed. It is judged by its text: one that mentions our label does what ours does. Knows nothing of
//! what is done about it.

use std::sync::Arc;

use crate::{
    labels::{OWNER_UID, RETAIN_REPLICAS},
    names::HPA_KIND,
    template::WorkloadKind,
    types::{ResourceInterpreterCustomization, Script},
};

const INSTALL: &str = "kubectl apply -k deploy/karmada";

/// Whether what we need is in force; if not, what to do in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InForce {
    /// It is.
    Yes,
    /// Someone else's customization is, and does not do it.
    Foreign(String),
    /// None is.
    No(String),
}

/// Whether members keep the replicas of workloads of this kind that bear our label.
pub fn retention(all: &[Arc<ResourceInterpreterCustomization>], kind: &WorkloadKind) -> InForce {
    let (api_version, kind_name) = (kind.api_version(), kind.kind());
    match acting(all, api_version, kind_name, |it| it.spec.customizations.retention.as_ref()) {
        Some((_, script)) if script.lua_script.contains(RETAIN_REPLICAS) => InForce::Yes,
        Some((name, _)) => InForce::Foreign(format!(
            "ResourceInterpreterCustomization {name} has the say over what members keep of {kind_name}s in {api_version}: \
             add to its Retain, before it returns: {}",
            retention_lines()
        )),
        None if WorkloadKind::known(api_version, kind_name).is_some() => InForce::No(format!(
            "members would be reset: no ResourceInterpreterCustomization keeps the replicas of {kind_name}s there; \
             {INSTALL}"
        )),
        None => InForce::No(format!(
            "members would be reset: make a ResourceInterpreterCustomization with a retention for {kind_name} in \
             {api_version}, whose Retain does: {}",
            retention_lines()
        )),
    }
}

/// Whether Karmada shows the conditions and bounds of the HPAs that are ours.
pub fn reflection(all: &[Arc<ResourceInterpreterCustomization>]) -> InForce {
    match acting(all, "autoscaling/v2", HPA_KIND, |it| it.spec.customizations.status_reflection.as_ref()) {
        Some((_, script)) if script.lua_script.contains("conditions") => InForce::Yes,
        Some((name, _)) => InForce::Foreign(format!(
            "ResourceInterpreterCustomization {name} has the say over what is shown of HPAs: add to its ReflectStatus, \
             before it returns: {}",
            reflection_lines()
        )),
        None => InForce::No(format!(
            "no ResourceInterpreterCustomization shows the conditions of HPAs; {INSTALL}"
        )),
    }
}

/// The customization that acts for a kind and an operation: of several, which the webhook does not let happen, the
/// first by name.
fn acting<'a>(
    all: &'a [Arc<ResourceInterpreterCustomization>],
    api_version: &str,
    kind: &str,
    rule: impl Fn(&'a ResourceInterpreterCustomization) -> Option<&'a Script>,
) -> Option<(&'a str, &'a Script)> {
    let of_kind = all.iter().filter(|it| {
        let target = &it.spec.target;
        target.api_version == api_version && target.kind == kind
    });
    let with_rule = of_kind.filter_map(|it| {
        let script = rule(it).filter(|script| !script.lua_script.is_empty())?;
        Some((it.metadata.name.as_deref().unwrap_or_default(), script))
    });
    with_rule.min_by_key(|(name, _)| *name)
}

/// The Lua that a user's own retention needs.
fn retention_lines() -> String {
    format!(
        r#"local labels = desiredObj.metadata.labels if labels ~= nil and labels["{RETAIN_REPLICAS}"] == "true" and observedObj.spec.replicas ~= 0 then desiredObj.spec.replicas = observedObj.spec.replicas end"#
    )
}

/// The Lua that a user's own reflection needs.
fn reflection_lines() -> String {
    format!(
        r#"local labels = observedObj.metadata.labels if labels ~= nil and labels["{OWNER_UID}"] ~= nil then status.minReplicas = observedObj.spec.minReplicas status.maxReplicas = observedObj.spec.maxReplicas status.conditions = {{}} for index, condition in ipairs(observedObj.status.conditions or {{}}) do status.conditions[index] = {{type = condition.type, status = condition.status, reason = condition.reason}} end end"#
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn customization(
        name: &str,
        kind: (&str, &str),
        operation: &str,
        lua: &str,
    ) -> Arc<ResourceInterpreterCustomization> {
        let object = json!({
            "metadata": {"name": name},
            "spec": {
                "target": {"apiVersion": kind.0, "kind": kind.1},
                "customizations": {operation: {"luaScript": lua}},
            },
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    const DEPLOYMENT: (&str, &str) = ("apps/v1", "Deployment");
    const HPA: (&str, &str) = ("autoscaling/v2", "HorizontalPodAutoscaler");

    fn deployments() -> WorkloadKind {
        WorkloadKind::known("apps/v1", "Deployment").unwrap()
    }

    #[test]
    fn a_script_that_mentions_our_label_is_as_good_as_ours() {
        let theirs = customization("theirs", DEPLOYMENT, "retention", &retention_lines());
        assert_eq!(retention(&[theirs], &deployments()), InForce::Yes);
    }

    #[test]
    fn a_script_that_does_not_is_named_with_what_to_add_to_it() {
        let theirs = customization("theirs", DEPLOYMENT, "retention", "function Retain(d, o) return d end");
        let InForce::Foreign(words) = retention(&[theirs], &deployments()) else { panic!("not foreign") };
        assert!(words.contains("ResourceInterpreterCustomization theirs"), "{words}");
        assert!(words.contains(RETAIN_REPLICAS) && words.contains("desiredObj.spec.replicas ="), "{words}");
    }

    #[test]
    fn other_kinds_and_other_operations_do_not_count() {
        let other_kind = customization("a", ("apps/v1", "StatefulSet"), "retention", RETAIN_REPLICAS);
        let other_version = customization("b", ("apps/v1beta1", "Deployment"), "retention", RETAIN_REPLICAS);
        let other_operation = customization("c", DEPLOYMENT, "statusReflection", RETAIN_REPLICAS);
        let InForce::No(words) = retention(&[other_kind, other_version, other_operation], &deployments())
        else {
            panic!("in force")
        };
        assert!(words.ends_with("kubectl apply -k deploy/karmada"), "{words}");
    }

    #[test]
    fn without_any_the_reflection_is_to_be_installed_and_a_foreign_one_extended() {
        assert!(matches!(reflection(&[]), InForce::No(words) if words.contains(INSTALL)));
        let theirs = customization("theirs", HPA, "statusReflection", "return {}");
        assert!(matches!(reflection(&[theirs]), InForce::Foreign(words) if words.contains(OWNER_UID)));
        let fit = customization("theirs", HPA, "statusReflection", &reflection_lines());
        assert_eq!(reflection(&[fit]), InForce::Yes);
    }
}
