//! What is remembered of endpoints that left.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

use super::health::Identity;

/// For how long an endpoint that left is remembered, in case it comes back.
pub const MEMORY: Duration = Duration::from_secs(60);

/// How many endpoints that left are remembered; those that left first are forgotten first.
pub const MAX_ABSENT: usize = 1024;

/// The endpoints that left a while ago.
pub(super) struct Absent<K> {
    /// With the order in which they left.
    identities: HashMap<K, (u64, Identity)>,
    /// In that order, with the moment.
    left: BTreeMap<u64, (u64, K)>,
    count: u64,
}

impl<K> Default for Absent<K> {
    fn default() -> Self {
        Self { identities: HashMap::new(), left: BTreeMap::new(), count: 0 }
    }
}

impl<K: Eq + Hash + Clone> Absent<K> {
    pub(super) fn remember(&mut self, key: K, identity: Identity, now_ms: u64) {
        self.count += 1;
        self.left.insert(self.count, (now_ms, key.clone()));
        if let Some((number, _)) = self.identities.insert(key, (self.count, identity)) {
            self.left.remove(&number);
        }
        if self.left.len() > MAX_ABSENT {
            self.forget_first();
        }
    }

    pub(super) fn take(&mut self, key: &K) -> Option<Identity> {
        let (number, identity) = self.identities.remove(key)?;
        self.left.remove(&number);
        Some(identity)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut Identity> {
        self.identities.get_mut(key).map(|(_, identity)| identity)
    }

    pub(super) fn forget_old(&mut self, now_ms: u64) {
        let oldest = now_ms.saturating_sub(MEMORY.as_millis() as u64);
        while self.left.first_key_value().is_some_and(|(_, (at_ms, _))| *at_ms < oldest) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, (_, key))) = self.left.pop_first() {
            self.identities.remove(&key);
        }
    }
}
