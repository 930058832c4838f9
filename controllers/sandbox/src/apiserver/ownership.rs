//! Who manages which fields: `metadata.managedFields`, kept true over every write.
//!
//! Follows the rules of server-side apply: a writer owns what it changes, an applier what it states; an applier's claim
//! to a field of another with a different value is a conflict unless forced. Fields of different versions of a kind are
//! compared by name.

use serde_json::{Value, json};

use super::{
    errors::{ApiError, Cause},
    fields::{self, Difference, FieldSet},
    metadata::metadata_mut,
    schema::Schema,
};

/// How a manager came by its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    /// By stating them.
    Apply,
    /// By changing them.
    Update,
}

/// A manager as `managedFields` tells them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) operation: Operation,
    pub(super) api_version: String,
    /// Empty for the object itself.
    pub(super) subresource: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    manager: Manager,
    time: String,
    fields: FieldSet,
}

/// Who manages what in one object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Managers(Vec<Entry>);

/// What an applier wants to happen to fields of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conflicts {
    /// The whole application is refused.
    Refused,
    /// They change hands.
    Forced,
}

impl Managers {
    pub(super) fn of(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        Self(entries.map(Entry::from_wire).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is there before a first application and was noted of nobody is owned by a manager of that name.
    pub(super) fn or_of_nobody(mut self, live: &Value, schema: Option<&Schema>, claim: &Claim<'_>) -> Self {
        if self.is_empty() {
            let nothing = json!({"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": {}});
            let mut there = fields::compare(&nothing, live, schema);
            there.changed = claim.scope.restrict(there.changed);
            let (name, operation) = ("before-first-apply".to_owned(), Operation::Update);
            self.changed_by(&Manager { name, operation, ..claim.manager.clone() }, &there, claim.time);
        }
        self
    }

    /// Writes `managedFields`, in the order that kube-apiserver keeps.
    pub(super) fn write(mut self, object: &mut Value) {
        self.0.retain(|entry| !entry.fields.is_empty());
        self.0.sort_by(|left, right| left.order().cmp(&right.order()));
        let metadata = metadata_mut(object);
        if self.0.is_empty() {
            metadata.remove("managedFields");
        } else {
            let wire: Vec<Value> = self.0.iter().map(Entry::to_wire).collect();
            metadata.insert("managedFields".to_owned(), Value::Array(wire));
        }
    }

    /// After `manager` made `difference` to an object at `time`.
    pub(super) fn changed_by(&mut self, manager: &Manager, difference: &Difference, time: &str) {
        for entry in &mut self.0 {
            if entry.manager != *manager {
                entry.fields = entry.fields.difference(&difference.changed);
            }
            entry.fields = entry.fields.difference(&difference.removed);
        }
        if difference.changed.is_empty() {
            return;
        }
        let entry = self.entry(manager);
        entry.fields = entry.fields.union(&difference.changed);
        time.clone_into(&mut entry.time);
    }

    fn entry(&mut self, manager: &Manager) -> &mut Entry {
        let at = self.0.iter().position(|entry| entry.manager == *manager).unwrap_or_else(|| {
            let (manager, fields) = (manager.clone(), FieldSet::default());
            self.0.push(Entry { manager, time: String::new(), fields });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    fn find(&self, manager: &Manager) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.manager == *manager)
    }

    fn all_fields(&self) -> FieldSet {
        self.0.iter().fold(FieldSet::default(), |all, entry| all.union(&entry.fields))
    }

    /// The object after `manager` applied `configuration` to `live`, with its owners up to date; none if the manager has
    /// stated just this before and nothing else was done to it.
    pub(super) fn apply(
        mut self,
        live: &Value,
        configuration: &Value,
        schema: Option<&Schema>,
        claim: &Claim<'_>,
    ) -> Result<Applied, ApiError> {
        let manager = claim.manager;
        let claimed = claim.scope.restrict(fields::stated(configuration, schema));
        let before = self.clone();
        let last = self.find(manager).map(|entry| entry.fields.clone()).unwrap_or_default();
        self.entry(manager).fields = claimed;
        let mut object = fields::merged(live, configuration, schema);
        fields::let_go(&mut object, schema, &last, &self.all_fields());
        let difference = fields::compare(live, &object, schema);
        let difference = Difference {
            changed: claim.scope.restrict(difference.changed),
            removed: claim.scope.restrict(difference.removed),
        };
        self.settle_conflicts(manager, &difference, claim.conflicts)?;
        for entry in self.0.iter_mut().filter(|entry| entry.manager != *manager) {
            entry.fields = entry.fields.difference(&difference.removed);
        }
        self.0.retain(|entry| !entry.fields.is_empty());
        let idle = difference == Difference::default() && self == before;
        if !idle {
            claim.time.clone_into(&mut self.entry(manager).time);
        }
        Ok(Applied { object, managers: self })
    }

    fn settle_conflicts(
        &mut self,
        manager: &Manager,
        difference: &Difference,
        conflicts: Conflicts,
    ) -> Result<(), ApiError> {
        let mut disputed = Vec::new();
        for entry in self.0.iter_mut().filter(|entry| entry.manager != *manager) {
            let contested = entry.fields.intersection(&difference.changed);
            if !contested.is_empty() {
                disputed.push((entry.manager.printed(), contested.paths()));
            }
            entry.fields = entry.fields.difference(&contested);
        }
        match conflicts {
            Conflicts::Refused if !disputed.is_empty() => Err(refusal(disputed)),
            Conflicts::Refused | Conflicts::Forced => Ok(()),
        }
    }
}

/// Notes that `manager` changed at `time` what it had changed before and nobody else owns: a status that is written
/// again and again. That moves a time and no fields, so none are read. Whether it was so; if not, nothing is noted.
pub(super) fn touch(object: &mut Value, manager: &Manager, changed: &FieldSet, time: &str) -> bool {
    let entries = object.pointer_mut("/metadata/managedFields").and_then(Value::as_array_mut);
    let Some(entries) = entries else { return false };
    let Some(mine) = entries.iter().position(|entry| manager.is_of(entry)) else { return false };
    let others = entries.iter().enumerate().filter(|(at, _)| *at != mine);
    if !changed.is_within(&entries[mine]["fieldsV1"])
        || others.into_iter().any(|(_, entry)| changed.meets(&entry["fieldsV1"]))
    {
        return false;
    }
    entries[mine]["time"] = json!(time);
    entries.sort_by(|left, right| wire_order(left).cmp(&wire_order(right)));
    true
}

/// As [`Entry::order`].
fn wire_order(wire: &Value) -> (Operation, &str, &str, &str, &str) {
    let text = |field: &str| wire[field].as_str().unwrap_or_default();
    let subresource = subresource(text("subresource"));
    (operation(wire), text("time"), text("manager"), text("apiVersion"), subresource)
}

fn operation(wire: &Value) -> Operation {
    if wire["operation"] == "Apply" { Operation::Apply } else { Operation::Update }
}

/// Who applies, when, and what it may own there.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    pub(super) manager: &'a Manager,
    pub(super) time: &'a str,
    pub(super) conflicts: Conflicts,
    pub(super) scope: OwnedScope,
}

/// The outcome of an application.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) object: Value,
    pub(super) managers: Managers,
}

/// Which fields of an object can be owned through an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnedScope {
    /// All but the status.
    AllButStatus,
    /// Status alone.
    StatusAlone,
    /// All.
    All,
}

