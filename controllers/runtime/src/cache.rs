//! What is known of the objects of one kind.
//!
//! Responsible for keeping the objects in the order of their keys and for saying when the whole list has been
//! seen. Knows nothing of where they come from.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use kube::Resource;
use tokio::{sync::watch, task::AbortHandle};

use crate::key::ObjectKey;

pub(crate) type Objects<K> = BTreeMap<ObjectKey, Arc<K>>;

/// Ends the task that keeps a cache up to date when nobody uses it any more.
#[derive(Debug)]
pub(crate) struct Source(AbortHandle);

impl Source {
    pub(crate) fn new(task: AbortHandle) -> Arc<Self> {
        Arc::new(Self(task))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The objects of one kind as last seen. Clones are the same cache; the watch that fills it runs as long as one
/// of them is held.
#[derive(Debug)]
pub struct Cache<K> {
    objects: Arc<RwLock<Objects<K>>>,
    synced: Arc<watch::Sender<bool>>,
    source: Option<Arc<Source>>,
}

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self {
            objects: Arc::clone(&self.objects),
            synced: Arc::clone(&self.synced),
            source: self.source.clone(),
        }
    }
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self { objects: Arc::default(), synced: Arc::new(watch::Sender::new(false)), source: None }
    }
}

impl<K> Cache<K> {
    /// The object of that key.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.read(|objects| objects.get(key).cloned())
    }

    /// All objects, by namespace and name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read(|objects| objects.values().cloned().collect())
    }

    /// The objects in a namespace, by name.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Vec<Arc<K>> {
        let first = ObjectKey::within(namespace, "");
        self.read(|objects| {
            let from_there = objects.range(first..);
            let inside = from_there.take_while(|(key, _)| key.namespace.as_deref() == Some(namespace));
            inside.map(|(_, object)| Arc::clone(object)).collect()
        })
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.read(BTreeMap::len)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.read(BTreeMap::is_empty)
    }

    /// Whether the whole list has been seen.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Resolves when the whole list has been seen, at once if it has been before.
    pub async fn synced(&self) {
        let mut synced = self.synced.subscribe();
        // Cannot fail: the sender lives as long as this cache.
        let _seen = synced.wait_for(|synced| *synced).await.is_ok();
    }

    /// The same cache, whose holders keep `source` running.
    pub(crate) fn fed_by(&self, source: Arc<Source>) -> Self {
        Self { source: Some(source), ..self.clone() }
    }

    pub(crate) fn insert(&self, key: ObjectKey, object: Arc<K>) -> Option<Arc<K>> {
        self.write(|objects| objects.insert(key, object))
    }

    pub(crate) fn remove(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.write(|objects| objects.remove(key))
    }

    /// Replaces everything by a whole list and returns what was there before.
    pub(crate) fn replace(&self, list: Objects<K>) -> Objects<K> {
        let before = self.write(|objects| std::mem::replace(objects, list));
        self.synced.send_replace(true);
        before
    }

    fn read<T>(&self, look: impl FnOnce(&Objects<K>) -> T) -> T {
        look(&self.objects.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Objects<K>) -> T) -> T {
        change(&mut self.objects.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A synced cache of these objects that nothing keeps up to date: for tests and for `explain`.
impl<K: Resource> FromIterator<K> for Cache<K> {
    fn from_iter<I: IntoIterator<Item = K>>(objects: I) -> Self {
        let cache = Self::default();
        cache.replace(objects.into_iter().map(|object| (ObjectKey::of(&object), Arc::new(object))).collect());
        cache
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn named(namespace: &str, name: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.namespace = Some(namespace.to_owned());
        object.metadata.name = Some(name.to_owned());
        object
    }

    fn names(objects: &[Arc<ConfigMap>]) -> Vec<String> {
        objects.iter().map(|object| ObjectKey::of(object.as_ref()).to_string()).collect()
    }

    #[test]
    fn objects_come_in_the_order_of_their_keys_whatever_order_they_arrived_in() {
        let cache: Cache<_> = [named("b", "x"), named("a", "z"), named("a", "y")].into_iter().collect();
        assert_eq!(names(&cache.all()), ["a/y", "a/z", "b/x"]);
    }

    #[test]
    fn a_namespace_is_not_confused_with_one_that_begins_alike() {
        let cache: Cache<_> = [named("a-b", "x"), named("a", "y"), named("aa", "z")].into_iter().collect();
        assert_eq!(names(&cache.within("a")), ["a/y"]);
    }
}
