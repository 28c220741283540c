//! The search of a whole table, for picks that cannot be made from its first tier without a look at each entry.

use std::sync::atomic::Ordering;

use super::error::PickError;
use super::slow_start::SlowStart;
use super::wish::Wish;
use crate::candidates::Candidates;
use crate::entry::Entry;
use crate::picker::{Context, Picker};
use crate::rng::Rng;
use crate::table::{Slot, Standing, Table, Tier};

/// How many proposals of the picker are looked at before all endpoints are.
pub(super) const PROPOSALS: usize = 8;

/// What is to be found.
pub(super) struct Search<'t, 'w, K, V> {
    pub(super) table: &'t Table<K, V>,
    pub(super) wish: &'w Wish<'w, K, V>,
    /// How many calls in flight are too many.
    pub(super) limit: u32,
    pub(super) slow_start: Option<SlowStart>,
    /// A random number of the reader for life.
    pub(super) whim: u64,
    /// What the picker is told, and what is the time.
    pub(super) now_ms: u64,
}

impl<'t, K, V> Search<'t, '_, K, V> {
    /// Looks through the tiers for an endpoint that may be used. `clock` tells the time where it has not been asked for.
    pub(super) fn find(
        &self,
        picker: &mut impl Picker<K, V>,
        rng: &mut Rng,
        clock: impl Fn() -> u64,
    ) -> Result<Slot<'t, K, V>, PickError> {
        let table = self.table;
        let admits = |entry: &Entry<K, V>| self.wish.wants(entry) && entry.in_flight() < self.limit;
        let first = usize::from(self.spills(picker.is_by_key(), rng));
        let order = [first, 1 - first].into_iter().chain(2..table.tiers.len());
        for number in order.filter(|number| *number < table.tiers.len()) {
            let tier = &table.tiers[number];
            let index = if tier.standing == Standing::Refused {
                soonest(tier, &admits, clock(), rng)
            } else {
                self.propose(picker, &Candidates::new(tier, Some(&admits)), rng)
            };
            if let Some(slot) = index.and_then(|index| tier.slot(index)) {
                return Ok(slot);
            }
        }
        Err(self.nobody())
    }

    /// Whether the search begins with the second tier.
    fn spills(&self, is_by_key: bool, rng: &mut Rng) -> bool {
        let Table { spill, ref tiers, .. } = *self.table;
        // A part of the keys spills over, or of the readers that stay with one endpoint: not now one call, now another.
        let mut draw = || match is_by_key {
            true => Rng::new(self.wish.key.unwrap_or(self.whim)).unit(),
            false => rng.unit(),
        };
        spill > 0.0 && tiers.len() > 1 && draw() < spill
    }

    /// Chooses an endpoint of one tier.
    fn propose(
        &self,
        picker: &mut impl Picker<K, V>,
        candidates: &Candidates<'_, K, V>,
        rng: &mut Rng,
    ) -> Option<usize> {
        let mut second_best = None;
        for _ in 0..PROPOSALS {
            let context = &mut Context { rng, key: self.wish.key, now_ms: self.now_ms };
            let index = picker.pick(candidates, context);
            // To ask again one that has no choice would take its time again.
            let Some((index, entry)) = index.and_then(|index| Some((index, candidates.get(index)?))) else {
                break;
            };
            if !candidates.admits(index) {
                continue;
            }
            let share = self.slow_start.map_or(1.0, |slow_start| slow_start.share(entry));
            if share >= 1.0 || rng.unit() < share {
                return Some(index);
            }
            second_best = Some(index);
        }
        second_best.or_else(|| candidates.any_admitted(rng))
    }

    fn nobody(&self) -> PickError {
        let table = self.table;
        if table.tiers.is_empty() {
            return PickError::of_empty(table);
        }
        let is_any = table.tiers.iter().flat_map(Tier::slots).any(|slot| self.wish.wants(slot.entry));
        if is_any { PickError::Saturated } else { PickError::AllExcluded }
    }
}

/// Finds the endpoint whose ejection ends soonest, or any of those whose ejection is over: where nothing listens, something may listen first
/// where it has been tried longest ago. No strategy has a say in this.
fn soonest<K, V>(
    tier: &Tier<K, V>,
    admits: &dyn Fn(&Entry<K, V>) -> bool,
    now_ms: u64,
    rng: &mut Rng,
) -> Option<usize> {
    let mut soonest = None;
    let mut equals = 0;
    for (index, slot) in tier.slots().enumerate().filter(|(_, slot)| admits(slot.entry)) {
        let until_ms = slot.state.until_ms.load(Ordering::Relaxed).max(now_ms);
        match soonest {
            Some((best, _)) if until_ms > best => {}
            Some((best, _)) if until_ms == best => {
                // Each of them with the same probability, without a list of them.
                equals += 1;
                if rng.below(equals) == 0 {
                    soonest = Some((until_ms, index));
                }
            }
            _ => (soonest, equals) = (Some((until_ms, index)), 1),
        }
    }
    soonest.map(|(_, index)| index)
}
