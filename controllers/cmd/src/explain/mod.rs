//! `fedscaler explain`: what the controllers would decide now, and why.
//!
//! Responsible for the way from a question to an answer: observe or read, decide, tell. It decides with the code of
//! the controllers and writes nothing but the file that is asked for.

pub mod account;
pub mod cronhpa;
mod manifest;
pub mod offline;
pub mod online;
pub mod page;
pub mod schema;
mod supposed;
mod table;
mod words;

use std::{fs, io::Write as _, path::Path, process::ExitCode, sync::Arc};

use fedscaler_core::fedhpa::{
    facts::Facts,
    facts_file::{FactsFile, Subject},
    policy::Policy,
    what_if::WhatIf,
};
use fedscaler_runtime::{client, clock::SystemClock};
use kube::Client;

use self::{account::Account, page::Paper};
use crate::{
    Refusal,
    cli::{ExplainArguments, ExplainFedHpa, Explained, Form, Server},
};

/// What a decision is made from, wherever it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Which FedHPA.
    pub fed_hpa: Subject,
    /// What its user wants.
    pub policy: Policy,
    /// What was seen.
    pub facts: Facts,
}

/// Answers what was asked.
pub fn command(arguments: &ExplainArguments) -> Result<ExitCode, Refusal> {
    let answer = match &arguments.what {
        Explained::Fedhpa(arguments) => fed_hpa(arguments)?,
        Explained::Cronhpa(arguments) => cronhpa::answer(arguments)?,
        Explained::Schema(arguments) => schema::text(arguments.of)?,
    };
    std::io::stdout().lock().write_all(answer.as_bytes()).map_err(Refusal::new)?;
    Ok(ExitCode::SUCCESS)
}

fn fed_hpa(arguments: &ExplainFedHpa) -> Result<String, Refusal> {
    let what_ifs = what_ifs(&arguments.what_if)?;
    let case = case(arguments)?;
    if let Some(path) = &arguments.save_facts {
        save(path, &case)?;
    }
    told(&case, &what_ifs, (arguments.output, Paper::of_stdout()))
}

/// Each `--what-if`, read.
pub fn what_ifs(texts: &[String]) -> Result<Vec<WhatIf>, Refusal> {
    let read = |text: &String| text.parse().map_err(|why| Refusal::new(format!("--what-if: {why}")));
    texts.iter().map(read).collect()
}

/// The decision about a case in words or as JSON.
pub fn told(case: &Case, what_ifs: &[WhatIf], (form, paper): (Form, Paper)) -> Result<String, Refusal> {
    let account = Account::of(case, what_ifs)?;
    match form {
        Form::Table => Ok(table::render(&account, paper)),
        Form::Json => serde_json::to_string_pretty(&account).map(|json| json + "\n").map_err(Refusal::new),
    }
}

fn case(arguments: &ExplainFedHpa) -> Result<Case, Refusal> {
    runtime()?.block_on(async {
        match (&arguments.manifest, &arguments.facts, &arguments.name) {
            (Some(manifest), Some(facts), _) => offline::read(manifest, facts).await,
            (_, _, Some(name)) => {
                let client = connect(&arguments.server).await?;
                let namespace = namespace(&arguments.server, &client);
                online::observed(client, Arc::new(SystemClock), &namespace, name).await
            }
            (_, _, None) => Err(Refusal::new("give the NAME of a FedHPA, or -f MANIFEST with --facts FACTS")),
        }
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Refusal> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Refusal::new)
}

async fn connect(server: &Server) -> Result<Client, Refusal> {
    let client = client::connect(server.kubeconfig.as_deref(), server.context.as_deref());
    client.await.map_err(Refusal::new)
}

fn namespace(server: &Server, client: &Client) -> String {
    server.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned())
}

/// Writes the facts of a case to a file, for `--facts`.
pub fn save(path: &Path, case: &Case) -> Result<(), Refusal> {
    let refuse = |why: &dyn std::fmt::Display| {
        Refusal::new(format!("cannot write the facts to {}: {why}", path.display()))
    };
    let file = FactsFile::new(case.fed_hpa.clone(), case.facts.clone());
    let json = serde_json::to_string_pretty(&file).map_err(|why| refuse(&why))?;
    fs::write(path, json + "\n").map_err(|why| refuse(&why))
}
