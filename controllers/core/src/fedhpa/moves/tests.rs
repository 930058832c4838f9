//! Single steps that a reader can follow; whole ways are in [`simulation`].

mod model;
mod simulation;

use super::*;

/// A second of the test's time.
fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

const NOW: i64 = 1000;

fn bounds(min: u32, max: u32) -> Bounds {
    Bounds { min, max }
}

/// An HPA that was installed long ago, tells its spec and runs `load`, all ready.
fn hpa(bounds: Bounds, load: u32) -> Standing {
    let confirmed = Some(bounds);
    let within = load <= bounds.max;
    let installed = Installed { bounds, before: bounds, since: at(0), confirmed, within };
    Standing { presence: Presence::Hpa(installed), entry: load, load, homeward: false, ready: load }
}

/// The same, edited so many seconds ago; the member has not confirmed it.
fn edited(bounds: Bounds, before: Bounds, ago: i64, load: u32) -> Standing {
    let installed = Installed {
        bounds,
        before,
        since: at(NOW - ago),
        confirmed: Some(before),
        within: load <= bounds.max,
    };
    Standing { presence: Presence::Hpa(installed), entry: load, load, homeward: false, ready: load }
}

fn confirmed(mut standing: Standing) -> Standing {
    if let Presence::Hpa(installed) = &mut standing.presence {
        installed.confirmed = Some(installed.bounds);
    }
    standing
}

fn entry(replicas: u32) -> Standing {
    let presence = Presence::Entry { prepared: true };
    Standing { presence, entry: replicas, load: replicas, homeward: false, ready: replicas }
}

fn unprepared(replicas: u32) -> Standing {
    Standing { presence: Presence::Entry { prepared: false }, ..entry(replicas) }
}

fn absent() -> Standing {
    Standing { presence: Presence::Absent, entry: 0, load: 0, homeward: false, ready: 0 }
}

fn leaving(bounds: Bounds, load: u32) -> Standing {
    let installed = Installed { bounds, before: bounds, since: at(0), confirmed: None, within: true };
    Standing { presence: Presence::Leaving(installed), entry: load, load, homeward: false, ready: load }
}

/// Clusters `a`, `b`, ... with where they stand and where they should be; `(0, 0)` is to have nothing.
fn told<const N: usize>(totals: (u32, u32), fleet: [(Standing, (u32, u32)); N]) -> String {
    told_within(Groups::ANY, totals, fleet)
}

fn told_within<const N: usize>(
    groups: Groups,
    totals: (u32, u32),
    fleet: [(Standing, (u32, u32)); N],
) -> String {
    let names = ('a'..='z').map(String::from);
    let fleet: Vec<_> = names.zip(fleet).collect();
    let target = fleet.iter().filter(|(_, (_, share))| share.1 > 0);
    let target = target.map(|(name, (_, share))| (name.clone(), bounds(share.0, share.1))).collect();
    let standings = fleet.into_iter().map(|(name, (standing, _))| (name, standing)).collect();
    words(&next_step(bounds(totals.0, totals.1), groups, &target, &standings, at(NOW)))
}

fn words(step: &Step) -> String {
    let mut said = Vec::new();
    for (name, install) in &step.install {
        said.push(format!("{name} {}..{}", install.bounds.min, install.bounds.max));
    }
    said.extend(step.remove.iter().map(|name| format!("remove {name}")));
    said.extend(step.wake.iter().map(|(name, replicas)| format!("wake {name} with {replicas}")));
    said.extend(step.vacate.iter().map(|name| format!("vacate {name}")));
    if step.surge > 0 {
        said.push(format!("surge {}", step.surge));
    }
    said.extend(step.check_at.map(|time| format!("look again in {} s", (time - at(NOW)).num_seconds())));
    if said.is_empty() {
        said.push("rest".to_owned());
    }
    said.extend(step.stranded.iter().map(|name| format!("stranded {name}")));
    said.join(", ")
}

