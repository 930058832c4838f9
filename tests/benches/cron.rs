//! What many CronHPAs cost: when the rules of all of them are due in the same second, and when nothing is due.
//!
//! `cargo bench -p fedscaler-tests --bench cron [-- CRONHPAS [RULES [SECONDS]]]`: 10,000 CronHPAs of one rule and 30 s of
//! rest unless told otherwise; rules beyond the first of each are due at other times. Controllers run in a process of
//! their own over HTTP on this machine's loopback, with the clock and the heartbeat of production. After them a bare
//! client of the same concurrency sends the same requests to the same server. Lateness is from the slot to the moment at
//! which the server has taken the workload's new count. The goal is a median within a tenth of the bare client's.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, DurationRound as _, TimeDelta, Timelike as _, Utc};
use fedscaler_cmd::{
    sandbox::install,
    suite::{Suite, build},
};
use fedscaler_core::schedule::{Pattern, Schedule, Zone};
use fedscaler_crds::CronHpa;
use fedscaler_runtime::{
    client,
    clock::{Clock as _, SystemClock},
    heartbeat::CronHeartbeat,
    leadership,
    metrics::Metrics,
    readiness::Readiness,
    shutdown,
};
use fedscaler_sandbox::{
    apiserver::{ApiServer, Changes, kinds::DEPLOYMENTS},
    clock::TokioClock,
    karmada::Lags,
    world::{World, WorldSpec},
};
use fedscaler_tests::{
    loopback::Loopback,
    measure::{Stopwatch, Usage, machine, millis, print_table, quantile},
    numbers::number,
    stage::CRON_HPAS,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::{apps::v1::Deployment, events::v1::Event};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};

/// CronHPAs share namespaces as teams do.
const NAMESPACES: u64 = 100;

/// As many requests are under way at once in the controller, and so in the bare client.
const CONCURRENCY: usize = 32;

/// So long a process may take to be ready for its slot, for each 1,000 CronHPAs, and in any case.
const READY_WITHIN: Duration = Duration::from_secs(15);
const READY_AT_LEAST: Duration = Duration::from_secs(20);

/// However slow the machine, this is waited for.
const PATIENCE: Duration = Duration::from_mins(10);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["controllers", kubeconfig, slot, cron_hpas, seconds] => {
            run_controllers(kubeconfig, time(slot), number_of(cron_hpas), number_of(seconds));
        }
        ["bare", kubeconfig, start] => run_bare(kubeconfig, time(start)),
        rest => {
            let given = |at: usize, default: u64| rest.get(at).map_or(default, |text| number_of(text));
            serve(given(0, 10_000), given(1, 1), given(2, 30));
        }
    }
}

fn number_of(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// The side of the API server.
fn serve(cron_hpas: u64, rules: u64, seconds: u64) {
    println!("{}", machine());
    year_of_slots(cron_hpas * rules);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = server().await;
        let ready = READY_AT_LEAST + READY_WITHIN * u32::try_from(cron_hpas.div_ceil(1000)).expect("few");
        let slot = whole_minute_in(ready + Duration::from_secs(seconds));
        let watch = Stopwatch::start();
        populate(&server, cron_hpas, rules, slot);
        println!(
            "{cron_hpas} CronHPAs of {rules} rules made in {:.0} s; due at {slot}; the server has {:.0} MiB\n",
            watch.elapsed().as_secs_f64(),
            Usage::now().resident_mib
        );
        let loopback = Loopback::serve(&server).await.expect("a free port");
        let figures = [cron_hpas.to_string(), seconds.to_string()];
        let ours = late(&server, &loopback, "controllers", slot, &figures, cron_hpas).await;
        let start = whole_minute_in(ready);
        let bare = late(&server, &loopback, "bare", start, &[], cron_hpas).await;
        let row = |who: &str, Late { counts, statuses }: &Late| {
            let at = |samples: &[Duration], percent| millis(quantile(samples, percent));
            let counts = [50, 99, 100].map(|percent| at(counts, percent));
            [vec![who.to_owned()], counts.into(), vec![at(statuses, 50), at(statuses, 100)]].concat()
        };
        println!("\nmilliseconds from the slot to what the server has taken\n");
        print_table(
            &["who", "count p50", "p99", "most", "status p50", "most"],
            &[row("the controllers", &ours), row("a bare client", &bare)],
        );
    });
}

