//! The nemesis: what happens when. One seed gives one plan; what the machine makes of it differs from run to run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use system_tests::SESSION;
use tokio::time::sleep;

use crate::faults::Fault;
use crate::fleet::Fleet;
use crate::kinds::Kind;
use crate::settings::BACKOFF;

/// How often a second fault happens during a first.
const OVERLAP: f64 = 0.4;

/// What happens now, for whoever wants to show it.
pub(crate) type Now = Arc<Mutex<String>>;

/// How often each kind was injected, and how often it took effect.
pub(crate) type Tally = BTreeMap<Kind, (u32, u32)>;

/// Chooses what happens.
#[derive(Debug)]
pub(crate) struct Nemesis {
    random: SmallRng,
    kinds: Vec<Kind>,
    /// Every kind once, then anew.
    deck: Vec<Kind>,
    next_id: u32,
    pub(crate) tally: Tally,
    now: Now,
}

impl Nemesis {
    pub(crate) fn new(seed: u64, kinds: Vec<Kind>, now: Now) -> Self {
        let random = SmallRng::seed_from_u64(seed);
        Self { random, kinds, deck: Vec::new(), next_id: 1, tally: Tally::new(), now }
    }

    /// One fault, perhaps with another one during it, and a rest.
    ///
    /// # Errors
    /// If the fleet or the ensemble is not what it has to be, whatever happens: the walk cannot go on.
    pub(crate) async fn step(&mut self, fleet: &mut Fleet) -> Result<(), String> {
        let kind = self.draw();
        let Some(first) = self.inject(fleet, kind).await? else { return Ok(()) };
        let mut both = vec![first];
        let local: Vec<_> = self.kinds.iter().copied().filter(|kind| kind.is_local()).collect();
        if !local.is_empty() && !both[0].hold.is_zero() && self.random.random_bool(OVERLAP) {
            let kind = local[self.random.random_range(0..local.len())];
            both.extend(self.inject(fleet, kind).await?);
        }
        both.sort_by_key(|fault| fault.hold);
        let mut held = Duration::ZERO;
        for fault in both {
            sleep(fault.hold.saturating_sub(held)).await;
            held = held.max(fault.hold);
            fleet.undo(fault).await?;
        }
        let rest = self.rest();
        "all is quiet".clone_into(&mut self.now.lock());
        sleep(rest).await;
        Ok(())
    }

    async fn inject(&mut self, fleet: &mut Fleet, kind: Kind) -> Result<Option<Fault>, String> {
        let Some(fault) = fleet.inject(&mut self.next_id, kind).await? else { return Ok(None) };
        let (injected, took_effect) = self.tally.entry(kind).or_default();
        *injected += 1;
        *took_effect += u32::from(fault.took_effect);
        fault.text.clone_into(&mut self.now.lock());
        Ok(Some(fault))
    }

    fn draw(&mut self) -> Kind {
        if self.deck.is_empty() {
            self.deck.clone_from(&self.kinds);
            self.deck.shuffle(&mut self.random);
        }
        self.deck.pop().unwrap_or(self.kinds[0])
    }

    /// Mostly a moment; sometimes long enough for everything to recover.
    fn rest(&mut self) -> Duration {
        match self.random.next_u32() % 10 {
            0..6 => SESSION * self.random.random_range(5..50) / 100,
            6..9 => SESSION * self.random.random_range(50..150) / 100,
            _ => SESSION * 2 + BACKOFF + Duration::from_secs(2),
        }
    }
}
