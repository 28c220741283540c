//! Makes a plan from a seed.
//!
//! Bad luck comes in bursts. A burst is a few [scenes] at once, each a small story of faults that belong together, as the
//! worst happens when one fault meets the work that another has caused. Between bursts there are pauses, and now and then a
//! calm spell that is long enough for the oracle to judge the bounds.

mod dice;
mod scene;
mod scenes;
mod singles;
mod specs;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::plan::{Act, Plan, Spec, Step};
use dice::Dice;
use scene::Scene;

/// The fewest steps of a plan.
pub const FEWEST_STEPS: usize = 50;

/// The least time that the steps of a plan take.
const LEAST_CHAOS_MS: u64 = 40_000;

/// What a calm spell has beyond a session timeout: backoff, propagation, and an end of the session at a whole tick.
const CALM_BEYOND_TIMEOUT_MS: u64 = 3_000;

/// Makes the plan of a seed: the same on every machine.
pub fn generate(seed: u64) -> Plan {
    let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed));
    let spec = specs::draw(&mut dice);
    let steps = Script::new(&spec).write(&mut dice);
    Plan { seed, spec, steps }
}

/// The steps so far. Times are in milliseconds since the beginning.
struct Script<'a> {
    spec: &'a Spec,
    steps: Vec<Step>,
    /// When the next burst begins.
    now: u64,
    /// The moment of the last step.
    last: u64,
    /// When nothing lasts any more.
    quiet: u64,
    /// Which servers run.
    running: Vec<bool>,
}

impl<'a> Script<'a> {
    fn new(spec: &'a Spec) -> Self {
        let running = vec![true; spec.servers.len()];
        Self { spec, steps: Vec::new(), now: 0, last: 0, quiet: 0, running }
    }

    fn write(mut self, dice: &mut Dice) -> Vec<Step> {
        // Sometimes the fleet is left in peace until everybody is registered, and sometimes it is not.
        self.now = if dice.chance(70) { dice.range(1_000, 3_000) } else { dice.range(0, 500) };
        let fewest = FEWEST_STEPS + dice.range(0, 20) as usize;
        let mut calm_spells = dice.range(1, 2);
        while self.steps.len() < fewest || self.last < LEAST_CHAOS_MS {
            self.burst(dice);
            let calm = calm_spells > 0 && self.steps.len() > 12 && dice.chance(30);
            if calm {
                calm_spells -= 1;
                let spell = self.spec.session_timeout_ms + CALM_BEYOND_TIMEOUT_MS + dice.range(0, 1_000);
                self.now = self.quiet.max(self.now) + spell;
            } else {
                self.now += dice.range(100, 1_500);
            }
        }
        self.steps
    }

    fn burst(&mut self, dice: &mut Dice) {
        let mut acts = Vec::new();
        for _ in 0..dice.weighted(&[(3, 1), (4, 2), (2, 3)]) {
            let begin = self.now + dice.range(0, 400);
            let mut scene = Scene::new(self.spec, dice, &mut self.running, begin);
            scenes::play(&mut scene);
            acts.append(&mut scene.acts);
        }
        // Stable: what one scene does in one moment stays in its order.
        acts.sort_by_key(|(at, _)| *at);
        for (at, act) in acts {
            self.step(at, act);
        }
    }

    fn step(&mut self, at: u64, act: Act) {
        self.quiet = self.quiet.max(at + act.lasts().unwrap_or(0));
        self.steps.push(Step { after_ms: at - self.last, act });
        self.last = at;
        self.now = self.now.max(at);
    }
}

#[cfg(test)]
mod tests;
