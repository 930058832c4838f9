//! `fedscaler run`: the controllers in production.
//!
//! Responsible for the process: connection, log, admin server, shutdown. Knows nothing of what the controllers do.

use std::{process::ExitCode, sync::Arc};

use fedscaler_runtime::{
    admin::Admin,
    client,
    clock::SystemClock,
    heartbeat::CronHeartbeat,
    leadership,
    metrics::Metrics,
    readiness::Readiness,
    shutdown::{self, Shutdown},
    telemetry::{self, LogFormat},
};

use crate::{
    Refusal,
    cli::{Logs, RunArguments},
    suite::{Suite, build},
};

/// Runs the controllers until the process is told to stop.
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
    let suite = Suite {
        client,
        clock: Arc::new(SystemClock),
        heartbeat: Box::new(CronHeartbeat::start().await.map_err(Refusal::new)?),
        term: leadership::sole(),
        metrics,
        readiness,
        instance: instance(),
    };
    finish(suite, admin, shutdown).await
}

async fn finish(suite: Suite, admin: Admin, shutdown: Shutdown) -> Result<ExitCode, Refusal> {
    let served = tokio::spawn(admin.serve(shutdown.clone().requested()));
    suite.run(shutdown).await.map_err(Refusal::new)?;
    match served.await {
        Ok(Ok(())) => Ok(ExitCode::SUCCESS),
        Ok(Err(error)) => Err(Refusal::new(error)),
        Err(error) => Err(Refusal::new(error)),
    }
}

/// The pod's name where there is one.
fn instance() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_unset| "fedscaler".to_owned())
}
