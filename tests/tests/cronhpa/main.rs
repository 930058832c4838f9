//! CronHPA against the sandbox: workloads and FedHPAs at their times, and whatever may happen meanwhile.

mod crash;
mod many;
mod ready;
mod times;

use fedscaler_tests::stage::Stage;

/// The FedHPA of the examples.
const FED_HPA: &str = include_str!("../../../deploy/examples/fedhpa.yaml");

/// Rules for the Deployment `batch`, in UTC; the stage's clock starts on a Monday at midnight.
const BATCH: &str = r#"
apiVersion: autoscaling.fedscaler.io/v1alpha1
kind: CronHPA
metadata: {name: batch, namespace: default}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: batch}
  rules:
  - {name: more, schedule: "10 * * * *", targetReplicas: 8, startingDeadlineSeconds: 300}
  - {name: fewer, schedule: "20 * * * *", targetReplicas: 3}
"#;

/// Bounds for the FedHPA `web`: a point rule and a window.
const WEB: &str = r#"
apiVersion: autoscaling.fedscaler.io/v1alpha1
kind: CronHPA
metadata: {name: web, namespace: default}
spec:
  scaleTargetRef: {apiVersion: autoscaling.fedscaler.io/v1alpha1, kind: FedHPA, name: web}
  rules:
  - {name: point, schedule: "10 0 * * *", minReplicas: 9}
  - {name: window, start: "20 0 * * *", end: "40 0 * * *", minReplicas: 18, priority: 10}
"#;

/// Replicas of the template of `batch`.
fn batch(stage: &Stage) -> u64 {
    stage.numbers_of("batch").template
}

/// How many slots of a rule came to `result`.
fn slots(stage: &Stage, cron: &str, rule: &str, result: &str) -> u64 {
    let object = stage.object(&fedscaler_tests::stage::CRON_HPAS, cron).expect("the CronHPA");
    let rules = object["status"]["rules"].as_array().expect("rules in the status");
    let rule = rules.iter().find(|entry| entry["name"] == rule).expect("the rule");
    rule["counts"][result].as_u64().unwrap_or(0)
}
