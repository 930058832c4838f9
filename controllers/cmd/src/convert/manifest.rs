//! The CronHPA that is made of a manifest, with what has to be said about it.
//!
//! Responsible for its form in YAML: what is said stands in comments above it. Knows nothing of where it comes from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use chrono::{DateTime, Utc};
use fedscaler_crds::{GROUP, ScaleTargetRef, VERSION};
use serde::Serialize;

use super::tree::{Flaw, Node};

/// Kind and name of what a manifest describes.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl Head {
    /// Of a manifest, without what an API server or kubectl added.
    pub(super) fn of(object: &Node) -> Result<Self, Flaw> {
        let metadata = object.required("metadata")?;
        let mut annotations = metadata.texts("annotations")?;
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        Ok(Self {
            kind: object.required_text("kind")?.value.to_owned(),
            name: metadata.required_text("name")?.value.to_owned(),
            namespace: metadata.text("namespace")?.map(|namespace| namespace.value.to_owned()),
            labels: metadata.texts("labels")?,
            annotations,
        })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        write!(f, "{} {namespace}{}", self.kind, self.name)
    }
}

/// Something that has no equal, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) line: u64,
    pub(super) words: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names and schedules are others' text: a line break in one would end the comment.
        let words: Vec<&str> = self.words.split_whitespace().collect();
        write!(f, "line {}: {}", self.line, words.join(" "))
    }
}

/// A CronHPA in the making.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) head: Head,
    pub(super) spec: Spec,
    pub(super) notes: Vec<Note>,
    /// How much of the manifest is not in the CronHPA.
    pub(super) left_out: usize,
    names: BTreeSet<String>,
}

/// What a user writes of a CronHPA, as far as others' manifests say it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) scale_target_ref: ScaleTargetRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time_zone: Option<String>,
    pub(super) rules: Vec<Rule>,
    #[serde(skip_serializing_if = "Exclude::is_empty")]
    pub(super) exclude: Exclude,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) history_limit: Option<i32>,
}

/// Days on which nothing is due.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Exclude {
    pub(super) dates: Vec<String>,
}

impl Exclude {
    fn is_empty(&self) -> bool {
        self.dates.is_empty()
    }
}

/// A rule, as far as others' manifests say it.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) schedule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_replicas: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_replicas: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target_replicas: Option<i32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) run_once: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) suspend: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suspend_until: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: String,
    kind: &'static str,
    metadata: Metadata<'a>,
    spec: &'a Spec,
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

impl Draft {
    /// A CronHPA without rules yet.
    pub(super) fn new(head: Head, target: ScaleTargetRef) -> Self {
        let spec = Spec {
            scale_target_ref: target,
            time_zone: None,
            rules: Vec::new(),
            exclude: Exclude::default(),
            history_limit: None,
        };
        Self { head, spec, notes: Vec::new(), left_out: 0, names: BTreeSet::new() }
    }

    /// Says something about a line.
    pub(super) fn say(&mut self, line: u64, words: impl Into<String>) {
        self.notes.push(Note { line, words: words.into() });
    }

    /// Says that something is left out, and why.
    pub(super) fn leave_out(&mut self, line: u64, words: impl Into<String>) {
        self.left_out += 1;
        self.say(line, words);
    }

    /// Leaves out fields that are not among these.
    pub(super) fn leave_out_unknown(&mut self, node: &Node, known: &[&str]) {
        let unknown = node.fields().filter(|(name, _)| !known.contains(name));
        for (name, value) in unknown {
            self.leave_out(value.line, format!("{name} is no field of a {}: it is left out", self.head.kind));
        }
    }

    /// A name for a rule that was called `name`: a DNS label that no other rule has.
    pub(super) fn rule_name(&mut self, line: u64, name: &str) -> String {
        let label = match label(name) {
            label if label.is_empty() => format!("rule-{}", self.names.len() + 1),
            label => label,
        };
        let numbered = (2..).map(|number| format!("{label}-{number}"));
        let mut candidates = std::iter::once(label.clone()).chain(numbered);
        let free = candidates.find(|candidate| !self.names.contains(candidate)).unwrap_or(label);
        if free != name {
            self.say(
                line,
                format!(
                    "the name {name:?} becomes {free}: a rule's name is a DNS label, and its \
                    own"
                ),
            );
        }
        self.names.insert(free.clone());
        free
    }

    /// The CronHPA as YAML, under what there is to say about it.
    pub(super) fn yaml(&self, document: &str) -> Result<String, serde_saphyr::SerializeError> {
        let mut text = format!("# From {document}, {}.\n", self.head);
        let mut notes = self.notes.clone();
        notes.sort_by_key(|note| note.line);
        for note in notes {
            // Writing to a text does not fail.
            let _written = writeln!(text, "# {note}.");
        }
        text.push_str(&self.manifest()?);
        Ok(text)
    }

    /// The CronHPA as YAML.
    pub(super) fn manifest(&self) -> Result<String, serde_saphyr::SerializeError> {
        let Head { name, namespace, labels, annotations, .. } = &self.head;
        serde_saphyr::to_string(&Document {
            api_version: format!("{GROUP}/{VERSION}"),
            kind: "CronHPA",
            metadata: Metadata { name, namespace: namespace.as_deref(), labels, annotations },
            spec: &self.spec,
        })
    }
}

/// What of a name can be a DNS label.
fn label(name: &str) -> String {
    // Room for a number behind it.
    const LONGEST: usize = 59;
    let letter =
        |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let letters: String = name.chars().map(letter).collect();
    let label: String = letters.trim_matches('-').chars().take(LONGEST).collect();
    label.trim_end_matches('-').to_owned()
}
