//! The suite against the real control plane: what the sandbox plays, Kubernetes and Karmada do here.
//!
//! `tests/rig/up` starts what it runs against. Where that does not run, one line says so and nothing fails, unless
//! `FEDSCALER_RIG=required`. The scenarios share one control plane, each in a namespace of its own: first those that disturb
//! nobody, a few at a time, then one after the other.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod chaos;
mod cron;
mod house;
mod kinds;
mod life;
mod pipeline;
mod room;
mod stand_in;

use std::{process::ExitCode, sync::Arc};

use fedscaler_tests::{
    measure::Stopwatch,
    rig::{Rig, controllers::be_controllers_if_asked},
};
use libtest_mimic::{Arguments, Trial};
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::house::{House, Run, Scenario};

/// How many run at a time, where they may: most of the time each of them waits.
const SIDE_BY_SIDE: usize = 3;

fn scenarios() -> Vec<&'static Scenario> {
    let modules = [
        pipeline::SCENARIOS,
        kinds::SCENARIOS,
        room::SCENARIOS,
        life::SCENARIOS,
        cron::SCENARIOS,
        chaos::SCENARIOS,
    ];
    let mut scenarios: Vec<_> = modules.into_iter().flatten().collect();
    scenarios.sort_by_key(|scenario| matches!(scenario.run, Run::Alone(_)));
    scenarios
}

/// One that failed leaves the house to the next one, which puts it in order first.
async fn play(scenario: &Scenario, house: &RwLock<House>) {
    let watch = match scenario.run {
        Run::Alone(run) => {
            let mut house = house.write().await;
            let watch = Stopwatch::start();
            house.in_order().await;
            house.is_in_order = false;
            run(&mut house).await;
            watch
        }
        Run::Beside(run) => {
            let house = shared(house).await;
            let watch = Stopwatch::start();
            run(&house).await;
            watch
        }
    };
    println!("{}: {} s", scenario.name, watch.elapsed().as_secs());
}

async fn shared(house: &RwLock<House>) -> RwLockReadGuard<'_, House> {
    loop {
        let seen = house.read().await;
        if seen.is_in_order {
            return seen;
        }
        drop(seen);
        let mut house = house.write().await;
        if !house.is_in_order {
            house.in_order().await;
        }
    }
}

fn main() -> ExitCode {
    if let Some(code) = be_controllers_if_asked() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(SIDE_BY_SIDE);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let Some(rig) = runtime.block_on(Rig::running()) else {
        let count = scenarios().len();
        println!(
            "skipped: {count} scenarios on the real control plane, which does not run (tests/rig/up starts it)"
        );
        return if Rig::is_required() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    };
    let house = Arc::new(RwLock::new(House::of(rig)));
    let runtime = Arc::new(runtime);
    let trials = scenarios().into_iter().map(|scenario| {
        let (house, runtime) = (Arc::clone(&house), Arc::clone(&runtime));
        Trial::test(scenario.name, move || {
            runtime.block_on(play(scenario, &house));
            Ok(())
        })
    });
    let trials = trials.collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
