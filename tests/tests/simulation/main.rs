//! Worlds, demand and faults from seeds; after quiet everything must be in order.
//!
//! `FEDSCALER_SEEDS=n` plays so many seeds (from `FEDSCALER_FIRST_SEED`, else 1) on all cores, `FEDSCALER_SEED=n` that
//! one alone and tells what happened (with `FEDSCALER_TELL=1` all along). Each seed has a thread and a paused runtime of its own, so that it plays the same
//! wherever it is played.

mod day;
mod deed;
mod dice;
mod judge;
mod plan;
mod play;

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use plan::Plan;

/// Few enough for every run of all tests; the pipeline plays thousands.
const SEEDS: u64 = 8;

/// Of more failures than this only the numbers are printed.
const TOLD: usize = 5;

#[test]
fn whatever_goes_wrong_everything_is_in_order_after_quiet() {
    if let Some(seed) = number("FEDSCALER_SEED") {
        let played = in_own_time(seed);
        println!("{}", played.story);
        assert_eq!(played.broken, None);
        return;
    }
    let first = number("FEDSCALER_FIRST_SEED").unwrap_or(1);
    let failed = play_all(first, number("FEDSCALER_SEEDS").unwrap_or(SEEDS));
    for played in failed.iter().take(TOLD) {
        println!("{}\n", played.story);
    }
    let seeds: Vec<_> = failed.iter().map(|played| played.seed).collect();
    assert!(seeds.is_empty(), "seeds that broke a promise: {seeds:?}; play one with FEDSCALER_SEED=n");
}

/// How a seed went.
struct Played {
    seed: u64,
    /// The plan in words, and how it ended.
    story: String,
    /// The first promise that was broken.
    broken: Option<String>,
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

/// Plays the seeds on all cores; returns those that broke a promise, in their order.
fn play_all(first: u64, seeds: u64) -> Vec<Played> {
    let next = AtomicU64::new(first);
    let worker = || {
        let taken = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let mine = taken.take_while(|seed| *seed < first + seeds);
        mine.map(in_own_time).filter(|played| played.broken.is_some()).collect::<Vec<_>>()
    };
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let mut failed: Vec<Played> = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        running.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    });
    failed.sort_by_key(|played| played.seed);
    failed
}

fn in_own_time(seed: u64) -> Played {
    let plan = Plan::of(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let (end, broken) = match runtime.block_on(play::play(&plan)) {
        Ok(end) => (end, None),
        Err(broken) => (format!("BROKEN: {broken}"), Some(broken)),
    };
    Played { seed, story: format!("{plan}  {end}\n  again: FEDSCALER_SEED={seed}"), broken }
}
