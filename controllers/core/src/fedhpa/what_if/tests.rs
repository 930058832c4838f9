//! What can be supposed, and what cannot. Where the split comes to is held against a model of the members in
//! `decide::tests::suppositions`.

use std::collections::BTreeMap;

use super::*;
use crate::{
    fedhpa::{
        facts::{Candidacy, Customization, HpaReport, MemberHpa, MemberWorkload, Memory, Target},
        policy::{Adoption, Bounds, Distribution, Rebalance, RebalanceMode, Strategy},
    },
    reading::Dark,
    room::RoomSource,
};

fn policy() -> Policy {
    Policy {
        bounds: Bounds { min: 4, max: 20 },
        distribution: Distribution { strategy: Strategy::Even, rules: Vec::new() },
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

fn facts() -> Facts {
    let free = |fit| Reading::Fresh(Free { fit, naive: fit + 2, unbound: 0, source: RoomSource::Models });
    let clusters = [("a", free(7)), ("dark", Reading::Dark(Dark::NoSource))];
    Facts {
        now: DateTime::UNIX_EPOCH,
        deleting: None,
        finalized: true,
        superseded_by: None,
        target: Target::Missing,
        retention: Customization::InForce,
        reflection: Customization::InForce,
        binding: None,
        holder: None,
        rivals: Vec::new(),
        published: None,
        clusters: clusters.into_iter().map(|(name, free)| (name.to_owned(), member(free))).collect(),
        memory: Memory::default(),
    }
}

fn member(free: Reading<Free>) -> Cluster {
    let bounds = Bounds { min: 1, max: 9 };
    let report = HpaReport {
        current: 3,
        desired: 3,
        bounds: None,
        scaling_active: None,
        able_to_scale: None,
        capped: None,
    };
    Cluster {
        labels: BTreeMap::new(),
        candidacy: Candidacy::Candidate,
        lost: None,
        free,
        workload: Reading::Fresh(MemberWorkload { replicas: 3, ready: 3 }),
        retained: true,
        hpa: Some(MemberHpa {
            bounds,
            before: bounds,
            since: DateTime::UNIX_EPOCH,
            leaving: false,
            report: Reading::Fresh(report),
            blocked: None,
        }),
        to_zero: false,
        left_out: Vec::new(),
    }
}

fn supposed(texts: &[&str]) -> Result<(Policy, Facts), String> {
    let what_ifs = texts.iter().map(|text| text.parse());
    let what_ifs: Vec<WhatIf> = what_ifs.collect::<Result<_, Unreadable>>().map_err(|why| why.to_string())?;
    suppose(&policy(), &facts(), &what_ifs).map_err(|why| why.to_string())
}

#[test]
fn a_what_if_reads_back_as_it_is_shown() {
    for text in ["min=0", "max=80", "lost=cluster-a", "room=cluster-b:+20", "room=cluster-b:-3"] {
        assert_eq!(text.parse::<WhatIf>().map(|what_if| what_if.to_string()).as_deref(), Ok(text));
    }
}

#[test]
fn a_text_that_is_no_what_if_is_refused_with_what_may_be_given() {
    let bad = [
        "",
        "min",
        "min=",
        "min=-1",
        "min=+1",
        "max=99999999999",
        "max=2147483648",
        "lost=",
        "room=a",
        "room=a:3",
        "room=:+3",
        "room=a:+-3",
        "room=a:+",
        "gained=a",
        "MIN=3",
        " min=3",
    ];
    for text in bad {
        let why = text.parse::<WhatIf>().unwrap_err().to_string();
        assert_eq!(
            why,
            format!("{text:?} is no what-if: give min=N, max=N, lost=CLUSTER or room=CLUSTER:+N")
        );
    }
}

#[test]
fn bounds_are_those_of_the_spec_and_the_later_stands() {
    let (policy, unchanged) = supposed(&["min=30", "max=40", "min=7"]).unwrap();
    assert_eq!(policy.bounds, Bounds { min: 7, max: 40 });
    assert_eq!(unchanged, facts());
}

#[test]
fn bounds_that_do_not_fit_together_are_refused() {
    assert_eq!(supposed(&["min=21"]).unwrap_err(), "min 21 would be above max 20: suppose both");
    assert_eq!(supposed(&["max=0"]).unwrap_err(), "max=0: an HPA needs a max of at least 1");
}

#[test]
fn a_lost_cluster_keeps_what_was_last_known_of_it_but_nothing_is_fresh() {
    let (_, facts) = supposed(&["lost=a"]).unwrap();
    let lost = &facts.clusters["a"];
    assert_eq!(lost.lost, Some(facts.now));
    assert_eq!((lost.free.fresh(), lost.workload.fresh()), (None, None));
    let report = &lost.hpa.as_ref().unwrap().report;
    assert_eq!((report.fresh(), report.known().map(|report| report.current)), (None, Some(3)));
    assert_eq!(facts.clusters["dark"].lost, None);
}

#[test]
fn what_is_lost_already_stays_lost_since_then() {
    let long_ago = DateTime::UNIX_EPOCH - TimeDelta::hours(1);
    let mut facts = facts();
    facts.clusters.get_mut("a").unwrap().lost = Some(long_ago);
    let (_, facts) = suppose(&policy(), &facts, &[WhatIf::Lost("a".into())]).unwrap();
    assert_eq!(facts.clusters["a"].lost, Some(long_ago));
}

#[test]
fn rooms_add_up_and_never_fall_below_nothing() {
    let fit = |texts: &[&str]| supposed(texts).unwrap().1.clusters["a"].free.known().copied().unwrap().fit;
    assert_eq!(fit(&["room=a:+20", "room=a:+1"]), 28);
    assert_eq!(fit(&["room=a:-5"]), 2);
    assert_eq!(fit(&["room=a:-50"]), 0);
}

#[test]
fn an_unknown_cluster_is_named_with_those_that_there_are() {
    let why = "lost=b: there is no cluster b; there are: a, dark";
    assert_eq!(supposed(&["lost=b"]).unwrap_err(), why);
    assert_eq!(supposed(&["room=b:+1"]).unwrap_err(), "room=b:+1: there is no cluster b; there are: a, dark");
}

#[test]
fn nothing_is_added_to_a_room_that_nobody_knows() {
    assert_eq!(
        supposed(&["room=dark:+4"]).unwrap_err(),
        "room=dark:+4: the room of the cluster is not known (no source), so it limits nothing"
    );
}

#[test]
fn what_cannot_be_decided_has_no_course() {
    assert_eq!(course(&policy(), &facts()), Course { turns: Vec::new(), rests: true });
}
