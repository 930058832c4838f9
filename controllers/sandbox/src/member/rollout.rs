//! Which pods a workload wants made and which it wants gone. Pure: it sees a wanted state and the pods there are.
//!
//! Deployments surge and drain within their two bounds, with no `ReplicaSets` in between; StatefulSets keep their
//! order.
//! Pods that are gone are gone at once: there is no grace period.

use crate::fields::{int, text};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::cmp::Reverse;

/// What a workload wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) replicas: i64,
    /// The hash of the pod template.
    pub(crate) revision: String,
    pub(crate) pace: Pace,
}

/// How fast pods may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A Deployment's rolling update: so many more, so many fewer.
    Rolling { surge: i64, unavailable: i64 },
    /// A Deployment's `Recreate`: first all old ones go.
    Recreate,
    /// A StatefulSet, one after the other.
    Ordered,
    /// A StatefulSet that starts and stops all at once, and updates one by one.
    Parallel,
}

impl Pace {
    /// Reads a Deployment's strategy.
    pub(crate) fn of_deployment(object: &Value, replicas: i64) -> Self {
        if text(object, "/spec/strategy/type") == "Recreate" {
            return Self::Recreate;
        }
        let bound = |key: &str, rounding: Rounding| {
            let written = object.pointer(&format!("/spec/strategy/rollingUpdate/{key}"));
            resolve(written, replicas, rounding)
        };
        let surge = bound("maxSurge", Rounding::Up);
        let unavailable = bound("maxUnavailable", Rounding::Down);
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
        Self::Rolling { surge, unavailable }
    }

    /// Reads a StatefulSet's policy.
    pub(crate) fn of_stateful_set(object: &Value) -> Self {
        if text(object, "/spec/podManagementPolicy") == "Parallel" { Self::Parallel } else { Self::Ordered }
    }
}

#[derive(Debug, Clone, Copy)]
enum Rounding {
    Up,
    Down,
}

/// A number or a percentage of the replicas; a quarter where nothing is written.
fn resolve(written: Option<&Value>, replicas: i64, rounding: Rounding) -> i64 {
    let percent = match written {
        Some(Value::Number(number)) => return number.as_i64().unwrap_or_default(),
        Some(Value::String(text)) => text.trim_end_matches('%').parse().unwrap_or_default(),
        Some(_) | None => 25,
    };
    match rounding {
        Rounding::Up => (replicas * percent + 99) / 100,
        Rounding::Down => replicas * percent / 100,
    }
}

/// A pod as a workload sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen<'a> {
    pub(crate) name: &'a str,
    pub(crate) revision: &'a str,
    pub(crate) bound: bool,
    pub(crate) ready_since: Option<DateTime<Utc>>,
    pub(crate) created: DateTime<Utc>,
}

impl Seen<'_> {
    fn ready(&self) -> bool {
        self.ready_since.is_some()
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// How many unnamed pods to make.
    pub(crate) make: i64,
    /// The ordinals of the named pods to make.
    pub(crate) ordinals: Vec<i64>,
    /// The pods to delete.
    pub(crate) delete: Vec<String>,
}

