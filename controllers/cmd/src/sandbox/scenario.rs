//! What the sandbox is made of.
//!
//! Responsible for the members (three of different shapes when nobody says otherwise) and the demand on the example
//! workload. Knows nothing of time's passing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use fedscaler_sandbox::{
    clock::Clock,
    demand::Trace,
    karmada::Lags,
    member::{
        FillerSpec, NodeSpec,
        traffic::{Demand, Workload},
    },
    world::{MemberSpec, WorldSpec},
};

use super::{demand, fleet::Fleet, install::Members};
use crate::{Refusal, cli::SandboxArguments};

/// What is played.
pub struct Scenario {
    /// When the clock starts.
    pub start: DateTime<Utc>,
    /// The workload that demand is on.
    pub workload: Workload,
    /// What the demand is, in words.
    pub demand_source: String,
    /// What the members are, in words.
    pub members_source: String,
    /// Whether the example FedHPA names them.
    pub who: Members,
    members: Vec<MemberSpec>,
    trace: Trace,
    seed: u64,
}

impl Scenario {
    /// Reads what was asked for.
    pub fn new(arguments: &SandboxArguments) -> Result<Self, Refusal> {
        let peak = arguments.peak_replicas;
        let (trace, first, demand_source) = if let Some(path) = &arguments.demand {
            let recorded = demand::read(path, peak, arguments.from)?;
            let words = format!("{}, its peak as {peak} replicas", path.display());
            (recorded.trace, Some(recorded.start), words)
        } else {
            let words = format!("a generated day (seed {}), its peak as {peak} replicas", arguments.seed);
            (Trace::generated(arguments.seed, peak), None, words)
        };
        let (members, members_source) = members_of(arguments)?;
        let is_usual = arguments.fleet.is_none() && arguments.members.is_none();
        let who = if is_usual { Members::Usual } else { Members::Others };
        Ok(Self {
            members_source,
            who,
            members,
            start: arguments.start.or(first).unwrap_or_else(monday),
            workload: Workload::new("default", "web"),
            demand_source,
            trace,
            seed: arguments.seed,
        })
    }

    /// The members.
    pub fn members(&self) -> &[MemberSpec] {
        &self.members
    }

    /// The world that it is played in.
    pub fn world(&self, clock: Arc<dyn Clock>) -> WorldSpec {
        WorldSpec {
            seed: self.seed,
            clock,
            members: self.members.clone(),
            demands: vec![Demand::new(self.workload.clone(), self.trace.clone())],
            lags: Lags::default(),
        }
    }
}

/// The members that were asked for, and what they are in words.
fn members_of(arguments: &SandboxArguments) -> Result<(Vec<MemberSpec>, String), Refusal> {
    let usual = members();
    let wanted = arguments.members.map_or(usual.len(), usize::from);
    let Some(path) = &arguments.fleet else {
        return Ok((generated(&usual, wanted), "generated: roomy, crowded and rented ones".to_owned()));
    };
    let mut fleet = Fleet::read(path)?;
    let nodes = fleet.len();
    if nodes < wanted {
        return Err(Refusal::new(format!(
            "--fleet {}: {nodes} nodes are too few for {wanted} members: give a smaller --members",
            path.display()
        )));
    }
    let tenants = match &arguments.fleet_pods {
        Some(path) => {
            let there = fleet.populate(path, arguments.fleet_at)?;
            let rest =
                if there.unplaced > 0 { format!(" ({} fit nowhere)", there.unplaced) } else { String::new() };
            format!("{} pods{rest} of {}", there.placed, path.display())
        }
        None => "nothing on them".to_owned(),
    };
    Ok((fleet.deal(wanted), format!("{nodes} nodes of {}, {tenants}", path.display())))
}

/// So many members, the shapes again and again.
fn generated(shapes: &[MemberSpec], count: usize) -> Vec<MemberSpec> {
    let numbered = |(index, shape): (usize, &MemberSpec)| {
        let round = index / shapes.len() + 1;
        let name = if round == 1 { shape.name.clone() } else { format!("{}-{round}", shape.name) };
        MemberSpec { name, ..shape.clone() }
    };
    shapes.iter().cycle().take(count).enumerate().map(numbered).collect()
}

/// The three members: roomy and crowded data centres of one's own, and a rented cluster.
pub fn members() -> Vec<MemberSpec> {
    vec![roomy(), crowded(), cloud()]
}

fn monday() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 0, 0, 0).single().unwrap_or(DateTime::UNIX_EPOCH + TimeDelta::days(4))
}

/// Few large nodes with little on them.
fn roomy() -> MemberSpec {
    let nodes = (1..=4).map(|number| NodeSpec::new(&format!("large-{number}"), 8000, 32 * 1024)).collect();
    labelled(MemberSpec::new("idc-roomy", nodes), "own")
}

/// Many small nodes, most of them nearly full with other people's pods: much is free in sum and little of it in one
/// place.
fn crowded() -> MemberSpec {
    let nodes: Vec<_> =
        (1..=12).map(|number| NodeSpec::new(&format!("small-{number:02}"), 4000, 8 * 1024)).collect();
    let fillers = nodes.iter().enumerate().map(|(index, node)| FillerSpec {
        name: format!("tenant-{}", node.name),
        namespace: "default".to_owned(),
        node: node.name.clone(),
        cpu_milli: if index % 3 == 0 { 1800 } else { 3600 },
        memory_mib: 2048,
    });
    let fillers = fillers.collect();
    labelled(MemberSpec { fillers, ..MemberSpec::new("idc-crowded", nodes) }, "own")
}

/// Rented nodes, used when the others are full; its machines start more slowly.
fn cloud() -> MemberSpec {
    let nodes = (1..=4).map(|number| NodeSpec::new(&format!("rented-{number}"), 8000, 16 * 1024)).collect();
    labelled(MemberSpec { start: Duration::from_secs(45), ..MemberSpec::new("cloud", nodes) }, "cloud")
}

fn labelled(member: MemberSpec, provider: &str) -> MemberSpec {
    MemberSpec { labels: BTreeMap::from([("provider".to_owned(), provider.to_owned())]), ..member }
}
