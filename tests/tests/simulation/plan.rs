//! A world and what is done to it, from a seed.

use std::{collections::BTreeMap, fmt, time::Duration};

use fedscaler_sandbox::{
    demand::Trace,
    karmada::{Lag, Lags},
    member::{
        FillerSpec, NodeSpec, Placement,
        traffic::{Balance, Demand, Workload},
    },
    world::MemberSpec,
};
use serde_json::{Value, json};

use super::{deed::Deed, dice::Dice};

const NAMES: [&str; 5] = ["amber", "birch", "cedar", "dune", "elm"];

/// One seed's world, and what is done to it.
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The members.
    pub members: Vec<MemberSpec>,
    /// How late Karmada is.
    pub lags: Lags,
    /// The demand to begin with.
    pub demand: Deed,
    /// The FedHPA.
    pub fed_hpa: Value,
    /// What is done, by the second after the FedHPA is applied.
    pub deeds: Vec<(u64, Deed)>,
    /// How it ends.
    pub ending: Ending,
    /// When quiet begins.
    pub length: u64,
}

/// How a world ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything stays.
    Stays,
    /// The FedHPA is deleted in that second, whatever goes on.
    Deleted(u64),
}

/// What deeds refer to.
pub struct Shape {
    /// The members' names.
    pub members: Vec<String>,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed);
        let count = usize::try_from(dice.between(2, 5)).expect("few");
        let mut members: Vec<_> = NAMES[..count].iter().map(|name| member(name, &mut dice)).collect();
        // The scheduler places all or nothing: there must be room for what runs before the FedHPA comes.
        members[0].nodes.push(NodeSpec::new("roomy", 8000, 32 * 1024));
        let shape = Shape { members: members.iter().map(|member| member.name.clone()).collect() };
        let lags = lags(&mut dice);
        let demand = shape.demand(&mut dice);
        let fed_hpa = shape.fed_hpa(&mut dice);
        let length = dice.between(120, 600);
        let mut deeds: Vec<_> = (0..dice.between(2, 10))
            .map(|_| (dice.between(0, length), Deed::any(&mut dice, &shape)))
            .collect();
        deeds.sort_by_key(|(second, _)| *second);
        let ending = if dice.happens(25) { Ending::Deleted(dice.between(60, length)) } else { Ending::Stays };
        Self { seed, members, lags, demand, fed_hpa, deeds, ending, length }
    }
}

fn member(name: &str, dice: &mut Dice) -> MemberSpec {
    let (cpu, gib) = *dice.one_of(&[(2000, 4), (4000, 8), (8000, 32), (16_000, 32)]);
    let nodes: Vec<_> = (1..=dice.between(1, 4))
        .map(|number| NodeSpec::new(&format!("n{number}"), cpu, gib * 1024))
        .collect();
    let crowded = dice.happens(30);
    let filled = nodes.iter().filter(|_| crowded && dice.happens(70)).map(|node| FillerSpec {
        name: format!("tenant-{}", node.name),
        namespace: "default".to_owned(),
        node: node.name.clone(),
        cpu_milli: cpu * 7 / 10,
        memory_mib: 1024,
    });
    let fillers = filled.collect();
    let provider = *dice.one_of(&["own", "cloud"]);
    MemberSpec {
        labels: BTreeMap::from([("provider".to_owned(), provider.to_owned())]),
        fillers,
        start: Duration::from_secs(dice.between(3, 50)),
        placement: *dice.one_of(&[Placement::LeastAllocated, Placement::MostAllocated]),
        ..MemberSpec::new(name, nodes)
    }
}

/// Mostly as measured; now and then something of Karmada is slow.
fn lags(dice: &mut Dice) -> Lags {
    let usual = Lags::default();
    let mut slow = |usual: Lag, most: u64| if dice.happens(20) { Lag::millis(1, most) } else { usual };
    Lags {
        detector: slow(usual.detector, 4000),
        scheduler: slow(usual.scheduler, 1500),
        solving: slow(usual.solving, 1500),
        binding: slow(usual.binding, 2000),
        execution: slow(usual.execution, 3000),
        status: slow(usual.status, 3000),
        aggregation: slow(usual.aggregation, 2000),
    }
}

impl Shape {
    /// Some demand, now and then from one region.
    pub fn demand(&self, dice: &mut Dice) -> Deed {
        let region = dice.happens(30).then(|| dice.one_of(&self.members).clone());
        Deed::Demand { milli: i64::from(dice.small(0, 45)) * 1000, region }
    }

