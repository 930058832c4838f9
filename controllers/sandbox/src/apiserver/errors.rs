//! Refusals as Kubernetes words them: a `Status` with code, reason, message and causes.
//!
//! It knows the wording and the wire form, not when something is refused.

use http::StatusCode;
use serde_json::{Value, json};

use super::kinds::GroupResource;

/// Why a request was refused, as a client reads it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", .0.message)]
pub struct ApiError(Box<Refusal>);

#[derive(Debug, Clone, PartialEq)]
struct Refusal {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Option<Value>,
    /// Token with which an expired list may go on.
    next: Option<String>,
}

/// One reason within a refusal: a field, what is wrong with it, and the class of wrongness.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// Path of the field, as `spec.rules[0].name`.
    pub field: String,
    /// Class, such as `FieldValueInvalid`.
    pub reason: &'static str,
    /// What is wrong, without the path.
    pub message: String,
}

/// The object a refusal is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Group and plural, for messages that name the resource.
    pub resource: &'a GroupResource,
    /// Kind, for messages that name the kind.
    pub kind: &'a str,
    /// Name of the object.
    pub name: &'a str,
}

impl ApiError {
    /// A refusal with a code, reason and message of the caller's choosing.
    #[must_use]
    pub fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Refusal { code, reason, message: message.into(), details: None, next: None }))
    }

    fn with_details(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// 404: the object does not exist.
    #[must_use]
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        let message = format!("{resource} \"{name}\" not found");
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).with_details(details(resource, name))
    }

    /// 404: the path leads to no resource.
    #[must_use]
    pub fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource")
            .with_details(json!({}))
    }

    /// 409: an object of that name is there already.
    #[must_use]
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        let message = format!("{resource} \"{name}\" already exists");
        Self::new(StatusCode::CONFLICT, "AlreadyExists", message).with_details(details(resource, name))
    }

    /// 409: the operation does not fit the object's present state, for the reason given.
    #[must_use]
    pub fn conflict(resource: &GroupResource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        Self::new(StatusCode::CONFLICT, "Conflict", message).with_details(details(resource, name))
    }

    /// 409: the object was changed after the version that the writer had read.
    #[must_use]
    pub fn modified(resource: &GroupResource, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// 409: fields belong to other appliers; one cause per field.
    #[must_use]
    pub fn apply_conflict(message: String, causes: &[Cause]) -> Self {
        Self::new(StatusCode::CONFLICT, "Conflict", message).with_details(json!({"causes": wire(causes)}))
    }

    /// 400: the request makes no sense.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 403: the request makes sense and is not allowed.
    #[must_use]
    pub fn forbidden(resource: &GroupResource, name: &str, why: &str) -> Self {
        let message = format!("{resource} \"{name}\" is forbidden: {why}");
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message).with_details(details(resource, name))
    }

    /// 403: the namespace is on its way out and takes nothing new.
    #[must_use]
    pub fn terminating(resource: &GroupResource, name: &str, namespace: &str) -> Self {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut refusal = Self::forbidden(resource, name, &why);
        if let Some(details) = &mut refusal.0.details {
            let message = format!("namespace {namespace} is being terminated");
            let cause =
                json!({"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"});
            details["causes"] = json!([cause]);
        }
        refusal
    }

    /// 405: the resource does not know that verb.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message).with_details(json!({}))
    }

    /// 410: the version asked for is no longer kept.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "Expired", message)
    }

    /// 504: the version asked for has not been reached.
    #[must_use]
    pub fn too_large_revision(wanted: u64, present: u64) -> Self {
        let message = format!("Too large resource version: {wanted}, current: {present}");
        let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message)
            .with_details(json!({"causes": [cause], "retryAfterSeconds": 1}))
    }

    /// Says with which token an expired list may go on, inconsistently.
    #[must_use]
    pub fn continuing_at(mut self, token: &str) -> Self {
        self.0.next = Some(token.to_owned());
        self
    }

    /// 415: the body is in a form that the resource does not take.
    #[must_use]
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    /// 415: the body is protobuf that is not read.
    #[must_use]
    pub fn unsupported_protobuf(message: &str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    /// 422: the object breaks rules of its kind; one cause per broken rule, in the order given.
    #[must_use]
    pub fn invalid(subject: Subject<'_>, causes: &[Cause]) -> Self {
        let Subject { resource, kind, name } = subject;
        let kind =
            if resource.group.is_empty() { kind.to_owned() } else { format!("{kind}.{}", resource.group) };
        let message = format!("{kind} \"{name}\" is invalid: {}", aggregate(causes));
        let mut details = json!({"name": name, "kind": subject.kind, "causes": wire(causes)});
        if !resource.group.is_empty() {
            details["group"] = json!(resource.group);
        }
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message).with_details(details)
    }

    /// 422 without an object: the request cannot be processed for the reason given.
    #[must_use]
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
    }

    /// 500: the server met something that it cannot handle.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// HTTP code of the refusal.
    #[must_use]
    pub fn code(&self) -> StatusCode {
        self.0.code
    }

    /// Machine-readable reason, such as `AlreadyExists`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    /// Whether the object or path does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.reason() == "NotFound"
    }

    /// Whether the writer should read again and decide again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.reason() == "Conflict"
    }

    /// Whether an object of that name is there already.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.reason() == "AlreadyExists"
    }

    /// The `v1` Status that a client gets.
    #[must_use]
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.0.message,
            "code": self.0.code.as_u16(),
        });
        if !self.0.reason.is_empty() {
            status["reason"] = json!(self.0.reason);
        }
        if let Some(next) = &self.0.next {
            status["metadata"]["continue"] = json!(next);
        }
        if let Some(details) = &self.0.details {
            status["details"] = details.clone();
        }
        status
    }
}

fn details(resource: &GroupResource, name: &str) -> Value {
    let mut details = json!({"name": name, "kind": resource.plural});
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    details
}

fn wire(causes: &[Cause]) -> Vec<Value> {
    causes
        .iter()
        .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
        .collect()
}

/// One cause as it stands; several in brackets, each text once.
fn aggregate(causes: &[Cause]) -> String {
    let mut texts: Vec<String> = Vec::with_capacity(causes.len());
    for cause in causes {
        let text = format!("{}: {}", cause.field, cause.message);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    if texts.len() == 1 { texts.remove(0) } else { format!("[{}]", texts.join(", ")) }
}
