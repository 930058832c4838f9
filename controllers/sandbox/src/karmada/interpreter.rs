//! What Karmada does with a kind: which of a member's fields it retains, what it reflects of a status and whether it
//! takes an object for healthy. Its own rules, or those of a ResourceInterpreterCustomization.
//!
//! **Limit:** the Lua of a customization is not run. It is read for what it is about, which is enough for the scripts
//! that this project and its users write:
//! - a `retention` script retains `spec.replicas` of objects whose manifest carries one of the label keys that the
//!   script mentions in quotes (`"a.domain/key"`) with the value `true`; one that mentions none retains always. If it
//!   compares anything with 0, an observed 0 does not win over a wanted number above 0, unless the manifest carries one
//!   of the mentioned keys as an annotation with the value `true`.
//! - a `statusReflection` script for HorizontalPodAutoscalers that mentions `conditions` or `spec.minReplicas` adds
//!   these to Karmada's own two numbers, for objects that carry one of the mentioned labels, whatever their value but
//!   `false`; or for all if it mentions none. Conditions are reflected as type, status and reason.
//! - health scripts and all others are ignored.

use super::kinds::INTERPRETER_CUSTOMIZATIONS;
use super::names::RETAIN_REPLICAS;
use super::reflection;
use crate::apiserver::{Change, ChangeType};
use crate::fields::{annotation, int, items, label, name, put, text};
use regex::Regex;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::LazyLock};

/// An `apiVersion` and a kind.
type Kind = (String, String);

/// What a retention script is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Retention {
    keys: Vec<String>,
    spares_zero: bool,
}

impl Retention {
    /// Whether an annotation says that 0 replicas are meant.
    fn is_lifted(&self, wanted: &Value) -> bool {
        self.keys.iter().any(|key| annotation(wanted, key) == Some("true"))
    }
}

/// What a reflection script is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reflection {
    labels: Vec<String>,
    conditions: bool,
    /// The names under which the spec's bounds appear in the status.
    bounds: Vec<(String, &'static str)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Customization {
    kind: Kind,
    retention: Option<Retention>,
    reflection: Option<Reflection>,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Interpreter(BTreeMap<String, Customization>);

impl Interpreter {
    /// Takes a customization that came, changed or went; whether it was one.
    pub(super) fn observe(&mut self, change: &Change) -> bool {
        if *change.kind != INTERPRETER_CUSTOMIZATIONS {
            return false;
        }
        let name = name(&change.object).to_owned();
        match change.what {
            ChangeType::Deleted => self.0.remove(&name),
            ChangeType::Added | ChangeType::Modified => self.0.insert(name, read(&change.object)),
        };
        true
    }

    fn of<'a>(&'a self, object: &'a Value) -> impl Iterator<Item = &'a Customization> {
        let kind = (text(object, "/apiVersion").to_owned(), text(object, "/kind").to_owned());
        self.0.values().filter(move |customization| customization.kind == kind)
    }

    /// Puts into the wanted object what the member decides.
    pub(super) fn retain(&self, wanted: &mut Value, observed: &Value) {
        let Some(replicas) = int(observed, "/spec/replicas") else { return };
        let own = self.of(wanted).find_map(|customization| customization.retention.as_ref());
        let carries = |key: &str| label(wanted, key) == Some("true");
        let stuck = replicas == 0 && int(wanted, "/spec/replicas") > Some(0);
        let retained = match own {
            Some(rule) if stuck && rule.spares_zero && !rule.is_lifted(wanted) => false,
            Some(rule) => rule.keys.is_empty() || rule.keys.iter().any(|key| carries(key)),
            None => text(wanted, "/kind") == "Deployment" && carries(RETAIN_REPLICAS),
        };
        if retained {
            put(wanted, &["spec", "replicas"], replicas.into());
        }
    }

    /// What a Work's status says of an object, if there is anything to say yet.
    pub(super) fn reflect(&self, observed: &Value) -> Option<Value> {
        let mut reflected = reflection::reflect(observed)?;
        let own = self.of(observed).find_map(|customization| customization.reflection.as_ref());
        if let Some(rule) = own.filter(|rule| rule.is_for(observed)) {
            rule.extend(&mut reflected, observed);
        }
        Some(reflected)
    }
}

impl Reflection {
    fn is_for(&self, observed: &Value) -> bool {
        let carries = |key: &String| label(observed, key).is_some_and(|value| value != "false");
        self.labels.is_empty() || self.labels.iter().any(carries)
    }

    fn extend(&self, reflected: &mut Value, observed: &Value) {
        if self.conditions {
            let conditions = items(observed, "/status/conditions").iter();
            let plain = conditions.map(|condition| {
                json!({"type": condition["type"], "status": condition["status"], "reason": condition["reason"]})
            });
            reflected["conditions"] = plain.collect();
        }
        for (key, bound) in &self.bounds {
            if let Some(value) = int(observed, &format!("/spec/{bound}")) {
                reflected[key] = value.into();
            }
        }
    }
}

fn read(object: &Value) -> Customization {
    let script = |operation: &str| {
        let script = text(object, &format!("/spec/customizations/{operation}/luaScript"));
        Some(script).filter(|script| !script.is_empty())
    };
    let target = |key: &str| text(object, &format!("/spec/target/{key}")).to_owned();
    Customization {
        kind: (target("apiVersion"), target("kind")),
        retention: script("retention").map(|script| Retention {
            keys: labels(script),
            spares_zero: ZERO.as_ref().is_some_and(|zero| zero.is_match(script)),
        }),
        reflection: script("statusReflection").map(|script| Reflection {
            labels: labels(script),
            conditions: script.contains("conditions"),
            bounds: ["minReplicas", "maxReplicas"]
                .into_iter()
                .filter_map(|bound| named(script, bound))
                .collect(),
        }),
    }
}

/// A comparison with 0.
static ZERO: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?:[=~<>]=?)\s*0\b").ok());

