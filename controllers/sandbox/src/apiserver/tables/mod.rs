//! Tables: what `kubectl get` prints, as API servers make it (`meta.k8s.io/v1`, `Table`).
//!
//! It knows columns and rows; what Kubernetes' own kinds show is in `built_in`. Kinds that are defined at run time say
//! their columns themselves, as JSON paths.

mod built_in;
mod words;

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use http::{HeaderMap, header};
use jsonpath_rust::JsonPath;
use serde_json::{Value, json};

use super::{
    catalog::{Origin, Served},
    lists::Page,
    routes::Query,
    versions,
};

/// A column that a kind says of itself, as `additionalPrinterColumns` do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrinterColumn {
    /// Its head.
    pub name: String,
    /// `integer`, `number`, `string`, `boolean` or `date`.
    pub column_type: String,
    /// Where its cell is, as CRDs write it: with a leading dot.
    pub json_path: String,
    /// What it is.
    pub description: String,
    /// How values look, as `OpenAPI` says; empty if it does not matter.
    pub format: String,
    /// 0 is always shown, more only with `-o wide`.
    pub priority: i64,
}

impl PrinterColumn {
    /// A column that is always shown.
    #[must_use]
    pub fn new(name: &str, column_type: &str, json_path: &str) -> Self {
        Self {
            name: name.to_owned(),
            column_type: column_type.to_owned(),
            json_path: json_path.to_owned(),
            description: String::new(),
            format: String::new(),
            priority: 0,
        }
    }

    /// The column of kinds that state none.
    #[must_use]
    pub fn age() -> Self {
        let description = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
        Self {
            description: description.to_owned(),
            ..Self::new("Age", "date", ".metadata.creationTimestamp")
        }
    }
}

/// A table that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// With the metadata of each object.
    Metadata,
    /// With each object.
    Objects,
    /// With cells alone.
    Cells,
}

/// Whether an answer is wanted as a table, and what is wanted of its objects. The client's first choice that can be met
/// counts.
pub(super) fn wanted(headers: &HeaderMap, query: &Query) -> Option<Rows> {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_table = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let is_json = parts.next() == Some("application/json");
        let parameters: Vec<&str> = parts.collect();
        let says = |wanted: &str| parameters.contains(&wanted);
        is_json.then(|| says("as=Table") && says("v=v1") && says("g=meta.k8s.io"))
    };
    if !accepted.split(',').find_map(is_table).unwrap_or(false) {
        return None;
    }
    Some(match query.get("includeObject") {
        Some("None") => Rows::Cells,
        Some("Object") => Rows::Objects,
        _ => Rows::Metadata,
    })
}

/// A table of one object.
pub(super) fn of_one(served: &Served, object: &Value, rows: Rows, now: DateTime<Utc>) -> Value {
    let version = &object["metadata"]["resourceVersion"];
    table(served, &[object], &json!({"resourceVersion": version}), rows, now)
}

/// A table of a page of a list.
pub(super) fn of_page(served: &Served, page: &Page, rows: Rows, now: DateTime<Utc>) -> Value {
    let objects: Vec<&Value> = page.items.iter().map(AsRef::as_ref).collect();
    table(served, &objects, &page.metadata(), rows, now)
}

fn table(served: &Served, objects: &[&Value], metadata: &Value, rows: Rows, now: DateTime<Utc>) -> Value {
    let columns = Columns::of(served);
    let lines: Vec<Value> = objects.iter().map(|object| columns.row(served, object, rows, now)).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": columns.definitions(), "rows": lines,
    })
}

/// What a kind shows.
enum Columns<'a> {
    /// What Kubernetes' own printers show of it.
    BuiltIn(&'static [built_in::Column]),
    /// What the kind says.
    Stated(&'a [PrinterColumn]),
}

impl<'a> Columns<'a> {
    fn of(served: &'a Served) -> Self {
        let stated = &served.version.columns;
        if stated.is_empty() && served.resource.origin == Origin::BuiltIn {
            return Self::BuiltIn(built_in::columns(served.name()));
        }
        Self::Stated(stated)
    }

    fn definitions(&self) -> Vec<Value> {
        match self {
            Self::BuiltIn(columns) => columns.iter().map(built_in::Column::definition).collect(),
            Self::Stated(columns) => {
                let name = json!({
                    "name": "Name", "type": "string", "format": "name", "description": NAME, "priority": 0,
                });
                std::iter::once(name).chain(columns.iter().map(definition)).collect()
            }
        }
    }

    fn row(&self, served: &Served, object: &Value, rows: Rows, now: DateTime<Utc>) -> Value {
        let cells: Vec<Value> = match self {
            Self::BuiltIn(columns) => {
                // An Event has other field names in its newer version.
                let stored = if versions::is_stored_form(served, object) {
                    Cow::Borrowed(object)
                } else {
                    Cow::Owned(versions::to_stored(served, object.clone()))
                };
                columns.iter().map(|column| (column.cell)(&stored, now)).collect()
            }
            Self::Stated(columns) => {
                let name = object["metadata"]["name"].clone();
                std::iter::once(name).chain(columns.iter().map(|column| cell(column, object, now))).collect()
            }
        };
        let shown = match rows {
            Rows::Cells => return json!({"cells": cells}),
            Rows::Objects => object.clone(),
            Rows::Metadata => json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
            }),
        };
        json!({"cells": cells, "object": shown})
    }
}

const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

fn definition(column: &PrinterColumn) -> Value {
    let description = if column.description.is_empty() {
        format!("Custom resource definition column (in JSONPath format): {}", column.json_path)
    } else {
        column.description.clone()
    };
    json!({
        "name": column.name, "type": column.column_type, "format": column.format,
        "description": description, "priority": column.priority,
    })
}

/// The cell of a stated column: the first match as its type says, null where there is none.
fn cell(column: &PrinterColumn, object: &Value, now: DateTime<Utc>) -> Value {
    let path = format!("${}", column.json_path);
    let Ok(found) = object.query(&path) else { return Value::Null };
    let Some(first) = found.first() else { return Value::Null };
    match column.column_type.as_str() {
        "integer" => first.as_i64().map_or(Value::Null, Value::from),
        "number" => first.as_f64().map_or(Value::Null, Value::from),
        "boolean" => first.as_bool().map_or(Value::Null, Value::from),
        "date" => Value::from(words::since(first.as_str(), now)),
        _ => Value::from(found.iter().map(|value| words::plain(value)).collect::<Vec<_>>().join(",")),
    }
}
