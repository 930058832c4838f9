//! `fedscaler explain cronhpa`: what it says is what comes, offline and from the cluster.

use std::path::Path;

use chrono::{DateTime, Utc};
use fedscaler_cmd::{
    cli::Form,
    explain::{
        cronhpa::{Span, account::Account, offline, online, told},
        page::Paper,
    },
};
use fedscaler_tests::stage::{CRON_HPAS, Stage};
use serde_json::{Value, json};

use super::{CRON_HPA, FED_HPA, Scratch, refused};

const HOLIDAYS: &str = include_str!("../../../deploy/examples/holidays.yaml");

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn span(from: &str, to: &str) -> Span {
    Span { from: at(from), to: at(to) }
}

/// What is said about the CronHPA of a file, as JSON.
async fn said(manifest: &str, name: &str, span: Span) -> Value {
    let file = Scratch::new(name, manifest);
    let case = offline::read(file.path(), None, span.from).await.expect("a file that can be read");
    serde_json::from_str(&told(&case, span, (Form::Json, Paper::PLAIN)).expect("an answer")).expect("JSON")
}

/// `RULE UTC RESULT MIN` of each slot.
fn lines(said: &Value) -> Vec<String> {
    let slots = said["slots"].as_array().expect("slots");
    let line = |slot: &Value| {
        let text = |field: &str| slot[field].as_str().unwrap_or_default().to_owned();
        let min = &slot["inForce"]["minReplicas"];
        format!("{} {} {} {min}", text("rule"), text("utc"), text("result"))
    };
    slots.iter().map(line).collect()
}

#[tokio::test(start_paused = true)]
async fn holidays_of_a_calendar_in_the_file_exclude() {
    let said = said(HOLIDAYS, "holidays.yaml", span("2026-12-24T12:00:00Z", "2026-12-28T07:00:00Z")).await;
    assert_eq!(
        lines(&said),
        [
            "sales 2026-12-24T19:00:00Z Suspended 20",
            "night 2026-12-25T01:30:00Z Excluded 20",
            "morning 2026-12-25T07:00:00Z Excluded 20",
            "sales 2026-12-25T07:00:00Z Excluded 20",
            "sales 2026-12-25T19:00:00Z Suspended 20",
            "night 2026-12-26T01:30:00Z Excluded 20",
            "sales 2026-12-26T07:00:00Z Excluded 20",
            "sales 2026-12-26T19:00:00Z Suspended 20",
            "night 2026-12-27T01:30:00Z Applied 4",
            "sales 2026-12-27T07:00:00Z Suspended 4",
            "sales 2026-12-27T19:00:00Z Suspended 4",
            "night 2026-12-28T01:30:00Z Applied 4",
            "morning 2026-12-28T07:00:00Z Applied 20",
            "sales 2026-12-28T07:00:00Z Suspended 20",
        ]
    );
    assert_eq!(said["faults"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn shifts_of_the_clock_are_marked() {
    let spring = said(HOLIDAYS, "spring.yaml", span("2026-03-28T12:00:00Z", "2026-03-29T03:00:00Z")).await;
    let slot =
        &spring["slots"].as_array().unwrap().iter().find(|slot| slot["rule"] == "night").unwrap().clone();
    assert_eq!(
        (&slot["utc"], &slot["local"], &slot["clock"]),
        (&json!("2026-03-29T01:00:00Z"), &json!("2026-03-29T03:00:00+02:00"), &json!("Skipped"))
    );
    let autumn = said(HOLIDAYS, "autumn.yaml", span("2026-10-24T22:00:00Z", "2026-10-25T03:00:00Z")).await;
    let slots = autumn["slots"].as_array().unwrap();
    assert_eq!(
        (slots.len(), &slots[0]["clock"], &slots[0]["utc"]),
        (1, &json!("FirstPass"), &json!("2026-10-25T00:30:00Z"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_calendar_that_is_not_in_the_file_is_told() {
    let manifest = HOLIDAYS.replacen("name: holidays, key", "name: other, key", 1);
    let said = said(&manifest, "other.yaml", span("2026-12-24T12:00:00Z", "2026-12-24T13:00:00Z")).await;
    let fault = "exclude.calendarRef: there is no ConfigMap other; it was never read, so none of its days is excluded";
    assert_eq!(said["faults"], json!([fault]));
}

#[tokio::test(start_paused = true)]
async fn what_the_cluster_says_is_to_come_is_what_comes() {
    let mut stage = Stage::with_demand(6).await;
    stage.start_controllers();
    stage.apply(FED_HPA).await;
    stage.apply(CRON_HPA).await;
    stage.run(60).await;
    let now = stage.clock.now();
    let until = now + chrono::TimeDelta::days(2);
    let case = online::observed(&stage.user, "default", "web-hours", now, now).await.expect("a CronHPA");
    let account = Account::of(&case, Span { from: now, to: until }).expect("an answer");
    stage.run(2 * 86_400).await;
    let object = stage.object(&CRON_HPAS, "web-hours").unwrap();
    for rule in object["status"]["rules"].as_array().unwrap() {
        let said = account.slots.iter().filter(|slot| rule["name"] == json!(slot.rule)).count();
        let history = rule["history"].as_array().map_or(0, Vec::len);
        assert_eq!(said, history, "{rule}");
        let last = account.slots.iter().rfind(|slot| rule["name"] == json!(slot.rule));
        assert_eq!(last.map(|slot| json!(slot.result)).unwrap_or_default(), rule["lastSlot"]["result"]);
    }
    let active = &object["status"]["active"];
    let last = &account.slots.last().unwrap().in_force;
    assert_eq!(
        (json!(last.min_replicas), json!(last.min_rule)),
        (active["minReplicas"].clone(), active["minRule"].clone())
    );
}

#[test]
fn what_cannot_be_explained_is_refused_in_one_line() {
    let file = "../deploy/examples/cronhpa.yaml";
    let why = refused(&["cronhpa", "-f", file]);
    assert!(
        why.ends_with("it has more than one CronHPA: give the NAME, one of web-hours, batch-nights"),
        "{why}"
    );
    let why = refused(&["cronhpa", "nobody", "-f", file]);
    assert!(why.ends_with("it has not one CronHPA nobody; it has web-hours, batch-nights"), "{why}");
    assert!(refused(&["cronhpa", "-f", "nowhere.yaml"]).contains("cannot read nowhere.yaml"));
    assert!(
        refused(&["cronhpa", "-f", "../deploy/examples/fedhpa.yaml"]).ends_with("there is no CronHPA in it")
    );
    let why = refused(&[
        "cronhpa",
        "web-hours",
        "-f",
        file,
        "--from",
        "2026-03-02T00:00:00Z",
        "--to",
        "2026-03-01T00:00:00Z",
    ]);
    assert!(why.starts_with("--to 2026-03-01 00:00:00 UTC is before the beginning"), "{why}");
    assert!(
        refused(&["cronhpa", "web", "--kubeconfig", "nowhere/kubeconfig"]).contains("nowhere/kubeconfig")
    );
}

#[tokio::test(start_paused = true)]
async fn a_manifest_is_judged_as_the_api_server_would() {
    let manifest = HOLIDAYS.replace("leadSeconds: 600", "leadSecond: 600");
    let file = Scratch::new("typo-cron.yaml", &manifest);
    let why = offline::read(file.path(), None, at("2026-03-01T00:00:00Z")).await.unwrap_err().to_string();
    assert!(why.contains("leadSecond") && !why.contains('\n'), "{why}");
    assert!(offline::read(Path::new("nowhere"), None, at("2026-03-01T00:00:00Z")).await.is_err());
}
