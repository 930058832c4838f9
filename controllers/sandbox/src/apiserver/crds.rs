//! Kinds made by `CustomResourceDefinition`s: served from the moment one is stored until it is gone.
//!
//! It turns definitions into entries of the catalog; it does not serve their objects.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::tables::PrinterColumn;
use super::{
    State,
    catalog::{Origin, Resource, Version},
    compiled,
    errors::Cause,
    garbage::{self, Place},
    kinds::{self, GroupResource, Kind, ScalePaths, Scope, StatusWrites, api_version},
    metadata::{is_terminating, metadata_mut, name_of},
    objects::Writing,
    rules::Rules,
};
use crate::clock::seconds;

const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// All that keeps a definition from being served.
pub(super) fn violations(definition: &Value) -> Vec<Cause> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (plural, group) = (text(&spec["names"]["plural"]), text(&spec["group"]));
    let mut causes = Vec::new();
    if name_of(definition) != format!("{plural}.{group}") {
        let name = json!(name_of(definition));
        let message = format!("Invalid value: {name}: must be spec.names.plural+\".\"+spec.group");
        causes.push(invalid("metadata.name", message));
    }
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let message = format!(
            "Invalid value: {}: must have exactly one version marked as storage version",
            spec["versions"]
        );
        causes.push(invalid("spec.versions", message));
    }
    causes.extend(schemas_violations(versions));
    causes
}

/// A schema that all versions share is told of as one.
fn schemas_violations(versions: &[Value]) -> Vec<Cause> {
    let schemas: Vec<&Value> = versions.iter().map(|version| &version["schema"]["openAPIV3Schema"]).collect();
    let mut causes = Vec::new();
    for index in (0..schemas.len()).filter(|index| schemas[*index].is_null()) {
        let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
        let message = "Required value".to_owned();
        causes.push(Cause { field, reason: "FieldValueRequired", message });
    }
    let Some(first) = schemas.first().filter(|_| causes.is_empty()) else { return causes };
    if schemas.iter().all(|schema| schema == first) {
        return compiled::schema_violations(first, "spec.validation.openAPIV3Schema");
    }
    let each = schemas.iter().enumerate().flat_map(|(index, schema)| {
        compiled::schema_violations(schema, &format!("spec.versions[{index}].schema.openAPIV3Schema"))
    });
    each.collect()
}

fn invalid(field: &str, message: String) -> Cause {
    Cause { field: field.to_owned(), reason: "FieldValueInvalid", message }
}

/// Names that a definition may leave out.
pub(super) fn complete(definition: &mut Value) {
    let kind = definition["spec"]["names"]["kind"].as_str().unwrap_or_default().to_owned();
    let names = &mut definition["spec"]["names"];
    if names["singular"].is_null() {
        names["singular"] = json!(kind.to_lowercase());
    }
    if names["listKind"].is_null() {
        names["listKind"] = json!(format!("{kind}List"));
    }
}

/// After a definition was written: serves it as it now is, or clears its objects away if it is to go.
pub(super) fn follow(state: &mut State, definition: &Value, writing: &Writing) {
    let resource = resource_of(definition);
    if is_terminating(definition) {
        if let Some(kind) = state.catalog.get(&resource).map(|resource| resource.storage.clone()) {
            for (namespace, name) in state.store.keys(&resource) {
                garbage::remove(state, &(kind.clone(), namespace, name), writing);
            }
        }
        finish(state, &resource);
        return;
    }
    let generation = definition["metadata"]["generation"].as_i64().unwrap_or_default();
    if state.catalog.get(&resource).is_some_and(|known| known.generation == generation) {
        return;
    }
    match served(definition, generation) {
        Ok(served) => {
            // What is stored already is seen in the new shape from here on, under the revision it has.
            if let Some(rules) = stored_rules(&served) {
                state.store.reshape(&resource, |object| rules.reshape(object));
            }
            state.catalog.put(served);
        }
        Err(error) => tracing::error!(%resource, %error, "a stored definition cannot be served"),
    }
    establish(state, definition, writing);
}

/// The rules of the version that objects are stored in.
fn stored_rules(resource: &Resource) -> Option<&Rules> {
    resource.versions.get(resource.storage.version.as_ref())?.rules.as_deref()
}

fn resource_of(definition: &Value) -> GroupResource {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let spec = &definition["spec"];
    GroupResource { group: text(&spec["group"]).into(), plural: text(&spec["names"]["plural"]).into() }
}

