//! Manifests that are applied again, and the end.

use std::time::Duration;

use fedscaler_tests::{
    rig::{
        eventually,
        place::{PATIENCE, Workload},
    },
    stage::condition,
};

use crate::{
    house::{House, scenarios},
    room::uids,
};

scenarios! {
    beside: [
        a_manifest_with_other_replicas_deletes_no_workload,
        who_is_deleted_gives_everything_back_and_moves_nothing,
    ],
    alone: [],
}

async fn a_manifest_with_other_replicas_deletes_no_workload(house: &House) {
    let place = house.place("manifest", Workload::Deployment, 12).await;
    place.apply(&place.fed_hpa(12, 40)).await;
    let before = place.in_order("the start", |now| now.template == 12).await;
    let (uids, divisions) = (uids(&place).await, place.divisions());
    for replicas in [1, 30, 1, 2, 1, 0, 1, 3] {
        place.apply(&place.manifest(replicas)).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(crate::room::uids(&place).await, uids);
    }
    // After three repairs it says what the user has to do, and no longer fights.
    eventually("it is contested", PATIENCE, async || {
        let fed = place.fed().await.ok_or("no FedHPA")?;
        let contested = condition(&fed, "Contested").ok_or("no condition")?;
        if contested.0 == "True" && contested.2.contains("remove spec.replicas") {
            Ok(())
        } else {
            Err(format!("{contested:?}"))
        }
    })
    .await;
    assert_eq!(place.numbers().await.unwrap().members, before.members);
    assert_eq!(crate::room::uids(&place).await, uids);
    assert_eq!(place.divisions(), divisions);
    place.leave().await;
}

async fn who_is_deleted_gives_everything_back_and_moves_nothing(house: &House) {
    let place = house.place("end", Workload::Deployment, 9).await;
    place.apply(&place.fed_hpa(9, 40)).await;
    let before = place.in_order("the start", |now| now.template == 9).await;
    let divisions = place.divisions();
    place.kubectl(&["delete", "fedhpa", "web", "--timeout=120s"], "").await;
    assert!(place.hpas().await.is_empty(), "the HPAs go first");
    let binding = place.binding().await.unwrap();
    assert_ne!(binding.pointer("/spec/suspension/scheduling"), Some(&serde_json::Value::Bool(true)));
    let template = place.object("apis/apps/v1", "deployments", "web").await.unwrap();
    for object in [&binding, &template] {
        let metadata = object["metadata"].clone();
        let texts = [metadata["labels"].to_string(), metadata["annotations"].to_string()];
        assert!(texts.iter().all(|text| !text.contains("autoscaling.fedscaler.io")), "{texts:?}");
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = place.numbers().await.unwrap();
    assert_eq!(after, before);
    assert_eq!(place.divisions(), divisions, "resuming divides nothing");
    // Karmada divides again, as before: the workload is the user's.
    place.kubectl(&["scale", "deployment", "web", "--replicas=4"], "").await;
    place.spread(4).await;
    place.leave().await;
}
