//! Which objects a client asks for: label and field selectors.
//!
//! It knows the selector languages, not where objects come from.

use serde_json::Value;

use super::{
    catalog::{Origin, Served},
    errors::ApiError,
    metadata::{at_path, name_of, namespace_of},
    routes::Query,
};

/// What an object must be like to be listed or watched.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    namespace: Option<String>,
    labels: Vec<LabelRequirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct LabelRequirement {
    key: String,
    test: LabelTest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum LabelTest {
    Present,
    Absent,
    In(Vec<String>),
    /// Also true where the label is absent.
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldRequirement {
    path: String,
    test: FieldTest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FieldTest {
    Is(String),
    IsNot(String),
}

impl Selection {
    /// The selection that a request on `served` states.
    pub(super) fn of(served: &Served, namespace: Option<&str>, query: &Query) -> Result<Self, ApiError> {
        Ok(Self {
            namespace: namespace.map(str::to_owned),
            labels: label_requirements(query.get("labelSelector").unwrap_or_default())?,
            fields: field_requirements(served, query.get("fieldSelector").unwrap_or_default())?,
        })
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Whether every object of the namespace is selected.
    pub(super) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| namespace == namespace_of(object))
            && self.labels.iter().all(|requirement| requirement.holds(object))
            && self.fields.iter().all(|requirement| requirement.holds(object))
    }
}

impl LabelRequirement {
    fn holds(&self, object: &Value) -> bool {
        let value = object["metadata"]["labels"].get(&self.key).and_then(Value::as_str);
        let number = value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            LabelTest::Present => value.is_some(),
            LabelTest::Absent => value.is_none(),
            LabelTest::In(values) => value.is_some_and(|value| values.iter().any(|wanted| wanted == value)),
            LabelTest::NotIn(values) => value.is_none_or(|value| values.iter().all(|wanted| wanted != value)),
            LabelTest::Above(bound) => number.is_some_and(|number| number > *bound),
            LabelTest::Below(bound) => number.is_some_and(|number| number < *bound),
        }
    }
}

impl FieldRequirement {
    fn holds(&self, object: &Value) -> bool {
        let found = match self.path.as_str() {
            "metadata.name" => name_of(object),
            "metadata.namespace" => namespace_of(object),
            path => at_path(object, path).as_str().unwrap_or_default(),
        };
        match &self.test {
            FieldTest::Is(value) => found == value,
            FieldTest::IsNot(value) => found != value,
        }
    }
}

/// Splits at commas outside parentheses.
fn requirements(selector: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    selector
        .split(move |letter| {
            match letter {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            letter == ',' && depth == 0
        })
        .map(str::trim)
        .filter(|requirement| !requirement.is_empty())
}

fn label_requirements(selector: &str) -> Result<Vec<LabelRequirement>, ApiError> {
    requirements(selector).map(label_requirement).collect()
}

fn label_requirement(text: &str) -> Result<LabelRequirement, ApiError> {
    let (key, check) = if let Some(key) = text.strip_prefix('!') {
        (key, LabelTest::Absent)
    } else if let Some((key, values)) = set_of(text, " notin ") {
        (key, LabelTest::NotIn(values))
    } else if let Some((key, values)) = set_of(text, " in ") {
        (key, LabelTest::In(values))
    } else if let Some((key, value)) = text.split_once("!=") {
        (key, LabelTest::NotIn(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (key, LabelTest::In(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = text.split_once('>') {
        (key, LabelTest::Above(bound(text, value)?))
    } else if let Some((key, value)) = text.split_once('<') {
        (key, LabelTest::Below(bound(text, value)?))
    } else {
        (text, LabelTest::Present)
    };
    let key = key.trim();
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    if key.is_empty() || !key.chars().all(legal) {
        return Err(ApiError::bad_request(format!(
            "unable to parse requirement: found '{text}', expected: identifier"
        )));
    }
    Ok(LabelRequirement { key: key.to_owned(), test: check })
}

fn set_of<'a>(text: &'a str, operator: &str) -> Option<(&'a str, Vec<String>)> {
    // The parenthesis may follow the operator without a space.
    let (key, values) =
        text.split_once(operator).or_else(|| text.split_once(&format!("{}(", operator.trim_end())))?;
    let values = values.trim().trim_start_matches('(').strip_suffix(')')?;
    Some((key, values.split(',').map(|value| value.trim().to_owned()).collect()))
}

fn bound(text: &str, value: &str) -> Result<i64, ApiError> {
    let unusable =
        |_| ApiError::bad_request(format!("unable to parse requirement: '{text}': values must be integers"));
    value.trim().parse().map_err(unusable)
}

fn field_requirements(served: &Served, selector: &str) -> Result<Vec<FieldRequirement>, ApiError> {
    requirements(selector).map(|text| field_requirement(served, text)).collect()
}

fn field_requirement(served: &Served, text: &str) -> Result<FieldRequirement, ApiError> {
    let (path, check) = if let Some((path, value)) = text.split_once("!=") {
        (path, FieldTest::IsNot(value.to_owned()))
    } else if let Some((path, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (path, FieldTest::Is(value.to_owned()))
    } else {
        return Err(ApiError::bad_request(format!("invalid selector: '{text}'; can't understand '{text}'")));
    };
    if !is_selectable(served, path) {
        return Err(ApiError::bad_request(match served.resource.origin {
            Origin::Custom => format!("field label not supported: {path}"),
            Origin::BuiltIn => format!(
                "\"{path}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            ),
        }));
    }
    Ok(FieldRequirement { path: path.to_owned(), test: check })
}

fn is_selectable(served: &Served, path: &str) -> bool {
    let further: &[&str] = match (served.name().group.as_ref(), served.name().plural.as_ref()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
        ],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "namespaces") => &["status.phase"],
        ("", "secrets") => &["type"],
        ("apps", "replicasets") => &["status.replicas"],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "events") => &[
            "reason",
            "type",
            "reportingController",
            "regarding.kind",
            "regarding.name",
            "regarding.namespace",
            "regarding.uid",
        ],
        _ => &[],
    };
    let everywhere = path == "metadata.name" || (path == "metadata.namespace" && served.is_namespaced());
    everywhere
        || further.contains(&path)
        || served.version.selectable_fields.iter().any(|field| field == path)
}
