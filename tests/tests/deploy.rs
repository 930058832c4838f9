//! What is shipped in `deploy/host` fits together: with itself, with the command line and with Kubernetes' types.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command as Process,
};

use clap::Parser as _;
use fedscaler_cmd::{
    cli::{Cli, Command},
    sandbox::install,
};
use fedscaler_tests::{kubectl, rig::Rig};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Container, Namespace, PodSpec, Service, ServiceAccount},
    policy::v1::PodDisruptionBudget,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/host"))
}

fn read(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A manifest as its type, which knows each field that it states.
fn typed<K: Serialize + DeserializeOwned>(name: &str) -> K {
    let written = read(name);
    let object: K = serde_json::from_value(written.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(
        serde_json::to_value(&object).unwrap(),
        written,
        "{name} states fields that its kind does not have"
    );
    object
}

fn deployment() -> Deployment {
    typed("deployment.yaml")
}

fn pod_spec() -> PodSpec {
    deployment().spec.template.spec.unwrap()
}

fn container() -> Container {
    let mut containers = pod_spec().containers;
    assert_eq!(containers.len(), 1);
    containers.remove(0)
}

#[test]
fn the_sandbox_is_installed_from_all_of_deploy_karmada() {
    let text = include_str!("../../deploy/karmada/kustomization.yaml");
    let kustomization: Value = serde_saphyr::from_str(text).unwrap();
    let named = kustomization["resources"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    // The definitions are rendered by the program itself, and another test holds the files against that.
    let installed = install::KARMADA.map(|(path, _)| path);
    assert_eq!(named.filter(|name| *name != "../../crds").collect::<Vec<_>>(), installed);
}

#[test]
fn the_kustomization_names_each_file_and_nothing_else() {
    let kustomization = read("kustomization.yaml");
    let named: BTreeSet<_> = kustomization["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    let files =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<_> = files.filter(|name| name != "kustomization.yaml").collect();
    assert_eq!(named, files);
    typed::<Namespace>("namespace.yaml");
}

#[test]
fn the_container_is_told_what_the_command_line_takes() {
    let words = container().args.unwrap();
    let cli =
        Cli::try_parse_from(["fedscaler".to_owned()].into_iter().chain(words)).expect("arguments that exist");
    let Command::Run(run) = cli.command else { panic!("it runs the controllers") };
    let spec = pod_spec();
    assert!(run.leader_elect || deployment().spec.replicas == Some(1));
    let mount = container().volume_mounts.unwrap().remove(0);
    let secret = spec.volumes.unwrap().remove(0).secret.unwrap();
    assert_eq!(
        run.kubeconfig.unwrap(),
        PathBuf::from(mount.mount_path).join(&secret.items.unwrap()[0].path),
        "the kubeconfig is where the Secret is mounted"
    );
    let port = container().ports.unwrap().remove(0);
    assert_eq!(i32::from(run.admin_address.port()), port.container_port);
}

#[test]
fn probes_and_scrapes_reach_the_admin_server() {
    let container = container();
    let path =
        |probe: Option<k8s_openapi::api::core::v1::Probe>| probe.unwrap().http_get.unwrap().path.unwrap();
    assert_eq!(path(container.liveness_probe), "/healthz");
    assert_eq!(path(container.readiness_probe), "/readyz");
    let service: Service = typed("service.yaml");
    let annotations = service.metadata.annotations.unwrap();
    let port = container.ports.unwrap()[0].container_port.to_string();
    assert_eq!(annotations["prometheus.io/port"], port);
    assert_eq!(annotations["prometheus.io/path"], "/metrics");
}

#[test]
fn selectors_find_the_pods() {
    let spec = deployment().spec;
    let labels = spec.template.metadata.unwrap().labels.unwrap();
    let service: Service = typed("service.yaml");
    let budget: PodDisruptionBudget = typed("poddisruptionbudget.yaml");
    let selectors: [BTreeMap<String, String>; 3] = [
        spec.selector.match_labels.unwrap(),
        service.spec.unwrap().selector.unwrap(),
        budget.spec.unwrap().selector.unwrap().match_labels.unwrap(),
    ];
    for selector in selectors {
        assert!(selector.iter().all(|(key, value)| labels.get(key) == Some(value)), "{selector:?}");
    }
}

#[test]
fn the_process_may_do_nothing_but_its_work() {
    let (spec, account) = (pod_spec(), typed::<ServiceAccount>("serviceaccount.yaml"));
    assert_eq!(
        (spec.automount_service_account_token, account.automount_service_account_token),
        (Some(false), Some(false))
    );
    assert_eq!(spec.service_account_name, account.metadata.name);
    assert_eq!(spec.security_context.unwrap().run_as_non_root, Some(true));
    let context = container().security_context.unwrap();
    assert_eq!(
        (context.read_only_root_filesystem, context.allow_privilege_escalation),
        (Some(true), Some(false))
    );
    assert_eq!(context.capabilities.unwrap().drop, Some(vec!["ALL".to_owned()]));
}

#[test]
fn kubectl_builds_both_halves() {
    let Some(kubectl) = kubectl::found() else {
        assert!(!Rig::is_required(), "the rig has built a kubectl");
        println!("skipped: kubectl kustomize of deploy/ (KUBECTL or PATH name none)");
        return;
    };
    for (half, kinds) in [("host", 5), ("karmada", 14)] {
        let built =
            Process::new(&kubectl).arg("kustomize").arg(folder().with_file_name(half)).output().unwrap();
        assert!(built.status.success(), "{half}: {}", String::from_utf8_lossy(&built.stderr));
        let text = String::from_utf8(built.stdout).unwrap();
        assert_eq!(
            text.matches("\nkind: ").count() + usize::from(text.starts_with("kind: ")),
            kinds,
            "{half}"
        );
    }
}