#[test]
fn at_the_target_nothing_moves() {
    assert_eq!(told((2, 20), [(hpa(bounds(1, 10), 3), (1, 10)), (hpa(bounds(1, 10), 3), (1, 10))]), "rest");
}

#[test]
fn a_donor_goes_first_and_the_receiver_waits() {
    let fleet = [(hpa(bounds(1, 10), 3), (1, 5)), (hpa(bounds(1, 10), 9), (1, 15))];
    assert_eq!(told((2, 20), fleet), "a 1..5");
}

#[test]
fn a_min_whose_pods_are_not_ready_is_not_given_up_before_others_have_taken_it_over() {
    let in_rollout = Standing { ready: 2, ..hpa(bounds(4, 4), 4) };
    let fleet = [(in_rollout.clone(), (1, 10)), (hpa(bounds(8, 8), 8), (11, 20))];
    assert_eq!(told((12, 30), fleet), "a 4..10, b 11..20");
    let taken_over = [(in_rollout, (1, 10)), (hpa(bounds(11, 20), 11), (11, 20))];
    assert_eq!(told((12, 30), taken_over), "a 1..10");
}

#[test]
fn no_max_is_lent_for_a_leaver_whose_min_others_can_take_over_within_theirs() {
    let fleet = |receiver: Standing| {
        [(hpa(bounds(1, 4), 1), (0, 0)), (receiver, (3, 8)), (hpa(bounds(3, 7), 3), (3, 8))]
    };
    assert_eq!(told((6, 16), fleet(hpa(bounds(2, 5), 2))), "a 1..1, b 3..5");
    // Nor while it is on its way there.
    let raised = edited(bounds(3, 5), bounds(2, 5), 5, 2);
    assert_eq!(told((6, 16), fleet(raised)), "a 1..1, look again in 15 s");
}

#[test]
fn a_donor_is_never_lowered_below_what_it_runs() {
    let fleet = [(hpa(bounds(1, 10), 8), (1, 5)), (hpa(bounds(1, 10), 3), (1, 15))];
    assert_eq!(told((2, 20), fleet), "a 1..8");
}

#[test]
fn what_earlier_tiers_can_hold_goes_home_as_fast_as_they_can_take_it() {
    let sent = |load| Standing { homeward: true, ..hpa(bounds(1, 10), load) };
    let way = |load, home| told((2, 20), [(sent(load), (1, 2)), (home, (1, 18))]);
    assert_eq!(way(8, hpa(bounds(1, 10), 3)), "a 1..2", "there is headroom for all of it");
    assert_eq!(way(8, hpa(bounds(1, 10), 6)), "a 1..4", "for four of them");
    assert_eq!(way(8, hpa(bounds(1, 10), 10)), "a 1..6", "for none yet: a quarter at a time");
    let full = [(sent(8), (1, 2)), (hpa(bounds(1, 18), 18), (1, 18))];
    assert_eq!(told((2, 40), full), "a 1..8", "where it fits nowhere it stays");
}

#[test]
fn a_lowered_max_is_free_only_when_the_member_has_confirmed_it_and_synced() {
    let way = |ago, seen: fn(Standing) -> Standing| {
        let donor = edited(bounds(1, 5), bounds(1, 10), ago, 3);
        told((2, 20), [(seen(donor), (1, 5)), (hpa(bounds(1, 10), 9), (1, 15))])
    };
    assert_eq!(way(5, confirmed), "look again in 15 s");
    assert_eq!(way(500, |donor| donor), "rest", "not confirmed: wait for the report, not for a time");
    assert_eq!(way(20, confirmed), "b 1..15");
}

