//! What cannot be acted on, and what is said of it.

use super::{
    plane::{Plane, policy},
    story::Story,
    *,
};
use crate::fedhpa::facts::{Blocked, Resets};

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
    insta::assert_snapshot!(text, @r#"
    -- suspend: true, the load doubles, others scale
       0 s  -
            Suspended=True Suspended: suspended: nothing is written; members keep the bounds they have
    == at the end
       a runs 9, HPA 1..10, entry 3
       b runs 3, HPA 1..10, entry 3
       template 2, binding 2
    "#);
}

#[test]
fn a_duplicated_placement_is_refused() {
    let text = from_the_start("the policy duplicates", |plane| {
        plane.binding.as_mut().unwrap().placement = Placement::Duplicated;
    });
    insta::assert_snapshot!(text, @r#"
    -- the policy duplicates
       0 s  -
            Invalid=True DuplicatedPlacement: the policy duplicates replicas; a total can only be divided: set replicaSchedulingType: Divided
    == at the end
       a runs 3, no HPA, entry 3
       b runs 3, no HPA, entry 3
       template 6, binding 6
    "#);
}

#[test]
fn a_workload_of_several_components_is_refused() {
    let text = from_the_start("several components", |plane| {
        plane.binding.as_mut().unwrap().placement = Placement::Components;
    });
    insta::assert_snapshot!(text, @r#"
    -- several components
       0 s  -
            Invalid=True SeveralComponents: the workload has several components with counts of their own; there is no one total
    == at the end
       a runs 3, no HPA, entry 3
       b runs 3, no HPA, entry 3
       template 6, binding 6
    "#);
}

#[test]
fn someone_elses_suspension_is_theirs() {
    let text = from_the_start("someone suspends scheduling", |plane| {
        plane.binding.as_mut().unwrap().scheduling = Scheduling::HeldByOthers;
    });
    insta::assert_snapshot!(text, @r#"
    -- someone suspends scheduling
       0 s  -
            Invalid=True ForeignSuspension: someone else has suspended scheduling of the ResourceBinding; resume it first
    == at the end
       a runs 3, no HPA, entry 3
       b runs 3, no HPA, entry 3
       template 6, binding 6
    "#);
}

#[test]
fn the_older_of_two_on_the_same_target_acts() {
    let text = from_the_start("there is an older one", |plane| plane.holder = Some("shop/web".into()));
    insta::assert_snapshot!(text, @r#"
    -- there is an older one
       0 s  -
            Contested=True TargetHeld: FedHPA shop/web is older and has the same target; this one does nothing
    == at the end
       a runs 3, no HPA, entry 3
       b runs 3, no HPA, entry 3
       template 6, binding 6
    "#);
}

#[test]
fn a_target_that_does_not_exist_is_told() {
    let text = from_the_start("no such Deployment", |plane| {
        plane.target = Target::Missing;
        plane.binding = None;
    });
    insta::assert_snapshot!(text, @r#"
    -- no such Deployment
       0 s  -
            Invalid=True TargetNotFound: the scale target does not exist
    == at the end
       a runs 0, no HPA, not in the binding
       b runs 0, no HPA, not in the binding
    "#);
}

#[test]
fn the_hpas_of_a_target_that_is_gone_are_removed() {
    let text = after("the Deployment is deleted", |plane| {
        plane.target = Target::Missing;
        plane.binding = None;
    });
    insta::assert_snapshot!(text, @r#"
    -- the Deployment is deleted
       0 s  no HPA of a; no HPA of b
            Invalid=True TargetNotFound: the scale target does not exist
    == at the end
       a runs 0, no HPA, not in the binding
       b runs 0, no HPA, not in the binding
    "#);
}

#[test]
fn a_target_that_cannot_be_scaled_is_told() {
    let text = from_the_start("a kind without /scale", |plane| {
        plane.target = Target::Unfit("DaemonSet has no /scale".into());
    });
    insta::assert_snapshot!(text, @r#"
    -- a kind without /scale
       0 s  -
            Invalid=True TargetUnfit: DaemonSet has no /scale
    == at the end
       a runs 3, no HPA, entry 3
       b runs 3, no HPA, entry 3
    "#);
}

#[test]
fn without_a_binding_it_waits() {
    let text = from_the_start("no policy selects the target", |plane| plane.binding = None);
    insta::assert_snapshot!(text, @r#"
    -- no policy selects the target
       0 s  -
            Ready=False Waiting: no ResourceBinding yet: does a PropagationPolicy select the target?
    == at the end
       a runs 0, no HPA, not in the binding
       b runs 0, no HPA, not in the binding
    "#);
}

#[test]
fn a_workload_at_zero_is_left_there() {
    let mut plane = Plane::running(policy(2, 20), &[("a", 0, 40), ("b", 0, 40)]);
    plane.binding.as_mut().unwrap().clusters = BTreeMap::from([("a".to_owned(), 0)]);
    let text = Story::new(plane).passes(60).text();
    insta::assert_snapshot!(text, @r#"
       0 s  -
            Ready=False Waiting: no cluster has replicas of the target yet: not scheduled, or scaled to zero
    == at the end
       a runs 0, no HPA, entry 0
       b runs 0, no HPA, not in the binding
       template 0, binding 0
    "#);
}

#[test]
fn deleting_before_anything_was_written_writes_nothing() {
    let text = from_the_start("kubectl delete", |plane| plane.deleting = Some(plane.now));
    insta::assert_snapshot!(text, @r#"
    -- kubectl delete
    == at the end
       a runs 3, no HPA, entry 3
       b runs 3, no HPA, entry 3
       template 6, binding 6
    "#);
}

#[test]
fn deletion_overrides_suspension() {
    let text = after("suspended and deleted", |plane| {
        plane.policy.suspended = true;
        plane.deleting = Some(plane.now);
    });
    insta::assert_snapshot!(text, @r#"
    -- suspended and deleted
       0 s  no HPA of a; no HPA of b
            Ready=False Releasing: the members' HPAs are being deleted
       5 s  unretain; resume scheduling; finalizer off
            Ready=False Released: the workload is Karmada's again, at its real counts
    == at the end
       a runs 3, no HPA, entry 3
       b runs 3, no HPA, entry 3
       template 6, binding 6
    "#);
}

#[test]
fn deletion_does_not_wait_for_those_who_reset_the_replicas() {
    let mut plane = Story::new(running()).passes(900).plane;
    plane.rewind(900);
    plane.memory.resets = Resets { count: 3, since: Some(plane.facts().now) };
    plane.scale(1);
    plane.deleting = Some(plane.now);
    let text = Story::new(plane).then("contested, and the FedHPA deleted", |_| {}).passes(60).text();
    insta::assert_snapshot!(text, @r#"
    -- contested, and the FedHPA deleted
       0 s  scale 6; no HPA of a; no HPA of b
            Ready=False Releasing: the members' HPAs are being deleted
       5 s  unretain; resume scheduling; finalizer off
            Ready=False Released: the workload is Karmada's again, at its real counts
    == at the end
       a runs 3, no HPA, entry 3
       b runs 3, no HPA, entry 3
       template 6, binding 6
    "#);
}

#[test]
fn deletion_does_not_wait_for_ever_for_a_lost_cluster() {
    let mut plane = Story::new(running()).passes(900).plane;
    plane.rewind(900);
    plane.lose("b");
    plane.deleting = Some(plane.now);
    let text = Story::new(plane).then("b is lost, and the FedHPA deleted", |_| {}).passes(400).text();
    insta::assert_snapshot!(text, @r#"
    -- b is lost, and the FedHPA deleted
       0 s  no HPA of a; no HPA of b
            Ready=False Releasing: the members' HPAs are being deleted
       5 s  -
            Ready=False Releasing: waiting until the members' HPAs are gone
     300 s  unretain; resume scheduling; finalizer off
            Ready=False Released: the workload is Karmada's again, at its real counts; unreachable, and with an HPA of ours until they return: b
    == at the end
       a runs 3, no HPA, entry 3
       b runs 3, HPA 1..10, entry 3
       template 6, binding 6
    "#);
}

#[test]
fn a_target_that_the_spec_no_longer_names_is_given_back_and_the_fedhpa_stays() {
    let text = after("scaleTargetRef names another one", |plane| plane.superseded_by = Some("other".into()));
    insta::assert_snapshot!(text, @r#"
    -- scaleTargetRef names another one
       0 s  no HPA of a; no HPA of b
            Ready=False Releasing: the members' HPAs are being deleted
       5 s  unretain; resume scheduling
            Ready=False Released: the workload is Karmada's again, at its real counts
    == at the end
       a runs 3, no HPA, entry 3
       b runs 3, no HPA, entry 3
       template 6, binding 6
    "#);
}

#[test]
fn a_renamed_target_is_not_waited_for_for_ever_in_a_lost_cluster() {
    let mut plane = Story::new(running()).passes(900).plane;
    plane.lose("b");
    plane.superseded_by = Some("other".into());
    let plane = Story::new(plane).passes(290).plane;
    assert!(!plane.let_go);
    assert!(Story::new(plane).passes(30).plane.let_go);
}

#[test]
fn a_renamed_target_that_was_never_begun_with_is_let_go_at_once() {
    let mut plane = running();
    plane.superseded_by = Some("other".into());
    let decision = plane.decide();
    assert!(decision.let_go);
    assert_eq!(decision.writes, []);
}

#[test]
fn without_retention_in_force_nothing_is_written() {
    let text = from_the_start("deploy/karmada is not applied", |plane| {
        plane.retention = Customization::Missing("kubectl apply -k deploy/karmada".into());
    });
    insta::assert_snapshot!(text, @r#"
    -- deploy/karmada is not applied
       0 s  -
            Invalid=True RetentionMissing: kubectl apply -k deploy/karmada
    == at the end
       a runs 3, no HPA, entry 3
       b runs 3, no HPA, entry 3
       template 6, binding 6
    "#);
}

#[test]
fn a_customization_of_someone_else_is_named() {
    let mut plane = running();
    plane.retention = Customization::Foreign("theirs has the say: add these lines".into());
    let decision = plane.decide();
    let invalid = decision.findings.iter().find(|finding| finding.kind == Condition::Invalid).unwrap();
    assert_eq!(invalid.reason, "ForeignCustomization");
    assert_eq!(invalid.message, "theirs has the say: add these lines");
    assert_eq!(decision.writes, []);
}

#[test]
fn without_reflection_it_works_and_says_so() {
    let mut plane = running();
    plane.reflection = Customization::Missing("kubectl apply -k deploy/karmada".into());
    let plane = Story::new(plane).passes(120).plane;
    let decision = plane.decide();
    let ready = decision.findings.iter().find(|finding| finding.kind == Condition::Ready).unwrap();
    assert_eq!((ready.status, ready.reason), (crate::conditions::Truth::True, "WithoutReflection"));
    assert!(ready.message.contains("deploy/karmada"), "{}", ready.message);
}

#[test]
fn a_policy_that_begins_to_duplicate_leaves_members_going_and_says_what_to_do() {
    let mut plane = Story::new(running()).passes(900).plane;
    plane.binding.as_mut().unwrap().placement = Placement::Duplicated;
    let decision = plane.decide();
    assert_eq!(decision.writes, []);
    let invalid = decision.findings.iter().find(|finding| finding.kind == Condition::Invalid).unwrap();
    assert!(invalid.message.contains("members go on"), "{}", invalid.message);
    assert_eq!(decision.clusters.len(), 2);
}

#[test]
fn a_binding_that_goes_leaves_the_hpas_as_they_are() {
    let mut plane = Story::new(running()).passes(900).plane;
    plane.binding = None;
    let decision = plane.decide();
    assert_eq!(decision.writes, []);
    let ready = decision.findings.iter().find(|finding| finding.kind == Condition::Ready).unwrap();
    assert!(ready.message.contains("the ResourceBinding is gone"), "{}", ready.message);
}

#[test]
fn with_every_cluster_lost_nothing_is_written_and_nothing_forgotten() {
    let mut plane = Story::new(running()).passes(900).plane;
    plane.lose("a");
    plane.lose("b");
    let decision = plane.decide();
    assert_eq!(decision.writes, []);
    assert_eq!(decision.possible_overshoot, 20);
    let unplaced =
        decision.findings.iter().find(|finding| finding.kind == Condition::CapacityLimited).unwrap();
    assert_eq!(unplaced.status, crate::conditions::Truth::True);
}

#[test]
fn an_hpa_that_a_member_has_of_its_own_is_named_with_what_to_set() {
    let plane = Story::new(running()).passes(900).plane;
    let mut facts = plane.facts();
    facts.clusters.get_mut("b").unwrap().hpa.as_mut().unwrap().blocked = Some(Blocked::Exists);
    let distributed = |policy: &Policy| {
        let decision = decide(policy, &facts);
        let found = decision.findings.iter().find(|finding| finding.kind == Condition::Distributed).unwrap();
        (found.reason, found.message.clone())
    };
    let (reason, message) = distributed(&plane.policy);
    assert_eq!(reason, "HpaExists");
    assert!(message.contains("in b: delete") && message.contains("adopt: Existing"), "{message}");
    let adopting = Policy { adoption: crate::fedhpa::policy::Adoption::Existing, ..plane.policy.clone() };
    assert_eq!(distributed(&adopting).0, "Adopting");
}

#[test]
fn what_a_cluster_is_too_old_for_is_told_of_that_cluster() {
    let plane = Story::new(running()).passes(900).plane;
    let mut facts = plane.facts();
    facts.clusters.get_mut("b").unwrap().left_out = vec!["Kubernetes 1.30 knows no tolerance".into()];
    let decision = decide(&plane.policy, &facts);
    assert!(decision.clusters["b"].why.ends_with("; Kubernetes 1.30 knows no tolerance"));
    assert!(!decision.clusters["a"].why.contains("1.30"));
}
