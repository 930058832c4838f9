//! Many rules and a process that dies again and again, at a write that chance names: every slot is accounted for once,
//! none is applied twice.
//!
//! `FEDSCALER_CRONHPAS=1000 cargo test --workspace --test cronhpa -- many` plays 10,000 rules; fewer by default.
//! `FEDSCALER_SEED` has it die elsewhere.

use std::{collections::BTreeMap, env};

use fedscaler_crds::CronHpa;
use fedscaler_sandbox::{
    apiserver::{Changes, kinds::DEPLOYMENTS},
    fault::Crash,
};
use fedscaler_tests::{
    numbers::number,
    stage::{CRON_HPAS, Stage},
};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, api::PostParams};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use serde_json::{Value, json};

/// Rules of each CronHPA.
const RULES: u64 = 10;

/// CronHPAs unless told otherwise.
const CRON_HPAS_BY_DEFAULT: u64 = 30;

/// So long it is played, in seconds: every rule comes, some come twice.
const LENGTH: i64 = 72 * 60;

/// The longest that nobody is there after a death, in seconds: long enough for one rule to replace another.
const LONGEST_ABSENCE: u64 = 100;

/// CronHPAs share namespaces as teams do.
const IN_A_NAMESPACE: u64 = 10;

/// What rules do: the first one is at once 10, the second one 11.
fn count(rule: u64) -> u64 {
    10 + rule
}

/// The minute of each hour at which a rule is due: in one CronHPA no two are due together, and each second one a minute
/// after another, so that an absence of more than a minute lets one replace the other.
fn minute(object: u64, rule: u64) -> u64 {
    12 * (rule / 2) + rule % 2 + object % 10
}

fn namespace(object: u64) -> String {
    format!("team-{:02}", object / IN_A_NAMESPACE)
}

fn name(object: u64) -> String {
    format!("web-{object:04}")
}

fn asked(variable: &str, default: u64) -> u64 {
    env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

async fn furnish(stage: &Stage, objects: u64) {
    for object in 0..objects {
        let (namespace, name) = (namespace(object), name(object));
        stage.world.control_plane().local("test").ensure_namespace(&namespace).unwrap();
        let rules: Vec<Value> = (0..RULES)
            .map(|rule| {
                let schedule = format!("{} * * * *", minute(object, rule));
                json!({"name": format!("r{rule}"), "schedule": schedule, "targetReplicas": count(rule)})
            })
            .collect();
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            }},
        }))
        .unwrap();
        let cron_hpa: CronHpa = serde_json::from_value(json!({
            "apiVersion": "autoscaling.fedscaler.io/v1alpha1", "kind": "CronHPA", "metadata": {"name": name},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "rules": rules},
        }))
        .unwrap();
        let by = PostParams::default();
        Api::namespaced(stage.user.clone(), &namespace).create(&by, &deployment).await.unwrap();
        Api::namespaced(stage.user.clone(), &namespace).create(&by, &cron_hpa).await.unwrap();
    }
}

/// Lets the controllers die and come back until `end`, and says how often they died.
async fn die_again_and_again(stage: &mut Stage, objects: u64, end: i64, dice: &mut ChaCha8Rng) -> u64 {
    let mut deaths = 0;
    loop {
        let side = if dice.next_u32().is_multiple_of(2) { Crash::Before } else { Crash::After };
        stage.faults.crash_at_write(1 + u64::from(dice.next_u32()) % (3 * objects), side);
        stage.start_controllers();
        let left = u64::try_from(end - stage.clock.now().timestamp()).unwrap_or(0);
        if !stage.run_until_crash(left).await {
            return deaths;
        }
        deaths += 1;
        stage.kill_controllers().await;
        stage.run(u64::from(dice.next_u32()) % LONGEST_ABSENCE).await;
    }
}

