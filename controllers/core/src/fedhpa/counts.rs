//! Reads back how many replicas a member runs.
//!
//! Responsible for telling a number that is known from one that is not. Knows nothing of what it is used for.

use super::facts::{Cluster, HpaReport, MemberHpa};
use crate::reading::Reading;

/// How many replicas a cluster has, as far as can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The number for the control plane: what the member runs or is about to run.
    pub replicas: u32,
    /// What its HPA wants, or runs if that is more: the load to be covered.
    pub load: u32,
    /// What the number rests on.
    pub basis: Basis,
}

/// What a count rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A healthy HPA's desired replicas.
    Desired,
    /// The HPA's current replicas: it is broken, or tells nothing of its health.
    Current,
    /// The last that was known, for so many seconds.
    Stale(u64),
    /// Nothing was reported yet: the binding's own number, or else the min of the HPA there.
    Entry,
}

/// The count of a cluster that has `entry` replicas in the binding. An absent report is unknown, never 0: where the
/// binding has no number either, an HPA that stays keeps its min.
pub fn count(cluster: &Cluster, entry: Option<u32>) -> Option<Count> {
    let by_entry = entry.map(|replicas| Count { replicas, load: replicas, basis: Basis::Entry });
    let Some(hpa) = &cluster.hpa else { return by_entry };
    let kept = Count { replicas: hpa.bounds.min, load: hpa.bounds.min, basis: Basis::Entry };
    let by_entry = by_entry.filter(|count| count.replicas > 0);
    // A min of 0 says nothing of what runs.
    reported(hpa, cluster).or(by_entry).or((!hpa.leaving && kept.replicas > 0).then_some(kept))
}

fn reported(hpa: &MemberHpa, cluster: &Cluster) -> Option<Count> {
    let report = hpa.report.known()?;
    if silent(report) && !known_empty(cluster) {
        return None;
    }
    let load = if broken(report) { report.current } else { report.current.max(report.desired) };
    Some(match &hpa.report {
        Reading::Stale { age_seconds, .. } => {
            Count { replicas: best(report), load, basis: Basis::Stale(*age_seconds) }
        }
        Reading::Fresh(_) if healthy(report) => {
            Count { replicas: report.desired, load, basis: Basis::Desired }
        }
        Reading::Fresh(_) | Reading::Dark(_) => {
            Count { replicas: report.current, load, basis: Basis::Current }
        }
    })
}

/// An HPA that has not synced yet says 0 and 0, as does one whose workload was scaled to 0 by hand.
fn silent(report: &HpaReport) -> bool {
    report.current == 0 && report.desired == 0
}

fn known_empty(cluster: &Cluster) -> bool {
    cluster.workload.fresh().is_some_and(|workload| workload.replicas == 0)
}

/// Wanting none while some run is what a broken HPA says, unless it may and says that it is at work.
fn broken(report: &HpaReport) -> bool {
    let may = report.bounds.is_some_and(|bounds| bounds.min == 0) && report.scaling_active == Some(true);
    report.desired == 0 && report.current > 0 && !may
}

fn healthy(report: &HpaReport) -> bool {
    report.scaling_active == Some(true) && report.able_to_scale == Some(true) && !broken(report)
}

fn best(report: &HpaReport) -> u32 {
    if healthy(report) { report.desired } else { report.current }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;

    use super::{
        super::{
            facts::{Candidacy, MemberWorkload},
            policy::Bounds,
        },
        *,
    };
    use crate::reading::Dark;

    fn cluster(report: Reading<HpaReport>) -> Cluster {
        let bounds = Bounds { min: 1, max: 9 };
        let hpa = MemberHpa {
            bounds,
            before: bounds,
            since: DateTime::UNIX_EPOCH,
            leaving: false,
            report,
            blocked: None,
        };
        Cluster {
            labels: BTreeMap::new(),
            candidacy: Candidacy::Candidate,
            lost: None,
            free: Reading::Dark(Dark::NoSource),
            workload: Reading::Fresh(MemberWorkload { replicas: 4, ready: 4 }),
            retained: true,
            hpa: Some(hpa),
            to_zero: false,
            left_out: Vec::new(),
        }
    }

    fn report(current: u32, desired: u32, healthy: Option<bool>) -> HpaReport {
        HpaReport {
            current,
            desired,
            bounds: None,
            scaling_active: healthy,
            able_to_scale: healthy,
            capped: None,
        }
    }

    fn counted(report: Reading<HpaReport>) -> Option<(u32, Basis)> {
        count(&cluster(report), Some(7)).map(|count| (count.replicas, count.basis))
    }

    #[test]
    fn a_healthy_hpa_counts_with_what_it_wants() {
        assert_eq!(counted(Reading::Fresh(report(4, 6, Some(true)))), Some((6, Basis::Desired)));
    }

    #[test]
    fn without_reflected_conditions_only_current_counts() {
        assert_eq!(counted(Reading::Fresh(report(4, 6, None))), Some((4, Basis::Current)));
    }

    #[test]
    fn a_broken_hpa_that_wants_none_does_not_scale_to_zero() {
        assert_eq!(counted(Reading::Fresh(report(4, 0, Some(true)))), Some((4, Basis::Current)));
    }

    #[test]
    fn an_hpa_that_may_go_to_zero_and_is_at_work_is_believed() {
        let zero = HpaReport { bounds: Some(Bounds { min: 0, max: 9 }), ..report(4, 0, Some(true)) };
        assert_eq!(counted(Reading::Fresh(zero)), Some((0, Basis::Desired)));
        let unwell = HpaReport { scaling_active: Some(false), ..zero };
        assert_eq!(counted(Reading::Fresh(unwell)), Some((4, Basis::Current)));
    }

    #[test]
    fn an_absent_report_leaves_the_bindings_number() {
        assert_eq!(counted(Reading::Dark(Dark::NotYetReported)), Some((7, Basis::Entry)));
    }

    #[test]
    fn where_nobody_knows_a_number_the_min_is_kept() {
        let dark = cluster(Reading::Dark(Dark::NotYetReported));
        assert_eq!(count(&dark, None).map(|count| (count.replicas, count.load)), Some((1, 1)));
    }

    #[test]
    fn an_hpa_that_has_not_synced_is_not_zero() {
        assert_eq!(counted(Reading::Fresh(report(0, 0, None))), Some((7, Basis::Entry)));
    }

    #[test]
    fn a_silent_cluster_keeps_its_last_number_and_its_age() {
        let stale = Reading::Stale { value: report(4, 6, Some(true)), age_seconds: 90 };
        assert_eq!(counted(stale), Some((6, Basis::Stale(90))));
    }
}
