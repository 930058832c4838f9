//! Which object is to be reconciled next.
//!
//! Responsible for the order: an object is due once however often it was asked for, it is never reconciled twice
//! at the same time, and among those that are due the one that has been due longest comes first. Knows nothing
//! of reconciling; time is given to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::key::ObjectKey;

/// Objects that are due, will be due, or are being reconciled.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// By when they are due, then by who asked first.
    waiting: BTreeSet<(Instant, u64, ObjectKey)>,
    /// Where in `waiting` each object is.
    places: BTreeMap<ObjectKey, (Instant, u64)>,
    running: BTreeMap<ObjectKey, Running>,
    asked: u64,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    since: Instant,
    /// When it was asked for again, if it was.
    again: Option<Instant>,
}

/// What asking for an object came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It will be due for this.
    Added,
    /// It was due already.
    AlreadyDue,
}

impl Queue {
    /// Asks for an object at once. One that is being reconciled is due again when that ends.
    pub(crate) fn ask(&mut self, key: ObjectKey, now: Instant) -> Asked {
        if let Some(running) = self.running.get_mut(&key) {
            let is_new = running.again.is_none();
            running.again.get_or_insert(now);
            return if is_new { Asked::Added } else { Asked::AlreadyDue };
        }
        if self.places.get(&key).is_some_and(|(due, _)| *due <= now) {
            return Asked::AlreadyDue;
        }
        self.place(key, now);
        Asked::Added
    }

    /// Takes the object that has been due longest, and for how long it has been.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(ObjectKey, Duration)> {
        let (due, ..) = self.waiting.first().filter(|(due, ..)| *due <= now)?;
        let waited = now - *due;
        let (_, _, key) = self.waiting.pop_first()?;
        self.places.remove(&key);
        self.running.insert(key.clone(), Running { since: now, again: None });
        Some((key, waited))
    }

    /// Ends the reconcile of an object. It is due again at `next`, or as soon as it was asked for meanwhile.
    pub(crate) fn end(&mut self, key: &ObjectKey, next: Option<Instant>) {
        let again = self.running.remove(key).and_then(|running| running.again);
        if let Some(due) = again.or(next) {
            self.place(key.clone(), due);
        }
    }

    /// When the next object is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, ..)| *due)
    }

    /// How many objects are due and wait.
    pub(crate) fn depth(&self, now: Instant) -> usize {
        self.waiting.iter().take_while(|(due, ..)| *due <= now).count()
    }

    /// For how long each of the running reconciles has been running.
    pub(crate) fn running(&self, now: Instant) -> impl Iterator<Item = Duration> {
        self.running.values().map(move |running| now - running.since)
    }

    fn place(&mut self, key: ObjectKey, due: Instant) {
        self.asked += 1;
        if let Some((due, asked)) = self.places.insert(key.clone(), (due, self.asked)) {
            self.waiting.remove(&(due, asked, key.clone()));
        }
        self.waiting.insert((due, self.asked, key));
    }
}
