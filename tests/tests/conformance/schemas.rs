//! What a schema does to objects: pruning, defaults, limits, rules, transitions, ratcheting.

use serde_json::{Value, json};

use crate::{
    bodies::{MAPS, gadget, gadgets, map, widget, with_widgets},
    case::cases,
    server::{CRDS, Server, text},
};

cases! { ApiServer:
    unknown_fields_are_pruned_warned_about_or_refused,
    unknown_fields_of_built_in_kinds_too,
    unknown_fields_are_kept_where_the_schema_says_so,
    unknown_field_validation_is_refused,
    defaults_fill_in_what_is_missing,
    nulls_give_way_to_defaults_and_are_dropped,
    types_are_judged,
    limits_are_judged,
    required_fields_are_judged,
    enumerations_are_judged,
    every_violation_is_told_at_once,
    list_maps_take_no_two_items_of_one_key,
    sets_take_no_item_twice,
    rules_judge_objects,
    rules_judge_changes,
    rules_are_not_asked_where_the_shape_is_wrong,
    what_was_wrong_before_may_stay_as_it_was,
    metadata_is_judged_as_ever,
}

async fn refused(server: &Server, spec: &Value, says: &[&str]) {
    let path = server.path(&format!("{}/v1/widgets", server.group()));
    server.post(&path, widget(server, "w", spec)).await.refused_with(422, "Invalid", says);
}

async fn unknown_fields_are_pruned_warned_about_or_refused(server: &Server) {
    let path = with_widgets(server).await;
    let object =
        |name: &str| widget(server, name, &json!({"max": 1, "maxx": 2, "rules": [{"name": "a", "odd": 1}]}));
    let warned = server.post(&path, object("a")).await;
    let warnings =
        ["299 - \"unknown field \\\"spec.maxx\\\"\"", "299 - \"unknown field \\\"spec.rules[0].odd\\\"\""];
    assert_eq!(warned.warnings, warnings);
    let made = warned.created();
    assert_eq!(
        (made["spec"].get("maxx"), &made["spec"]["rules"]),
        (None, &json!([{"name": "a", "kind": "Point"}]))
    );
    let ignored = server.post(&format!("{path}?fieldValidation=Ignore"), object("b")).await;
    assert!(ignored.warnings.is_empty(), "{:?}", ignored.warnings);
    ignored.created();
    let strict = server.post(&format!("{path}?fieldValidation=Strict"), object("c")).await;
    assert_eq!(
        strict.refused(400, "BadRequest"),
        "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.maxx\", unknown field \"spec.rules[0].odd\""
    );
    let strict =
        server.merge(&format!("{path}/a?fieldValidation=Strict"), json!({"spec": {"maxx": 2}})).await;
    strict.refused_with(422, "Invalid", &["unknown field \"spec.maxx\""]);
    let applied = server.apply(&format!("{path}/d"), "alice", object("d")).await;
    assert!(applied.code >= 400, "an application of unknown fields is always refused: {}", applied.body);
}

async fn unknown_fields_of_built_in_kinds_too(server: &Server) {
    let maps = server.path(MAPS);
    let mut odd = map("one", &[]);
    odd["odd"] = json!(1);
    let strict = server.post(&format!("{maps}?fieldValidation=Strict"), odd.clone()).await;
    strict.refused_with(400, "BadRequest", &["strict decoding error: unknown field \"odd\""]);
    let warned = server.post(&maps, odd).await;
    assert_eq!(warned.warnings, ["299 - \"unknown field \\\"odd\\\"\""]);
    assert_eq!(warned.created().get("odd"), None);
}

async fn unknown_fields_are_kept_where_the_schema_says_so(server: &Server) {
    let path = with_widgets(server).await;
    let spec = json!({"max": 1, "open": {"any": {"thing": [1, "x", null]}}, "labels": {"a": "b"}});
    let made =
        server.post(&format!("{path}?fieldValidation=Strict"), widget(server, "w", &spec)).await.created();
    assert_eq!((&made["spec"]["open"], &made["spec"]["labels"]), (&spec["open"], &spec["labels"]));
}

async fn unknown_field_validation_is_refused(server: &Server) {
    let refused = server.post(&format!("{}?fieldValidation=Loose", server.path(MAPS)), map("one", &[])).await;
    refused.refused_with(422, "Invalid", &["fieldValidation: Unsupported value: \"Loose\""]);
}

async fn defaults_fill_in_what_is_missing(server: &Server) {
    let path = with_widgets(server).await;
    let made =
        server.post(&path, widget(server, "w", &json!({"max": 1, "rules": [{"name": "a"}]}))).await.created();
    assert_eq!(
        made["spec"],
        json!({"max": 1, "mode": "Auto", "limits": {"surge": 3}, "rules": [{"name": "a", "kind": "Point"}]})
    );
    let emptied = server
        .merge(
            &format!("{path}/w"),
            json!({"spec": {"limits": null, "rules": [{"name": "b", "kind": "Window"}]}}),
        )
        .await;
    let emptied = emptied.ok();
    assert_eq!(
        (&emptied["spec"]["limits"], &emptied["spec"]["rules"][0]["kind"]),
        (&json!({"surge": 3}), &json!("Window"))
    );
}

