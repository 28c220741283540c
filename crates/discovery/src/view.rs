//! A snapshot, and how far it can be trusted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::snapshot::Snapshot;

/// The latest snapshot, and how far it can be trusted. Makes sense alone.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct View {
    /// The set; `None` until the first listing.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Whether the set is being followed.
    pub freshness: Freshness,
    /// Instances in the set that ZooKeeper does not list any more: a mass disappearance that is held.
    pub held: usize,
    /// Children of the root that are no instances, and are left out; counted up to a thousand.
    pub skipped: usize,
    /// Instances in the set whose records may not be read or make no sense: they have the default weight and
    /// no tags, or what was read before that was denied. Counted up to a thousand; always 0 where no records
    /// are asked for.
    pub unreadable: usize,
    /// Why the set is not being followed, if something failed on a link that works: rights that are missing,
    /// for one. It is tried again at least once a second. What is wrong with the link, the link tells.
    pub trouble: Option<Arc<str>>,
}

/// Whether a view is being followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The link is up, the watch is set, and the set is what ZooKeeper lists, but for what is held.
    Live {
        /// Since when without interruption.
        since: Instant,
    },
    /// What happened since is unknown; the set is the last one, and nothing is removed from it.
    Stale {
        /// When the link went down; or, before the first listing, when following began.
        since: Instant,
    },
}

/// What is known about the members: three different answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Members<'a> {
    /// Nothing is known: ZooKeeper has not answered yet. Wait.
    NotSynced,
    /// ZooKeeper has said that there are none.
    Empty,
    /// There are some.
    Set(&'a Snapshot),
}

impl View {
    pub(crate) fn not_synced() -> Self {
        let freshness = Freshness::Stale { since: Instant::now() };
        Self { snapshot: None, freshness, held: 0, skipped: 0, unreadable: 0, trouble: None }
    }

    /// What is known about the members.
    pub fn members(&self) -> Members<'_> {
        match self.snapshot.as_deref() {
            None => Members::NotSynced,
            Some(snapshot) if snapshot.is_empty() => Members::Empty,
            Some(snapshot) => Members::Set(snapshot),
        }
    }

    /// Whether the set is being followed right now.
    pub fn is_live(&self) -> bool {
        matches!(self.freshness, Freshness::Live { .. })
    }

    /// For how long what happens is unknown; zero while the view is live.
    pub fn age(&self) -> Duration {
        match self.freshness {
            Freshness::Live { .. } => Duration::ZERO,
            Freshness::Stale { since } => since.elapsed(),
        }
    }
}
