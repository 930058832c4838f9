//! What an API server must do, whichever it is: each case runs against the sandbox, and against a real one where
//! `tests/rig` runs or the environment names the kubeconfig of another in `FEDSCALER_CONFORMANCE_KUBECONFIG`. Generated
//! sequences of requests are answered by both, and have to be answered alike.
//!
//! A case that holds on one of them only is a bug of the sandbox, or of the case.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod apply;
mod beyond;
mod bodies;
mod built_in;
mod case;
mod controllers;
mod definitions;
mod deletion;
mod discovery;
mod generated;
mod kube_client;
mod lists;
mod namespaces;
mod objects;
mod patches;
mod samples;
mod schemas;
mod server;
mod subresources;
mod tables;
mod watches;

use std::panic::AssertUnwindSafe;

use fedscaler_tests::rig::Rig;
use futures::FutureExt as _;

use crate::{
    case::{Case, Need},
    server::{Real, Server},
};

fn cases() -> impl Iterator<Item = &'static Case> {
    [
        apply::CASES,
        beyond::CASES,
        built_in::CASES,
        controllers::CASES,
        definitions::CASES,
        deletion::CASES,
        discovery::CASES,
        kube_client::CASES,
        lists::CASES,
        namespaces::CASES,
        objects::CASES,
        patches::CASES,
        samples::CASES,
        schemas::CASES,
        subresources::CASES,
        tables::CASES,
        watches::CASES,
    ]
    .into_iter()
    .flatten()
}

#[tokio::test]
async fn every_case_holds_on_a_real_api_server() {
    let Some(mut real) = Real::reached().await else { return };
    real.look_for_controllers().await;
    assert!(real.has_controllers || !Rig::is_required(), "the rig has the controllers of Kubernetes");
    let mut broken = Vec::new();
    for case in cases() {
        if case.need == Need::Controllers && !real.has_controllers {
            println!("skipped: {} needs the controllers of Kubernetes", case.name);
            continue;
        }
        let server = real.place().await;
        let outcome = AssertUnwindSafe((case.run)(&server)).catch_unwind().await;
        if outcome.is_err() {
            broken.push(case.name);
        }
        real.leave(server).await;
    }
    assert!(broken.is_empty(), "{} cases do not hold there:\n  {}", broken.len(), broken.join("\n  "));
}

#[test]
fn generated_requests_are_answered_as_a_real_api_server_answers_them() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(real) = runtime.block_on(Real::reached()) else { return };
    let (there, here) = runtime.block_on(async { (real.place().await, Server::sandbox().await) });
    let compared = generated::compare(&there, &here, runtime.handle());
    runtime.block_on(real.leave(there));
    match compared {
        Ok(sequences) => println!("{sequences} sequences were answered alike"),
        Err(difference) => panic!("{difference}"),
    }
}
