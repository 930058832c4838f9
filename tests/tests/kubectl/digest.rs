//! What an answer says to whoever reads it: its code, its form, and its content without what no user looks at.
//!
//! Knows no request.

use std::fmt::Write as _;

use serde_json::Value;

/// An answer in lines.
pub(crate) fn digest(code: u16, content_type: &str, body: &[u8]) -> String {
    let mut told = format!("{code} {content_type}\n");
    for document in serde_json::Deserializer::from_slice(body).into_iter::<Value>() {
        match document {
            Ok(value) => tell(&mut told, &value),
            Err(error) => writeln!(told, "no JSON: {error}").unwrap(),
        }
    }
    told
}

fn tell(told: &mut String, value: &Value) {
    let kind = value["kind"].as_str().unwrap_or_default();
    match (kind, value["type"].as_str()) {
        ("", Some(event)) if value.get("object").is_some() => {
            writeln!(told, "event {event}").unwrap();
            tell(told, &value["object"]);
        }
        ("Table", _) => table(told, value),
        ("Status", _) => {
            let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
            writeln!(told, "{} {}: {}", text("status"), text("reason"), text("message")).unwrap();
        }
        ("", _) => {
            let keys: Vec<_> = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
            writeln!(told, "JSON with {}", keys.join(", ")).unwrap();
        }
        _ if value.get("items").is_some() => {
            let items = value["items"].as_array().into_iter().flatten();
            let names: Vec<_> = items.filter_map(|item| item["metadata"]["name"].as_str()).collect();
            writeln!(told, "{kind}: {}", names.join(", ")).unwrap();
        }
        _ => writeln!(told, "{}", plain(value)).unwrap(),
    }
}

fn table(told: &mut String, table: &Value) {
    let texts = |values: &Value, text: fn(&Value) -> String| {
        let values: Vec<_> = values.as_array().into_iter().flatten().map(text).collect();
        values.join(" | ")
    };
    let columns = texts(&table["columnDefinitions"], |column| {
        let name = column["name"].as_str().unwrap_or_default();
        if column["priority"] == 0 { name.to_owned() } else { format!("({name})") }
    });
    if !columns.is_empty() {
        writeln!(told, "{columns}").unwrap();
    }
    let cell = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
    for row in table["rows"].as_array().into_iter().flatten() {
        writeln!(told, "{}", texts(&row["cells"], cell)).unwrap();
    }
}

/// An object without what differs from server to server; of its managers, who they are.
fn plain(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["uid", "resourceVersion", "creationTimestamp"] {
            metadata.remove(field);
        }
        if let Some(Value::Array(entries)) = metadata.get_mut("managedFields") {
            for entry in entries {
                let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
                *entry = format!("{} {}", text("manager"), text("operation")).into();
            }
        }
    }
    object
}
