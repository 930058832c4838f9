//! `CustomResourceDefinition`s: what makes one acceptable, and what one makes of the server.

use serde_json::{Value, json};

use crate::{
    bodies::{gadgets, widget, widgets, with_widgets},
    case::cases,
    server::{CRDS, Server, text},
};

cases! { ApiServer:
    a_definition_is_established_and_says_so,
    a_definition_is_completed,
    a_definition_is_named_for_what_it_defines,
    a_definition_has_one_stored_version,
    a_definition_has_a_schema,
    a_schema_is_structural,
    rules_that_do_not_compile_are_refused,
    a_default_must_fit_its_schema,
    patterns_must_compile,
    objects_are_served_in_all_versions,
    a_definition_that_goes_takes_its_objects_with_it,
    a_definition_that_changes_changes_what_is_served,
}

async fn a_definition_is_established_and_says_so(server: &Server) {
    let path = with_widgets(server).await;
    let definition = server.get(&format!("{CRDS}/widgets.{}", server.group())).await.ok();
    let conditions = definition["status"]["conditions"].as_array().unwrap();
    for kind in ["NamesAccepted", "Established"] {
        let condition = conditions.iter().find(|condition| condition["type"] == kind).unwrap();
        assert_eq!(condition["status"], "True", "{kind}");
    }
    assert_eq!(definition["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(definition["status"]["acceptedNames"]["kind"], "Widget");
    let list = server.get(&path).await.ok();
    assert_eq!((&list["kind"], &list["items"]), (&json!("WidgetList"), &json!([])));
}

async fn a_definition_is_completed(server: &Server) {
    let mut definition = widgets(server);
    let names = definition["spec"]["names"].as_object_mut().unwrap();
    names.remove("singular");
    names.remove("listKind");
    let made = server.post(CRDS, definition).await.created();
    assert_eq!(
        (&made["spec"]["names"]["singular"], &made["spec"]["names"]["listKind"]),
        (&json!("widget"), &json!("WidgetList"))
    );
    assert_eq!(made["spec"]["conversion"], json!({"strategy": "None"}));
}

async fn a_definition_is_named_for_what_it_defines(server: &Server) {
    let mut definition = widgets(server);
    definition["metadata"]["name"] = json!(format!("things.{}", server.group()));
    let says = ["metadata.name: Invalid value: ", "must be spec.names.plural+\".\"+spec.group"];
    server.post(CRDS, definition).await.refused_with(422, "Invalid", &says);
}

async fn a_definition_has_one_stored_version(server: &Server) {
    let mut definition = widgets(server);
    definition["spec"]["versions"][1]["storage"] = json!(true);
    let says = ["spec.versions: Invalid value: ", "must have exactly one version marked as storage version"];
    server.post(CRDS, definition).await.refused_with(422, "Invalid", &says);
}

async fn a_definition_has_a_schema(server: &Server) {
    let mut definition = gadgets(server, &json!({"type": "object"}));
    definition["spec"]["versions"][0].as_object_mut().unwrap().remove("schema");
    let says = ["spec.versions[0].schema.openAPIV3Schema: Required value"];
    server.post(CRDS, definition).await.refused_with(422, "Invalid", &says);
}

async fn refused_spec(server: &Server, spec: Value, says: &[&str]) {
    server.post(CRDS, gadgets(server, &spec)).await.refused_with(422, "Invalid", says);
}

async fn a_schema_is_structural(server: &Server) {
    let path = "spec.validation.openAPIV3Schema.properties[spec].properties[a].type: Required value: must not be empty for specified object fields";
    refused_spec(server, json!({"type": "object", "properties": {"a": {"minimum": 1}}}), &[path]).await;
    let keys = json!({"type": "object", "properties": {"a": {"type": "array", "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object", "properties": {"other": {"type": "string"}}}}}});
    refused_spec(server, keys, &["name"]).await;
    let nested = json!({"type": "object", "anyOf": [{"properties": {"a": {"type": "string"}}}], "properties": {"a": {"type": "string"}}});
    refused_spec(server, nested, &["anyOf[0].properties[a].type: Forbidden"]).await;
}

async fn rules_that_do_not_compile_are_refused(server: &Server) {
    let with_rule = |rule: &str| json!({"type": "object", "properties": {"a": {"type": "integer"}}, "x-kubernetes-validations": [{"rule": rule, "message": "no"}]});
    let says = ["x-kubernetes-validations[0].rule: Invalid value: ", "compilation failed"];
    refused_spec(server, with_rule("self.a <"), &says).await;
}

async fn a_default_must_fit_its_schema(server: &Server) {
    let spec = json!({"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}});
    refused_spec(server, spec, &["properties[spec].properties[a].default: Invalid value: "]).await;
    let spec =
        json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 3, "default": 1}}});
    refused_spec(
        server,
        spec,
        &["properties[spec].properties[a].default", "should be greater than or equal to 3"],
    )
    .await;
}

async fn patterns_must_compile(server: &Server) {
    let spec = json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}});
    refused_spec(server, spec, &["pattern"]).await;
}

async fn objects_are_served_in_all_versions(server: &Server) {
    let path = with_widgets(server).await;
    let older = server.path(&format!("{}/v1beta1/widgets", server.group()));
    let made = server.post(&path, widget(server, "w", &json!({"max": 1}))).await.created();
    let seen = server.get(&format!("{older}/w")).await.ok();
    assert_eq!(seen["apiVersion"], format!("{}/v1beta1", server.group()));
    assert_eq!((&seen["spec"], &seen["metadata"]["uid"]), (&made["spec"], &made["metadata"]["uid"]));
    let mut wrong = widget(server, "x", &json!({"max": 1}));
    wrong["apiVersion"] = seen["apiVersion"].clone();
    server.post(&path, wrong).await.refused(400, "BadRequest");
    server.delete(&format!("{older}/w"), json!({})).await.ok();
    server.get(&format!("{path}/w")).await.refused(404, "NotFound");
}

async fn a_definition_that_goes_takes_its_objects_with_it(server: &Server) {
    let path = with_widgets(server).await;
    server.post(&path, widget(server, "w", &json!({"max": 1}))).await.created();
    let name = format!("widgets.{}", server.group());
    server.delete(&format!("{CRDS}/{name}"), json!({})).await.ok();
    server
        .until("the definition is gone", async || {
            (server.get(&format!("{CRDS}/{name}")).await.code == 404).then_some(())
        })
        .await;
    server
        .until("its kind is no longer served", async || (server.get(&path).await.code == 404).then_some(()))
        .await;
    let again = with_widgets(server).await;
    assert_eq!(server.get(&again).await.names(), [""; 0]);
}

async fn a_definition_that_changes_changes_what_is_served(server: &Server) {
    let path = with_widgets(server).await;
    server.post(&path, widget(server, "w", &json!({"max": 1}))).await.created();
    let definition = format!("{CRDS}/widgets.{}", server.group());
    let mut changed = server.get(&definition).await.ok();
    for version in changed["spec"]["versions"].as_array_mut().unwrap() {
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["extra"] =
            json!({"type": "string", "default": "new"});
    }
    server.put(&definition, changed).await.ok();
    let seen = async || {
        let object = server.get(&format!("{path}/w")).await.ok();
        object["spec"]["extra"].is_string().then(|| text(&object["spec"]["extra"]))
    };
    assert_eq!(server.until("the new default shows", seen).await, "new");
}
