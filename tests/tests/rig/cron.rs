//! CronHPA on a workload, an HPA template and a FedHPA, and when the one that leads is killed.

use chrono::{DateTime, Utc};
use fedscaler_cmd::sandbox::audit::slots::unaccounted;
use fedscaler_crds::CronHpa;
use fedscaler_runtime::clock::{Clock as _, SystemClock};
use fedscaler_tests::{
    numbers::number,
    rig::{
        eventually,
        place::{PATIENCE, Place, Workload},
    },
};
use serde_json::Value;

use crate::house::{House, scenarios};

scenarios! {
    beside: [
        every_kind_of_target_is_scaled_at_its_times,
    ],
    alone: [
        no_slot_is_lost_or_doubled_when_the_leader_is_killed,
        a_leader_that_is_asked_to_stop_hands_over,
    ],
}

/// Two rules that take turns, a few times a minute.
fn turns(name: &str, target: &str, one: &str, other: &str) -> String {
    format!(
        "
apiVersion: autoscaling.fedscaler.io/v1alpha1
kind: CronHPA
metadata: {{name: {name}}}
spec:
  scaleTargetRef: {target}
  rules:
  - {{name: one, schedule: \"0/20 * * * * *\", {one}}}
  - {{name: other, schedule: \"10/20 * * * * *\", {other}}}
"
    )
}

const DEPLOYMENT: &str = "{apiVersion: apps/v1, kind: Deployment, name: web}";

async fn cron(place: &Place, name: &str) -> CronHpa {
    let found = place.object("apis/autoscaling.fedscaler.io/v1alpha1", "cronhpas", name).await;
    serde_json::from_value(found.expect("the CronHPA")).expect("a CronHPA")
}

/// Waits until each of its rules was applied so often, and holds its accounts to be right.
async fn applied(place: &Place, name: &str, times: i64) {
    eventually(&format!("the rules of {name} were applied {times} times"), PATIENCE, async || {
        let rules = cron(place, name).await.status.unwrap_or_default().rules;
        let counts: Vec<_> = rules.iter().map(|rule| rule.counts.applied).collect();
        if counts.len() == 2 && counts.iter().all(|count| *count >= times) {
            Ok(())
        } else {
            Err(format!("{counts:?}"))
        }
    })
    .await;
    accounted(place, name).await;
}

/// Every slot is accounted for once, and none was missed or failed.
async fn accounted(place: &Place, name: &str) {
    let object = cron(place, name).await;
    let now: DateTime<Utc> = SystemClock.now();
    assert_eq!(unaccounted(&object, now), None);
    for rule in object.status.unwrap_or_default().rules {
        assert_eq!((rule.counts.missed, rule.counts.failed), (0, 0), "{name}: {rule:?}");
    }
}

async fn every_kind_of_target_is_scaled_at_its_times(house: &House) {
    let place = house.place("cron-workload", Workload::Deployment, 4).await;
    place.apply(&turns("web", DEPLOYMENT, "targetReplicas: 8", "targetReplicas: 5")).await;
    applied(&place, "web", 2).await;
    let counts = [5, 8];
    let numbers = place.numbers().await.expect("numbers");
    assert!(counts.contains(&numbers.template), "{numbers:?}");
    place.leave().await;

    let place = house.place("cron-hpa", Workload::Deployment, 4).await;
    place.apply(HPA).await;
    let target = "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: other}";
    place.apply(&turns("web", target, "minReplicas: 3", "minReplicas: 2, maxReplicas: 9")).await;
    applied(&place, "web", 2).await;
    let hpa =
        place.object("apis/autoscaling/v2", "horizontalpodautoscalers", "other").await.expect("the HPA");
    assert!([2, 3].contains(&number(&hpa, "/spec/minReplicas")), "{hpa:#}");
    place.leave().await;

    let place = house.place("cron-fedhpa", Workload::Deployment, 4).await;
    place.apply(&place.fed_hpa(4, 40)).await;
    let target = "{apiVersion: autoscaling.fedscaler.io/v1alpha1, kind: FedHPA, name: web}";
    place.apply(&turns("web", target, "minReplicas: 9", "minReplicas: 6")).await;
    applied(&place, "web", 2).await;
    place.kubectl(&["delete", "cronhpa", "web", "--timeout=60s"], "").await;
    place.in_order("the FedHPA's own min holds again", |now| now.template == 4).await;
    place.leave().await;
}

const HPA: &str = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: other}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: other}
  minReplicas: 1
  maxReplicas: 9
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
";

async fn no_slot_is_lost_or_doubled_when_the_leader_is_killed(house: &mut House) {
    let place = house.place("failover", Workload::Deployment, 4).await;
    let often = turns("web", DEPLOYMENT, "targetReplicas: 8", "targetReplicas: 5").replace("/20", "/4");
    place.apply(&often.replace("\"10/4", "\"2/4")).await;
    applied(&place, "web", 2).await;
    house.start("two").await;
    assert!(!house.controllers["two"].lead().await, "one leads");
    house.kill("one").await;
    leads(house, "two").await;
    house.start("one").await;
    let before = cron(&place, "web").await.status.unwrap_or_default().rules[0].counts.applied;
    applied(&place, "web", before + 2).await;
    house.kill("two").await;
    leads(house, "one").await;
    let before = cron(&place, "web").await.status.unwrap_or_default().rules[0].counts.applied;
    applied(&place, "web", before + 2).await;
    let lease = lease(house).await;
    assert!(number(&lease, "/spec/leaseTransitions") >= 2, "{lease:#}");
    place.leave().await;
}

async fn a_leader_that_is_asked_to_stop_hands_over(house: &mut House) {
    house.start("two").await;
    let one = house.controllers.remove("one").expect("it runs");
    assert!(one.lead().await);
    assert!(one.stop().await.success());
    let given_back = lease(house).await;
    leads(house, "two").await;
    assert!(house.rig.log("fedscaler-one").contains("given back"), "{given_back:#}");
    let two = house.controllers.remove("two").expect("it runs");
    assert!(two.stop().await.success());
    assert_eq!(lease(house).await["spec"]["holderIdentity"].as_str().unwrap_or_default(), "");
}

async fn leads(house: &House, name: &str) {
    eventually(&format!("{name} leads"), PATIENCE, async || {
        if house.controllers[name].lead().await { Ok(()) } else { Err("it does not".to_owned()) }
    })
    .await;
}

async fn lease(house: &House) -> Value {
    let path = "/apis/coordination.k8s.io/v1/namespaces/fedscaler-system/leases/fedscaler";
    fedscaler_tests::rig::get(&house.rig.karmada, path).await.expect("the Lease")
}
