//! Chance that is the same for the same seed.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};

/// The dice of one seed.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Dice that fall as the seed says.
    pub fn of(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from `least` to `most`, evenly.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.0.next_u64() % (most.saturating_sub(least) + 1)
    }

    /// As [`Dice::between`], small.
    pub fn small(&mut self, least: u32, most: u32) -> u32 {
        u32::try_from(self.between(least.into(), most.into())).expect("it is between two of them")
    }

    /// Whether something happens that does so many times in a hundred.
    pub fn happens(&mut self, percent: u64) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of several.
    pub fn one_of<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        let most = several.len() as u64 - 1;
        &several[usize::try_from(self.between(0, most)).expect("an index")]
    }
}
