//! What a request is about: its path and query, taken apart.
//!
//! It knows the shape of Kubernetes URLs, not which kinds exist.

use std::collections::BTreeMap;

use super::kinds::Kind;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// Objects of a kind.
    Resource(Target),
    /// Anything else, by its segments.
    Other(Vec<String>),
}

/// Objects of a kind: a collection, or one of them, or a subresource of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: Kind,
    /// Present where the path names a namespace.
    pub(super) namespace: Option<String>,
    /// Present where the path names an object.
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
}

impl Target {
    /// The namespace, empty where the path names none.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }
}

impl Route {
    /// Takes a percent-encoded path apart.
    pub(super) fn of(path: &str) -> Self {
        let segments: Vec<String> =
            path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let target = match parts.as_slice() {
            ["api", version, rest @ ..] => target("", version, rest),
            ["apis", group, version, rest @ ..] => target(group, version, rest),
            _ => None,
        };
        target.map_or(Self::Other(segments), Self::Resource)
    }
}

fn target(group: &str, version: &str, rest: &[&str]) -> Option<Target> {
    let (namespace, rest) = match rest {
        // `/namespaces/x/status` is a subresource of a namespace, not a kind within it.
        ["namespaces", _, "status" | "finalize"] => (None, rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
        _ => (None, rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (plural, None, None),
        [plural, name] => (plural, Some(name), None),
        [plural, name, subresource] => (plural, Some(name), Some(subresource)),
        _ => return None,
    };
    Some(Target {
        kind: Kind::named(group, version, plural),
        namespace,
        name: name.map(|name| (*name).to_owned()),
        subresource: subresource.map(|subresource| (*subresource).to_owned()),
    })
}

/// The parameters of a request; where one is given twice, the first counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn of(query: Option<&str>) -> Self {
        let mut parameters = BTreeMap::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.entry(decode_form(name)).or_insert_with(|| decode_form(value));
        }
        Self(parameters)
    }

    /// A parameter; empty ones count as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A parameter that is on or off, as Go parses booleans.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.0
            .get(name)
            .is_some_and(|value| matches!(value.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }
}

fn decode_form(text: &str) -> String {
    decode(&text.replace('+', " "))
}

/// Resolves `%XX`; what is no valid escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = escaped
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &str) -> Target {
        match Route::of(path) {
            Route::Resource(target) => target,
            Route::Other(other) => panic!("{path} is no resource: {other:?}"),
        }
    }

    #[test]
    fn paths_name_kinds_objects_and_subresources() {
        let scale = resource("/apis/apps/v1/namespaces/shop/deployments/web/scale");
        assert_eq!(scale.kind, crate::apiserver::kinds::DEPLOYMENTS);
        assert_eq!((scale.namespace(), scale.name.as_deref()), ("shop", Some("web")));
        assert_eq!(scale.subresource.as_deref(), Some("scale"));
        let namespace = resource("/api/v1/namespaces/shop");
        assert_eq!((namespace.namespace.as_deref(), namespace.name.as_deref()), (None, Some("shop")));
        assert_eq!(resource("/api/v1/namespaces/shop/finalize").subresource.as_deref(), Some("finalize"));
        assert_eq!(Route::of("/apis/apps/v1"), Route::Other(vec!["apis".into(), "apps".into(), "v1".into()]));
    }

    #[test]
    fn escapes_in_queries_are_resolved() {
        let query = Query::of(Some("labelSelector=a+in+%28b%2Cc%29&limit=&watch=true"));
        assert_eq!(query.get("labelSelector"), Some("a in (b,c)"));
        assert_eq!(query.get("limit"), None);
        assert!(query.is_on("watch"));
    }
}