/// What a workload does next.
pub(crate) fn plan(wanted: &Wanted, pods: &[Seen<'_>]) -> Plan {
    match wanted.pace {
        Pace::Rolling { surge, unavailable } => rolling(wanted, pods, surge, unavailable),
        Pace::Recreate => recreate(wanted, pods),
        Pace::Ordered => stateful(wanted, pods, 1),
        Pace::Parallel => stateful(wanted, pods, usize::MAX),
    }
}

fn count(pods: &[&Seen<'_>]) -> i64 {
    i64::try_from(pods.len()).unwrap_or(i64::MAX)
}

fn split<'a, 'b>(wanted: &Wanted, pods: &'b [Seen<'a>]) -> (Vec<&'b Seen<'a>>, Vec<&'b Seen<'a>>) {
    pods.iter().partition(|pod| pod.revision == wanted.revision)
}

/// The least useful first: on no node, not ready, ready for the shortest time, the youngest.
fn dispensable(mut pods: Vec<&Seen<'_>>, how_many: i64) -> Vec<String> {
    pods.sort_by_key(|pod| {
        (pod.bound, pod.ready(), Reverse(pod.ready_since), Reverse(pod.created), Reverse(pod.name))
    });
    let how_many = usize::try_from(how_many).unwrap_or_default();
    pods.into_iter().take(how_many).map(|pod| pod.name.to_owned()).collect()
}

fn rolling(wanted: &Wanted, pods: &[Seen<'_>], surge: i64, unavailable: i64) -> Plan {
    let (new, old) = split(wanted, pods);
    let (fresh, stale) = (count(&new), count(&old));
    if old.is_empty() {
        let delete = dispensable(new, fresh - wanted.replicas);
        return Plan { make: (wanted.replicas - fresh).max(0), delete, ..Plan::default() };
    }
    let make = (wanted.replicas - fresh).min(wanted.replicas + surge - fresh - stale).max(0);
    let least = wanted.replicas - unavailable;
    let fresh_ready = i64::try_from(new.iter().filter(|pod| pod.ready()).count()).unwrap_or_default();
    let room = fresh + stale - least - (fresh - fresh_ready);
    let stale_ready = i64::try_from(old.iter().filter(|pod| pod.ready()).count()).unwrap_or_default();
    // Old pods that are not ready serve nobody; of the ready ones only what the bound allows may go.
    let idle = (stale - stale_ready).min(room.max(0));
    let spare = (fresh_ready + stale_ready - least).clamp(0, stale_ready);
    let surplus = fresh + stale - (wanted.replicas + surge);
    let mut delete = dispensable(old, (idle + spare).max(surplus.min(stale)));
    delete.extend(dispensable(new, fresh - wanted.replicas));
    Plan { make, delete, ..Plan::default() }
}

fn recreate(wanted: &Wanted, pods: &[Seen<'_>]) -> Plan {
    let (new, old) = split(wanted, pods);
    if !old.is_empty() {
        let all = count(&old);
        return Plan { delete: dispensable(old, all), ..Plan::default() };
    }
    let fresh = count(&new);
    Plan {
        make: (wanted.replicas - fresh).max(0),
        delete: dispensable(new, fresh - wanted.replicas),
        ..Plan::default()
    }
}

fn ordinal(pod: &Seen<'_>) -> i64 {
    pod.name.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(i64::MAX)
}

/// Missing ordinals come from below, surplus ones go from above, an update goes from above, one by one, and all of it
/// waits for pods that are not ready unless `at_once` allows more.
fn stateful(wanted: &Wanted, pods: &[Seen<'_>], at_once: usize) -> Plan {
    let mut sorted: Vec<_> = pods.iter().collect();
    sorted.sort_by_key(|pod| ordinal(pod));
    let surplus: Vec<_> = sorted.iter().rev().filter(|pod| ordinal(pod) >= wanted.replicas).collect();
    if !surplus.is_empty() {
        let delete = surplus.into_iter().take(at_once).map(|pod| pod.name.to_owned()).collect();
        return Plan { delete, ..Plan::default() };
    }
    let missing = (0..wanted.replicas).filter(|index| sorted.iter().all(|pod| ordinal(pod) != *index));
    let unready = sorted.iter().find(|pod| !pod.ready());
    let allowed = missing.filter(|index| at_once > 1 || unready.is_none_or(|pod| *index < ordinal(pod)));
    let ordinals: Vec<_> = allowed.take(at_once).collect();
    if !ordinals.is_empty() {
        return Plan { ordinals, ..Plan::default() };
    }
    let complete = count(&sorted) == wanted.replicas;
    let outdated = sorted.iter().rev().find(|pod| pod.revision != wanted.revision);
    let ready_above = |pod: &Seen<'_>| {
        let above = sorted.iter().filter(|other| ordinal(other) > ordinal(pod));
        above.into_iter().all(|other| other.ready())
    };
    let delete = outdated.filter(|pod| complete && ready_above(pod)).map(|pod| pod.name.to_owned());
    Plan { delete: delete.into_iter().collect(), ..Plan::default() }
}

/// The replicas that a workload asks for; one where nothing is written.
pub(crate) fn replicas_of(object: &Value) -> i64 {
    int(object, "/spec/replicas").unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn seen<'a>(name: &'a str, revision: &'a str, ready: Option<i64>) -> Seen<'a> {
        Seen { name, revision, bound: true, ready_since: ready.map(at), created: at(0) }
    }

    fn wanted(replicas: i64, pace: Pace) -> Wanted {
        Wanted { replicas, revision: "new".to_owned(), pace }
    }

    const ROLLING: Pace = Pace::Rolling { surge: 1, unavailable: 1 };

    #[test]
    fn a_deployment_is_kept_at_its_number() {
        let pods = [seen("a", "new", Some(1)), seen("b", "new", Some(9)), seen("c", "new", None)];
        assert_eq!(plan(&wanted(5, ROLLING), &pods).make, 2);
        assert_eq!(plan(&wanted(2, ROLLING), &pods).delete, ["c"], "the unready one goes first");
        assert_eq!(plan(&wanted(1, ROLLING), &pods).delete, ["c", "b"], "then the one ready for less long");
    }

    #[test]
    fn a_rolling_update_surges_first_and_drains_as_new_pods_become_ready() {
        let pace = Pace::Rolling { surge: 1, unavailable: 0 };
        let mut pods = vec![seen("a", "old", Some(1)), seen("b", "old", Some(1))];
        assert_eq!(plan(&wanted(2, pace), &pods), Plan { make: 1, ..Plan::default() });
        pods.push(seen("c", "new", None));
        assert_eq!(plan(&wanted(2, pace), &pods), Plan::default(), "it waits for the new pod");
        pods[2].ready_since = Some(at(5));
        assert_eq!(plan(&wanted(2, pace), &pods).delete, ["b"]);
    }

    #[test]
    fn the_bounds_of_a_rolling_update_default_to_a_quarter() {
        assert_eq!(Pace::of_deployment(&json!({}), 10), Pace::Rolling { surge: 3, unavailable: 2 });
        assert_eq!(Pace::of_deployment(&json!({}), 1), Pace::Rolling { surge: 1, unavailable: 0 });
        let written =
            json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}});
        assert_eq!(Pace::of_deployment(&written, 10), Pace::Rolling { surge: 0, unavailable: 1 });
    }

    #[test]
    fn recreate_deletes_all_old_pods_first() {
        let pods = [seen("a", "old", Some(1)), seen("b", "old", Some(1))];
        let first = plan(&wanted(2, Pace::Recreate), &pods);
        assert_eq!((first.make, first.delete.len()), (0, 2));
        assert_eq!(plan(&wanted(2, Pace::Recreate), &[]).make, 2);
    }

    #[test]
    fn a_stateful_set_starts_in_order_and_stops_from_above() {
        let set = wanted(3, Pace::Ordered);
        assert_eq!(plan(&set, &[]).ordinals, [0]);
        assert_eq!(plan(&set, &[seen("s-0", "new", None)]).ordinals, Vec::<i64>::new());
        assert_eq!(plan(&set, &[seen("s-0", "new", Some(1))]).ordinals, [1]);
        let pods = [seen("s-0", "new", Some(1)), seen("s-1", "new", Some(1)), seen("s-2", "new", Some(1))];
        assert_eq!(plan(&wanted(1, Pace::Ordered), &pods).delete, ["s-2"]);
        assert_eq!(plan(&wanted(1, Pace::Parallel), &pods).delete, ["s-2", "s-1"]);
        assert_eq!(plan(&wanted(3, Pace::Parallel), &[]).ordinals, [0, 1, 2]);
    }

    #[test]
    fn a_stateful_set_updates_from_above_one_by_one() {
        let pods = [seen("s-0", "old", Some(1)), seen("s-1", "old", Some(1))];
        assert_eq!(plan(&wanted(2, Pace::Ordered), &pods).delete, ["s-1"]);
        let pods = [seen("s-0", "old", Some(1)), seen("s-1", "new", None)];
        assert_eq!(plan(&wanted(2, Pace::Ordered), &pods), Plan::default());
    }

    proptest! {
        #[test]
        fn a_rollout_ends_with_new_pods_only_and_never_leaves_its_bounds(
            replicas in 1..12_i64, surge in 0..4_i64, slack in 0..4_i64, old in 0..12_usize,
        ) {
            let unavailable = if surge == 0 { slack.max(1) } else { slack };
            let set = wanted(replicas, Pace::Rolling { surge, unavailable });
            let mut pods: Vec<(String, bool, bool)> =
                (0..old.min(usize::try_from(replicas).unwrap())).map(|n| (format!("o{n}"), false, true)).collect();
            let started_full = i64::try_from(pods.len()).unwrap() == replicas;
            for round in 0..200 {
                let view: Vec<_> = pods.iter().map(|(name, new, ready)| {
                    seen(name, if *new { "new" } else { "old" }, ready.then_some(1))
                }).collect();
                let next = plan(&set, &view);
                pods.retain(|(name, _, _)| !next.delete.contains(name));
                let ready = i64::try_from(pods.iter().filter(|(_, _, ready)| *ready).count()).unwrap();
                prop_assert!(!started_full || ready >= replicas - unavailable);
                for n in 0..next.make {
                    pods.push((format!("n{round}-{n}"), true, false));
                }
                prop_assert!(i64::try_from(pods.len()).unwrap() <= replicas + surge);
                if let Some(starting) = pods.iter_mut().find(|(_, _, ready)| !ready) {
                    starting.2 = true;
                }
            }
            prop_assert_eq!(i64::try_from(pods.len()).unwrap(), replicas);
            prop_assert!(pods.iter().all(|(_, new, _)| *new));
        }
    }
}