impl OwnedScope {
    /// Without what nobody can own: identity and what the server decides.
    pub(super) fn restrict(self, mut set: FieldSet) -> FieldSet {
        set.forget(&["f:apiVersion"]);
        set.forget(&["f:kind"]);
        set.disown("f:metadata");
        let decided = [
            "f:name",
            "f:namespace",
            "f:creationTimestamp",
            "f:deletionTimestamp",
            "f:deletionGracePeriodSeconds",
            "f:selfLink",
            "f:uid",
            "f:generation",
            "f:managedFields",
            "f:resourceVersion",
        ];
        for field in decided {
            set.forget(&["f:metadata", field]);
        }
        match self {
            Self::AllButStatus => set.forget(&["f:status"]),
            Self::StatusAlone => set.keep_only("f:status"),
            Self::All => {}
        }
        set
    }
}

fn refusal(mut disputed: Vec<(String, Vec<String>)>) -> ApiError {
    disputed.sort();
    let causes: Vec<Cause> = disputed
        .iter()
        .flat_map(|(manager, paths)| {
            paths.iter().map(move |path| Cause {
                field: path.clone(),
                reason: "FieldManagerConflict",
                message: format!("conflict with {manager}"),
            })
        })
        .collect();
    if let [only] = causes.as_slice() {
        let message = format!("Apply failed with 1 conflict: {}: {}", only.message, only.field);
        return ApiError::apply_conflict(message, &causes);
    }
    let lines: Vec<String> = disputed
        .iter()
        .flat_map(|(manager, paths)| {
            std::iter::once(format!("conflicts with {manager}:"))
                .chain(paths.iter().map(|path| format!("- {path}")))
        })
        .collect();
    let message = format!("Apply failed with {} conflicts: {}", causes.len(), lines.join("\n"));
    ApiError::apply_conflict(message, &causes)
}

