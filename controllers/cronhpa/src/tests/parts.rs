//! The parts by themselves: memory, agenda, managers.

use std::collections::BTreeMap;

use fedscaler_core::cronhpa::{
    composition::{Bound, Held},
    facts::{Base, Counts, Fate, Level, Memory, Pending, Record, RuleMemory, Writers},
    policy::{Aim, Edge},
};
use fedscaler_runtime::key::ObjectKey;
use futures::{FutureExt as _, StreamExt as _};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    admit::admit,
    agenda::Agenda,
    memory::{recall, remember},
    writers,
};

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (0..4_000_000_000_i64).prop_map(|second| DateTime::from_timestamp(second, 0).unwrap())
}

fn record() -> impl Strategy<Value = Record> {
    let edge = prop::sample::select(vec![Edge::Point, Edge::Start, Edge::End]);
    let fate = prop::sample::select(Fate::ALL.to_vec());
    let times = (prop::option::of(instant()), prop::option::of(instant()));
    (instant(), edge, fate, times, "[a-z ]{0,20}").prop_map(|(slot, edge, fate, (finished, ready), note)| {
        Record { slot, edge, fate, finished, ready, note }
    })
}

fn rule_memory() -> impl Strategy<Value = RuleMemory> {
    let counts = (0..9_u64, 0..9_u64, 0..9_u64).prop_map(|(applied, missed, failed)| Counts {
        applied,
        superseded: applied + 1,
        excluded: missed + 2,
        suspended: failed + 3,
        missed,
        failed,
    });
    let history = prop::collection::vec(record(), 0..3);
    let maybe = || prop::option::of(instant());
    let times = (instant(), maybe(), maybe(), maybe());
    (times, prop::option::of(record()), counts, history).prop_map(
        |((first_seen, last_handled, accounted, once), last, counts, history)| RuleMemory {
            fingerprint: "00ff".to_owned(),
            first_seen,
            last_handled,
            accounted,
            once,
            last,
            counts,
            history,
        },
    )
}

fn memory() -> impl Strategy<Value = Memory> {
    let bound = || prop::option::of((0..99_u32, "[a-z]{1,5}"));
    let bound =
        move || bound().prop_map(|bound| bound.map(|(replicas, rule)| Bound { replicas, rule, priority: 0 }));
    let base =
        (1..99_u32, instant()).prop_map(|(count, recorded)| Base { level: Level::exactly(count), recorded });
    let pending =
        ("[a-z]{1,5}", instant(), 0..99_u32).prop_map(|(rule, slot, count)| Pending { rule, slot, count });
    (
        prop::collection::btree_map("[a-z]{1,5}", rule_memory(), 0..3),
        (bound(), bound()),
        prop::option::of(base),
        prop::collection::btree_map("[a-z]{1,5}", 1..9_u32, 0..3),
        prop::option::of(pending),
    )
        .prop_map(|(rules, (min, max), base, reversions, pending)| Memory {
            rules,
            held: Held { min, max },
            base,
            reversions,
            pending,
        })
}

proptest! {
    #[test]
    fn what_is_remembered_is_recalled(memory in memory()) {
        for (aim, target) in [(Aim::Hpa, hpa()), (Aim::Workload, deployment())] {
            let admitted = admit(&cron_hpa(&target, &json!([]))).unwrap();
            let mut status = fedscaler_crds::CronHpaStatus::default();
            remember(&mut status, &memory, aim, &admitted.target);
            let read: fedscaler_crds::CronHpaStatus =
                serde_json::from_value(serde_json::to_value(&status).unwrap()).unwrap();
            prop_assert_eq!(&recall(&read, &admitted), &memory);
        }
    }

    #[test]
    fn the_agenda_names_each_object_once_when_its_latest_instant_has_come(
        sets in prop::collection::vec((0..6_usize, prop::option::of(0..100_i64)), 0..30),
        steps in prop::collection::vec(0..100_i64, 0..10),
    ) {
        let instant = |second: i64| DateTime::from_timestamp(second, 0).unwrap();
        let key = |number: usize| ObjectKey::within("default", number.to_string());
        let (agenda, mut plain) = (Agenda::default(), BTreeMap::new());
        for (number, second) in sets {
            agenda.set(&key(number), second.map(instant));
            match second {
                Some(second) => plain.insert(number, second),
                None => plain.remove(&number),
            };
        }
        for now in steps {
            let mut due: Vec<_> = plain.iter().filter(|(_, second)| **second <= now).map(|(n, s)| (*s, *n)).collect();
            due.sort_unstable();
            plain.retain(|_, second| *second > now);
            let expected: Vec<_> = due.into_iter().map(|(_, number)| key(number)).collect();
            prop_assert_eq!(agenda.take_due(instant(now)), expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_agenda_wakes_at_the_first_beat_after_the_instant() {
    let (agenda, start) = (Agenda::default(), at("2026-03-02T12:00:00Z"));
    let clock = Arc::new(ControllersClock::starting_at(start));
    let mut wakes = Box::pin(agenda.wakes(Box::new(IntervalHeartbeat::every(Duration::from_secs(1))), clock));
    let key = ObjectKey::within("default", "web");
    agenda.set(&key, Some(at("2026-03-02T12:00:09.5Z")));
    assert_eq!(wakes.next().await, Some(key.clone()));
    assert!(tokio::time::timeout(Duration::from_mins(1), wakes.next()).await.is_err(), "once is enough");
    agenda.set(&key, Some(start));
    assert!(wakes.next().now_or_never().is_none(), "not between two beats");
    assert_eq!(wakes.next().await, Some(key));
}

#[test]
fn the_manager_of_a_field_is_the_latest_one_and_none_if_it_is_ours() {
    let entry = |manager: &str, time: &str, field: &str| {
        let fields = json!({"f:spec": {field: {}}});
        json!({"manager": manager, "operation": "Update", "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields})
    };
    let of = |entries: Value| writers::of_bounds(&serde_json::from_value::<Vec<_>>(entries).unwrap());
    let kubectl = entry("kubectl", "2026-03-02T12:00:00Z", "f:minReplicas");
    let argocd = entry("argocd", "2026-03-02T13:00:00Z", "f:minReplicas");
    let ours = entry("fedscaler-cronhpa", "2026-03-01T13:00:00Z", "f:maxReplicas");
    let writers = of(json!([argocd, kubectl, ours]));
    assert_eq!(writers, Writers { min: Some("argocd".to_owned()), max: None });
    assert_eq!(of(json!([])).max, Some("unknown".to_owned()));
}