async fn nulls_give_way_to_defaults_and_are_dropped(server: &Server) {
    let path = with_widgets(server).await;
    let spec = json!({"max": 1, "min": null, "mode": null, "note": null, "limits": {"surge": null}});
    let made = server.post(&path, widget(server, "w", &spec)).await.created();
    assert_eq!(made["spec"], json!({"max": 1, "mode": "Auto", "note": null, "limits": {"surge": 3}}));
}

async fn types_are_judged(server: &Server) {
    with_widgets(server).await;
    let wrong = |field: &str, found: &str, wanted: &str| {
        format!(
            "spec.{field}: Invalid value: \"{found}\": spec.{field} in body must be of type {wanted}: \"{found}\""
        )
    };
    refused(server, &json!({"max": "1"}), &[&wrong("max", "string", "integer")]).await;
    refused(server, &json!({"max": 1, "words": "a"}), &[&wrong("words", "string", "array")]).await;
    refused(server, &json!({"max": 1, "limits": []}), &[&wrong("limits", "array", "object")]).await;
    refused(server, &json!({"max": 1, "name": 5}), &[&wrong("name", "integer", "string")]).await;
    refused(server, &json!({"max": 1.5}), &["spec.max"]).await;
    refused(server, &json!({"max": 1, "port": true}), &["spec.port"]).await;
    refused(server, &json!({"max": 1, "labels": {"a": 1}}), &["spec.labels.a: Invalid value: \"integer\""])
        .await;
    let path = server.path(&format!("{}/v1/widgets", server.group()));
    for (name, port) in [("a", json!(80)), ("b", json!("http"))] {
        server.post(&path, widget(server, name, &json!({"max": 1, "port": port}))).await.created();
    }
}

async fn limits_are_judged(server: &Server) {
    with_widgets(server).await;
    let body = |field: &str, rule: &str| format!("spec.{field} in body should {rule}");
    refused(
        server,
        &json!({"max": 0}),
        &["spec.max: Invalid value: 0: ", &body("max", "be greater than or equal to 1")],
    )
    .await;
    refused(
        server,
        &json!({"max": 1001}),
        &["spec.max: Invalid value: 1001: ", &body("max", "be less than or equal to 1000")],
    )
    .await;
    refused(
        server,
        &json!({"max": 1, "name": "AB"}),
        &["spec.name: Invalid value: \"AB\": ", &body("name", "match '^[a-z]+$'")],
    )
    .await;
    refused(server, &json!({"max": 1, "name": "a"}), &[&body("name", "be at least 2 chars long")]).await;
    refused(
        server,
        &json!({"max": 1, "name": "abcdef"}),
        &["spec.name: Too long: may not be more than 5 bytes"],
    )
    .await;
    refused(
        server,
        &json!({"max": 1, "words": ["a", "b", "c", "d"]}),
        &["spec.words: Too many: 4: must have at most 3 items"],
    )
    .await;
    refused(
        server,
        &json!({"max": 1, "labels": {"a": "1", "b": "2", "c": "3"}}),
        &["spec.labels: Too many: 3: must have at most 2 items"],
    )
    .await;
    let deep = json!({"max": 1, "rules": [{"name": "a"}, {"name": "b", "weight": 11}]});
    refused(server, &deep, &["spec.rules[1].weight: Invalid value: 11: spec.rules[1].weight in body should be less than or equal to 10"]).await;
}

async fn required_fields_are_judged(server: &Server) {
    with_widgets(server).await;
    refused(server, &json!({}), &["spec.max: Required value"]).await;
    refused(server, &json!({"max": 1, "rules": [{"weight": 1}]}), &["spec.rules[0].name: Required value"])
        .await;
}

async fn enumerations_are_judged(server: &Server) {
    with_widgets(server).await;
    let says = ["spec.mode: Unsupported value: \"auto\": supported values: \"Auto\", \"Off\""];
    refused(server, &json!({"max": 1, "mode": "auto"}), &says).await;
}

async fn every_violation_is_told_at_once(server: &Server) {
    let path = with_widgets(server).await;
    let answer = server.post(&path, widget(server, "w", &json!({"max": 0, "min": -1}))).await;
    assert_eq!(
        (&answer.body["details"]["group"], &answer.body["details"]["kind"]),
        (&json!(server.group()), &json!("Widget"))
    );
    let causes = answer.body["details"]["causes"].as_array().unwrap();
    let mut fields: Vec<_> =
        causes.iter().map(|cause| (text(&cause["field"]), text(&cause["reason"]))).collect();
    fields.retain(|(field, _)| field != "<nil>");
    fields.sort();
    let invalid = |field: &str| (field.to_owned(), "FieldValueInvalid".to_owned());
    assert_eq!(fields, [invalid("spec.max"), invalid("spec.min")]);
    let name = format!("Widget.{} \"w\" is invalid: [", server.group());
    answer.refused_with(422, "Invalid", &[&name]);
}

