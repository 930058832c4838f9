//! What the status remembers for the next decision.
//!
//! Responsible for both directions between the wire and the core's [`Memory`]. Whatever is missing or does not
//! parse is forgotten, never guessed.

use std::collections::BTreeMap;

use fedscaler_core::fedhpa::{
    cover::Cover,
    facts::{Memory, Resets, Round},
    policy::Bounds,
    rebalance::InForceSplit,
    trail::Change,
};
use fedscaler_crds::{
    FedHpaStatus,
    fedhpa::{self as wire, ShareRecord, SplitRecord, WriteBackRound},
};
use fedscaler_runtime::time::{from_wire, to_wire};

/// Reads the memory from a status.
pub fn recall(status: Option<&FedHpaStatus>) -> Memory {
    let Some(status) = status else { return Memory::default() };
    Memory {
        split: recalled_split(status),
        round: status.write_back.as_ref().map(recalled_round),
        resets: status.resets.as_ref().map(recalled_resets).unwrap_or_default(),
        releasing_since: status.release.as_ref().map(|release| from_wire(&release.started_time)),
    }
}

fn recalled_split(status: &FedHpaStatus) -> Option<InForceSplit> {
    let (split, bounds) = (status.split.as_ref()?, status.bounds.as_ref()?);
    Some(InForceSplit {
        shares: split.shares.iter().map(recalled_share).collect::<Option<BTreeMap<_, _>>>()?,
        totals: Bounds { min: replicas(bounds.min_replicas)?, max: replicas(bounds.max_replicas)? },
        fingerprint: split.spec_hash.clone()?,
        adopted: from_wire(&split.time),
        change: Change::ALL.into_iter().find(|change| change.as_str() == split.reason)?,
        cover: split.cover.as_ref().and_then(recalled_cover),
    })
}

fn recalled_cover(cover: &wire::CoverRecord) -> Option<Cover> {
    Some(Cover { min: replicas(cover.min_replicas)?, until: from_wire(&cover.until_time) })
}

fn recalled_share(share: &ShareRecord) -> Option<(String, Bounds)> {
    let bounds = Bounds { min: replicas(share.min_replicas)?, max: replicas(share.max_replicas)? };
    Some((share.cluster.clone(), bounds))
}

fn recalled_round(round: &WriteBackRound) -> Round {
    Round {
        template_version: round.template_resource_version.clone().unwrap_or_default(),
        replicas: replicas(round.replicas).unwrap_or_default(),
        started: from_wire(&round.started_time),
        acknowledged: round.acknowledged_time.as_ref().map(from_wire),
    }
}

fn recalled_resets(resets: &wire::Resets) -> Resets {
    Resets { count: replicas(resets.count).unwrap_or_default(), since: Some(from_wire(&resets.window_start)) }
}

fn replicas(value: i32) -> Option<u32> {
    u32::try_from(value).ok()
}

/// A number of replicas on the wire; what no API server would accept becomes the largest that it does.
pub fn to_wire_replicas(replicas: u32) -> i32 {
    i32::try_from(replicas).unwrap_or(i32::MAX)
}

/// The split on the wire.
pub fn record_split(split: &InForceSplit) -> SplitRecord {
    let share = |(cluster, share): (&String, &Bounds)| ShareRecord {
        cluster: cluster.clone(),
        min_replicas: to_wire_replicas(share.min),
        max_replicas: to_wire_replicas(share.max),
    };
    SplitRecord {
        time: to_wire(split.adopted),
        reason: split.change.as_str().to_owned(),
        spec_hash: Some(split.fingerprint.clone()),
        shares: split.shares.iter().map(share).collect(),
        cover: split.cover.map(|cover| wire::CoverRecord {
            min_replicas: to_wire_replicas(cover.min),
            until_time: to_wire(cover.until),
        }),
    }
}

/// The round on the wire.
pub fn record_round(round: &Round) -> WriteBackRound {
    WriteBackRound {
        replicas: to_wire_replicas(round.replicas),
        started_time: to_wire(round.started),
        template_resource_version: (!round.template_version.is_empty())
            .then(|| round.template_version.clone()),
        acknowledged_time: round.acknowledged.map(to_wire),
    }
}

/// The resets on the wire; none are not mentioned.
pub fn record_resets(resets: Resets) -> Option<wire::Resets> {
    let since = resets.since.filter(|_| resets.count > 0)?;
    Some(wire::Resets { count: to_wire_replicas(resets.count), window_start: to_wire(since) })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn what_is_recorded_is_recalled() {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let split = InForceSplit {
            shares: [("a".to_owned(), Bounds { min: 2, max: 9 }), ("b".to_owned(), Bounds::default())].into(),
            totals: Bounds { min: 2, max: 9 },
            fingerprint: "00ff".to_owned(),
            adopted: at,
            change: Change::Saturated,
            cover: Some(Cover { min: 5, until: at }),
        };
        let round = Round { template_version: "17".into(), replicas: 5, started: at, acknowledged: Some(at) };
        let resets = Resets { count: 2, since: Some(at) };
        let status = FedHpaStatus {
            bounds: Some(wire::BoundsInForce {
                min_replicas: 2,
                max_replicas: 9,
                min_rule: None,
                max_rule: None,
            }),
            split: Some(record_split(&split)),
            write_back: Some(record_round(&round)),
            resets: record_resets(resets),
            release: Some(wire::Release { started_time: to_wire(at) }),
            ..FedHpaStatus::default()
        };
        let memory = recall(Some(&status));
        assert_eq!(
            memory,
            Memory { split: Some(split), round: Some(round), resets, releasing_since: Some(at) }
        );
    }

    #[test]
    fn a_split_that_does_not_parse_is_forgotten() {
        let split = SplitRecord {
            time: to_wire(DateTime::UNIX_EPOCH),
            reason: "Whim".to_owned(),
            spec_hash: None,
            shares: Vec::new(),
            cover: None,
        };
        let status = FedHpaStatus { split: Some(split), ..FedHpaStatus::default() };
        assert_eq!(recall(Some(&status)).split, None);
    }
}
