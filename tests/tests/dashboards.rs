//! What dashboards and alerts ask for is what the controllers tell, and each alert says what to do.

use std::collections::BTreeSet;

use fedscaler_tests::stage::Stage;

const DASHBOARD: &str = include_str!("../../dashboards/fedscaler.json");
const ALERTS: &str = include_str!("../../dashboards/alerts.yaml");
const ALERT_TESTS: &str = include_str!("../../dashboards/alerts.test.yaml");
const RUNBOOK: &str = include_str!("../../docs/alerts.md");
const FED_HPA: &str = include_str!("../../deploy/examples/fedhpa.yaml");
const CRON_HPA: &str = include_str!("../../deploy/examples/cronhpa.yaml");

/// Names of metrics in an expression: words with one of our prefixes.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    let prefixes = ["fedhpa_", "cronhpa_", "controller_runtime_", "workqueue_", "leader"];
    words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix))).map(str::to_owned).collect()
}

fn expressions(value: &serde_json::Value) -> Vec<&str> {
    [texts(value, "expr"), texts(value, "query")].concat()
}

#[tokio::test(start_paused = true)]
async fn every_metric_that_is_asked_for_is_emitted() {
    let mut stage = Stage::with_demand(9).await;
    stage.start_controllers();
    stage.apply(FED_HPA).await;
    stage.apply(CRON_HPA).await;
    stage.run(180).await;
    stage.world.partition("cloud").unwrap();
    stage.run(120).await;
    let scrape = stage.metrics.render().unwrap();
    let emitted: BTreeSet<_> =
        scrape.lines().filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect();
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let alerts: serde_json::Value = serde_saphyr::from_str(ALERTS).unwrap();
    let of = |file: &serde_json::Value| -> BTreeSet<_> {
        expressions(file).iter().flat_map(|text| metrics_in(text)).collect()
    };
    let (shown, watched) = (of(&dashboard), of(&alerts));
    assert!(shown.len() > 15 && watched.len() > 10, "they ask for {shown:?} and {watched:?}");
    let asked: BTreeSet<_> = shown.union(&watched).cloned().collect();
    let missing: Vec<_> = asked.difference(&emitted).collect();
    assert!(missing.is_empty(), "nothing emits {missing:?}");
}

#[test]
fn every_alert_is_played_and_says_what_to_do() {
    let alerts: serde_json::Value = serde_saphyr::from_str(ALERTS).unwrap();
    let tests: serde_json::Value = serde_saphyr::from_str(ALERT_TESTS).unwrap();
    let names: Vec<_> = texts(&alerts, "alert");
    let played = texts(&tests, "alertname");
    let paragraphs: Vec<_> = RUNBOOK.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(paragraphs, names, "the runbook has a paragraph for each alert, in their order");
    for name in &names {
        assert!(played.contains(name), "no test of promtool plays {name}");
    }
}

/// All texts under a name, wherever they are.
fn texts<'a>(value: &'a serde_json::Value, name: &str) -> Vec<&'a str> {
    match value {
        serde_json::Value::Object(fields) => {
            let own = fields.get(name).and_then(serde_json::Value::as_str);
            own.into_iter().chain(fields.values().flat_map(|value| texts(value, name))).collect()
        }
        serde_json::Value::Array(items) => items.iter().flat_map(|item| texts(item, name)).collect(),
        _ => Vec::new(),
    }
}
