//! What is known of the objects of one kind.
//!
//! Responsible for keeping the objects in the order of their keys and for saying when the whole list has been
//! seen. Knows nothing of where they come from.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use kube::{Resource, ResourceExt as _};
use tokio::{sync::watch, task::AbortHandle, time::Instant};

use crate::key::ObjectKey;

/// How long an own write is waited for at most. A watch that lost it has long been read anew by then.
const AWAITED_FOR: Duration = Duration::from_mins(2);

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
    /// What this process wrote and has not seen yet, and until when it is waited for.
    awaited: Arc<Mutex<BTreeMap<ObjectKey, (u64, Instant)>>>,
    synced: Arc<watch::Sender<bool>>,
    source: Option<Arc<Source>>,
}

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self {
            objects: Arc::clone(&self.objects),
            awaited: Arc::clone(&self.awaited),
            synced: Arc::clone(&self.synced),
            source: self.source.clone(),
        }
    }
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self {
            objects: Arc::default(),
            awaited: Arc::default(),
            synced: Arc::new(watch::Sender::new(false)),
            source: None,
        }
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
        self.within_where(namespace, |_| true)
    }

    /// The objects in a namespace that `is_wanted`, by name. Nothing that is not wanted is touched: with thousands of
    /// objects in one namespace that is what a look costs.
    #[must_use]
    pub fn within_where(&self, namespace: &str, is_wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let first = ObjectKey::within(namespace, "");
        self.read(|objects| {
            let from_there = objects.range(first..);
            let inside = from_there.take_while(|(key, _)| key.namespace.as_deref() == Some(namespace));
            inside.filter(|(_, object)| is_wanted(object)).map(|(_, object)| Arc::clone(object)).collect()
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
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
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

impl<K: Resource> Cache<K> {
    /// Notes that this process has written `object`, which is as the API server answered. Until it has been seen, what is
    /// known of it is older than what was done.
    pub fn wrote(&self, object: &K) {
        if let Some(version) = version(object) {
            let awaited = (version, Instant::now() + AWAITED_FOR);
            self.awaited
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(ObjectKey::of(object), awaited);
        }
    }

    /// Whether this process wrote an object with such a key that it has not seen yet.
    pub fn is_behind(&self, concerns: impl Fn(&ObjectKey) -> bool) -> bool {
        let now = Instant::now();
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.retain(|key, (wrote, until)| {
            let seen = self.get(key).and_then(|object| version(object.as_ref()));
            seen.is_none_or(|seen| seen < *wrote) && now < *until
        });
        awaited.keys().any(concerns)
    }
}

/// Versions of one kind of object are numbers that grow ("Resource versions", Kubernetes 1.35).
fn version<K: Resource>(object: &K) -> Option<u64> {
    object.resource_version()?.parse().ok()
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

    fn at(version: u64) -> ConfigMap {
        let mut object = named("a", "x");
        object.metadata.resource_version = Some(version.to_string());
        object
    }

    #[tokio::test(start_paused = true)]
    async fn an_own_write_is_awaited_until_it_or_something_newer_is_seen() {
        let (cache, key): (Cache<_>, _) = ([at(3)].into_iter().collect(), ObjectKey::within("a", "x"));
        let is_behind = || cache.is_behind(|of| *of == key);
        assert!(!is_behind());
        cache.wrote(&at(10));
        assert!(is_behind() && !cache.is_behind(|of| of.name == "y"));
        cache.insert(key.clone(), Arc::new(at(9)));
        assert!(is_behind());
        cache.insert(key.clone(), Arc::new(at(12)));
        assert!(!is_behind());
    }

    #[tokio::test(start_paused = true)]
    async fn an_own_write_that_is_deleted_or_never_seen_is_not_awaited_for_ever() {
        let (cache, key): (Cache<_>, _) = ([at(3)].into_iter().collect(), ObjectKey::within("a", "x"));
        cache.wrote(&at(10));
        cache.remove(&key);
        assert!(!cache.is_behind(|of| *of == key));
        cache.wrote(&at(11));
        assert!(cache.is_behind(|of| *of == key), "it is not there yet");
        tokio::time::advance(AWAITED_FOR).await;
        assert!(!cache.is_behind(|of| *of == key));
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
