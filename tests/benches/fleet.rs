//! What many FedHPAs cost when nothing happens: a cold start of the controllers on settled objects, and a while of rest.
//!
//! `cargo bench -p fedscaler-tests --bench fleet [-- FEDHPAS [SECONDS]]`, 10,000 FedHPAs of five members and 60 s unless
//! told otherwise. One FedHPA is settled in a whole world; then the world is stopped and the objects are copied, so that
//! what the controllers find is what they would have left. They run in a process of their own, over HTTP on this
//! machine's loopback, and tell their own figures.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
    process::Command,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use fedscaler_cmd::suite::{Suite, build};
use fedscaler_karmada::names::{HPA_KIND, execution_namespace, work_name};
use fedscaler_runtime::{
    client, clock::TokioClock, heartbeat::IntervalHeartbeat, leadership, metrics::Metrics,
    readiness::Readiness, shutdown,
};
use fedscaler_sandbox::{
    apiserver::{
        ApiServer, Local,
        kinds::{DEPLOYMENTS, Kind},
    },
    demand::Trace,
    karmada::kinds::{CLUSTERS, RESOURCE_BINDINGS, WORKS},
    member::NodeSpec,
    world::MemberSpec,
};
use fedscaler_tests::{
    loopback::Loopback,
    measure::{Stopwatch, Usage, machine, print_table},
    stage::{FED_HPAS, Stage},
};
use serde_json::{Map, Value, json};
use tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};

const MEMBERS: usize = 5;

/// FedHPAs share namespaces as teams do.
const NAMESPACES: usize = 100;

/// The controllers count as quiet when they have done nothing for so long.
const QUIET: Duration = Duration::from_secs(2);

/// However slow the machine, this is waited for.
const PATIENCE: Duration = Duration::from_mins(20);

const FED_HPA: &str = "
apiVersion: autoscaling.fedscaler.io/v1alpha1
kind: FedHPA
metadata: {name: web, namespace: default}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 10, maxReplicas: 100}
";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["controllers", kubeconfig, now, fed_hpas, seconds] => {
            run_controllers(kubeconfig, now, number(fed_hpas), number(seconds));
        }
        [] => serve(10_000, 60),
        [fed_hpas] => serve(number(fed_hpas), 60),
        [fed_hpas, seconds, ..] => serve(number(fed_hpas), number(seconds)),
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// The side of the API server.
fn serve(fed_hpas: u64, seconds: u64) {
    println!("{}", machine());
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let (server, now) = settled_world().await;
        tokio::time::resume();
        let watch = Stopwatch::start();
        populate(&server, fed_hpas);
        println!(
            "{fed_hpas} FedHPAs of {MEMBERS} members made in {:.0} s; the API server's process has {:.0} MiB",
            watch.elapsed().as_secs_f64(),
            Usage::now().resident_mib
        );
        let mut changes = server.local("bench").changes();
        let loopback = Loopback::serve(&server).await.expect("a free port");
        let mut controllers = Command::new(env::current_exe().expect("this program"));
        let now = now.to_rfc3339();
        controllers.args([Path::new("controllers"), loopback.kubeconfig(), Path::new(&now)]);
        controllers.args([fed_hpas.to_string(), seconds.to_string()]);
        let ended = tokio::task::spawn_blocking(move || controllers.status()).await.expect("a thread");
        assert!(ended.expect("the controllers start").success(), "the controllers ended badly");
        let mut writes = BTreeMap::<String, usize>::new();
        while let Some(change) = changes.ready() {
            *writes.entry(change.kind.plural.to_string()).or_default() += 1;
        }
        println!("objects written: {} {writes:?}", writes.values().sum::<usize>());
    });
}

/// A server with one settled FedHPA and nobody at work any more, and the time there.
async fn settled_world() -> (ApiServer, DateTime<Utc>) {
    let member = |index: usize| {
        let nodes = (0..4).map(|node| NodeSpec::new(&format!("node-{node}"), 16_000, 64 * 1024)).collect();
        MemberSpec::new(&format!("member-{index}"), nodes)
    };
    let mut stage = Stage::of((0..MEMBERS).map(member).collect(), Trace::constant(25_000)).await;
    stage.start_controllers();
    stage.apply(FED_HPA).await;
    stage.run(45 * 60).await;
    assert!(stage.numbers().agree(), "{:?}", stage.numbers());
    stage.kill_controllers().await;
    let (server, now) = (stage.world.control_plane().clone(), stage.clock.now());
    let Stage { world, .. } = stage;
    world.stop();
    (server, now)
}

