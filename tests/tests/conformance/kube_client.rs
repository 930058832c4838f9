//! What kube, the client that the controllers use, makes of the server: typed objects, discovery, watchers, finalizers.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::ConfigMap},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Error, ResourceExt as _,
    api::{DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams},
    core::Status,
    discovery::{Discovery, Scope, pinned_kind},
    runtime::{
        WatchStreamExt as _,
        finalizer::{Event as Finalized, finalizer},
        reflector::{self, ObjectRef},
        watcher,
    },
};
use serde_json::json;

use crate::{
    bodies::{deployment_of, widget, with_widgets},
    case::cases,
    server::Server,
};

cases! { ApiServer:
    typed_objects_go_there_and_back,
    refusals_are_told_by_their_reason,
    scale_is_read_and_written,
    discovery_finds_kinds_and_their_scope,
    dynamic_objects_are_applied_and_listed,
    a_reflector_follows_what_happens,
    a_watcher_gets_over_a_forgotten_past,
    a_streamed_list_fills_a_reflector,
    a_finalizer_is_put_on_and_taken_off,
}

fn maps(server: &Server) -> Api<ConfigMap> {
    Api::namespaced(server.client.clone(), &server.namespace)
}

fn map(name: &str) -> ConfigMap {
    let labels = [("case".to_owned(), "mine".to_owned())].into();
    let metadata = ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
    ConfigMap {
        metadata,
        data: Some([("key".to_owned(), "value".to_owned())].into()),
        ..ConfigMap::default()
    }
}

#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Box<Status> {
    match result {
        Err(Error::Api(status)) => status,
        other => panic!("no refusal but {other:?}"),
    }
}

async fn typed_objects_go_there_and_back(server: &Server) {
    let maps = maps(server);
    let made = maps.create(&PostParams::default(), &map("one")).await.unwrap();
    let mut changed = maps.get("one").await.unwrap();
    assert_eq!(changed, made);
    changed.data.get_or_insert_default().insert("key".to_owned(), "new".to_owned());
    let changed = maps.replace("one", &PostParams::default(), &changed).await.unwrap();
    assert_eq!(changed.data.unwrap()["key"], "new");
    assert!(maps.get_opt("none").await.unwrap().is_none());
    let gone = maps.delete("one", &DeleteParams::default()).await.unwrap();
    assert!(gone.right().unwrap().is_success());
    assert!(maps.get_opt("one").await.unwrap().is_none());
}