/// A label key in quotes.
static QUOTED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"["']([a-z0-9-]+(?:\.[a-z0-9-]+)+/[A-Za-z0-9._-]+)["']"#).ok());

/// A bound of the spec that is assigned to a key.
static ASSIGNED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(\w+)\s*=\s*\w+\.spec\.(minReplicas|maxReplicas)").ok());

/// The label keys that a script mentions in quotes: those with a domain that has a dot.
fn labels(script: &str) -> Vec<String> {
    let found = QUOTED.iter().flat_map(|quoted| quoted.captures_iter(script));
    found.filter_map(|found| Some(found.get(1)?.as_str().to_owned())).collect()
}

/// Under which name a script puts a bound of the spec: the key that the bound is assigned to, or its own.
fn named(script: &str, bound: &'static str) -> Option<(String, &'static str)> {
    if !script.contains(&format!("spec.{bound}")) {
        return None;
    }
    let mut assigned = ASSIGNED.iter().flat_map(|assigned| assigned.captures_iter(script));
    let of_bound = assigned.find(|found| found.get(2).is_some_and(|found| found.as_str() == bound));
    let key = of_bound.and_then(|found| Some(found.get(1)?.as_str().to_owned()));
    Some((key.unwrap_or_else(|| bound.to_owned()), bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETENTION: &str = r#"
        function Retain(desiredObj, observedObj)
          local labels = desiredObj.metadata.labels
          if labels ~= nil and labels["autoscaling.fedscaler.io/retain-replicas"] == "true" then
            desiredObj.spec.replicas = observedObj.spec.replicas
          end
          return desiredObj
        end"#;

    fn with(operation: &str, kind: &str, script: &str) -> Interpreter {
        let api_version = if kind == "HorizontalPodAutoscaler" { "autoscaling/v2" } else { "apps/v1" };
        let object = json!({
            "metadata": {"name": "ours"},
            "spec": {
                "target": {"apiVersion": api_version, "kind": kind},
                "customizations": {operation: {"luaScript": script}},
            },
        });
        Interpreter([("ours".to_owned(), read(&object))].into())
    }

    fn workload(kind: &str, replicas: i64, label: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": kind,
            "metadata": {"labels": {label: "true"}}, "spec": {"replicas": replicas},
        })
    }

    fn retained(interpreter: &Interpreter, kind: &str, label: &str, observed: i64) -> i64 {
        let mut wanted = workload(kind, 3, label);
        interpreter.retain(&mut wanted, &workload(kind, observed, label));
        int(&wanted, "/spec/replicas").unwrap()
    }

    const OURS: &str = "autoscaling.fedscaler.io/retain-replicas";

    #[test]
    fn karmadas_own_label_retains_deployments_only() {
        let plain = Interpreter::default();
        assert_eq!(retained(&plain, "Deployment", RETAIN_REPLICAS, 5), 5);
        assert_eq!(retained(&plain, "StatefulSet", RETAIN_REPLICAS, 5), 3);
        assert_eq!(retained(&plain, "Deployment", OURS, 5), 3);
    }

    #[test]
    fn a_customization_retains_by_its_own_label_and_replaces_karmadas_rule() {
        let ours = with("retention", "StatefulSet", RETENTION);
        assert_eq!(retained(&ours, "StatefulSet", OURS, 5), 5);
        assert_eq!(retained(&ours, "StatefulSet", "other.example/label", 5), 3);
        let ours = with("retention", "Deployment", RETENTION);
        assert_eq!(retained(&ours, "Deployment", RETAIN_REPLICAS, 5), 3, "the built-in rule is replaced");
    }

    #[test]
    fn a_script_that_compares_with_zero_spares_a_wanted_number_from_an_observed_zero() {
        let careful = RETENTION.replace("then", "and observedObj.spec.replicas > 0 then");
        assert_eq!(retained(&with("retention", "Deployment", &careful), "Deployment", OURS, 0), 3);
        assert_eq!(retained(&with("retention", "Deployment", RETENTION), "Deployment", OURS, 0), 0);
        let lifted = careful.replace("local labels", "local key = \"a.example/scales-to-zero\" local labels");
        let mut wanted = workload("Deployment", 3, OURS);
        crate::fields::set_annotation(&mut wanted, "a.example/scales-to-zero", "true");
        with("retention", "Deployment", &lifted).retain(&mut wanted, &workload("Deployment", 0, OURS));
        assert_eq!(int(&wanted, "/spec/replicas"), Some(0));
    }

    fn autoscaler(labels: &Value) -> Value {
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"labels": labels},
            "spec": {"minReplicas": 2, "maxReplicas": 9},
            "status": {"currentReplicas": 3, "desiredReplicas": 4, "lastScaleTime": "2026-01-01T00:00:00Z",
                "conditions": [{"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale",
                    "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        })
    }

    #[test]
    fn karmada_itself_reflects_two_numbers_of_an_autoscaler() {
        let reflected = Interpreter::default().reflect(&autoscaler(&json!({})));
        assert_eq!(reflected, Some(json!({"currentReplicas": 3, "desiredReplicas": 4})));
    }

    #[test]
    fn a_customization_adds_conditions_and_bounds_for_labelled_autoscalers() {
        let script = r#"
            if observedObj.metadata.labels["autoscaling.fedscaler.io/managed"] ~= nil then
              status.conditions = conditions
              status.minReplicas = observedObj.spec.minReplicas
              status.specMax = observedObj.spec.maxReplicas
            end"#;
        let ours = with("statusReflection", "HorizontalPodAutoscaler", script);
        let plain = json!({"currentReplicas": 3, "desiredReplicas": 4});
        assert_eq!(ours.reflect(&autoscaler(&json!({}))), Some(plain));
        let labelled = ours.reflect(&autoscaler(&json!({"autoscaling.fedscaler.io/managed": "true"})));
        let conditions = json!([{"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"}]);
        assert_eq!(
            labelled,
            Some(json!({"currentReplicas": 3, "desiredReplicas": 4, "conditions": conditions,
                "minReplicas": 2, "specMax": 9}))
        );
    }

    fn shipped(file: &str) -> Interpreter {
        let object: Value = serde_saphyr::from_str(file).unwrap();
        Interpreter([("shipped".to_owned(), read(&object))].into())
    }

    #[test]
    fn the_customizations_that_this_project_ships_are_understood() {
        let deployment = shipped(include_str!("../../../../deploy/karmada/customizations/deployment.yaml"));
        assert_eq!(retained(&deployment, "Deployment", OURS, 5), 5);
        assert_eq!(retained(&deployment, "Deployment", RETAIN_REPLICAS, 5), 5);
        assert_eq!(retained(&deployment, "Deployment", "other.example/label", 5), 3);
        assert_eq!(retained(&deployment, "Deployment", OURS, 0), 3);
        let autoscalers =
            shipped(include_str!("../../../../deploy/karmada/customizations/horizontalpodautoscaler.yaml"));
        let plain = autoscalers.reflect(&autoscaler(&json!({}))).unwrap();
        assert_eq!(plain, json!({"currentReplicas": 3, "desiredReplicas": 4}));
        let ours = json!({"autoscaling.fedscaler.io/owner-uid": "u"});
        let reflected = autoscalers.reflect(&autoscaler(&ours)).unwrap();
        assert_eq!((int(&reflected, "/minReplicas"), int(&reflected, "/maxReplicas")), (Some(2), Some(9)));
        assert_eq!(items(&reflected, "/conditions").len(), 1);
    }
}
