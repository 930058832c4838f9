//! Following the objects of one kind.
//!
//! Responsible for all watches: a list in pages, then its changes, into a [`Cache`] and to whoever listens;
//! started again with backoff when it breaks, and reported on the [`Readiness`] board. Objects that cannot be
//! read are skipped and counted. Knows nothing of what the kinds mean.

use std::{
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{Stream, StreamExt as _, future::Either, stream};
use kube::{
    Api, Resource, ResourceExt as _,
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::watcher,
};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

pub use crate::cache::Cache;
use crate::{
    cache::{Objects, Source},
    client::CallError,
    key::ObjectKey,
    metrics::{Metrics, WatchMetrics},
    readiness::{Need, Readiness, WatchState},
    retry::Backoff,
};

/// Objects per page of the first list.
const PAGE: u32 = 500;

/// How long to wait before asking again for a kind that the API server does not serve.
const ABSENT_PAUSE: Duration = Duration::from_secs(30);

/// How long each page of a list may take.
const LIST_BUDGET: Duration = Duration::from_mins(1);

/// A watch that has said nothing for so long is given up and the list read again, lest a connection that died
/// unnoticed leaves everyone in the past.
const LONGEST_SILENCE: Duration = Duration::from_mins(10);

/// A watch that has not failed again for so long after a failure is taken to run. Longer than a connection may
/// take to come up.
const CALM: Duration = Duration::from_secs(15);

/// What happened to an object.
#[derive(Debug)]
pub enum Change<K> {
    /// It was not known before.
    Added(Arc<K>),
    /// It is another version than before.
    Modified {
        /// What was known.
        before: Arc<K>,
        /// What is known now.
        after: Arc<K>,
    },
    /// It is gone; what was last known of it.
    Deleted(Arc<K>),
}

impl<K> Change<K> {
    /// The latest known version.
    #[must_use]
    pub fn object(&self) -> &Arc<K> {
        match self {
            Self::Added(object) | Self::Modified { after: object, .. } | Self::Deleted(object) => object,
        }
    }

    /// All versions that the change is about, older first. Who looks up what an object points to looks at all of
    /// them: what it pointed to before is touched as well.
    pub fn versions(&self) -> impl Iterator<Item = &Arc<K>> {
        let (before, after) = match self {
            Self::Added(object) | Self::Deleted(object) => (None, object),
            Self::Modified { before, after } => (Some(before), after),
        };
        before.into_iter().chain([after])
    }
}

impl<K> Clone for Change<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Added(object) => Self::Added(Arc::clone(object)),
            Self::Modified { before, after } => {
                Self::Modified { before: Arc::clone(before), after: Arc::clone(after) }
            }
            Self::Deleted(object) => Self::Deleted(Arc::clone(object)),
        }
    }
}

type Prune<K> = Box<dyn Fn(&mut K) + Send>;

/// A watch to be started.
pub struct Watch<K: Resource> {
    api: Api<DeserializeGuard<K>>,
    kind: K::DynamicType,
    config: watcher::Config,
    need: Need,
    prune: Prune<K>,
}

impl<K> Watch<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Send + Sync,
{
    /// A watch of what `api` reaches: `Watch::<ConfigMap>::of(Api::all(client))`.
    #[must_use]
    pub fn of(api: Api<DeserializeGuard<K>>) -> Self
    where
        K::DynamicType: Default,
    {
        Self::of_kind(api, K::DynamicType::default())
    }

    /// A watch of a kind that is known only at run time: `Watch::of_kind(Api::all_with(client, &kind), kind)`.
    pub fn of_kind(api: Api<DeserializeGuard<K>>, kind: K::DynamicType) -> Self {
        let config = watcher::Config::default().page_size(PAGE);
        Self { api, kind, config, need: Need::Required, prune: Box::new(|_| {}) }
    }

    /// Only objects that this label selector fits.
    #[must_use]
    pub fn labels(mut self, selector: &str) -> Self {
        self.config = self.config.labels(selector);
        self
    }

