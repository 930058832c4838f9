//! Tables: what `kubectl get` asks for and prints.

use http::{Method, Request, header};
use serde_json::{Value, json};

use crate::{
    bodies::{MAPS, deployment_of, gadget, gadgets, map, with_widgets},
    case::cases,
    server::{Answer, Server},
};

cases! { ApiServer:
    a_list_is_a_table_of_rows,
    an_object_is_a_table_of_one_row,
    rows_carry_what_is_asked_for,
    events_of_a_watch_are_tables_of_one_row,
    a_kind_shows_the_columns_that_its_definition_states,
    a_kind_that_states_no_columns_shows_its_age,
    deployments_tell_how_many_are_ready,
    autoscalers_tell_their_target_and_bounds,
    who_takes_plain_json_as_well_is_given_what_comes_first,
}

/// What kubectl accepts.
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

async fn table(server: &Server, path: &str) -> Value {
    accepting(server, path, TABLE).await.ok()
}

async fn accepting(server: &Server, path: &str, accepted: &str) -> Answer {
    let request = Request::builder().method(Method::GET).uri(path).header(header::ACCEPT, accepted);
    server.call_as_built(request, "").await
}

fn heads(table: &Value) -> Vec<(String, String, i64)> {
    let columns = table["columnDefinitions"].as_array().expect("columns").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    columns.map(|it| (text(&it["name"]), text(&it["type"]), it["priority"].as_i64().unwrap_or(-1))).collect()
}

fn cells(table: &Value) -> Vec<Vec<Value>> {
    let rows = table["rows"].as_array().expect("rows").iter();
    rows.map(|row| row["cells"].as_array().expect("cells").clone()).collect()
}

fn head(name: &str, column_type: &str, priority: i64) -> (String, String, i64) {
    (name.to_owned(), column_type.to_owned(), priority)
}

fn is_age(cell: &Value) -> bool {
    cell.as_str().is_some_and(|age| age.ends_with('s') && age.len() <= 3)
}

async fn a_list_is_a_table_of_rows(server: &Server) {
    let maps = server.path(MAPS);
    for name in ["b", "a"] {
        server.post(&maps, map(name, &[])).await.created();
    }
    let mine = format!("{maps}?fieldSelector=metadata.name!=kube-root-ca.crt");
    let list = table(server, &mine).await;
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("Table"), &json!("meta.k8s.io/v1")));
    assert_eq!(
        heads(&list),
        [head("Name", "string", 0), head("Data", "string", 0), head("Age", "string", 0)]
    );
    assert_eq!(list["columnDefinitions"][0]["format"], "name");
    let cells = cells(&list);
    assert_eq!(
        cells.iter().map(|row| &row[..2]).collect::<Vec<_>>(),
        [[json!("a"), json!(1)], [json!("b"), json!(1)]]
    );
    assert!(cells.iter().all(|row| is_age(&row[2])), "{cells:?}");
    let plain = server.get(&mine).await.ok();
    assert!(
        list["metadata"]["resourceVersion"].as_str()
            >= plain["items"][1]["metadata"]["resourceVersion"].as_str()
    );
    let row = &list["rows"][0]["object"];
    assert_eq!(
        (&row["kind"], &row["apiVersion"]),
        (&json!("PartialObjectMetadata"), &json!("meta.k8s.io/v1"))
    );
    assert_eq!(row["metadata"], plain["items"][0]["metadata"]);
    assert_eq!(row["data"], Value::Null);
}

async fn an_object_is_a_table_of_one_row(server: &Server) {
    let maps = server.path(MAPS);
    let made = server.post(&maps, map("a", &[])).await.created();
    let one = table(server, &format!("{maps}/a")).await;
    assert_eq!(one["kind"], "Table");
    assert_eq!(one["metadata"], json!({"resourceVersion": made["metadata"]["resourceVersion"]}));
    assert_eq!(cells(&one)[0][..2], [json!("a"), json!(1)]);
    let refused = accepting(server, &format!("{maps}/none"), TABLE).await;
    refused.refused_with(404, "NotFound", &["configmaps \"none\" not found"]);
}

async fn rows_carry_what_is_asked_for(server: &Server) {
    let maps = server.path(MAPS);
    let made = server.post(&maps, map("a", &[])).await.created();
    let whole = table(server, &format!("{maps}/a?includeObject=Object")).await;
    assert_eq!(whole["rows"][0]["object"], made);
    let none = table(server, &format!("{maps}/a?includeObject=None")).await;
    assert!(none["rows"][0].get("object").is_none_or(Value::is_null), "{none}");
}

