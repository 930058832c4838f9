//! Writing whole objects: create and replace.
//!
//! The rules every kind shares: names, preconditions, what a part may change, generation, silence when
//! nothing changed. It knows nothing of HTTP, and asks others about schemas and field ownership.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    State, admission,
    catalog::{Origin, Served},
    deletion,
    errors::{ApiError, Cause, Subject},
    fields::{self, Difference},
    kinds::{self, StatusWrites},
    metadata::{is_terminating, metadata_mut, name_of, namespace_of, resource_version_of, text},
    ownership::{self, Applied, Manager, Managers, Operation, OwnedScope},
    versions,
};
use crate::clock::seconds;

/// Whether a write takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is stored.
    Stored,
    /// Everything but storing is done.
    DryRun,
}

/// What becomes of fields that the schema does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnknownFields {
    /// They are dropped in silence.
    Dropped,
    /// They are dropped and the writer is told.
    Warned,
    /// The write is refused.
    Refused,
}

/// Who writes, when, and how strictly; and what the writer is to be told.
#[derive(Debug, Clone)]
pub(super) struct Writing {
    pub(super) manager: String,
    pub(super) now: DateTime<Utc>,
    pub(super) effect: Effect,
    pub(super) unknown: UnknownFields,
    pub(super) warnings: Vec<String>,
}

impl Writing {
    pub(super) fn new(manager: &str, now: DateTime<Utc>, effect: Effect, unknown: UnknownFields) -> Self {
        Self { manager: manager.to_owned(), now, effect, unknown, warnings: Vec::new() }
    }
}

/// Which part of an object a write may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything but the status, where the status is a resource of its own.
    Object,
    /// The status alone.
    Status,
    /// The replicas alone, through `/scale`.
    Scale,
}

/// As `managedFields` names the part.
pub(super) fn subresource_of(part: Part) -> &'static str {
    match part {
        Part::Object => "",
        Part::Status => "status",
        Part::Scale => "scale",
    }
}

/// What of an object can be owned through that part.
pub(super) fn owned_scope(served: &Served, part: Part) -> OwnedScope {
    match part {
        Part::Status => OwnedScope::StatusAlone,
        Part::Object | Part::Scale if served.has_status() => OwnedScope::AllButStatus,
        Part::Object | Part::Scale => OwnedScope::All,
    }
}

/// Must a replacement say which version it replaces?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unconditional {
    /// Without a resource version it replaces whatever is there.
    Allowed,
    /// Without one it is refused, as custom resources are.
    Refused,
}

/// How a write bears on who owns what.
enum Owners {
    /// The writer comes to own what it changes.
    OfChanges,
    /// An application has settled it.
    Settled(Managers),
}

/// Creates `object` in `namespace` (empty for cluster-scoped kinds).
pub(super) fn create(
    state: &mut State,
    served: &Served,
    namespace: &str,
    object: Value,
    writing: &mut Writing,
) -> Result<Arc<Value>, ApiError> {
    if !resource_version_of(&object).is_empty() {
        let why = "resourceVersion should not be set on objects to be created";
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "", why));
    }
    insert(state, served, namespace, object, Owners::OfChanges, writing)
}

/// Creates the object that an application made of nothing.
pub(super) fn create_applied(
    state: &mut State,
    served: &Served,
    namespace: &str,
    applied: Applied,
    writing: &mut Writing,
) -> Result<Arc<Value>, ApiError> {
    insert(state, served, namespace, applied.object, Owners::Settled(applied.managers), writing)
}

fn insert(
    state: &mut State,
    served: &Served,
    namespace: &str,
    mut object: Value,
    owners: Owners,
    writing: &mut Writing,
) -> Result<Arc<Value>, ApiError> {
    check_stated_type(served, &mut object)?;
    place(served, namespace, &mut object)?;
    require_namespace(state, served, namespace_of(&object), name_of(&object))?;
    stamp_new(state, served, &mut object, writing);
    if name_of(&object).is_empty() {
        return Err(nameless(served));
    }
    admission::shape(served, &mut object, writing)?;
    prepare_new(served, &mut object);
    let nothing = json!({"metadata": {}});
    own(served, Part::Object, &nothing, &mut object, owners, writing);
    admission::judge(served, &object, None, state.gates)?;
    let object = versions::to_stored(served, object);
    if state.store.get(served.stored_as(), namespace_of(&object), name_of(&object)).is_some() {
        return Err(ApiError::already_exists(served.name(), name_of(&object)));
    }
    Ok(match writing.effect {
        Effect::Stored => state.store.put(&served.resource.storage, object),
        Effect::DryRun => Arc::new(object),
    })
}

