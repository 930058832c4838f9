//! The same world plays the same way twice: order is decided, never inherited from a hash or a thread.

use std::thread;

use fedscaler_sandbox::{
    apiserver::Changes,
    demand::Trace,
    fault::Crash,
    member::traffic::{Demand, Workload},
};
use fedscaler_tests::stage::Stage;

const FED_HPA: &str = include_str!("../../deploy/examples/fedhpa.yaml");
const CRON_HPA: &str = include_str!("../../deploy/examples/cronhpa.yaml");

/// Every write to every API server, with a crash and a burst of demand in between.
async fn play() -> Vec<String> {
    let mut stage = Stage::with_demand(9).await;
    let members = stage.world.members().filter_map(|name| stage.world.member(name));
    let servers = members.chain([stage.world.control_plane()]);
    let mut followed: Vec<(String, Changes)> =
        servers.map(|server| (server.name().to_owned(), server.local("test").changes())).collect();
    stage.faults.crash_at_write(9, Crash::After);
    stage.start_controllers();
    stage.apply(FED_HPA).await;
    stage.apply(CRON_HPA).await;
    assert!(stage.run_until_crash(120).await, "there are more than nine writes");
    stage.restart_controllers().await;
    stage.world.set_demand(Demand::new(Workload::new("default", "web"), Trace::constant(30_000)));
    stage.run(300).await;
    let told = followed.iter_mut().flat_map(|(server, changes)| {
        let changes = std::iter::from_fn(|| changes.ready());
        let line = |server: &str, object: &serde_json::Value| format!("{server} {object}");
        changes.map(|change| line(server, &change.object)).collect::<Vec<_>>()
    });
    told.collect()
}

/// What one thread saw. Each thread has hash keys of its own, as each process has.
fn in_a_thread() -> thread::JoinHandle<Vec<String>> {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(play())
    })
}

#[test]
fn two_runs_write_the_same_objects_in_the_same_order() {
    let (one, other) = (in_a_thread(), in_a_thread());
    let (one, other) = (one.join().expect("a run"), other.join().expect("a run"));
    assert!(one.len() > 300, "only {} writes", one.len());
    let differing = one.iter().zip(&other).find(|(one, other)| one != other);
    assert_eq!(differing, None);
    assert_eq!(one.len(), other.len());
}
