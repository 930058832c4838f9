//! The suite against the real control plane: what the sandbox plays, Kubernetes and Karmada do here.
//!
//! `tests/rig/up` starts what it runs against. Where that does not run, one line says so and nothing fails, unless
//! `FEDSCALER_RIG=required`. The scenarios share one control plane and run one after the other, each in a namespace of its
//! own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod chaos;
mod cron;
mod house;
mod kinds;
mod life;
mod pipeline;
mod room;
mod stand_in;

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use fedscaler_tests::{
    measure::Stopwatch,
    rig::{Rig, controllers::be_controllers_if_asked},
};
use libtest_mimic::{Arguments, Trial};

use crate::house::{House, Scenario};

fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    [
        pipeline::SCENARIOS,
        kinds::SCENARIOS,
        room::SCENARIOS,
        life::SCENARIOS,
        cron::SCENARIOS,
        chaos::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}

fn main() -> ExitCode {
    if let Some(code) = be_controllers_if_asked() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let Some(rig) = runtime.block_on(Rig::running()) else {
        let count = scenarios().count();
        println!(
            "skipped: {count} scenarios on the real control plane, which does not run (tests/rig/up starts it)"
        );
        return if Rig::is_required() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    };
    let house = Arc::new(Mutex::new(House::of(rig)));
    let runtime = Arc::new(runtime);
    let trials = scenarios().map(|scenario| {
        let (house, runtime) = (Arc::clone(&house), Arc::clone(&runtime));
        Trial::test(scenario.name, move || {
            // One that failed leaves the house to the next one, which puts it in order first.
            let mut house = house.lock().unwrap_or_else(PoisonError::into_inner);
            let watch = Stopwatch::start();
            runtime.block_on(async {
                house.in_order().await;
                (scenario.run)(&mut house).await;
            });
            print!("{} s, ", watch.elapsed().as_secs());
            Ok(())
        })
    });
    let trials = trials.collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