fn served(definition: &Value, generation: i64) -> Result<Resource, super::schema::SchemaError> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
    let resource = resource_of(definition);
    let rows = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut versions = BTreeMap::new();
    for row in rows.iter().filter(|row| row["served"] == true) {
        versions.insert(text(&row["name"]), Arc::new(version(&resource.group, row)?));
    }
    let storage =
        rows.iter().find(|row| row["storage"] == true).map_or_else(String::new, |row| text(&row["name"]));
    Ok(Resource {
        kind: text(&spec["names"]["kind"]),
        list_kind: text(&spec["names"]["listKind"]),
        singular: text(&spec["names"]["singular"]),
        short_names: texts(&spec["names"]["shortNames"]),
        categories: texts(&spec["names"]["categories"]),
        scope: if spec["scope"] == "Namespaced" { Scope::Namespaced } else { Scope::Cluster },
        origin: Origin::Custom,
        storage: Arc::new(Kind::named(&resource.group, &storage, &resource.plural)),
        stored: resource.clone(),
        generation,
        versions,
        id: resource,
    })
}

fn version(group: &str, row: &Value) -> Result<Version, super::schema::SchemaError> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let scale = &row["subresources"]["scale"];
    let fields = row["selectableFields"].as_array().into_iter().flatten();
    let fields = fields.filter_map(|field| text(&field["jsonPath"]));
    let name = text(&row["name"]).unwrap_or_default();
    let with_status = row["subresources"].get("status").is_some();
    Ok(Version {
        api_version: api_version(group, &name),
        status: if with_status { StatusWrites::Subresource } else { StatusWrites::WithObject },
        scale: text(&scale["specReplicasPath"]).map(|spec_replicas| ScalePaths {
            spec_replicas,
            status_replicas: text(&scale["statusReplicasPath"]).unwrap_or_default(),
            label_selector: text(&scale["labelSelectorPath"]),
        }),
        columns: columns(row),
        selectable_fields: fields.map(|path| path.trim_start_matches('.').to_owned()).collect(),
        rules: Some(compiled::rules(&row["schema"]["openAPIV3Schema"])?),
        name,
    })
}

/// The columns that a version states; without any, tables show the age.
fn columns(version: &Value) -> Vec<PrinterColumn> {
    let Some(stated) = version["additionalPrinterColumns"].as_array().filter(|stated| !stated.is_empty())
    else {
        return vec![PrinterColumn::age()];
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let column = |row: &Value| PrinterColumn {
        name: text(&row["name"]),
        column_type: text(&row["type"]),
        json_path: text(&row["jsonPath"]),
        description: text(&row["description"]),
        format: text(&row["format"]),
        priority: row["priority"].as_i64().unwrap_or_default(),
    };
    stated.iter().map(column).collect()
}

/// Says in the definition's status that its kind is served.
fn establish(state: &mut State, definition: &Value, writing: &Writing) {
    let now = seconds(writing.now);
    let condition = |kind: &str, reason: &str, message: &str| {
        let before = definition["status"]["conditions"].as_array().into_iter().flatten();
        let since = before.filter(|condition| condition["type"] == kind && condition["status"] == "True");
        let since = since.map(|condition| condition["lastTransitionTime"].clone()).next();
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": since.unwrap_or_else(|| json!(now)),
        })
    };
    let stored = definition["spec"]["versions"].as_array().into_iter().flatten();
    let stored = stored.filter(|version| version["storage"] == true).map(|version| version["name"].clone());
    let mut served = definition.clone();
    served["status"] = json!({
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": stored.collect::<Vec<_>>(),
    });
    metadata_mut(&mut served).insert("finalizers".to_owned(), json!([CLEANUP]));
    state.store.put(&Arc::new(kinds::CUSTOM_RESOURCE_DEFINITIONS), served);
}

/// A definition on its way out goes when the last object of its kind has gone.
pub(super) fn finish(state: &mut State, resource: &GroupResource) {
    let place: Place = (Arc::new(kinds::CUSTOM_RESOURCE_DEFINITIONS), String::new(), resource.to_string());
    let definition = state.store.get(&kinds::CUSTOM_RESOURCE_DEFINITIONS.resource(), "", &place.2);
    let leaving = definition.is_some_and(|definition| is_terminating(definition));
    if leaving && state.store.keys(resource).is_empty() {
        garbage::drop_finalizer(state, &place, CLEANUP);
    }
}

/// After a definition has gone: its kind is no longer served and its watches end.
pub(super) fn withdraw(state: &mut State, definition: &Value) {
    let resource = resource_of(definition);
    state.catalog.remove(&resource);
    state.store.hang_up(&resource);
}