fn nameless(served: &Served) -> ApiError {
    let subject = Subject { resource: served.name(), kind: &served.resource.kind, name: "" };
    let cause = Cause {
        field: "metadata.name".to_owned(),
        reason: "FieldValueRequired",
        message: "Required value: name or generateName is required".to_owned(),
    };
    ApiError::invalid(subject, &[cause])
}

/// The body must be of the kind and version of the path; what it leaves out is filled in.
pub(super) fn check_stated_type(served: &Served, object: &mut Value) -> Result<(), ApiError> {
    let Some(fields) = object.as_object_mut() else {
        return Err(ApiError::bad_request("the body of the request is not an object"));
    };
    let expected = [("apiVersion", &served.version.api_version), ("kind", &served.resource.kind)];
    for (field, wanted) in expected {
        let found = fields.entry(field).or_insert_with(|| Value::String(wanted.clone()));
        if found.as_str() != Some(wanted) {
            return Err(other_type(served, object));
        }
    }
    Ok(())
}

fn other_type(served: &Served, object: &Value) -> ApiError {
    let stated = |field: &str| object[field].as_str().unwrap_or_default();
    let (version, kind) = (stated("apiVersion"), stated("kind"));
    let wanted = &served.resource.kind;
    if served.resource.origin == Origin::BuiltIn {
        let short = version.rsplit('/').next().unwrap_or_default();
        return ApiError::bad_request(format!(
            "{kind} in version \"{short}\" cannot be handled as a {wanted}: converting ({version}.{kind}) to ({wanted}): unknown conversion"
        ));
    }
    if version != served.version.api_version {
        return ApiError::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({})",
            served.version.api_version
        ));
    }
    let cause = Cause {
        field: "kind".to_owned(),
        reason: "FieldValueInvalid",
        message: format!("Invalid value: {}: must be {wanted}", json!(kind)),
    };
    ApiError::invalid(Subject { resource: served.name(), kind, name: name_of(object) }, &[cause])
}

/// Brings the namespace of the path and that of the body together.
fn place(served: &Served, namespace: &str, object: &mut Value) -> Result<(), ApiError> {
    let metadata = metadata_mut(object);
    if !served.is_namespaced() {
        metadata.remove("namespace");
        return Ok(());
    }
    let stated = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    if !stated.is_empty() && stated != namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    metadata.insert("namespace".to_owned(), json!(namespace));
    Ok(())
}

fn require_namespace(state: &State, served: &Served, namespace: &str, name: &str) -> Result<(), ApiError> {
    if !served.is_namespaced() {
        return Ok(());
    }
    let namespaces = kinds::NAMESPACES.resource();
    let Some(found) = state.store.get(&namespaces, "", namespace) else {
        return Err(ApiError::not_found(&namespaces, namespace));
    };
    if !is_terminating(found) {
        return Ok(());
    }
    Err(ApiError::terminating(served.name(), name, namespace))
}

/// What the server alone decides about a new object.
fn stamp_new(state: &mut State, served: &Served, object: &mut Value, writing: &Writing) {
    let uid = state.next_uid();
    let prefix = text(object, "generateName").to_owned();
    let generated = (name_of(object).is_empty() && !prefix.is_empty())
        .then(|| format!("{prefix}{}", state.next_suffix()));
    let metadata = metadata_mut(object);
    if let Some(name) = generated {
        metadata.insert("name".to_owned(), json!(name));
    }
    for decided in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
        "resourceVersion",
        "generation",
    ] {
        metadata.remove(decided);
    }
    metadata.insert("uid".to_owned(), json!(uid));
    metadata.insert("creationTimestamp".to_owned(), json!(seconds(writing.now)));
    if counts_generations(served) {
        metadata.insert("generation".to_owned(), json!(1));
    }
}

/// A new object has no status but what its kind starts with; nodes report theirs at once.
fn prepare_new(served: &Served, object: &mut Value) {
    if served.has_status()
        && !kinds::NODES.is_of(served.name())
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove("status");
        if kinds::HORIZONTAL_POD_AUTOSCALERS.is_of(served.name()) {
            // What a Go struct shows that nobody has filled in.
            fields.insert("status".to_owned(), json!({"desiredReplicas": 0}));
        }
    }
    if kinds::PODS.is_of(served.name()) {
        object["status"] = json!({"phase": "Pending"});
    }
    if kinds::NAMESPACES.is_of(served.name()) {
        object["status"] = json!({"phase": "Active"});
        object["spec"]["finalizers"] = json!(["kubernetes"]);
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name_of(object));
    }
}