async fn refusals_are_told_by_their_reason(server: &Server) {
    let maps = maps(server);
    let made = maps.create(&PostParams::default(), &map("one")).await.unwrap();
    assert!(refusal(maps.create(&PostParams::default(), &map("one")).await).is_already_exists());
    assert!(refusal(maps.get("none").await).is_not_found());
    let change = json!({"data": {"key": "new"}});
    maps.patch("one", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    let conflict =
        refusal(maps.replace("one", &PostParams::default(), &ConfigMap { data: None, ..made }).await);
    assert!(conflict.is_conflict());
    let invalid = refusal(maps.create(&PostParams::default(), &map("Upper")).await);
    assert_eq!((invalid.code, invalid.reason.as_str()), (422, "Invalid"));
    assert_eq!(invalid.details.unwrap().causes[0].field, "metadata.name");
}

async fn scale_is_read_and_written(server: &Server) {
    let deployments: Api<Deployment> = Api::namespaced(server.client.clone(), &server.namespace);
    let web = serde_json::from_value(deployment_of("web", 1)).unwrap();
    deployments.create(&PostParams::default(), &web).await.unwrap();
    let read = deployments.get_scale("web").await.unwrap();
    assert_eq!(read.spec.as_ref().unwrap().replicas, Some(1));
    let mut wanted = read.clone();
    wanted.spec.as_mut().unwrap().replicas = Some(2);
    // Whoever else writes the object in between is a conflict, which is read again.
    let written = deployments.replace_scale("web", &PostParams::default(), &wanted).await;
    let written = match written {
        Err(Error::Api(status)) if status.is_conflict() => {
            wanted.metadata.resource_version = None;
            deployments.replace_scale("web", &PostParams::default(), &wanted).await.unwrap()
        }
        other => other.unwrap(),
    };
    assert_eq!(written.spec.unwrap().replicas, Some(2));
    let late =
        json!({"metadata": {"resourceVersion": read.metadata.resource_version}, "spec": {"replicas": 3}});
    let late = deployments.patch_scale("web", &PatchParams::default(), &Patch::Merge(late)).await;
    assert!(refusal(late).is_conflict());
}

async fn discovery_finds_kinds_and_their_scope(server: &Server) {
    with_widgets(server).await;
    let group = server.group();
    let kind = GroupVersionKind::gvk(&group, "v1", "Widget");
    let found =
        server.until("the kind is discovered", async || pinned_kind(&server.client, &kind).await.ok());
    let (resource, capabilities) = found.await;
    assert_eq!((resource.plural.as_str(), capabilities.scope), ("widgets", Scope::Namespaced));
    let discovery = Discovery::new(server.client.clone()).filter(&["apps", &group]).run().await.unwrap();
    let apps = discovery.get("apps").unwrap().recommended_kind("Deployment").unwrap();
    assert_eq!((apps.0.api_version.as_str(), apps.0.plural.as_str()), ("apps/v1", "deployments"));
    assert!(discovery.has_group(&group));
}

async fn dynamic_objects_are_applied_and_listed(server: &Server) {
    with_widgets(server).await;
    let kind = GroupVersionKind::gvk(&server.group(), "v1", "Widget");
    let resource = kube::api::ApiResource::from_gvk(&kind);
    let widgets: Api<DynamicObject> =
        Api::namespaced_with(server.client.clone(), &server.namespace, &resource);
    let params = PatchParams::apply("alice");
    for name in ["a", "b"] {
        let made = widgets
            .patch(name, &params, &Patch::Apply(widget(server, name, &json!({"max": 1}))))
            .await
            .unwrap();
        assert_eq!(made.data["spec"]["mode"], "Auto");
    }
    let page = widgets.list(&ListParams::default().limit(1)).await.unwrap();
    assert_eq!(page.items.len(), 1);
    let next = ListParams::default().limit(1).continue_token(&page.metadata.continue_.unwrap());
    assert_eq!(widgets.list(&next).await.unwrap().items[0].name_any(), "b");
    let metadata = widgets.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(metadata.items.len(), 2);
    assert_eq!(metadata.items[0].name_any(), "a");
}

/// Follows the maps of the case until its store says so.
async fn follow(
    server: &Server,
    config: watcher::Config,
    is_there: impl Fn(&reflector::Store<ConfigMap>) -> bool,
) {
    let (store, writer) = reflector::store();
    let config = config.labels("case=mine");
    let mut events = std::pin::pin!(watcher(maps(server), config).default_backoff().reflect(writer));
    let followed = async {
        while !is_there(&store) {
            // What goes wrong on the way is what the watcher has to get over.
            drop(events.next().await);
        }
    };
    tokio::time::timeout(Duration::from_secs(20), followed).await.expect("the store to catch up");
}

fn one() -> ObjectRef<ConfigMap> {
    ObjectRef::new("one")
}

async fn a_reflector_follows_what_happens(server: &Server) {
    let maps = maps(server);
    let (store, writer) = reflector::store();
    let config = watcher::Config::default().labels("case=mine");
    let mut events = std::pin::pin!(watcher(maps.clone(), config).reflect(writer));
    let mut until = async |is_there: &dyn Fn(&reflector::Store<ConfigMap>) -> bool| {
        while !is_there(&store) {
            let next = tokio::time::timeout(Duration::from_secs(20), events.next());
            next.await.expect("an event in time").expect("the watch goes on").unwrap();
        }
    };
    let reference = one().within(&server.namespace);
    let data = |store: &reflector::Store<ConfigMap>| {
        store.get(&reference).and_then(|map| map.data.clone()?.remove("key"))
    };
    maps.create(&PostParams::default(), &map("one")).await.unwrap();
    until(&|store| data(store).as_deref() == Some("value")).await;
    maps.patch("one", &PatchParams::default(), &Patch::Merge(json!({"data": {"key": "new"}}))).await.unwrap();
    until(&|store| data(store).as_deref() == Some("new")).await;
    maps.delete("one", &DeleteParams::default()).await.unwrap();
    until(&|store| store.get(&reference).is_none()).await;
}

async fn a_watcher_gets_over_a_forgotten_past(server: &Server) {
    maps(server).create(&PostParams::default(), &map("one")).await.unwrap();
    server.forget_the_past();
    let reference = one().within(&server.namespace);
    follow(server, watcher::Config::default(), |store| store.get(&reference).is_some()).await;
}

async fn a_streamed_list_fills_a_reflector(server: &Server) {
    maps(server).create(&PostParams::default(), &map("one")).await.unwrap();
    let reference = one().within(&server.namespace);
    follow(server, watcher::Config::default().streaming_lists(), |store| store.get(&reference).is_some())
        .await;
}

async fn a_finalizer_is_put_on_and_taken_off(server: &Server) {
    const NAME: &str = "example.com/tests";
    let maps = maps(server);
    maps.create(&PostParams::default(), &map("one")).await.unwrap();
    let turn = async || {
        let object = std::sync::Arc::new(maps.get("one").await.unwrap());
        let mut told = "nothing";
        let told_here = &mut told;
        finalizer(&maps, NAME, object, async |event| {
            *told_here = match event {
                Finalized::Apply(_) => "apply",
                Finalized::Cleanup(_) => "clean up",
            };
            Ok::<_, std::convert::Infallible>(kube::runtime::controller::Action::await_change())
        })
        .await
        .unwrap();
        told
    };
    assert_eq!(turn().await, "nothing", "the first turn only puts the finalizer on");
    assert_eq!(turn().await, "apply");
    maps.delete("one", &DeleteParams::default()).await.unwrap();
    assert_eq!(turn().await, "clean up");
    assert!(maps.get_opt("one").await.unwrap().is_none());
}
