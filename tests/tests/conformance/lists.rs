//! Lists: selectors, pages, versions.

use serde_json::{Value, json};

use crate::{
    bodies::{MAPS, map, widget, with_widgets},
    case::cases,
    server::{Server, names, text, version},
};

cases! { ApiServer:
    labels_select,
    names_and_namespaces_select,
    unknown_selectors_are_refused,
    a_list_over_all_namespaces_is_in_their_order,
    a_list_has_the_version_of_the_server,
    pages_show_the_state_at_the_first_of_them,
    the_last_page_has_no_next,
    a_bad_token_is_refused,
    an_exact_version_is_shown_as_it_was,
    a_version_from_the_future_is_too_large,
    a_version_that_is_none_is_refused,
    custom_resources_are_listed_alike,
}

/// The path of the maps of the case, with a query.
fn mine(server: &Server, query: &str) -> String {
    format!("{}?labelSelector=case%3Dmine{query}", server.path(MAPS))
}

async fn with_maps(server: &Server, maps: &[(&str, &str)]) {
    for (name, tier) in maps {
        server.post(&server.path(MAPS), map(name, &[("tier", tier)])).await.created();
    }
}

async fn labels_select(server: &Server) {
    with_maps(server, &[("a", "web"), ("b", "db"), ("c", "web")]).await;
    server.post(&server.path(MAPS), map("d", &[])).await.created();
    let chosen: [(&str, &[&str]); 9] = [
        ("", &["a", "b", "c", "d"]),
        (",tier%3Dweb", &["a", "c"]),
        (",tier%3D%3Dweb", &["a", "c"]),
        (",tier!%3Dweb", &["b", "d"]),
        (",tier+in+(db,cache)", &["b"]),
        (",tier+notin+(db)", &["a", "c", "d"]),
        (",tier", &["a", "b", "c"]),
        (",!tier", &["d"]),
        (",tier+in+(web),tier!%3Ddb", &["a", "c"]),
    ];
    for (query, expected) in chosen {
        assert_eq!(server.get(&mine(server, query)).await.names(), expected, "{query}");
    }
}

async fn names_and_namespaces_select(server: &Server) {
    with_maps(server, &[("a", "web"), ("b", "db")]).await;
    assert_eq!(server.get(&mine(server, "&fieldSelector=metadata.name%3Db")).await.names(), ["b"]);
    assert_eq!(server.get(&mine(server, "&fieldSelector=metadata.name!%3Db")).await.names(), ["a"]);
    let all = format!(
        "/api/v1/configmaps?fieldSelector=metadata.namespace%3D{},metadata.name%3Da",
        server.namespace
    );
    assert_eq!(server.get(&all).await.names(), ["a"]);
}

async fn unknown_selectors_are_refused(server: &Server) {
    let maps = server.path(MAPS);
    let refused = server.get(&format!("{maps}?fieldSelector=data.key%3Dvalue")).await;
    refused.refused_with(
        400,
        "BadRequest",
        &["\"data.key\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""],
    );
    let refused = server.get(&format!("{maps}?labelSelector=a+in+b")).await;
    refused.refused_with(400, "BadRequest", &["unable to parse requirement"]);
}

async fn a_list_over_all_namespaces_is_in_their_order(server: &Server) {
    let other = server.new_namespace().await;
    let label = server.namespace.as_str();
    for (namespace, name) in [(label, "b"), (other.as_str(), "a"), (label, "a")] {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps");
        server.post(&path, map(name, &[("of", label)])).await.created();
    }
    let list = server.get(&format!("/api/v1/configmaps?labelSelector=of%3D{label}")).await.ok();
    let mut expected = vec![(label.to_owned(), "a"), (label.to_owned(), "b"), (other.clone(), "a")];
    expected.sort();
    let items = list["items"].as_array().unwrap().iter();
    let found: Vec<_> = items
        .map(|item| (text(&item["metadata"]["namespace"]), item["metadata"]["name"].as_str().unwrap()))
        .collect();
    assert_eq!(found, expected);
    server.delete(&format!("/api/v1/namespaces/{other}"), json!({})).await.ok();
}

async fn a_list_has_the_version_of_the_server(server: &Server) {
    let made = server.post(&server.path(MAPS), map("a", &[])).await.created();
    let list = server.get(&mine(server, "")).await.ok();
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("ConfigMapList"), &json!("v1")));
    assert!(version(&list).parse::<u64>().unwrap() >= version(&made).parse::<u64>().unwrap());
    assert_eq!(list["items"][0]["metadata"]["uid"], made["metadata"]["uid"]);
    let none = server.get(&format!("{}?labelSelector=case%3Dnobodys", server.path(MAPS))).await.ok();
    assert_eq!(none["items"], json!([]));
}

