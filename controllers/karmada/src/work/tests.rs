//! The Work as it is sent, and how it compares with what is there.

use super::*;

fn wanted() -> HpaWork {
    HpaWork::build(WantedHpa {
        cluster: "m1",
        namespace: "default",
        name: "nginx",
        spec: json!({
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nginx"},
            "minReplicas": 2,
            "maxReplicas": 6,
            "behavior": {"scaleUp": {"stabilizationWindowSeconds": 30}},
        }),
        owner_uid: "f-1",
        owner_name: "nginx",
        existing: Existing::Refuse,
    })
}

/// The Work as it comes back from Karmada, whose webhook adds things.
fn there() -> Work {
    let mut body = wanted().body().clone();
    body["metadata"]["labels"]["work.karmada.io/permanent-id"] = json!("p-1");
    body["metadata"]["uid"] = json!("w-1");
    body["metadata"]["resourceVersion"] = json!("17");
    let manifest = &mut body["spec"]["workload"]["manifests"][0];
    manifest["metadata"]["annotations"]["resourcetemplate.karmada.io/managed-labels"] =
        json!("karmada.io/managed");
    serde_json::from_value(body).unwrap()
}

fn manifest(work: &mut Work) -> &mut Value {
    &mut work.spec.workload.manifests[0]
}

#[test]
fn the_work_has_all_that_karmada_needs_and_nothing_that_it_would_collect() {
    let golden: Value = serde_json::from_str(include_str!("hpa_work.json")).unwrap();
    assert_eq!(*wanted().body(), golden);
}

#[test]
fn an_hpa_is_adopted_only_if_that_was_asked_for() {
    let mut there = there();
    manifest(&mut there)["metadata"]["annotations"][CONFLICT_RESOLUTION] = json!(OVERWRITE);
    assert_eq!(wanted().compare(Some(&there)), Comparison::Differs);
}

#[test]
fn what_karmada_adds_makes_no_difference_so_that_nothing_is_written() {
    assert_eq!(wanted().compare(Some(&there())), Comparison::Same);
    assert_eq!(wanted().compare(None), Comparison::Absent);
}

#[test]
fn defaults_and_nulls_in_what_is_there_make_no_difference() {
    let mut there = there();
    let spec = &mut manifest(&mut there)["spec"];
    spec.as_object_mut().unwrap().remove("metrics");
    spec["behavior"]["scaleDown"]["selectPolicy"] = json!(null);
    assert_eq!(wanted().compare(Some(&there)), Comparison::Same);
}

#[test]
fn each_part_that_is_ours_makes_a_difference() {
    let changes: [fn(&mut Work); 7] = [
        |work| manifest(work)["spec"]["maxReplicas"] = json!(7),
        |work| manifest(work)["spec"]["added"] = json!(true),
        |work| manifest(work)["metadata"]["labels"][MANAGED] = json!("false"),
        |work| manifest(work)["metadata"]["annotations"][WORK_NAME] = json!("other"),
        |work| work.metadata.finalizers = None,
        |work| work.metadata.annotations = None,
        |work| work.spec.workload.manifests.push(json!({})),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut there = there();
        change(&mut there);
        assert_eq!(wanted().compare(Some(&there)), Comparison::Differs, "change {index}");
    }
}

#[test]
fn a_work_that_belongs_to_another_is_never_ours_to_change() {
    let with = |change: fn(&mut Work)| {
        let mut there = there();
        change(&mut there);
        wanted().compare(Some(&there))
    };
    let relabelled = with(|work| {
        work.labels_mut().insert(OWNER_UID.to_owned(), "f-2".to_owned());
        work.annotations_mut().insert(FEDHPA.to_owned(), "default/other".to_owned());
    });
    assert_eq!(relabelled, Comparison::Foreign(Foreign::Owner("f-2".to_owned())));
    let bare = with(|work| work.metadata.labels = None);
    assert_eq!(bare, Comparison::Foreign(Foreign::Unknown));
    let overwritten = with(|work| {
        work.annotations_mut().insert(BINDING_NAME.to_owned(), "nginx-horizontalpodautoscaler".to_owned());
    });
    let binding = Foreign::Binding(Some("nginx-horizontalpodautoscaler".to_owned()));
    assert_eq!(overwritten, Comparison::Foreign(binding));
}

#[test]
fn what_a_fedhpa_of_the_same_name_has_left_behind_is_taken_over() {
    let mut there = there();
    there.labels_mut().insert(OWNER_UID.to_owned(), "f-0".to_owned());
    assert_eq!(wanted().compare(Some(&there)), Comparison::Differs);
}

#[test]
fn a_work_on_its_way_out_is_waited_for() {
    let mut there = there();
    there.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-05-01T10:00:00Z")).unwrap());
    assert_eq!(wanted().compare(Some(&there)), Comparison::Deleting);
}

