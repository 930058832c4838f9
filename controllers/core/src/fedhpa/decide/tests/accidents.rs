//! Whatever the facts say, true or not: no decision scales anything to zero.

use proptest::{prelude::*, strategy::Strategy};

use super::{
    plane::{at, policy},
    *,
};
use crate::{
    fedhpa::facts::{MemberWorkload, Memory, Resets, Round},
    reading::{Dark, Reading},
    room::{Free, RoomSource},
};

const NOW: i64 = 100_000;

fn reading<T: Clone + std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Reading<T>> {
    (of, 0_u32..6).prop_map(|(value, kind)| match kind {
        0 => Reading::Dark(Dark::NotYetReported),
        1 => Reading::Stale { value, age_seconds: 90 },
        _ => Reading::Fresh(value),
    })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (1_u32..6, 0_u32..12).prop_map(|(min, spread)| Bounds { min, max: min + spread })
}

fn report() -> impl Strategy<Value = HpaReport> {
    let healthy = prop::option::of(any::<bool>());
    (0_u32..15, 0_u32..15, prop::option::of(bounds()), healthy.clone(), healthy.clone(), healthy).prop_map(
        |(current, desired, bounds, scaling_active, able_to_scale, capped)| HpaReport {
            current,
            desired,
            bounds,
            scaling_active,
            able_to_scale,
            capped,
        },
    )
}

fn hpa() -> impl Strategy<Value = MemberHpa> {
    let some = prop_oneof![1 => Just(Bounds::pinned(1)), 3 => bounds()];
    (some, bounds(), 0_i64..200, prop::bool::weighted(0.1), reading(report())).prop_map(
        |(bounds, before, ago, leaving, report)| MemberHpa {
            bounds,
            before,
            since: at(NOW - ago),
            leaving,
            report,
            blocked: None,
        },
    )
}

fn cluster() -> impl Strategy<Value = Cluster> {
    let candidacy = prop_oneof![
        6 => Just(Candidacy::Candidate),
        1 => Just(Candidacy::Excluded("tainted".into())),
        1 => Just(Candidacy::Evicting),
    ];
    let free = (0_u32..30, 0_u32..9).prop_map(|(fit, unbound)| Free {
        fit,
        naive: fit,
        unbound,
        source: RoomSource::Models,
    });
    let workload = (0_u32..15, 0_u32..15).prop_map(|(replicas, ready)| MemberWorkload { replicas, ready });
    let lost = prop::option::weighted(0.1, Just(at(NOW - 60)));
    (candidacy, lost, reading(free), reading(workload), any::<bool>(), prop::option::weighted(0.7, hpa()))
        .prop_map(|(candidacy, lost, free, workload, retained, hpa)| Cluster {
            labels: BTreeMap::new(),
            candidacy,
            lost,
            free,
            workload,
            retained,
            hpa,
            to_zero: false,
            left_out: Vec::new(),
        })
}