/// The next whole minute that is at least this far off.
fn whole_minute_in(time: Duration) -> DateTime<Utc> {
    let minute = TimeDelta::minutes(1);
    let then = SystemClock.now() + TimeDelta::from_std(time).expect("not long") + minute;
    then.duration_trunc(minute).expect("a minute")
}

/// A server with Karmada's kinds and ours, and nobody at work in it.
async fn server() -> ApiServer {
    let clock = Arc::new(TokioClock::starting_at(SystemClock.now()));
    let spec = WorldSpec { seed: 7, clock, members: Vec::new(), demands: Vec::new(), lags: Lags::default() };
    let world = World::start(spec).expect("the world starts");
    let client = Client::new(world.control_plane().service(), "default");
    install::definitions(&client).await.expect("the definitions are accepted");
    let server = world.control_plane().clone();
    world.stop();
    server
}

fn populate(server: &ApiServer, cron_hpas: u64, rules: u64, slot: DateTime<Utc>) {
    let local = server.local("bench");
    for index in 0..cron_hpas {
        let (namespace, name) = (format!("team-{:02}", index % NAMESPACES), format!("web-{index:05}"));
        local.ensure_namespace(&namespace).expect("a namespace");
        let rule = |rule: u64| {
            // The others are hours away from the run.
            let hour = (u64::from(slot.hour()) + 2 + rule % 20) % 24;
            let hour = if rule == 0 { u64::from(slot.hour()) } else { hour };
            let schedule = format!("{} {hour} * * *", slot.minute());
            json!({"name": format!("r{rule}"), "schedule": schedule, "targetReplicas": 2 + rule})
        };
        let deployment = json!({
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            }},
        });
        let cron_hpa = json!({
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "rules": (0..rules).map(rule).collect::<Vec<_>>(),
            },
        });
        local.create(&DEPLOYMENTS, deployment).expect("a Deployment");
        local.create(&CRON_HPAS, cron_hpa).expect("a CronHPA");
    }
}

/// From a slot to what was taken for it, shortest first.
#[derive(Default)]
struct Late {
    /// The counts of workloads.
    counts: Vec<Duration>,
    /// The statuses that tell of them.
    statuses: Vec<Duration>,
}

/// Runs this program in another part and says how late it was. The part ends when its standard input does.
async fn late(
    server: &ApiServer,
    loopback: &Loopback,
    part: &str,
    slot: DateTime<Utc>,
    figures: &[String],
    expected: u64,
) -> Late {
    let mut changes = server.local("bench").changes();
    let mut process = Command::new(env::current_exe().expect("this program"));
    let slot_text = slot.to_rfc3339();
    process.args([Path::new(part), loopback.kubeconfig(), Path::new(&slot_text)]).args(figures);
    let mut process = process.stdin(Stdio::piped()).spawn().expect("the process starts");
    let input = process.stdin.take();
    let expected = usize::try_from(expected).expect("few enough");
    let late = timeout(PATIENCE, arrivals(&mut changes, slot, expected)).await.expect("all come in the end");
    drop(input);
    let ended = tokio::task::spawn_blocking(move || process.wait()).await.expect("a thread");
    assert!(ended.expect("a process").success(), "{part} ended badly");
    late
}

async fn arrivals(changes: &mut Changes, slot: DateTime<Utc>, expected: usize) -> Late {
    let mut late = Late::default();
    while late.counts.len() < expected || late.statuses.len() < expected {
        let change = changes.next().await;
        let Some(previous) = &change.previous else { continue };
        let (samples, path) = if *change.kind == DEPLOYMENTS {
            (&mut late.counts, "/spec/replicas")
        } else if *change.kind == CRON_HPAS {
            (&mut late.statuses, "/status/rules/0/counts/applied")
        } else {
            continue;
        };
        if number(previous, path) != number(&change.object, path) {
            let after = (SystemClock.now() - slot).to_std();
            samples.push(after.expect("not before its time: was the process ready for its slot?"));
        }
    }
    late.counts.sort();
    late.statuses.sort();
    late
}