/// The replicas that each Deployment was given, in order.
fn given(changes: &mut Changes) -> BTreeMap<String, Vec<u64>> {
    let mut given = BTreeMap::<String, Vec<u64>>::new();
    while let Some(change) = changes.ready() {
        let Some(previous) = change.previous.as_ref().filter(|_| *change.kind == DEPLOYMENTS) else {
            continue;
        };
        let replicas = number(&change.object, "/spec/replicas");
        if replicas != number(previous, "/spec/replicas") {
            let name = change.object["metadata"]["name"].as_str().unwrap_or_default();
            given.entry(name.to_owned()).or_default().push(replicas);
        }
    }
    given
}

/// What was due of a CronHPA in minutes (`after`, `until`] of the day, as counts in order of time.
fn due(object: u64, after: i64, until: i64) -> Vec<u64> {
    let minutes = after + 1..=until;
    let of_minute =
        |at: i64| (0..RULES).find(|rule| at.rem_euclid(60).unsigned_abs() == minute(object, *rule));
    minutes.filter_map(of_minute).map(count).collect()
}

fn is_part_in_order(part: &[u64], whole: &[u64]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|one| rest.any(|other| other == one))
}

#[tokio::test(start_paused = true)]
async fn of_many_rules_no_slot_is_lost_or_applied_twice_however_often_the_process_dies() {
    let objects = asked("FEDSCALER_CRONHPAS", CRON_HPAS_BY_DEFAULT);
    let mut dice = ChaCha8Rng::seed_from_u64(asked("FEDSCALER_SEED", 1));
    let mut stage = Stage::with_demand(6).await;
    furnish(&stage, objects).await;
    let mut changes = stage.world.control_plane().local("test").changes();
    // What was due before a rule was first seen is not accounted for: they all are, within the first minute.
    stage.start_controllers();
    stage.run(30).await;
    stage.kill_controllers().await;
    let start = stage.clock.now().timestamp();
    let deaths = die_again_and_again(&mut stage, objects, start + LENGTH, &mut dice).await;
    stage.restart_controllers().await;
    let minute = |time: i64| time.div_euclid(60);
    // To the end of the next minute, so that all that is due has been seen to.
    let seconds = u64::try_from(stage.clock.now().timestamp().rem_euclid(60)).unwrap();
    stage.run(119 - seconds).await;
    let until = minute(stage.clock.now().timestamp());

    let given = given(&mut changes);
    let written = stage.writes();
    let (mut slots, mut applied) = (0, 0);
    for object in 0..objects {
        let name = name(object);
        let due = due(object, minute(start), until);
        let got = given.get(&name).map_or(&[][..], Vec::as_slice);
        assert!(is_part_in_order(got, &due), "{name} was given {got:?}, due was {due:?}");
        let path = format!("/{name}/scale");
        let writes = written.iter().filter(|write| write.path.ends_with(&path) && write.code.is_success());
        assert_eq!(writes.count(), got.len(), "{name}: no write said what was said before");
        let status =
            stage.world.control_plane().local("test").get(&CRON_HPAS, &namespace(object), &name).unwrap();
        for rule in 0..RULES {
            let counts = &status["status"]["rules"][usize::try_from(rule).unwrap()]["counts"];
            let of = |result: &str| counts[result].as_u64().unwrap_or(0);
            let times = |list: &[u64]| list.iter().filter(|one| **one == count(rule)).count() as u64;
            assert_eq!(of("applied") + of("superseded"), times(&due), "{name}/r{rule}: {counts} of {due:?}");
            // A death right after the write changes nothing about that.
            assert_eq!(of("applied"), times(got), "{name}/r{rule}: {counts}, it was given {got:?}");
            slots += times(&due);
            applied += of("applied");
        }
    }
    println!(
        "{} rules in {objects} CronHPAs, {deaths} deaths, {slots} slots: {applied} applied, {} superseded",
        objects * RULES,
        slots - applied
    );
    assert!(deaths >= 10, "only {deaths} deaths: chance tests nothing");
    assert!(applied < slots, "no slot fell into an absence");
}
