//! `fedscaler run`: the controllers in production.
//!
//! Responsible for the process: connection, log, admin server, leadership, shutdown. Knows nothing of what the
//! controllers do.

use std::{process::ExitCode, sync::Arc};

use fedscaler_core::lease::Terms;
use fedscaler_runtime::{
    admin::Admin,
    client,
    clock::{Clock as _, SystemClock},
    heartbeat::CronHeartbeat,
    leadership::{self, Candidate, Election, Term},
    metrics::Metrics,
    readiness::Readiness,
    shutdown::{self, Shutdown},
    telemetry::{self, LogFormat},
};
use kube::Client;

use crate::{
    Refusal,
    cli::{Logs, RunArguments},
    suite::{Suite, build},
};

/// Runs the controllers until the process is told to stop, or until another process leads.
pub fn command(arguments: &RunArguments) -> Result<ExitCode, Refusal> {
    let format = match arguments.log_format {
        Logs::Text => LogFormat::Text,
        Logs::Json => LogFormat::Json,
    };
    telemetry::init(format, &arguments.log_filter).map_err(Refusal::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Refusal::new)?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: &RunArguments) -> Result<ExitCode, Refusal> {
    let client = client::connect(arguments.kubeconfig.as_deref(), arguments.context.as_deref());
    let client = client.await.map_err(Refusal::new)?;
    let metrics = Metrics::new(build()).map_err(Refusal::new)?;
    let readiness = Readiness::default();
    let admin = Admin::bind(arguments.admin_address, metrics.clone(), readiness.clone());
    let admin = admin.await.map_err(Refusal::new)?;
    let (stopper, shutdown) = shutdown::channel();
    tokio::spawn(async move {
        if let Err(error) = shutdown::signalled().await {
            tracing::error!(%error, "signals cannot be listened to");
        }
        stopper.stop();
    });
    let (candidate, term) = stand(&client, arguments);
    let suite = Suite {
        client,
        clock: Arc::new(SystemClock),
        heartbeat: Box::new(CronHeartbeat::start().await.map_err(Refusal::new)?),
        term,
        metrics,
        readiness,
        instance: instance(),
    };
    let served = tokio::spawn(admin.serve(shutdown.clone().requested()));
    if let Ended::Deposed = lead(candidate, suite, shutdown).await? {
        // Nothing is finished first: it would be refused, and the one that leads now does it.
        return Ok(ExitCode::FAILURE);
    }
    match served.await {
        Ok(Ok(())) => Ok(ExitCode::SUCCESS),
        Ok(Err(error)) => Err(Refusal::new(error)),
        Err(error) => Err(Refusal::new(error)),
    }
}

/// How it ended.
enum Ended {
    /// As asked, with everything finished that was running.
    Asked,
    /// Another process leads, or may do so.
    Deposed,
}

/// Runs the suite while the candidate stands for election and leads.
async fn lead(candidate: Option<Candidate>, suite: Suite, shutdown: Shutdown) -> Result<Ended, Refusal> {
    let Some(mut candidate) = candidate else {
        suite.run(shutdown).await.map_err(Refusal::new)?;
        return Ok(Ended::Asked);
    };
    tokio::select! {
        biased;
        () = candidate.lead() => return Ok(Ended::Deposed),
        ran = suite.run(shutdown) => ran.map_err(Refusal::new)?,
    }
    candidate.give_back().await;
    Ok(Ended::Asked)
}

fn stand(client: &Client, arguments: &RunArguments) -> (Option<Candidate>, Term) {
    if !arguments.leader_elect {
        return (None, leadership::sole());
    }
    let election = Election {
        namespace: arguments.lease_namespace.clone(),
        name: arguments.lease_name.clone(),
        identity: identity(),
        terms: Terms::USUAL,
    };
    let (candidate, term) = Candidate::new(client.clone(), Arc::new(SystemClock), election);
    (Some(candidate), term)
}

/// The pod's name where there is one.
fn instance() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_unset| "fedscaler".to_owned())
}

/// No other process has it, one that was started before in the same place included.
fn identity() -> String {
    format!("{}_{}_{:x}", instance(), std::process::id(), SystemClock.now().timestamp_micros())
}
