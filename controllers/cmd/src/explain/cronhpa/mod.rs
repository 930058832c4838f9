//! `fedscaler explain cronhpa`: which rule holds, why, and what is to come.
//!
//! Responsible for the span that is asked for and for the way from there to an answer. What is to come is found by the
//! core, slot by slot, with the decisions of the controller.

pub mod account;
pub mod offline;
pub mod online;
mod table;

use chrono::{DateTime, TimeDelta, Utc};
use fedscaler_core::{
    cronhpa::{course::Start, policy::Policy},
    fedhpa::facts_file::Subject,
};
use fedscaler_runtime::clock::{Clock as _, SystemClock};

use self::account::Account;
use super::{connect, namespace, page::Paper, runtime};
use crate::{
    Refusal,
    cli::{ExplainCronHpa, Form},
};

/// How far is looked ahead if nobody says.
const AHEAD: TimeDelta = TimeDelta::days(7);

/// What is told, wherever it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Which CronHPA.
    pub cron_hpa: Subject,
    /// What its user wants, the days of its calendar included.
    pub policy: Policy,
    /// Where to begin.
    pub start: Start,
    /// What is to be known besides.
    pub notes: Vec<String>,
}

/// What is asked for: what holds at `from`, and the slots after it until `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The beginning, itself outside.
    pub from: DateTime<Utc>,
    /// The end, itself inside.
    pub to: DateTime<Utc>,
}

/// Answers what was asked.
pub(super) fn answer(arguments: &ExplainCronHpa) -> Result<String, Refusal> {
    let now = SystemClock.now();
    let span = span(arguments, now)?;
    told(&case(arguments, span, now)?, span, (arguments.output, Paper::of_stdout()))
}

/// What holds and what is to come, in words or as JSON.
pub fn told(case: &Case, span: Span, (form, paper): (Form, Paper)) -> Result<String, Refusal> {
    let account = Account::of(case, span)?;
    match form {
        Form::Table => Ok(table::render(&account, paper)),
        Form::Json => serde_json::to_string_pretty(&account).map(|json| json + "\n").map_err(Refusal::new),
    }
}

fn span(arguments: &ExplainCronHpa, now: DateTime<Utc>) -> Result<Span, Refusal> {
    let from = arguments.at.or(arguments.from).unwrap_or(now);
    let to = arguments.to.or_else(|| from.checked_add_signed(AHEAD)).unwrap_or(from);
    if to < from {
        return Err(Refusal::new(format!(
            "--to {to} is before the beginning {from}: give the later time as --to"
        )));
    }
    Ok(Span { from, to })
}

fn case(arguments: &ExplainCronHpa, span: Span, now: DateTime<Utc>) -> Result<Case, Refusal> {
    runtime()?.block_on(async {
        match (&arguments.manifest, &arguments.name) {
            (Some(manifest), name) => offline::read(manifest, name.as_deref(), span.from).await,
            (None, Some(name)) => {
                let client = connect(&arguments.server).await?;
                let namespace = namespace(&arguments.server, &client);
                online::observed(&client, &namespace, name, span.from, now).await
            }
            (None, None) => Err(Refusal::new("give the NAME of a CronHPA, or -f MANIFEST")),
        }
    })
}
