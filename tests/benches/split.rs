//! How long the pure part of a reconcile takes: the split alone, and a whole decision.
//!
//! `cargo bench -p fedscaler-tests --bench split`. The goal is a split of 1,000 clusters within 100 microseconds.

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use fedscaler_core::{
    fedhpa::{
        decide,
        facts::{
            Binding, Candidacy, Cluster, Customization, Facts, HpaReport, MemberHpa, MemberWorkload, Memory,
            Placement, Resets, Scheduling, Target, Template,
        },
        policy::{
            Adoption, Bounds, ClusterRule, Distribution, Policy, Rebalance, RebalanceMode, Requirement,
            Selects, Strategy, Terms,
        },
        split::{Claim, Floors, Groups, ideal},
        trail::Trail,
    },
    reading::Reading,
    room::{Free, RoomSource},
};
use fedscaler_tests::measure::{machine, micros, print_table, quantile, sampled};

const SIZES: [u32; 3] = [10, 100, 1000];
const SAMPLES: usize = 500;

fn main() {
    println!("{}", machine());
    println!("microseconds, of {SAMPLES} runs each\n");
    let mut rows = Vec::new();
    for clusters in SIZES {
        let (policy, start) = (policy(clusters), running(clusters));
        let settled = settled(&policy, &start);
        let saturated = saturated(&settled);
        let claims = claims(clusters);
        let totals = policy.bounds;
        let split =
            || ideal(totals, Groups::ANY, black_box(&claims), Floors::ByWeight, &mut Trail::default());
        rows.push(row("split", clusters, || drop(black_box(split()))));
        rows.push(row("decide, at the start", clusters, || {
            drop(black_box(decide(&policy, black_box(&start))));
        }));
        rows.push(row("decide, at rest", clusters, || {
            drop(black_box(decide(&policy, black_box(&settled))));
        }));
        rows.push(row("decide, a tenth saturated", clusters, || {
            drop(black_box(decide(&policy, black_box(&saturated))));
        }));
    }
    rows.sort();
    print_table(&["what", "clusters", "p50", "p99", "least"], &rows);
}

fn row(what: &str, clusters: u32, run: impl FnMut()) -> Vec<String> {
    let samples = sampled(SAMPLES, run);
    vec![
        what.to_owned(),
        format!("{clusters:>5}"),
        micros(quantile(&samples, 50)),
        micros(quantile(&samples, 99)),
        micros(samples.first().copied().unwrap_or_default()),
    ]
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_409_600, 0).expect("a time")
}

fn name(index: u32) -> String {
    format!("member-{index:04}")
}

/// Every third cluster is rented: a tier of its own, that grows by itself.
fn is_rented(index: u32) -> bool {
    index % 3 == 2
}

fn load(index: u32) -> u32 {
    if is_rented(index) { 0 } else { 3 + index * 7 % 11 }
}

fn room(index: u32) -> u32 {
    10 + index * 13 % 37
}

fn policy(clusters: u32) -> Policy {
    let rented = Requirement::In("provider".to_owned(), vec!["cloud".to_owned()]);
    let rule = |requirements, terms| ClusterRule { selects: Selects::Labels(requirements), terms };
    let terms = Terms { tier: 1, elastic: true, cap: Some(200), ..Terms::default() };
    Policy {
        bounds: Bounds { min: 3 * clusters, max: 20 * clusters },
        distribution: Distribution {
            strategy: Strategy::Capacity,
            rules: vec![rule(vec![rented], terms), rule(Vec::new(), Terms::default())],
        },
        rebalance: Rebalance {
            mode: RebalanceMode::Auto,
            cooldown: Duration::from_mins(5),
            tolerance_percent: 10,
        },
        reserve_percent: 0,
        write_back_interval: Duration::from_secs(15),
        adoption: Adoption::Never,
        suspended: false,
    }
}

