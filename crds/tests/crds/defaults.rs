//! The defaults in the schema and those of the types are the same, and nothing is lost on the way through the types.

use fedscaler_crds::{CronHpa, FedHpa};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::judge::{Judge, judges, samples};

/// Reads the object as it was written and as the API server stores it: both must give the same, and write back the
/// latter.
fn agree<K: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(
    judge: &Judge,
    name: &str,
    written: &Value,
) {
    let stored = judge.completed(written);
    let from_written: K = serde_json::from_value(judge.without_nulls(written)).unwrap();
    let from_stored: K = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(from_written, from_stored, "{name}: the schema's defaults are not those of the type");
    assert_eq!(
        serde_json::to_value(&from_stored).unwrap(),
        stored,
        "{name}: the type does not give back what is stored"
    );
}

#[test]
fn the_types_and_the_schema_fill_in_the_same() {
    let judges = judges();
    for sample in samples("accepted") {
        match sample.kind() {
            "FedHPA" => agree::<FedHpa>(&judges["FedHPA"], &sample.name, &sample.object),
            "CronHPA" => agree::<CronHpa>(&judges["CronHPA"], &sample.name, &sample.object),
            other => panic!("{} is a {other}", sample.name),
        }
    }
}

#[test]
fn a_minimal_fedhpa_is_stored_with_every_default() {
    let minimal =
        samples("accepted").into_iter().find(|sample| sample.name == "fedhpa-minimal.yaml").unwrap();
    let stored = judges()["FedHPA"].completed(&minimal.object);
    let expected: Value = serde_saphyr::from_str(
        r"
scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
minReplicas: 1
maxReplicas: 10
metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
distribution: {strategy: Capacity, clusters: []}
rebalance: {mode: Auto, cooldownSeconds: 300, tolerancePercent: 10}
capacity: {source: Auto, reservePercent: 0}
writeBack: {intervalSeconds: 15}
adopt: Never
suspend: false
",
    )
    .unwrap();
    assert_eq!(stored["spec"], expected);
}

#[test]
fn a_minimal_cronhpa_is_stored_with_every_default() {
    let minimal =
        samples("accepted").into_iter().find(|sample| sample.name == "cronhpa-minimal.yaml").unwrap();
    let stored = judges()["CronHPA"].completed(&minimal.object);
    let expected: Value = serde_saphyr::from_str(
        r#"
scaleTargetRef: {apiVersion: autoscaling.fedscaler.io/v1alpha1, kind: FedHPA, name: web}
timeZone: UTC
rules: [{name: a, schedule: "0 0 * * *", minReplicas: 1, priority: 0, leadSeconds: 0, runOnce: false, suspend: false}]
exclude: {}
suspend: false
historyLimit: 5
"#,
    )
    .unwrap();
    assert_eq!(stored["spec"], expected);
}
