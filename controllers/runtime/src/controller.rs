//! Running a reconcile for each object that needs one.
//!
//! Responsible for when it runs: as soon as something wakes the object or the time that its last reconcile asked
//! for has come, never twice at once for one object, at most so many at a time, each with a budget, and again
//! with backoff when it failed. Knows nothing of what a reconcile does.
//!
//! kube-runtime has such a loop. This one differs in what a replay and a dashboard need: the order in which
//! objects are taken is decided (kube-runtime's follows the hash of the process), and the time that they wait
//! can be measured.

use std::{
    any::Any,
    error::Error,
    fmt::Debug,
    num::NonZeroUsize,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt as _, Stream, StreamExt as _,
    future::BoxFuture,
    stream::{BoxStream, FuturesUnordered, SelectAll},
};
use kube::Resource;
use tokio::time::{Instant, error::Elapsed};
use tracing::Instrument as _;

use crate::{
    cache::Cache,
    client::CallError,
    key::ObjectKey,
    metrics::{ControllerMetrics, Ended, Metrics, MetricsError, QueueCollector, QueueLoad},
    queue::{Asked, Queue},
    retry::{Attempts, Backoff},
    watch::{Change, Watched},
};

/// When to reconcile an object again although nothing wakes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// After this time.
    RequeueAfter(Duration),
    /// Not at all.
    AwaitChange,
}

impl Action {
    /// Again after `delay`, unless something wakes the object before. Each reconcile decides anew: an earlier
    /// wish does not survive a reconcile in between.
    #[must_use]
    pub const fn requeue(delay: Duration) -> Self {
        Self::RequeueAfter(delay)
    }

    /// Not before something wakes the object.
    #[must_use]
    pub const fn await_change() -> Self {
        Self::AwaitChange
    }
}

/// When to try again what failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may work later: with growing delays.
    Backoff,
    /// Something was newer than what was read: soon.
    Conflict,
    /// After this time.
    After(Duration),
    /// It cannot work before something changes that wakes the object.
    AwaitChange,
}

impl From<&CallError> for Retry {
    /// How a reconcile that failed for this call alone is usually tried again.
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Conflict(_) | CallError::AlreadyExists(_) => Self::Conflict,
            CallError::Throttled { retry_after: Some(delay), .. } => Self::After(*delay),
            CallError::Throttled { retry_after: None, .. }
            | CallError::Timeout(_)
            | CallError::NotFound(_)
            | CallError::Forbidden(_)
            | CallError::Invalid(_)
            | CallError::Gone(_)
            | CallError::Unavailable(_)
            | CallError::NotLeading
            | CallError::Other(_) => Self::Backoff,
        }
    }
}

/// What the error of a reconcile has to answer.
pub trait Failure: Error + Send {
    /// The word for metrics: one of a closed set.
    fn class(&self) -> &'static str;

    /// When to try again.
    fn retry(&self) -> Retry;
}

/// A controller to be run.
pub struct Controller<K> {
    name: &'static str,
    cache: Cache<K>,
    wakes: SelectAll<BoxStream<'static, ObjectKey>>,
    first: Vec<BoxFuture<'static, ()>>,
    concurrency: NonZeroUsize,
    budget: Duration,
    metrics: ControllerMetrics,
    queue: SharedQueue,
}

