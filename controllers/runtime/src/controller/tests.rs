//! The controller loop over a scripted API server, under paused time.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

use futures::stream;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt as _};
use tokio::time::sleep;

use super::*;
use crate::{
    fake::{Answer, FakeServer, config_map, event, list, metrics},
    readiness::Readiness,
    shutdown,
    watch::Watch,
};

#[derive(Debug)]
struct Trouble(Retry);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("trouble")
    }
}

impl Error for Trouble {}

impl Failure for Trouble {
    fn class(&self) -> &'static str {
        "trouble"
    }
    fn retry(&self) -> Retry {
        self.0
    }
}

type Verdict = Result<Action, Trouble>;

fn watched(answers: impl IntoIterator<Item = Answer>, metrics: &Metrics) -> Watched<ConfigMap> {
    let client = FakeServer::answering(answers).client();
    Watch::of(Api::all(client)).start(&Readiness::default(), metrics)
}

fn three() -> Answer {
    list(10, ["a", "b", "c"].map(|name| config_map(name, 2)))
}

/// What was reconciled when, in whole seconds since the start.
#[derive(Default)]
struct Log(RefCell<Vec<(String, u64)>>);

impl Log {
    fn note(&self, object: &ConfigMap, start: Instant) {
        self.0.borrow_mut().push((object.name_any(), start.elapsed().as_secs()));
    }

    fn of(&self, name: &str) -> Vec<u64> {
        self.0.borrow().iter().filter(|(other, _)| other == name).map(|(_, second)| *second).collect()
    }
}

fn counted(metrics: &Metrics, line: &str) {
    let text = metrics.render().unwrap();
    assert!(text.lines().any(|other| other == line), "no {line:?} in\n{text}");
}

/// Runs `answer` for each reconcile until `span` has passed.
async fn run(
    controller: Controller<ConfigMap>,
    span: Duration,
    answer: impl Fn(&ConfigMap) -> Verdict,
) -> Log {
    let (log, start) = (Log::default(), Instant::now());
    let work = controller.run(
        Arc::new(()),
        |object, _context| {
            log.note(&object, start);
            let verdict = answer(&object);
            async move { verdict }
        },
        sleep(span),
    );
    work.await;
    log
}

#[tokio::test(start_paused = true)]
async fn each_object_is_reconciled_once_and_again_when_it_asked_for_it() {
    let metrics = metrics();
    let controller = Controller::new("lamp", &watched([three()], &metrics), &metrics).unwrap();
    let log = run(controller, Duration::from_secs(31), |object| {
        Ok(if object.name_any() == "b" {
            Action::requeue(Duration::from_secs(15))
        } else {
            Action::await_change()
        })
    })
    .await;
    assert_eq!(log.of("a"), [0]);
    assert_eq!(log.of("b"), [0, 15, 30]);
    assert_eq!(log.of("c"), [0]);
    counted(&metrics, "controller_runtime_reconcile_total{controller=\"lamp\",result=\"success\"} 2");
    counted(&metrics, "controller_runtime_reconcile_total{controller=\"lamp\",result=\"requeue_after\"} 3");
    counted(&metrics, "workqueue_depth{controller=\"lamp\",name=\"lamp\"} 0");
}