/// Waits until the other side has seen all that it waits for.
async fn all_arrived() {
    let input = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    input.await.expect("a thread").expect("an end");
}

/// The side of the controllers: as `fedscaler run` has them, but for the leader election.
fn run_controllers(kubeconfig: &str, slot: DateTime<Utc>, cron_hpas: u64, seconds: u64) {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (before, watch) = (Usage::now(), Stopwatch::start());
        let metrics = Metrics::new(build()).expect("metrics");
        let (stopper, stopping) = shutdown::channel();
        let suite = Suite {
            client: client::connect(Some(Path::new(kubeconfig)), None).await.expect("a client"),
            clock: Arc::new(SystemClock),
            heartbeat: Box::new(CronHeartbeat::start().await.expect("a heartbeat")),
            term: leadership::sole(),
            metrics: metrics.clone(),
            readiness: Readiness::default(),
            instance: "bench".to_owned(),
        };
        let running = tokio::spawn(suite.run(stopping));
        quiet(&metrics, |work| work.reconciles >= cron_hpas).await;
        let (cold, started) = (watch.elapsed(), Usage::now());
        sleep(Duration::from_secs(seconds)).await;
        let rested = Usage::now();
        assert!(SystemClock.now() < slot, "ready too late for the slot: the machine is slower than thought");
        sleep((slot - SystemClock.now()).to_std().unwrap_or_default()).await;
        let due = Usage::now();
        all_arrived().await;
        let done = Usage::now();
        stopper.stop();
        running.await.expect("no panic").expect("metrics are registered once");
        let spent = |from: Usage, to: Usage| to.processor.saturating_sub(from.processor).as_secs_f64();
        let at_rest = 100.0 * spent(started, rested) / Duration::from_secs(seconds).as_secs_f64();
        let row = |what: &str, figure: String| vec![what.to_owned(), figure];
        let rows = [
            row("cold start to quiet", format!("{:.1} s", cold.saturating_sub(QUIET).as_secs_f64())),
            row("  processor time", format!("{:.1} s", spent(before, started))),
            row("memory before", format!("{:.1} MiB", before.resident_mib)),
            row("memory at rest", format!("{:.1} MiB", rested.resident_mib)),
            row("processor at rest", format!("{at_rest:.2} % of one")),
            row("processor time for the slot", format!("{:.1} s", spent(due, done))),
            row("memory after it", format!("{:.1} MiB", done.resident_mib)),
        ];
        print_table(&["the controllers' process", "figure"], &rows);
    });
}

/// The controllers count as quiet when they have done nothing for so long.
const QUIET: Duration = Duration::from_secs(2);

/// Waits until that much is done and nothing has been done for a while.
async fn quiet(metrics: &Metrics, is_enough: impl Fn(Work) -> bool) {
    let (mut last, mut since) = (Work::default(), Stopwatch::start());
    loop {
        sleep(Duration::from_millis(100)).await;
        let work = Work::done(metrics);
        if work != last {
            (last, since) = (work, Stopwatch::start());
        }
        if work.waiting == 0 && is_enough(work) && since.elapsed() >= QUIET {
            return;
        }
    }
}

/// What the CronHPA controller has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Work {
    reconciles: u64,
    waiting: u64,
}

impl Work {
    fn done(metrics: &Metrics) -> Self {
        let text = metrics.render().expect("metrics");
        let sum = |series: &str, label: &str| {
            let lines = text.lines().filter(|line| line.starts_with(series) && line.contains(label));
            let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
            values.sum()
        };
        let of_ours = |series: &str| sum(series, "\"cronhpa\"");
        Self {
            reconciles: of_ours("controller_runtime_reconcile_total{"),
            waiting: of_ours("workqueue_depth{") + of_ours("controller_runtime_active_workers{"),
        }
    }
}

