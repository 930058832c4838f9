//! Objects under one revision counter, the recent past of their changes, and who follows them.
//!
//! As etcd is to kube-apiserver: it knows nothing of schemas, fields or permissions, only keys, whole objects and the
//! order in which they changed.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{
    garbage::Place,
    kinds::{GroupResource, Kind},
    metadata::{name_of, namespace_of, set_resource_version, text},
};

/// How many changes a server remembers before watches and pages from further back get 410 Gone.
pub(super) const HISTORY: usize = 2000;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeType {
    /// It came into being.
    Added,
    /// It was changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change of one object.
#[derive(Debug)]
pub struct Change {
    /// The kind, in the version it is stored in.
    pub kind: Arc<Kind>,
    /// What happened.
    pub what: ChangeType,
    /// The object after the change; for a deletion its last state, under the revision of the deletion.
    pub object: Arc<Value>,
    /// The object before the change.
    pub previous: Option<Arc<Value>>,
    /// The server's revision that this change made.
    pub revision: u64,
    rendered: OnceLock<Bytes>,
}

impl Change {
    /// The object as JSON, rendered once for all who watch it.
    pub(super) fn json(&self) -> Bytes {
        self.rendered.get_or_init(|| Bytes::from(self.object.to_string())).clone()
    }
}

fn owner_uids(object: &Value) -> impl Iterator<Item = &str> {
    let references = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    references.filter_map(|reference| reference["uid"].as_str())
}

type Names = BTreeMap<String, Arc<Value>>;

/// The objects of one kind, by namespace (empty for cluster-scoped ones) and name.
#[derive(Debug, Default, Clone)]
pub(super) struct Table(BTreeMap<String, Names>);

impl Table {
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.0.get(namespace)?.get(name)
    }

    /// All objects, or one namespace's, by namespace and name.
    pub(super) fn iter<'a>(&'a self, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Value>> {
        let one = namespace.map(|namespace| self.0.get(namespace).into_iter().flat_map(Names::values));
        let all = namespace.is_none().then(|| self.0.values().flat_map(Names::values));
        one.into_iter().flatten().chain(all.into_iter().flatten())
    }

    fn insert(&mut self, object: Arc<Value>) {
        let names = self.0.entry(namespace_of(&object).to_owned()).or_default();
        names.insert(name_of(&object).to_owned(), object);
    }

    fn remove(&mut self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let names = self.0.get_mut(namespace)?;
        let gone = names.remove(name);
        if names.is_empty() {
            self.0.remove(namespace);
        }
        gone
    }
}

/// The revision asked for is no longer (or not yet) in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compacted;

