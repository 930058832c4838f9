//! How long the sandbox takes: to set up a world, and to let time pass in it.
//!
//! `cargo bench -p fedscaler-tests --bench world`. Every scenario, crash and seed in the tests pays for both.

use std::time::Duration;

use fedscaler_tests::{
    measure::{Stopwatch, machine, millis, print_table, quantile},
    stage::Stage,
};
use tokio::runtime::{Builder, Runtime};

const WORLDS: usize = 20;

const FED_HPA: &str = include_str!("../../deploy/examples/fedhpa.yaml");

fn main() {
    println!("{}", machine());
    println!("milliseconds, of {WORLDS} worlds\n");
    let (mut set_ups, mut quarters) = (Vec::new(), Vec::new());
    for _ in 0..WORLDS {
        let (set_up, quarter) = paused().block_on(play());
        set_ups.push(set_up);
        quarters.push(quarter);
    }
    let first = set_ups.remove(0);
    let row = |what: &str, samples: &mut Vec<Duration>| {
        samples.sort();
        vec![what.to_owned(), millis(quantile(samples, 50)), millis(quantile(samples, 99))]
    };
    let rows = [
        vec!["the first world of a process".to_owned(), millis(first), String::new()],
        row("each further world", &mut set_ups),
        row("a quarter of an hour in it, looked at each second", &mut quarters),
    ];
    print_table(&["what", "p50", "p99"], &rows);
}

fn paused() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}

async fn play() -> (Duration, Duration) {
    let watch = Stopwatch::start();
    let mut stage = Stage::with_demand(20).await;
    let set_up = watch.elapsed();
    stage.start_controllers();
    stage.apply(FED_HPA).await;
    let watch = Stopwatch::start();
    stage.run(15 * 60).await;
    (set_up, watch.elapsed())
}