    /// The demand of a deed.
    pub fn traffic(&self, milli: i64, region: Option<&String>) -> Demand {
        let weight = |name: &String| (name.clone(), if Some(name) == region { 5 } else { 1 });
        let balance = match region {
            Some(_) => Balance::Weights(self.members.iter().map(weight).collect()),
            None => Balance::ReadyPods,
        };
        Demand { balance, ..Demand::new(Workload::new("default", "web"), Trace::constant(milli)) }
    }

    fn fed_hpa(&self, dice: &mut Dice) -> Value {
        let (min, max) = bounds(dice);
        json!({
            "apiVersion": "autoscaling.fedscaler.io/v1alpha1",
            "kind": "FedHPA",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": min,
                "maxReplicas": max,
                // Shorter than a pod takes to start and to be measured, an HPA swings by itself for ever.
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": dice.between(110, 150)}},
                "distribution": self.distribution(dice, max),
                "rebalance": {
                    "mode": if dice.happens(85) { "Auto" } else { "Off" },
                    "cooldownSeconds": dice.between(20, 200),
                    "tolerancePercent": dice.between(0, 20),
                },
                "capacity": {
                    "source": dice.one_of(&["Auto", "Models", "Summary"]),
                    "reservePercent": dice.between(0, 20),
                },
                "writeBack": {"intervalSeconds": dice.between(2, 30)},
            },
        })
    }

    /// Any legal distribution: floors of named clusters sum to no more than the max.
    fn distribution(&self, dice: &mut Dice, max: u32) -> Value {
        let strategy = *dice.one_of(&["Capacity", "Capacity", "Weighted", "Even"]);
        if dice.happens(40) {
            return json!({"strategy": strategy, "clusters": []});
        }
        let mut left = max;
        let mut clusters = Vec::new();
        for name in &self.members {
            let floor = dice.small(0, 2).min(left);
            let mut rule = json!({"name": name, "tier": dice.between(0, 2), "weight": dice.between(1, 5)});
            if dice.happens(40) {
                rule["minReplicas"] = floor.into();
                left -= floor;
            }
            if dice.happens(30) {
                rule["maxReplicas"] = dice.small(2, 20).into();
            }
            if dice.happens(90) {
                clusters.push(rule);
            }
        }
        if clusters.is_empty() || dice.happens(20) {
            clusters.push(json!({"selector": {"matchLabels": {"provider": "cloud"}}, "tier": 1}));
        }
        json!({"strategy": strategy, "clusters": clusters})
    }

    /// Other totals.
    pub fn bounds_edit(&self, dice: &mut Dice) -> Deed {
        let (min, max) = bounds(dice);
        // Floors could sum to more than the new max.
        let distribution = self.distribution(dice, max);
        let patch = json!({"minReplicas": min, "maxReplicas": max, "distribution": distribution});
        Deed::Edited { what: "other totals", patch }
    }

    /// Other terms for the members, of a kind that every max allows.
    pub fn distribution_edit(&self, dice: &mut Dice) -> Deed {
        Deed::Edited { what: "other terms", patch: json!({"distribution": self.distribution(dice, 1)}) }
    }
}

fn bounds(dice: &mut Dice) -> (u32, u32) {
    let min = dice.small(1, 14);
    let most = if dice.happens(15) { 0 } else { 40 };
    (min, min + dice.small(0, most))
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        for member in &self.members {
            let (node, fillers) = (&member.nodes[0], member.fillers.len());
            writeln!(
                f,
                "  {}: {} nodes, the first of {} m and {} MiB, {fillers} of them filled, pods start in {} s, {}",
                member.name,
                member.nodes.len(),
                node.cpu_milli,
                node.memory_mib,
                member.start.as_secs(),
                member.labels["provider"]
            )?;
        }
        if self.lags != Lags::default() {
            writeln!(f, "  {:?}", self.lags)?;
        }
        writeln!(f, "  FedHPA {}", self.fed_hpa["spec"])?;
        writeln!(f, "  {}", self.demand)?;
        for (second, deed) in &self.deeds {
            writeln!(f, "  {second:>4} s  {deed}")?;
        }
        if let Ending::Deleted(second) = self.ending {
            writeln!(f, "  {second:>4} s  the FedHPA is deleted for good")?;
        }
        writeln!(f, "  {:>4} s  quiet", self.length)
    }
}
