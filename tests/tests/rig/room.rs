//! Where replicas go when there is more room, or less, or none that can be reached.

use std::collections::BTreeMap;

use fedscaler_tests::rig::{
    eventually,
    place::{PATIENCE, Place, Workload},
};

use crate::house::{House, scenarios};

scenarios! {
    beside: [],
    alone: [
        shares_follow_nodes_that_come_and_go,
        a_lost_member_is_covered_and_comes_back,
    ],
}

/// Each replica takes two CPUs, so that nodes matter: 24 fit into member1 and 12 into member2.
async fn large(house: &House, namespace: &str) -> Place {
    let place = house.place(namespace, Workload::Deployment, 6).await;
    let large = place.manifest(6).replace("cpu: 100m", "cpu: \"2\"");
    place.apply(&large).await;
    place.spread(6).await;
    place
}

async fn maxes(place: &Place, what: &str, goal: impl Fn(u64, u64) -> bool) {
    eventually(what, PATIENCE * 2, async || {
        let hpas = place.hpas().await;
        let max = |member: &str| hpas.get(member).map_or(0, |hpa| hpa.1);
        if goal(max("member1"), max("member2")) {
            return Ok(());
        }
        let fed = place.fed().await.unwrap_or_default();
        Err(format!("{hpas:?} {:#}", fed["status"]))
    })
    .await;
}

async fn shares_follow_nodes_that_come_and_go(house: &mut House) {
    let place = large(house, "room").await;
    // Sums are exact where all nodes are alike; the histogram counts each node by the least of its grade.
    let by_sums =
        place.fed_hpa(6, 30).replace("strategy: Even}", "strategy: Capacity}\n  capacity: {source: Summary}");
    place.apply(&by_sums).await;
    place.in_order("the start", |now| now.template == 6).await;
    maxes(&place, "shares follow room", |one, two| one + two == 30 && one > two).await;
    let divisions = place.divisions();
    let added: String = (7..=14).map(node).collect();
    house.rig.kubectl("member2", &["apply", "-f", "-"], &added).await.expect("nodes");
    maxes(&place, "member2 gets more for its new nodes", |one, two| one + two == 30 && two >= 14).await;
    let gone: Vec<_> = (7..=14).map(|number| format!("member2-node{number}")).collect();
    let drain = ["drain", "--ignore-daemonsets", "--force", "--timeout=60s"];
    let drain: Vec<&str> = drain.into_iter().chain(gone.iter().map(String::as_str)).collect();
    house.rig.kubectl("member2", &drain, "").await.expect("they are drained");
    let delete: Vec<&str> = ["delete", "node"].into_iter().chain(gone.iter().map(String::as_str)).collect();
    house.rig.kubectl("member2", &delete, "").await.expect("they go");
    maxes(&place, "and less without them", |one, two| one + two == 30 && two <= 12).await;
    place.in_order("all is in order", |_| true).await;
    assert_eq!(place.divisions(), divisions);
    place.leave().await;
}

/// A node of member2 like the others there.
fn node(number: u32) -> String {
    const NODE: &str = include_str!("../../rig/manifests/node.yaml");
    let node = NODE.replace("NODE", &format!("member2-node{number}"));
    format!("{}\n---\n", node.replace("\"CPU\"", "\"4\"").replace("MEMORYGi", "8Gi"))
}

async fn a_lost_member_is_covered_and_comes_back(house: &mut House) {
    let place = house.place("lost", Workload::Deployment, 8).await;
    place.apply(&place.fed_hpa(8, 40)).await;
    let before = place.in_order("the start", |now| now.template == 8).await;
    eventually("both members have told their numbers", PATIENCE, async || {
        let status = place.fed().await.unwrap_or_default()["status"].take();
        let clusters = status["clusters"].as_array().cloned().unwrap_or_default();
        let told = clusters.iter().filter(|cluster| cluster.get("currentReplicas").is_some()).count();
        if told == 2 { Ok(()) } else { Err(format!("{clusters:?}")) }
    })
    .await;
    let divisions = place.divisions();
    let uids = uids(&place).await;
    house.rig.down("member2-apiserver").await;
    eventually("member1 covers what ran in member2", PATIENCE, async || {
        let hpas = place.hpas().await;
        if hpas.get("member1").is_some_and(|hpa| hpa.0 >= 8) {
            return Ok(());
        }
        let fed = place.fed().await.unwrap_or_default();
        Err(format!("{hpas:?} {:#}", fed["status"]))
    })
    .await;
    let fed = place.fed().await.expect("the FedHPA");
    let clusters = fed["status"]["clusters"].as_array().cloned().unwrap_or_default();
    let lost = clusters.iter().find(|cluster| cluster["name"] == "member2").cloned().unwrap_or_default();
    assert_eq!(lost["phase"], "Frozen", "{lost:#}");
    assert_eq!(
        lost["currentReplicas"].as_u64(),
        Some(before.members["member2"]),
        "its numbers are frozen: {lost:#}"
    );
    house.rig.up().await;
    place.in_order("member2 is back and the total is as before", |now| now.template == 8).await;
    assert_eq!(self::uids(&place).await, uids, "no workload was deleted");
    assert_eq!(place.divisions(), divisions);
    place.leave().await;
}

/// Which workload is in each member.
pub(crate) async fn uids(place: &Place) -> BTreeMap<String, String> {
    let workloads = place.workloads().await;
    let uid = |object: &serde_json::Value| object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    workloads.iter().map(|(member, object)| (member.clone(), uid(object))).collect()
}
