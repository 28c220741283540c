//! Where randomness and wall-clock time come from.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Where a link, and everything on it, takes randomness and wall-clock time from. Cheap to clone; clones share the
/// generator.
///
/// With the same seed, the same ensemble and the same order of calls, the same is drawn: so a run can be replayed.
#[derive(Clone)]
pub struct Sources {
    rng: Arc<Mutex<SmallRng>>,
    wall_clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Sources {
    /// Random numbers seeded by the system, and the system's clock.
    pub fn system() -> Self {
        Self::from_rng(rand::make_rng())
    }

    /// Random numbers that follow from a seed, and the system's clock.
    pub fn seeded(seed: u64) -> Self {
        Self::from_rng(SmallRng::seed_from_u64(seed))
    }

    fn from_rng(rng: SmallRng) -> Self {
        Self { rng: Arc::new(Mutex::new(rng)), wall_clock: Arc::new(SystemTime::now) }
    }

    /// Takes the wall-clock time from a function instead.
    pub fn with_wall_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.wall_clock = Arc::new(now);
        self
    }

    /// A new generator, for one task.
    pub fn rng(&self) -> SmallRng {
        SmallRng::seed_from_u64(self.rng.lock().next_u64())
    }

    /// The wall-clock time.
    pub fn wall_clock(&self) -> SystemTime {
        (self.wall_clock)()
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn draw(sources: &Sources) -> [u64; 2] {
        [sources.rng().next_u64(), sources.clone().rng().next_u64()]
    }

    #[test]
    fn a_seed_draws_the_same_again_and_each_generator_something_else() {
        let drawn = draw(&Sources::seeded(7));
        assert_eq!(drawn, draw(&Sources::seeded(7)));
        assert_ne!(drawn, draw(&Sources::seeded(8)));
        assert_ne!(drawn[0], drawn[1]);
        assert_ne!(draw(&Sources::system()), draw(&Sources::system()));
    }

    #[test]
    fn wall_clock_time_comes_from_the_given_function() {
        assert_eq!(Sources::seeded(7).with_wall_clock(|| UNIX_EPOCH).wall_clock(), UNIX_EPOCH);
    }
}
