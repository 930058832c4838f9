//! Lists: consistent, selected, in pages.
//!
//! It knows revisions and continue tokens, not the kinds it lists.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    State,
    catalog::{Origin, Served},
    errors::ApiError,
    metadata::{name_of, namespace_of},
    routes::Query,
    selectors::Selection,
    versions,
};

/// A page of a list.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Arc<Value>>,
    pub(super) revision: u64,
    /// Where the next page begins; none after the last.
    pub(super) next: Option<String>,
    /// How many objects follow this page; told only where nothing is filtered out.
    pub(super) remaining: Option<usize>,
}

impl Page {
    /// What a list says of itself.
    pub(super) fn metadata(&self) -> Value {
        let mut metadata = json!({"resourceVersion": self.revision.to_string()});
        if let Some(next) = &self.next {
            metadata["continue"] = json!(next);
            if let Some(remaining) = self.remaining {
                metadata["remainingItemCount"] = json!(remaining);
            }
        }
        metadata
    }

    /// The page as a `List` in JSON, each object rendered where it lies.
    pub(super) fn render(&self, served: &Served) -> Vec<u8> {
        let head = json!({
            "kind": served.resource.list_kind,
            "apiVersion": served.version.api_version,
            "metadata": self.metadata(),
        });
        let mut bytes = head.to_string().into_bytes();
        bytes.pop();
        bytes.extend_from_slice(b",\"items\":[");
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                bytes.push(b',');
            }
            // Items of built-in kinds do not say what they are: the list does.
            let is_said = |field: &str| match served.resource.origin {
                Origin::BuiltIn => field != "apiVersion" && field != "kind",
                Origin::Custom => true,
            };
            let fields = item.as_object().into_iter().flatten().filter(|(field, _)| is_said(field));
            let fields: BTreeMap<_, _> = fields.collect();
            // Writing a value into memory cannot fail: its keys are strings.
            let _ = serde_json::to_writer(&mut bytes, &fields);
        }
        bytes.extend_from_slice(b"]}");
        bytes
    }
}

/// Where a list continues: after an object, at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    /// 0 stands for the present.
    revision: u64,
    namespace: String,
    name: String,
}

impl Token {
    /// Opaque to clients: hexadecimal of its parts.
    fn render(&self) -> String {
        let plain = format!("{}/{}/{}", self.revision, self.namespace, self.name);
        let digit = |half: u8| char::from_digit(u32::from(half), 16);
        plain.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).flatten().collect()
    }

    fn parse(text: &str) -> Result<Self, ApiError> {
        let invalid = || ApiError::bad_request("continue key is not valid: illegal continue token");
        let bytes: Option<Vec<u8>> = (0..text.len())
            .step_by(2)
            .map(|at| text.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok()))
            .collect();
        let plain = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid)?;
        let mut parts = plain.splitn(3, '/');
        let (revision, namespace, name) = (parts.next(), parts.next(), parts.next());
        let revision = revision.and_then(|revision| revision.parse().ok()).ok_or_else(invalid)?;
        let (Some(namespace), Some(name)) = (namespace, name) else { return Err(invalid()) };
        Ok(Self { revision, namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

/// The page of `served` that a request asks for.
pub(super) fn list(
    state: &State,
    served: &Served,
    selection: &Selection,
    query: &Query,
) -> Result<Page, ApiError> {
    let token = query.get("continue").map(Token::parse).transpose()?;
    let exact = wanted_revision(state, query, token.as_ref())?;
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
    let present = state.store.revision();
    let Some(revision) = exact.filter(|revision| *revision != present) else {
        let all = state.store.iter(served.stored_as(), selection.namespace());
        return Ok(page(served, selection, all, token.as_ref(), limit, present));
    };
    let snapshot = state.store.snapshot(served.stored_as(), revision);
    let table = snapshot.map_err(|_| too_old(token.as_ref()))?;
    let all = table.iter(selection.namespace());
    Ok(page(served, selection, all, token.as_ref(), limit, revision))
}

/// The revision that must be shown exactly; none stands for the present.
fn wanted_revision(state: &State, query: &Query, token: Option<&Token>) -> Result<Option<u64>, ApiError> {
    let stated = query.get("resourceVersion");
    if stated.is_none() && query.get("resourceVersionMatch").is_some() {
        return Err(ApiError::unprocessable(
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ));
    }
    let revision = parse_revision(stated.unwrap_or("0"))?;
    if let Some(token) = token {
        if revision != 0 {
            return Err(ApiError::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        return Ok(Some(token.revision).filter(|revision| *revision != 0));
    }
    if revision > state.store.revision() {
        return Err(ApiError::too_large_revision(revision, state.store.revision()));
    }
    Ok((query.get("resourceVersionMatch") == Some("Exact")).then_some(revision))
}

/// A resource version as clients state it.
pub(super) fn parse_revision(stated: &str) -> Result<u64, ApiError> {
    stated.parse().map_err(|_| {
        let stated = json!(stated);
        ApiError::bad_request(format!(
            "invalid resource version: resourceVersion: Invalid value: {stated}: strconv.ParseUint: parsing {stated}: invalid syntax"
        ))
    })
}

fn too_old(token: Option<&Token>) -> ApiError {
    let Some(token) = token else {
        return ApiError::expired("The resourceVersion for the provided list is too old.");
    };
    let inconsistent = Token { revision: 0, ..token.clone() };
    ApiError::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    )
    .continuing_at(&inconsistent.render())
}

fn page<'a>(
    served: &Served,
    selection: &Selection,
    all: impl Iterator<Item = &'a Arc<Value>>,
    token: Option<&Token>,
    limit: Option<usize>,
    revision: u64,
) -> Page {
    let after = |object: &Value| {
        token.is_none_or(|token| {
            (namespace_of(object), name_of(object)) > (token.namespace.as_str(), token.name.as_str())
        })
    };
    let mut rest = all
        .map(|object| versions::present(served, object))
        .filter(|object| after(object) && selection.matches(object));
    let items: Vec<_> = rest.by_ref().take(limit.unwrap_or(usize::MAX)).collect();
    let remaining = rest.count();
    let last = items.last().filter(|_| remaining > 0);
    let next = last.map(|last| {
        Token { revision, namespace: namespace_of(last).to_owned(), name: name_of(last).to_owned() }.render()
    });
    Page { items, revision, next, remaining: selection.is_everything().then_some(remaining) }
}
