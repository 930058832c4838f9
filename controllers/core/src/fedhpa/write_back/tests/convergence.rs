//! From any numbers, through any crash, the loop comes to rest: a small model of the API server and the detector.

use proptest::prelude::*;

use super::*;

/// How far the process gets with a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// It dies after the binding's patch.
    Binding,
    /// It dies before the status has the round.
    Scale,
    /// It lives.
    Status,
}

/// A world that follows the facts: a write that changes nothing keeps the version, status updates bump it, and
/// the detector only brings versions whose spec has changed.
#[derive(Debug)]
struct World {
    scene: Scene,
    clock: u64,
    brought: bool,
}

impl World {
    fn carry_out(&mut self, reach: Reach) {
        let now = self.scene.now;
        self.scene = self.scene.clone().bound();
        if reach == Reach::Binding {
            return;
        }
        let replicas = sum(&self.scene.counts);
        if self.scene.template.replicas != replicas {
            self.clock += 1;
            self.scene.template.replicas = replicas;
            self.scene.template.version = self.clock.to_string();
            self.brought = false;
        }
        if reach == Reach::Status {
            let template_version = self.scene.template.version.clone();
            self.scene.round = Some(Round { template_version, replicas, started: now, acknowledged: None });
        }
    }

    fn detector_catches_up(&mut self) {
        if !self.brought {
            self.scene = self.scene.clone().detected();
            self.brought = true;
        }
    }

    fn status_changes(&mut self) {
        self.clock += 1;
        self.scene.template.version = self.clock.to_string();
    }

    fn step(&mut self, reach: Reach) -> bool {
        match self.scene.answer() {
            Answer::True => return true,
            Answer::Wait { until, .. } => self.scene.now = until,
            Answer::Write { .. } => self.carry_out(reach),
        }
        false
    }

    fn at_rest(&self) -> bool {
        let scene = &self.scene;
        let done = scene
            .round
            .as_ref()
            .is_none_or(|round| acknowledged(round, &scene.binding, &scene.template, scene.now));
        scene.answer() == Answer::True && done
    }
}

fn counts() -> impl Strategy<Value = BTreeMap<String, u32>> {
    prop::collection::btree_map("[a-d]", 1_u32..6, 1..5)
}

fn round() -> impl Strategy<Value = Option<Round>> {
    let version = prop_oneof![
        Just(String::new()),
        Just("garbage".to_owned()),
        (90_u32..110).prop_map(|n| n.to_string())
    ];
    let round = (version, 0_u32..20, 0_i64..3600, any::<bool>()).prop_map(
        |(template_version, replicas, started, done)| Round {
            template_version,
            replicas,
            started: at(started),
            acknowledged: done.then(|| at(started + 1)),
        },
    );
    prop::option::of(round)
}

fn world() -> impl Strategy<Value = World> {
    (counts(), counts(), 0_u32..20, 0_u32..20, round(), 0_u32..5, any::<bool>()).prop_map(
        |(counts, clusters, bound, replicas, round, resets, brought)| {
            let rest = Scene::at_rest();
            let template = Template { version: "100".into(), replicas, ..rest.template };
            let template_version = if brought { "100".into() } else { "95".into() };
            let binding = Binding { clusters, replicas: bound, template_version, ..rest.binding };
            let resets = Resets { count: resets, since: Some(at(3500)) };
            World { scene: Scene { counts, binding, template, round, resets, ..rest }, clock: 110, brought }
        },
    )
}

fn reach() -> impl Strategy<Value = Reach> {
    prop_oneof![Just(Reach::Binding), Just(Reach::Scale), Just(Reach::Status)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn from_any_numbers_and_through_any_crash_it_comes_to_rest(
        mut world in world(),
        crashes in prop::collection::vec((reach(), any::<bool>(), any::<bool>()), 0..6),
    ) {
        for (reach, detects, bumps) in crashes {
            world.step(reach);
            if detects {
                world.detector_catches_up();
            }
            if bumps {
                world.status_changes();
            }
        }
        let mut rounds = 0;
        while !world.at_rest() {
            let before = world.scene.answer();
            world.step(Reach::Status);
            rounds += u32::from(matches!(before, Answer::Write { .. }));
            world.detector_catches_up();
            world.scene.now += TimeDelta::seconds(1);
            prop_assert!(rounds <= 3, "{world:?}");
            prop_assert!(world.scene.now < at(3600 + 900), "{world:?}");
        }
        prop_assert_eq!(world.scene.template.replicas, sum(&world.scene.counts));
        prop_assert_eq!(&world.scene.binding.clusters, &world.scene.counts);
    }

    #[test]
    fn members_that_never_rest_cost_one_round_an_interval(changes in prop::collection::vec(counts(), 60)) {
        let mut world = World { scene: Scene::at_rest(), clock: 110, brought: true };
        let mut rounds = 0;
        for counts in changes {
            world.scene.counts = counts;
            if let Answer::Write { .. } = world.scene.answer() {
                rounds += 1;
                world.carry_out(Reach::Status);
            }
            world.detector_catches_up();
            world.scene.now += TimeDelta::seconds(1);
        }
        prop_assert!(rounds <= 60 / 15 + 1, "{rounds} rounds in a minute");
    }
}
