//! The sandbox's member held against a real one: the same demand on a Deployment under an HPA, there with the real HPA
//! controller over KWOK's pods and metrics-server, here as the sandbox plays them.
//!
//! `FEDSCALER_RIG_FOR=measuring tests/rig/up`, then `cargo bench -p fedscaler-tests --bench curves`. It takes as long as the
//! demand lasts, 26 minutes, and writes `docs/member-model.csv` and `docs/member-model.svg`.

use std::{fs, process::ExitCode, sync::Arc, time::Duration};

use fedscaler_sandbox::{
    apiserver::{
        ApiServer,
        kinds::{DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS},
    },
    clock::{Clock, TokioClock},
    demand::{Interpolation, Trace},
    member::{
        Habits, Member, NodeSpec,
        traffic::{Demand, Traffic, Workload},
    },
};
use fedscaler_tests::{
    measure::{machine, print_table},
    numbers::number,
    rig::{MERGE, Rig, eventually, get, patch, place::PATIENCE},
    stage::START,
};
use kube::Client;
use plotters::prelude::{
    ChartBuilder, Color as _, IntoDrawingArea as _, LineSeries, PathElement, RGBColor, SVGBackend, WHITE,
};
use serde_json::{Value, json};
use tokio::{
    runtime::Builder,
    time::{MissedTickBehavior, interval, sleep},
};

const NAMESPACE: &str = "curves";

/// Replicas' worth of load, from second to second: a step, a ramp, a fall that the HPA holds back for five minutes, and a
/// step again.
const DEMAND: [(i64, f64); 10] = [
    (0, 4.0),
    (120, 4.0),
    (121, 12.0),
    (420, 12.0),
    (660, 24.0),
    (780, 24.0),
    (781, 6.0),
    (1380, 6.0),
    (1381, 10.0),
    (1560, 10.0),
];

/// Pods run so long before the HPA comes, so that all have been measured.
const WARM_UP: Duration = Duration::from_mins(1);

/// One replica's worth of load is what the HPA aims at: half of the tenth of a CPU that a pod asks for.
const UNIT_PERCENT: u32 = 50;
const CAP_PERCENT: u32 = 200;
const REQUEST_MILLI: i64 = 100;

/// KWOK's pods are ready within a second of being scheduled.
const POD_START: Duration = Duration::from_secs(1);

/// What was there in a second.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// `spec.replicas` of the Deployment.
    replicas: i64,
    /// Its ready pods.
    ready: i64,
}

fn main() -> ExitCode {
    let trace = Trace::new(DEMAND, Interpolation::Linear).expect("a trace");
    let real = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let Some(rig) = real.block_on(Rig::running()).filter(|rig| rig.purpose() == "measuring") else {
        eprintln!("this needs the rig with the usual times: FEDSCALER_RIG_FOR=measuring tests/rig/up");
        return ExitCode::from(2);
    };
    println!("{}", machine());
    let paused = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let modelled = paused.block_on(modelled(&trace));
    let measured = real.block_on(measured(&rig, &trace));
    tell(&trace, &measured, &modelled);
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    fs::write(format!("{docs}/member-model.csv"), csv(&trace, &measured, &modelled)).expect("a file");
    draw(&format!("{docs}/member-model.svg"), &trace, &measured, &modelled).expect("a picture");
    ExitCode::SUCCESS
}

fn deployment() -> Value {
    let requests = json!({"cpu": format!("{REQUEST_MILLI}m"), "memory": "64Mi"});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {
            "replicas": 4, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "web", "image": "registry.example/web:1", "resources": {"requests": requests}}],
            }},
        },
    })
}

fn autoscaler() -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": UNIT_PERCENT});
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2, "maxReplicas": 40,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    })
}

