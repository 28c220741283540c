//! One endpoint of the set, and what the configuration says of it.

use std::sync::Arc;

use super::health::Identity;
use super::tiers::Place;
use crate::config::BalancerConfig;
use crate::entry::Entry;
use crate::info::EndpointInfo;
use crate::table::Standing;

pub(super) struct Member<K, V> {
    pub(super) entry: Arc<Entry<K, V>>,
    pub(super) identity: Identity,
    pub(super) traits: Traits,
    /// Where it stands; `None` if it is not to be called.
    pub(super) place: Option<Place>,
}

/// What the configuration says of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    /// Has the labels.
    pub(super) matches: bool,
    /// Takes new calls.
    pub(super) is_open: bool,
    pub(super) is_held: bool,
    /// In the preferred zone, or there is none.
    pub(super) in_zone: bool,
    /// In the client's subset, or there is none.
    pub(super) in_subset: bool,
    /// The number of bits of its weight.
    pub(super) bits: u32,
}

impl<K, V> Member<K, V> {
    pub(super) fn is_in_service(&self) -> bool {
        self.identity.out.is_none()
    }

    /// Where it belongs, with the number of bits of its weight; `None` if it is not to be called.
    pub(super) fn target(&self) -> Option<(Standing, u32)> {
        let traits = self.traits;
        if !traits.matches || !traits.is_open {
            return None;
        }
        let standing = match &self.identity.out {
            Some(out) if out.is_refused => Standing::Refused,
            Some(_) => Standing::Suspect,
            None if traits.is_held => Standing::Held,
            None if traits.in_zone && traits.in_subset => Standing::Preferred,
            None => Standing::InService,
        };
        Some((standing, traits.bits))
    }
}

impl Traits {
    /// Those of a value that is in no subset yet.
    pub(super) fn new<K, V: EndpointInfo>(config: &BalancerConfig, entry: &Entry<K, V>) -> Self {
        let value = entry.value();
        let has = |(tag, wanted): &(String, String)| value.tag(tag) == Some(wanted);
        Self {
            matches: config.labels.iter().all(has),
            is_open: entry.weight() > 0 && !value.is_draining(),
            is_held: value.is_held(),
            in_zone: config.zone.as_ref().is_none_or(|zone| value.tag(&zone.tag) == Some(&*zone.name)),
            in_subset: config.subset.is_none(),
            bits: u32::BITS - entry.weight().leading_zeros(),
        }
    }
}