    /// Drops from each object what nobody reads, before it is kept. Managed fields are dropped anyway.
    #[must_use]
    pub fn prune(mut self, prune: impl Fn(&mut K) + Send + 'static) -> Self {
        self.prune = Box::new(prune);
        self
    }

    /// The process is ready although the API server does not serve this kind: then there are no objects of it.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.need = Need::Optional;
        self
    }

    /// Starts it on the current tokio runtime. One watch per kind is enough: its result is shared by cloning. It ends when the result and all caches and streams
    /// from it are dropped.
    pub fn start(self, readiness: &Readiness, metrics: &Metrics) -> Watched<K> {
        let resource = format!("{}.{}", K::plural(&self.kind), K::group(&self.kind));
        let resource = resource.trim_end_matches('.').to_owned();
        let name = [self.api.namespace(), self.config.label_selector.as_deref()]
            .into_iter()
            .flatten()
            .fold(resource.clone(), |name, part| format!("{name} {part}"));
        let shared = Arc::new(Shared { cache: Cache::default(), listeners: Mutex::default() });
        let pump = Pump {
            board: Board { readiness: readiness.clone(), name, need: self.need },
            metrics: metrics.watch(&resource),
            api: self.api,
            config: self.config,
            prune: self.prune,
            shared: Arc::clone(&shared),
            is_listing: true,
            arriving: Objects::new(),
            failures: 0,
        };
        pump.board.set(WatchState::Syncing);
        let source = Source::new(tokio::spawn(pump.run()).abort_handle());
        let cache = shared.cache.fed_by(Arc::clone(&source));
        Watched { shared, cache, source }
    }
}

/// A running watch. Clones are the same watch.
pub struct Watched<K> {
    shared: Arc<Shared<K>>,
    cache: Cache<K>,
    source: Arc<Source>,
}

impl<K> Clone for Watched<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), cache: self.cache.clone(), source: Arc::clone(&self.source) }
    }
}

impl<K: Send + Sync + 'static> Watched<K> {
    /// What is known.
    #[must_use]
    pub fn cache(&self) -> &Cache<K> {
        &self.cache
    }

    /// What is known now, as [`Change::Added`], and then each change. A list that is read again brings only what
    /// differs.
    pub fn changes(&self) -> impl Stream<Item = Change<K>> + Send + Unpin + use<K> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.shared.listen(sender);
        let listening = (receiver, Arc::clone(&self.source));
        Box::pin(stream::unfold(listening, async |(mut receiver, source)| {
            Some((receiver.recv().await?, (receiver, source)))
        }))
    }
}

struct Shared<K> {
    cache: Cache<K>,
    /// Held while the cache changes, so that a new listener misses nothing and hears nothing twice.
    listeners: Mutex<Vec<mpsc::UnboundedSender<Change<K>>>>,
}

impl<K> Shared<K> {
    fn listen(&self, listener: mpsc::UnboundedSender<Change<K>>) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = self.cache.all().into_iter().try_for_each(|object| listener.send(Change::Added(object)));
        if heard.is_ok() {
            listeners.push(listener);
        }
    }

    fn change(&self, change: impl FnOnce(&Cache<K>) -> Vec<Change<K>>) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for change in change(&self.cache) {
            listeners.retain(|listener| listener.send(change.clone()).is_ok());
        }
    }
}

struct Board {
    readiness: Readiness,
    name: String,
    need: Need,
}

impl Board {
    fn set(&self, state: WatchState) {
        self.readiness.set(&self.name, self.need, state);
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.readiness.remove(&self.name);
    }
}

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recovery {
    /// Go on from the version last seen.
    Resume,
    /// Read the whole list again.
    Relist,
}

struct Pump<K: Resource> {
    api: Api<DeserializeGuard<K>>,
    config: watcher::Config,
    prune: Prune<K>,
    board: Board,
    metrics: WatchMetrics,
    shared: Arc<Shared<K>>,
    /// Between the beginning of a list and its end.
    is_listing: bool,
    arriving: Objects<K>,
    failures: u32,
}

