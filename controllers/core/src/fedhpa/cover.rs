//! Survivors of lost clusters cover at once for what ran there.
//!
//! Responsible for how much and for how long. Raising maxes alone would leave it to each survivor's HPA to see the load
//! first, and Karmada takes a survivor for healthy that has not grown yet. Knows nothing of how mins are divided.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    counts::Count,
    facts::{Candidacy, Cluster, Facts},
    policy::Bounds,
};
use crate::time::Time;

/// What survivors hold together in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cover {
    /// The total min meanwhile.
    pub min: u32,
    /// Until then at most: it ends earlier when no cluster is lost any more.
    #[schemars(with = "Time")]
    pub until: DateTime<Utc>,
}

/// Five minutes, as a native HPA's own stabilisation of scaling down: by then it has seen the load for itself.
pub const COVERED_FOR: TimeDelta = TimeDelta::minutes(5);

/// Whether share can be moved in and out of a cluster: it can be reached, and Karmada is not taking the workload away.
/// Where that does not hold, the HPA stays as it is, and survivors rise without waiting for it.
pub fn steerable(cluster: &Cluster) -> bool {
    cluster.lost.is_none() && cluster.candidacy != Candidacy::Evicting
}

/// What is left of a cover at the time of the facts.
pub fn left(cover: Option<Cover>, facts: &Facts) -> Option<Cover> {
    let any_lost = facts.clusters.values().any(|cluster| !steerable(cluster));
    cover.filter(|cover| any_lost && facts.now < cover.until)
}

/// The cover when `gone` have just gone: as much as ran there and in those that `stay`, within the total max. Clusters
/// that are merely no longer candidates need none, since their share moves step by step. A cover that is in force
/// already, `left`, is not undercut.
pub fn after_loss<'a>(
    gone: &[String],
    stay: impl Iterator<Item = &'a String>,
    left: Option<Cover>,
    totals: Bounds,
    facts: &Facts,
    counts: &BTreeMap<String, Count>,
) -> Option<Cover> {
    let load = |name: &String| counts.get(name).map_or(0, |count| u64::from(count.load));
    let is_lost = |name: &&String| facts.clusters.get(*name).is_some_and(|cluster| !steerable(cluster));
    let lost: u64 = gone.iter().filter(is_lost).map(load).sum();
    if lost == 0 {
        return left;
    }
    let ran = u32::try_from(lost + stay.map(load).sum::<u64>()).unwrap_or(u32::MAX);
    let min = ran.min(totals.max).max(left.map_or(0, |left| left.min));
    (min > totals.min).then_some(Cover { min, until: facts.now + COVERED_FOR })
}
