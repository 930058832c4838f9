//! Our own definitions, as a server takes them, and the samples of what it must accept and reject.

use std::{fs, path::Path};

use fedscaler_crds::render;
use http::Method;
use serde_json::{Value, json};

use crate::{
    case::cases,
    server::{APPLY, CRDS, Server, text},
};

cases! { ApiServer:
    our_definitions_are_accepted_without_a_warning,
    accepted_samples_are_accepted,
    rejected_samples_are_rejected_for_the_reason_they_name,
    a_minimal_fedhpa_gets_every_default,
    status_of_our_kinds_has_an_owner_per_entry,
}

/// A file of `crds/samples`.
struct Sample {
    file: String,
    text: String,
    object: Value,
}

impl Sample {
    /// The collection it belongs to, in the namespace of the case.
    fn path(&self, server: &Server) -> String {
        let plural = format!("{}s", text(&self.object["kind"]).to_lowercase());
        server.path(&format!("{}/{plural}", text(&self.object["apiVersion"])))
    }
}

fn samples(folder: &str) -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/samples").join(folder);
    let mut samples: Vec<Sample> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let object = serde_saphyr::from_str(&text).unwrap();
            Sample { file: path.file_name().unwrap().to_string_lossy().into_owned(), text, object }
        })
        .collect();
    samples.sort_by(|one, other| one.file.cmp(&other.file));
    assert!(!samples.is_empty());
    samples
}

async fn with_our_kinds(server: &Server) {
    for definition in render::render().unwrap().into_values() {
        let object: Value = serde_saphyr::from_str(&definition).unwrap();
        let name = text(&object["metadata"]["name"]);
        let path = format!("{CRDS}/{name}?fieldManager=conformance&force=true");
        let applied = server.call(Method::PATCH, &path, APPLY, definition).await;
        assert_eq!(applied.warnings, [""; 0], "{name}");
        applied.ok();
        server.until_served(&name, &object).await;
    }
}

async fn our_definitions_are_accepted_without_a_warning(server: &Server) {
    with_our_kinds(server).await;
    // Once more, as an upgrade does: nothing changes.
    with_our_kinds(server).await;
}

async fn accepted_samples_are_accepted(server: &Server) {
    with_our_kinds(server).await;
    for sample in samples("accepted") {
        let created = server
            .post(&format!("{}?fieldValidation=Strict", sample.path(server)), sample.object.clone())
            .await;
        assert_eq!(created.code, 201, "{}: {}", sample.file, created.body);
        let name = text(&sample.object["metadata"]["name"]);
        if sample.object.get("status").is_some() {
            let status = json!({"status": sample.object["status"]});
            let path = format!("{}/{name}/status?fieldValidation=Strict", sample.path(server));
            let written = server.merge(&path, status).await;
            assert_eq!(written.code, 200, "{}: {}", sample.file, written.body);
            assert_eq!(written.warnings, [""; 0], "{}", sample.file);
        }
        server.delete(&format!("{}/{name}", sample.path(server)), json!({})).await.ok();
    }
}

async fn rejected_samples_are_rejected_for_the_reason_they_name(server: &Server) {
    with_our_kinds(server).await;
    let mut wrong = Vec::new();
    for sample in samples("rejected") {
        let reason = sample.text.lines().next().unwrap().strip_prefix("# rejected: ").expect("a reason");
        let answer = server
            .post(&format!("{}?fieldValidation=Strict", sample.path(server)), sample.object.clone())
            .await;
        let message = answer.body["message"].as_str().unwrap_or_default();
        if ![400, 422].contains(&answer.code) || !message.contains(reason) {
            wrong.push(format!("{}: {} {message}", sample.file, answer.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn a_minimal_fedhpa_gets_every_default(server: &Server) {
    with_our_kinds(server).await;
    let minimal =
        samples("accepted").into_iter().find(|sample| sample.file == "fedhpa-minimal.yaml").unwrap();
    let made = server.post(&minimal.path(server), minimal.object.clone()).await.created();
    for field in ["minReplicas", "distribution", "rebalance", "capacity", "suspend"] {
        assert!(made["spec"].get(field).is_some(), "{field} has no default: {}", made["spec"]);
    }
    let again = server.post(&minimal.path(server), minimal.object.clone()).await;
    again.refused(409, "AlreadyExists");
}

async fn status_of_our_kinds_has_an_owner_per_entry(server: &Server) {
    with_our_kinds(server).await;
    let minimal =
        samples("accepted").into_iter().find(|sample| sample.file == "fedhpa-minimal.yaml").unwrap();
    let name = text(&minimal.object["metadata"]["name"]);
    server.post(&minimal.path(server), minimal.object.clone()).await.created();
    let path = format!("{}/{name}/status", minimal.path(server));
    let condition = |kind: &str| {
        json!({
            "apiVersion": minimal.object["apiVersion"], "kind": "FedHPA", "metadata": {"name": name},
            "status": {"conditions": [{
                "type": kind, "status": "True", "reason": "Tested", "message": "so it is",
                "lastTransitionTime": "2026-03-02T00:00:00Z",
            }]},
        })
    };
    server.apply(&path, "alice", condition("Ready")).await.ok();
    let both = server.apply(&path, "bob", condition("Odd")).await.ok();
    let mut kinds: Vec<String> = both["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|condition| text(&condition["type"]))
        .collect();
    kinds.sort();
    assert_eq!(kinds, ["Odd", "Ready"]);
}
