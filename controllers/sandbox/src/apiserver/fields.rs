//! Sets of fields (`FieldsV1`): how the parts of an object are named, and the algebra of who has which.
//!
//! It follows the paths of structured-merge-diff: `f:` for fields, `k:` for list items by key, `v:` for set items. It
//! knows nothing of managers.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::schema::{ListType, MapType, Schema};

/// One step of a path, in wire form: `f:spec`, `k:{"name":"web"}`, `v:"x"`.
pub(super) type Step = String;

/// A set of fields, as a tree of steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FieldSet(BTreeMap<Step, Node>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    /// Whether the place itself is in the set, and not only something below it.
    member: bool,
    below: FieldSet,
}

impl Node {
    fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl FieldSet {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn put(&mut self, step: Step, node: Node) {
        if !node.is_empty() {
            self.0.insert(step, node);
        }
    }

    fn combined(&self, other: &Self, one: impl Fn(bool, bool) -> bool + Copy) -> Self {
        let nothing = Node::default();
        let mut result = Self::default();
        for step in self.0.keys().chain(other.0.keys().filter(|step| !self.0.contains_key(*step))) {
            let left = self.0.get(step).unwrap_or(&nothing);
            let right = other.0.get(step).unwrap_or(&nothing);
            let member = one(left.member, right.member);
            result.put(step.clone(), Node { member, below: left.below.combined(&right.below, one) });
        }
        result
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        self.combined(other, |left, right| left || right)
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        self.combined(other, |left, right| left && right)
    }

    pub(super) fn difference(&self, other: &Self) -> Self {
        self.combined(other, |left, right| left && !right)
    }

    /// Drops a place with all below it.
    pub(super) fn forget(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else { return };
        if rest.is_empty() {
            self.0.remove(*first);
        } else if let Some(node) = self.0.get_mut(*first) {
            node.below.forget(rest);
            if node.is_empty() {
                self.0.remove(*first);
            }
        }
    }

    /// Drops the place itself, keeping what is below it.
    pub(super) fn disown(&mut self, step: &str) {
        if let Some(node) = self.0.get_mut(step) {
            node.member = false;
            if node.is_empty() {
                self.0.remove(step);
            }
        }
    }

    /// Keeps only what is at or below a top-level place.
    pub(super) fn keep_only(&mut self, step: &str) {
        self.0.retain(|other, _| other == step);
    }

    /// The paths of the set, as conflict messages print them.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        for (step, node) in &self.0 {
            let path = format!("{prefix}{}", printed(step));
            if node.member {
                paths.push(path.clone());
            }
            node.below.collect_paths(&path, paths);
        }
    }

    /// Reads `FieldsV1`; what is no map is an empty set.
    pub(super) fn from_wire(wire: &Value) -> Self {
        let mut set = Self::default();
        for (step, below) in wire.as_object().into_iter().flatten().filter(|(step, _)| *step != ".") {
            set.put(step.clone(), Node { member: is_member(below), below: Self::from_wire(below) });
        }
        set
    }

    /// Whether all of it is in `wire`, `FieldsV1` that need not be read for that.
    pub(super) fn is_within(&self, wire: &Value) -> bool {
        self.0.iter().all(|(step, node)| {
            wire.get(step)
                .is_some_and(|below| (!node.member || is_member(below)) && node.below.is_within(below))
        })
    }

    /// Whether any of it is in `wire`.
    pub(super) fn meets(&self, wire: &Value) -> bool {
        self.0.iter().any(|(step, node)| {
            wire.get(step).is_some_and(|below| (node.member && is_member(below)) || node.below.meets(below))
        })
    }

    /// Writes `FieldsV1`.
    pub(super) fn to_wire(&self) -> Value {
        let nodes = self.0.iter().map(|(step, node)| {
            let mut below = node.below.to_wire();
            if let (true, false, Some(map)) = (node.member, node.below.is_empty(), below.as_object_mut()) {
                map.insert(".".to_owned(), Value::Object(Map::new()));
            }
            (step.clone(), below)
        });
        Value::Object(nodes.collect())
    }
}

/// Whether a place in `FieldsV1` is in the set itself.
fn is_member(wire: &Value) -> bool {
    wire.as_object().is_none_or(Map::is_empty) || wire.get(".").is_some()
}