#[test]
fn a_member_that_tells_nothing_is_trusted_after_two_syncs() {
    let way = |ago| {
        let mut donor = edited(bounds(1, 5), bounds(1, 10), ago, 3);
        if let Presence::Hpa(installed) = &mut donor.presence {
            installed.confirmed = None;
        }
        told((2, 20), [(donor, (1, 5)), (hpa(bounds(1, 10), 9), (1, 15))])
    };
    assert_eq!(way(44), "look again in 1 s");
    assert_eq!(way(45), "b 1..15");
}

#[test]
fn a_donor_that_still_runs_more_than_its_max_is_not_free() {
    let donor = confirmed(edited(bounds(1, 5), bounds(1, 10), 500, 7));
    assert_eq!(told((2, 20), [(donor, (1, 5)), (hpa(bounds(1, 10), 9), (1, 15))]), "rest");
}

#[test]
fn a_pinned_total_moves_by_a_surge_and_ends_it() {
    let pinned = |replicas| hpa(bounds(replicas, replicas), replicas);
    let first = [(pinned(5), (3, 3)), (pinned(5), (7, 7))];
    assert_eq!(told((10, 10), first), "b 7..7, surge 2");
    let starting = Standing { ready: 5, ..edited(bounds(7, 7), bounds(5, 5), 5, 7) };
    assert_eq!(
        told((10, 10), [(pinned(5), (3, 3)), (starting.clone(), (7, 7))]),
        "surge 2, look again in 15 s"
    );
    let ready = Standing { ready: 7, ..confirmed(starting) };
    assert_eq!(
        told((10, 10), [(pinned(5), (3, 3)), (ready, (7, 7))]),
        "surge 2, look again in 15 s",
        "it may still go below"
    );
    let sure = confirmed(edited(bounds(7, 7), bounds(5, 5), 30, 7));
    assert_eq!(told((10, 10), [(pinned(5), (3, 3)), (sure.clone(), (7, 7))]), "a 3..3, surge 2");
    let done = confirmed(edited(bounds(3, 3), bounds(5, 5), 30, 3));
    assert_eq!(told((10, 10), [(done, (3, 3)), (sure, (7, 7))]), "rest");
}

#[test]
fn a_surge_ends_step_by_step_as_each_receiver_is_ready() {
    let ready = confirmed(edited(bounds(4, 4), bounds(3, 3), 60, 4));
    let starting = Standing { ready: 4, ..confirmed(edited(bounds(5, 5), bounds(4, 4), 60, 5)) };
    let fleet = [(hpa(bounds(5, 5), 5), (3, 3)), (ready, (4, 4)), (starting, (5, 5))];
    assert_eq!(told((12, 12), fleet), "a 4..4, surge 2", "not lower: c is not ready");
}

#[test]
fn a_total_that_fell_cuts_at_once() {
    let fleet = [(hpa(bounds(1, 20), 18), (1, 10)), (hpa(bounds(1, 10), 3), (1, 5))];
    assert_eq!(told((2, 15), fleet), "a 1..10, b 1..5, surge 15");
}

#[test]
fn a_total_that_fell_to_what_runs_cuts_nothing_that_runs() {
    let fleet = [(hpa(bounds(1, 20), 9), (1, 8)), (hpa(bounds(1, 10), 3), (1, 7))];
    assert_eq!(told((2, 16), fleet), "a 1..9, b 1..7, surge 14");
}

#[test]
fn a_min_is_lowered_only_as_far_as_the_others_keep_the_total() {
    let fleet = [(hpa(bounds(5, 10), 6), (5, 10)), (hpa(bounds(5, 10), 6), (3, 10))];
    assert_eq!(told((8, 20), fleet), "b 3..10");
    let fleet = [(hpa(bounds(4, 10), 6), (5, 10)), (hpa(bounds(5, 10), 6), (3, 10))];
    assert_eq!(told((8, 20), fleet), "a 5..10, b 4..10", "the last of it when a has taken it over");
}

