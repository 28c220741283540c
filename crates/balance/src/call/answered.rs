//! The outcome of a call that was answered.

use std::fmt;
use std::sync::Arc;

use crate::entry::Entry;

/// The outcome of a call that was answered.
#[derive(Clone)]
#[non_exhaustive]
pub struct Answered<K, V, T> {
    /// What the attempt returned.
    pub value: T,
    /// The endpoint that answered.
    pub entry: Arc<Entry<K, V>>,
    /// How many attempts it took, this one and hedges included; trials beside the call are none.
    pub attempts: usize,
}

impl<K, V, T> Answered<K, V, T> {
    /// Returns the key of the endpoint that answered.
    #[must_use]
    pub fn key(&self) -> &K {
        self.entry.key()
    }
}

impl<K: fmt::Debug, V, T: fmt::Debug> fmt::Debug for Answered<K, V, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered")
            .field("value", &self.value)
            .field("key", self.key())
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
