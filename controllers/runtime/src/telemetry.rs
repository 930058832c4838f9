//! What the process says while it runs.
//!
//! Responsible for setting up tracing once. Knows nothing of what is logged.

use std::io::{self, IsTerminal as _};

use thiserror::Error;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error(
        "the log filter {filter:?} is not understood ({reason}): use a level or target=level,..., such as info,fedscaler_runtime=debug"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else in this process has set it up already.
    #[error("logging is set up already")]
    AlreadySetUp,
}

/// Logs to standard error from here on what passes `filter`, in the syntax of `RUST_LOG`.
pub fn init(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let passes = EnvFilter::try_new(filter)
        .map_err(|error| TelemetryError::Filter { filter: filter.to_owned(), reason: error.to_string() })?;
    let registry = tracing_subscriber::registry().with(passes);
    let lines =
        tracing_subscriber::fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    match format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    }
    .map_err(|_| TelemetryError::AlreadySetUp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_does_not_parse_is_told_in_one_line() {
        let error = init(LogFormat::Text, "fedscaler=loudly").unwrap_err().to_string();
        assert!(error.contains("fedscaler=loudly") && !error.contains('\n'), "{error}");
    }
}
