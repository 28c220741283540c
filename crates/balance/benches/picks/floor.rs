//! The least that a pick can be: a slice of endpoints in the reader, a version that tells of a change, a few atomics.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use balance::Rng;

pub(crate) struct Floor<K> {
    shared: Arc<Shared<K>>,
}

#[repr(align(64))]
struct Shared<K> {
    version: AtomicU64,
    entries: Mutex<Arc<[Arc<Entry<K>>]>>,
}

/// On a cache line of its own, as nobody wants two endpoints on one.
#[repr(align(64))]
struct Entry<K> {
    key: K,
    in_flight: AtomicU32,
}

impl<K> Floor<K> {
    pub(crate) fn new(keys: impl Iterator<Item = K>) -> Self {
        let entries = keys.map(|key| Arc::new(Entry { key, in_flight: AtomicU32::new(0) })).collect();
        Self { shared: Arc::new(Shared { version: AtomicU64::new(1), entries: Mutex::new(entries) }) }
    }

    pub(crate) fn reader(&self, seed: u64) -> Reader<K> {
        let shared = Arc::clone(&self.shared);
        Reader { shared, version: 0, entries: Arc::new([]), rng: Rng::new(seed), next: 0 }
    }
}

// Two readers in neighbouring memory do not share a cache line.
#[repr(align(64))]
pub(crate) struct Reader<K> {
    shared: Arc<Shared<K>>,
    version: u64,
    entries: Arc<[Arc<Entry<K>>]>,
    rng: Rng,
    next: usize,
}

impl<K> Reader<K> {
    #[inline]
    pub(crate) fn random(&mut self) -> Option<&K> {
        self.refresh();
        let index = self.rng.below(self.entries.len());
        self.entries.get(index).map(|entry| &entry.key)
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Option<&K> {
        self.refresh();
        let index = if self.next < self.entries.len() { self.next } else { 0 };
        self.next = index + 1;
        self.entries.get(index).map(|entry| &entry.key)
    }

    #[inline]
    pub(crate) fn two_choices(&mut self) -> Option<Held<K>> {
        self.refresh();
        let [a, b] = [0; 2].map(|_| self.rng.below(self.entries.len()));
        let (a, b) = (self.entries.get(a)?, self.entries.get(b)?);
        let is_first = a.in_flight.load(Ordering::Relaxed) <= b.in_flight.load(Ordering::Relaxed);
        let chosen = if is_first { a } else { b };
        chosen.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Held { entry: Arc::clone(chosen) })
    }

    #[inline]
    fn refresh(&mut self) {
        if self.shared.version.load(Ordering::Acquire) != self.version {
            self.reload();
        }
    }

    #[cold]
    fn reload(&mut self) {
        self.version = self.shared.version.load(Ordering::Acquire);
        self.entries = Arc::clone(&self.shared.entries.lock().unwrap());
    }
}

/// A call in flight.
pub(crate) struct Held<K> {
    entry: Arc<Entry<K>>,
}

impl<K> Drop for Held<K> {
    #[inline]
    fn drop(&mut self) {
        self.entry.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
