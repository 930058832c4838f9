//! Strategic merge patches: JSON merge that knows which lists are maps, with the directives of Kubernetes.
//!
//! The merge key of a list is the first key of its schema; everything else merges as in RFC 7386.

use serde_json::{Map, Value};

use super::{
    errors::ApiError,
    schema::{ListType, Schema},
};

const DIRECTIVE: &str = "$patch";
const DELETE_ITEMS: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";
const RETAIN: &str = "$retainKeys";

/// `object` after `change`.
pub(super) fn patched(object: &Value, change: &Value, schema: Option<&Schema>) -> Result<Value, ApiError> {
    let (Value::Object(old), Value::Object(change)) = (object, change) else {
        return Err(ApiError::bad_request("a strategic merge patch must be an object"));
    };
    Ok(Value::Object(merge_fields(old, change, schema)?))
}

fn merge_fields(
    old: &Map<String, Value>,
    change: &Map<String, Value>,
    schema: Option<&Schema>,
) -> Result<Map<String, Value>, ApiError> {
    match change.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => return Ok(without_directives(change)),
        Some("delete") => return Ok(Map::new()),
        Some("merge") | None => {}
        Some(other) => return Err(ApiError::bad_request(format!("unknown patch directive: {other}"))),
    }
    let mut result = old.clone();
    if let Some(kept) = change.get(RETAIN).and_then(Value::as_array) {
        result.retain(|name, _| kept.iter().any(|kept| kept == name));
    }
    for (name, value) in change.iter().filter(|(name, _)| !name.starts_with('$')) {
        if value.is_null() {
            result.remove(name);
            continue;
        }
        let of = schema.and_then(|schema| schema.field(name));
        let merged = merge_value(result.get(name), value, of)?;
        result.insert(name.clone(), merged);
    }
    for (directive, values) in change {
        if let Some(name) = directive.strip_prefix(DELETE_ITEMS) {
            delete_items(&mut result, name, values);
        } else if let Some(name) = directive.strip_prefix(ORDER) {
            order_items(&mut result, name, values, schema);
        }
    }
    Ok(result)
}

fn without_directives(change: &Map<String, Value>) -> Map<String, Value> {
    let fields = change.iter().filter(|(name, _)| !name.starts_with('$'));
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn merge_value(old: Option<&Value>, change: &Value, schema: Option<&Schema>) -> Result<Value, ApiError> {
    match (old, change) {
        (Some(Value::Object(old)), Value::Object(change)) => {
            Ok(Value::Object(merge_fields(old, change, schema)?))
        }
        (_, Value::Object(change)) => Ok(Value::Object(merge_fields(&Map::new(), change, schema)?)),
        (old, Value::Array(change)) => {
            let old = old.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            merge_list(old, change, schema).map(Value::Array)
        }
        _ => Ok(change.clone()),
    }
}

fn merge_list(old: &[Value], change: &[Value], schema: Option<&Schema>) -> Result<Vec<Value>, ApiError> {
    match schema.map(|schema| &schema.list) {
        None | Some(ListType::Atomic) => Ok(change.to_vec()),
        Some(ListType::Set) => {
            let new = change.iter().filter(|item| !old.contains(item));
            Ok(old.iter().chain(new).cloned().collect())
        }
        Some(ListType::Map(keys)) => {
            let key = keys.first().map(String::as_str).unwrap_or_default();
            merge_items(old, change, key, schema.and_then(|schema| schema.items.as_deref()))
        }
    }
}

fn merge_items(
    old: &[Value],
    change: &[Value],
    key: &str,
    of_item: Option<&Schema>,
) -> Result<Vec<Value>, ApiError> {
    let replaces = change.iter().any(|item| item[DIRECTIVE] == "replace" && item.get(key).is_none());
    let mut result = if replaces { Vec::new() } else { old.to_vec() };
    for item in change {
        let Some(identity) = item.get(key) else {
            if item[DIRECTIVE] == "replace" {
                continue;
            }
            return Err(ApiError::bad_request(format!(
                "map: {item} does not contain declared merge key: {key}"
            )));
        };
        let at = result.iter().position(|old| old.get(key) == Some(identity));
        match (item[DIRECTIVE].as_str(), at) {
            (Some("delete"), Some(_)) => result.retain(|old| old.get(key) != Some(identity)),
            (Some("delete"), None) => {}
            (_, Some(at)) => result[at] = merge_value(Some(&result[at]), item, of_item)?,
            (_, None) => result.push(merge_value(None, item, of_item)?),
        }
    }
    let place =
        |items: &[Value], item: &Value| items.iter().position(|other| other.get(key) == item.get(key));
    let (named, left): (Vec<_>, Vec<_>) = result.into_iter().partition(|item| place(change, item).is_some());
    let mut named = named;
    named.sort_by_key(|item| place(change, item));
    Ok(interleave(left, named, |item| place(old, item)))
}

/// As kube-apiserver orders a merged list (`mergeSortedSlice` of apimachinery): what the patch names comes first, unless
/// both were there and something else stood before it.
fn interleave(left: Vec<Value>, named: Vec<Value>, place: impl Fn(&Value) -> Option<usize>) -> Vec<Value> {
    let (mut left, mut named) = (left.into_iter().peekable(), named.into_iter().peekable());
    let mut all = Vec::new();
    while let (Some(other), Some(item)) = (left.peek(), named.peek()) {
        let stood_before = match (place(other), place(item)) {
            (Some(other), Some(item)) => other < item,
            (None, _) | (_, None) => false,
        };
        all.extend(if stood_before { left.next() } else { named.next() });
    }
    all.extend(left);
    all.extend(named);
    all
}

fn delete_items(fields: &mut Map<String, Value>, name: &str, values: &Value) {
    if let (Some(items), Some(values)) =
        (fields.get_mut(name).and_then(Value::as_array_mut), values.as_array())
    {
        items.retain(|item| !values.contains(item));
    }
}

/// Brings the items that an order names into that order, before those it does not name.
fn order_items(fields: &mut Map<String, Value>, name: &str, order: &Value, schema: Option<&Schema>) {
    let key = match schema.and_then(|schema| schema.field(name)).map(|list| &list.list) {
        Some(ListType::Map(keys)) => keys.first().map(String::as_str),
        Some(ListType::Set | ListType::Atomic) | None => None,
    };
    let identity = |item: &Value| key.map_or_else(|| item.clone(), |key| item[key].clone());
    let Some(items) = fields.get_mut(name).and_then(Value::as_array_mut) else { return };
    let order: Vec<Value> = order.as_array().into_iter().flatten().map(identity).collect();
    items.sort_by_key(|item| order.iter().position(|wanted| *wanted == identity(item)).unwrap_or(usize::MAX));
}
