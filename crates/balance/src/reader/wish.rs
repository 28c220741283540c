//! What a pick asks for.

use crate::entry::Entry;

/// Which endpoints are wanted.
pub(crate) type Wanted<'a, K, V> = &'a dyn Fn(&Entry<K, V>) -> bool;

/// Which endpoint a pick wants.
pub(crate) struct Wish<'a, K, V> {
    pub(crate) key: Option<u64>,
    /// `None`: any.
    pub(crate) wanted: Option<Wanted<'a, K, V>>,
}

impl<K, V> Wish<'_, K, V> {
    pub(crate) const ANY: Self = Self { key: None, wanted: None };

    pub(super) fn wants(&self, entry: &Entry<K, V>) -> bool {
        self.wanted.is_none_or(|wanted| wanted(entry))
    }
}