/// As the sandbox plays it, in virtual time.
async fn modelled(trace: &Trace) -> Vec<Moment> {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(START.parse().expect("a time")));
    let api = ApiServer::new("member1", Arc::clone(&clock));
    let traffic = Traffic::default();
    let habits = Habits { start: POD_START, ..Habits::default() };
    let nodes: Vec<NodeSpec> =
        (1..=3).map(|node| NodeSpec::new(&format!("node{node}"), 16_000, 65_536)).collect();
    let _member = Member::start(api.clone(), Arc::clone(&clock), habits, &traffic, (&nodes, &[]))
        .expect("the member starts");
    let workload = Workload::new(NAMESPACE, "web");
    let demand = |trace: Trace| Demand {
        unit_percent: UNIT_PERCENT,
        cap_percent: CAP_PERCENT,
        ..Demand::new(workload.clone(), trace)
    };
    let user = api.local("user");
    user.ensure_namespace(NAMESPACE).expect("a namespace");
    traffic.set_demand(demand(Trace::constant(trace.at(Duration::ZERO))), clock.now());
    user.create(&DEPLOYMENTS, deployment()).expect("a Deployment");
    sleep(WARM_UP).await;
    traffic.set_demand(demand(trace.clone()), clock.now());
    user.create(&HORIZONTAL_POD_AUTOSCALERS, autoscaler()).expect("an HPA");
    let mut moments = Vec::new();
    for _ in 0..=trace.length().as_secs() {
        let now = user.get(&DEPLOYMENTS, NAMESPACE, "web").expect("the Deployment");
        moments.push(moment(&now));
        sleep(Duration::from_secs(1)).await;
    }
    moments
}

/// As it really is. Whatever divides the load over the pods is played here, each second.
async fn measured(rig: &Rig, trace: &Trace) -> Vec<Moment> {
    let client = &rig.members["member1"];
    let apply = async |object: Value| {
        rig.kubectl("member1", &["apply", "-f", "-"], &object.to_string()).await.expect("it is accepted");
    };
    apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})).await;
    apply(usage(UNIT_PERCENT.into())).await;
    apply(deployment()).await;
    eventually("the pods are ready", PATIENCE, async || {
        let now = get(client, WEB).await.ok_or("no Deployment")?;
        if moment(&now).ready == 4 { Ok(()) } else { Err(now["status"].to_string()) }
    })
    .await;
    sleep(WARM_UP).await;
    apply(autoscaler()).await;
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut moments, mut told) = (Vec::new(), None);
    for second in 0..=trace.length().as_secs() {
        ticks.tick().await;
        let now = moment(&get(client, WEB).await.expect("the Deployment"));
        let used = per_pod(trace.at(Duration::from_secs(second)), now.ready);
        if told.replace(used) != Some(used) {
            use_up(client, used).await;
        }
        moments.push(now);
    }
    let done = ["delete", "clusterresourceusage,namespace", NAMESPACE, "--wait=false"];
    rig.kubectl("member1", &done, "").await.expect("it goes");
    moments
}

const WEB: &str = "/apis/apps/v1/namespaces/curves/deployments/web";
const USAGE: &str = "/apis/kwok.x-k8s.io/v1alpha1/clusterresourceusages/curves";

/// What each pod uses, in percent of what it asks for.
fn per_pod(demand_milli: i64, ready: i64) -> i64 {
    let percent = demand_milli * i64::from(UNIT_PERCENT) / (1000 * ready.max(1));
    percent.min(CAP_PERCENT.into())
}

fn usage(percent: i64) -> Value {
    json!({
        "apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterResourceUsage", "metadata": {"name": NAMESPACE},
        "spec": usage_spec(percent),
    })
}

fn usage_spec(percent: i64) -> Value {
    let cpu = format!("{}m", percent * REQUEST_MILLI / 100);
    json!({
        "selector": {"matchNamespaces": [NAMESPACE]},
        "usages": [{"usage": {"cpu": {"value": cpu}, "memory": {"value": "1Mi"}}}],
    })
}

