//! Random fleets on their way from one division to another.

use proptest::prelude::*;

use super::{
    model::{Member, World},
    *,
};
use crate::fedhpa::{
    split::{Claim, Floors, ideal, total},
    trail::Trail,
};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// Long enough for a wake-up, a few settlings of 45 s in turn and slow pods.
const PATIENCE: i64 = 900;

/// A fleet's loads and limits.
#[derive(Clone, Debug)]
struct Shape {
    loads: Vec<u32>,
    rules: Vec<(u32, u32, u64)>,
    min: u32,
    headroom: u32,
}

fn shape() -> impl Strategy<Value = Shape> {
    let loads = prop::collection::vec(prop_oneof![1 => Just(0_u32), 3 => 0_u32..12], NAMES.len());
    let rules = prop::collection::vec((0_u32..2, 0_u32..3, 1_u64..9), NAMES.len());
    (loads, rules, 1_u32..20, 0_u32..15).prop_map(|(loads, rules, min, headroom)| Shape {
        loads,
        rules,
        min,
        headroom,
    })
}

impl Shape {
    fn totals(&self) -> Bounds {
        let floors: u32 = self.rules.iter().map(|(_, floor, _)| (*floor).max(1)).sum();
        let max = (self.loads.iter().sum::<u32>() + self.headroom).max(floors) + 4;
        Bounds { min: self.min.min(max), max }
    }

    fn shares(&self, totals: Bounds, candidates: &[bool]) -> Shares {
        let claim = |index: usize| {
            let (tier, floor, weight) = self.rules[index];
            let demand = self.loads[index];
            let open = u32::MAX;
            Claim {
                tier,
                weight,
                floor,
                cap: open,
                ceiling: open,
                demand,
                thirst: 0,
                awake: demand > 0,
                to_zero: false,
            }
        };
        let claims = (0..NAMES.len()).filter(|index| candidates[*index]);
        let claims: BTreeMap<String, Claim> =
            claims.map(|index| (NAMES[index].to_owned(), claim(index))).collect();
        ideal(totals, Groups::ANY, &claims, Floors::ByWeight, &mut Trail::default()).shares
    }
}

#[derive(Clone, Debug)]
struct Habits {
    tells: Vec<bool>,
    phases: Vec<i64>,
    slowness: u32,
    seed: u64,
    crashes: u32,
}

fn habits() -> impl Strategy<Value = Habits> {
    let tells = prop::collection::vec(any::<bool>(), NAMES.len());
    let phases = prop::collection::vec(0_i64..15, NAMES.len());
    (tells, phases, 0_u32..40, any::<u64>(), 0_u32..4).prop_map(|(tells, phases, slowness, seed, crashes)| {
        Habits { tells, phases, slowness, seed, crashes }
    })
}

/// A fleet at rest in one division, about to move to another.
fn world(from: &Shape, to: &Shape, totals: Bounds, candidates: &[bool], habits: &Habits) -> World {
    let old = from.shares(totals, &[true; 4]);
    let target = to.shares(totals, candidates);
    let member = |index: usize| {
        let wish = to.loads[index];
        let member =
            old.get(NAMES[index]).map_or_else(|| Member::asleep(wish), |share| Member::settled(wish, *share));
        let (tells, phase, slowness) = (habits.tells[index], habits.phases[index], habits.slowness);
        (NAMES[index].to_owned(), Member { tells, phase, slowness, ..member })
    };
    let mut world = World::new(totals, target, (0..NAMES.len()).map(member).collect(), habits.seed);
    world.crashes = habits.crashes;
    world
}

