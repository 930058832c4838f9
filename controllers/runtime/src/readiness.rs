//! Whether everything that is watched is seen.
//!
//! Responsible for the board on which each watch writes how it fares, for `/readyz`. Knows nothing of the kinds
//! on it but their names.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How a watch fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchState {
    /// It has not seen the whole list yet.
    Syncing,
    /// It has seen the whole list and follows the changes.
    Synced,
    /// The API server does not serve this kind: its CRD is not installed.
    Absent,
    /// It broke and is being started again; what went wrong.
    Failing(String),
}

impl fmt::Display for WatchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syncing => f.write_str("not synced yet"),
            Self::Synced => f.write_str("synced"),
            Self::Absent => f.write_str("absent: not served by the API server, is its CRD installed?"),
            Self::Failing(reason) => write!(f, "failing: {reason}"),
        }
    }
}

/// Whether the process can do without a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Not ready until it is synced.
    Required,
    /// Ready without the kind, if it is absent.
    Optional,
}

/// The board. Clones are the same board.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    watches: Arc<Mutex<BTreeMap<String, (Need, WatchState)>>>,
}

impl Readiness {
    /// Writes how the watch of that name fares.
    pub fn set(&self, watch: &str, need: Need, state: WatchState) {
        self.lock().insert(watch.to_owned(), (need, state));
    }

    /// Takes a watch that has ended off the board.
    pub(crate) fn remove(&self, watch: &str) {
        self.lock().remove(watch);
    }

    /// How the watch of that name fares.
    #[must_use]
    pub fn get(&self, watch: &str) -> Option<WatchState> {
        self.lock().get(watch).map(|(_, state)| state.clone())
    }

    /// How each required watch fares, by name.
    #[must_use]
    pub fn states(&self) -> BTreeMap<String, WatchState> {
        let watches = self.lock();
        let required = watches.iter().filter(|(_, (need, _))| *need == Need::Required);
        required.map(|(watch, (_, state))| (watch.clone(), state.clone())).collect()
    }

    /// Whether every watch is synced, apart from absent kinds that are optional.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(|(need, state)| is_well(*need, state))
    }

    /// One line for each watch, in the order of their names: what is amiss is marked `[-]`, the rest `[+]`.
    #[must_use]
    pub fn report(&self) -> String {
        self.lock().iter().fold(String::new(), |mut report, (watch, (need, state))| {
            let mark = if is_well(*need, state) { "[+]" } else { "[-]" };
            // Writing to a String cannot fail.
            let _written = writeln!(report, "{mark} {watch}: {state}");
            report
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (Need, WatchState)>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_well(need: Need, state: &WatchState) -> bool {
    match state {
        WatchState::Synced => true,
        WatchState::Absent => need == Need::Optional,
        WatchState::Syncing | WatchState::Failing(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_kind_is_named_and_only_a_required_one_is_amiss() {
        let board = Readiness::default();
        board.set("works.work.karmada.io", Need::Required, WatchState::Synced);
        board.set("clonesets.apps.kruise.io", Need::Optional, WatchState::Absent);
        assert!(board.is_ready());
        board.set("fedhpas.autoscaling.fedscaler.io", Need::Required, WatchState::Absent);
        assert!(!board.is_ready());
        assert_eq!(
            board.report(),
            "[+] clonesets.apps.kruise.io: absent: not served by the API server, is its CRD installed?\n\
             [-] fedhpas.autoscaling.fedscaler.io: absent: not served by the API server, is its CRD installed?\n\
             [+] works.work.karmada.io: synced\n"
        );
    }
}