/// Custom resources always, built-in kinds where their status is separate; pods, nodes and namespaces never.
fn counts_generations(served: &Served) -> bool {
    let uncounted = [kinds::NODES, kinds::NAMESPACES, kinds::SERVICES, kinds::HORIZONTAL_POD_AUTOSCALERS];
    served.resource.origin == Origin::Custom
        || (served.has_status() && !uncounted.iter().any(|kind| kind.is_of(served.name())))
}

/// Replaces one part of an object by what `object` says of it.
pub(super) fn update(
    state: &mut State,
    served: &Served,
    part: Part,
    mut object: Value,
    unconditional: Unconditional,
    writing: &mut Writing,
) -> Result<Arc<Value>, ApiError> {
    check_stated_type(served, &mut object)?;
    let old = existing(state, served, namespace_of(&object), name_of(&object))?;
    if resource_version_of(&object).is_empty() && unconditional == Unconditional::Refused {
        let subject =
            Subject { resource: served.name(), kind: &served.resource.kind, name: name_of(&object) };
        let cause = Cause {
            field: "metadata.resourceVersion".to_owned(),
            reason: "FieldValueInvalid",
            message: "Invalid value: 0: must be specified for an update".to_owned(),
        };
        return Err(ApiError::invalid(subject, &[cause]));
    }
    replace(state, served, part, &old, object, writing)
}

/// The stored object of that key, or 404.
pub(super) fn existing(
    state: &State,
    served: &Served,
    namespace: &str,
    name: &str,
) -> Result<Arc<Value>, ApiError> {
    let found = state.store.get(served.stored_as(), namespace, name);
    found.cloned().ok_or_else(|| ApiError::not_found(served.name(), name))
}

/// Stores `new` over `old` as far as `part` reaches; the same object under the same revision if that changes nothing.
pub(super) fn replace(
    state: &mut State,
    served: &Served,
    part: Part,
    old: &Arc<Value>,
    new: Value,
    writing: &mut Writing,
) -> Result<Arc<Value>, ApiError> {
    supersede(state, served, part, old, new, Owners::OfChanges, writing)
}

/// Stores what an application made of `old`.
pub(super) fn replace_applied(
    state: &mut State,
    served: &Served,
    part: Part,
    old: &Arc<Value>,
    applied: Applied,
    writing: &mut Writing,
) -> Result<Arc<Value>, ApiError> {
    supersede(state, served, part, old, applied.object, Owners::Settled(applied.managers), writing)
}

fn supersede(
    state: &mut State,
    served: &Served,
    part: Part,
    old: &Arc<Value>,
    new: Value,
    owners: Owners,
    writing: &mut Writing,
) -> Result<Arc<Value>, ApiError> {
    check_preconditions(served, old, &new)?;
    let resets = resets_owners(&new);
    let before = versions::present(served, old);
    let mut new = within(served, part, &before, new);
    admission::shape(served, &mut new, writing)?;
    if matches!(owners, Owners::OfChanges) && !resets && new == *before {
        return Ok(old.clone());
    }
    count_generation(served, part, &before, &mut new);
    if resets {
        metadata_mut(&mut new).remove("managedFields");
    }
    own(served, part, &before, &mut new, owners, writing);
    if new == *before {
        return Ok(old.clone());
    }
    admission::judge(served, &new, Some(&before), state.gates)?;
    let new = versions::to_stored(served, new);
    if writing.effect == Effect::DryRun {
        return Ok(Arc::new(new));
    }
    if is_terminating(&new) && !deletion::is_held(&new) {
        return Ok(state.store.remove(&served.resource.storage, new));
    }
    Ok(state.store.put(&served.resource.storage, new))
}

/// A list of one empty entry asks to forget all owners.
fn resets_owners(object: &Value) -> bool {
    let entries = object["metadata"]["managedFields"].as_array();
    entries.is_some_and(|entries| matches!(entries.as_slice(), [only] if *only == json!({})))
}

