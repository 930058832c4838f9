//! What cannot be explained is refused in one line that says what to do.

use std::path::Path;

use fedscaler_cmd::explain::{offline, online, what_ifs};
use fedscaler_runtime::clock::SystemClock;
use fedscaler_tests::stage::Stage;

use super::{Arc, FED_HPA, Scratch, refused};

const FACTS: &str = "../docs/examples/web.facts.json";

#[test]
fn a_kubeconfig_that_is_not_there_is_named() {
    let why = refused(&["fedhpa", "web", "--kubeconfig", "nowhere/kubeconfig"]);
    assert!(why.contains("nowhere/kubeconfig") && why.contains("check --kubeconfig"), "{why}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let why = refused(&["fedhpa", "-f", "../deploy/examples/fedhpa.yaml", "--facts", "nowhere.json"]);
    assert!(why.contains("cannot read nowhere.json"), "{why}");
    let why = refused(&["fedhpa", "-f", "nowhere.yaml", "--facts", FACTS]);
    assert!(why.contains("cannot read nowhere.yaml"), "{why}");
}

#[test]
fn a_what_if_that_is_none_is_refused_before_anything_is_read() {
    let why = refused(&["fedhpa", "web", "--kubeconfig", "nowhere", "--what-if", "max=lots"]);
    assert_eq!(
        why,
        "--what-if: \"max=lots\" is no what-if: give min=N, max=N, lost=CLUSTER or room=CLUSTER:+N"
    );
    assert!(what_ifs(&["lost=a".to_owned()]).is_ok());
}

#[test]
fn a_what_if_about_an_unknown_cluster_names_those_that_there_are() {
    let files = ["fedhpa", "-f", "../deploy/examples/fedhpa.yaml", "--facts", FACTS];
    let why = refused(&[&files[..], &["--what-if", "lost=mars"]].concat());
    assert_eq!(
        why,
        "--what-if lost=mars: there is no cluster mars; there are: cloud, idc-crowded, idc-roomy"
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_fedhpa_is_told_from_an_api_server_that_knows_none() {
    let stage = Stage::with_demand(6).await;
    let look = |client| online::observed(client, Arc::new(SystemClock), "default", "nobody");
    let why = look(stage.user.clone()).await.unwrap_err().to_string();
    assert!(why.starts_with("there is no FedHPA nobody in namespace default: "), "{why}");
    let member = stage.world.member("cloud").unwrap().service();
    let why = look(kube::Client::new(member, "default")).await.unwrap_err().to_string();
    assert!(why.starts_with("the API server does not know FedHPAs: "), "{why}");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_fails_is_not_waited_for() {
    let stage = Stage::with_demand(6).await;
    stage.apply(FED_HPA).await;
    let faults = fedscaler_sandbox::fault::Faults::new();
    let which = fedscaler_sandbox::fault::Which::on("/works");
    faults.answer(which, http::StatusCode::FORBIDDEN, 9);
    let service = tower::Layer::layer(&faults, stage.world.control_plane().service());
    let look =
        online::observed(kube::Client::new(service, "default"), Arc::new(SystemClock), "default", "web");
    let why = look.await.unwrap_err().to_string();
    assert!(why.starts_with("cannot list works.work.karmada.io"), "{why}");
}

async fn manifest_refused(name: &str, manifest: &str) -> String {
    let file = Scratch::new(name, manifest);
    let why = offline::read(file.path(), Path::new(FACTS)).await.unwrap_err().to_string();
    let begins = format!("{}: ", file.path().display());
    assert!(why.starts_with(&begins) && !why.contains('\n'), "{why}");
    why[begins.len()..].to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_manifest_is_judged_as_the_api_server_would() {
    let why = manifest_refused("typo.yaml", &FED_HPA.replace("minReplicas: 6", "minReplica: 6")).await;
    assert!(why.contains("minReplica"), "{why}");
    let why = manifest_refused("above.yaml", &FED_HPA.replace("minReplicas: 6", "minReplicas: 61")).await;
    assert!(why.contains("minReplicas is above maxReplicas"), "{why}");
    let why = manifest_refused("text.yaml", &FED_HPA.replace("maxReplicas: 60", "maxReplicas: many")).await;
    assert!(why.contains("maxReplicas"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_manifest_of_another_fedhpa_is_refused() {
    let why = manifest_refused("other.yaml", &FED_HPA.replacen("name: web", "name: shop", 1)).await;
    assert_eq!(why, "the facts are about FedHPA default/web, and the manifest has shop");
    let why = manifest_refused("none.yaml", super::CRON_HPA).await;
    assert_eq!(why, "the facts are about FedHPA default/web, and the manifest has no FedHPA");
}

#[tokio::test(start_paused = true)]
async fn a_manifest_may_come_from_kubectl_get() {
    let stage = super::at_rest(12).await;
    let object = stage.object(&fedscaler_tests::stage::FED_HPAS, "web").unwrap();
    let got = Scratch::new("got.json", &object.to_string());
    let written = Scratch::new("written.yaml", FED_HPA);
    let facts = Path::new(FACTS);
    assert_eq!(
        offline::read(got.path(), facts).await.unwrap(),
        offline::read(written.path(), facts).await.unwrap()
    );
}