/// All objects of a server.
#[derive(Debug)]
pub(super) struct Store {
    revision: u64,
    compacted: u64,
    tables: BTreeMap<GroupResource, Table>,
    history: VecDeque<Arc<Change>>,
    watchers: BTreeMap<GroupResource, Vec<UnboundedSender<Arc<Change>>>>,
    followers: Vec<UnboundedSender<Arc<Change>>>,
    /// Where the object with that uid is, and which objects name it as their owner.
    places: BTreeMap<String, Place>,
    owned: BTreeMap<String, BTreeSet<Place>>,
    /// Changes whose consequences have not been drawn yet.
    unsettled: VecDeque<Arc<Change>>,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            revision: 1,
            compacted: 0,
            tables: BTreeMap::new(),
            history: VecDeque::new(),
            watchers: BTreeMap::new(),
            followers: Vec::new(),
            places: BTreeMap::new(),
            owned: BTreeMap::new(),
            unsettled: VecDeque::new(),
        }
    }

    /// The revision of the latest change.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn get(&self, resource: &GroupResource, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.tables.get(resource)?.get(namespace, name)
    }

    pub(super) fn iter<'a>(
        &'a self,
        resource: &'a GroupResource,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Value>> {
        self.tables.get(resource).into_iter().flat_map(move |table| table.iter(namespace))
    }

    /// The objects of `resource` as they were at `revision`.
    pub(super) fn snapshot(&self, resource: &GroupResource, revision: u64) -> Result<Table, Compacted> {
        if revision < self.compacted {
            return Err(Compacted);
        }
        let mut table = self.tables.get(resource).cloned().unwrap_or_default();
        let later = self.history.iter().rev().take_while(|change| change.revision > revision);
        for change in later.filter(|change| change.kind.is_of(resource)) {
            match &change.previous {
                Some(previous) => table.insert(previous.clone()),
                None => {
                    table.remove(namespace_of(&change.object), name_of(&change.object));
                }
            }
        }
        Ok(table)
    }

    /// Stores `object`, new or in place of the one with its key, under the next revision.
    pub(super) fn put(&mut self, kind: &Arc<Kind>, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        set_resource_version(&mut object, self.revision);
        let object = Arc::new(object);
        let table = self.tables.entry(kind.resource()).or_default();
        let previous = table.get(namespace_of(&object), name_of(&object)).cloned();
        table.insert(object.clone());
        let what = if previous.is_some() { ChangeType::Modified } else { ChangeType::Added };
        self.record(kind, what, object.clone(), previous);
        object
    }

    /// Changes every object of a kind where it lies, without a revision and without anybody being told.
    pub(super) fn reshape(&mut self, resource: &GroupResource, change: impl Fn(&mut Value)) {
        let Some(table) = self.tables.get_mut(resource) else { return };
        for object in table.0.values_mut().flat_map(Names::values_mut) {
            change(Arc::make_mut(object));
        }
    }

    /// Removes an object; what watchers see of it last is `object`, under the next revision.
    pub(super) fn remove(&mut self, kind: &Arc<Kind>, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        set_resource_version(&mut object, self.revision);
        let object = Arc::new(object);
        let table = self.tables.entry(kind.resource()).or_default();
        let previous = table.remove(namespace_of(&object), name_of(&object));
        self.record(kind, ChangeType::Deleted, object.clone(), previous);
        object
    }

    fn record(
        &mut self,
        kind: &Arc<Kind>,
        what: ChangeType,
        object: Arc<Value>,
        previous: Option<Arc<Value>>,
    ) {
        let change = Arc::new(Change {
            kind: kind.clone(),
            what,
            object,
            previous,
            revision: self.revision,
            rendered: OnceLock::new(),
        });
        self.index(&change);
        self.unsettled.push_back(change.clone());
        if let Some(watchers) = self.watchers.get_mut(&kind.resource()) {
            watchers.retain(|watcher| watcher.send(change.clone()).is_ok());
        }
        self.followers.retain(|follower| follower.send(change.clone()).is_ok());
        self.history.push_back(change);
        if self.history.len() > HISTORY {
            self.forget_oldest();
        }
    }

    /// Keeps places and owners true; objects that neither own nor are owned cost one entry.
    fn index(&mut self, change: &Change) {
        let object = &change.object;
        let owned = |object: &Value| owner_uids(object).next().is_some();
        if change.what == ChangeType::Modified
            && !owned(object)
            && !change.previous.as_deref().is_some_and(owned)
        {
            return;
        }
        let place: Place = (change.kind.clone(), namespace_of(object).to_owned(), name_of(object).to_owned());
        for uid in change.previous.iter().flat_map(|previous| owner_uids(previous)) {
            if let Some(dependents) = self.owned.get_mut(uid) {
                dependents.remove(&place);
                if dependents.is_empty() {
                    self.owned.remove(uid);
                }
            }
        }
        if change.what == ChangeType::Deleted {
            self.places.remove(text(object, "uid"));
            return;
        }
        for uid in owner_uids(object) {
            self.owned.entry(uid.to_owned()).or_default().insert(place.clone());
        }
        if change.what == ChangeType::Added {
            self.places.insert(text(object, "uid").to_owned(), place);
        }
    }

    /// The next change whose consequences have not been drawn.
    pub(super) fn next_unsettled(&mut self) -> Option<Arc<Change>> {
        self.unsettled.pop_front()
    }

    /// The objects that name the owner `uid`.
    pub(super) fn dependents(&self, uid: &str) -> Vec<Place> {
        self.owned.get(uid).into_iter().flatten().cloned().collect()
    }

    /// Where the object `uid` is.
    pub(super) fn place_of(&self, uid: &str) -> Option<Place> {
        self.places.get(uid).cloned()
    }

    /// The names of a kind's objects in one namespace.
    pub(super) fn names(&self, resource: &GroupResource, namespace: &str) -> Vec<String> {
        self.iter(resource, Some(namespace)).map(|object| name_of(object).to_owned()).collect()
    }

    /// Namespace and name of every object of a kind.
    pub(super) fn keys(&self, resource: &GroupResource) -> Vec<(String, String)> {
        let key = |object: &Arc<Value>| (namespace_of(object).to_owned(), name_of(object).to_owned());
        self.iter(resource, None).map(key).collect()
    }

    /// Whether anything is in a namespace.
    pub(super) fn holds_any_in(&self, namespace: &str) -> bool {
        self.tables.values().any(|table| table.0.contains_key(namespace))
    }

    fn forget_oldest(&mut self) {
        if let Some(change) = self.history.pop_front() {
            self.compacted = change.revision;
        }
    }

    /// Forgets all history: watches and pages from before now get 410 Gone.
    pub(super) fn compact(&mut self) {
        self.history.clear();
        self.compacted = self.revision;
    }

    /// What happened to `resource` after `revision`, and all that happens from now on.
    pub(super) fn watch(
        &mut self,
        resource: &GroupResource,
        revision: u64,
    ) -> Result<UnboundedReceiver<Arc<Change>>, Compacted> {
        if revision < self.compacted {
            return Err(Compacted);
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        let later = self.history.iter().skip_while(|change| change.revision <= revision);
        for change in later.filter(|change| change.kind.is_of(resource)) {
            // The receiver is in this very function: it cannot have gone.
            let _ = sender.send(change.clone());
        }
        self.watchers.entry(resource.clone()).or_default().push(sender);
        Ok(receiver)
    }

    /// Ends every watch of `resource`, as when its kind is no longer served.
    pub(super) fn hang_up(&mut self, resource: &GroupResource) {
        self.watchers.remove(resource);
    }

    /// Every change of every kind from now on.
    pub(super) fn follow(&mut self) -> UnboundedReceiver<Arc<Change>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.followers.push(sender);
        receiver
    }
}
