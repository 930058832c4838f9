//! A day of demand over five members, from whose regions people come in turn, while nodes come and go and the workload
//! is rolled out. At every change in any member the totals hold.
//!
//! The day is compressed into `FEDSCALER_DAY_HOURS` (default 2) hours of the members' time: the faster it passes, the
//! more has to move.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fedscaler_sandbox::{
    apiserver::kinds::HORIZONTAL_POD_AUTOSCALERS,
    demand::Trace,
    karmada::Lags,
    member::{
        NodeSpec,
        traffic::{Balance, Demand, Workload},
    },
    world::MemberSpec,
};
use fedscaler_tests::stage::{Setting, Stage};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{dice::Dice, number};

const MEMBERS: [&str; 5] = ["amber", "birch", "cedar", "dune", "elm"];

/// The totals of the day.
const MIN: u64 = 20;
const MAX: u64 = 90;

/// Half-hours of the day: at each of them demand moves on.
const STEPS: u64 = 48;

fn members() -> Vec<MemberSpec> {
    let shapes = [(4, 8000, 32), (6, 4000, 8), (2, 16_000, 64), (5, 4000, 16), (3, 8000, 16)];
    let member = |(name, (nodes, cpu, gib)): (&&str, (u64, i64, i64))| {
        let nodes = (1..=nodes).map(|node| NodeSpec::new(&format!("n{node}"), cpu, gib * 1024));
        MemberSpec::new(name, nodes.collect())
    };
    MEMBERS.iter().zip(shapes).map(member).collect()
}

fn fed_hpa() -> Value {
    json!({
        "apiVersion": "autoscaling.fedscaler.io/v1alpha1",
        "kind": "FedHPA",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": MIN,
            "maxReplicas": MAX,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
            "rebalance": {"cooldownSeconds": 60, "tolerancePercent": 3},
        },
    })
}

/// Most people are where the sun is: it passes all members in a day.
fn demand(step: u64) -> Demand {
    let total = Trace::generated(3, 64).at(std::time::Duration::from_secs(step * 24 * 3600 / STEPS));
    let sun = step * MEMBERS.len() as u64 * 10 / STEPS;
    let weight = |(index, name): (usize, &&str)| {
        let far = sun.abs_diff(index as u64 * 10 + 5);
        ((*name).to_owned(), 4 + 40 / u32::try_from(far / 4 + 1).expect("small"))
    };
    let balance = Balance::Weights(MEMBERS.iter().enumerate().map(weight).collect());
    Demand { balance, ..Demand::new(Workload::new("default", "web"), Trace::constant(total)) }
}

/// What was seen of the day.
#[derive(Default)]
struct Seen {
    hpas: BTreeMap<String, (u64, u64)>,
    moves: u64,
    broken: Vec<String>,
    last: Option<DateTime<Utc>>,
    /// Seconds that each member was at its max and wanted more while another could have had more.
    saturated: BTreeMap<String, f64>,
}

impl Seen {
    fn look(&mut self, stage: &Stage) {
        let (now, hpas) = (stage.clock.now(), stage.hpas());
        let running = stage.numbers().members;
        // Where nothing scales it, what runs is kept.
        let kept = |(name, count): (&String, &u64)| hpas.get(name).map_or(*count, |share| share.0);
        let min: u64 = running.iter().map(kept).sum();
        let max: u64 = hpas.values().map(|share| share.1).sum();
        let sum: u64 = running.values().sum();
        if min < MIN || max > MAX || !(MIN..=MAX).contains(&sum) {
            self.broken.push(format!("{}: {hpas:?} and {running:?}", now.format("%T%.3f")));
        }
        self.moves += u64::from(!self.hpas.is_empty() && self.hpas != hpas);
        let passed = self.last.map_or(0.0, |last| (now - last).as_seconds_f64());
        for name in starved(stage, &hpas, &running) {
            *self.saturated.entry(name).or_default() += passed;
        }
        (self.hpas, self.last) = (hpas, Some(now));
    }
}

/// Members at their max that want more while another has at least two replicas to spare.
fn starved(
    stage: &Stage,
    hpas: &BTreeMap<String, (u64, u64)>,
    running: &BTreeMap<String, u64>,
) -> Vec<String> {
    let spare = |name: &String| {
        let max = hpas.get(name).map_or(0, |share| share.1);
        max.saturating_sub(running.get(name).copied().unwrap_or(0))
    };
    let wants = |name: &&String| {
        let member = stage.world.member(name).map(|member| member.local("day"));
        let hpa = member.and_then(|local| local.get(&HORIZONTAL_POD_AUTOSCALERS, "default", "web"));
        let conditions = hpa.as_ref().and_then(|hpa| hpa.pointer("/status/conditions")?.as_array().cloned());
        let limited = |held: &Value| held["reason"] == "TooManyReplicas" && held["status"] == "True";
        conditions.into_iter().flatten().any(|held| limited(&held))
    };
    let elsewhere = |name: &&String| hpas.keys().any(|other| other != *name && spare(other) >= 2);
    hpas.keys().filter(wants).filter(elsewhere).cloned().collect()
}

/// One half-hour: demand moves on, and now and then a node comes or goes or the workload is rolled out.
async fn turn(stage: &Stage, step: u64, dice: &mut Dice) {
    stage.world.set_demand(demand(step));
    let name = *dice.one_of(&MEMBERS);
    let cluster = stage.world.cluster(name).expect("a member");
    match step % 4 {
        1 => cluster.add_node(&NodeSpec::new(&format!("new-{step}"), 4000, 16 * 1024)).expect("a new node"),
        3 => cluster.drain(&format!("n{}", dice.between(1, 2))).expect("drained"),
        _ => {}
    }
    if step % 12 == 6 {
        let annotations = json!({"rollout": step.to_string()});
        let patch = Patch::Merge(json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}));
        let deployments: Api<Deployment> = Api::default_namespaced(stage.user.clone());
        deployments.patch("web", &PatchParams::default(), &patch).await.expect("patched");
    }
}

#[tokio::test(start_paused = true)]
async fn for_a_day_the_totals_hold_at_every_change_in_any_member_while_share_moves_with_the_sun() {
    let seconds = number("FEDSCALER_DAY_HOURS").unwrap_or(2) * 3600;
    let demand = demand(0);
    let mut stage = Stage::set(Setting { seed: 5, members: members(), demand, lags: Lags::default() }).await;
    stage.start_controllers();
    stage.apply(&fed_hpa().to_string()).await;
    assert!(stage.rest(60, 1800).await, "{:?}", stage.numbers());
    let (mut seen, mut dice) = (Seen::default(), Dice::of(5));
    for step in 0..STEPS {
        turn(&stage, step, &mut dice).await;
        stage.run_under(seconds / STEPS, &mut |stage| seen.look(stage)).await;
    }
    println!("{} changes of shares, {} writes", seen.moves, stage.writes().len());
    for (member, starved) in &seen.saturated {
        println!("{member} was saturated for {starved:.0} s of {seconds} while another had slack");
    }
    assert_eq!(seen.broken, Vec::<String>::new());
    assert_eq!(stage.audit.violations(), []);
    assert_eq!(stage.reschedules(), 0);
    assert!(seen.moves > STEPS / 2, "only {} changes: share hardly moves", seen.moves);
    assert!(seen.moves < STEPS * 30, "{} changes of shares", seen.moves);
    #[expect(clippy::cast_precision_loss, reason = "a few thousand seconds")]
    let most = seconds as f64 / 3.0;
    assert!(seen.saturated.values().all(|starved| *starved < most), "{:?}", seen.saturated);
}
