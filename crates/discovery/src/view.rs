//! A snapshot, and how far callers can trust it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use instance::Endpoint;
use tokio::time::Instant;

use crate::snapshot::Snapshot;

/// The latest snapshot, and how far callers can trust it.
///
/// `Display` is one line for an operator: `3 instances, stale for 12.0s, 1 held`. With the feature `serde` it is written with
/// its snapshot, and with `freshness` as `{"state":"live","age":"3s"}`.
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct View {
    /// The set; `None` until the first list.
    #[cfg_attr(feature = "serde", serde(serialize_with = "shared"))]
    pub snapshot: Option<Arc<Snapshot>>,
    /// Whether the set is followed.
    pub freshness: Freshness,
    /// How many instances of the set are held: ZooKeeper does not list them any more, which is not believed yet.
    /// [`held_endpoints`](Self::held_endpoints) has their endpoints.
    pub held: usize,
    /// How many children of the root are skipped because they are no instances: names that are no endpoint, or one
    /// by which a caller would reach itself (`0.0.0.0`, `::`). Counted up to a thousand; each is logged once.
    pub skipped: usize,
    /// How many instances of the set have a record that may not be read or makes no sense: they have the default
    /// weight and no tags, or the record that was read before reading was denied. Counted up to a thousand; 0 where
    /// [only names](crate::Records::NamesOnly) are read.
    pub unreadable: usize,
    /// Why the set is not followed although the link works: missing rights, for example. Discovery tries again
    /// at least once a second. Errors of the link are in [`zk_core::State`]. In the last view: why discovery has ended.
    #[cfg_attr(feature = "serde", serde(serialize_with = "shared"))]
    pub trouble: Option<Arc<str>>,
    /// The endpoints of the held instances, sorted; `None` where there are none. As many as `held`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "shared"))]
    held_endpoints: Option<Arc<[Endpoint]>>,
}

#[cfg(feature = "serde")]
fn shared<T: serde::Serialize + ?Sized, S: serde::Serializer>(
    value: &Option<Arc<T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&value.as_deref(), serializer)
}

/// Whether a view is followed.
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "state", rename_all = "snake_case"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The link is up, the watch is set, and the set is what ZooKeeper lists, apart from held instances.
    Live {
        /// Since when, without interruption.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "age", serialize_with = "zk_core::humane::age::serialize")
        )]
        since: Instant,
    },
    /// The set is the last known one: changes since then are unknown, and nothing is removed.
    Stale {
        /// When the view became stale; before the first list, when discovery started.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "age", serialize_with = "zk_core::humane::age::serialize")
        )]
        since: Instant,
    },
}

/// What is known about the members: three different cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Members<'a> {
    /// Nothing is known: ZooKeeper has not replied yet. Wait.
    NotSynced,
    /// ZooKeeper has confirmed that there are none.
    Empty,
    /// There are members.
    Set(&'a Snapshot),
}

impl View {
    pub(crate) fn not_synced() -> Self {
        let freshness = Freshness::Stale { since: Instant::now() };
        Self {
            snapshot: None,
            freshness,
            held: 0,
            skipped: 0,
            unreadable: 0,
            trouble: None,
            held_endpoints: None,
        }
    }

    /// Takes over the endpoints that are held, which are sorted.
    pub(crate) fn set_held<'a>(&mut self, endpoints: impl Iterator<Item = &'a Endpoint> + Clone) {
        if !endpoints.clone().eq(self.held_endpoints()) {
            let endpoints: Arc<[_]> = endpoints.cloned().collect();
            self.held = endpoints.len();
            self.held_endpoints = Some(endpoints).filter(|endpoints| !endpoints.is_empty());
        }
    }

    /// Returns what is known about the members.
    pub fn members(&self) -> Members<'_> {
        match self.snapshot.as_deref() {
            None => Members::NotSynced,
            Some(snapshot) if snapshot.is_empty() => Members::Empty,
            Some(snapshot) => Members::Set(snapshot),
        }
    }

    /// Returns the endpoints of the held instances, sorted: the snapshot has them, and ZooKeeper does not list them any
    /// more. Call the others first. Empty while nothing is held.
    ///
    /// A reader of [`views`](crate::Discovery::views) is woken when others are held than before, also where the set and
    /// the number stay the same.
    pub fn held_endpoints(&self) -> &[Endpoint] {
        self.held_endpoints.as_deref().unwrap_or_default()
    }

    /// Returns whether the instance at an endpoint is held: in time that grows with the logarithm of [`held`](Self::held).
    pub fn is_held(&self, endpoint: &Endpoint) -> bool {
        self.held_endpoints().binary_search(endpoint).is_ok()
    }

    /// Returns whether the set is followed right now.
    pub fn is_live(&self) -> bool {
        matches!(self.freshness, Freshness::Live { .. })
    }

    /// Returns for how long the view has been stale; zero while it is live.
    pub fn age(&self) -> Duration {
        match self.freshness {
            Freshness::Live { .. } => Duration::ZERO,
            Freshness::Stale { since } => since.elapsed(),
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.snapshot {
            None => write!(f, "not synced for {:.1?}", self.age())?,
            Some(snapshot) => write!(f, "{} instances, {}", snapshot.len(), self.freshness)?,
        }
        let counts = [(self.held, "held"), (self.skipped, "skipped"), (self.unreadable, "unreadable")];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        self.trouble.as_ref().map_or(Ok(()), |trouble| write!(f, ": {trouble}"))
    }
}

impl fmt::Display for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live { .. } => f.write_str("live"),
            Self::Stale { since } => write!(f, "stale for {:.1?}", since.elapsed()),
        }
    }
}
