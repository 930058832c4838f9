//! What `fedscaler sandbox` takes: recorded fleets and demand, and the refusal of what cannot be read.

mod fleet;
mod input;

use clap::Parser as _;
use fedscaler_cmd::{
    cli::{Cli, Command, SandboxArguments},
    sandbox::scenario::Scenario,
};

/// The arguments of `fedscaler sandbox` with these words.
fn arguments(words: &[&str]) -> SandboxArguments {
    let cli =
        Cli::try_parse_from(["fedscaler", "sandbox"].iter().chain(words)).expect("words that fit together");
    let Command::Sandbox(arguments) = cli.command else { panic!("sandbox") };
    arguments
}

/// What is said to these words, which are refused before anything starts.
fn refused(words: &[&str]) -> String {
    let why = Scenario::new(&arguments(words)).err().expect("a refusal").to_string();
    assert!(!why.contains('\n'), "{why}");
    why
}