#[tokio::test(start_paused = true)]
async fn a_change_wakes_its_object_and_other_streams_wake_theirs() {
    let metrics = metrics();
    let news = Answer::LinesThenSilence(vec![event("MODIFIED", config_map("a", 11))]);
    let watched = watched([three(), news], &metrics);
    let later = stream::once(async {
        sleep(Duration::from_secs(5)).await;
        ObjectKey::within("default", "c")
    });
    let unknown = stream::iter([ObjectKey::within("default", "nobody")]);
    let controller = Controller::new("lamp", &watched, &metrics).unwrap().wake_on(later).wake_on(unknown);
    sleep(Duration::from_secs(1)).await;
    let log = run(controller, Duration::from_mins(1), |_| Ok(Action::await_change())).await;
    assert_eq!((log.of("a"), log.of("b"), log.of("c")), (vec![0], vec![0], vec![0, 5]));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_fails_is_tried_again_with_growing_delays_and_disturbs_no_other() {
    let metrics = metrics();
    let controller = Controller::new("lamp", &watched([three()], &metrics), &metrics).unwrap();
    let log = run(controller, Duration::from_hours(1), |object| match object.name_any().as_str() {
        "a" => Err(Trouble(Retry::Backoff)),
        "b" => Err(Trouble(Retry::AwaitChange)),
        _ => Ok(Action::requeue(Duration::from_mins(20))),
    })
    .await;
    let times = log.of("a");
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((18..40).contains(&times.len()), "{times:?}");
    assert!(gaps.iter().all(|gap| *gap <= 300), "{gaps:?}");
    assert!(gaps.iter().rev().take(5).all(|gap| *gap >= 149), "{gaps:?}");
    assert_eq!((log.of("b"), log.of("c")), (vec![0], vec![0, 1200, 2400]));
    let failed = times.len() + 1;
    counted(&metrics, &format!("controller_runtime_reconcile_errors_total{{controller=\"lamp\"}} {failed}"));
    counted(
        &metrics,
        &format!("fedscaler_reconcile_failures_total{{class=\"trouble\",controller=\"lamp\"}} {failed}"),
    );
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_that_hangs_is_dropped_after_its_budget_and_tried_again() {
    let metrics = metrics();
    let controller = Controller::new("lamp", &watched([three()], &metrics), &metrics).unwrap();
    let tries = RefCell::new(BTreeMap::<String, u32>::new());
    let work = controller.budget(Duration::from_secs(10)).run(
        Arc::new(()),
        |object: Arc<ConfigMap>, _context| {
            let name = object.name_any();
            *tries.borrow_mut().entry(name.clone()).or_default() += 1;
            async move {
                if name == "a" {
                    std::future::pending::<()>().await;
                }
                Ok::<_, Trouble>(Action::await_change())
            }
        },
        sleep(Duration::from_secs(15)),
    );
    work.await;
    assert_eq!(
        tries.into_inner(),
        BTreeMap::from([("a", 2), ("b", 1), ("c", 1)].map(|(n, t)| (n.to_owned(), t)))
    );
    counted(&metrics, "fedscaler_reconcile_failures_total{class=\"timeout\",controller=\"lamp\"} 2");
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_that_panics_is_a_failure_of_its_object_alone() {
    let metrics = metrics();
    let controller = Controller::new("lamp", &watched([three()], &metrics), &metrics).unwrap();
    let work = controller.run(
        Arc::new(()),
        |object: Arc<ConfigMap>, _context| async move {
            assert_ne!(object.name_any(), "b", "this test wants a panic");
            Ok::<_, Trouble>(Action::await_change())
        },
        sleep(Duration::from_millis(100)),
    );
    work.await;
    counted(&metrics, "fedscaler_reconcile_failures_total{class=\"panic\",controller=\"lamp\"} 1");
    counted(&metrics, "controller_runtime_reconcile_total{controller=\"lamp\",result=\"success\"} 2");
}

#[tokio::test(start_paused = true)]
async fn no_more_run_at_a_time_than_allowed_and_the_others_are_seen_to_wait() {
    let metrics = metrics();
    let controller = Controller::new("lamp", &watched([three()], &metrics), &metrics).unwrap();
    let work = controller.concurrency(NonZeroUsize::MIN).run(
        Arc::new(()),
        async |_object: Arc<ConfigMap>, _context| {
            sleep(Duration::from_secs(4)).await;
            Ok::<_, Trouble>(Action::await_change())
        },
        sleep(Duration::from_mins(1)),
    );
    let look = async {
        sleep(Duration::from_secs(6)).await;
        counted(&metrics, "workqueue_depth{controller=\"lamp\",name=\"lamp\"} 1");
        counted(&metrics, "workqueue_longest_running_processor_seconds{controller=\"lamp\",name=\"lamp\"} 2");
        counted(&metrics, "controller_runtime_active_workers{controller=\"lamp\"} 1");
    };
    futures::join!(work, look);
    counted(&metrics, "workqueue_queue_duration_seconds_sum{controller=\"lamp\",name=\"lamp\"} 12");
    counted(&metrics, "workqueue_work_duration_seconds_sum{controller=\"lamp\",name=\"lamp\"} 12");
}

#[tokio::test(start_paused = true)]
async fn at_the_end_what_runs_is_finished_and_nothing_is_begun() {
    let metrics = metrics();
    let controller = Controller::new("lamp", &watched([three()], &metrics), &metrics).unwrap();
    let (stopper, shutdown) = shutdown::channel();
    let (begun, finished) = (AtomicU32::new(0), AtomicU32::new(0));
    let work = controller.concurrency(NonZeroUsize::MIN).run(
        Arc::new(()),
        async |_object: Arc<ConfigMap>, _context| {
            begun.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_secs(4)).await;
            finished.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Trouble>(Action::await_change())
        },
        shutdown.requested(),
    );
    let stop = async {
        sleep(Duration::from_secs(5)).await;
        stopper.stop();
    };
    futures::join!(work, stop);
    assert_eq!((begun.into_inner(), finished.into_inner()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_reconciled_before_all_caches_are_synced() {
    let metrics = metrics();
    let other = Cache::<ConfigMap>::default();
    let controller = Controller::new("lamp", &watched([three()], &metrics), &metrics).unwrap().after(&other);
    let work = run(controller, Duration::from_hours(2), |_| Ok(Action::await_change()));
    let sync = async {
        sleep(Duration::from_hours(1)).await;
        other.replace(BTreeMap::new());
    };
    let (log, ()) = futures::join!(work, sync);
    assert_eq!(log.of("a"), [3600]);
}

#[tokio::test(start_paused = true)]
async fn the_same_world_is_reconciled_in_the_same_order_each_time() {
    let order = async || {
        let metrics = metrics();
        let names: Vec<_> = (0..50).map(|number| format!("lamp-{:02}", number * 7 % 50)).collect();
        let objects = list(10, names.iter().map(|name| config_map(name, 2)));
        let controller = Controller::new("lamp", &watched([objects], &metrics), &metrics).unwrap();
        let pause = |object: &ConfigMap| Duration::from_secs(5 + u64::from(object.name_any().ends_with('3')));
        let log = run(controller, Duration::from_mins(1), |object| Ok(Action::requeue(pause(object)))).await;
        log.0.into_inner()
    };
    let first = order().await;
    assert_eq!(first.len(), 45 * 12 + 5 * 10);
    assert_eq!(first, order().await);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_object_is_not_reconciled_again() {
    let metrics = metrics();
    let gone = Answer::LinesThenSilence(vec![event("DELETED", config_map("a", 11))]);
    let watched = watched([list(10, [config_map("a", 2)]), gone], &metrics);
    let controller = Controller::new("lamp", &watched, &metrics).unwrap();
    sleep(Duration::from_secs(1)).await;
    let log = run(controller, Duration::from_mins(1), |_| Ok(Action::requeue(Duration::from_secs(1)))).await;
    assert!(log.of("a").is_empty());
}
