//! Samples of what must be accepted and of what must be rejected, and that together they leave nothing out.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::judge::{judges, samples};

#[test]
fn accepted_samples_are_accepted() {
    let judges = judges();
    for sample in samples("accepted") {
        let objections = judges[sample.kind()].objections(&sample.object);
        assert!(objections.is_empty(), "{}: {objections:#?}", sample.name);
    }
}

#[test]
fn what_others_manifests_are_converted_to_is_accepted() {
    let judges = judges();
    let mut converted = 0;
    for name in ["aliyun", "karmada", "list"] {
        let path = format!("../docs/examples/convert/{name}.cronhpas.yaml");
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap();
        for object in documents {
            let objections = judges[object["kind"].as_str().unwrap()].objections(&object);
            assert!(objections.is_empty(), "{name}: {objections:#?}");
            converted += 1;
        }
    }
    assert_eq!(converted, 8, "every example has its CronHPAs");
}

#[test]
fn rejected_samples_are_rejected_for_the_one_reason_that_they_name() {
    let judges = judges();
    for sample in samples("rejected") {
        let reason = sample.first_line.strip_prefix("# rejected: ").unwrap_or_else(|| {
            panic!("{} does not begin with `# rejected: REASON`", sample.name);
        });
        let objections = judges[sample.kind()].objections(&sample.object);
        let [objection] = objections.as_slice() else {
            panic!("{} has other than one objection: {objections:#?}", sample.name);
        };
        assert!(objection.contains(reason), "{} is rejected for another reason: {objection}", sample.name);
    }
}

#[test]
fn every_rule_rejects_a_sample() {
    let reasons: Vec<_> = samples("rejected").into_iter().map(|sample| sample.first_line).collect();
    for judge in judges().values() {
        for message in messages(&judge.schema) {
            let covered = reasons
                .iter()
                .any(|line| line.strip_prefix("# rejected: ").is_some_and(|reason| message.contains(reason)));
            assert!(covered, "no rejected sample for the rule that says: {message}");
        }
    }
}

fn messages(schema: &Value) -> Vec<String> {
    let below = match schema {
        Value::Object(fields) => fields.values().flat_map(messages).collect(),
        Value::Array(items) => items.iter().flat_map(messages).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let here = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    here.map(|rule| rule["message"].as_str().unwrap().to_owned()).chain(below).collect()
}

#[test]
fn every_field_is_in_an_accepted_sample() {
    let accepted = samples("accepted");
    for (kind, judge) in judges() {
        let mut fields = BTreeSet::new();
        let mut given = BTreeSet::new();
        declared(&judge.schema, "", &mut fields);
        for sample in accepted.iter().filter(|sample| sample.kind() == kind) {
            present(&sample.object, "", &mut given);
        }
        let missing: Vec<_> = fields.difference(&given).collect();
        assert!(missing.is_empty(), "no accepted sample of {kind} has {missing:#?}");
    }
}

fn declared(schema: &Value, path: &str, fields: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        declared(property, &path, fields);
        fields.insert(path);
    }
    if schema["items"].is_object() {
        declared(&schema["items"], path, fields);
    }
}

fn present(value: &Value, path: &str, fields: &mut BTreeSet<String>) {
    match value {
        Value::Object(given) => {
            for (name, value) in given {
                let path = format!("{path}.{name}");
                present(value, &path, fields);
                fields.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| present(item, path, fields)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
