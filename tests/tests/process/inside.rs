//! Who comes in while it runs.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
};

use fedscaler_crds::FedHpa;
use fedscaler_runtime::client;
use fedscaler_tests::kubectl;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Node};
use kube::{Api, api::ListParams};

use crate::terminal::{Lines, kubeconfig};

pub(crate) fn kubernetes_clients_come_in() {
    let lines = Lines::sandbox("inside", &[]);
    lines.wait_for("FedHPA/web");
    let path = kubeconfig("inside");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = client::connect(Some(&path), None).await.unwrap();
        let fed_hpas: Api<FedHpa> = Api::default_namespaced(client.clone());
        assert!(fed_hpas.get("web").await.unwrap().status.is_some());
        let deployments: Api<Deployment> = Api::default_namespaced(client);
        assert!(deployments.list(&ListParams::default()).await.unwrap().items.len() >= 2);
        let member = client::connect(Some(&path), Some("cloud")).await.unwrap();
        let nodes = Api::<Node>::all(member).list(&ListParams::default()).await.unwrap();
        assert_eq!(nodes.items.len(), 4);
    });
    let Some(kubectl) = kubectl::found() else {
        eprintln!("kubectl itself was not run: there is none");
        return;
    };
    let get = |words: &[&str]| said(&kubectl, &path, words);
    let table = get(&["get", "fedhpas"]);
    assert!(table.starts_with("NAME   TARGET   MIN   MAX"), "{table}");
    assert!(get(&["--context", "idc-roomy", "get", "nodes"]).contains("large-4"));
    get(&["scale", "deployment", "batch", "--replicas", "5"]);
    assert_eq!(get(&["get", "deployment", "batch", "-o", "jsonpath={.spec.replicas}"]), "5");
}

fn said(kubectl: &Path, kubeconfig: &Path, words: &[&str]) -> String {
    let output = Command::new(kubectl).arg("--kubeconfig").arg(kubeconfig).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn metrics_and_probes_are_served() {
    let lines = Lines::sandbox("measured", &[]);
    let told = lines.wait_for("FedHPA/web");
    let served = told.split("serves metrics at http://").nth(1).unwrap();
    let address = served.split('/').next().unwrap();
    let metrics = got(address, "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(
        metrics.contains("\nfedhpa_spec_max_replicas{") && metrics.contains("\nbuild_info{"),
        "{metrics}"
    );
    assert!(got(address, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(got(address, "/readyz").starts_with("HTTP/1.1 200"));
}

fn got(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