#[test]
fn a_change_of_bounds_notes_what_may_still_act_and_since_when() {
    let (before, now) = (Bounds { min: 1, max: 4 }, "2026-05-01T10:00:00Z".parse().unwrap());
    let body = apply_body(&wanted(), None, before, now);
    assert_eq!(body["metadata"].get("resourceVersion"), None);
    let made: Work = serde_json::from_value(body).unwrap();
    let bounds = Bounds { min: 2, max: 6 };
    assert_eq!(tenure(&made), Some(Tenure { bounds, before, since: now }));
    assert_eq!(wanted().compare(Some(&made)), Comparison::Same);
}

#[test]
fn another_change_leaves_those_notes_alone_and_carries_the_version_it_was_decided_on() {
    let (before, now) = (Bounds { min: 1, max: 4 }, "2026-05-01T10:00:00Z".parse().unwrap());
    let made: Work = serde_json::from_value(apply_body(&wanted(), Some(&there()), before, now)).unwrap();
    let mut edited = made.clone();
    manifest(&mut edited)["spec"]["metrics"] = json!([]);
    let later = now + chrono::TimeDelta::minutes(5);
    let again = apply_body(&wanted(), Some(&edited), Bounds { min: 9, max: 9 }, later);
    assert_eq!(
        (&again["metadata"]["uid"], &again["metadata"]["resourceVersion"]),
        (&json!("w-1"), &json!("17"))
    );
    let again: Work = serde_json::from_value(again).unwrap();
    assert_eq!(tenure(&again), tenure(&made));
    manifest(&mut edited)["spec"]["maxReplicas"] = json!(4);
    let moved: Work = serde_json::from_value(apply_body(&wanted(), Some(&edited), before, later)).unwrap();
    assert_eq!(tenure(&moved).unwrap().since, later);
}

#[test]
fn without_notes_the_bounds_are_as_old_as_the_work() {
    let mut there = there();
    there.metadata.creation_timestamp = Some(serde_json::from_value(json!("2026-05-01T10:00:00Z")).unwrap());
    let bounds = Bounds { min: 2, max: 6 };
    let since = "2026-05-01T10:00:00Z".parse().unwrap();
    assert_eq!(tenure(&there), Some(Tenure { bounds, before: bounds, since }));
    manifest(&mut there)["spec"] = json!({});
    assert_eq!(tenure(&there), None);
}

#[test]
fn exactly_the_work_that_was_looked_at_is_deleted() {
    let preconditions = exactly(&there()).preconditions.unwrap();
    assert_eq!(preconditions.uid.as_deref(), Some("w-1"));
    assert_eq!(preconditions.resource_version.as_deref(), Some("17"));
}

#[test]
fn karmadas_own_words_are_kept_where_the_member_refused() {
    let condition = |status| json!([{"type": "Applied", "status": status, "reason": "", "message": "no such namespace", "lastTransitionTime": "2026-05-01T10:00:00Z"}]);
    let mut work = there();
    assert_eq!(applied(&work), Applied::NotYet);
    work.status.conditions = serde_json::from_value(condition("True")).unwrap();
    assert_eq!(applied(&work), Applied::Yes);
    work.status.conditions = serde_json::from_value(condition("False")).unwrap();
    assert_eq!(applied(&work), Applied::No("no such namespace".to_owned()));
}

#[test]
fn only_an_hpa_that_is_in_the_way_is_adopted_and_it_stays_in_the_member_when_its_work_goes() {
    let mut work = there();
    assert_eq!(Existing::of(None, Existing::Adopt), Existing::Refuse);
    assert_eq!(Existing::of(Some(&work), Existing::Adopt), Existing::Refuse, "nothing is in the way");
    work.status.conditions = serde_json::from_value(json!([{"type": "Applied", "status": "False", "reason": "",
        "message": "resource already exists in the cluster and the strategy value is empty, Karmada will not manage this resource",
        "lastTransitionTime": "2026-05-01T10:00:00Z"}]))
    .unwrap();
    assert_eq!(applied(&work), Applied::Exists);
    assert_eq!(Existing::of(Some(&work), Existing::Refuse), Existing::Refuse, "nobody asked for it");
    assert_eq!(Existing::of(Some(&work), Existing::Adopt), Existing::Adopt);
    work.status.conditions.clear();
    work.spec.preserve_resources_on_deletion = Some(true);
    assert_eq!(Existing::of(Some(&work), Existing::Refuse), Existing::Adopt, "what was adopted stays so");
}

#[test]
fn the_hpa_is_read_from_the_status_of_the_one_manifest_and_ages_with_its_cluster() {
    let mut work = there();
    let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(20);
    assert_eq!(
        member_hpa(&work, Health::Ready, now),
        Reading::Dark(fedscaler_core::reading::Dark::NotYetReported)
    );
    work.status.manifest_statuses =
        serde_json::from_value(json!([{"status": {"currentReplicas": 2, "desiredReplicas": 3}}])).unwrap();
    let current = |health| member_hpa(&work, health, now).map(|hpa| hpa.current);
    assert_eq!(current(Health::Ready), Reading::Fresh(2));
    let silent = Health::Unreachable { since: DateTime::UNIX_EPOCH };
    assert_eq!(current(silent), Reading::Stale { value: 2, age_seconds: 20 });
}