/// Runs until the target is reached, the totals being checked every second.
fn run(mut world: World, patience: i64) -> Result<World, TestCaseError> {
    let mut min_reached = false;
    let needed = world.totals.min.min(total(&world.target).min);
    while !world.arrived() {
        world.second();
        let (max, min) = (world.max_in_effect(), world.min_in_effect());
        prop_assert!(max <= world.totals.max + world.surge, "max {max} at {}: {world:?}", world.now);
        prop_assert!(!min_reached || min >= needed, "min {min} at {}: {world:?}", world.now);
        min_reached |= min >= needed;
        prop_assert!(world.now < patience, "stuck with {:?}: {world:?}", world.plan());
    }
    Ok(world)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_totals_hold_on_every_way_and_every_way_ends(
        from in shape(), to in shape(), habits in habits(),
    ) {
        let totals = to.totals();
        run(world(&from, &to, totals, &[true; 4], &habits), PATIENCE)?;
    }

    #[test]
    fn clusters_leave_when_their_load_fits_elsewhere(
        from in shape(), to in shape(), habits in habits(), gone in 0_usize..4,
    ) {
        let mut candidates = [true; 4];
        candidates[gone] = false;
        let loads: u32 = to.loads.iter().sum();
        let to = Shape { headroom: to.headroom + loads, ..to };
        let totals = to.totals();
        prop_assume!(totals.min + 12 <= totals.max);
        let world = run(world(&from, &to, totals, &candidates, &habits), 2 * PATIENCE)?;
        prop_assert_eq!(world.members[NAMES[gone]].max_in_effect(), 0);
    }

    #[test]
    fn a_pinned_total_moves_with_a_surge_of_what_moves(
        from in shape(), to in shape(), habits in habits(),
    ) {
        let totals = Bounds::pinned(to.totals().max);
        let mut world = world(&from, &to, totals, &[true; 4], &habits);
        let old = world.shares();
        let moves: u32 = old
            .iter()
            .map(|(name, share)| share.max.saturating_sub(world.target.get(name).map_or(0, |share| share.max)))
            .sum();
        for _ in 0..PATIENCE {
            world.second();
            prop_assert!(world.surge <= moves, "surge {} for {moves}", world.surge);
            prop_assert!(world.max_in_effect() <= totals.max + moves);
        }
    }

    #[test]
    fn a_lower_total_is_told_as_a_surge_until_it_is_in_force(
        from in shape(), to in shape(), habits in habits(), fall in 1_u32..20,
    ) {
        let new = to.totals();
        let old = Bounds { max: new.max + fall, ..new };
        let mut world = world(&from, &to, old, &[true; 4], &Habits { crashes: 0, ..habits });
        world.totals = new;
        world.target = to.shares(new, &[true; 4]);
        for second in 0..PATIENCE {
            world.second();
            let max = world.max_in_effect();
            prop_assert!(max <= new.max + world.surge || second < 60, "{max}: {world:?}");
        }
        prop_assert!(world.arrived(), "{:?} {world:?}", world.plan());
        prop_assert!(world.max_in_effect() <= new.max);
    }

    #[test]
    fn loads_that_never_rest_do_not_break_the_totals(
        from in shape(), to in shape(), habits in habits(), changes in prop::collection::vec(0_u32..30, 40),
    ) {
        let totals = to.totals();
        let mut world = world(&from, &to, totals, &[true; 4], &habits);
        let mut min_reached = false;
        let needed = totals.min.min(total(&world.target).min);
        for (turn, wish) in changes.into_iter().enumerate() {
            world.members.get_mut(NAMES[turn % NAMES.len()]).unwrap().wish = wish;
            for _ in 0..20 {
                world.second();
                let (max, min) = (world.max_in_effect(), world.min_in_effect());
                prop_assert!(max <= totals.max + world.surge, "max {max} at {}: {world:?}", world.now);
                prop_assert!(!min_reached || min >= needed, "min {min} at {}: {world:?}", world.now);
                min_reached |= min >= needed;
            }
        }
    }

    #[test]
    fn a_running_workload_is_taken_over_where_it_stands(loads in shape(), habits in habits()) {
        let running: Vec<u32> = loads.loads.iter().map(|load| load + 1).collect();
        let sum: u32 = running.iter().sum();
        let totals = Bounds { min: loads.min.min(sum), max: sum + loads.headroom };
        let members = NAMES.iter().zip(&running).zip(&habits.tells).map(|((name, load), tells)| {
            ((*name).to_owned(), Member { tells: *tells, slowness: habits.slowness, ..Member::found(*load) })
        });
        let claims = NAMES.iter().zip(&running).map(|(name, load)| {
            let open = u32::MAX;
            let claim = Claim { tier: 0, weight: 1, floor: 0, cap: open, ceiling: open, demand: *load, thirst: 0, awake: true, to_zero: false };
            ((*name).to_owned(), claim)
        });
        let claims = claims.collect();
        let target = ideal(totals, Groups::ANY, &claims, Floors::UnderWhatRuns, &mut Trail::default()).shares;
        let world = run(World::new(totals, target, members.collect(), habits.seed), PATIENCE)?;
        for (name, member) in &world.members {
            prop_assert_eq!(member.max_in_effect().min(member.wish), claims[name].demand);
        }
    }
}
