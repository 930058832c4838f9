//! `fedscaler explain` against the sandbox: what it says is what the controller does, and it only looks.

mod cronhpa;
mod documents;
mod refusals;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use clap::Parser as _;
use fedscaler_cmd::{
    cli::{Cli, Command, Form},
    explain::{Case, account::Account, command, offline, online, page::Paper, save, told, what_ifs},
};
use fedscaler_runtime::clock::TokioClock;
use fedscaler_tests::{
    scratch::Scratch,
    stage::{FED_HPAS, Stage},
};
use http::Request;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tower::ServiceExt as _;

const FED_HPA: &str = include_str!("../../../deploy/examples/fedhpa.yaml");
const CRON_HPA: &str = include_str!("../../../deploy/examples/cronhpa.yaml");

/// A stage on which the examples have come to rest.
async fn at_rest(demand: i64) -> Stage {
    let mut stage = Stage::with_demand(demand).await;
    stage.start_controllers();
    stage.apply(FED_HPA).await;
    stage.apply(CRON_HPA).await;
    stage.run(900).await;
    stage
}

/// What `web` is decided from, looked at with this client.
async fn case(stage: &Stage, client: Client) -> Case {
    let clock = Arc::new(TokioClock::starting_at(stage.clock.now()));
    online::observed(client, clock, "default", "web").await.expect("the FedHPA can be looked at")
}

fn explained(case: &Case, supposed: &[&str]) -> Account {
    let texts: Vec<String> = supposed.iter().map(|text| (*text).to_owned()).collect();
    Account::of(case, &what_ifs(&texts).expect("what-ifs")).expect("an explanation")
}

/// The split that the status remembers.
fn shares_in_status(stage: &Stage) -> BTreeMap<String, Value> {
    let object = stage.object(&FED_HPAS, "web").expect("the FedHPA");
    let shares = object["status"]["split"]["shares"].as_array().expect("a split");
    let share = |share: &Value| {
        let bounds = json!({"min": share["minReplicas"], "max": share["maxReplicas"]});
        (share["cluster"].as_str().unwrap_or_default().to_owned(), bounds)
    };
    shares.iter().map(share).collect()
}

fn shares_explained(account: &Account) -> BTreeMap<String, Value> {
    let shares =
        account.clusters.iter().filter_map(|cluster| Some((cluster.name.clone(), json!(cluster.share?))));
    shares.collect()
}

/// The shares that are adopted at once under the suppositions, and where they come to.
fn shares_supposed(account: &Account) -> [BTreeMap<String, Value>; 2] {
    let course = &account.what_if.as_ref().expect("a supposition").course;
    let [Some(first), Some(last)] = [course.first(), course.last()] else { panic!("no turn") };
    [first, last].map(|turn| turn.shares.iter().map(|(name, share)| (name.clone(), json!(share))).collect())
}

/// What is said to these words of `explain`, which are refused in one line.
fn refused(words: &[&str]) -> String {
    let all = ["fedscaler", "explain"].iter().chain(words);
    let cli = Cli::try_parse_from(all).expect("words that fit together");
    let Command::Explain(arguments) = cli.command else { panic!("explain") };
    let why = command(&arguments).expect_err("a refusal").to_string();
    assert!(!why.contains('\n'), "{why}");
    why
}

#[tokio::test(start_paused = true)]
async fn offline_the_saved_facts_give_the_same_explanation_as_online() {
    let stage = at_rest(12).await;
    let seen = case(&stage, stage.user.clone()).await;
    let (facts, manifest) = (Scratch::new("same.json", ""), Scratch::new("same.yaml", FED_HPA));
    save(facts.path(), &seen).unwrap();
    let read = offline::read(manifest.path(), facts.path()).await.unwrap();
    assert_eq!(read, seen);
    for form in [Form::Table, Form::Json] {
        let supposed = what_ifs(&["lost=cloud".to_owned(), "max=70".to_owned()]).unwrap();
        assert_eq!(
            told(&read, &supposed, (form, Paper::PLAIN)).unwrap(),
            told(&seen, &supposed, (form, Paper::PLAIN)).unwrap()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn explaining_only_looks() {
    let stage = at_rest(12).await;
    let methods = Arc::new(Mutex::new(BTreeSet::new()));
    let heard = Arc::clone(&methods);
    let service = stage.world.control_plane().service().map_request(move |request: Request<Body>| {
        heard.lock().expect("nobody panics in there").insert(request.method().to_string());
        request
    });
    let before = stage.object(&FED_HPAS, "web");
    let seen = case(&stage, Client::new(service, "default")).await;
    explained(&seen, &["max=80"]);
    assert_eq!(*methods.lock().unwrap(), ["GET".to_owned()].into());
    assert_eq!(stage.object(&FED_HPAS, "web"), before);
}

#[tokio::test(start_paused = true)]
async fn at_rest_nothing_would_be_written_and_the_shares_are_those_of_the_status() {
    let stage = at_rest(12).await;
    let account = explained(&case(&stage, stage.user.clone()).await, &[]);
    assert_eq!(account.writes, [], "{account:?}");
    assert_eq!(shares_explained(&account), shares_in_status(&stage));
    assert_eq!(account.totals.min_rule.as_deref(), Some("web-hours/morning"));
    assert_eq!(account.clusters.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_explained_before_the_controller_comes_is_what_it_decides_then() {
    let mut stage = at_rest(12).await;
    stage.kill_controllers().await;
    stage
        .apply(
            &FED_HPA
                .replace("maxReplicas: 60", "maxReplicas: 60\n  suspend: false")
                .replace("minReplicas: 2", "minReplicas: 9"),
        )
        .await;
    let account = explained(&case(&stage, stage.user.clone()).await, &[]);
    assert!(!account.writes.is_empty(), "{account:?}");
    assert_ne!(shares_explained(&account), shares_in_status(&stage));
    let before = shares_in_status(&stage);
    stage.restart_controllers().await;
    // Rooms may be other ones a few seconds later.
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if shares_in_status(&stage) != before {
            break;
        }
    }
    assert_eq!(shares_in_status(&stage), shares_explained(&account));
}

#[tokio::test(start_paused = true)]
async fn a_supposed_loss_moves_share_where_a_real_one_does() {
    let mut stage = at_rest(20).await;
    let account = explained(&case(&stage, stage.user.clone()).await, &["lost=cloud"]);
    stage.world.partition("cloud").unwrap();
    for _ in 0..240 {
        stage.run(1).await;
        if !shares_in_status(&stage).contains_key("cloud") {
            break;
        }
    }
    let [at_once, in_the_end] = shares_supposed(&account);
    assert_eq!(shares_in_status(&stage), at_once);
    assert_eq!(in_the_end.keys().collect::<Vec<_>>(), ["idc-crowded", "idc-roomy"]);
}

#[tokio::test(start_paused = true)]
async fn while_a_rule_holds_the_min_a_supposed_min_of_the_spec_does_nothing_and_that_is_said() {
    let stage = at_rest(12).await;
    let account = explained(&case(&stage, stage.user.clone()).await, &["min=7"]);
    let supposed = account.what_if.expect("a supposition");
    assert_eq!(supposed.totals.now, supposed.totals.then);
    assert_eq!(
        supposed.notes,
        ["min=7 is a bound of the spec: it does nothing while web-hours/morning holds the min"]
    );
}