impl<K> Controller<K>
where
    K: Resource + Send + Sync + 'static,
{
    /// A controller of the watched kind that each change of an object wakes. `name` is its label in metrics and
    /// logs and can be taken once per registry. Until told otherwise, 16 objects at a time with 60 s each.
    pub fn new(name: &'static str, watched: &Watched<K>, metrics: &Metrics) -> Result<Self, MetricsError> {
        let queue = SharedQueue::default();
        metrics.register(queue.collector(name)?)?;
        let own = watched.changes().map(|change: Change<K>| ObjectKey::of(change.object().as_ref()));
        let controller = Self {
            name,
            cache: watched.cache().clone(),
            wakes: SelectAll::new(),
            first: Vec::new(),
            concurrency: const { NonZeroUsize::new(16).unwrap() },
            budget: Duration::from_mins(1),
            metrics: metrics.controller(name),
            queue,
        };
        Ok(controller.wake_on(own).after(watched.cache()))
    }

    /// Also wakes the objects whose keys come here. Keys of objects that do not exist are ignored.
    #[must_use]
    pub fn wake_on(mut self, keys: impl Stream<Item = ObjectKey> + Send + 'static) -> Self {
        self.wakes.push(keys.boxed());
        self
    }

    /// Starts only when this cache is synced as well.
    #[must_use]
    pub fn after<O: Send + Sync + 'static>(self, cache: &Cache<O>) -> Self {
        let cache = cache.clone();
        self.once(async move { cache.synced().await })
    }

    /// Starts only when this has come as well. What wakes objects until then is heard, so that a process that waits to
    /// lead knows all there is to do when it does.
    #[must_use]
    pub fn once(mut self, condition: impl Future<Output = ()> + Send + 'static) -> Self {
        self.first.push(condition.boxed());
        self
    }

    /// Reconciles at most so many objects at a time.
    #[must_use]
    pub fn concurrency(mut self, concurrency: NonZeroUsize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Gives each reconcile at most so long.
    #[must_use]
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Runs until `shutdown` resolves; then what is running is finished and nothing new is begun.
    pub async fn run<C, F, Fut, E>(
        mut self,
        context: Arc<C>,
        reconcile: F,
        shutdown: impl Future<Output = ()>,
    ) where
        F: Fn(Arc<K>, Arc<C>) -> Fut,
        Fut: Future<Output = Result<Action, E>> + Send,
        E: Failure,
    {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut ready = futures::future::join_all(std::mem::take(&mut self.first));
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                _ready = &mut ready => break,
                Some(key) = self.wakes.next() => ask(&self.queue, &self.metrics, key),
            }
        }
        tracing::info!(controller = self.name, objects = self.cache.len(), "running");
        let turns = Turns {
            name: self.name,
            cache: self.cache,
            budget: self.budget,
            metrics: self.metrics,
            queue: self.queue,
            attempts: Attempts::default(),
        };
        let reconcile = |object: Arc<K>| reconcile(object, Arc::clone(&context));
        turns.run(self.wakes, self.concurrency, reconcile, shutdown).await;
    }
}

type TimedResult<E> = Result<Result<Action, E>, Elapsed>;
type Panic = Box<dyn Any + Send>;

/// Takes objects from the queue and puts them back.
struct Turns<K> {
    name: &'static str,
    cache: Cache<K>,
    budget: Duration,
    metrics: ControllerMetrics,
    queue: SharedQueue,
    attempts: Attempts,
}

/// One object whose turn has come to its end.
struct Turn {
    key: ObjectKey,
    outcome: Outcome,
    took: Duration,
}

