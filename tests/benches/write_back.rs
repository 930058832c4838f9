//! How long it takes from a member's HPA wanting another number to the control plane having it, over HTTP on this
//! machine's loopback and in real time.
//!
//! `cargo bench -p fedscaler-tests --bench write_back [-- SECONDS]`. The goal is a p99 under 100 milliseconds beyond the
//! coalescing interval. What Karmada's controllers take is a model's lag here and is told apart from what ours take.

use std::{collections::BTreeMap, env, sync::Arc, time::Duration};

use fedscaler_cmd::{
    sandbox::{install, scenario},
    suite::{Suite, build},
};
use fedscaler_runtime::{
    client, clock::TokioClock as ControllersClock, heartbeat::IntervalHeartbeat, leadership,
    metrics::Metrics, readiness::Readiness, shutdown,
};
use fedscaler_sandbox::{
    apiserver::{
        Change, Changes, Local,
        kinds::{DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS},
    },
    clock::{Clock, TokioClock},
    demand::Trace,
    karmada::{
        Lags,
        kinds::{RESOURCE_BINDINGS, WORKS},
    },
    member::traffic::{Demand, Workload},
    world::{World, WorldSpec},
};
use fedscaler_tests::{
    loopback::Loopback,
    measure::{Stopwatch, Usage, machine, millis, print_table, quantile},
    stage::{FED_HPAS, START},
};
use kube::Client;
use serde_json::{Value, json};
use tokio::{runtime::Builder, task::JoinHandle, time::sleep};

/// FedHPAs that live side by side.
const OBJECTS: usize = 20;

/// The coalescing interval, the shortest there is; each FedHPA is disturbed a little less often.
const INTERVAL_SECONDS: u64 = 1;
const DISTURBED_EVERY: Duration = Duration::from_millis(2900);

/// So long after the start of a round the next one need not wait: the interval, and what times in objects, which are
/// whole seconds, may be off.
const COALESCED_WITHIN: Duration = Duration::from_secs(INTERVAL_SECONDS + 1);

fn main() {
    println!("{}", machine());
    let seconds = env::args().find_map(|argument| argument.parse().ok()).unwrap_or(60);
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let before = Usage::now();
    let rounds = runtime.block_on(play(Duration::from_secs(seconds)));
    println!("{} rounds of {OBJECTS} FedHPAs in {seconds} s, milliseconds", rounds.len());
    let processor = Usage::now().processor.saturating_sub(before.processor).as_secs_f64();
    println!("server, model and controllers took {processor:.1} s of one processor, settling included\n");
    let part = |what: &str, of: fn(&Round) -> Duration| {
        let mut samples: Vec<Duration> = rounds.iter().map(of).collect();
        samples.sort();
        let at = |percent| millis(quantile(&samples, percent));
        vec![what.to_owned(), at(50), at(99), at(100)]
    };
    let rows = [
        part("the model's: member's status to its Work's", |round| round.reflected),
        part("ours: Work's status to the binding written", |round| round.binding),
        part("ours: binding to the template's scale written", |round| round.scale),
        part("the model's: template to the binding caught up", |round| round.caught_up),
        part("ours: caught up to acknowledged in the status", |round| round.acknowledged),
        part("ours in sum", |round| round.binding + round.scale + round.acknowledged),
        part("all", |round| {
            round.reflected + round.binding + round.scale + round.caught_up + round.acknowledged
        }),
    ];
    print_table(&["part", "p50", "p99", "most"], &rows);
}

/// One round's parts, one after the other.
#[derive(Debug, Default)]
struct Round {
    reflected: Duration,
    binding: Duration,
    scale: Duration,
    caught_up: Duration,
    acknowledged: Duration,
}

