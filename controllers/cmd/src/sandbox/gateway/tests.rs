//! Somebody outside who comes in, in real time, while the world is held to it.

use std::{fs, thread};

use fedscaler_runtime::client::connect;
use fedscaler_sandbox::clock::{Clock, TokioClock};
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::{
    Api, Client,
    api::{ListParams, PostParams, WatchEvent, WatchParams},
    config::{KubeConfigOptions, Kubeconfig as Read},
};
use serde_json::json;
use tokio::runtime::Builder;

use super::*;
use crate::{
    cli::Speed,
    sandbox::{pace::Pace, scenario},
};

/// A world held to real time, with its way in, and what somebody outside does there.
fn visited(name: &str, visit: impl FnOnce(PathBuf) + Send + 'static) {
    let file = std::env::temp_dir().join(format!("fedscaler-gateway-{name}-{}.yaml", std::process::id()));
    let path = file.clone();
    let world = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    world.block_on(async {
        let clock: Arc<dyn Clock> =
            Arc::new(TokioClock::starting_at("2026-03-02T00:00:00Z".parse().unwrap()));
        let world = World::start(fedscaler_sandbox::world::WorldSpec {
            seed: 1,
            clock,
            members: scenario::members(),
            demands: Vec::new(),
            lags: fedscaler_sandbox::karmada::Lags::default(),
        });
        let world = world.unwrap();
        let gateway = Gateway::open(&world, &path).unwrap();
        let visitor = thread::spawn(move || visit(path));
        let mut pace = Pace::new(Speed::Times(1.0), gateway.bell());
        while !visitor.is_finished() {
            pace.step().await;
        }
        visitor.join().unwrap();
    });
    assert!(!file.exists(), "the kubeconfig is gone with the way in");
}

/// What somebody outside does, in real time.
fn outside<T>(visit: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(visit)
}

async fn client(kubeconfig: &Path, context: &str) -> Client {
    connect(Some(kubeconfig), Some(context)).await.unwrap()
}

#[test]
fn a_context_leads_to_the_control_plane_and_to_each_member() {
    visited("contexts", |kubeconfig| {
        outside(async {
            let karmada = client(&kubeconfig, "karmada").await;
            let maps: Api<ConfigMap> = Api::default_namespaced(karmada.clone());
            let map = serde_json::from_value(json!({"metadata": {"name": "mine"}})).unwrap();
            maps.create(&PostParams::default(), &map).await.unwrap();
            let nodes: Api<Node> = Api::all(karmada);
            assert_eq!(nodes.list(&ListParams::default()).await.unwrap().items.len(), 0);
            for (member, count) in [("idc-roomy", 4), ("idc-crowded", 12), ("cloud", 4)] {
                let member = client(&kubeconfig, member).await;
                let nodes: Api<Node> = Api::all(member.clone());
                assert_eq!(nodes.list(&ListParams::default()).await.unwrap().items.len(), count);
                let maps: Api<ConfigMap> = Api::default_namespaced(member);
                assert!(maps.get_opt("mine").await.unwrap().is_none(), "it is the control plane's");
            }
        });
    });
}

#[test]
fn a_watch_lasts_as_long_as_asked_for_in_real_time_and_tells_what_happens() {
    visited("watch", |kubeconfig| {
        outside(async {
            let maps: Api<ConfigMap> = Api::default_namespaced(client(&kubeconfig, "karmada").await);
            let watch = WatchParams::default().timeout(2).disable_bookmarks();
            let mut events = std::pin::pin!(maps.watch(&watch, "0").await.unwrap());
            let map = serde_json::from_value(json!({"metadata": {"name": "mine"}})).unwrap();
            maps.create(&PostParams::default(), &map).await.unwrap();
            let event = events.next().await.unwrap().unwrap();
            assert!(matches!(event, WatchEvent::Added(map) if map.metadata.name.as_deref() == Some("mine")));
            assert!(events.next().await.is_none());
        });
    });
}

#[test]
fn nobody_comes_in_without_the_token() {
    visited("token", |kubeconfig| {
        outside(async {
            let mut read = Read::read_from(&kubeconfig).unwrap();
            read.auth_infos[0].auth_info.as_mut().unwrap().token = Some("guessed".to_owned().into());
            let options = KubeConfigOptions::default();
            let config = kube::Config::from_custom_kubeconfig(read, &options).await.unwrap();
            let refused = Client::try_from(config).unwrap().apiserver_version().await.unwrap_err();
            assert!(matches!(refused, kube::Error::Api(status) if status.code == 401));
        });
    });
}

#[test]
fn a_port_that_is_taken_is_passed_by() {
    let taken: Option<std::net::TcpListener> = std::net::TcpListener::bind(("127.0.0.1", 6443)).ok();
    visited("port", |kubeconfig| {
        outside(async {
            client(&kubeconfig, "karmada").await.apiserver_version().await.unwrap();
        });
    });
    drop(taken);
}

#[test]
fn a_file_of_somebody_else_is_never_touched() {
    let file = std::env::temp_dir().join(format!("fedscaler-gateway-others-{}.yaml", std::process::id()));
    fs::write(&file, "apiVersion: v1\nkind: Config\n").unwrap();
    let refused = kubeconfig::check(&file).unwrap_err().to_string();
    assert!(
        refused.ends_with("is there and was not written by a sandbox: name another file with --kubeconfig")
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "apiVersion: v1\nkind: Config\n");
    fs::remove_file(&file).unwrap();
    assert!(kubeconfig::check(&file).is_ok());
}

#[test]
fn a_bell_that_was_rung_before_is_heard() {
    let bell = Bell::default();
    assert!(!bell.wait(Duration::ZERO));
    bell.ring();
    assert!(bell.wait(Duration::from_mins(1)));
    assert!(!bell.wait(Duration::ZERO));
}
