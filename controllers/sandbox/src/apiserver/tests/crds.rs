//! Custom resources: schemas, pruning, defaults, CEL, subresources, versions.

use super::*;

const WIDGETS: &str = "/apis/demo.io/v1/namespaces/default/widgets";

fn definition() -> Value {
    let spec = json!({
        "type": "object",
        "required": ["max"],
        "x-kubernetes-validations": [
            {"rule": "!has(self.min) || self.min <= self.max", "message": "min must not exceed max"},
            {"rule": "self.mode == oldSelf.mode", "message": "mode cannot be changed"},
        ],
        "properties": {
            "min": {"type": "integer", "minimum": 0},
            "max": {"type": "integer", "minimum": 1},
            "replicas": {"type": "integer"},
            "mode": {"type": "string", "enum": ["Auto", "Off"], "default": "Auto"},
            "rules": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "weight": {"type": "integer"}}},
            },
        },
    });
    let status = json!({"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}});
    let version = |name: &str, storage: bool| {
        json!({
            "name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}},
        })
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.demo.io"},
        "spec": {
            "group": "demo.io", "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [version("v1", true), version("v1beta1", false)],
        },
    })
}

fn widget(spec: Value) -> Value {
    json!({"apiVersion": "demo.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec})
}

async fn with_widgets() -> Api {
    let api = Api::new();
    api.post(CRDS, definition()).await.ok();
    api
}

#[tokio::test(start_paused = true)]
async fn a_definition_is_served_and_says_so() {
    let api = with_widgets().await;
    let definition = api.get(&format!("{CRDS}/widgets.demo.io")).await.ok();
    let conditions = definition["status"]["conditions"].as_array().unwrap();
    assert!(
        conditions
            .iter()
            .any(|condition| condition["type"] == "Established" && condition["status"] == "True")
    );
    assert_eq!(definition["spec"]["names"]["listKind"], "WidgetList");
    assert_eq!(api.get(WIDGETS).await.ok()["kind"], "WidgetList");
    assert_eq!(api.get("/apis/demo.io").await.ok()["preferredVersion"]["version"], "v1");
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_are_pruned_warned_about_or_refused() {
    let api = with_widgets().await;
    let object = widget(json!({"max": 1, "maxx": 2}));
    let warned = api.post(WIDGETS, object.clone()).await;
    assert_eq!(warned.warnings, ["299 - \"unknown field \\\"spec.maxx\\\"\""]);
    assert_eq!(warned.ok()["spec"], json!({"max": 1, "mode": "Auto"}));
    let refused = api.post(&format!("{WIDGETS}?fieldValidation=Strict"), object).await;
    assert_eq!(
        refused.refused(400, "BadRequest"),
        "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.maxx\""
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_that_breaks_its_schema_is_refused_with_the_field() {
    let api = with_widgets().await;
    let refused = api.post(WIDGETS, widget(json!({"max": 0}))).await;
    assert_eq!(
        refused.body["details"]["causes"],
        json!([{
            "reason": "FieldValueInvalid", "field": "spec.max",
            "message": "Invalid value: 0: spec.max in body should be greater than or equal to 1",
        }])
    );
    assert_eq!(
        refused.refused(422, "Invalid"),
        "Widget.demo.io \"w\" is invalid: spec.max: Invalid value: 0: spec.max in body should be greater than or equal to 1"
    );
    let missing = api.post(WIDGETS, widget(json!({}))).await.refused(422, "Invalid");
    assert!(missing.contains("spec.max: Required value"), "{missing}");
    assert!(missing.contains("some validation rules were not checked"), "{missing}");
}

#[tokio::test(start_paused = true)]
async fn cel_rules_judge_objects_and_changes() {
    let api = with_widgets().await;
    let refused = api.post(WIDGETS, widget(json!({"min": 3, "max": 2}))).await;
    assert_eq!(
        refused.refused(422, "Invalid"),
        "Widget.demo.io \"w\" is invalid: spec: Invalid value: min must not exceed max"
    );
    api.post(WIDGETS, widget(json!({"max": 2}))).await.ok();
    let changed =
        api.merge(&format!("{WIDGETS}/w"), json!({"spec": {"mode": "Off"}})).await.refused(422, "Invalid");
    assert!(changed.contains("mode cannot be changed"), "{changed}");
    api.merge(&format!("{WIDGETS}/w"), json!({"spec": {"max": 9}})).await.ok();
}

#[tokio::test(start_paused = true)]
async fn nulls_that_are_not_allowed_are_as_if_not_stated() {
    let api = with_widgets().await;
    let made = api.post(WIDGETS, widget(json!({"max": 1, "min": null, "mode": null}))).await.ok();
    assert_eq!(made["spec"], json!({"max": 1, "mode": "Auto"}));
}

#[tokio::test(start_paused = true)]
async fn a_rule_of_the_whole_object_sees_the_name() {
    let api = Api::new();
    let mut strict = definition();
    for version in strict["spec"]["versions"].as_array_mut().unwrap() {
        version["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] =
            json!([{"rule": "self.metadata.name.startsWith('w')", "message": "names begin with w"}]);
    }
    api.post(CRDS, strict).await.ok();
    api.post(WIDGETS, widget(json!({"max": 1}))).await.ok();
    let mut other = widget(json!({"max": 1}));
    other["metadata"]["name"] = json!("x");
    let refused = api.post(WIDGETS, other).await.refused(422, "Invalid");
    assert!(refused.ends_with("Invalid value: names begin with w"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_list_map_with_two_items_of_one_key_is_refused() {
    let api = with_widgets().await;
    let refused = api.post(WIDGETS, widget(json!({"max": 1, "rules": [{"name": "a"}, {"name": "a"}]}))).await;
    assert_eq!(
        refused.refused(422, "Invalid"),
        "Widget.demo.io \"w\" is invalid: spec.rules[1]: Duplicate value: {\"name\":\"a\"}"
    );
}

#[tokio::test(start_paused = true)]
async fn custom_resources_are_only_replaced_knowingly() {
    let api = with_widgets().await;
    api.post(WIDGETS, widget(json!({"max": 1}))).await.ok();
    let blind = api.put(&format!("{WIDGETS}/w"), widget(json!({"max": 2}))).await.refused(422, "Invalid");
    assert!(
        blind.contains("metadata.resourceVersion: Invalid value: 0: must be specified for an update"),
        "{blind}"
    );
    let strategic = api.patch(&format!("{WIDGETS}/w"), "strategic-merge-patch+json", json!({})).await;
    strategic.refused(415, "UnsupportedMediaType");
}

#[tokio::test(start_paused = true)]
async fn scale_follows_the_paths_of_the_definition() {
    let api = with_widgets().await;
    api.post(WIDGETS, widget(json!({"max": 1, "replicas": 2}))).await.ok();
    api.merge(&format!("{WIDGETS}/w/status"), json!({"status": {"replicas": 2, "selector": "app=w"}}))
        .await
        .ok();
    let scale = api.get(&format!("{WIDGETS}/w/scale")).await.ok();
    assert_eq!(
        (&scale["spec"]["replicas"], &scale["status"]),
        (&json!(2), &json!({"replicas": 2, "selector": "app=w"}))
    );
    api.merge(&format!("{WIDGETS}/w/scale"), json!({"spec": {"replicas": 4}})).await.ok();
    assert_eq!(api.get(&format!("{WIDGETS}/w")).await.ok()["spec"]["replicas"], 4);
}

#[tokio::test(start_paused = true)]
async fn apply_owns_items_by_the_keys_of_the_schema() {
    let api = with_widgets().await;
    let path = format!("{WIDGETS}/w");
    api.apply(&path, "alice", widget(json!({"max": 1, "rules": [{"name": "a", "weight": 1}]}))).await.ok();
    let object = json!({"apiVersion": "demo.io/v1", "kind": "Widget", "spec": {"rules": [{"name": "b", "weight": 2}]}});
    let both = api.apply(&path, "bob", object).await.ok();
    assert_eq!(both["spec"]["rules"], json!([{"name": "a", "weight": 1}, {"name": "b", "weight": 2}]));
    let refused = api.apply(&path, "bob", widget(json!({"rules": [{"name": "a", "weight": 5}]}))).await;
    assert_eq!(
        refused.refused(409, "Conflict"),
        "Apply failed with 1 conflict: conflict with \"alice\": .spec.rules[name=\"a\"].weight"
    );
    let typo = api.apply(&path, "bob", widget(json!({"maxx": 1}))).await;
    assert_eq!(typo.code, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        typo.message(),
        "failed to create typed patch object (default/w; demo.io/v1, Kind=Widget): .spec.maxx: field not declared in schema"
    );
}

#[tokio::test(start_paused = true)]
async fn versions_share_their_objects() {
    let api = with_widgets().await;
    api.post(WIDGETS, widget(json!({"max": 1}))).await.ok();
    let beta = "/apis/demo.io/v1beta1/namespaces/default/widgets";
    let list = api.get(beta).await.ok();
    assert_eq!(list["items"][0]["apiVersion"], "demo.io/v1beta1");
    let mut events = api.watch(&format!("{beta}?watch=true")).await;
    assert_eq!(events.next().await.unwrap()["object"]["apiVersion"], "demo.io/v1beta1");
    api.merge(&format!("{beta}/w"), json!({"spec": {"max": 5}})).await.ok();
    assert_eq!(events.next().await.unwrap()["object"]["apiVersion"], "demo.io/v1beta1");
    let stored = api.get(&format!("{WIDGETS}/w")).await.ok();
    assert_eq!((&stored["apiVersion"], &stored["spec"]["max"]), (&json!("demo.io/v1"), &json!(5)));
}

#[tokio::test(start_paused = true)]
async fn deleting_a_definition_takes_its_objects_and_its_watches() {
    let api = with_widgets().await;
    let mut held = widget(json!({"max": 1}));
    held["metadata"]["finalizers"] = json!(["a/b"]);
    api.post(WIDGETS, held).await.ok();
    let mut events = api.watch(&format!("{WIDGETS}?watch=true")).await;
    assert_eq!(events.told().await, told("ADDED", "w"));
    api.delete(&format!("{CRDS}/widgets.demo.io"), Value::Null).await.ok();
    assert_eq!(events.told().await, told("MODIFIED", "w"));
    api.merge(&format!("{WIDGETS}/w"), json!({"metadata": {"finalizers": null}})).await.ok();
    assert_eq!(events.told().await, told("DELETED", "w"));
    assert!(events.next().await.is_none());
    api.get(WIDGETS).await.refused(404, "NotFound");
    api.get(&format!("{CRDS}/widgets.demo.io")).await.refused(404, "NotFound");
}

#[tokio::test(start_paused = true)]
async fn a_definition_whose_rules_do_not_compile_is_refused() {
    let api = Api::new();
    let mut broken = definition();
    broken["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] =
        json!([{"rule": "self.max >", "message": "x"}]);
    let refused = api.post(CRDS, broken).await.refused(422, "Invalid");
    assert!(refused.contains("compilation failed"), "{refused}");
    let mut misnamed = definition();
    misnamed["metadata"]["name"] = json!("widgets");
    let refused = api.post(CRDS, misnamed).await.refused(422, "Invalid");
    assert!(refused.contains("must be spec.names.plural+\".\"+spec.group"), "{refused}");
}