fn memory() -> impl Strategy<Value = Memory> {
    let shares =
        prop::collection::btree_map("[a-d]", prop_oneof![1 => Just(Bounds::default()), 3 => bounds()], 0..5);
    let split = (shares, bounds()).prop_map(|(shares, totals)| InForceSplit {
        shares,
        totals,
        fingerprint: "other".into(),
        adopted: at(NOW - 500),
        change: Change::Drift,
        cover: None,
    });
    let round = (0_u32..20, 0_i64..100).prop_map(|(replicas, ago)| Round {
        template_version: "7".into(),
        replicas,
        started: at(NOW - ago),
        acknowledged: None,
    });
    (prop::option::of(split), prop::option::of(round)).prop_map(|(split, round)| Memory {
        split,
        round,
        resets: Resets::default(),
        releasing_since: None,
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let entries = prop::collection::btree_map("[a-d]", 0_u32..9, 0..5);
    let clusters = prop::collection::btree_map("[a-d]", cluster(), 1..5);
    (entries, clusters, memory(), any::<bool>(), 0_u32..20).prop_map(
        |(entries, clusters, memory, held, replicas)| {
            let scheduling = if held { Scheduling::HeldByUs } else { Scheduling::Free };
            Facts {
                now: at(NOW),
                deleting: None,
                finalized: true,
                superseded_by: None,
                retention: Customization::InForce,
                reflection: Customization::InForce,
                target: Target::Found(Template {
                    version: "9".into(),
                    replicas,
                    retained: true,
                    to_zero: false,
                    no_requests: None,
                }),
                binding: Some(Binding {
                    version: "9".into(),
                    replicas,
                    clusters: entries,
                    template_version: "8".into(),
                    scheduling,
                    placement: Placement::Divided,
                    divided: None,
                    min_groups: None,
                    max_groups: None,
                }),
                holder: None,
                rivals: Vec::new(),
                published: None,
                clusters,
                memory,
            }
        },
    )
}

fn load(facts: &Facts, name: &str) -> u32 {
    let entry = facts.binding.as_ref().and_then(|binding| binding.clusters.get(name)).copied();
    count(&facts.clusters[name], entry).map_or(0, |count| count.load)
}

/// Whether a cluster may be taken out of the binding.
fn may_go(facts: &Facts, decision: &Decision, name: &str, entry: u32, totals: Bounds) -> bool {
    let share = |name: &String| {
        decision.split.as_ref().and_then(|split| split.shares.get(name)).map_or(0, |share| share.max)
    };
    let reachable = facts.clusters.iter().filter(|(_, cluster)| cluster.lost.is_none());
    let others = reachable.filter(|(other, _)| other.as_str() != name);
    let (mut fitting, mut kept) = (0, 0);
    for (other, cluster) in others {
        fitting += if cluster.hpa.is_some() { share(other).saturating_sub(load(facts, other)) } else { 0 };
        let ready = cluster.workload.known().map_or(0, |workload| workload.ready);
        kept += load(facts, other).max(ready);
    }
    let left_over = facts.clusters.get(name).is_some_and(|cluster| cluster.hpa.is_none());
    let fits = fitting >= entry || kept + entry > totals.max;
    left_over && share(&name.to_owned()) == 0 && kept >= totals.min && fits
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_decision_takes_away_what_runs_unless_it_fits_elsewhere(facts in facts(), min in 0_u32..8, spread in 0_u32..20) {
        let totals = Bounds { min, max: (min + spread).max(1) };
        let decision = decide(&policy(totals.min, totals.max), &facts);
        let before = &facts.binding.as_ref().unwrap().clusters;
        for write in &decision.writes {
            match write {
                Write::WriteBack { clusters, replicas, .. } => {
                    prop_assert!(*replicas > 0, "{decision:?}");
                    prop_assert_eq!(*replicas, clusters.values().sum::<u32>());
                    for (name, entry) in before.iter().filter(|(name, entry)| **entry > 0 && clusters.get(*name).is_none_or(|now| *now == 0)) {
                        prop_assert!(may_go(&facts, &decision, name, *entry, totals), "{name}: {decision:?}");
                    }
                }
                Write::EnsureHpa { install, .. } => {
                    prop_assert!(1 <= install.bounds.min && install.bounds.min <= install.bounds.max, "{install:?}");
                }
                Write::RemoveHpa { cluster } => {
                    prop_assert_eq!(facts.clusters[cluster].hpa.as_ref().map(|hpa| hpa.bounds), Some(Bounds::pinned(1)));
                }
                Write::AddFinalizer | Write::HoldScheduling | Write::Retain { .. } => {}
                Write::Unretain | Write::ResumeScheduling | Write::RemoveFinalizer => prop_assert!(false, "{write:?}"),
            }
        }
    }

    #[test]
    fn an_hpa_is_only_made_where_the_workload_is_seen_and_kept(facts in facts(), min in 0_u32..8) {
        let decision = decide(&policy(min, min + 10), &facts);
        for write in &decision.writes {
            let Write::EnsureHpa { cluster, .. } = write else { continue };
            let there = &facts.clusters[cluster];
            let held = facts.binding.as_ref().unwrap().scheduling == Scheduling::HeldByUs;
            prop_assert!(there.hpa.is_some() || (held && there.retained && there.workload.fresh().is_some()));
        }
    }

    #[test]
    fn the_same_facts_in_any_order_give_the_same_decision(facts in facts(), min in 0_u32..8) {
        let mut shuffled = facts.clone();
        shuffled.clusters = facts.clusters.clone().into_iter().rev().collect();
        let policy = policy(min, min + 10);
        prop_assert_eq!(format!("{:?}", decide(&policy, &facts)), format!("{:?}", decide(&policy, &shuffled)));
    }
}
