//! The protocol case by case; that it always comes to an end is in [`convergence`].

mod convergence;

use super::*;
use crate::fedhpa::facts::{Placement, Scheduling};

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

fn numbers(of: &[(&str, u32)]) -> BTreeMap<String, u32> {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// Everything a question is about; at rest: members, binding and template at 8, the round at second 0 done.
#[derive(Clone, Debug)]
struct Scene {
    counts: BTreeMap<String, u32>,
    binding: Binding,
    template: Template,
    round: Option<Round>,
    resets: Resets,
    now: DateTime<Utc>,
}

impl Scene {
    fn at_rest() -> Self {
        let counts = numbers(&[("a", 5), ("b", 3)]);
        let binding = Binding {
            version: "900".into(),
            replicas: 8,
            clusters: counts.clone(),
            template_version: "100".into(),
            scheduling: Scheduling::HeldByUs,
            placement: Placement::Divided,
            divided: None,
            min_groups: None,
            max_groups: None,
        };
        let template = Template {
            version: "100".into(),
            replicas: 8,
            retained: true,
            to_zero: false,
            no_requests: None,
        };
        let round = Round {
            template_version: "100".into(),
            replicas: 8,
            started: start(),
            acknowledged: Some(at(1)),
        };
        Self { counts, binding, template, round: Some(round), resets: Resets::default(), now: at(3600) }
    }

    fn answer(&self) -> Answer {
        answer(&Question {
            counts: &self.counts,
            binding: &self.binding,
            template: &self.template,
            round: self.round.as_ref(),
            resets: self.resets,
            interval: Duration::from_secs(15),
            now: self.now,
        })
    }

    fn told(&self) -> String {
        match self.answer() {
            Answer::True => "true".to_owned(),
            Answer::Wait { why, until } => {
                format!("wait for {why:?} until {}", (until - start()).num_seconds())
            }
            Answer::Write { repairs_reset: false } => "write".to_owned(),
            Answer::Write { repairs_reset: true } => "write, repairing a reset".to_owned(),
        }
    }

    fn members(mut self, of: &[(&str, u32)]) -> Self {
        self.counts = numbers(of);
        self
    }

    /// The first write of a round: the binding's numbers.
    fn bound(mut self) -> Self {
        self.binding.clusters = self.counts.clone();
        self.binding.replicas = sum(&self.counts);
        self
    }

    /// Both writes of a round, which is remembered; the detector has not seen the second.
    fn written(mut self) -> Self {
        self = self.bound();
        self.template.replicas = sum(&self.counts);
        self.template.version = "200".into();
        let started = self.now;
        let replicas = self.template.replicas;
        self.round = Some(Round { template_version: "200".into(), replicas, started, acknowledged: None });
        self
    }

    fn detected(mut self) -> Self {
        self.binding.replicas = self.template.replicas;
        self.binding.template_version = self.template.version.clone();
        self
    }

    fn reset_to(mut self, replicas: u32) -> Self {
        self.template.replicas = replicas;
        self.template.version = "300".into();
        self.detected()
    }

    fn time(mut self, seconds: i64) -> Self {
        self.now = at(seconds);
        self
    }

    fn resets(mut self, count: u32, since: i64) -> Self {
        self.resets = Resets { count, since: Some(at(since)) };
        self
    }
}

const GROWN: &[(&str, u32)] = &[("a", 5), ("b", 7)];

#[test]
fn numbers_that_agree_are_left_alone() {
    assert_eq!(Scene::at_rest().told(), "true");
}

#[test]
fn the_first_change_is_written_at_once() {
    assert_eq!(Scene::at_rest().members(GROWN).told(), "write");
}

#[test]
fn the_first_round_of_all_is_written_at_once() {
    assert_eq!(Scene { round: None, ..Scene::at_rest().members(GROWN) }.told(), "write");
}

#[test]
fn changes_within_the_interval_are_gathered() {
    let busy = Scene::at_rest().time(100).members(GROWN).written().detected().members(&[("a", 6), ("b", 7)]);
    assert_eq!(busy.clone().time(101).told(), "wait for Interval until 115");
    assert_eq!(busy.time(115).told(), "write");
}

#[test]
fn a_round_waits_until_the_detector_has_brought_the_last_one() {
    let written = Scene::at_rest().time(100).members(GROWN).written();
    assert_eq!(written.told(), "true", "the numbers agree");
    let newer = written.members(&[("a", 5), ("b", 8)]).time(103);
    assert_eq!(newer.told(), "wait for Detector until 105");
    assert_eq!(newer.detected().time(115).told(), "write");
}

#[test]
fn an_old_template_value_that_hits_the_binding_does_not_start_a_round_of_its_own() {
    let mut written = Scene::at_rest().time(100).members(GROWN).written().time(101);
    written.binding.replicas = 8;
    assert_eq!(written.told(), "wait for Detector until 105");
    assert_eq!(written.detected().told(), "true");
}

#[test]
fn a_move_between_clusters_leaves_the_sum_and_still_ends() {
    // The scale write changes nothing, so it returns a version that the detector never brings to the binding.
    let moved = Scene::at_rest().time(100).members(&[("a", 4), ("b", 4)]).written();
    let again = moved.members(&[("a", 3), ("b", 5)]);
    assert_eq!(again.clone().time(104).told(), "wait for Detector until 105");
    assert_eq!(again.clone().time(105).told(), "wait for Interval until 115");
    assert_eq!(again.time(115).told(), "write");
}

#[test]
fn a_lost_version_is_made_up_for_by_five_seconds_of_agreement() {
    let mut lost = Scene::at_rest().time(100).members(GROWN).written();
    lost.round.as_mut().unwrap().template_version = String::new();
    let newer = lost.members(&[("a", 5), ("b", 8)]);
    assert_eq!(newer.clone().time(104).told(), "wait for Detector until 105");
    assert_eq!(newer.time(106).told(), "wait for Interval until 115");
}

#[test]
fn a_round_cut_off_after_the_binding_is_finished_at_once() {
    let cut = Scene::at_rest().members(GROWN).bound();
    assert_eq!(cut.clone().time(2).told(), "write");
    assert_eq!(Scene { round: None, ..cut }.told(), "write");
}

#[test]
fn a_cut_off_round_is_no_reset() {
    let cut = Scene::at_rest().time(20).members(GROWN).bound();
    let undone = Scene { binding: Binding { replicas: 8, ..cut.binding.clone() }, ..cut.clone() };
    assert_eq!(undone.told(), "write");
    let forgotten = Scene { round: Scene::at_rest().round, ..cut.written() };
    assert_eq!(forgotten.members(&[("a", 6), ("b", 7)]).told(), "write", "both writes done, the status lost");
}

#[test]
fn a_number_that_others_set_is_put_back() {
    assert_eq!(Scene::at_rest().reset_to(3).told(), "write, repairing a reset");
}

#[test]
fn a_reset_is_put_back_though_the_last_round_is_not_done() {
    let mut open = Scene::at_rest().time(100).members(GROWN).written().time(103);
    open.template.replicas = 3;
    assert_eq!(open.told(), "write, repairing a reset");
}

#[test]
fn resets_are_put_back_later_each_time() {
    let again = |count| Scene::at_rest().time(100).written().reset_to(3).resets(count, 50).time(100);
    assert_eq!(again(0).told(), "wait for Backoff until 101");
    assert_eq!(again(1).told(), "wait for Backoff until 102");
    assert_eq!(again(2).told(), "wait for Backoff until 104");
}

#[test]
fn three_resets_within_ten_minutes_are_contested_and_repaired_rarely() {
    let third = Scene::at_rest().time(100).written().reset_to(3).resets(3, 50);
    assert!(contested(third.resets, at(100)));
    assert_eq!(third.time(110).told(), "wait for Backoff until 400");
}

#[test]
fn a_contest_ends_with_its_window() {
    let resets = Resets { count: 3, since: Some(at(0)) };
    assert!(contested(resets, at(599)));
    assert!(!contested(resets, at(600)));
    assert_eq!(one_more(resets, at(599)), Resets { count: 4, since: Some(at(0)) });
    assert_eq!(one_more(resets, at(600)), Resets { count: 1, since: Some(at(600)) });
}

#[test]
fn two_resets_are_not_contested() {
    let two = one_more(one_more(Resets::default(), at(0)), at(9));
    assert_eq!(two, Resets { count: 2, since: Some(at(0)) });
    assert!(!contested(two, at(10)));
    assert!(contested(one_more(two, at(11)), at(12)));
}

#[test]
fn clusters_that_others_divided_are_put_back() {
    let mut divided = Scene::at_rest();
    divided.binding.clusters = numbers(&[("a", 4), ("b", 4)]);
    assert_eq!(divided.told(), "write");
    divided.binding.clusters = numbers(&[("a", 8)]);
    assert_eq!(divided.told(), "write");
}

#[test]
fn asked_again_the_answer_is_the_same() {
    let scene = Scene::at_rest().members(GROWN);
    assert_eq!(scene.answer(), scene.answer());
}
