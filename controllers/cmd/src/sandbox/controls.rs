//! What one can do to the world with a key: its demand, its members, their nodes.
//!
//! Responsible for the deeds and for remembering what was done, so that it can be undone. Knows no key and no screen.

use std::collections::BTreeSet;

use fedscaler_sandbox::{
    apiserver::kinds::NODES,
    member::traffic::Workload,
    world::{World, WorldError},
};
use serde_json::Value;

/// What demand grows and shrinks by, in percent of itself.
const STEP: u32 = 25;

/// The least and the most demand, in percent of what the trace says.
const LEAST: u32 = 10;
const MOST: u32 = 1000;

/// What was done to a world.
pub(super) struct Controls {
    workload: Workload,
    percent: u32,
    lost: BTreeSet<String>,
}

impl Controls {
    /// Nothing was done yet. Demand is that on this workload.
    pub(super) fn new(workload: Workload) -> Self {
        Self { workload, percent: 100, lost: BTreeSet::new() }
    }

    /// How much of the demand there is, in percent of what the trace says.
    pub(super) fn percent(&self) -> u32 {
        self.percent
    }

    /// Whether the way to a member is cut.
    pub(super) fn is_lost(&self, member: &str) -> bool {
        self.lost.contains(member)
    }

    /// More demand. Says what was done, as all of these do.
    pub(super) fn more(&mut self, world: &World) -> String {
        self.scale(world, self.percent * (100 + STEP) / 100)
    }

    /// Less demand.
    pub(super) fn less(&mut self, world: &World) -> String {
        self.scale(world, (self.percent * 100).div_ceil(100 + STEP))
    }

    fn scale(&mut self, world: &World, percent: u32) -> String {
        self.percent = percent.clamp(LEAST, MOST);
        world.scale_demand(&self.workload, self.percent);
        format!("demand is {} % of the trace", self.percent)
    }

    /// Cuts the way between the control plane and a member, or opens it again.
    pub(super) fn lose(&mut self, world: &World, member: &str) -> Result<String, WorldError> {
        if self.lost.remove(member) {
            world.heal(member)?;
            return Ok(format!("{member} can be reached again"));
        }
        world.partition(member)?;
        self.lost.insert(member.to_owned());
        Ok(format!("{member} cannot be reached from the control plane any more"))
    }

    /// Drains the first node of a member that is not drained yet.
    #[expect(clippy::unused_self, reason = "what was done is remembered by the node, as in a real cluster")]
    pub(super) fn drain(&self, world: &World, member: &str) -> Result<String, WorldError> {
        let Some(node) = nodes(world, member, false).into_iter().next() else {
            return Ok(format!("{member} has no more nodes to drain"));
        };
        world.cluster(member)?.drain(&node)?;
        Ok(format!("{member}: {node} is cordoned and its pods are deleted"))
    }

    /// Lets pods onto all nodes of a member again.
    #[expect(clippy::unused_self, reason = "what was done is remembered by the node, as in a real cluster")]
    pub(super) fn uncordon(&self, world: &World, member: &str) -> Result<String, WorldError> {
        let cordoned = nodes(world, member, true);
        let cluster = world.cluster(member)?;
        for node in &cordoned {
            cluster.uncordon(node)?;
        }
        Ok(match cordoned.as_slice() {
            [] => format!("{member} has no cordoned nodes"),
            _ => format!("{member}: pods may go onto {} again", cordoned.join(", ")),
        })
    }
}

/// The nodes of a member, by name, that are cordoned or that are not.
fn nodes(world: &World, member: &str, is_cordoned: bool) -> Vec<String> {
    let Some(api) = world.member(member) else { return Vec::new() };
    let nodes = api.local("kubectl").list(&NODES, None);
    let cordoned = |node: &Value| node.pointer("/spec/unschedulable") == Some(&Value::Bool(true));
    let found = nodes.iter().filter(|node| cordoned(node) == is_cordoned);
    let mut names: Vec<_> = found
        .filter_map(|node| node.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{TimeZone as _, Utc};
    use fedscaler_sandbox::{
        clock::TokioClock, demand::Trace, karmada::Lags, member::traffic::Demand, world::WorldSpec,
    };

    use super::*;
    use crate::sandbox::scenario::members;

    fn world(workload: &Workload) -> World {
        let start = Utc.with_ymd_and_hms(2026, 3, 2, 0, 0, 0).single().unwrap();
        World::start(WorldSpec {
            seed: 1,
            clock: Arc::new(TokioClock::starting_at(start)),
            members: members(),
            demands: vec![Demand::new(workload.clone(), Trace::constant(10_000))],
            lags: Lags::default(),
        })
        .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn more_and_less_demand_undo_each_other_and_have_ends() {
        let workload = Workload::new("default", "web");
        let world = world(&workload);
        let mut controls = Controls::new(workload.clone());
        assert_eq!(controls.more(&world), "demand is 125 % of the trace");
        assert_eq!(world.demand(&workload), 12_500);
        assert_eq!(controls.less(&world), "demand is 100 % of the trace");
        (0..50).for_each(|_| drop(controls.more(&world)));
        assert_eq!(world.demand(&workload), 100_000);
        (0..50).for_each(|_| drop(controls.less(&world)));
        assert_eq!(world.demand(&workload), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn nodes_are_drained_one_after_the_other_and_all_come_back() {
        let workload = Workload::new("default", "web");
        let world = world(&workload);
        let controls = Controls::new(workload);
        let drained: Vec<_> = (0..5).map(|_| controls.drain(&world, "cloud").unwrap()).collect();
        assert_eq!(drained[0], "cloud: rented-1 is cordoned and its pods are deleted");
        assert_eq!(drained[4], "cloud has no more nodes to drain");
        let back = controls.uncordon(&world, "cloud").unwrap();
        assert_eq!(back, "cloud: pods may go onto rented-1, rented-2, rented-3, rented-4 again");
        assert_eq!(controls.uncordon(&world, "cloud").unwrap(), "cloud has no cordoned nodes");
        assert!(controls.drain(&world, "nowhere").is_ok_and(|words| words.contains("no more nodes")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_is_lost_and_comes_back_with_the_same_key() {
        let workload = Workload::new("default", "web");
        let world = world(&workload);
        let mut controls = Controls::new(workload);
        controls.lose(&world, "cloud").unwrap();
        assert!(controls.is_lost("cloud") && !controls.is_lost("idc-roomy"));
        controls.lose(&world, "cloud").unwrap();
        assert!(!controls.is_lost("cloud"));
    }
}
