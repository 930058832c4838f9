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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(number: u8) -> ObjectKey {
        ObjectKey::cluster_scoped(number.to_string())
    }

    fn names(queue: &mut Queue, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| queue.take(now)).map(|(key, _)| key.name).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_is_asked_for_twice_is_due_once() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        assert_eq!(queue.ask(key(1), now), Asked::Added);
        assert_eq!(queue.ask(key(1), now), Asked::AlreadyDue);
        assert_eq!(names(&mut queue, now), ["1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_been_due_longest_comes_first() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        for number in [3, 1, 2] {
            queue.ask(key(number), now);
        }
        assert_eq!(names(&mut queue, later), ["3", "1", "2"]);
        for (number, seconds) in [(1, 30), (2, 10), (3, 20)] {
            queue.end(&key(number), Some(now + Duration::from_secs(seconds)));
        }
        assert!(queue.take(now + Duration::from_secs(9)).is_none());
        assert_eq!(names(&mut queue, now + Duration::from_mins(1)), ["2", "3", "1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_is_asked_for_while_it_runs_is_due_as_soon_as_that_ends() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.ask(key(1), now);
        queue.take(now);
        assert_eq!(queue.ask(key(1), now), Asked::Added);
        assert!(queue.take(now).is_none(), "it runs: it must not run twice");
        queue.end(&key(1), Some(now + Duration::from_hours(1)));
        assert_eq!(names(&mut queue, now), ["1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn asking_brings_a_later_time_forward_and_replaces_it() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.ask(key(1), now);
        queue.take(now);
        queue.end(&key(1), Some(now + Duration::from_hours(1)));
        queue.ask(key(1), now);
        assert_eq!(names(&mut queue, now), ["1"]);
        queue.end(&key(1), None);
        assert_eq!(queue.next_due(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_counted_apart_from_what_is_not_due_and_what_runs() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for number in 1..=4 {
            queue.ask(key(number), now);
        }
        queue.take(now);
        queue.take(now);
        queue.end(&key(1), Some(now + Duration::from_secs(5)));
        let later = now + Duration::from_secs(3);
        assert_eq!(queue.depth(later), 2);
        assert_eq!(queue.running(later).collect::<Vec<_>>(), [Duration::from_secs(3)]);
        assert_eq!(queue.take(later).map(|(_, waited)| waited), Some(Duration::from_secs(3)));
    }

    /// The same rules, written down without any index: each object is a line in a list.
    #[derive(Default)]
    struct Plain {
        lines: Vec<(u8, u64, u64)>,
        running: BTreeMap<u8, Option<u64>>,
        asked: u64,
    }

    impl Plain {
        fn place(&mut self, number: u8, due: u64) {
            self.asked += 1;
            self.lines.retain(|(other, ..)| *other != number);
            self.lines.push((number, due, self.asked));
        }

        fn ask(&mut self, number: u8, now: u64) {
            if let Some(again) = self.running.get_mut(&number) {
                again.get_or_insert(now);
            } else if !self.lines.iter().any(|(other, due, _)| *other == number && *due <= now) {
                self.place(number, now);
            }
        }

        fn take(&mut self, now: u64) -> Option<u8> {
            let due = self.lines.iter().filter(|(_, due, _)| *due <= now);
            let number = due.min_by_key(|(_, due, asked)| (*due, *asked))?.0;
            self.lines.retain(|(other, ..)| *other != number);
            self.running.insert(number, None);
            Some(number)
        }

        fn end(&mut self, number: u8, next: Option<u64>) {
            let again = self.running.remove(&number).flatten();
            if let Some(due) = again.or(next) {
                self.place(number, due);
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Ask(u8),
        Take,
        End(u8, Option<u64>),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0..6_u8).prop_map(Step::Ask),
            3 => Just(Step::Take),
            2 => (0..6_u8, prop::option::of(0..10_u64)).prop_map(|(number, next)| Step::End(number, next)),
            1 => (0..5_u64).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn the_queue_does_what_a_plain_list_does(steps in steps()) {
            let start = Instant::now();
            let at = |seconds: u64| start + Duration::from_secs(seconds);
            let (mut queue, mut plain, mut now) = (Queue::default(), Plain::default(), 0);
            for step in steps {
                match step {
                    Step::Ask(number) => {
                        queue.ask(key(number), at(now));
                        plain.ask(number, now);
                    }
                    Step::Take => {
                        let taken = queue.take(at(now)).map(|(key, _)| key);
                        prop_assert_eq!(taken, plain.take(now).map(key));
                    }
                    Step::End(number, next) if plain.running.contains_key(&number) => {
                        queue.end(&key(number), next.map(|delay| at(now + delay)));
                        plain.end(number, next.map(|delay| now + delay));
                    }
                    Step::End(..) => {}
                    Step::Wait(seconds) => now += seconds,
                }
                let next_due = plain.lines.iter().map(|(_, due, _)| at(*due)).min();
                prop_assert_eq!(queue.next_due(), next_due);
            }
        }
    }
}