impl Manager {
    fn is_of(&self, wire: &Value) -> bool {
        let text = |field: &str| wire[field].as_str().unwrap_or_default();
        self.name == text("manager")
            && self.operation == operation(wire)
            && self.api_version == text("apiVersion")
            && self.subresource == subresource(text("subresource"))
    }

    fn printed(&self) -> String {
        let subresource = match self.subresource {
            "" => String::new(),
            subresource => format!(" with subresource \"{subresource}\""),
        };
        match self.operation {
            Operation::Apply => format!("\"{}\"{subresource}", self.name),
            Operation::Update => format!("\"{}\"{subresource} using {}", self.name, self.api_version),
        }
    }
}

/// The subresources that fields can be written through.
fn subresource(name: &str) -> &'static str {
    match name {
        "status" => "status",
        "scale" => "scale",
        _ => "",
    }
}

impl Entry {
    fn order(&self) -> (Operation, &str, &str, &str, &str) {
        let Manager { name, operation, api_version, subresource } = &self.manager;
        (*operation, &self.time, name, api_version, subresource)
    }

    fn from_wire(wire: &Value) -> Self {
        let text = |field: &str| wire[field].as_str().unwrap_or_default().to_owned();
        let manager = Manager {
            name: text("manager"),
            operation: operation(wire),
            api_version: text("apiVersion"),
            subresource: subresource(&text("subresource")),
        };
        Self { manager, time: text("time"), fields: FieldSet::from_wire(&wire["fieldsV1"]) }
    }

    fn to_wire(&self) -> Value {
        let operation = match self.manager.operation {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        };
        let mut wire = json!({
            "manager": self.manager.name,
            "operation": operation,
            "apiVersion": self.manager.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.to_wire(),
        });
        if !self.manager.subresource.is_empty() {
            wire["subresource"] = json!(self.manager.subresource);
        }
        wire
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn writer(name: &str) -> Manager {
        let (operation, api_version) = (Operation::Update, "v1".to_owned());
        Manager { name: name.to_owned(), operation, api_version, subresource: "" }
    }

    fn object(fields: &[u8]) -> Value {
        let value = |at: usize| json!({"x": fields[at], "y": fields[at] / 2});
        json!({"metadata": {}, "spec": {"a": value(0), "b": value(1), "c": fields[2]}})
    }

    /// The object after a write: told in full, and by the short way where that says it can.
    fn written(old: &Value, fields: &[u8], writer: &Manager, time: &str) -> (Value, Option<Value>) {
        let mut full = object(fields);
        full["metadata"] = old["metadata"].clone();
        let mut short = full.clone();
        let difference = fields::compare(old, &full, None);
        if difference == Difference::default() {
            return (full, None);
        }
        let mut managers = Managers::of(&full);
        managers.changed_by(writer, &difference, time);
        managers.write(&mut full);
        let is_short = difference.removed.is_empty() && touch(&mut short, writer, &difference.changed, time);
        (full, is_short.then_some(short))
    }

    proptest! {
        #[test]
        fn the_short_way_ends_where_the_long_one_does(
            writes in prop::collection::vec((0_usize..3, prop::collection::vec(0_u8..4, 3)), 1..12),
        ) {
            let mut state = json!({"metadata": {}});
            for (turn, (who, fields)) in writes.iter().enumerate() {
                let (full, short) = written(&state, fields, &writer(["a", "b", "c"][*who]), &format!("{turn:02}"));
                if let Some(short) = short {
                    prop_assert_eq!(&short, &full);
                }
                state = full;
            }
        }
    }

    #[test]
    fn who_writes_the_same_fields_again_goes_the_short_way() {
        let (state, _) = written(&json!({"metadata": {}}), &[1, 1, 1], &writer("a"), "01");
        let (full, short) = written(&state, &[2, 1, 3], &writer("a"), "02");
        assert_eq!(short, Some(full));
    }
}
