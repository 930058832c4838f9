//! Who leads: the rules of a Lease.
//!
//! Responsible for saying what to do with a Lease that was seen. The rules are those of Kubernetes' own leader election
//! (client-go `leaderelection`): whoever does not hold the Lease believes no clock but its own, and counts from the
//! moment when it last saw the Lease change. Knows nothing of how a Lease is read or written.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// How long things take. Each is longer than the next: a leader stops writing before another may take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long an unrenewed Lease is respected by others.
    pub duration: Duration,
    /// How long after its last renewal a leader still counts itself one.
    pub deadline: Duration,
    /// How often a Lease is renewed, or looked at.
    pub period: Duration,
}

impl Terms {
    /// Those of Kubernetes' own controllers: 15 s, 10 s and 2 s.
    pub const USUAL: Self = Self {
        duration: Duration::from_secs(15),
        deadline: Duration::from_secs(10),
        period: Duration::from_secs(2),
    };
}

/// What a Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; nobody after it was given back.
    pub holder: Option<String>,
    /// How long its holder wants it to be respected.
    pub duration: Duration,
    /// Since when the holder holds it, by the holder's clock.
    pub acquired: DateTime<Utc>,
    /// When it was last renewed, by the holder's clock.
    pub renewed: DateTime<Utc>,
    /// How often it has changed hands.
    pub transitions: u32,
}

/// A Lease as it was seen here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What it says.
    pub record: Record,
    /// Its resourceVersion.
    pub version: String,
    /// When this version was first seen, on the watcher's own steady clock.
    pub since: Duration,
}

impl Sighting {
    /// The sighting after the Lease was read once more: the same version is the same sighting.
    #[must_use]
    pub fn after(previous: Option<Self>, record: Record, version: String, now: Duration) -> Self {
        match previous {
            Some(previous) if previous.version == version => previous,
            Some(_) | None => Self { record, version, since: now },
        }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is no Lease: make it.
    Create(Record),
    /// It is ours: renew it, at this resourceVersion.
    Renew(Record, String),
    /// It is nobody's any more: take it, at this resourceVersion.
    Take(Record, String),
    /// It is another's: look again after this time.
    Wait(Duration),
}

/// What `me` does now about a Lease, of which this was seen. `steady` is the watcher's own clock, `now` the wall clock
/// for what is written down.
#[must_use]
pub fn step(me: &str, terms: &Terms, seen: Option<&Sighting>, steady: Duration, now: DateTime<Utc>) -> Step {
    let mine = |acquired, transitions| Record {
        holder: Some(me.to_owned()),
        duration: terms.duration,
        acquired,
        renewed: now,
        transitions,
    };
    let Some(Sighting { record, version, since }) = seen else {
        return Step::Create(mine(now, 0));
    };
    match &record.holder {
        Some(holder) if holder == me => {
            Step::Renew(mine(record.acquired, record.transitions), version.clone())
        }
        Some(_) if steady.saturating_sub(*since) < record.duration => {
            let left = (*since + record.duration).saturating_sub(steady);
            Step::Wait(left.min(terms.period))
        }
        Some(_) | None => Step::Take(mine(now, record.transitions.saturating_add(1)), version.clone()),
    }
}

/// What a leader leaves behind that goes of its own will: the next one need not wait.
#[must_use]
pub fn given_back(record: &Record, now: DateTime<Utc>) -> Record {
    Record { holder: None, duration: Duration::from_secs(1), renewed: now, ..record.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms::USUAL;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn held(holder: Option<&str>) -> Record {
        Record {
            holder: holder.map(str::to_owned),
            duration: TERMS.duration,
            acquired: now(),
            renewed: now(),
            transitions: 3,
        }
    }

    fn seen(holder: Option<&str>, since: u64) -> Sighting {
        Sighting { record: held(holder), version: "7".to_owned(), since: Duration::from_secs(since) }
    }

    fn at(seconds: u64, seen: Option<&Sighting>) -> Step {
        step("me", &TERMS, seen, Duration::from_secs(seconds), now())
    }

    #[test]
    fn a_lease_that_is_not_there_is_made() {
        assert!(matches!(at(0, None), Step::Create(record) if record.holder.as_deref() == Some("me")));
    }

    #[test]
    fn ones_own_lease_is_renewed_without_a_transition() {
        let Step::Renew(record, version) = at(100, Some(&seen(Some("me"), 0))) else { panic!() };
        assert_eq!((record.transitions, version.as_str()), (3, "7"));
    }

    #[test]
    fn anothers_lease_is_respected_for_as_long_as_it_was_seen_unchanged_here() {
        assert_eq!(at(10, Some(&seen(Some("other"), 10))), Step::Wait(TERMS.period));
        assert_eq!(at(24, Some(&seen(Some("other"), 10))), Step::Wait(Duration::from_secs(1)));
        assert!(
            matches!(at(25, Some(&seen(Some("other"), 10))), Step::Take(record, _) if record.transitions == 4)
        );
    }

    #[test]
    fn the_holders_clock_is_not_believed() {
        let mut stale = seen(Some("other"), 10);
        stale.record.renewed = now() - chrono::TimeDelta::days(1);
        assert!(matches!(at(11, Some(&stale)), Step::Wait(_)));
    }

    #[test]
    fn a_lease_that_was_given_back_is_taken_at_once() {
        let mut back = seen(Some("other"), 10);
        back.record = given_back(&back.record, now());
        assert!(matches!(at(10, Some(&back)), Step::Take(..)));
    }

    #[test]
    fn seeing_the_same_version_again_does_not_start_the_count_anew() {
        let first = Sighting::after(None, held(Some("other")), "7".to_owned(), Duration::from_secs(1));
        let again =
            Sighting::after(Some(first.clone()), held(Some("other")), "7".to_owned(), Duration::from_secs(9));
        assert_eq!(again, first);
        let newer = Sighting::after(Some(first), held(Some("other")), "8".to_owned(), Duration::from_secs(9));
        assert_eq!(newer.since, Duration::from_secs(9));
    }

    #[test]
    fn a_leader_stops_before_another_may_begin() {
        assert!(TERMS.period < TERMS.deadline && TERMS.deadline < TERMS.duration);
    }
}