#[test]
fn a_dormant_cluster_is_woken_with_its_min_when_there_is_max_to_give() {
    assert_eq!(told((3, 10), [(hpa(bounds(1, 6), 3), (1, 6)), (absent(), (2, 4))]), "wake b with 2");
    assert_eq!(told((3, 10), [(hpa(bounds(1, 9), 3), (1, 6)), (absent(), (2, 4))]), "a 1..6, wake b with 1");
    assert_eq!(told((3, 10), [(hpa(bounds(1, 10), 3), (1, 6)), (absent(), (2, 4))]), "a 1..6");
}

#[test]
fn a_woken_cluster_gets_its_hpa_when_the_workload_is_seen_there() {
    let first = (hpa(bounds(1, 6), 3), (1, 6));
    assert_eq!(told((3, 10), [first.clone(), (unprepared(2), (2, 4))]), "rest");
    assert_eq!(told((3, 10), [first, (entry(2), (2, 4))]), "b 2..4");
}

#[test]
fn a_cluster_goes_to_sleep_by_way_of_one_replica_and_its_hpa_goes_before_its_entry() {
    let first = (hpa(bounds(1, 6), 3), (1, 10));
    assert_eq!(told((1, 10), [first.clone(), (hpa(bounds(1, 4), 2), (0, 0))]), "b 1..1");
    assert_eq!(told((1, 10), [first.clone(), (hpa(bounds(1, 1), 1), (0, 0))]), "a 1..9, remove b");
    assert_eq!(told((1, 10), [first.clone(), (leaving(bounds(1, 1), 1), (0, 0))]), "a 1..9");
    assert_eq!(told((1, 10), [first.clone(), (entry(1), (0, 0))]), "a 1..9, vacate b");
    assert_eq!(told((1, 10), [first, (absent(), (0, 0))]), "a 1..10");
}

#[test]
fn a_cluster_stays_while_its_load_fits_nowhere() {
    let full = (hpa(bounds(1, 6), 6), (1, 6));
    assert_eq!(told((1, 10), [full.clone(), (hpa(bounds(1, 4), 3), (0, 0))]), "b 1..3, stranded b");
    assert_eq!(told((1, 10), [full.clone(), (hpa(bounds(1, 1), 1), (0, 0))]), "rest, stranded b");
}

#[test]
fn a_cluster_without_an_hpa_that_cannot_leave_at_once_shrinks_by_one() {
    let full = (hpa(bounds(1, 6), 6), (1, 6));
    assert_eq!(told((1, 10), [full.clone(), (entry(3), (0, 0))]), "b 1..3, stranded b");
    assert_eq!(told((1, 10), [full, (unprepared(3), (0, 0))]), "rest, stranded b");
    let needed = (hpa(bounds(2, 4), 3), (4, 8));
    assert_eq!(
        told((4, 8), [needed, (entry(5), (0, 0))]),
        "a 4..4, b 2..3, surge 1",
        "its min as far as a's replaces it"
    );
}

#[test]
fn an_hpa_goes_when_the_binding_says_the_one_replica_that_is_left() {
    let first = (hpa(bounds(1, 6), 3), (1, 10));
    let unwritten = Standing { entry: 3, ..hpa(bounds(1, 1), 1) };
    assert_eq!(told((1, 10), [first.clone(), (unwritten, (0, 0))]), "a 1..9");
}

#[test]
fn a_cap_goes_before_a_total_min_that_fits_nowhere() {
    let fleet = [(hpa(bounds(7, 7), 5), (5, 5)), (hpa(bounds(3, 3), 3), (3, 3))];
    assert_eq!(told((13, 16), fleet), "a 5..5");
}

#[test]
fn a_surge_lets_mins_be_taken_over_and_gives_no_headroom() {
    let fleet = [(hpa(bounds(2, 6), 2), (11, 22)), (hpa(bounds(5, 6), 5), (0, 0))];
    let step = told((7, 24), fleet);
    assert_eq!(step, "a 11..18, b 5..5", "without exceeding the max");
}