/// Settles in virtual time with nothing in between, then goes on in real time over HTTP.
async fn play(length: Duration) -> Vec<Round> {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(START.parse().expect("a time")));
    let demand = |index| Demand::new(Workload::new("default", &name(index)), Trace::constant(6000));
    let world = World::start(WorldSpec {
        seed: 7,
        clock: Arc::clone(&clock),
        members: scenario::members(),
        demands: (0..OBJECTS).map(demand).collect(),
        lags: Lags::default(),
    });
    let world = world.expect("the world starts");
    let user = Client::new(world.control_plane().service(), "default");
    furnish(&user).await;
    let settling = controllers(&user, &clock);
    sleep(Duration::from_mins(20)).await;
    settling.abort();
    tokio::time::resume();
    let loopback = Loopback::serve(world.control_plane()).await.expect("a free port");
    let client = client::connect(Some(loopback.kubeconfig()), None).await.expect("a client");
    let running = controllers(&client, &clock);
    sleep(Duration::from_secs(5)).await;
    let mut observer = Observer::new(world.control_plane().local("bench").changes());
    disturb(&world, &mut observer, length).await;
    running.abort();
    observer.rounds
}

fn name(index: usize) -> String {
    format!("web-{index:02}")
}

async fn furnish(user: &Client) {
    install::definitions(user).await.expect("the definitions are accepted");
    let policy = "{apiVersion: policy.karmada.io/v1alpha1, kind: PropagationPolicy, metadata: {name: all},
        spec: {resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}], placement: {replicaScheduling: {
        replicaSchedulingType: Divided, replicaDivisionPreference: Weighted,
        weightPreference: {dynamicWeight: AvailableReplicas}}}}}";
    install::apply(user, policy).await.expect("the policy is accepted");
    for index in 0..OBJECTS {
        let name = name(index);
        let manifests = format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{replicas: 6,
            selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}},
            spec: {{containers: [{{name: web, image: 'registry.example/web:1.0',
            resources: {{requests: {{cpu: 100m, memory: 64Mi}}}}}}]}}}}}}}}\n---\n\
            {{apiVersion: autoscaling.fedscaler.io/v1alpha1, kind: FedHPA, metadata: {{name: {name}}},
            spec: {{scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}},
            minReplicas: 3, maxReplicas: 30, writeBack: {{intervalSeconds: {INTERVAL_SECONDS}}}}}}}"
        );
        install::apply(user, &manifests).await.expect("the manifests are accepted");
    }
    // Deployments before their binding, and members that have pods to scale.
    sleep(Duration::from_mins(2)).await;
}

fn controllers(client: &Client, clock: &Arc<dyn Clock>) -> JoinHandle<()> {
    let (stopper, stopping) = shutdown::channel();
    // They are killed, never asked to stop.
    std::mem::forget(stopper);
    let suite = Suite {
        client: client.clone(),
        clock: Arc::new(ControllersClock::starting_at(clock.now())),
        heartbeat: Box::new(IntervalHeartbeat::every(Duration::from_secs(1))),
        term: leadership::sole(),
        metrics: Metrics::new(build()).expect("metrics"),
        readiness: Readiness::default(),
        instance: "bench".to_owned(),
    };
    tokio::spawn(async move { suite.run(stopping).await.expect("metrics are registered once") })
}

/// Lets one member's HPA after the other want one more, and then one fewer again.
async fn disturb(world: &World, observer: &mut Observer, length: Duration) {
    let members: Vec<Local> =
        world.members().filter_map(|name| Some(world.member(name)?.local("bench"))).collect();
    let watch = Stopwatch::start();
    let step = DISTURBED_EVERY / u32::try_from(OBJECTS).expect("few objects");
    for turn in 0.. {
        if watch.elapsed() >= length {
            return;
        }
        let (index, member) = (turn % OBJECTS, &members[turn / OBJECTS % members.len()]);
        if nudge(member, &name(index)) {
            observer.disturbed(&name(index));
        }
        observer.listen(step).await;
    }
}

/// Whether there was an HPA that may want something else.
fn nudge(member: &Local, name: &str) -> bool {
    let Some(hpa) = member.get(&HORIZONTAL_POD_AUTOSCALERS, "default", name) else { return false };
    let of = |path: &str| hpa.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let (least, most, wanted) =
        (of("/spec/minReplicas"), of("/spec/maxReplicas"), of("/status/desiredReplicas"));
    let other = if wanted > least { wanted - 1 } else { wanted + 1 };
    if other >= most {
        return false;
    }
    let mut object = Value::clone(&hpa);
    object["status"]["desiredReplicas"] = json!(other);
    member.update_status(&HORIZONTAL_POD_AUTOSCALERS, object).is_ok()
}

