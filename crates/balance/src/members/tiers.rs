//! The endpoints in the order in which they are used.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chunked::Chunked;
use crate::entry::Entry;
use crate::table::{Class, Row, Standing, Tier};

/// Where an endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) standing: Standing,
    /// The number of bits of its weight.
    pub(super) bits: u32,
    index: usize,
}

/// The tiers, which share all that does not change with the tables made of them.
pub(super) struct Tiers<K, V> {
    classes: BTreeMap<(Standing, u32), Class<K, V>>,
}

impl<K, V> Default for Tiers<K, V> {
    fn default() -> Self {
        Self { classes: BTreeMap::new() }
    }
}

impl<K, V> Tiers<K, V> {
    pub(super) fn add(&mut self, standing: Standing, bits: u32, row: Row<K, V>) -> Place {
        let new = || Class { below: 1 << bits, total: 0, slots: Chunked::default() };
        let class = self.classes.entry((standing, bits)).or_insert_with(new);
        class.total += weight(row.entry());
        class.slots.push(row);
        Place { standing, bits, index: class.slots.len() - 1 }
    }

    /// Replaces the entry at a place. Returns whether it is another one.
    pub(super) fn set(&mut self, place: Place, row: Row<K, V>) -> bool {
        let Some(class) = self.classes.get_mut(&(place.standing, place.bits)) else { return false };
        let Some(old) = class.slots.get(place.index) else { return false };
        if std::ptr::eq(&**old.entry, row.entry()) {
            return false;
        }
        class.total = class.total - weight(old.entry) + weight(row.entry());
        class.slots.set(place.index, row);
        true
    }

    /// Removes the endpoint at a place. Returns the one that is there now, if there is one.
    pub(super) fn remove(&mut self, place: Place) -> Option<Arc<Entry<K, V>>> {
        let class = self.classes.get_mut(&(place.standing, place.bits))?;
        class.total -= class.slots.get(place.index).map_or(0, |slot| weight(slot.entry));
        let moved = class.slots.swap_remove(place.index).map(|slot| Arc::clone(slot.entry));
        if class.slots.len() == 0 {
            self.classes.remove(&(place.standing, place.bits));
        }
        moved
    }

    pub(super) fn count(&self, standing: Standing) -> usize {
        self.classes.range((standing, 0)..=(standing, u32::MAX)).map(|(_, class)| class.slots.len()).sum()
    }

    /// The tiers that are not empty. If `panics`, all but the refused ones are one tier.
    pub(super) fn snapshot(&self, panics: bool) -> Vec<Tier<K, V>> {
        let classes = |range| self.classes.range::<(Standing, u32), _>(range).map(|(_, class)| class.clone());
        if panics {
            let all = classes((Standing::Preferred, 0)..=(Standing::Suspect, u32::MAX));
            let refused = classes((Standing::Refused, 0)..=(Standing::Refused, u32::MAX));
            let tiers = [Tier::new(Standing::Suspect, all), Tier::new(Standing::Refused, refused)];
            return tiers.into_iter().flatten().collect();
        }
        let tier = |standing| Tier::new(standing, classes((standing, 0)..=(standing, u32::MAX)));
        Standing::ALL.into_iter().filter_map(tier).collect()
    }
}

fn weight<K, V>(entry: &Entry<K, V>) -> u64 {
    u64::from(entry.weight())
}

#[cfg(test)]
impl<K, V> Tiers<K, V> {
    pub(super) fn get(&self, place: Place) -> Option<crate::table::Slot<'_, K, V>> {
        self.classes.get(&(place.standing, place.bits))?.slots.get(place.index)
    }
}
