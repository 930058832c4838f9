//! Recorded fleets as members.

use std::collections::BTreeSet;

use fedscaler_cmd::sandbox::{
    fleet::{Fleet, Moment, Populated},
    install::{self, Members},
    scenario::Scenario,
};
use fedscaler_sandbox::{demand::Trace, world::MemberSpec};
use fedscaler_tests::{real_input, scratch::Scratch, stage::Stage};

use super::arguments;

/// An hour with the examples on these members, after which everything agrees and nothing was broken.
async fn an_hour_on(members: Vec<MemberSpec>, replicas: i64) -> Stage {
    let mut stage = Stage::of(members, Trace::constant(replicas * 1000)).await;
    stage.start_controllers();
    install::autoscalers(&stage.user, Members::Others).await.expect("the examples are accepted");
    stage.run(3600).await;
    assert_eq!(stage.audit.violations(), []);
    assert!(stage.numbers().agree(), "{:?}", stage.numbers());
    stage
}

#[tokio::test(start_paused = true)]
async fn a_fleet_is_played_on_by_all_its_members() {
    let rows = (0..10).map(|number| format!("n{number},8000,16384,{}\n", number % 2));
    let nodes =
        Scratch::new("fleet.csv", &format!("sn,cpu_milli,memory_mib,gpu\n{}", rows.collect::<String>()));
    let rows = (0..10).map(|number| format!("t{number},3000,4096,1,900,{number},\n"));
    let head = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,scheduled_time,deletion_time\n";
    let pods = Scratch::new("tenants.csv", &format!("{head}{}", rows.collect::<String>()));
    let mut fleet = Fleet::read(nodes.path()).expect("a fleet");
    let there = fleet.populate(pods.path(), Moment::All).expect("its pods");
    assert_eq!(there, Populated { placed: 5, unplaced: 5 }, "there are five GPUs, and each has room for one");
    let members = fleet.deal(5);
    let stage = an_hour_on(members, 30).await;
    let shares: BTreeSet<_> = stage.hpas().into_keys().collect();
    assert_eq!(shares.len(), 5, "{shares:?}");
}

#[test]
fn generated_members_go_on_with_other_names() {
    for (words, expected) in [
        (&[][..], &["idc-roomy", "idc-crowded", "cloud"][..]),
        (&["--members", "2"], &["idc-roomy", "idc-crowded"]),
        (&["--members", "5"], &["idc-roomy", "idc-crowded", "cloud", "idc-roomy-2", "idc-crowded-2"]),
    ] {
        let scenario = Scenario::new(&arguments(words)).expect("a scenario");
        let names: Vec<_> = scenario.members().iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_real_fleet_that_is_full_is_played_on() {
    let what = "a real fleet as members";
    let Some(nodes) = real_input::file("openb_nodes.csv", what) else { return };
    let Some(pods) = real_input::file("openb_pods.csv", what) else { return };
    let mut fleet = Fleet::read(&nodes).expect("the nodes");
    assert_eq!(fleet.len(), 1523);
    let busiest = fleet.clone().populate(&pods, Moment::Busiest).expect("the pods");
    assert_eq!(busiest, Populated { placed: 56, unplaced: 0 });
    let all = fleet.populate(&pods, Moment::All).expect("the pods");
    assert_eq!(all.placed + all.unplaced, 7255);
    let members = fleet.deal(5);
    let sizes: Vec<_> = members.iter().map(|member| member.nodes.len()).collect();
    assert_eq!(sizes, [305, 305, 305, 304, 304]);
    an_hour_on(members, 40).await;
}
