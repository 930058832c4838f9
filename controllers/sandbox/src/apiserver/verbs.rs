//! What each HTTP verb does on objects of a kind.
//!
//! It turns requests into operations and their results into answers; the rules of the operations are elsewhere.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::{
    ApiServer, State, admission,
    catalog::{Origin, Served},
    decoding,
    deletion::{DeletePreconditions, Deletion},
    errors::ApiError,
    garbage::{self, Propagation},
    kinds::{self, GroupResource},
    lists,
    metadata::{metadata_mut, name_of, namespace_of, text},
    objects::{self, Effect, Part, Unconditional, UnknownFields, Writing},
    patches::{self, PatchType},
    protobuf,
    response::{self, ResponseBody},
    routes::{Query, Target},
    scale,
    selectors::Selection,
    tables::{self, Rows},
    versions, watches,
};

/// A request on objects of a kind.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) query: Query,
    /// Media type of the body without parameters; empty if none was stated.
    pub(super) media_type: String,
    pub(super) body: Bytes,
    /// Whether GET is answered with a table, and with what of the objects.
    pub(super) table: Option<Rows>,
    /// Who fields belong to if the query does not say.
    pub(super) user_agent: String,
}

type Answer = Result<Response<ResponseBody>, ApiError>;

/// How many bytes the name of a field manager may have.
const MANAGER_LENGTH: usize = 128;

/// Serves one request.
pub(super) fn serve(api: &ApiServer, call: &Call) -> Answer {
    let mut state = api.state();
    let served = state.catalog.find(&call.target.kind).ok_or_else(ApiError::no_such_path)?;
    if call.target.namespace.is_some() && !served.is_namespaced() {
        return Err(ApiError::no_such_path());
    }
    let mut writing = writing(api, call)?;
    let answer = match (call.target.name.is_some(), call.target.subresource.as_deref()) {
        (false, _) => on_collection(api, &mut state, &served, call, &mut writing),
        (true, None) => on_object(&mut state, &served, call, &mut writing),
        (true, Some("status")) if served.has_status() => on_status(&mut state, &served, call, &mut writing),
        (true, Some("scale")) if served.version.scale.is_some() => {
            on_scale(&mut state, &served, call, &mut writing)
        }
        (true, Some(_)) => Err(ApiError::no_such_path()),
    };
    garbage::settle(&mut state, &writing);
    answer.map(|mut answer| {
        response::warn(&mut answer, &writing.warnings);
        answer
    })
}

fn writing(api: &ApiServer, call: &Call) -> Result<Writing, ApiError> {
    let effect = match call.query.get("dryRun") {
        None => Effect::Stored,
        Some("All") => Effect::DryRun,
        Some(other) => {
            return Err(ApiError::unprocessable(format!(
                "Options.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"{other}\": supported values: \"All\""
            )));
        }
    };
    let unknown = match call.query.get("fieldValidation") {
        Some("Strict") => UnknownFields::Refused,
        Some("Ignore") => UnknownFields::Dropped,
        None | Some("Warn") => UnknownFields::Warned,
        Some(other) => {
            return Err(ApiError::unprocessable(format!(
                "Options.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"{other}\": supported values: \"Ignore\", \"Strict\", \"Warn\""
            )));
        }
    };
    let agent = call.user_agent.split('/').next().unwrap_or_default();
    let manager = call.query.get("fieldManager").unwrap_or(if agent.is_empty() { "unknown" } else { agent });
    if manager.len() > MANAGER_LENGTH {
        return Err(ApiError::unprocessable(format!(
            "{} \"\" is invalid: fieldManager: Too long: may not be more than {MANAGER_LENGTH} bytes",
            match call.method {
                Method::POST => "CreateOptions.meta.k8s.io",
                Method::PATCH => "PatchOptions.meta.k8s.io",
                _ => "UpdateOptions.meta.k8s.io",
            }
        )));
    }
    Ok(Writing::new(manager, api.now(), effect, unknown))
}