/// Follows rounds by what is written to the control plane.
struct Observer {
    changes: Changes,
    open: BTreeMap<String, Open>,
    /// Since when each FedHPA's last round goes.
    started: BTreeMap<String, Stopwatch>,
    rounds: Vec<Round>,
}

/// A round that is under way.
struct Open {
    /// Since the last part ended.
    watch: Stopwatch,
    parts: Round,
    /// The template's version that the binding has to catch up with.
    version: String,
    next: Part,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Reflected,
    Binding,
    Scale,
    CaughtUp,
    Acknowledged,
}

impl Observer {
    fn new(changes: Changes) -> Self {
        Self { changes, open: BTreeMap::new(), started: BTreeMap::new(), rounds: Vec::new() }
    }

    fn disturbed(&mut self, name: &str) {
        let (watch, parts) = (Stopwatch::start(), Round::default());
        let open = Open { watch, parts, version: String::new(), next: Part::Reflected };
        self.open.insert(name.to_owned(), open);
    }

    async fn listen(&mut self, length: Duration) {
        let end = sleep(length);
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                change = self.changes.next() => self.see(&change),
                () = &mut end => return,
            }
        }
    }

    fn see(&mut self, change: &Change) {
        let Some(name) = subject(change) else { return };
        let waits = self.started.get(&name).is_some_and(|start| start.elapsed() < COALESCED_WITHIN);
        if *change.kind == RESOURCE_BINDINGS && differs(change, "/spec/clusters") {
            self.started.insert(name.clone(), Stopwatch::start());
        }
        if waits && self.open.get(&name).is_some_and(|open| open.next == Part::Reflected) {
            // It is coalesced with the round before, which is not what is measured.
            self.open.remove(&name);
        }
        let Some(open) = self.open.get_mut(&name) else { return };
        let took = open.watch.elapsed();
        let (place, next) = match open.next {
            Part::Reflected if wants_another(change) => (&mut open.parts.reflected, Part::Binding),
            Part::Binding if differs(change, "/spec/clusters") => (&mut open.parts.binding, Part::Scale),
            Part::Scale if *change.kind == DEPLOYMENTS && differs(change, "/spec/replicas") => {
                text(&change.object, "/metadata/resourceVersion").clone_into(&mut open.version);
                (&mut open.parts.scale, Part::CaughtUp)
            }
            Part::CaughtUp if text(&change.object, "/spec/resource/resourceVersion") == open.version => {
                (&mut open.parts.caught_up, Part::Acknowledged)
            }
            Part::Acknowledged if acknowledges(change, &open.version) => {
                open.parts.acknowledged = took;
                self.rounds.extend(self.open.remove(&name).map(|open| open.parts));
                return;
            }
            Part::Reflected | Part::Binding | Part::Scale | Part::CaughtUp | Part::Acknowledged => return,
        };
        *place = took;
        open.next = next;
        open.watch = Stopwatch::start();
    }
}

/// The workload that an object of the control plane is about.
fn subject(change: &Change) -> Option<String> {
    let name = if *change.kind == WORKS {
        text(&change.object, "/spec/workload/manifests/0/metadata/name")
    } else if *change.kind == RESOURCE_BINDINGS {
        text(&change.object, "/spec/resource/name")
    } else if *change.kind == DEPLOYMENTS || *change.kind == FED_HPAS {
        text(&change.object, "/metadata/name")
    } else {
        return None;
    };
    Some(name.to_owned())
}

fn wants_another(change: &Change) -> bool {
    *change.kind == WORKS && differs(change, "/status/manifestStatuses/0/status/desiredReplicas")
}

fn acknowledges(change: &Change, version: &str) -> bool {
    *change.kind == FED_HPAS
        && text(&change.object, "/status/writeBack/templateResourceVersion") == version
        && change.object.pointer("/status/writeBack/acknowledgedTime").is_some()
}

fn differs(change: &Change, path: &str) -> bool {
    let before = change.previous.as_ref().and_then(|previous| previous.pointer(path));
    before.is_some() && before != change.object.pointer(path)
}

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}
