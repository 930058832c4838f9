//! The controllers are killed again and again, and nothing of it is seen.

use std::{env, time::Duration};

use fedscaler_tests::rig::place::Workload;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use tokio::time::{Instant, sleep};

use crate::{
    house::{House, scenarios},
    room::uids,
};

scenarios! {
    beside: [],
    alone: [
        controllers_that_are_killed_at_random_leave_no_trace,
    ],
}

/// For how many minutes; a full proof takes ten.
const MINUTES: &str = "FEDSCALER_KILL_MINUTES";

async fn controllers_that_are_killed_at_random_leave_no_trace(house: &mut House) {
    let minutes = env::var(MINUTES).ok().and_then(|minutes| minutes.parse().ok()).unwrap_or(2);
    let place = house.place("chaos", Workload::Deployment, 10).await;
    place.apply(&place.fed_hpa(10, 40)).await;
    place.in_order("the start", |now| now.template == 10).await;
    let (uids, divisions) = (uids(&place).await, place.divisions());
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    let (end, mut kills, mut reset) = (Instant::now() + Duration::from_mins(minutes), 0, 0);
    while Instant::now() < end {
        match dice.next_u32() % 4 {
            // A third time in ten minutes would be contested, and then it waits.
            0 if reset < 2 => {
                reset += 1;
                place.apply(&place.manifest(dice.next_u32() % 20)).await;
            }
            1 => place.apply(&place.fed_hpa(4 + dice.next_u32() % 12, 30 + dice.next_u32() % 10)).await,
            _ => {}
        }
        sleep(Duration::from_millis(u64::from(dice.next_u32() % 8000))).await;
        house.kill("one").await;
        kills += 1;
        // The Lease of a process that was killed is respected for its whole time: that it was freed is played here.
        free_lease(house).await;
        house.start("one").await;
        assert_eq!(crate::room::uids(&place).await, uids, "no workload is deleted");
    }
    println!("killed {kills} times in {minutes} minutes");
    place.apply(&place.fed_hpa(11, 40)).await;
    place.in_order("all is in order after quiet", |now| now.template == 11).await;
    assert_eq!(crate::room::uids(&place).await, uids);
    assert_eq!(place.divisions(), divisions);
    place.leave().await;
}

async fn free_lease(house: &House) {
    let patch = ["-n", "fedscaler-system", "patch", "lease", "fedscaler", "--type=merge", "-p"];
    let nobody = "{\"spec\": {\"holderIdentity\": \"\"}}";
    let arguments: Vec<&str> = patch.into_iter().chain([nobody]).collect();
    house.rig.kubectl("karmada", &arguments, "").await.expect("the Lease is freed");
}
