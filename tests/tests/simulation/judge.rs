//! What must hold after quiet.

use std::collections::BTreeMap;

use fedscaler_sandbox::{
    apiserver::{
        Local,
        kinds::{DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS},
    },
    fault::WriteRecord,
    karmada::kinds::{INTERPRETER_CUSTOMIZATIONS, PROPAGATION_POLICIES, WORKS},
};
use fedscaler_tests::stage::{BINDINGS, FED_HPAS, Stage};
use http::Method;
use serde_json::{Value, json};

use super::plan::{Ending, Plan};

/// Other people's workload with an autoscaler of its own, in every member.
pub const GUESTS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: guest, namespace: default, labels: {resourcetemplate.karmada.io/retain-replicas: "true"}}
spec:
  replicas: 2
  selector: {matchLabels: {app: guest}}
  template:
    metadata: {labels: {app: guest}}
    spec: {containers: [{name: guest, image: registry.example/guest:1.0, resources: {requests: {cpu: 50m}}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: guest, namespace: default}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: guest}, minReplicas: 2, maxReplicas: 3}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: guests, namespace: default}
spec:
  resourceSelectors:
  - {apiVersion: apps/v1, kind: Deployment, name: guest}
  - {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: guest}
"#;

/// Writes that one deed, and one minute of a world in motion, may cause.
const WRITES_PER_DEED: usize = 80;
const WRITES_PER_MINUTE: usize = 40;

/// Everything that is not ours, by where it is: what somebody asked for, not how it fares.
#[derive(Clone, Debug, PartialEq)]
pub struct Bystanders(BTreeMap<String, Value>);

impl Bystanders {
    /// Those of a stage.
    pub fn of(stage: &Stage) -> Self {
        let plane = stage.world.control_plane().local("judge");
        let mut all = BTreeMap::new();
        for kind in [
            DEPLOYMENTS,
            HORIZONTAL_POD_AUTOSCALERS,
            PROPAGATION_POLICIES,
            BINDINGS,
            WORKS,
            INTERPRETER_CUSTOMIZATIONS,
        ] {
            let found = plane.list(&kind, None);
            let others = found.iter().filter(|object| !is_web(object));
            all.extend(others.map(|object| told("control plane", object)));
        }
        for name in stage.world.members() {
            for kind in [DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS] {
                let found = member(stage, name).list(&kind, None);
                let others = found.iter().filter(|object| !is_web(object));
                all.extend(others.map(|object| told(name, object)));
            }
        }
        Self(all)
    }

    fn differs_from(&self, other: &Self) -> Option<String> {
        let keys = self.0.keys().chain(other.0.keys());
        let off = keys.into_iter().find(|key| self.0.get(*key) != other.0.get(*key))?;
        Some(format!("{off}: before {:?}, after {:?}", self.0.get(off), other.0.get(off)))
    }
}

fn member(stage: &Stage, name: &str) -> Local {
    stage.world.member(name).expect("a member").local("judge")
}

fn is_web(object: &Value) -> bool {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let manifest = object.pointer("/spec/workload/manifests/0/metadata/name").and_then(Value::as_str);
    name == "web" || name == "web-deployment" || manifest == Some("web")
}

fn told(place: &str, object: &Value) -> (String, Value) {
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, namespace, name) =
        (text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"]));
    let meant = json!({
        "labels": metadata["labels"], "finalizers": metadata["finalizers"], "spec": object["spec"],
        "uid": metadata["uid"],
    });
    (format!("{place} {kind} {namespace}/{name}"), meant)
}

/// How it ended, or the first promise that is broken.
pub fn judge(plan: &Plan, stage: &Stage, rested: bool, before: &Bystanders) -> Result<String, String> {
    if let Some(violation) = stage.audit.violations().first() {
        return Err(format!("{} at {}: {}", violation.promise, violation.at.format("%T"), violation.seen));
    }
    let writes = stage.writes();
    if !rested && sums_mislead(stage) {
        return Ok(format!(
            "no rest after {} writes: room by sums says that what waits for a node fits",
            writes.len()
        ));
    }
    if !rested {
        return Err(restless(stage));
    }
    check_writes(plan, &writes)?;
    if let Some(difference) = before.differs_from(&Bystanders::of(stage)) {
        return Err(format!("an object of others was touched: {difference}"));
    }
    if stage.reschedules() > 0 {
        return Err(format!("the scheduler divided {} times while held", stage.reschedules()));
    }
    match plan.ending {
        Ending::Stays if !stage.numbers().agree() => {
            return Err(format!("the numbers differ: {:?}", stage.numbers()));
        }
        Ending::Stays => check_shares(stage)?,
        Ending::Deleted(_) => check_gone(stage)?,
    }
    Ok(format!(
        "in order after {} writes and {} looks: {:?}",
        writes.len(),
        stage.audit.looks(),
        stage.numbers().members
    ))
}

/// Whether a cluster's room is read from its sums alone, and there is less than wanted. Sums are blind to fragmentation:
/// share comes whenever they say that it fits, and goes, after the cooldown, when pods have found no node.
fn sums_mislead(stage: &Stage) -> bool {
    let Some(object) = stage.object(&FED_HPAS, "web") else { return false };
    let clusters = object.pointer("/status/clusters").and_then(Value::as_array).into_iter().flatten();
    let by_sums = clusters.into_iter().any(|cluster| cluster["capacitySource"] == "Summary");
    by_sums && object.pointer("/status/unplaced").and_then(Value::as_u64).is_some_and(|replicas| replicas > 0)
}