#[test]
fn a_last_replica_that_no_node_takes_holds_nobody_up() {
    let pending = Standing { ready: 0, load: 0, ..edited(bounds(1, 1), bounds(0, 1), 60, 1) };
    let fleet = [(hpa(bounds(13, 28), 14), (13, 28)), (confirmed(pending), (0, 0))];
    assert_eq!(told((13, 35), fleet), "remove b");
    let left = Standing { ready: 0, load: 0, ..entry(1) };
    assert_eq!(told((13, 35), [(hpa(bounds(13, 28), 14), (13, 28)), (left.clone(), (0, 0))]), "vacate b");
    let short = Standing { ready: 12, ..hpa(bounds(13, 28), 13) };
    assert_ne!(told((14, 35), [(short, (14, 28)), (left, (0, 0))]), "vacate b", "others do not hold the min");
}

#[test]
fn two_clusters_that_leave_do_not_count_on_the_same_room() {
    let fleet =
        [(hpa(bounds(1, 9), 5), (0, 0)), (hpa(bounds(1, 9), 5), (0, 0)), (hpa(bounds(1, 12), 4), (3, 10))];
    assert_eq!(told((3, 30), fleet), "a 1..1, b 1..4, c 3..10");
}

#[test]
fn the_last_replica_stays_while_the_min_needs_it_and_a_surge_lets_another_start() {
    let fleet = [(hpa(bounds(3, 3), 3), (4, 4)), (hpa(bounds(1, 1), 1), (0, 0))];
    assert_eq!(told((4, 4), fleet), "a 4..4, surge 1");
    let replaced = confirmed(edited(bounds(4, 4), bounds(3, 3), 60, 4));
    assert_eq!(told((4, 4), [(replaced, (4, 4)), (hpa(bounds(1, 1), 1), (0, 0))]), "remove b, surge 1");
}

#[test]
fn replicas_that_are_not_ready_yet_keep_no_min() {
    let woken = Standing { ready: 0, ..entry(2) };
    let fleet = [(hpa(bounds(4, 6), 4), (2, 6)), (woken, (2, 4))];
    assert_eq!(told((4, 10), fleet), "b 2..4", "a keeps its min");
}

#[test]
fn nobody_is_woken_beyond_the_policys_most_clusters() {
    let two = Groups { fewest: 1, most: 2 };
    let way = |second| {
        told_within(two, (2, 10), [(hpa(bounds(1, 5), 1), (1, 5)), (second, (0, 0)), (absent(), (1, 5))])
    };
    assert_eq!(way(hpa(bounds(1, 2), 1)), "b 1..1");
    assert_eq!(way(absent()), "wake c with 1");
}

#[test]
fn nobody_sleeps_below_the_policys_fewest_clusters() {
    let groups = |fewest, most| Groups { fewest, most };
    let way = |groups| {
        let sleeper = hpa(bounds(1, 1), 1);
        told_within(groups, (1, 10), [(hpa(bounds(1, 5), 1), (1, 5)), (sleeper, (0, 0)), (absent(), (1, 5))])
    };
    assert_eq!(way(groups(2, 9)), "wake c with 1", "c first, then b may go");
    assert_eq!(way(groups(2, 2)), "remove b", "an exchange has to begin somewhere");
}

#[test]
fn a_returned_cluster_is_a_donor_like_any_other() {
    // It was frozen at 10 while the survivor grew to the whole total.
    let fleet = [(hpa(bounds(4, 20), 12), (2, 14)), (hpa(bounds(2, 10), 6), (2, 6))];
    assert_eq!(told((4, 20), fleet), "a 2..14, b 2..6, surge 10");
}

#[test]
fn the_same_question_has_the_same_answer() {
    let fleet = || [(hpa(bounds(1, 10), 3), (1, 5)), (hpa(bounds(1, 10), 9), (1, 15))];
    assert_eq!(told((2, 20), fleet()), told((2, 20), fleet()));
}