async fn events_of_a_watch_are_tables_of_one_row(server: &Server) {
    let maps = server.path(MAPS);
    let made = server.post(&maps, map("a", &[])).await.created();
    let from = made["metadata"]["resourceVersion"].as_str().unwrap();
    let query = format!("&fieldSelector=metadata.name!=kube-root-ca.crt&resourceVersion={from}");
    let mut events = server.watch_accepting(&maps, &query, TABLE).await;
    server.post(&maps, map("b", &[])).await.created();
    server.delete(&format!("{maps}/a"), json!({})).await.ok();
    let (added, deleted) = (events.next().await.unwrap(), events.next().await.unwrap());
    assert_eq!((&added["type"], &deleted["type"]), (&json!("ADDED"), &json!("DELETED")));
    assert_eq!((&added["object"]["kind"], &deleted["object"]["kind"]), (&json!("Table"), &json!("Table")));
    assert_eq!(heads(&added["object"]).len(), 3);
    assert_eq!(cells(&added["object"])[0][0], "b");
    assert_eq!(deleted["object"]["columnDefinitions"], Value::Null, "heads come once");
    assert_eq!(cells(&deleted["object"])[0][0], "a");
}

async fn a_kind_shows_the_columns_that_its_definition_states(server: &Server) {
    let spec = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut stated = gadgets(server, &spec);
    stated["spec"]["versions"][0]["additionalPrinterColumns"] = json!([
        {"name": "Max", "type": "integer", "jsonPath": ".spec.max", "description": "The most"},
        {"name": "Word", "type": "string", "jsonPath": ".spec.word"},
        {"name": "Ready", "type": "string", "jsonPath": ".spec.conditions[?(@.type==\"Ready\")].status"},
        {"name": "Absent", "type": "string", "jsonPath": ".spec.absent", "priority": 1},
        {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]);
    server.define(stated).await;
    let gadgets = server.path(&format!("{}/v1/gadgets", server.group()));
    let conditions = json!([{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]);
    let gadget = gadget(server, "g", &json!({"max": 7, "word": "hello", "conditions": conditions}));
    server.post(&gadgets, gadget).await.created();
    let list = table(server, &gadgets).await;
    let expected = [
        head("Name", "string", 0),
        head("Max", "integer", 0),
        head("Word", "string", 0),
        head("Ready", "string", 0),
        head("Absent", "string", 1),
        head("Since", "date", 0),
    ];
    assert_eq!(heads(&list), expected);
    assert_eq!(list["columnDefinitions"][1]["description"], "The most");
    let cells = cells(&list).remove(0);
    assert_eq!(cells[..4], [json!("g"), json!(7), json!("hello"), json!("True")]);
    assert_eq!(cells[4], Value::Null);
    assert!(is_age(&cells[5]), "{cells:?}");
}

async fn a_kind_that_states_no_columns_shows_its_age(server: &Server) {
    let widgets = with_widgets(server).await;
    let list = table(server, &widgets).await;
    assert_eq!(heads(&list), [head("Name", "string", 0), head("Age", "date", 0)]);
    assert_eq!(cells(&list), Vec::<Vec<Value>>::new());
}

async fn deployments_tell_how_many_are_ready(server: &Server) {
    let deployments = server.path("apps/v1/deployments");
    server.post(&deployments, deployment_of("web", 2)).await.created();
    let list = table(server, &deployments).await;
    let names: Vec<String> = heads(&list).into_iter().map(|(name, ..)| name).collect();
    let expected = ["Name", "Ready", "Up-to-date", "Available", "Age", "Containers", "Images", "Selector"];
    assert_eq!(names, expected);
    let cells = cells(&list).remove(0);
    assert_eq!(cells[..4], [json!("web"), json!("0/2"), json!(0), json!(0)]);
    assert_eq!(cells[5..], [json!("main"), json!("registry.example.com/main:1"), json!("app=web")]);
}

async fn autoscalers_tell_their_target_and_bounds(server: &Server) {
    let autoscalers = server.path("autoscaling/v2/horizontalpodautoscalers");
    let metric = |name: &str, percent: i64| json!({"type": "Resource", "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}}});
    let autoscaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2, "maxReplicas": 9, "metrics": [metric("cpu", 60), metric("memory", 70)],
        },
    });
    server.post(&autoscalers, autoscaler).await.created();
    let list = table(server, &autoscalers).await;
    let names: Vec<String> = heads(&list).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"]);
    let cells = cells(&list).remove(0);
    let expected = [
        json!("web"),
        json!("Deployment/web"),
        json!("cpu: <unknown>/60%, memory: <unknown>/70%"),
        json!("2"),
        json!(9),
        json!(0),
    ];
    assert_eq!(cells[..6], expected);
}

async fn who_takes_plain_json_as_well_is_given_what_comes_first(server: &Server) {
    let maps = server.path(MAPS);
    server.post(&maps, map("a", &[])).await.created();
    let one = format!("{maps}/a");
    let plain = accepting(server, &one, &format!("application/json,{TABLE}")).await.ok();
    assert_eq!(plain["kind"], "ConfigMap");
    let unknown =
        accepting(server, &one, "application/json;as=Chair;v=v1;g=meta.k8s.io,application/json").await.ok();
    assert_eq!(unknown["kind"], "ConfigMap");
}