fn on_collection(
    api: &ApiServer,
    state: &mut State,
    served: &Served,
    call: &Call,
    writing: &mut Writing,
) -> Answer {
    let namespace = call.target.namespace.as_deref();
    match call.method {
        Method::GET if call.query.is_on("watch") => {
            let selection = Selection::of(served, namespace, &call.query)?;
            let wish = watches::Wish { selection, table: call.table };
            let events = watches::watch(api, state, served.clone(), wish, &call.query)?;
            Ok(response::with_body(StatusCode::OK, "application/json", ResponseBody::events(events)))
        }
        Method::GET => {
            let selection = Selection::of(served, namespace, &call.query)?;
            let page = lists::list(state, served, &selection, &call.query)?;
            Ok(match call.table {
                Some(rows) => {
                    response::json(StatusCode::OK, &tables::of_page(served, &page, rows, writing.now))
                }
                None => response::of_bytes(StatusCode::OK, "application/json", page.render(served)),
            })
        }
        Method::POST if namespace.is_some() == served.is_namespaced() => {
            let object = decode(call)?;
            let created = objects::create(state, served, call.target.namespace(), object, writing)?;
            Ok(answer(StatusCode::CREATED, served, &created))
        }
        Method::DELETE if namespace.is_some() == served.is_namespaced() => {
            delete_collection(state, served, call, writing)
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn answer(code: StatusCode, served: &Served, object: &Arc<Value>) -> Response<ResponseBody> {
    response::json(code, versions::present(served, object).as_ref())
}

/// The body as JSON, whether it came as JSON or YAML.
fn decode(call: &Call) -> Result<Value, ApiError> {
    let text = || std::str::from_utf8(&call.body).map_err(|error| ApiError::bad_request(error.to_string()));
    match call.media_type.as_str() {
        "" | "application/json" => decoding::json(text()?),
        "application/yaml" => decoding::yaml(text()?),
        protobuf::MEDIA_TYPE => protobuf::read(&call.body),
        _ => Err(ApiError::unsupported_media_type(&["application/json", "application/yaml"])),
    }
}

fn on_object(state: &mut State, served: &Served, call: &Call, writing: &mut Writing) -> Answer {
    let (namespace, name) = key(call);
    match call.method {
        Method::GET => {
            let object = objects::existing(state, served, namespace, name)?;
            Ok(match call.table {
                Some(rows) => {
                    let shown = versions::present(served, &object);
                    response::json(StatusCode::OK, &tables::of_one(served, &shown, rows, writing.now))
                }
                None => answer(StatusCode::OK, served, &object),
            })
        }
        Method::PUT => put(state, served, Part::Object, call, writing),
        Method::PATCH => patch(state, served, Part::Object, call, writing),
        Method::DELETE => delete(state, served, call, writing),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn key(call: &Call) -> (&str, &str) {
    (call.target.namespace(), call.target.name.as_deref().unwrap_or_default())
}

fn on_status(state: &mut State, served: &Served, call: &Call, writing: &mut Writing) -> Answer {
    let (namespace, name) = key(call);
    match call.method {
        Method::GET => {
            Ok(answer(StatusCode::OK, served, &objects::existing(state, served, namespace, name)?))
        }
        Method::PUT => put(state, served, Part::Status, call, writing),
        Method::PATCH => patch(state, served, Part::Status, call, writing),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn put(state: &mut State, served: &Served, part: Part, call: &Call, writing: &mut Writing) -> Answer {
    let (namespace, name) = key(call);
    let mut object = decode(call)?;
    address(&mut object, served, namespace, name)?;
    let stored = state.store.get(served.stored_as(), namespace, name);
    if stored.is_none() && part == Part::Object && may_be_created_by_update(served.name()) {
        let created = objects::create(state, served, namespace, object, writing)?;
        return Ok(answer(StatusCode::CREATED, served, &created));
    }
    let unconditional = match served.resource.origin {
        Origin::BuiltIn => Unconditional::Allowed,
        Origin::Custom => Unconditional::Refused,
    };
    let updated = objects::update(state, served, part, object, unconditional, writing)?;
    Ok(answer(StatusCode::OK, served, &updated))
}

/// The name and namespace of a body must be those of the path; left out, they are taken from there.
fn address(object: &mut Value, served: &Served, namespace: &str, name: &str) -> Result<(), ApiError> {
    let stated = name_of(object);
    if !stated.is_empty() && stated != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({stated}) does not match the name on the URL ({name})"
        )));
    }
    let stated = namespace_of(object);
    if served.is_namespaced() && !stated.is_empty() && stated != namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let metadata = metadata_mut(object);
    metadata.insert("name".to_owned(), json!(name));
    if served.is_namespaced() {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    Ok(())
}

/// The few kinds that kube-apiserver creates on PUT.
fn may_be_created_by_update(resource: &GroupResource) -> bool {
    [&kinds::LEASES, &kinds::CORE_EVENTS, &kinds::EVENTS, &kinds::ROLES, &kinds::CLUSTER_ROLES]
        .iter()
        .any(|kind| kind.is_of(resource))
}

fn patch(state: &mut State, served: &Served, part: Part, call: &Call, writing: &mut Writing) -> Answer {
    let (namespace, name) = key(call);
    let patch = patch_of(served, call)?;
    let existed = state.store.get(served.stored_as(), namespace, name).is_some();
    let object = match patch {
        Patch::Apply(configuration) => {
            patches::apply(state, served, part, (namespace, name), configuration, force_of(call)?, writing)?
        }
        Patch::Change(kind, change) => {
            let old = objects::existing(state, served, namespace, name)?;
            let shown = versions::present(served, &old);
            if call.query.get("force").is_some() {
                return Err(ApiError::unprocessable(
                    "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
                ));
            }
            let mut new = patches::patched(served, kind, &shown, &change)?;
            address(&mut new, served, namespace, name)?;
            check_patched(served, &new, writing)?;
            objects::check_fixed(served, &shown, &new, "uid")?;
            objects::replace(state, served, part, &old, new, writing)?
        }
    };
    let code = if existed { StatusCode::OK } else { StatusCode::CREATED };
    Ok(answer(code, served, &object))
}

/// A patched object that does not decode is the patch's fault.
fn check_patched(served: &Served, new: &Value, writing: &Writing) -> Result<(), ApiError> {
    let mut decoded = new.clone();
    objects::check_stated_type(served, &mut decoded)
        .and_then(|()| admission::check_fields(served, &mut decoded, writing.unknown).map(drop))
        .map_err(|error| {
            ApiError::unprocessable(format!(
                " \"\" is invalid: patch: Invalid value: {:?}: {error}",
                new.to_string()
            ))
        })
}

/// What a PATCH carries.
enum Patch {
    /// A change to what is there.
    Change(PatchType, Value),
    /// What the applier wants there to be.
    Apply(Value),
}

fn patch_of(served: &Served, call: &Call) -> Result<Patch, ApiError> {
    let text = std::str::from_utf8(&call.body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let change = || {
        serde_json::from_str(text)
            .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))
    };
    Ok(match call.media_type.as_str() {
        "application/merge-patch+json" => Patch::Change(PatchType::Merge, change()?),
        "application/json-patch+json" => Patch::Change(PatchType::Json, change()?),
        "application/strategic-merge-patch+json" if served.resource.origin == Origin::BuiltIn => {
            Patch::Change(PatchType::Strategic, change()?)
        }
        "application/apply-patch+yaml" | "application/apply-patch+json" => {
            if call.query.get("fieldManager").is_none() {
                return Err(ApiError::unprocessable(
                    "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
                ));
            }
            Patch::Apply(decoding::yaml(text)?)
        }
        _ => {
            let custom = [
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/apply-patch+yaml",
            ];
            let built_in = [
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/strategic-merge-patch+json",
                "application/apply-patch+yaml",
            ];
            return Err(match served.resource.origin {
                Origin::Custom => ApiError::unsupported_media_type(&custom),
                Origin::BuiltIn => ApiError::unsupported_media_type(&built_in),
            });
        }
    })
}

fn force_of(call: &Call) -> Result<patches::Conflicts, ApiError> {
    match call.query.get("force") {
        None | Some("false" | "0") => Ok(patches::Conflicts::Refused),
        Some("true" | "1") => Ok(patches::Conflicts::Forced),
        Some(other) => Err(ApiError::bad_request(format!("invalid value for force: {other}"))),
    }
}

fn on_scale(state: &mut State, served: &Served, call: &Call, writing: &mut Writing) -> Answer {
    let (namespace, name) = key(call);
    let Some(paths) = served.version.scale.clone() else { return Err(ApiError::no_such_path()) };
    let old = objects::existing(state, served, namespace, name)?;
    let present = scale::of(&old, &paths);
    let wanted = match call.method {
        Method::GET if served.resource.origin == Origin::Custom && !scale::is_stated(&old, &paths) => {
            return Err(scale::unstated(&paths));
        }
        Method::GET => return Ok(response::json(StatusCode::OK, &present)),
        Method::PUT => {
            let mut wanted = decode(call)?;
            address(&mut wanted, served, namespace, name)?;
            wanted
        }
        Method::PATCH => match patch_of(served, call)? {
            Patch::Change(PatchType::Json, change) => patches::json_patched(&present, &change)?,
            Patch::Change(PatchType::Merge | PatchType::Strategic, change) | Patch::Apply(change) => {
                patches::merge_patched(&present, &change)
            }
        },
        _ => return Err(ApiError::method_not_allowed()),
    };
    let new = scale::applied(&versions::present(served, &old), &paths, &wanted)?;
    let stored = objects::replace(state, served, Part::Scale, &old, new, writing)?;
    Ok(response::json(StatusCode::OK, &scale::of(&stored, &paths)))
}

fn delete(state: &mut State, served: &Served, call: &Call, writing: &mut Writing) -> Answer {
    let options = delete_options(call, writing)?;
    let (namespace, name) = key(call);
    let (preconditions, propagation) = options;
    let outcome = garbage::delete(state, served, (namespace, name), &preconditions, propagation, writing)?;
    match outcome {
        Deletion::Waiting(object) => Ok(answer(StatusCode::OK, served, &object)),
        Deletion::Gone(object) => {
            let mut details =
                json!({"name": name, "kind": served.name().plural, "uid": text(&object, "uid")});
            if !served.name().group.is_empty() {
                details["group"] = json!(served.name().group);
            }
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
            });
            Ok(response::json(StatusCode::OK, &status))
        }
    }
}

/// What the body and the query say about a deletion.
fn delete_options(
    call: &Call,
    writing: &mut Writing,
) -> Result<(DeletePreconditions, Propagation), ApiError> {
    let options = if call.body.is_empty() { Value::Null } else { decode(call)? };
    // Options in the body are all there are: the query is not looked at then.
    let query = |name: &str| call.query.get(name).filter(|_| options.is_null());
    if !options.is_null() {
        let is_dry = options["dryRun"].as_array().is_some_and(|dry_run| !dry_run.is_empty());
        writing.effect = if is_dry { Effect::DryRun } else { Effect::Stored };
    }
    let stated = |field: &str| options["preconditions"][field].as_str().map(str::to_owned);
    let preconditions =
        DeletePreconditions { uid: stated("uid"), resource_version: stated("resourceVersion") };
    let propagation = options["propagationPolicy"].as_str().or_else(|| query("propagationPolicy"));
    let orphan = options["orphanDependents"].as_bool();
    let propagation = match (propagation, orphan) {
        (None | Some("Background"), None | Some(false)) => Propagation::Background,
        (Some("Foreground"), _) => Propagation::Foreground,
        (Some("Orphan"), _) | (None, Some(true)) => Propagation::Orphan,
        (Some(other), _) => {
            return Err(ApiError::unprocessable(format!(
                "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"{other}\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            )));
        }
    };
    Ok((preconditions, propagation))
}

fn delete_collection(state: &mut State, served: &Served, call: &Call, writing: &mut Writing) -> Answer {
    let (_, propagation) = delete_options(call, writing)?;
    let selection = Selection::of(served, call.target.namespace.as_deref(), &call.query)?;
    let mut page = lists::list(state, served, &selection, &Query::default())?;
    for object in &mut page.items {
        let key = (namespace_of(object).to_owned(), name_of(object).to_owned());
        let unconditional = DeletePreconditions::default();
        let outcome = garbage::delete(state, served, (&key.0, &key.1), &unconditional, propagation, writing)?;
        match outcome {
            Deletion::Gone(last) | Deletion::Waiting(last) => *object = versions::present(served, &last),
        }
    }
    page.revision = state.store.revision();
    Ok(response::of_bytes(StatusCode::OK, "application/json", page.render(served)))
}
