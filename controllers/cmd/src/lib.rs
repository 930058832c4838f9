//! The `fedscaler` command: wires the controllers to a control plane, real or embedded.
//!
//! Responsible for the command line, for the wiring that production, the sandbox and the tests share ([`suite`]) and
//! for judging a run by its invariants ([`sandbox::audit`]). Decides nothing about replicas.

pub mod cli;
pub mod convert;
pub mod crds;
pub mod explain;
pub mod manual;
pub mod run;
pub mod sandbox;
pub mod suite;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

/// Runs the command line of this process. 0 is success, 1 a run that went wrong, 2 a request that cannot be met.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Run(arguments) => run::command(&arguments),
        Command::Sandbox(arguments) => sandbox::command(&arguments),
        Command::Explain(arguments) => explain::command(&arguments),
        Command::Convert(arguments) => convert::command(&arguments),
        Command::Crds(arguments) => crds::command(&arguments),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::pages(&arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(refusal) => {
            eprintln!("fedscaler: {refusal}");
            ExitCode::from(2)
        }
    }
}

/// Why a request cannot be met: one line that says what is wrong and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

impl Refusal {
    /// A refusal in these words.
    pub fn new(words: impl std::fmt::Display) -> Self {
        Self(words.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
    }
}
