//! Which endpoints are in the client's subset.

use std::collections::BTreeMap;

use super::member::Traits;
use crate::config::Subset;
use crate::hash::{mix, stable_hash};

/// The place of an endpoint in the order of one client: rendezvous hashing (Thaler and Ravishankar 1998), as in gRPC's proposal
/// A68. Those of the zone come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_remote: bool,
    score: u64,
    hash: u64,
}

impl Rank {
    fn new(client: u64, hash: u64, in_zone: bool) -> Self {
        Self { is_remote: !in_zone, score: mix(client, hash), hash }
    }
}

/// The first endpoints in the order of one client, and the others.
pub(super) struct SubsetMembers<K> {
    size: usize,
    client: u64,
    inside: BTreeMap<Rank, K>,
    outside: BTreeMap<Rank, K>,
}

impl<K: Clone> SubsetMembers<K> {
    pub(super) fn new(Subset { size, client }: &Subset) -> Self {
        let (size, client) = (*size, stable_hash(client.as_str()));
        Self { size, client, inside: BTreeMap::new(), outside: BTreeMap::new() }
    }

    /// Adds an endpoint, removes it, or moves it, as what it is has changed. Returns those that are inside now, or not any more.
    pub(super) fn change(
        &mut self,
        key: &K,
        hash: u64,
        before: Option<Traits>,
        now: Option<Traits>,
    ) -> Vec<(K, bool)> {
        // One that takes no calls takes no place.
        let is_open = |traits: &Traits| traits.matches && traits.is_open;
        let rank = |traits: Traits| Rank::new(self.client, hash, traits.in_zone);
        let (before, now) = (before.filter(is_open).map(rank), now.filter(is_open).map(rank));
        if before == now {
            return Vec::new();
        }
        let mut changed = before.map(|before| self.remove(&before)).unwrap_or_default();
        changed.extend(now.map(|now| self.insert(now, key.clone())).unwrap_or_default());
        changed
    }

    /// Adds an endpoint. Returns those that are inside now, or not any more.
    fn insert(&mut self, rank: Rank, key: K) -> Vec<(K, bool)> {
        let is_inside = self.inside.len() < self.size
            || self.inside.last_key_value().is_some_and(|(last, _)| rank < *last);
        if !is_inside {
            self.outside.insert(rank, key);
            return Vec::new();
        }
        self.inside.insert(rank, key.clone());
        let mut changed = vec![(key, true)];
        if self.inside.len() > self.size
            && let Some((rank, last)) = self.inside.pop_last()
        {
            changed.push((last.clone(), false));
            self.outside.insert(rank, last);
        }
        changed
    }

    /// Removes an endpoint. Returns those that are inside now, or not any more.
    fn remove(&mut self, rank: &Rank) -> Vec<(K, bool)> {
        self.outside.remove(rank);
        let Some(key) = self.inside.remove(rank) else { return Vec::new() };
        let mut changed = vec![(key, false)];
        if let Some((rank, first)) = self.outside.pop_first() {
            changed.push((first.clone(), true));
            self.inside.insert(rank, first);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_subset_is_the_first_endpoints_of_a_sorted_list(
            size in 1..6_usize,
            steps in prop::collection::vec((any::<bool>(), 0..12_u64), 0..60),
        ) {
            let mut subset = SubsetMembers::new(&Subset { size, client: "7".into() });
            let (mut model, mut inside) = (BTreeSet::new(), BTreeSet::new());
            let rank = |key: u64| Rank::new(7, key, key.is_multiple_of(3));
            for (adds, key) in steps {
                let changed = if adds && model.insert((rank(key), key)) {
                    subset.insert(rank(key), key)
                } else if !adds && model.remove(&(rank(key), key)) {
                    subset.remove(&rank(key))
                } else {
                    continue;
                };
                for (key, is_inside) in changed {
                    let differs = if is_inside { inside.insert(key) } else { inside.remove(&key) };
                    prop_assert!(differs);
                }
                prop_assert_eq!(&inside, &model.iter().take(size).map(|(_, key)| *key).collect());
            }
        }
    }
}
