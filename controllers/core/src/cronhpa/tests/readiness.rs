//! How long it took until replicas were ready.

use super::*;
use crate::cronhpa::readiness::{awaited, first_look};

/// Leads nine o'clock by ten minutes.
fn led() -> World {
    let morning = point("0 9 * * *", Sets::Count(8)).lead(600);
    let evening = point("0 20 * * *", Sets::Count(2));
    let mut world =
        World::new(policy(Aim::Workload, [("morning", morning), ("evening", evening)]), Level::exactly(2));
    world.run("2026-03-02T06:00:00Z");
    world
}

fn look(world: &mut World, now: &str, ready: impl Into<Option<u32>>) {
    let facts = Facts { ready: ready.into(), ..world.facts(at(now)) };
    let decision = decide(&world.policy, &facts);
    world.memory = settle(&world.policy, &facts, &decision, &Outcome::Done, at(now));
}

fn ready(world: &World, rule: &str) -> Option<DateTime<Utc>> {
    let rule = &world.memory.rules[rule];
    assert_eq!(rule.last.as_ref().unwrap().ready, rule.history[0].ready);
    rule.history[0].ready
}

#[test]
fn replicas_are_watched_from_the_write_until_they_are_ready() {
    let mut world = led();
    assert!(awaited(&world.policy, &world.memory, at("2026-03-02T06:00:00Z")).is_empty());
    world.run("2026-03-02T08:50:00Z");
    let waits = awaited(&world.policy, &world.memory, at("2026-03-02T08:50:00Z"));
    assert_eq!((waits.len(), waits["morning"].replicas), (1, 8));
    look(&mut world, "2026-03-02T08:50:10Z", 5);
    look(&mut world, "2026-03-02T08:50:20Z", None);
    assert_eq!(ready(&world, "morning"), None);
    look(&mut world, "2026-03-02T08:52:00Z", 8);
    assert_eq!(ready(&world, "morning"), Some(at("2026-03-02T08:52:00Z")));
    look(&mut world, "2026-03-02T08:53:00Z", 9);
    assert_eq!(ready(&world, "morning"), Some(at("2026-03-02T08:52:00Z")), "what was seen first stands");
    assert!(awaited(&world.policy, &world.memory, at("2026-03-02T08:53:00Z")).is_empty());
}

#[test]
fn they_are_looked_for_soon_once_and_for_an_hour() {
    let mut world = led();
    world.run("2026-03-02T08:50:00Z");
    let after = |seconds| {
        let now = at("2026-03-02T08:50:00Z") + TimeDelta::seconds(seconds);
        let awaited = awaited(&world.policy, &world.memory, now);
        (awaited.len(), first_look(&awaited, now).map(|look| look.num_seconds()))
    };
    assert_eq!((after(0), after(3)), ((1, Some(5)), (1, Some(2))));
    assert_eq!(after(5), (1, None), "from then on changes tell");
    assert_eq!(after(3601), (0, None), "after an hour nobody waits any longer");
}

#[test]
fn what_asks_for_no_replicas_is_not_watched() {
    let rules = [
        ("max", point("0 9 * * *", bounds(None, 9))),
        ("zero", point("0 9 * * *", bounds(0, 9))),
        ("window", window("0 8 * * *", "0 9 * * *", bounds(5, None))),
    ];
    let mut world = World::new(policy(Aim::FedHpa, rules), None);
    world.run("2026-03-02T07:00:00Z");
    world.run("2026-03-02T08:00:00Z");
    let now = at("2026-03-02T08:00:00Z");
    assert_eq!(awaited(&world.policy, &world.memory, now)["window"].replicas, 5);
    world.run("2026-03-02T09:00:00Z");
    assert!(awaited(&world.policy, &world.memory, at("2026-03-02T09:00:00Z")).is_empty());
}
