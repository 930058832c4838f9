//! When to try again.
//!
//! Responsible for the delay before the next attempt at an object that failed: exponential, with a jitter that
//! is a hash of the object and the attempt, so that objects that failed together do not come back together and
//! yet every run is the same. Knows nothing of what is tried.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{key::ObjectKey, text::fingerprint};

/// The delays of successive attempts: `first`, doubled each time, at most `longest`, each cut by up to half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay after the first failure, before jitter.
    pub first: Duration,
    /// The longest delay, before jitter.
    pub longest: Duration,
}

impl Backoff {
    /// For reconciles: half a second to five minutes.
    pub const RECONCILE: Self = Self { first: Duration::from_millis(500), longest: Duration::from_mins(5) };
    /// For reconciles that met a newer version: the next one reads again, so it may come soon.
    pub const CONFLICT: Self = Self { first: Duration::from_millis(50), longest: Duration::from_secs(10) };
    /// For watches that broke.
    pub const WATCH: Self = Self { first: Duration::from_millis(800), longest: Duration::from_secs(30) };

    /// The delay before attempt number `attempt` (the first failure is 1) at what `seed` names: between half
    /// of the full delay and all of it.
    #[must_use]
    pub fn delay(&self, seed: &str, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        let jitter = fingerprint(&[seed, &attempt.to_string()]) >> 40;
        // 24 bits of the hash: exact in f64 and below one.
        let share = f64::from(u32::try_from(jitter).unwrap_or(0)) / f64::from(1_u32 << 24);
        full.mul_f64(1.0 - share / 2.0)
    }
}

/// How often in a row each object has failed. Holds nothing for objects that are well.
#[derive(Debug, Default)]
pub struct Attempts {
    failed: Mutex<BTreeMap<ObjectKey, u32>>,
}

impl Attempts {
    /// Notes one more failure and says when to try again.
    pub fn failed(&self, key: &ObjectKey, backoff: Backoff) -> Duration {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = failed.entry(key.clone()).or_default();
        *attempt = attempt.saturating_add(1);
        backoff.delay(&key.to_string(), *attempt)
    }

    /// Forgets the failures of an object that succeeded or is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// How many objects are failing.
    pub fn failing(&self) -> usize {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENFOLD: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(100) };

    #[test]
    fn a_delay_lies_between_half_of_the_full_delay_and_all_of_it() {
        for (attempt, full) in [(1, 1), (2, 2), (3, 4), (7, 64), (8, 100), (40, 100), (u32::MAX, 100)] {
            for seed in 0..100 {
                let delay = TENFOLD.delay(&seed.to_string(), attempt);
                let full = Duration::from_secs(full);
                assert!(full / 2 <= delay && delay <= full, "attempt {attempt}: {delay:?}");
            }
        }
    }

    #[test]
    fn objects_that_failed_together_do_not_come_back_together() {
        let delays: std::collections::BTreeSet<_> = (0..1000)
            .map(|seed| TENFOLD.delay(&format!("default/web-{seed}"), 8).as_millis() / 500)
            .collect();
        assert!(delays.len() > 90, "1000 objects fall into only {} of 100 half seconds", delays.len());
    }

    #[test]
    fn the_same_object_and_attempt_always_get_the_same_delay() {
        assert_eq!(TENFOLD.delay("default/web", 3), TENFOLD.delay("default/web", 3));
        assert_ne!(TENFOLD.delay("default/web", 3), TENFOLD.delay("default/web", 4) / 2);
    }

    #[test]
    fn a_success_starts_the_count_again_and_leaves_no_trace() {
        let attempts = Attempts::default();
        let key = ObjectKey::within("default", "web");
        let first = attempts.failed(&key, TENFOLD);
        attempts.failed(&key, TENFOLD);
        attempts.forget(&key);
        assert_eq!(attempts.failing(), 0);
        assert_eq!(attempts.failed(&key, TENFOLD), first);
    }
}
