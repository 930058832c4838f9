//! From the FedHPA to the members and back, and a scheduler that sleeps through it.

use std::{collections::BTreeMap, time::Duration};

use fedscaler_tests::rig::{
    eventually, page,
    place::{PATIENCE, Place, Workload},
};
use futures::future::join_all;

use crate::house::{House, scenarios};

scenarios! {
    beside: [
        a_running_workload_is_taken_over_and_load_in_one_member_scales_there,
    ],
    alone: [
        a_hundred_rounds_wake_the_scheduler_not_once,
        members_scale_while_the_control_plane_is_gone,
    ],
}

async fn a_running_workload_is_taken_over_and_load_in_one_member_scales_there(house: &House) {
    let place = house.place("pipeline", Workload::Deployment, 6).await;
    // Half of what is asked for: just what the HPAs aim at.
    place.usage(&BTreeMap::from([("member1", 50), ("member2", 50)])).await;
    eventually("metrics are there", PATIENCE, async || {
        let path = "/apis/metrics.k8s.io/v1beta1/namespaces/pipeline/pods";
        for client in place.rig.members.values() {
            let list = fedscaler_tests::rig::get(client, path).await.ok_or("no answer")?;
            let cpu =
                |pod: &serde_json::Value| pod["containers"][0]["usage"]["cpu"].as_str().map(str::to_owned);
            let seen: Vec<_> = list["items"].as_array().into_iter().flatten().filter_map(cpu).collect();
            if seen.is_empty() || seen.iter().any(|cpu| !cpu.starts_with("49") && !cpu.starts_with("50")) {
                return Err(format!("{seen:?}"));
            }
        }
        Ok(())
    })
    .await;
    let (before, divisions) = (place.numbers().await.unwrap(), place.divisions());
    place.apply(&place.fed_hpa(4, 40)).await;
    let adopted = place.in_order("the workload is taken over", |_| true).await;
    assert_eq!(adopted.members, before.members, "nothing moves at the start");
    let hpas = place.hpas().await;
    assert_eq!(hpas.len(), 2);
    assert_eq!((sum(&hpas, |hpa| hpa.0), sum(&hpas, |hpa| hpa.1)), (4, 40), "{hpas:?}");

    place.usage(&BTreeMap::from([("member1", 100)])).await;
    let scaled =
        place.in_order("member1 has grown", |now| now.members["member1"] > before.members["member1"] + 2);
    let scaled = scaled.await;
    assert_eq!(scaled.members["member2"], before.members["member2"], "its load is its own");
    assert_eq!(place.divisions(), divisions);
    place.leave().await;
}

/// A hundred rounds: so many workloads side by side, and so often each of them.
const SIDE_BY_SIDE: usize = 4;
const EACH: u64 = 25;

async fn a_hundred_rounds_wake_the_scheduler_not_once(house: &mut House) {
    let mut places = Vec::new();
    for number in 1..=SIDE_BY_SIDE {
        places.push(house.place(&format!("rounds-{number}"), Workload::Deployment, 6).await);
    }
    // A max that moves is waited for as long as an HPA usually takes to be synced; with caps none has to move.
    let caps =
        "{strategy: Even, clusters: [{name: member1, maxReplicas: 60}, {name: member2, maxReplicas: 60}]}";
    for place in &places {
        place.apply(&place.fed_hpa(6, 120).replace("{strategy: Even}", caps)).await;
        place.in_order("the start", |now| now.template == 6).await;
    }
    let divided = || -> Vec<usize> { places.iter().map(Place::divisions).collect() };
    let (divisions, attempts) = (divided(), scale_attempts().await);
    assert!(divisions.iter().all(|times| *times > 0), "the log is read where Karmada writes it");
    let metric = async |name| house.controllers["one"].metric(name).await.unwrap_or(0);
    let (rounds, observed) =
        ("fedhpa_write_backs_total{result=\"success\"}", "fedhpa_reschedules_observed_total{");
    let before = (metric(rounds).await, metric(observed).await);
    join_all(places.iter().map(play_rounds)).await;
    assert_eq!(divided(), divisions, "by the scheduler's log");
    assert_eq!(scale_attempts().await, attempts, "by the scheduler's metric");
    assert_eq!(metric(observed).await, before.1, "by our own metric");
    println!("write-backs before and after: {}, {}", before.0, metric(rounds).await);
    join_all(places.into_iter().map(Place::leave)).await;
}

/// Upwards: an HPA goes down only after new pods have been measured, which takes them half a minute.
async fn play_rounds(place: &Place) {
    for round in 1..=EACH {
        let min = 6 + round;
        let patch = format!("{{\"spec\": {{\"minReplicas\": {min}}}}}");
        place.kubectl(&["patch", "fedhpa", "web", "--type=merge", "-p", &patch], "").await;
        place.in_order(&format!("round {round} ends at {min}"), |now| now.template == min).await;
    }
}

/// How often the scheduler has divided because numbers differed.
async fn scale_attempts() -> u64 {
    let page = page("127.0.0.1:26450", "/metrics").await.expect("the scheduler's metrics");
    let lines = page.lines().filter(|line| {
        line.starts_with("karmada_scheduler_schedule_attempts_total") && line.contains("ScaleSchedule")
    });
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

async fn members_scale_while_the_control_plane_is_gone(house: &mut House) {
    let place = house.place("alone", Workload::Deployment, 6).await;
    place.apply(&place.fed_hpa(6, 40)).await;
    let before = place.in_order("the start", |now| now.template == 6).await;
    let divisions = place.divisions();
    house.rig.down("karmada").await;
    place.usage(&BTreeMap::from([("member1", 100)])).await;
    eventually("member1 scales alone", PATIENCE, async || {
        let workloads = place.workloads().await;
        let now = fedscaler_tests::numbers::number(&workloads["member1"], "/spec/replicas");
        if now > before.members["member1"] + 2 { Ok(()) } else { Err(format!("{now}")) }
    })
    .await;
    place.usage(&BTreeMap::from([("member1", 50)])).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    house.rig.up().await;
    // Who cannot renew its Lease ends, and is started anew.
    house.start("one").await;
    place.in_order("all is true again", |now| now.members["member1"] > before.members["member1"]).await;
    assert_eq!(place.divisions(), divisions);
    place.leave().await;
}

fn sum(hpas: &BTreeMap<String, (u64, u64)>, of: impl Fn(&(u64, u64)) -> u64) -> u64 {
    hpas.values().map(of).sum()
}
