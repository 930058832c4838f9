//! `fedscaler convert`: CronHPAs from the manifests of other cron autoscalers.
//!
//! Responsible for the way from a file to manifests that an API server takes, each under comments that say line by
//! line what has no equal. Nothing is printed unless all of it can be. What the others' fields mean is known to
//! `aliyun` and `karmada`.

mod accepted;
mod aliyun;
mod days;
mod go_cron;
mod karmada;
mod manifest;
mod target;
mod tree;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use chrono::NaiveDate;
use fedscaler_core::schedule::Zone;
use fedscaler_karmada::types::{CronFederatedHPA, FederatedHPA};
use fedscaler_runtime::clock::{Clock as _, SystemClock};
use kube::Resource as _;

use self::{
    accepted::Judge,
    manifest::{Draft, Head},
    tree::{Flaw, Node},
};
use crate::{Refusal, cli::ConvertArguments};

/// What manifests do not say.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The zone of the old controller. `None`: the usual one.
    pub time_zone: Option<Zone>,
    /// The day from which days off are written out.
    pub today: NaiveDate,
}

impl Terms {
    fn zone_or(&self, usual: &str) -> String {
        self.time_zone.map_or_else(|| usual.to_owned(), |zone| zone.to_string())
    }
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// The CronHPAs, as YAML with comments.
    pub manifests: String,
    /// What is to be said of the file, line by line.
    pub told: Vec<String>,
    /// How many rules, days off, fields and objects are in no CronHPA.
    pub left_out: usize,
}

