//! Who is to be woken when.
//!
//! Responsible for one instant for each object and for naming, at each beat of the heartbeat, those whose instant
//! has come. A wake-up is only that: what is due is decided by who is woken. Knows nothing of rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use fedscaler_runtime::{clock::SharedClock, heartbeat::Heartbeat, key::ObjectKey};
use futures::{Stream, StreamExt as _, stream};

/// The agenda. Clones are the same agenda.
#[derive(Clone, Debug, Default)]
pub struct Agenda(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    in_order: BTreeSet<(DateTime<Utc>, ObjectKey)>,
    by_key: BTreeMap<ObjectKey, DateTime<Utc>>,
}

impl Agenda {
    /// Wakes the object at `instant` and no more at the instant that was set before; with `None` not at all.
    pub fn set(&self, key: &ObjectKey, instant: Option<DateTime<Utc>>) {
        let mut entries = self.lock();
        if let Some(before) = entries.by_key.remove(key) {
            entries.in_order.remove(&(before, key.clone()));
        }
        if let Some(instant) = instant {
            entries.by_key.insert(key.clone(), instant);
            entries.in_order.insert((instant, key.clone()));
        }
    }

    /// Takes those off whose instant has come, the earliest first.
    pub fn take_due(&self, now: DateTime<Utc>) -> Vec<ObjectKey> {
        let mut entries = self.lock();
        let mut due = Vec::new();
        while entries.in_order.first().is_some_and(|(instant, _)| *instant <= now)
            && let Some((_, key)) = entries.in_order.pop_first()
        {
            entries.by_key.remove(&key);
            due.push(key);
        }
        due
    }

    /// Those whose instant has come, each time that the heart beats and the clock is read.
    pub fn wakes(
        &self,
        heartbeat: Box<dyn Heartbeat>,
        clock: SharedClock,
    ) -> impl Stream<Item = ObjectKey> + Send + use<> {
        let agenda = self.clone();
        let beats = stream::unfold(heartbeat, async |mut heartbeat| {
            heartbeat.beat().await;
            Some(((), heartbeat))
        });
        beats.flat_map(move |()| stream::iter(agenda.take_due(clock.now())))
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
