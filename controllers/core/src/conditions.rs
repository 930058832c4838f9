//! What is true of an object, and since when.
//!
//! Responsible for merging what a reconcile finds with what the status said before: the time of a condition
//! moves only when its status does, and conditions stand in the order of their kind. Knows nothing of the wire
//! (`fedscaler-runtime` converts) nor of what any kind means.

use chrono::{DateTime, Utc};

/// A closed set of condition types. The order of the variants is the order in the status.
pub trait ConditionKind: Copy + Ord + 'static {
    /// Every kind there is.
    const ALL: &'static [Self];

    /// The name on the wire, in `CamelCase`.
    fn name(self) -> &'static str;

    /// The kind of that name, if it is one of ours.
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be told.
    Unknown,
}

impl Truth {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    /// The truth behind a word on the wire; a word that is none of the three tells nothing.
    #[must_use]
    pub fn from_wire(word: &str) -> Self {
        match word {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// What a reconcile finds of one kind: a condition that does not know yet since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<K> {
    /// Which condition this is.
    pub kind: K,
    /// Whether it holds.
    pub status: Truth,
    /// Why, as one `CamelCase` word of a closed set.
    pub reason: &'static str,
    /// Why, in plain words for a person.
    pub message: String,
}

impl<K> Finding<K> {
    /// A finding of this kind.
    #[must_use]
    pub fn new(kind: K, status: impl Into<Truth>, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, status: status.into(), reason, message: message.into() }
    }
}

/// A condition as it stands in a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition<K> {
    /// Which condition this is.
    pub kind: K,
    /// Whether it holds.
    pub status: Truth,
    /// Why, as one `CamelCase` word.
    pub reason: String,
    /// Why, in plain words for a person.
    pub message: String,
    /// The `metadata.generation` that this was found at.
    pub observed_generation: Option<i64>,
    /// When `status` last changed.
    pub since: DateTime<Utc>,
}

/// The conditions after a reconcile of `generation` at `now`.
///
/// The findings are the whole truth: what they do not mention is gone. Of two findings of one kind the later
/// one stands. The result is in the order of the kinds, whatever the order of the findings.
#[must_use]
pub fn merge<K: ConditionKind>(
    old: &[Condition<K>],
    findings: impl IntoIterator<Item = Finding<K>>,
    generation: Option<i64>,
    now: DateTime<Utc>,
) -> Vec<Condition<K>> {
    let latest: std::collections::BTreeMap<K, Finding<K>> =
        findings.into_iter().map(|finding| (finding.kind, finding)).collect();
    latest.into_values().map(|finding| settle(old, finding, generation, now)).collect()
}

fn settle<K: ConditionKind>(
    old: &[Condition<K>],
    finding: Finding<K>,
    generation: Option<i64>,
    now: DateTime<Utc>,
) -> Condition<K> {
    let before = old.iter().find(|condition| condition.kind == finding.kind);
    let since = before
        .filter(|condition| condition.status == finding.status)
        .map_or(now, |condition| condition.since);
    Condition {
        kind: finding.kind,
        status: finding.status,
        reason: finding.reason.to_owned(),
        message: finding.message,
        observed_generation: generation,
        since,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Weather {
        Dry,
        Warm,
    }

    impl ConditionKind for Weather {
        const ALL: &'static [Self] = &[Self::Dry, Self::Warm];
        fn name(self) -> &'static str {
            match self {
                Self::Dry => "Dry",
                Self::Warm => "Warm",
            }
        }
    }

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn a_condition_whose_status_stays_keeps_its_time_but_takes_the_new_words() {
        let old = merge(&[], [Finding::new(Weather::Dry, true, "Sun", "no cloud")], Some(1), noon());
        let later = noon() + TimeDelta::minutes(5);
        let new = merge(&old, [Finding::new(Weather::Dry, true, "Haze", "thin cloud")], Some(2), later);
        assert_eq!(new[0].since, noon());
        assert_eq!((new[0].reason.as_str(), new[0].observed_generation), ("Haze", Some(2)));
    }

    #[test]
    fn a_condition_whose_status_changes_takes_the_new_time() {
        let old = merge(&[], [Finding::new(Weather::Dry, true, "Sun", "")], None, noon());
        let later = noon() + TimeDelta::minutes(5);
        let new = merge(&old, [Finding::new(Weather::Dry, Truth::Unknown, "Fog", "")], None, later);
        assert_eq!(new[0].since, later);
    }

    #[test]
    fn conditions_stand_in_the_order_of_their_kinds() {
        let warm = Finding::new(Weather::Warm, false, "Winter", "");
        let dry = Finding::new(Weather::Dry, true, "Sun", "");
        let one = merge(&[], [warm.clone(), dry.clone()], None, noon());
        let other = merge(&[], [dry, warm], None, noon());
        assert_eq!(one, other);
        assert_eq!(one[0].kind, Weather::Dry);
    }

    #[test]
    fn a_condition_that_is_no_longer_found_is_gone() {
        let old = merge(&[], [Finding::new(Weather::Dry, true, "Sun", "")], None, noon());
        assert!(merge(&old, [], None, noon()).is_empty());
    }

    #[test]
    fn a_word_that_is_no_truth_tells_nothing() {
        assert_eq!(Truth::from_wire("true"), Truth::Unknown);
        assert_eq!(Truth::from_wire("False"), Truth::False);
    }
}
