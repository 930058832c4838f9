//! Writing a status.
//!
//! Responsible for saying what changed, and nothing when nothing did. Knows nothing of what a status means.

use std::{fmt::Debug, time::Duration};

use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{client::CallError, leadership::Term};

/// What writing a status came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusWrite<K> {
    /// It was written; the object as it is now.
    Written(Box<K>),
    /// It says what it said before: nothing was written.
    Unchanged,
}

/// Makes the status of `object`, which said `old`, say `new`.
///
/// Both are compared as they would be on the wire, with times cut to whole seconds; only the difference is sent,
/// as a JSON merge patch of the status subresource: a field that is no longer there is removed, a list is
/// replaced whole. The patch carries the resourceVersion of `object`, so that a newer version is a
/// [`CallError::Conflict`].
pub async fn write_status<K, S>(
    api: &Api<K>,
    term: &Term,
    budget: Duration,
    object: &K,
    old: Option<&S>,
    new: &S,
) -> Result<StatusWrite<K>, CallError>
where
    K: Resource + Clone + DeserializeOwned + Debug,
    S: Serialize,
{
    let Some(change) = difference(&on_the_wire(old)?, &on_the_wire(Some(new))?) else {
        return Ok(StatusWrite::Unchanged);
    };
    let patch = Patch::Merge(json!({
        "metadata": { "resourceVersion": object.resource_version() },
        "status": change,
    }));
    let name = object.name_any();
    let written = term.write(budget, api.patch_status(&name, &PatchParams::default(), &patch)).await?;
    Ok(StatusWrite::Written(Box::new(written)))
}

fn on_the_wire<S: Serialize>(status: Option<&S>) -> Result<Value, CallError> {
    serde_json::to_value(status)
        .map(settled)
        .map_err(|error| CallError::Other(format!("the status cannot be written as JSON: {error}")))
}

/// The same value without nulls in objects and without fractions of seconds.
fn settled(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, field)| !field.is_null())
            .map(|(name, field)| (name, settled(field)))
            .collect(),
        Value::Array(items) => items.into_iter().map(settled).collect(),
        Value::String(text) => Value::String(whole_seconds(text)),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

/// `2026-01-02T03:04:05.678Z` without the fraction; any other text as it is.
fn whole_seconds(text: String) -> String {
    const SECONDS: usize = "2026-01-02T03:04:05".len();
    let has_fraction = text.as_bytes().get(SECONDS) == Some(&b'.') && text.ends_with('Z');
    if !has_fraction || chrono::DateTime::parse_from_rfc3339(&text).is_err() {
        return text;
    }
    format!("{}Z", &text[..SECONDS])
}

/// The JSON merge patch (RFC 7386) that makes `new` of `old`, if they differ. Neither may hold nulls in objects.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let patch = fields_that_differ(old, new);
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        (old, new) => (old != new).then(|| new.clone()),
    }
}

fn fields_that_differ(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let removed = old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), Value::Null));
    let changed = new.iter().filter_map(|(name, field)| {
        let change = match old.get(name) {
            Some(before) => difference(before, field)?,
            None => field.clone(),
        };
        Some((name.clone(), change))
    });
    removed.chain(changed).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kube::core::DynamicObject;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        fake::{Answer, FakeServer, refusal},
        leadership,
    };

    const BUDGET: Duration = Duration::from_secs(1);

    fn object(version: u32) -> Value {
        json!({
            "apiVersion": "example.org/v1", "kind": "Lamp",
            "metadata": { "name": "desk", "namespace": "default", "resourceVersion": version.to_string() },
        })
    }

    async fn write(
        server: &FakeServer,
        old: Option<&Value>,
        new: &Value,
    ) -> Result<StatusWrite<DynamicObject>, CallError> {
        let kind = kube::core::ApiResource {
            group: "example.org".to_owned(),
            version: "v1".to_owned(),
            api_version: "example.org/v1".to_owned(),
            kind: "Lamp".to_owned(),
            plural: "lamps".to_owned(),
        };
        let api = Api::<DynamicObject>::namespaced_with(server.client(), "default", &kind);
        let lamp = serde_json::from_value(object(7)).unwrap();
        write_status(&api, &leadership::sole(), BUDGET, &lamp, old, new).await
    }

    #[tokio::test]
    async fn a_status_that_says_nothing_new_is_not_written() {
        let server = FakeServer::default();
        let old = json!({ "lit": true, "since": "2026-01-02T03:04:05.9Z", "rooms": [{ "name": "a" }] });
        let new =
            json!({ "lit": true, "since": "2026-01-02T03:04:05Z", "rooms": [{ "name": "a", "x": null }] });
        assert_eq!(write(&server, Some(&old), &new).await.unwrap(), StatusWrite::Unchanged);
        assert!(server.calls().is_empty());
    }

    #[tokio::test]
    async fn only_the_difference_is_sent_and_what_is_gone_is_removed() {
        let server = FakeServer::answering([Answer::Json(200, object(8))]);
        let old =
            json!({ "lit": true, "why": "dusk", "rooms": [1, 2], "power": { "watts": 5, "volts": 12 } });
        let new = json!({ "lit": true, "rooms": [2], "power": { "watts": 6 } });
        let written = write(&server, Some(&old), &new).await.unwrap();
        assert!(
            matches!(written, StatusWrite::Written(lamp) if lamp.metadata.resource_version.as_deref() == Some("8"))
        );
        let call = &server.calls()[0];
        assert!(
            call.line.starts_with("PATCH /apis/example.org/v1/namespaces/default/lamps/desk/status"),
            "{}",
            call.line
        );
        assert_eq!(
            call.body,
            json!({
                "metadata": { "resourceVersion": "7" },
                "status": { "why": null, "rooms": [2], "power": { "watts": 6, "volts": null } },
            })
        );
    }

    #[tokio::test]
    async fn the_first_status_is_sent_whole() {
        let server = FakeServer::answering([Answer::Json(200, object(8))]);
        write(&server, None, &json!({ "lit": false })).await.unwrap();
        assert_eq!(server.calls()[0].body["status"], json!({ "lit": false }));
    }

    #[tokio::test]
    async fn a_newer_version_is_a_conflict() {
        let server = FakeServer::answering([refusal(409, "Conflict")]);
        let error = write(&server, None, &json!({ "lit": false })).await.unwrap_err();
        assert_eq!(error.class(), "conflict");
    }

    #[test]
    fn only_times_lose_their_fraction() {
        for text in ["2026-01-02T03:04:05.5 o'clockZ", "3.14", "2026-13-02T03:04:05.5Z", ""] {
            assert_eq!(whole_seconds(text.to_owned()), text);
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3_i32).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..4).prop_map(object_of),
            ]
        })
    }

    fn object_of(fields: BTreeMap<String, Value>) -> Value {
        fields.into_iter().collect()
    }

    proptest! {
        /// The oracle is the merge patch of another implementation.
        #[test]
        fn the_difference_turns_the_old_status_into_the_new_one(old in json_value(), new in json_value()) {
            let (old, new) = (settled(old), settled(new));
            let mut patched = old.clone();
            let patch = difference(&old, &new);
            prop_assert_eq!(patch.is_none(), old == new);
            if let Some(patch) = patch {
                json_patch::merge(&mut patched, &patch);
            }
            prop_assert_eq!(patched, new);
        }
    }
}