fn own(served: &Served, part: Part, old: &Value, new: &mut Value, owners: Owners, writing: &Writing) {
    let managers = match owners {
        Owners::Settled(managers) => managers,
        Owners::OfChanges => {
            let schema = served.version.rules.as_ref().map(|rules| &rules.schema);
            let scope = owned_scope(served, part);
            let mut difference = fields::compare(old, new, schema);
            difference.changed = scope.restrict(difference.changed);
            difference.removed = scope.restrict(difference.removed);
            if difference == Difference::default() {
                return;
            }
            let manager = Manager {
                name: writing.manager.clone(),
                operation: Operation::Update,
                api_version: served.version.api_version.clone(),
                subresource: subresource_of(part),
            };
            let mut managers = Managers::of(new);
            if managers.is_empty() && !text(old, "uid").is_empty() {
                // Owners are noted from the making on or from the first application on.
                return;
            }
            let time = seconds(writing.now);
            if difference.removed.is_empty() && ownership::touch(new, &manager, &difference.changed, &time) {
                return;
            }
            managers.changed_by(&manager, &difference, &time);
            managers
        }
    };
    managers.write(new);
}

fn check_preconditions(served: &Served, old: &Value, new: &Value) -> Result<(), ApiError> {
    let name = name_of(old);
    let expected = resource_version_of(new);
    if !expected.is_empty() && expected != resource_version_of(old) {
        return Err(ApiError::modified(served.name(), name));
    }
    let (wanted, uid) = (text(new, "uid"), text(old, "uid"));
    if !wanted.is_empty() && wanted != uid {
        let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}");
        return Err(ApiError::conflict(served.name(), name, &why));
    }
    check_fixed(served, old, new, "deletionTimestamp")
}

/// Refuses to change a piece of metadata that, once there, stays as it is; leaving it out is no change.
pub(super) fn check_fixed(served: &Served, old: &Value, new: &Value, field: &str) -> Result<(), ApiError> {
    let stated = text(new, field);
    if stated.is_empty() || stated == text(old, field) {
        return Ok(());
    }
    let subject = Subject { resource: served.name(), kind: &served.resource.kind, name: name_of(old) };
    let cause = Cause {
        field: format!("metadata.{field}"),
        reason: "FieldValueInvalid",
        message: format!("Invalid value: {}: field is immutable", json!(stated)),
    };
    Err(ApiError::invalid(subject, &[cause]))
}

/// Metadata that no writer decides stays as it was.
fn keep_decided(old: &Value, new: &mut Value) {
    let metadata = metadata_mut(new);
    let decided = [
        "name",
        "namespace",
        "generateName",
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
        "selfLink",
        "managedFields",
    ];
    for field in decided {
        match old["metadata"].get(field) {
            Some(value) => metadata.insert(field.to_owned(), value.clone()),
            None => metadata.remove(field),
        };
    }
}

/// What a write comes to: outside its part, and in what no writer decides, everything stays as it was.
fn within(served: &Served, part: Part, old: &Value, mut new: Value) -> Value {
    let status = match part {
        Part::Object | Part::Scale if !served.has_status() => {
            keep_decided(old, &mut new);
            return new;
        }
        Part::Object | Part::Scale => {
            keep_decided(old, &mut new);
            old.get("status").cloned()
        }
        Part::Status => {
            let status = new.get_mut("status").map(Value::take);
            new = old.clone();
            status
        }
    };
    if let Some(fields) = new.as_object_mut() {
        match status {
            Some(status) => fields.insert("status".to_owned(), status),
            None => fields.remove("status"),
        };
    }
    new
}

fn count_generation(served: &Served, part: Part, old: &Value, new: &mut Value) {
    if part == Part::Status || !counts_generations(served) || same_intent(served, old, new) {
        return;
    }
    let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
    metadata_mut(new).insert("generation".to_owned(), json!(generation));
}

/// Whether two states of an object ask for the same: all but metadata, and but the status where it is separate.
fn same_intent(served: &Served, old: &Value, new: &Value) -> bool {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return false };
    let asks = |field: &str| match served.version.status {
        StatusWrites::Subresource => field != "metadata" && field != "status",
        StatusWrites::WithObject => field != "metadata",
    };
    // Deployments hand their annotations on to what they make.
    let annotations = |object: &Map<String, Value>| object["metadata"].get("annotations").cloned();
    if kinds::DEPLOYMENTS.is_of(served.name()) && annotations(old) != annotations(new) {
        return false;
    }
    let count = |object: &Map<String, Value>| object.keys().filter(|field| asks(field)).count();
    count(old) == count(new)
        && old.iter().filter(|(field, _)| asks(field)).all(|(field, value)| new.get(field) == Some(value))
}
