//! What cannot be acted on, and what is said of it.

use super::{
    plane::{Plane, policy},
    story::Story,
    *,
};

fn running() -> Plane {
    Plane::running(policy(2, 20), &[("a", 3, 40), ("b", 3, 40)])
}

/// At rest, then something happens; what is told of the next two minutes.
fn after(words: &str, happens: impl FnOnce(&mut Plane)) -> String {
    let mut plane = Story::new(running()).passes(900).plane;
    plane.rewind(900);
    Story::new(plane).then(words, happens).passes(120).text()
}

fn from_the_start(words: &str, happens: impl FnOnce(&mut Plane)) -> String {
    Story::new(running()).then(words, happens).passes(120).text()
}

#[test]
fn suspended_nothing_is_written_though_much_happens() {
    let text = after("suspend: true, the load doubles, others scale", |plane| {
        plane.policy.suspended = true;
        plane.member("a").wish = 9;
        plane.scale(2);
    });
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_duplicated_placement_is_refused() {
    let text = from_the_start("the policy duplicates", |plane| {
        plane.binding.as_mut().unwrap().placement = Placement::Duplicated;
    });
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_workload_of_several_components_is_refused() {
    let text = from_the_start("several components", |plane| {
        plane.binding.as_mut().unwrap().placement = Placement::Components;
    });
    insta::assert_snapshot!(text, @"");
}

#[test]
fn someone_elses_suspension_is_theirs() {
    let text = from_the_start("someone suspends scheduling", |plane| {
        plane.binding.as_mut().unwrap().scheduling = Scheduling::HeldByOthers;
    });
    insta::assert_snapshot!(text, @"");
}

#[test]
fn the_older_of_two_on_the_same_target_acts() {
    let text = from_the_start("there is an older one", |plane| plane.holder = Some("shop/web".into()));
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_target_that_does_not_exist_is_told() {
    let text = from_the_start("no such Deployment", |plane| {
        plane.target = Target::Missing;
        plane.binding = None;
    });
    insta::assert_snapshot!(text, @"");
}

#[test]
fn the_hpas_of_a_target_that_is_gone_are_removed() {
    let text = after("the Deployment is deleted", |plane| {
        plane.target = Target::Missing;
        plane.binding = None;
    });
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_target_that_cannot_be_scaled_is_told() {
    let text = from_the_start("a kind without /scale", |plane| {
        plane.target = Target::Unfit("DaemonSet has no /scale".into());
    });
    insta::assert_snapshot!(text, @"");
}

#[test]
fn without_a_binding_it_waits() {
    let text = from_the_start("no policy selects the target", |plane| plane.binding = None);
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_workload_at_zero_is_left_there() {
    let mut plane = Plane::running(policy(2, 20), &[("a", 0, 40), ("b", 0, 40)]);
    plane.binding.as_mut().unwrap().clusters = BTreeMap::from([("a".to_owned(), 0)]);
    let text = Story::new(plane).passes(60).text();
    insta::assert_snapshot!(text, @"");
}

#[test]
fn deleting_before_anything_was_written_writes_nothing() {
    let text = from_the_start("kubectl delete", |plane| plane.deleting = Some(plane.now));
    insta::assert_snapshot!(text, @"");
}

#[test]
fn deletion_overrides_suspension() {
    let text = after("suspended and deleted", |plane| {
        plane.policy.suspended = true;
        plane.deleting = Some(plane.now);
    });
    insta::assert_snapshot!(text, @"");
}

#[test]
fn deletion_does_not_wait_for_ever_for_a_lost_cluster() {
    let mut plane = Story::new(running()).passes(900).plane;
    plane.rewind(900);
    plane.lose("b");
    plane.deleting = Some(plane.now);
    let text = Story::new(plane).then("b is lost, and the FedHPA deleted", |_| {}).passes(400).text();
    insta::assert_snapshot!(text, @"");
}