async fn list_maps_take_no_two_items_of_one_key(server: &Server) {
    with_widgets(server).await;
    let spec = json!({"max": 1, "rules": [{"name": "a"}, {"name": "b"}, {"name": "a"}]});
    refused(server, &spec, &["spec.rules[2]: Duplicate value: {\"name\":\"a\"}"]).await;
}

async fn sets_take_no_item_twice(server: &Server) {
    with_widgets(server).await;
    refused(server, &json!({"max": 1, "words": ["a", "b", "a"]}), &["spec.words[2]: Duplicate value: \"a\""])
        .await;
}

async fn rules_judge_objects(server: &Server) {
    let path = with_widgets(server).await;
    let answer = server.post(&path, widget(server, "w", &json!({"min": 3, "max": 2}))).await;
    let cause = &answer.body["details"]["causes"][0];
    assert_eq!((&cause["field"], &cause["reason"]), (&json!("spec"), &json!("FieldValueInvalid")));
    answer.refused_with(422, "Invalid", &["spec: Invalid value: ", "min must not exceed max"]);
    server.post(&path, widget(server, "w", &json!({"min": 2, "max": 2}))).await.created();
    let refused = server.merge(&format!("{path}/w"), json!({"spec": {"min": 3}})).await;
    refused.refused_with(422, "Invalid", &["min must not exceed max"]);
}

async fn rules_judge_changes(server: &Server) {
    let path = with_widgets(server).await;
    // There is no old self when an object is new.
    server.post(&path, widget(server, "w", &json!({"max": 1, "mode": "Off"}))).await.created();
    let answer = server.merge(&format!("{path}/w"), json!({"spec": {"mode": "Auto"}})).await;
    assert_eq!(answer.body["details"]["causes"][0]["reason"], "FieldValueForbidden");
    answer.refused_with(422, "Invalid", &["spec: Forbidden: mode cannot be changed"]);
    server.merge(&format!("{path}/w"), json!({"spec": {"max": 9}})).await.ok();
}

async fn rules_are_not_asked_where_the_shape_is_wrong(server: &Server) {
    with_widgets(server).await;
    let says = [
        "spec.max: Invalid value: \"string\"",
        "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
    ];
    refused(server, &json!({"min": 3, "max": "2"}), &says).await;
}

async fn what_was_wrong_before_may_stay_as_it_was(server: &Server) {
    let open =
        json!({"type": "object", "properties": {"size": {"type": "integer"}, "other": {"type": "integer"}}});
    server.define(gadgets(server, &open)).await;
    let path = server.path(&format!("{}/v1/gadgets", server.group()));
    server.post(&path, gadget(server, "g", &json!({"size": 50, "other": 1}))).await.created();
    let definition = format!("{CRDS}/gadgets.{}", server.group());
    let mut narrow = server.get(&definition).await.ok();
    let spec = &mut narrow["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    spec["properties"]["size"]["maximum"] = json!(10);
    server.put(&definition, narrow).await.ok();
    let narrowed = async || {
        let probe =
            server.post(&format!("{path}?dryRun=All"), gadget(server, "probe", &json!({"size": 50}))).await;
        (probe.code == 422).then_some(())
    };
    server.until("the narrower schema is in force", narrowed).await;
    let changed = server.merge(&format!("{path}/g"), json!({"spec": {"other": 2}})).await.ok();
    assert_eq!(changed["spec"], json!({"size": 50, "other": 2}));
    let worse = server.merge(&format!("{path}/g"), json!({"spec": {"size": 60}})).await;
    worse.refused_with(422, "Invalid", &["spec.size: Invalid value: 60"]);
    assert_eq!(
        server.merge(&format!("{path}/g"), json!({"spec": {"size": 9}})).await.ok()["spec"]["size"],
        9
    );
}

async fn metadata_is_judged_as_ever(server: &Server) {
    let path = with_widgets(server).await;
    let mut bad = widget(server, "w", &json!({"max": 1}));
    bad["metadata"]["labels"] = json!({"a": "not a value"});
    server.post(&path, bad.clone()).await.refused_with(422, "Invalid", &["metadata.labels: Invalid value: "]);
    bad["metadata"]["labels"] = json!({"a": 1});
    assert!([400, 422].contains(&server.post(&path, bad).await.code));
    let upper = server.post(&path, widget(server, "Upper", &json!({"max": 1}))).await;
    upper.refused_with(
        422,
        "Invalid",
        &["metadata.name: Invalid value: \"Upper\": a lowercase RFC 1123 subdomain must consist of"],
    );
}
