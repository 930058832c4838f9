//! The calendars that CronHPAs refer to.
//!
//! Responsible for finding them, reading each version once, and for what is gone by while one cannot be read. What has
//! our label is followed by a watch; anything else is asked for by its name, so that not every ConfigMap of the control
//! plane is kept here. Knows nothing of what is in a calendar.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use fedscaler_core::{cronhpa::policy::Fault, schedule::DaysOff};
use fedscaler_crds::cronhpa::{CalendarDays, CalendarRef};
use fedscaler_runtime::{
    client::{CallError, within},
    key::ObjectKey,
    watch::Cache,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, ResourceExt as _};
use thiserror::Error;

use crate::{
    admit::Admitted,
    calendar::{self, BadCalendar, Calendar},
    context::CALL_BUDGET,
};

/// The label of calendars that are followed.
pub const LABEL: &str = "autoscaling.fedscaler.io/calendar";

/// So many events that are left out are named.
const NAMED: usize = 3;

/// All calendars. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Calendars {
    followed: Cache<ConfigMap>,
    versions: Arc<Mutex<BTreeMap<(ObjectKey, String), Version>>>,
}

/// A version of a calendar, read.
#[derive(Clone, Debug)]
struct Version {
    of: (Option<String>, Option<String>),
    outcome: Result<Arc<Calendar>, BadCalendar>,
}

/// Why there is no calendar to go by.
#[derive(Clone, Debug, Error)]
pub enum NoCalendar {
    /// There is no such ConfigMap.
    #[error("there is no ConfigMap {0}")]
    Missing(String),
    /// It could not be read.
    #[error("ConfigMap {0} cannot be read: {1}")]
    Unreadable(String, String),
    /// It has no such key.
    #[error("ConfigMap {0} has no key {1}")]
    NoKey(String, String),
    /// It has not one key, and none is named.
    #[error("ConfigMap {0} has {1} keys: say with exclude.calendarRef.key which is the calendar")]
    WhichKey(String, usize),
    /// What is in it is no calendar.
    #[error("key {key} of ConfigMap {name}: {why}")]
    Bad {
        /// The ConfigMap.
        name: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        why: Box<BadCalendar>,
    },
}

impl Calendars {
    /// Those that `followed` has are taken from there.
    pub fn new(followed: Cache<ConfigMap>) -> Self {
        Self { followed, versions: Arc::default() }
    }

    /// Whether a change of the calendar is seen by itself.
    pub fn follows(&self, namespace: &str, wanted: &CalendarRef) -> bool {
        self.followed.get(&ObjectKey::within(namespace, &wanted.name)).is_some()
    }

    /// The calendar as it is now.
    pub async fn find(
        &self,
        client: &Client,
        namespace: &str,
        wanted: &CalendarRef,
    ) -> Result<Arc<Calendar>, NoCalendar> {
        let name = || wanted.name.clone();
        let followed = self.followed.get(&ObjectKey::within(namespace, &wanted.name));
        let map = if let Some(map) = followed {
            map
        } else {
            let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
            Arc::new(within(CALL_BUDGET, api.get(&wanted.name)).await.map_err(|error| match error {
                CallError::NotFound(_) => NoCalendar::Missing(name()),
                error => NoCalendar::Unreadable(name(), error.to_string()),
            })?)
        };
        self.read(namespace, &map, wanted)
    }

    /// The calendar in a ConfigMap.
    pub fn read(
        &self,
        namespace: &str,
        map: &ConfigMap,
        wanted: &CalendarRef,
    ) -> Result<Arc<Calendar>, NoCalendar> {
        let name = || wanted.name.clone();
        let texts = map.data.iter().flatten();
        let (key, text) = if let Some(key) = &wanted.key {
            let mut texts = texts.filter(|(there, _)| *there == key);
            texts.next().ok_or_else(|| NoCalendar::NoKey(name(), key.clone()))?
        } else {
            let texts: Vec<_> = texts.collect();
            let [text] = texts[..] else { return Err(NoCalendar::WhichKey(name(), texts.len())) };
            text
        };
        let of = (map.uid(), map.resource_version());
        let place = (ObjectKey::within(namespace, &wanted.name), key.clone());
        let outcome = self.once(place, of, || calendar::read(text).map(Arc::new));
        outcome.map_err(|why| NoCalendar::Bad { name: name(), key: key.clone(), why: Box::new(why) })
    }

    /// What `read` made of this version, or makes of it now.
    fn once(
        &self,
        place: (ObjectKey, String),
        of: (Option<String>, Option<String>),
        read: impl FnOnce() -> Result<Arc<Calendar>, BadCalendar>,
    ) -> Result<Arc<Calendar>, BadCalendar> {
        let versions = || self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = versions().get(&place).filter(|version| version.of == of && of.1.is_some()).cloned();
        if let Some(known) = known {
            return known.outcome;
        }
        let outcome = read();
        versions().insert(place, Version { of, outcome: outcome.clone() });
        outcome
    }
}

/// Adds the days of the calendar that was found to what is admitted. Without one the days that `remembered` has of it
/// stay off: what was said last is nearer to what is meant than nothing.
pub fn add(
    admitted: &mut Admitted,
    wanted: &CalendarRef,
    found: Result<Arc<Calendar>, NoCalendar>,
    remembered: Option<&CalendarDays>,
    now: DateTime<Utc>,
) {
    match found {
        Ok(calendar) => {
            admitted.policy.days_off.include(calendar.days.spans());
            admitted.policy.faults.extend(timed(&calendar, wanted));
            admitted.calendar = Some(CalendarDays {
                name: wanted.name.clone(),
                key: wanted.key.clone(),
                dates: excerpt(&calendar.days, now),
            });
        }
        Err(why) => {
            let known = remembered.filter(|known| known.name == wanted.name && known.key == wanted.key);
            let instead = match known {
                Some(known) => {
                    // What we wrote ourselves can be read.
                    let _all = known.dates.iter().try_for_each(|dates| admitted.policy.days_off.add(dates));
                    "the days that it had last stay excluded"
                }
                None => "it was never read, so none of its days is excluded",
            };
            admitted.policy.faults.push(fault(&format!("{why}; {instead}")));
            admitted.calendar = known.cloned();
        }
    }
}

fn fault(reason: &str) -> Fault {
    Fault { rule: None, reason: format!("exclude.calendarRef: {reason}") }
}

fn timed(calendar: &Calendar, wanted: &CalendarRef) -> Option<Fault> {
    let named = calendar.timed.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let count = calendar.timed.len();
    let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
    (count > 0).then(|| {
        fault(&format!(
            "in ConfigMap {} these events have a time of day and exclude nothing: {named}{more}; write them as whole days",
            wanted.name
        ))
    })
}

/// The days from the beginning of last year to the end of next year: what may be needed, and rarely other than before.
fn excerpt(days: &DaysOff, now: DateTime<Utc>) -> Vec<String> {
    let first = NaiveDate::from_ymd_opt(now.year() - 1, 1, 1).unwrap_or(NaiveDate::MIN);
    let last = NaiveDate::from_ymd_opt(now.year() + 1, 12, 31).unwrap_or(NaiveDate::MAX);
    days.written(first, last).collect()
}
