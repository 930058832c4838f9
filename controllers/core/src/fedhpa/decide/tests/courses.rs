//! What holds of every course: through any crash it comes to rest with the numbers true, and nothing is ever
//! scaled to zero by accident.

use proptest::{prelude::*, strategy::Strategy};

use super::{
    plane::{Plane, policy},
    *,
};
use crate::conditions::Truth;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What happens in the world, and when the process dies.
#[derive(Clone, Debug)]
struct Fate {
    /// The most writes that each decision gets done; beyond the list all are done.
    reach: Vec<usize>,
    /// Cluster and what it wishes for, one each half minute.
    wishes: Vec<(usize, u32)>,
}

fn fate() -> impl Strategy<Value = Fate> {
    let reach = prop::collection::vec(prop_oneof![3 => 0_usize..4, 1 => Just(usize::MAX)], 0..60);
    let wishes = prop::collection::vec((0..NAMES.len(), 1_u32..15), 0..8);
    (reach, wishes).prop_map(|(reach, wishes)| Fate { reach, wishes })
}

fn plane() -> impl Strategy<Value = Plane> {
    let cluster = (0_u32..9, 0_u32..20);
    (prop::collection::vec(cluster, 1..=NAMES.len()), 1_u32..12, 0_u32..25).prop_map(
        |(clusters, min, headroom)| {
            let of =
                |(name, (replicas, room)): (&&'static str, &(u32, u32))| (*name, *replicas, replicas + room);
            let mut clusters: Vec<_> = NAMES.iter().zip(&clusters).map(of).collect();
            clusters[0].1 += 1;
            clusters[0].2 += 1;
            Plane::running(policy(min, min + headroom), &clusters)
        },
    )
}

/// Checks what must hold at every second.
fn check(plane: &mut Plane, was: u32) -> Result<(), TestCaseError> {
    let running: u32 = plane.members.values().map(plane::Member::running).sum();
    prop_assert!(running > 0, "{plane:?}");
    prop_assert!(plane.template().replicas > 0, "{plane:?}");
    let entries: u32 = plane.binding.as_ref().unwrap().clusters.values().sum();
    prop_assert!(entries > 0, "{plane:?}");
    let max = plane.policy.bounds.max;
    let in_effect: u32 = plane.members.values().map(plane::Member::max_in_effect).sum();
    prop_assert!(
        in_effect <= max.max(was) + plane.surge,
        "{in_effect} of {max} and {}: {plane:?}",
        plane.surge
    );
    Ok(())
}

/// Runs a course until nothing was written for longer than a cooldown.
fn rest(plane: &mut Plane, fate: &Fate) -> Result<(), TestCaseError> {
    let was: u32 = plane.members.values().map(plane::Member::running).sum();
    let (mut reach, mut wishes) = (fate.reach.iter(), fate.wishes.iter());
    let mut quiet = 0;
    while quiet < 400 {
        if plane.now % 30 == 29
            && let Some((index, wish)) = wishes.next()
            && let Some(member) = plane.members.get_mut(NAMES[*index])
        {
            member.wish = *wish;
            quiet = 0;
        }
        if plane.now % 5 == 0 {
            let decision = plane.decide();
            let reach = reach.next().copied().unwrap_or(usize::MAX);
            if !plane.act(&decision, reach).is_empty() || reach < usize::MAX {
                quiet = 0;
            }
        }
        plane.second();
        quiet += 1;
        check(plane, was)?;
        prop_assert!(plane.now < 6000, "it never rests: {plane:?} {:?}", plane.decide());
    }
    Ok(())
}

/// The division as it was decided and as the members have it.
fn at_rest(plane: &mut Plane) -> Result<(), TestCaseError> {
    let decision = plane.decide();
    let ready = decision.findings.iter().find(|finding| finding.kind == Condition::Ready);
    prop_assert_eq!(ready.map(|finding| finding.status), Some(Truth::True), "{:?} {:?}", decision, plane);
    let works: Shares = plane
        .members
        .iter()
        .filter_map(|(name, member)| Some((name.clone(), member.hpa.as_ref()?.install.bounds)))
        .collect();
    let totals = split::total(&works);
    let wanted = plane.policy.bounds;
    prop_assert_eq!(totals.max + decision.unplaced, wanted.max, "{:?}", plane);
    let active = u32::try_from(works.len()).unwrap();
    prop_assert_eq!(totals.min, wanted.min.max(active).min(totals.max), "{:?}", plane);
    let running: BTreeMap<String, u32> = plane
        .members
        .iter()
        .filter(|(_, member)| member.running() > 0)
        .map(|(name, member)| (name.clone(), member.running()))
        .collect();
    let binding = plane.binding.clone().unwrap();
    prop_assert_eq!(&binding.clusters, &running, "{:?}", plane);
    prop_assert_eq!(binding.replicas, running.values().sum::<u32>());
    prop_assert_eq!(plane.template().replicas, binding.replicas);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn through_any_crash_it_comes_to_rest_with_the_numbers_true(mut plane in plane(), fate in fate()) {
        rest(&mut plane, &fate)?;
        at_rest(&mut plane)?;
    }

    #[test]
    fn a_workload_is_given_back_at_its_real_counts_through_any_crash(mut plane in plane(), fate in fate()) {
        rest(&mut plane, &Fate { reach: Vec::new(), ..fate.clone() })?;
        plane.deleting = Some(plane.now);
        let before: Vec<u32> = plane.members.values().map(plane::Member::running).collect();
        let mut reach = fate.reach.iter();
        while !plane.released {
            if plane.now % 5 == 0 {
                let decision = plane.decide();
                plane.act(&decision, reach.next().copied().unwrap_or(usize::MAX));
            }
            plane.second();
            prop_assert!(plane.deleting.is_some_and(|since| plane.now - since < 900), "{plane:?}");
        }
        for _ in 0..30 {
            plane.second();
        }
        let after: Vec<u32> = plane.members.values().map(plane::Member::running).collect();
        prop_assert_eq!(before, after);
        prop_assert_eq!(plane.binding.as_ref().unwrap().scheduling, Scheduling::Free);
        prop_assert!(plane.members.values().all(|member| member.hpa.is_none() && !member.retained));
    }

    #[test]
    fn at_rest_deciding_writes_nothing_new(mut plane in plane()) {
        rest(&mut plane, &Fate { reach: Vec::new(), wishes: Vec::new() })?;
        let decision = plane.decide();
        prop_assert_eq!(plane.act(&decision, usize::MAX), Vec::<String>::new());
    }
}

#[test]
fn a_crash_after_each_single_write_changes_nothing_about_the_end() {
    let start = || Plane::running(policy(4, 24), &[("a", 6, 12), ("b", 2, 30), ("c", 0, 9)]);
    let end = |crash: usize| {
        let mut plane = start();
        let mut done = 0;
        while plane.now < 1500 {
            if plane.now % 5 == 0 {
                let decision = plane.decide();
                let left = if done < crash { crash - done } else { usize::MAX };
                done += plane.act(&decision, left).len();
            }
            plane.second();
        }
        let works = plane.members.iter().map(|(name, member)| {
            let bounds = member.hpa.as_ref().map(|hpa| hpa.install.bounds);
            (name.clone(), bounds, member.running())
        });
        (works.collect::<Vec<_>>(), plane.binding.as_ref().unwrap().clusters.clone(), done)
    };
    let (works, entries, writes) = end(usize::MAX);
    assert!(writes > 5, "{writes}");
    for crash in 1..=writes {
        let (crashed_works, crashed_entries, _) = end(crash);
        assert_eq!((crashed_works, crashed_entries), (works.clone(), entries.clone()), "after write {crash}");
    }
}