impl<K> Pump<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Send + Sync,
{
    async fn run(mut self) {
        loop {
            let watcher = watcher::watcher(self.api.clone(), self.config.clone());
            self.follow(std::pin::pin!(watcher)).await;
        }
    }

    /// Returns when the list is to be read again.
    async fn follow(
        &mut self,
        mut events: impl Stream<Item = watcher::Result<watcher::Event<DeserializeGuard<K>>>> + Unpin,
    ) {
        loop {
            let recovery = match tokio::time::timeout(self.patience(), events.next()).await {
                Ok(Some(Ok(event))) => self.take(event),
                Ok(Some(Err(error))) => self.fail(&cause(error)).await,
                Ok(None) => Recovery::Relist,
                Err(_silent) => self.silent().await,
            };
            if recovery == Recovery::Relist {
                return;
            }
        }
    }

    /// How long silence means nothing.
    fn patience(&self) -> Duration {
        if self.is_listing {
            LIST_BUDGET
        } else if self.failures > 0 {
            CALM
        } else {
            LONGEST_SILENCE
        }
    }

    async fn silent(&mut self) -> Recovery {
        if self.is_listing {
            self.fail(&CallError::Timeout(LIST_BUDGET)).await;
            return Recovery::Relist;
        }
        if self.failures > 0 {
            // A watch that resumes says nothing: that it does not fail again is the good sign.
            self.recover();
            return Recovery::Resume;
        }
        Recovery::Relist
    }

    fn recover(&mut self) {
        if self.failures > 0 {
            tracing::info!(watch = self.board.name, "the watch is back");
        }
        self.failures = 0;
        self.board.set(WatchState::Synced);
    }

    fn take(&mut self, event: watcher::Event<DeserializeGuard<K>>) -> Recovery {
        match event {
            watcher::Event::Init => self.begin(),
            watcher::Event::InitApply(object) => self.arrive(object),
            watcher::Event::InitDone => self.arrived(),
            watcher::Event::Apply(object) => self.apply(object),
            watcher::Event::Delete(object) => self.delete(&object),
        }
        Recovery::Resume
    }

    fn begin(&mut self) {
        self.is_listing = true;
        self.arriving = Objects::new();
    }

    fn arrive(&mut self, object: DeserializeGuard<K>) {
        let key = ObjectKey::of(&object);
        // What was readable once is not gone because it is unreadable now: the last readable version stays.
        let known = self.readable(object).or_else(|| self.shared.cache.get(&key));
        if let Some(object) = known {
            self.arriving.insert(key, object);
        }
    }

    fn arrived(&mut self) {
        self.is_listing = false;
        let list = std::mem::take(&mut self.arriving);
        self.shared.change(|cache| {
            let after = list.clone();
            changes_between(&cache.replace(list), after)
        });
        self.recover();
    }

    fn apply(&mut self, object: DeserializeGuard<K>) {
        let key = ObjectKey::of(&object);
        if let Some(after) = self.readable(object) {
            self.shared.change(|cache| {
                let before = cache.insert(key, Arc::clone(&after));
                changed(before, after).into_iter().collect()
            });
        }
        self.recover();
    }

    fn delete(&mut self, object: &DeserializeGuard<K>) {
        let key = ObjectKey::of(object);
        self.shared.change(|cache| cache.remove(&key).map(Change::Deleted).into_iter().collect());
        self.recover();
    }

    fn readable(&self, object: DeserializeGuard<K>) -> Option<Arc<K>> {
        match object.0 {
            Ok(mut object) => {
                object.managed_fields_mut().clear();
                (self.prune)(&mut object);
                Some(Arc::new(object))
            }
            Err(invalid) => {
                self.skip(&invalid);
                None
            }
        }
    }

    fn skip(&self, invalid: &InvalidObject) {
        self.metrics.malformed();
        let (namespace, name) = (invalid.metadata.namespace.as_deref(), invalid.metadata.name.as_deref());
        tracing::warn!(
            watch = self.board.name,
            namespace,
            name,
            error = invalid.error,
            "skipped: cannot be read"
        );
    }

