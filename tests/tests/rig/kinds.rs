//! Nobody fights over replicas, whatever kind the workload is of.

use std::{collections::BTreeMap, time::Duration};

use fedscaler_tests::{
    numbers::number,
    rig::place::{Place, Workload},
};
use tokio::time::{Instant, sleep};

use crate::{
    house::{House, scenarios},
    stand_in::StandIn,
};

scenarios! {
    beside: [
        nobody_fights_over_a_deployment,
        nobody_fights_over_a_stateful_set,
        nobody_fights_over_a_clone_set,
        a_rollout_while_scaling_loses_nothing,
    ],
    alone: [],
}

async fn nobody_fights_over_a_deployment(house: &House) {
    no_fight(house, "fight-deployment", Workload::Deployment).await;
}

async fn nobody_fights_over_a_stateful_set(house: &House) {
    no_fight(house, "fight-statefulset", Workload::StatefulSet).await;
}

async fn nobody_fights_over_a_clone_set(house: &House) {
    let _stand_in = StandIn::start(&house.rig);
    no_fight(house, "fight-cloneset", Workload::CloneSet).await;
}

/// After a change of the total each member's number only rises, and then stands still.
async fn no_fight(house: &House, namespace: &str, workload: Workload) {
    let place = house.place(namespace, workload, 6).await;
    place.apply(&place.fed_hpa(6, 40)).await;
    place.in_order("the start", |now| now.template == 6).await;
    let divisions = place.divisions();
    place.apply(&place.fed_hpa(14, 40)).await;
    let mut seen = BTreeMap::<String, Vec<u64>>::new();
    watch(&place, &mut seen, Duration::from_secs(20)).await;
    place.in_order("14 run", |now| now.template == 14).await;
    watch(&place, &mut seen, Duration::from_secs(10)).await;
    for (member, numbers) in &seen {
        assert!(numbers.is_sorted(), "somebody fights in {member}: {numbers:?}");
    }
    assert_eq!(place.divisions(), divisions);
    place.leave().await;
}

/// Each member's number whenever it is another one.
async fn watch(place: &Place, seen: &mut BTreeMap<String, Vec<u64>>, length: Duration) {
    let end = Instant::now() + length;
    while Instant::now() < end {
        for (member, object) in place.workloads().await {
            let (numbers, now) = (seen.entry(member).or_default(), number(&object, "/spec/replicas"));
            if numbers.last() != Some(&now) {
                numbers.push(now);
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn a_rollout_while_scaling_loses_nothing(house: &House) {
    let place = house.place("rollout", Workload::Deployment, 6).await;
    place.apply(&place.fed_hpa(6, 16)).await;
    place.in_order("the start", |now| now.template == 6).await;
    let divisions = place.divisions();
    place.kubectl(&["set", "image", "deployment/web", "web=registry.example/web:2"], "").await;
    place.apply(&place.fed_hpa(12, 16)).await;
    let mut seen = BTreeMap::new();
    watch(&place, &mut seen, Duration::from_secs(15)).await;
    place.in_order("12 run", |now| now.template == 12).await;
    for (member, object) in place.workloads().await {
        let image = object.pointer("/spec/template/spec/containers/0/image").and_then(|image| image.as_str());
        assert_eq!(image, Some("registry.example/web:2"), "{member}");
        assert!(seen[&member].is_sorted(), "{member}: {:?}", seen[&member]);
    }
    let most: u64 = seen.values().filter_map(|numbers| numbers.iter().max()).sum();
    assert!(most <= 16, "{seen:?}");
    assert_eq!(place.divisions(), divisions);
    place.leave().await;
}
