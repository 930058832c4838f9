//! The same steps of demand on a Deployment under a FedHPA and on one under a `FederatedHPA`, side by side: how long until
//! the control plane has the number that the demand needs, and for how long it says what does not run.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fedscaler_tests::{
    measure::{Stopwatch, print_table, quantile},
    numbers::{Numbers, number},
    rig::{
        MERGE, Rig, patch,
        place::{Place, Workload},
    },
};
use serde_json::json;
use tokio::{sync::watch, time::sleep};

use crate::Whose;

/// Replicas' worth of load, one step after the other.
const STEPS: [u64; 8] = [12, 6, 14, 7, 12, 6, 14, 7];
const START: u64 = 6;

/// A step is given up after this.
const PATIENCE: Duration = Duration::from_mins(4);

/// What is right must stay right for so long.
const STAYS: Duration = Duration::from_secs(20);

const LOOKS_EVERY: Duration = Duration::from_millis(250);

/// One step of one of them.
struct Step {
    /// From the demand until the control plane was right and stayed so.
    right: Option<Duration>,
    /// The time in which template or binding said what did not run.
    untrue: Duration,
}

pub(crate) async fn compare(rig: &Rig) {
    let runs = Whose::BOTH.map(|whose| play(rig.clone(), whose));
    let seen = futures::future::join_all(runs).await;
    println!(
        "\ndemand that changes: seconds until the control plane has the right number, and in which it says another"
    );
    let rows: Vec<Vec<String>> =
        Whose::BOTH.into_iter().zip(seen).map(|(whose, it)| row(whose, &it)).collect();
    let heads = ["what", "steps", "right p50", "most", "never", "untrue p50", "most", "divisions"];
    print_table(&heads, &rows);
}

/// What was seen of one of them.
struct Seen {
    steps: Vec<Step>,
    divisions: usize,
}

fn row(whose: Whose, seen: &Seen) -> Vec<String> {
    let kind = match whose {
        Whose::Karmadas => "FederatedHPA",
        Whose::Ours => "FedHPA",
    };
    let sorted = |of: &dyn Fn(&Step) -> Option<Duration>| {
        let mut all: Vec<Duration> = seen.steps.iter().filter_map(of).collect();
        all.sort();
        all
    };
    let (right, untrue) = (sorted(&|step| step.right), sorted(&|step| Some(step.untrue)));
    let at = |samples: &[Duration], percent| format!("{:.1}", quantile(samples, percent).as_secs_f64());
    vec![
        kind.to_owned(),
        seen.steps.len().to_string(),
        at(&right, 50),
        at(&right, 100),
        (seen.steps.len() - right.len()).to_string(),
        at(&untrue, 50),
        at(&untrue, 100),
        seen.divisions.to_string(),
    ]
}

async fn play(rig: Rig, whose: Whose) -> Seen {
    let place = Arc::new(Place::with(&rig, &format!("load-{}", whose.name()), Workload::Deployment, 6).await);
    let (demand, wanted) = watch::channel(START);
    let users = tokio::spawn(use_pods(Arc::clone(&place), wanted));
    // Metrics of all pods have to be there before somebody scales by them.
    sleep(Duration::from_mins(1)).await;
    place.apply(&autoscaler(whose)).await;
    sleep(Duration::from_mins(1)).await;
    let divisions = place.divisions();
    let mut steps = Vec::new();
    for (index, step) in (0_u64..).zip(STEPS) {
        // A step at another time of everybody's periods.
        sleep(Duration::from_secs(20 + index * 4 % 15)).await;
        demand.send_replace(step);
        steps.push(follow(&place, step).await);
    }
    users.abort();
    let divisions = place.divisions() - divisions;
    place.kubectl(&["delete", "-f", "-", "--ignore-not-found"], &autoscaler(whose)).await;
    let place = Arc::into_inner(place);
    if let Some(place) = place {
        place.leave().await;
    }
    Seen { steps, divisions }
}

/// Everything that is not needed to compare them is what they do by themselves.
fn autoscaler(whose: Whose) -> String {
    let (api_version, kind) = match whose {
        Whose::Karmadas => ("autoscaling.karmada.io/v1alpha1", "FederatedHPA"),
        Whose::Ours => ("autoscaling.fedscaler.io/v1alpha1", "FedHPA"),
    };
    let target = json!({"type": "Utilization", "averageUtilization": 50});
    json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2, "maxReplicas": 40,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        },
    })
    .to_string()
}

/// Divides the demand over all ready pods, each second.
async fn use_pods(place: Arc<Place>, demand: watch::Receiver<u64>) {
    let path = format!("/apis/kwok.x-k8s.io/v1alpha1/clusterresourceusages/{}", place.namespace);
    let mut told = BTreeMap::new();
    loop {
        let workloads = place.workloads().await;
        let ready: u64 = workloads.values().map(|it| number(it, "/status/readyReplicas")).sum();
        // A unit is half of the tenth of a CPU that a pod asks for; a pod carries four.
        let milli = (*demand.borrow() * 50 / ready.max(1)).min(200);
        let usage = json!({"spec": {
            "selector": {"matchNamespaces": [place.namespace]},
            "usages": [{"usage": {"cpu": {"value": format!("{milli}m")}, "memory": {"value": "1Mi"}}}],
        }});
        for (member, client) in &place.rig.members {
            if told.get(member) != Some(&milli) && patch(client, &path, MERGE, &usage).await.is_some() {
                told.insert(member.clone(), milli);
            }
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// Looks until the number has been right for a while.
async fn follow(place: &Place, demand: u64) -> Step {
    let watch = Stopwatch::start();
    let (mut right, mut untrue, mut looked) = (None, Duration::ZERO, Duration::ZERO);
    while watch.elapsed() < PATIENCE {
        if let Some(now) = place.numbers().await {
            let time = watch.elapsed();
            if !now.agree() {
                untrue += time.saturating_sub(looked);
            }
            looked = time;
            if !is_right(&now, demand) {
                right = None;
            } else if time.saturating_sub(*right.get_or_insert(time)) >= STAYS {
                break;
            }
        }
        sleep(LOOKS_EVERY).await;
    }
    Step { right, untrue }
}

/// All say the same, and it is what an HPA leaves alone: within a tenth of what the demand needs, and one for rounding.
fn is_right(numbers: &Numbers, demand: u64) -> bool {
    numbers.agree() && numbers.template.abs_diff(demand) <= demand / 10 + 1
}