    async fn fail(&mut self, error: &CallError) -> Recovery {
        self.failures = self.failures.saturating_add(1);
        self.metrics.failed(error.class());
        self.tell(error);
        let (state, pause, recovery) = self.verdict(error);
        if state == WatchState::Absent && self.board.need == Need::Optional {
            self.nothing_is_there();
        }
        self.board.set(state);
        tokio::time::sleep(pause).await;
        recovery
    }

    /// Of a kind that is not served there are no objects: whoever waits for the list need not wait for a definition that
    /// may never come.
    fn nothing_is_there(&self) {
        self.shared.change(|cache| changes_between(&cache.replace(Objects::new()), Objects::new()));
    }

    /// Says the first failure of a row aloud. That a server has forgotten an old version is its ordinary course.
    fn tell(&self, error: &CallError) {
        let watch = &self.board.name;
        if matches!(error, CallError::Gone(_)) {
            tracing::debug!(watch, %error, "the watch starts over");
        } else if self.failures == 1 {
            tracing::warn!(watch, %error, "the watch broke and is tried again");
        } else {
            tracing::debug!(watch, %error, failures = self.failures, "the watch broke again");
        }
    }

    fn verdict(&self, error: &CallError) -> (WatchState, Duration, Recovery) {
        let pause = Backoff::WATCH.delay(&self.board.name, self.failures);
        let failing = WatchState::Failing(error.to_string());
        match error {
            CallError::NotFound(_) => (WatchState::Absent, ABSENT_PAUSE, Recovery::Relist),
            CallError::Gone(_) => (failing, pause, Recovery::Relist),
            CallError::Throttled { retry_after, .. } => {
                (failing, pause.max(retry_after.unwrap_or_default()), Recovery::Resume)
            }
            CallError::Timeout(_)
            | CallError::Conflict(_)
            | CallError::AlreadyExists(_)
            | CallError::Forbidden(_)
            | CallError::Invalid(_)
            | CallError::Unavailable(_)
            | CallError::NotLeading
            | CallError::Other(_) => (failing, pause, Recovery::Resume),
        }
    }
}

fn cause(error: watcher::Error) -> CallError {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => CallError::from(error),
        watcher::Error::WatchError(status) => CallError::from(*status),
        watcher::Error::NoResourceVersion => CallError::Other("the list has no resourceVersion".to_owned()),
    }
}

fn changes_between<K: Resource>(before: &Objects<K>, after: Objects<K>) -> Vec<Change<K>> {
    let gone = before.iter().filter(|(key, _)| !after.contains_key(*key));
    let mut changes: Vec<_> = gone.map(|(_, object)| Change::Deleted(Arc::clone(object))).collect();
    changes.extend(after.into_iter().filter_map(|(key, object)| changed(before.get(&key).cloned(), object)));
    changes
}

/// What to tell of an object, unless it is the version that was known.
fn changed<K: Resource>(before: Option<Arc<K>>, after: Arc<K>) -> Option<Change<K>> {
    let Some(before) = before else {
        return Some(Change::Added(after));
    };
    let version = after.resource_version();
    let is_known = version.is_some() && version == before.resource_version() && after.uid() == before.uid();
    (!is_known).then_some(Change::Modified { before, after })
}

/// The keys that the changes of one kind touch in another: `touched` is asked for each version of an object.
pub fn touching<K: Send + Sync + 'static, I: IntoIterator<Item = ObjectKey>>(
    changes: impl Stream<Item = Change<K>> + Send,
    touched: impl Fn(&K) -> I + Send,
) -> impl Stream<Item = ObjectKey> + Send
where
    I::IntoIter: Send,
{
    changes.flat_map(move |change| {
        let keys: Vec<_> = change.versions().flat_map(|object| touched(object)).collect();
        match <[ObjectKey; 1]>::try_from(keys) {
            Ok([key]) => Either::Left(stream::iter([key])),
            Err(keys) => Either::Right(stream::iter(keys)),
        }
    })
}

#[cfg(test)]
mod tests;