/// A step as messages print it: `.spec`, `[name="web"]`, `[="x"]`.
fn printed(step: &str) -> String {
    let (mark, rest) = step.split_at(step.len().min(2));
    match mark {
        "f:" => format!(".{rest}"),
        "v:" => format!("[={rest}]"),
        "k:" => {
            let key: Value = serde_json::from_str(rest).unwrap_or_default();
            let pairs = key.as_object().into_iter().flatten();
            let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
            format!("[{}]", pairs.join(","))
        }
        _ => format!("[{rest}]"),
    }
}

/// The step of a list's item; none where items are not told apart or the item lacks its keys.
pub(super) fn item_key(item: &Value, list: &Schema) -> Option<Step> {
    match &list.list {
        ListType::Atomic => None,
        ListType::Set => Some(format!("v:{item}")),
        ListType::Map(keys) => {
            let mut key = Map::new();
            for name in keys {
                let default = || list.items.as_deref()?.field(name)?.default.as_ref();
                key.insert(name.clone(), item.get(name).or_else(default)?.clone());
            }
            Some(format!("k:{}", Value::Object(key)))
        }
    }
}

/// A part of a value, with its step and what the schema says of it.
pub(super) type Part<'v, 's> = (Step, &'v Value, Option<&'s Schema>);