/// Converts a file. The exit code is 1 if something had to be left out.
pub fn command(arguments: &ConvertArguments) -> Result<ExitCode, Refusal> {
    let refuse = |why: &dyn std::fmt::Display| Refusal::new(format!("{}: {why}", arguments.file.display()));
    let text = text(&arguments.file)?;
    let today = arguments.from.unwrap_or_else(|| SystemClock.now().date_naive());
    let terms = Terms { time_zone: arguments.time_zone, today };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Refusal::new)?;
    let conversion = runtime.block_on(converted(&text, &terms)).map_err(|why| refuse(&why))?;
    io::stdout().lock().write_all(conversion.manifests.as_bytes()).map_err(Refusal::new)?;
    for line in &conversion.told {
        eprintln!("fedscaler: {}: {line}", arguments.file.display());
    }
    Ok(if conversion.left_out == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn text(file: &Path) -> Result<String, Refusal> {
    let read =
        if file == Path::new("-") { io::read_to_string(io::stdin()) } else { fs::read_to_string(file) };
    read.map_err(|why| Refusal::new(format!("cannot read {}: {why}; is the path right?", file.display())))
}

/// Converts each document of a text.
pub async fn converted(text: &str, terms: &Terms) -> Result<Conversion, Refusal> {
    let judge = Judge::new(terms.today).await?;
    let mut all = Sorted::default();
    for (index, document) in documents(text)?.iter().enumerate() {
        let document_name = format!("document {}", index + 1);
        for object in items(document) {
            let at = |flaw: Flaw| refused(&document_name, object, &flaw);
            let Some(mut draft) = draft(object, terms).map_err(at)? else {
                all.pass_by(&document_name, object);
                continue;
            };
            let manifest = draft.manifest().map_err(Refusal::new)?;
            if !draft.spec.rules.is_empty() {
                all.claim(&document_name, object, &mut draft).map_err(at)?;
                let judged = judge.judge(draft.head.namespace.as_deref(), &manifest).await;
                judged.map_err(|why| at(object.flaw(why)))?;
            }
            all.take(&document_name, object, &draft)?;
        }
    }
    all.conversion()
}

/// The documents of a text; empty ones do not count.
fn documents(text: &str) -> Result<Vec<Node>, Refusal> {
    let mut reader = text.as_bytes();
    let mut documents = Vec::new();
    for document in serde_saphyr::read(&mut reader) {
        documents.push(document.map_err(|error: serde_saphyr::Error| {
            let line = error.location().map_or(0, |location| location.line());
            let whole = error.without_snippet().to_string();
            Refusal::new(format!("document {}, line {line}: this is no YAML: {whole}", documents.len() + 1))
        })?);
    }
    Ok(documents)
}

/// The objects of a document: those of a List, as `kubectl get` prints it, or the one that it is.
fn items(document: &Node) -> Vec<&Node> {
    let is_list =
        document.text("kind").is_ok_and(|kind| kind.is_some_and(|kind| kind.value.ends_with("List")));
    match document.list("items") {
        Ok(items) if is_list => items.iter().collect(),
        Ok(_) | Err(_) => vec![document],
    }
}

/// The CronHPA that is made of an object. `None`: it is of another kind.
fn draft(object: &Node, terms: &Terms) -> Result<Option<Draft>, Flaw> {
    let kind = object.required_text("kind")?.value;
    let version = object.required_text("apiVersion")?.value;
    let group = version.split_once('/').map_or("", |(group, _)| group);
    if (group, kind) == (aliyun::GROUP, aliyun::KIND) {
        aliyun::converted(object, terms).map(Some)
    } else if group == CronFederatedHPA::group(&()) && kind == CronFederatedHPA::kind(&()) {
        karmada::converted(object, terms).map(Some)
    } else {
        Ok(None)
    }
}

/// One line that says where what is wrong.
fn refused(document: &str, object: &Node, flaw: &Flaw) -> Refusal {
    let head = Head::of(object).map(|head| format!(" ({head})")).unwrap_or_default();
    Refusal::new(format!("{document}{head}, line {}: {}", flaw.line, flaw.words))
}

/// What was made so far.
#[derive(Default)]
struct Sorted {
    conversion: Conversion,
    made: usize,
    notes: usize,
    /// Who is called so, and who aims at what, by namespace.
    names: BTreeMap<(String, String), String>,
    targets: BTreeMap<(String, String, String), String>,
}

impl Sorted {
    fn pass_by(&mut self, document: &str, object: &Node) {
        let head =
            Head::of(object).map_or_else(|_| "an object without a name".to_owned(), |head| head.to_string());
        let is_federated = object
            .text("kind")
            .is_ok_and(|kind| kind.is_some_and(|kind| kind.value == FederatedHPA::kind(&())));
        let hint =
            if is_federated { ": write a FedHPA of its name, whose fields are called the same" } else { "" };
        self.tell(format!("{document}, line {}: {head} is passed by{hint}", object.line));
    }

    /// Refuses a name that is taken. CronHPAs that aim at the same get along only in one object.
    fn claim(&mut self, document: &str, object: &Node, draft: &mut Draft) -> Result<(), Flaw> {
        let namespace = draft.head.namespace.clone().unwrap_or_default();
        let place = format!("{document}, line {}", object.line);
        let name = (namespace.clone(), draft.head.name.clone());
        if let Some(other) = self.names.insert(name, place.clone()) {
            return Err(object.flaw(format!(
                "a CronHPA of this name is made of {other} already: give one of the two another \
                    name"
            )));
        }
        let target = &draft.spec.scale_target_ref;
        let aim = (namespace, target.kind.clone(), target.name.clone());
        if let Some(other) = self.targets.insert(aim, place) {
            let words = format!(
                "the CronHPA of {other} aims at {} {} too: the older of two holds a target and \
                    the other does \
                 nothing; put the rules into one",
                target.kind, target.name
            );
            draft.say(object.line, words);
        }
        Ok(())
    }

    fn take(&mut self, document: &str, object: &Node, draft: &Draft) -> Result<(), Refusal> {
        self.conversion.left_out += draft.left_out;
        if draft.spec.rules.is_empty() {
            for note in &draft.notes {
                self.tell(format!("{document}, {note}"));
            }
            self.tell(format!(
                "{document}, line {}: {} is left out: it has no rule that has an equal",
                object.line, draft.head
            ));
            self.conversion.left_out += 1;
            return Ok(());
        }
        if self.made > 0 {
            self.conversion.manifests.push_str("---\n");
        }
        self.made += 1;
        self.notes += draft.notes.len();
        self.conversion.manifests.push_str(&draft.yaml(document).map_err(Refusal::new)?);
        Ok(())
    }

    fn tell(&mut self, line: String) {
        self.conversion.told.push(line);
    }

    fn conversion(mut self) -> Result<Conversion, Refusal> {
        if self.made == 0 && self.conversion.left_out == 0 {
            return Err(Refusal::new(format!(
                "there is nothing to convert: no {} and no {}",
                aliyun::KIND,
                CronFederatedHPA::kind(&())
            )));
        }
        let (made, notes) = (self.made, self.notes);
        self.tell(format!("{made} CronHPAs with {notes} comments: read them before you apply"));
        Ok(self.conversion)
    }
}
