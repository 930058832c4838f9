//! What dashboards ask for is what the controllers tell.

use std::collections::BTreeSet;

use fedscaler_tests::stage::Stage;

const DASHBOARD: &str = include_str!("../../dashboards/fedscaler.json");
const FED_HPA: &str = include_str!("../../deploy/examples/fedhpa.yaml");
const CRON_HPA: &str = include_str!("../../deploy/examples/cronhpa.yaml");

/// Names of metrics in an expression: words with one of our prefixes.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    let prefixes = ["fedhpa_", "cronhpa_", "controller_runtime_", "workqueue_"];
    words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix))).map(str::to_owned).collect()
}

fn expressions(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(text) if name == "expr" || name == "query" => vec![text.to_owned()],
                Some(_) | None => expressions(value),
            })
            .collect(),
        serde_json::Value::Array(items) => items.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn every_metric_that_the_dashboard_asks_for_is_emitted() {
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
    let asked: BTreeSet<_> = expressions(&dashboard).iter().flat_map(|text| metrics_in(text)).collect();
    assert!(asked.len() > 15, "the dashboard asks for {asked:?}");
    let missing: Vec<_> = asked.difference(&emitted).collect();
    assert!(missing.is_empty(), "nothing emits {missing:?}");
}