/// The parts of `value` that have owners of their own; none if the value is owned as a whole.
pub(super) fn parts<'v, 's>(value: &'v Value, schema: Option<&'s Schema>) -> Option<Vec<Part<'v, 's>>> {
    match value {
        Value::Object(fields) if schema.is_none_or(|schema| schema.map == MapType::Granular) => {
            let part = |(name, value): (&String, &'v Value)| {
                (format!("f:{name}"), value, schema.and_then(|schema| schema.field(name)))
            };
            Some(fields.iter().map(part).collect())
        }
        Value::Array(items) => {
            let list = schema.filter(|schema| schema.list != ListType::Atomic)?;
            let part = |item: &'v Value| Some((item_key(item, list)?, item, list.items.as_deref()));
            Some(items.iter().filter_map(part).collect())
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// What differs between two states of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Fields that are new or have another value.
    pub(super) changed: FieldSet,
    /// Fields that are no longer there.
    pub(super) removed: FieldSet,
}

/// Compares two states of an object.
pub(super) fn compare(old: &Value, new: &Value, schema: Option<&Schema>) -> Difference {
    let (changed, removed) = compare_at(Some(old), Some(new), schema);
    Difference { changed: changed.below, removed: removed.below }
}

fn compare_at(old: Option<&Value>, new: Option<&Value>, schema: Option<&Schema>) -> (Node, Node) {
    let (mut changed, mut removed) = (Node::default(), Node::default());
    if old == new {
        return (changed, removed);
    }
    let before = old.map(|old| parts(old, schema));
    let after = new.map(|new| parts(new, schema));
    let whole = |side: &Option<Option<Vec<_>>>| matches!(side, Some(None));
    let empty = |side: &Option<Option<Vec<_>>>| !matches!(side, Some(Some(parts)) if !parts.is_empty());
    changed.member = old.is_none();
    removed.member = new.is_none();
    if whole(&before) || whole(&after) || (empty(&before) && empty(&after)) {
        changed.member = new.is_some();
        return (changed, removed);
    }
    let before: BTreeMap<_, _> =
        before.flatten().into_iter().flatten().map(|(step, value, of)| (step, (value, of))).collect();
    let after: BTreeMap<_, _> =
        after.flatten().into_iter().flatten().map(|(step, value, of)| (step, (value, of))).collect();
    for step in before.keys().chain(after.keys().filter(|step| !before.contains_key(*step))) {
        let (old, new) = (before.get(step), after.get(step));
        let of = new.or(old).and_then(|(_, of)| *of);
        let (now, gone) = compare_at(old.map(|(value, _)| *value), new.map(|(value, _)| *value), of);
        changed.below.put(step.clone(), now);
        removed.below.put(step.clone(), gone);
    }
    (changed, removed)
}

/// The fields that a configuration states, and so that whoever applies it owns.
pub(super) fn stated(configuration: &Value, schema: Option<&Schema>) -> FieldSet {
    let mut set = FieldSet::default();
    for (step, value, of) in parts(configuration, schema).into_iter().flatten() {
        // Named fields are owned through what is in them; items and map entries also by themselves.
        let named = step.strip_prefix("f:").is_some_and(|name| is_declared(schema, name));
        let below = stated(value, of);
        let childless = parts(value, of).is_none() || value.as_object().is_some_and(Map::is_empty);
        set.put(step, Node { member: !named || childless, below });
    }
    set
}

fn is_declared(schema: Option<&Schema>, name: &str) -> bool {
    schema.is_some_and(|schema| schema.properties.contains_key(name))
}

/// Removes from `value` what was in `last` and is not in `kept`: the fields that an applier has let go of.
pub(super) fn let_go(value: &mut Value, schema: Option<&Schema>, last: &FieldSet, kept: &FieldSet) {
    let nothing = FieldSet::default();
    match value {
        Value::Object(fields) => fields.retain(|name, field| {
            let step = format!("f:{name}");
            let named = is_declared(schema, name);
            let (before, now) = (last.0.get(&step), kept.0.get(&step));
            if holds(before, named) && !holds(now, named) {
                return false;
            }
            if let Some(before) = before {
                let of = schema.and_then(|schema| schema.field(name));
                let_go(field, of, &before.below, now.map_or(&nothing, |now| &now.below));
            }
            true
        }),
        Value::Array(items) => {
            let Some(schema) = schema else { return };
            items.retain_mut(|item| {
                let Some(step) = item_key(item, schema) else { return true };
                let (before, now) = (last.0.get(&step), kept.0.get(&step));
                if holds(before, false) && !holds(now, false) {
                    return false;
                }
                if let Some(before) = before {
                    let below = now.map_or(&nothing, |now| &now.below);
                    let_go(item, schema.items.as_deref(), &before.below, below);
                }
                true
            });
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a place is held: a named field also through anything below it.
fn holds(node: Option<&Node>, named: bool) -> bool {
    node.is_some_and(|node| node.member || named)
}

/// `live` with everything that `configuration` states.
pub(super) fn merged(live: &Value, configuration: &Value, schema: Option<&Schema>) -> Value {
    match (live, configuration) {
        (Value::Object(old), Value::Object(new))
            if schema.is_none_or(|schema| schema.map == MapType::Granular) =>
        {
            let mut result = old.clone();
            for (name, value) in new {
                let of = schema.and_then(|schema| schema.field(name));
                let merged = old.get(name).map_or_else(|| value.clone(), |old| merged(old, value, of));
                result.insert(name.clone(), merged);
            }
            Value::Object(result)
        }
        (Value::Array(old), Value::Array(new)) => match schema {
            Some(list) if list.list != ListType::Atomic => Value::Array(merged_items(old, new, list)),
            Some(_) | None => configuration.clone(),
        },
        _ => configuration.clone(),
    }
}

/// Items in the order of the configuration; an item that only the live list has stays where it was among the others.
fn merged_items(old: &[Value], new: &[Value], list: &Schema) -> Vec<Value> {
    let keys =
        |items: &[Value]| -> Vec<Option<Step>> { items.iter().map(|item| item_key(item, list)).collect() };
    let (old_keys, new_keys) = (keys(old), keys(new));
    let same = |left: &Option<Step>, right: &Option<Step>| left.is_some() && left == right;
    let place = |key: &Option<Step>, among: &[Option<Step>]| among.iter().position(|other| same(other, key));
    let stated = |at: usize| match place(&new_keys[at], &old_keys) {
        Some(before) => merged(&old[before], &new[at], list.items.as_deref()),
        None => new[at].clone(),
    };
    let mut result = Vec::with_capacity(old.len() + new.len());
    let mut next = 0;
    for (item, key) in old.iter().zip(&old_keys) {
        match place(key, &new_keys) {
            None => result.push(item.clone()),
            // The configuration comes to this item before any other that both have: all it states until there.
            Some(at)
                if at >= next && (next..at).all(|earlier| place(&new_keys[earlier], &old_keys).is_none()) =>
            {
                result.extend((next..=at).map(stated));
                next = at + 1;
            }
            Some(_) => {}
        }
    }
    result.extend((next..new.len()).map(stated));
    result
}