async fn use_up(client: &Client, percent: i64) {
    let usage = json!({"spec": usage_spec(percent)});
    patch(client, USAGE, MERGE, &usage).await.expect("usage is accepted");
}

fn moment(deployment: &Value) -> Moment {
    let count = |path| i64::try_from(number(deployment, path)).unwrap_or_default();
    Moment { replicas: count("/spec/replicas"), ready: count("/status/readyReplicas") }
}

/// Prints both side by side, and how far they are apart.
fn tell(trace: &Trace, measured: &[Moment], modelled: &[Moment]) {
    let rows: Vec<Vec<String>> = rows(trace, measured, modelled, 60)
        .map(|(second, demand, real, model)| {
            vec![format!("{second}"), demand, real.to_string(), model.to_string()]
        })
        .collect();
    print_table(&["second", "demand", "real", "sandbox"], &rows);
    let differences: Vec<i64> =
        measured.iter().zip(modelled).map(|(real, model)| (real.replicas - model.replicas).abs()).collect();
    let count = differences.len().max(1);
    let within_one = differences.iter().filter(|difference| **difference <= 1).count();
    let minutes = |moments: &[Moment]| moments.iter().map(|moment| moment.ready).sum::<i64>() / 60;
    println!(
        "\nmean difference {} thousandths of a replica",
        differences.iter().sum::<i64>() * 1000 / index(count)
    );
    println!("largest difference {} replicas", differences.iter().max().copied().unwrap_or_default());
    println!("within one replica {} % of the time", within_one * 100 / count);
    println!("replica-minutes: {} real, {} in the sandbox", minutes(measured), minutes(modelled));
}

fn index(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Second, demand, and the replicas of both, each `step` seconds.
fn rows<'a>(
    trace: &'a Trace,
    measured: &'a [Moment],
    modelled: &'a [Moment],
    step: usize,
) -> impl Iterator<Item = (usize, String, i64, i64)> + 'a {
    let both = measured.iter().zip(modelled).enumerate().step_by(step);
    both.map(|(second, (real, model))| {
        let milli = demand_at(trace, second);
        (second, format!("{}.{}", milli / 1000, milli % 1000 / 100), real.replicas, model.replicas)
    })
}

fn demand_at(trace: &Trace, second: usize) -> i64 {
    trace.at(Duration::from_secs(second.try_into().unwrap_or_default()))
}

fn csv(trace: &Trace, measured: &[Moment], modelled: &[Moment]) -> String {
    let rows = rows(trace, measured, modelled, 15);
    let lines = rows.map(|(second, demand, real, model)| format!("{second},{demand},{real},{model}\n"));
    "second,demand,real,sandbox\n".to_owned() + &lines.collect::<String>()
}

fn draw(
    path: &str,
    trace: &Trace,
    measured: &[Moment],
    modelled: &[Moment],
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(path, (960, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let end = index(measured.len());
    let mut chart = ChartBuilder::on(&area)
        .caption("Replicas of one member under the same demand", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(40)
        .build_cartesian_2d(0..end, 0..32_i64)?;
    chart.configure_mesh().x_desc("seconds").y_desc("replicas").light_line_style(WHITE).draw()?;
    let wanted = (0..measured.len()).map(|second| demand_at(trace, second) / 1000).collect();
    let curves: [(&str, RGBColor, Vec<i64>); 3] = [
        ("demand", RGBColor(150, 150, 150), wanted),
        ("real HPA controller", RGBColor(31, 119, 180), measured.iter().map(|it| it.replicas).collect()),
        ("sandbox", RGBColor(214, 39, 40), modelled.iter().map(|it| it.replicas).collect()),
    ];
    for (name, colour, values) in curves {
        let points = values.into_iter().enumerate().map(|(second, value)| (index(second), value));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE).border_style(RGBColor(200, 200, 200)).draw()?;
    area.present()?;
    Ok(())
}
