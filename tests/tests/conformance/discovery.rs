//! What a client can find out about a server.

use serde_json::{Value, json};

use crate::{
    bodies::with_widgets,
    case::cases,
    server::{Server, text},
};

cases! { ApiServer:
    a_server_is_well_and_has_a_version,
    groups_are_listed_with_the_version_to_prefer,
    kinds_are_listed_with_their_subresources,
    custom_kinds_are_listed_too,
    schemas_are_published,
    patch_says_that_fields_are_validated,
}

fn row<'a>(list: &'a Value, rows: &str, name: &str) -> &'a Value {
    let rows = list[rows].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}"))
}

async fn a_server_is_well_and_has_a_version(server: &Server) {
    for path in ["/readyz", "/livez", "/healthz"] {
        let answer = server.get(path).await;
        assert_eq!((answer.code, &answer.body), (200, &json!("ok")), "{path}");
    }
    let version = server.get("/version").await.ok();
    assert_eq!(version["major"], "1");
    assert!(text(&version["gitVersion"]).starts_with('v'));
}

async fn groups_are_listed_with_the_version_to_prefer(server: &Server) {
    let core = server.get("/api").await.ok();
    assert_eq!((&core["kind"], &core["versions"]), (&json!("APIVersions"), &json!(["v1"])));
    let groups = server.get("/apis").await.ok();
    assert_eq!(groups["kind"], "APIGroupList");
    for (group, version) in
        [("apps", "v1"), ("autoscaling", "v2"), ("coordination.k8s.io", "v1"), ("apiextensions.k8s.io", "v1")]
    {
        let row = row(&groups, "groups", group);
        assert_eq!(
            row["preferredVersion"],
            json!({"groupVersion": format!("{group}/{version}"), "version": version})
        );
    }
    let one = server.get("/apis/apps").await.ok();
    assert_eq!((&one["kind"], &one["name"]), (&json!("APIGroup"), &json!("apps")));
}

async fn kinds_are_listed_with_their_subresources(server: &Server) {
    let apps = server.get("/apis/apps/v1").await.ok();
    assert_eq!((&apps["kind"], &apps["groupVersion"]), (&json!("APIResourceList"), &json!("apps/v1")));
    let deployments = row(&apps, "resources", "deployments");
    assert_eq!(
        (
            &deployments["kind"],
            &deployments["namespaced"],
            &deployments["singularName"],
            &deployments["shortNames"]
        ),
        (&json!("Deployment"), &json!(true), &json!("deployment"), &json!(["deploy"]))
    );
    let mut verbs: Vec<String> = deployments["verbs"].as_array().unwrap().iter().map(text).collect();
    verbs.sort();
    assert_eq!(verbs, ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]);
    let scale = row(&apps, "resources", "deployments/scale");
    assert_eq!(
        (&scale["group"], &scale["version"], &scale["kind"]),
        (&json!("autoscaling"), &json!("v1"), &json!("Scale"))
    );
    assert_eq!(row(&apps, "resources", "deployments/status")["kind"], "Deployment");
    let core = server.get("/api/v1").await.ok();
    assert_eq!(row(&core, "resources", "nodes")["namespaced"], false);
}

async fn custom_kinds_are_listed_too(server: &Server) {
    with_widgets(server).await;
    let group = server.group();
    let found = server.until("the group is listed", async || {
        let answer = server.get(&format!("/apis/{group}")).await;
        (answer.code == 200).then_some(answer.body)
    });
    assert_eq!(found.await["preferredVersion"]["version"], "v1");
    let kinds = server.until("the kind is listed", async || {
        let answer = server.get(&format!("/apis/{group}/v1")).await;
        (answer.code == 200).then_some(answer.body)
    });
    let kinds = kinds.await;
    assert_eq!(row(&kinds, "resources", "widgets")["kind"], "Widget");
    row(&kinds, "resources", "widgets/status");
    assert_eq!(row(&kinds, "resources", "widgets/scale")["kind"], "Scale");
}

/// The published document of a group and version, once it is there.
async fn document(server: &Server, path: &str) -> Value {
    let url = server.until("the document is published", async || {
        let index = server.get("/openapi/v3").await.ok();
        index["paths"][path]["serverRelativeURL"].as_str().map(str::to_owned)
    });
    server.get(&url.await).await.ok()
}

async fn schemas_are_published(server: &Server) {
    with_widgets(server).await;
    let document = document(server, &format!("apis/{}/v1", server.group())).await;
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let of_widgets = |schema: &&Value| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten();
        kinds.clone().any(|kind| kind["kind"] == "Widget" && kind["group"] == server.group())
    };
    let schema = schemas.values().find(of_widgets).expect("the schema of Widgets");
    assert_eq!(schema["properties"]["spec"]["properties"]["max"]["minimum"], 1);
}

async fn patch_says_that_fields_are_validated(server: &Server) {
    let document = document(server, "apis/apps/v1").await;
    let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    let parameters = patch["parameters"].as_array().unwrap();
    assert!(parameters.iter().any(|parameter| parameter["name"] == "fieldValidation"), "{patch}");
}