/// Copies the settled objects until there are so many FedHPAs, the first one included.
fn populate(server: &ApiServer, fed_hpas: u64) {
    let local = server.local("bench");
    let original = Original::read(&local);
    for index in 1..usize::try_from(fed_hpas).expect("few enough") {
        original.copy(&local, index);
    }
}

/// One workload's objects, as the controllers left them.
struct Original {
    template: Arc<Value>,
    binding: Arc<Value>,
    fed_hpa: Arc<Value>,
    works: Vec<Arc<Value>>,
}

impl Original {
    fn read(local: &Local) -> Self {
        let of = |kind: &Kind, name: &str| local.get(kind, "default", name).expect("a settled object");
        let is_ours = |work: &Arc<Value>| text(work, "/spec/workload/manifests/0/metadata/name") == "web";
        let works = local.list(&CLUSTERS, None).into_iter().flat_map(|cluster| {
            local.list(&WORKS, Some(&execution_namespace(text(&cluster, "/metadata/name"))))
        });
        let works: Vec<_> = works.filter(is_ours).collect();
        assert_eq!(works.len(), 2 * MEMBERS, "each member has a workload and an HPA");
        Self {
            template: of(&DEPLOYMENTS, "web"),
            binding: of(&RESOURCE_BINDINGS, "web-deployment"),
            fed_hpa: of(&FED_HPAS, "web"),
            works,
        }
    }

    fn copy(&self, local: &Local, index: usize) {
        let (namespace, name) = (format!("team-{:02}", index % NAMESPACES), format!("web-{index:05}"));
        local.ensure_namespace(&namespace).expect("a namespace");
        let binding_name = format!("{name}-deployment");
        let mut words: BTreeMap<String, String> = [
            ("web", name.as_str()),
            ("default", &namespace),
            ("default/web", &format!("{namespace}/{name}")),
            ("web-deployment", &binding_name),
        ]
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .into();
        for kind in ["Deployment", HPA_KIND] {
            words.insert(work_name(kind, "web", "default"), work_name(kind, &name, &namespace));
        }
        // What others point to is made before them.
        let template = put(local, &DEPLOYMENTS, &self.template, &words);
        identify(&mut words, &self.template, &template);
        let fed_hpa = put(local, &FED_HPAS, &self.fed_hpa, &words);
        identify(&mut words, &self.fed_hpa, &fed_hpa);
        put(local, &RESOURCE_BINDINGS, &self.binding, &words);
        for work in &self.works {
            put(local, &WORKS, work, &words);
        }
    }
}

fn identify(words: &mut BTreeMap<String, String>, from: &Value, to: &Value) {
    for path in ["/metadata/uid", "/metadata/resourceVersion"] {
        words.insert(text(from, path).to_owned(), text(to, path).to_owned());
    }
}

fn put(local: &Local, kind: &Kind, object: &Value, words: &BTreeMap<String, String>) -> Arc<Value> {
    let mut copy = renamed(object, words);
    let metadata = copy["metadata"].as_object_mut().expect("metadata");
    let decided =
        BTreeSet::from(["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"]);
    metadata.retain(|field, _| !decided.contains(field.as_str()));
    local.create(kind, copy).expect("a copy")
}