async fn pages_show_the_state_at_the_first_of_them(server: &Server) {
    let widgets = with_widgets(server).await;
    for name in ["a", "b", "c"] {
        server.post(&widgets, widget(server, name, &json!({"max": 1}))).await.created();
    }
    let first = server.get(&format!("{widgets}?limit=1")).await.ok();
    assert_eq!(names(&first), ["a"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    server.delete(&format!("{widgets}/b"), json!({})).await.ok();
    server.post(&widgets, widget(server, "bb", &json!({"max": 1}))).await.created();
    let next = text(&first["metadata"]["continue"]);
    let second = server.get(&format!("{widgets}?limit=5&continue={next}")).await.ok();
    assert_eq!(names(&second), ["b", "c"]);
    assert_eq!(version(&second), version(&first));
    assert_eq!(server.get(&widgets).await.names(), ["a", "bb", "c"]);
}

async fn the_last_page_has_no_next(server: &Server) {
    with_maps(server, &[("a", "x"), ("b", "x")]).await;
    let mut found = Vec::new();
    let mut next = String::new();
    for _ in 0..5 {
        let page = server.get(&mine(server, &format!("&limit=1&continue={next}"))).await.ok();
        found.extend(names(&page));
        match &page["metadata"]["continue"] {
            Value::String(token) if !token.is_empty() => next.clone_from(token),
            _ => break,
        }
    }
    assert_eq!(found, ["a", "b"]);
}

async fn a_bad_token_is_refused(server: &Server) {
    let refused = server.get(&format!("{}?limit=1&continue=nonsense", server.path(MAPS))).await;
    refused.refused_with(400, "BadRequest", &["continue key is not valid"]);
}

async fn an_exact_version_is_shown_as_it_was(server: &Server) {
    with_maps(server, &[("a", "x")]).await;
    let then = version(&server.get(&mine(server, "")).await.ok());
    with_maps(server, &[("b", "x")]).await;
    server.delete(&format!("{}/a", server.path(MAPS)), json!({})).await.ok();
    let query = format!("&resourceVersion={then}&resourceVersionMatch=Exact");
    let list = server.get(&mine(server, &query)).await.ok();
    assert_eq!((names(&list), version(&list)), (vec!["a".to_owned()], then.clone()));
    let newer = format!("&resourceVersion={then}&resourceVersionMatch=NotOlderThan");
    let newer = version(&server.get(&mine(server, &newer)).await.ok());
    assert!(newer.parse::<u64>().unwrap() >= then.parse::<u64>().unwrap());
}

async fn a_version_from_the_future_is_too_large(server: &Server) {
    let refused = server.get(&mine(server, "&resourceVersion=999999999")).await;
    assert_eq!(refused.body["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    refused.refused_with(504, "Timeout", &["Too large resource version: 999999999, current: "]);
}

async fn a_version_that_is_none_is_refused(server: &Server) {
    for query in ["&resourceVersion=soon", "&resourceVersion=-1"] {
        let refused = server.get(&mine(server, query)).await;
        assert!([400, 422].contains(&refused.code), "{}", refused.body);
        assert!(text(&refused.body["message"]).contains("nvalid"), "{}", refused.body);
    }
    let refused = server.get(&mine(server, "&resourceVersionMatch=Exact")).await;
    refused.refused_with(
        422,
        "Invalid",
        &["resourceVersionMatch is forbidden unless resourceVersion is provided"],
    );
}

async fn custom_resources_are_listed_alike(server: &Server) {
    let widgets = with_widgets(server).await;
    for (name, tier) in [("a", "web"), ("b", "db")] {
        let mut widget = widget(server, name, &json!({"max": 1}));
        widget["metadata"]["labels"] = json!({"tier": tier});
        server.post(&widgets, widget).await.created();
    }
    let list = server.get(&format!("{widgets}?labelSelector=tier%3Ddb")).await.ok();
    assert_eq!((&list["kind"], names(&list)), (&json!("WidgetList"), vec!["b".to_owned()]));
    let refused = server.get(&format!("{widgets}?fieldSelector=spec.max%3D1")).await;
    refused.refused_with(400, "BadRequest", &["field label not supported: spec.max"]);
}
