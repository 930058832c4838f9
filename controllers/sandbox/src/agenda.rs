//! What is to be done later, and when: the queue that a modelled controller waits on. Does not know what is queued.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// Keys with the instant at which each is due. Equal instants come out in the order in which they went in.
pub(crate) struct Agenda<K> {
    due: BTreeMap<(Instant, u64), K>,
    known: BTreeSet<K>,
    next: u64,
}

impl<K: Ord + Clone> Agenda<K> {
    pub(crate) fn new() -> Self {
        Self { due: BTreeMap::new(), known: BTreeSet::new(), next: 0 }
    }

    /// Queues a key, unless it is queued already: then the earlier appointment stands.
    pub(crate) fn add(&mut self, key: K, after: Duration) {
        if self.known.insert(key.clone()) {
            self.due.insert((Instant::now() + after, self.next), key);
            self.next += 1;
        }
    }

    /// The first key that is due now.
    pub(crate) fn pop(&mut self) -> Option<K> {
        let now = Instant::now();
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= now)?;
        let key = entry.remove();
        self.known.remove(&key);
        Some(key)
    }

    /// Waits until some key is due; for ever if there is none.
    pub(crate) async fn wait(&self) {
        match self.due.keys().next() {
            Some((at, _)) => tokio::time::sleep_until(*at).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keys_come_out_when_due_in_order_and_once() {
        let mut agenda = Agenda::new();
        agenda.add("late", Duration::from_secs(5));
        agenda.add("early", Duration::from_secs(1));
        agenda.add("late", Duration::ZERO);
        assert_eq!(agenda.pop(), None);
        agenda.wait().await;
        assert_eq!(agenda.pop(), Some("early"));
        assert_eq!(agenda.pop(), None);
        agenda.wait().await;
        assert_eq!(agenda.pop(), Some("late"));
    }
}