/// The side of a client that decides nothing: it knows what it will write.
fn run_bare(kubeconfig: &str, start: DateTime<Utc>) {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = client::connect(Some(Path::new(kubeconfig)), None).await.expect("a client");
        let all: Api<CronHpa> = Api::all(client.clone());
        let objects = all.list(&ListParams::default()).await.expect("the CronHPAs").items;
        assert!(
            SystemClock.now() < start,
            "ready too late for the start: the machine is slower than thought"
        );
        sleep((start - SystemClock.now()).to_std().unwrap_or_default()).await;
        let before = Usage::now();
        let writes = stream::iter(objects).map(|object| write_as_the_controllers(&client, object));
        writes.buffer_unordered(CONCURRENCY).try_collect::<Vec<()>>().await.expect("all is written");
        let done = Usage::now();
        all_arrived().await;
        println!(
            "\na bare client: {:.1} s of a processor, {:.1} MiB",
            done.processor.saturating_sub(before.processor).as_secs_f64(),
            done.resident_mib
        );
    });
}

/// Reads the scale, notes down what is about to be done, writes the scale, says what was done, and publishes an event.
async fn write_as_the_controllers(client: &Client, object: CronHpa) -> kube::Result<()> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let cron_hpas: Api<CronHpa> = Api::namespaced(client.clone(), &namespace);
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &namespace);
    let by = PatchParams::default();
    let scale = deployments.get_scale(&name).await?;
    let pending = json!({"rule": "r0", "slotTime": "2026-03-02T00:00:00Z", "replicas": 7});
    let noted = json!({
        "metadata": {"resourceVersion": object.resource_version()}, "status": {"pending": pending},
    });
    let noted = cron_hpas.patch_status(&name, &by, &Patch::Merge(noted)).await?;
    let count = json!({
        "metadata": {"resourceVersion": scale.metadata.resource_version}, "spec": {"replicas": 7},
    });
    deployments.patch_scale(&name, &by, &Patch::Merge(count)).await?;
    let mut rules = serde_json::to_value(&noted.status).expect("a status")["rules"].clone();
    rules[0]["counts"]["applied"] = json!(2);
    let told = json!({
        "metadata": {"resourceVersion": noted.resource_version()},
        "status": {"pending": Value::Null, "rules": rules, "nextSlotTime": "2026-03-03T00:00:00Z"},
    });
    cron_hpas.patch_status(&name, &by, &Patch::Merge(told)).await?;
    let event: Event = serde_json::from_value(json!({
        "metadata": {"name": format!("{name}.bare"), "namespace": namespace},
        "eventTime": "2026-03-02T00:00:00.000000Z", "type": "Normal", "reason": "Applied", "action": "Reconcile",
        "note": "rule r0: applied the slot of 2026-03-02T00:00:00Z", "reportingController": "fedscaler.io/cronhpa",
        "reportingInstance": "bench", "regarding": {
            "apiVersion": "autoscaling.fedscaler.io/v1alpha1", "kind": "CronHPA", "name": name, "namespace": namespace,
            "uid": object.uid(),
        },
    }))
    .expect("an event");
    Api::namespaced(client.clone(), &namespace).create(&PostParams::default(), &event).await?;
    Ok(())
}

/// How long the slots of a year take to compute, one after the other, each from the one before.
fn year_of_slots(rules: u64) {
    let zones: [Zone; 3] =
        ["Europe/Paris", "America/New_York", "Asia/Shanghai"].map(|zone| zone.parse().expect("a zone"));
    let after = time("2026-01-01T00:00:00Z");
    let until = time("2027-01-01T00:00:00Z");
    let watch = Stopwatch::start();
    let (mut slots, mut zone) = (0, zones.iter().cycle());
    for rule in 0..rules {
        let text =
            format!("{} {} * * {}", rule % 60, rule / 60 % 24, if rule % 2 == 0 { "*" } else { "1-5" });
        let schedule = Schedule::new(Pattern::parse(&text).expect("a rule"), *zone.next().expect("a zone"));
        slots += schedule.oldest(after, until, usize::MAX).times.len();
    }
    println!(
        "a year of {rules} rules: {slots} slots in {:.2} s of one processor",
        watch.elapsed().as_secs_f64()
    );
}