fn claims(clusters: u32) -> BTreeMap<String, Claim> {
    let claim = |index: u32| {
        let (rented, demand) = (is_rented(index), load(index));
        let ceiling = if rented { 200 } else { demand + room(index) };
        let claim = Claim {
            tier: u32::from(rented),
            weight: u64::from(ceiling),
            floor: u32::from(index.is_multiple_of(5)),
            cap: u32::MAX,
            ceiling,
            demand,
            thirst: if index.is_multiple_of(10) { demand.div_ceil(4) } else { 0 },
            awake: demand > 0,
            to_zero: false,
        };
        (name(index), claim)
    };
    (0..clusters).map(claim).collect()
}

/// The facts of a workload that runs and has no HPA in any member yet.
fn running(clusters: u32) -> Facts {
    let entries = (0..clusters).filter(|index| load(*index) > 0);
    let entries: BTreeMap<String, u32> = entries.map(|index| (name(index), load(index))).collect();
    let replicas = entries.values().sum();
    Facts {
        now: now(),
        deleting: None,
        finalized: true,
        target: Target::Found(Template {
            version: "7".to_owned(),
            replicas,
            retained: true,
            to_zero: false,
            no_requests: None,
        }),
        binding: Some(Binding {
            version: "8".to_owned(),
            replicas,
            clusters: entries,
            template_version: "7".to_owned(),
            scheduling: Scheduling::HeldByUs,
            placement: Placement::Divided,
            divided: None,
            min_groups: None,
            max_groups: None,
        }),
        holder: None,
        rivals: Vec::new(),
        superseded_by: None,
        retention: Customization::InForce,
        reflection: Customization::InForce,
        published: None,
        clusters: (0..clusters).map(|index| (name(index), cluster(index))).collect(),
        memory: Memory { split: None, round: None, resets: Resets::default(), releasing_since: None },
    }
}

fn cluster(index: u32) -> Cluster {
    let provider = if is_rented(index) { "cloud" } else { "own" };
    let free = Free { fit: room(index), naive: room(index) + 2, unbound: 0, source: RoomSource::Models };
    Cluster {
        labels: BTreeMap::from([("provider".to_owned(), provider.to_owned())]),
        candidacy: Candidacy::Candidate,
        lost: None,
        free: Reading::Fresh(free),
        workload: Reading::Fresh(MemberWorkload { replicas: load(index), ready: load(index) }),
        retained: true,
        to_zero: false,
        left_out: Vec::new(),
        hpa: None,
    }
}

/// The same with the split of the first decision in force and in the members.
fn settled(policy: &Policy, start: &Facts) -> Facts {
    let mut facts = start.clone();
    let split = decide(policy, start).split.expect("a first split");
    let since = now() - TimeDelta::hours(1);
    for (name, share) in split.shares.iter().filter(|(_, share)| share.max > 0) {
        let cluster = facts.clusters.get_mut(name).expect("a share belongs to a cluster");
        let runs =
            cluster.workload.known().map_or(0, |workload| workload.replicas).clamp(share.min, share.max);
        cluster.workload = Reading::Fresh(MemberWorkload { replicas: runs, ready: runs });
        cluster.hpa = Some(hpa(*share, runs, since));
    }
    facts.memory.split = Some(split);
    facts
}

fn hpa(bounds: Bounds, runs: u32, since: DateTime<Utc>) -> MemberHpa {
    let report = HpaReport {
        current: runs,
        desired: runs,
        bounds: Some(bounds),
        scaling_active: Some(true),
        able_to_scale: Some(true),
        capped: Some(false),
    };
    MemberHpa { bounds, before: bounds, since, leaving: false, report: Reading::Fresh(report), blocked: None }
}

/// The same with every tenth cluster at its max and wanting more.
fn saturated(settled: &Facts) -> Facts {
    let mut facts = settled.clone();
    let thirsty: BTreeSet<String> = facts.clusters.keys().step_by(10).cloned().collect();
    for (_, cluster) in facts.clusters.iter_mut().filter(|(name, _)| thirsty.contains(*name)) {
        let Some(hpa) = &mut cluster.hpa else { continue };
        let (bounds, since) = (hpa.bounds, hpa.since);
        *hpa = self::hpa(bounds, bounds.max, since);
        if let Reading::Fresh(report) = &mut hpa.report {
            report.capped = Some(true);
        }
    }
    facts
}
