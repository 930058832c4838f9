//! As many rules due in one minute, each of an object of its own that scales a Deployment of its own: how far the scale
//! writes spread, and what that takes.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Timelike as _, Utc};
use fedscaler_runtime::clock::{Clock as _, SystemClock};
use fedscaler_tests::{
    measure::{Usage, millis, print_table, quantile},
    rig::Rig,
};
use futures::{StreamExt as _, stream};
use http::{Request, header::CONTENT_TYPE};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client,
    api::{WatchEvent, WatchParams},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{Processes, Whose};

const COUNTS: [usize; 2] = [1000, 5000];

/// Requests at a time while the objects are made.
const MAKERS: usize = 16;

/// Karmada's default limit of 40 requests a second leaves four minutes for 5,000 rules' writes alone.
const PATIENCE: Duration = Duration::from_mins(20);

/// What was seen of one of them.
struct Seen {
    spread: Vec<Duration>,
    before: Usage,
    after: Usage,
}

pub(crate) async fn compare(rig: &Rig, processes: &Processes) {
    let mut rows = Vec::new();
    for count in COUNTS {
        for whose in Whose::BOTH {
            let seen = play(rig, whose, count, processes.of(whose)).await;
            let at = |percent| millis(quantile(&seen.spread, percent));
            rows.push(vec![
                format!("{count} {}", kind(whose)),
                seen.spread.len().to_string(),
                at(50),
                at(99),
                at(100),
                format!("{:.1}", seen.after.processor.saturating_sub(seen.before.processor).as_secs_f64()),
                format!("{:.0}", seen.before.resident_mib),
                format!("{:.0}", seen.after.resident_mib),
            ]);
        }
    }
    println!("\nrules due in one minute: milliseconds from the slot to the scale written");
    let heads = ["what", "written", "p50", "p99", "most", "processor s", "MiB before", "MiB after"];
    print_table(&heads, &rows);
}

fn kind(whose: Whose) -> &'static str {
    match whose {
        Whose::Karmadas => "CronFederatedHPA",
        Whose::Ours => "CronHPA",
    }
}

async fn play(rig: &Rig, whose: Whose, count: usize, process: u32) -> Seen {
    let client = &rig.karmada;
    let namespace = format!("beside-{}-{count}", whose.name());
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    make(client, "/api/v1/namespaces", [space]).await;
    let deployments = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    make(client, &deployments, (0..count).map(deployment)).await;
    let slot =
        minute_after(SystemClock.now() + Duration::from_secs(45) + Duration::from_millis(15) * small(count));
    let rules = match whose {
        Whose::Karmadas => {
            format!("/apis/autoscaling.karmada.io/v1alpha1/namespaces/{namespace}/cronfederatedhpas")
        }
        Whose::Ours => format!("/apis/autoscaling.fedscaler.io/v1alpha1/namespaces/{namespace}/cronhpas"),
    };
    make(client, &rules, (0..count).map(|index| rule(whose, index, slot))).await;
    assert!(SystemClock.now() < slot, "making the objects took too long");
    sleep((slot - SystemClock.now()).to_std().unwrap_or_default().saturating_sub(Duration::from_secs(3)))
        .await;
    let before = Usage::of(process);
    let spread = written(client, &namespace, count, slot).await;
    let after = Usage::of(process);
    let delete = ["delete", "namespace", &namespace, "--timeout=1200s"];
    rig.kubectl("karmada", &delete, "").await.expect("the namespace goes");
    Seen { spread, before, after }
}

fn small(count: usize) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}

fn minute_after(time: DateTime<Utc>) -> DateTime<Utc> {
    let minute = time.with_second(0).and_then(|time| time.with_nanosecond(0)).expect("a whole minute");
    minute + Duration::from_mins(1)
}

/// Creates objects, some at a time.
async fn make(client: &Client, path: &str, objects: impl IntoIterator<Item = Value>) {
    let creations = objects.into_iter().map(|object| async move {
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        let request = request.body(object.to_string().into_bytes()).expect("a request");
        client.request::<Value>(request).await.expect("it is accepted");
    });
    stream::iter(creations).buffer_unordered(MAKERS).collect::<()>().await;
}

/// Nothing of it goes to a member: no policy selects it.
fn deployment(index: usize) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": format!("web-{index}")},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {
                "containers": [{"name": "web", "image": "registry.example/web:1"}],
            }},
        },
    })
}

fn rule(whose: Whose, index: usize, slot: DateTime<Utc>) -> Value {
    let schedule = format!("{} {} * * *", slot.minute(), slot.hour());
    let name = format!("web-{index}");
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name});
    let mut rule = json!({"name": "up", "schedule": schedule, "targetReplicas": 2});
    let api_version = match whose {
        Whose::Karmadas => {
            rule["timeZone"] = json!("UTC");
            "autoscaling.karmada.io/v1alpha1"
        }
        Whose::Ours => "autoscaling.fedscaler.io/v1alpha1",
    };
    json!({
        "apiVersion": api_version, "kind": kind(whose), "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "rules": [rule]},
    })
}

/// How long after the slot each Deployment was seen scaled, shortest first.
async fn written(client: &Client, namespace: &str, count: usize, slot: DateTime<Utc>) -> Vec<Duration> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let mut seen = BTreeMap::new();
    let all = async {
        while seen.len() < count {
            // A watch ends after a while; the next one begins with what is there, of which the scaled ones are known.
            let Ok(events) = deployments.watch(&WatchParams::default().timeout(290), "0").await else {
                continue;
            };
            let mut events = std::pin::pin!(events);
            while seen.len() < count
                && let Some(Ok(event)) = events.next().await
            {
                let (WatchEvent::Added(deployment) | WatchEvent::Modified(deployment)) = event else {
                    continue;
                };
                if deployment.spec.replicas == Some(2) {
                    let name = deployment.metadata.name.unwrap_or_default();
                    seen.entry(name)
                        .or_insert_with(|| (SystemClock.now() - slot).to_std().unwrap_or_default());
                }
            }
        }
    };
    let _all_or_what_there_is = timeout(PATIENCE, all).await;
    let mut spread: Vec<Duration> = seen.into_values().collect();
    spread.sort();
    spread
}
