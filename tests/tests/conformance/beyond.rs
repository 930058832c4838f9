//! What a real API server does and the sandbox leaves out, each on purpose: these cases run against a real one only.

use http::Method;
use serde_json::json;

use crate::{
    bodies::{DEPLOYMENTS, deployment, gadgets, with_widgets},
    case::{Case, case},
    server::{CRDS, JSON, Server},
};

pub(crate) const CASES: &[Case] = &[
    // The sandbox's CEL compiles and does not check types; our own definitions are tried on a real server.
    case!(RealServer, rules_are_type_checked),
    // The sandbox reads JSON into maps, where the last one has won already.
    case!(RealServer, a_field_given_twice_is_warned_about_or_refused),
    // The sandbox knows of built-in kinds what patches and defaults need, and keeps the rest as it comes.
    case!(RealServer, unknown_fields_deep_in_built_in_kinds_are_refused),
];

async fn rules_are_type_checked(server: &Server) {
    for rule in ["self.nothing > 1", "self.a == 'text'", "self.a"] {
        let spec = json!({
            "type": "object", "properties": {"a": {"type": "integer"}},
            "x-kubernetes-validations": [{"rule": rule, "message": "no"}],
        });
        let says = ["x-kubernetes-validations[0].rule: Invalid value: "];
        server.post(CRDS, gadgets(server, &spec)).await.refused_with(422, "Invalid", &says);
    }
}

async fn a_field_given_twice_is_warned_about_or_refused(server: &Server) {
    let path = with_widgets(server).await;
    let body = format!(
        "{{\"apiVersion\": \"{}/v1\", \"kind\": \"Widget\", \"metadata\": {{\"name\": \"w\"}}, \"spec\": {{\"max\": 1, \"max\": 2}}}}",
        server.group()
    );
    let strict = format!("{path}?fieldValidation=Strict");
    let strict = server.call(Method::POST, &strict, JSON, body.as_str()).await;
    strict.refused_with(400, "BadRequest", &["strict decoding error: duplicate field \"spec.max\""]);
    let warned = server.call(Method::POST, &path, JSON, body).await;
    assert_eq!(warned.warnings, ["299 - \"duplicate field \\\"spec.max\\\"\""]);
    assert_eq!(warned.created()["spec"]["max"], 2);
}

async fn unknown_fields_deep_in_built_in_kinds_are_refused(server: &Server) {
    let mut odd = deployment("web");
    odd["spec"]["template"]["spec"]["odd"] = json!(1);
    let refused = server.post(&format!("{}?fieldValidation=Strict", server.path(DEPLOYMENTS)), odd).await;
    refused.refused_with(
        400,
        "BadRequest",
        &["strict decoding error: unknown field \"spec.template.spec.odd\""],
    );
}
