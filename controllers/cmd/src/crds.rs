//! `fedscaler crds`: the definitions, rendered from the types.

use std::{fs, io::Write as _, process::ExitCode};

use crate::{Refusal, cli::CrdsArguments};

/// Prints the definitions, or writes them to the folder.
pub fn command(arguments: &CrdsArguments) -> Result<ExitCode, Refusal> {
    let files = fedscaler_crds::render::render().map_err(Refusal::new)?;
    match &arguments.output {
        None => {
            let mut out = std::io::stdout().lock();
            for yaml in files.values() {
                write!(out, "---\n{yaml}").map_err(Refusal::new)?;
            }
        }
        Some(folder) => {
            fs::create_dir_all(folder).map_err(|error| refused(folder, &error))?;
            for (name, yaml) in &files {
                let path = folder.join(name);
                fs::write(&path, yaml).map_err(|error| refused(&path, &error))?;
                println!("{}", path.display());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(path: &std::path::Path, error: &std::io::Error) -> Refusal {
    Refusal::new(format!("cannot write {}: {error}", path.display()))
}
