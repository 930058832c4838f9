//! `fedscaler completions` and `fedscaler man`: the command line as shells and readers of manuals know it.
//!
//! Responsible for rendering it. What it says is [`crate::cli`]'s.

use std::{
    fs,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::{
    Refusal,
    cli::{Cli, CompletionsArguments, ManArguments},
};

/// Prints the completions of a shell.
pub fn completions(arguments: &CompletionsArguments) -> Result<ExitCode, Refusal> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "fedscaler", &mut text);
    print(&text)
}

/// Prints the manual page, or writes all of them to the folder.
pub fn pages(arguments: &ManArguments) -> Result<ExitCode, Refusal> {
    let Some(folder) = &arguments.output else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page).map_err(Refusal::new)?;
        return print(&page);
    };
    let refuse = |error: io::Error| Refusal::new(format!("cannot write to {}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(refuse)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(refuse)?;
    Ok(ExitCode::SUCCESS)
}

fn print(text: &[u8]) -> Result<ExitCode, Refusal> {
    match io::stdout().lock().write_all(text) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Refusal::new(format!("cannot print: {error}"))),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}