#[derive(Clone, Copy)]
enum Outcome {
    Done(Action),
    Failed { class: &'static str, retry: Retry },
}

impl<K: Send + Sync + 'static> Turns<K> {
    async fn run<F, Fut, E>(
        &self,
        mut wakes: SelectAll<BoxStream<'static, ObjectKey>>,
        concurrency: NonZeroUsize,
        reconcile: F,
        mut shutdown: impl Future<Output = ()> + Unpin,
    ) where
        F: Fn(Arc<K>) -> Fut,
        Fut: Future<Output = Result<Action, E>> + Send,
        E: Failure,
    {
        let mut running = FuturesUnordered::new();
        loop {
            self.hear(&mut wakes);
            while running.len() < concurrency.get()
                && let Some((key, object)) = self.take()
            {
                running.push(self.turn(key, reconcile(object)));
            }
            let due = self.queue.lock().next_due().filter(|_| running.len() < concurrency.get());
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(turn) = running.next() => self.settle(&turn),
                Some(key) = wakes.next() => self.ask(key),
                () = sleep_until(due), if due.is_some() => {}
            }
        }
        while let Some(turn) = running.next().await {
            self.settle(&turn);
        }
    }

    /// Takes in all wakes that are there, so that a burst for one object is one reconcile.
    fn hear(&self, wakes: &mut SelectAll<BoxStream<'static, ObjectKey>>) {
        while let Some(Some(key)) = wakes.next().now_or_never() {
            self.ask(key);
        }
    }

    fn ask(&self, key: ObjectKey) {
        ask(&self.queue, &self.metrics, key);
    }

    /// The next object that is due and exists.
    fn take(&self) -> Option<(ObjectKey, Arc<K>)> {
        loop {
            let (key, waited) = self.queue.lock().take(Instant::now())?;
            if let Some(object) = self.cache.get(&key) {
                self.metrics.waited(waited.as_secs_f64());
                return Some((key, object));
            }
            self.queue.lock().end(&key, None);
            self.attempts.forget(&key);
        }
    }

    async fn turn<E: Failure>(&self, key: ObjectKey, work: impl Future<Output = Result<Action, E>>) -> Turn {
        let span = tracing::info_span!("reconcile", controller = self.name, object = %key);
        let started = Instant::now();
        let guarded = AssertUnwindSafe(tokio::time::timeout(self.budget, work)).catch_unwind();
        let outcome = async { self.judge(guarded.await.as_ref()) }.instrument(span).await;
        Turn { key, outcome, took: started.elapsed() }
    }

    fn judge<E: Failure>(&self, ended: Result<&TimedResult<E>, &Panic>) -> Outcome {
        match ended {
            Ok(Ok(Ok(action))) => Outcome::Done(*action),
            Ok(Ok(Err(error))) => {
                let (class, retry) = (error.class(), error.retry());
                tracing::warn!(class, ?retry, error = with_sources(error), "failed");
                Outcome::Failed { class, retry }
            }
            Ok(Err(_elapsed)) => {
                tracing::warn!(budget = ?self.budget, "took too long and was dropped");
                Outcome::Failed { class: "timeout", retry: Retry::Backoff }
            }
            // The panic hook has told the rest.
            Err(_panic) => {
                tracing::error!("panicked");
                Outcome::Failed { class: "panic", retry: Retry::Backoff }
            }
        }
    }

    fn settle(&self, turn: &Turn) {
        let (ended, delay) = match turn.outcome {
            Outcome::Done(action) => {
                self.attempts.forget(&turn.key);
                match action {
                    Action::RequeueAfter(delay) => (Ended::RequeueAfter, Some(delay)),
                    Action::AwaitChange => (Ended::Success, None),
                }
            }
            Outcome::Failed { class, retry } => (Ended::Error(class), self.again(&turn.key, retry)),
        };
        self.metrics.reconciled(ended, turn.took.as_secs_f64());
        self.queue.lock().end(&turn.key, delay.map(|delay| Instant::now() + delay));
    }

    fn again(&self, key: &ObjectKey, retry: Retry) -> Option<Duration> {
        let delay = match retry {
            Retry::Backoff => Some(self.attempts.failed(key, Backoff::RECONCILE)),
            Retry::Conflict => Some(self.attempts.failed(key, Backoff::CONFLICT)),
            Retry::After(delay) => Some(delay),
            Retry::AwaitChange => None,
        };
        if delay.is_some() {
            self.metrics.retried();
        }
        delay
    }
}

fn ask(queue: &SharedQueue, metrics: &ControllerMetrics, key: ObjectKey) {
    match queue.lock().ask(key, Instant::now()) {
        Asked::Added => metrics.added(),
        Asked::AlreadyDue => {}
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = inner.source();
    }
    text
}

/// The queue, which a scrape looks at while the controller works with it.
#[derive(Clone, Debug, Default)]
struct SharedQueue(Arc<Mutex<Queue>>);

impl SharedQueue {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collector(&self, name: &'static str) -> Result<QueueCollector, MetricsError> {
        let queue = self.clone();
        QueueCollector::new(name, move || {
            let (now, queue) = (Instant::now(), queue.lock());
            QueueLoad { depth: queue.depth(now), running: queue.running(now).collect() }
        })
    }
}

#[cfg(test)]
mod tests;
