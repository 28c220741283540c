//! The table that a reader picks from.

use std::sync::Arc;

use crate::config::BalancerConfig;
use crate::shared::Shared;
use crate::table::{Standing, Table, Tier};

/// The table that a reader picks from, and what it means for most picks.
pub(super) struct View<K, V> {
    version: u64,
    pub(super) table: Arc<Table<K, V>>,
    /// The first tier, if every pick is made from it and every entry of it may be used; else an empty one.
    pub(super) simple: Tier<K, V>,
    /// Whether somebody's slow start may not be over.
    pub(super) is_slow: bool,
}

impl<K, V> View<K, V> {
    pub(super) fn new(shared: &Shared<K, V>) -> Self {
        let mut view = Self { version: 0, table: Arc::default(), simple: Tier::default(), is_slow: false };
        view.load(shared);
        view
    }

    /// Loads the table, if there is another one.
    #[inline]
    pub(super) fn refresh(&mut self, shared: &Shared<K, V>) {
        if shared.head.version() != self.version {
            self.load(shared);
        }
    }

    #[cold]
    fn load(&mut self, shared: &Shared<K, V>) {
        // First the number: if a table follows in between, the next pick loads it.
        self.version = shared.head.version();
        self.table = shared.table();
        self.is_slow = self.table.slow_until_ms > 0;
        self.simple = if self.is_slow { Tier::default() } else { simple(&self.table, &shared.config) };
    }

    /// Ends the slow start when its time is over.
    pub(super) fn end_slow_start(&mut self, config: &BalancerConfig, now_ms: u64) {
        if self.is_slow && now_ms >= self.table.slow_until_ms {
            self.is_slow = false;
            self.simple = simple(&self.table, config);
        }
    }
}

/// The tier that every pick is made from and of which every entry may be used, if there is one and no slow start; else an empty one.
fn simple<K, V>(table: &Table<K, V>, config: &BalancerConfig) -> Tier<K, V> {
    let is_simple = table.spill == 0.0 && config.max_in_flight.is_none();
    let first = table.tiers.first().filter(|tier| is_simple && tier.standing != Standing::Refused);
    first.cloned().unwrap_or_default()
}

impl<K, V> Clone for View<K, V> {
    fn clone(&self) -> Self {
        let Self { version, ref table, ref simple, is_slow } = *self;
        Self { version, table: Arc::clone(table), simple: simple.clone(), is_slow }
    }
}