/// The same with other words; a copy is of the first generation.
fn renamed(value: &Value, words: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => Value::String(words.get(text).unwrap_or(text).clone()),
        Value::Array(items) => items.iter().map(|item| renamed(item, words)).collect(),
        Value::Object(fields) => {
            let renamed = fields.iter().map(|(name, value)| match name.as_str() {
                "observedGeneration" => (name.clone(), json!(1)),
                _ => (name.clone(), renamed(value, words)),
            });
            Value::Object(renamed.collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// The side of the controllers: as `fedscaler run` has them, but for the clock, which goes on from the world's time.
fn run_controllers(kubeconfig: &str, now: &str, fed_hpas: u64, seconds: u64) {
    let now: DateTime<Utc> = now.parse().expect("a time");
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let before = Usage::now();
        let watch = Stopwatch::start();
        let metrics = Metrics::new(build()).expect("metrics");
        let (stopper, stopping) = shutdown::channel();
        let suite = Suite {
            client: client::connect(Some(Path::new(kubeconfig)), None).await.expect("a client"),
            clock: Arc::new(TokioClock::starting_at(now)),
            heartbeat: Box::new(IntervalHeartbeat::every(Duration::from_secs(1))),
            term: leadership::sole(),
            metrics: metrics.clone(),
            readiness: Readiness::default(),
            instance: "bench".to_owned(),
        };
        let running = tokio::spawn(suite.run(stopping));
        let start = timeout(PATIENCE, quiet(&metrics, fed_hpas, watch)).await.expect("quiet in the end");
        let (started, reconciles) = (Usage::now(), start.reconciles);
        sleep(Duration::from_secs(seconds)).await;
        let (rested, later) = (Usage::now(), Work::done(&metrics));
        stopper.stop();
        running.await.expect("no panic").expect("metrics are registered once");
        report(&Figures { fed_hpas, seconds, before, start, started, rested, later, reconciles });
    });
}

struct Figures {
    fed_hpas: u64,
    seconds: u64,
    before: Usage,
    start: Start,
    started: Usage,
    rested: Usage,
    later: Work,
    reconciles: u64,
}

fn report(figures: &Figures) {
    let Figures { before, start, started, rested, .. } = figures;
    let thousands = f64::from(u32::try_from(figures.fed_hpas).expect("few enough")) / 1000.0;
    let resting = rested.processor.saturating_sub(started.processor).as_secs_f64();
    let seconds = Duration::from_secs(figures.seconds).as_secs_f64();
    let row = |what: &str, figure: String| vec![what.to_owned(), figure];
    let rows = [
        row("cold start to quiet", format!("{:.1} s", start.took.as_secs_f64())),
        row("  reconciles until then", figures.reconciles.to_string()),
        row(
            "  processor time until then",
            format!("{:.1} s", started.processor.saturating_sub(before.processor).as_secs_f64()),
        ),
        row("memory before", format!("{:.1} MiB", before.resident_mib)),
        row("memory when quiet", format!("{:.1} MiB", started.resident_mib)),
        row(
            "  per 1,000 FedHPAs",
            format!("{:.1} MiB", (started.resident_mib - before.resident_mib) / thousands),
        ),
        row("memory after the rest", format!("{:.1} MiB", rested.resident_mib)),
        row("processor at rest", format!("{:.2} % of one", 100.0 * resting / seconds)),
        row("  reconciles in that time", (figures.later.reconciles - figures.reconciles).to_string()),
    ];
    print_table(&["the controllers' process", "figure"], &rows);
}

struct Start {
    took: Duration,
    reconciles: u64,
}

/// Waits until every FedHPA was reconciled and nothing has been done for a while.
async fn quiet(metrics: &Metrics, fed_hpas: u64, watch: Stopwatch) -> Start {
    let (mut last, mut since) = (Work::default(), watch.elapsed());
    loop {
        sleep(Duration::from_millis(200)).await;
        let work = Work::done(metrics);
        if work != last {
            (last, since) = (work, watch.elapsed());
        }
        let is_idle = work.waiting == 0 && work.reconciles >= fed_hpas;
        if is_idle && watch.elapsed().saturating_sub(since) >= QUIET {
            return Start { took: since, reconciles: work.reconciles };
        }
    }
}

/// What the FedHPA controller has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Work {
    reconciles: u64,
    waiting: u64,
}

impl Work {
    fn done(metrics: &Metrics) -> Self {
        let text = metrics.render().expect("metrics");
        let sum = |series: &str| {
            let of_ours = |line: &&str| line.starts_with(series) && line.contains("\"fedhpa\"");
            let values = text.lines().filter(of_ours).filter_map(|line| line.rsplit(' ').next());
            values.filter_map(|value| value.parse::<u64>().ok()).sum()
        };
        let waiting = sum("workqueue_depth{") + sum("controller_runtime_active_workers{");
        Self { reconciles: sum("controller_runtime_reconcile_total{"), waiting }
    }
}
