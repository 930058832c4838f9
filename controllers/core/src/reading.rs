//! How fresh a fact is.
//!
//! Responsible for keeping "not seen" apart from "zero". Knows nothing of where facts come from.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// A value read from somewhere that may lag, stop or never have spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Reading<T> {
    /// Reported by a source that is alive.
    Fresh(T),
    /// The last value of a source that has fallen silent.
    Stale {
        /// The last known value.
        value: T,
        /// Seconds since the source was last known to be alive.
        age_seconds: u64,
    },
    /// Nothing is known. Never to be read as zero.
    Dark(Dark),
}

/// Why nothing is known.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Dark {
    /// The source exists but has not reported yet.
    NotYetReported,
    /// The source cannot be reached and never reported before.
    Unreachable,
    /// The source reported something that cannot be true or used.
    Unusable,
    /// There is no such source.
    NoSource,
}

impl fmt::Display for Dark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotYetReported => "not reported yet",
            Self::Unreachable => "unreachable",
            Self::Unusable => "unusable",
            Self::NoSource => "no source",
        })
    }
}

impl<T> Reading<T> {
    /// The value, however old.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Fresh(value) | Self::Stale { value, .. } => Some(value),
            Self::Dark(_) => None,
        }
    }

    /// The value, only while its source is alive.
    pub fn fresh(&self) -> Option<&T> {
        match self {
            Self::Fresh(value) => Some(value),
            Self::Stale { .. } | Self::Dark(_) => None,
        }
    }

    /// The same freshness around another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Fresh(value) => Reading::Fresh(change(value)),
            Self::Stale { value, age_seconds } => Reading::Stale { value: change(value), age_seconds },
            Self::Dark(why) => Reading::Dark(why),
        }
    }

    /// The same value, as a source that fell silent `age` ago leaves it.
    #[must_use]
    pub fn aged(self, age: Duration) -> Self {
        match self {
            Self::Fresh(value) | Self::Stale { value, .. } => {
                Self::Stale { value, age_seconds: age.as_secs() }
            }
            Self::Dark(why) => Self::Dark(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dark_reading_has_no_value_at_all() {
        let reading: Reading<u32> = Reading::Dark(Dark::NotYetReported);
        assert_eq!(reading.known(), None);
        assert_eq!(reading.aged(Duration::from_secs(5)), Reading::Dark(Dark::NotYetReported));
    }

    #[test]
    fn an_aged_reading_keeps_its_value_but_is_no_longer_fresh() {
        let reading = Reading::Fresh(3).aged(Duration::from_secs(40));
        assert_eq!(reading.known(), Some(&3));
        assert_eq!(reading.fresh(), None);
    }
}