fn restless(stage: &Stage) -> String {
    let writes = stage.writes();
    let last = writes.iter().rev().take(4).map(|write| format!("{} {}", write.path, write.code));
    format!("no rest; last writes {}", last.collect::<Vec<_>>().join(", "))
}

/// Only what is ours is written, and not without end.
fn check_writes(plan: &Plan, writes: &[WriteRecord]) -> Result<(), String> {
    let ours = |write: &&WriteRecord| {
        let path = write.path.as_str();
        let work = path.contains("/namespaces/karmada-es-") && path.contains("/works/web-");
        let new_work = write.method == Method::POST && path.ends_with("/works");
        let event = path.ends_with("/events") || path.contains("/events/");
        let named = ["/fedhpas/web", "/deployments/web", "/resourcebindings/web-deployment"];
        work || new_work || event || named.iter().any(|named| path.contains(named))
    };
    if let Some(foreign) = writes.iter().find(|write| !ours(write)) {
        return Err(format!("the controllers wrote what is not theirs: {foreign:?}"));
    }
    let minutes = usize::try_from(plan.length / 60 + 10).unwrap_or(usize::MAX);
    let allowed = WRITES_PER_DEED * (plan.deeds.len() + 2) + WRITES_PER_MINUTE * minutes;
    if writes.len() > allowed {
        return Err(format!("{} writes, at most {allowed} are in proportion", writes.len()));
    }
    Ok(())
}

/// Shares sum to the totals, members are within theirs, and each HPA has its Work.
fn check_shares(stage: &Stage) -> Result<(), String> {
    let object = stage.object(&FED_HPAS, "web").ok_or("the FedHPA is gone")?;
    let number = |path: &str| object.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let (hpas, numbers) = (stage.hpas(), stage.numbers());
    let (min, max) = hpas.values().fold((0, 0), |sum, share| (sum.0 + share.0, sum.1 + share.1));
    let (wanted, unplaced) = (number("/spec/maxReplicas"), number("/status/unplaced"));
    let stranded = stage.condition("Distributed").is_some_and(|(_, reason, _)| reason == "NoPlace");
    if max + unplaced != wanted && !stranded {
        return Err(format!("maxes sum to {max}, {unplaced} are unplaced of {wanted}: {hpas:?}"));
    }
    if min < number("/spec/minReplicas").min(max).min(wanted - unplaced) {
        return Err(format!("mins sum to {min} of {}: {hpas:?}", number("/spec/minReplicas")));
    }
    let outside = hpas.iter().find(|(name, (min, max))| {
        let running = numbers.members.get(*name).copied().unwrap_or(0);
        running < *min || running > *max
    });
    if let Some((name, share)) = outside {
        return Err(format!("{name} runs outside {share:?}: {numbers:?}"));
    }
    let with_work = works(stage);
    let with_hpa: Vec<String> = hpas.into_keys().collect();
    if with_work != with_hpa {
        return Err(format!("HPAs in {with_hpa:?}, Works for {with_work:?}"));
    }
    Ok(())
}

/// Members for which there is a Work with an HPA named `web`.
fn works(stage: &Stage) -> Vec<String> {
    let plane = stage.world.control_plane().local("judge");
    let found = plane.list(&WORKS, None);
    let hpa = |work: &&std::sync::Arc<Value>| {
        let manifest = work.pointer("/spec/workload/manifests/0").unwrap_or(&Value::Null);
        manifest["kind"] == "HorizontalPodAutoscaler" && manifest["metadata"]["name"] == "web"
    };
    let member = |work: &std::sync::Arc<Value>| {
        let namespace = work["metadata"]["namespace"].as_str().unwrap_or_default();
        namespace.trim_start_matches("karmada-es-").to_owned()
    };
    found.iter().filter(hpa).map(member).collect()
}

/// Nothing of ours is left, and the workload is Karmada's again.
fn check_gone(stage: &Stage) -> Result<(), String> {
    if stage.object(&FED_HPAS, "web").is_some() {
        return Err("the FedHPA does not go".to_owned());
    }
    let (hpas, works) = (stage.hpas(), works(stage));
    if !hpas.is_empty() || !works.is_empty() {
        return Err(format!("orphans: HPAs {hpas:?}, Works for {works:?}"));
    }
    let template = stage.object(&DEPLOYMENTS, "web").ok_or("the template is gone")?;
    let labels = template["metadata"]["labels"].as_object();
    let ours = |keys: Option<&serde_json::Map<String, Value>>| {
        keys.into_iter().flatten().find(|(key, _)| key.contains("fedscaler")).map(|(key, _)| key.clone())
    };
    if let Some(key) = ours(labels) {
        return Err(format!("the template keeps {key}"));
    }
    let binding = stage.object(&BINDINGS, "web-deployment").ok_or("the binding is gone")?;
    if binding.pointer("/spec/suspension/scheduling") == Some(&json!(true)) {
        return Err("scheduling is still held".to_owned());
    }
    match ours(binding["metadata"]["annotations"].as_object()) {
        Some(key) => Err(format!("the binding keeps {key}")),
        None => Ok(()),
    }
}
