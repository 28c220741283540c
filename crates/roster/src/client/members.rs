//! The set that a client calls, at one moment.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use discovery::Snapshot;
use instance::{Endpoint, Instance};

use crate::saved::SavedList;

/// The instances that a client calls, at one moment: immutable, sorted by endpoint. A clone is cheap.
///
/// ```
/// # use std::collections::HashMap;
/// # async fn keep(client: zk_roster::Client, mut connections: HashMap<zk_roster::Endpoint, tokio::net::TcpStream>) {
/// let mut members = client.members();
/// while members.changed().await.is_ok() {
///     let members = members.borrow_and_update().clone();
///     connections.retain(|endpoint, _| members.contains(endpoint));
/// }
/// # }
/// ```
///
/// Held instances belong to it, as calls go to them where no other instance is in service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberSet(List);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum List {
    #[default]
    NotSynced,
    Saved(Arc<SavedList>),
    ZooKeeper(Arc<Snapshot>),
}

/// Where the set of a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemberSource {
    /// Nowhere yet: nothing is known, and calls wait within their time.
    NotSynced,
    /// The file of [`ClientBuilder::saved_at`](crate::ClientBuilder::saved_at): ZooKeeper has not listed the service yet.
    Saved {
        /// When it was last known to be right, by the clock of the machine that wrote it.
        at: SystemTime,
    },
    /// ZooKeeper. [`View`](discovery::View) says whether it is still followed.
    ZooKeeper,
}

impl MemberSet {
    pub(super) fn saved(list: Arc<SavedList>) -> Self {
        Self(List::Saved(list))
    }

    pub(super) fn listed(snapshot: Arc<Snapshot>) -> Self {
        Self(List::ZooKeeper(snapshot))
    }

    /// Returns where it comes from.
    #[must_use]
    pub fn source(&self) -> MemberSource {
        match &self.0 {
            List::NotSynced => MemberSource::NotSynced,
            List::Saved(list) => MemberSource::Saved { at: list.saved_at() },
            List::ZooKeeper(_) => MemberSource::ZooKeeper,
        }
    }

    /// Returns the instance at an endpoint. Takes time that grows with the logarithm of the number of members.
    #[must_use]
    pub fn get(&self, endpoint: &Endpoint) -> Option<&Arc<Instance>> {
        match &self.0 {
            List::NotSynced => None,
            List::Saved(list) => list.get(endpoint),
            List::ZooKeeper(snapshot) => snapshot.get(endpoint),
        }
    }

    /// Returns whether calls may go to an endpoint.
    #[must_use]
    pub fn contains(&self, endpoint: &Endpoint) -> bool {
        self.get(endpoint).is_some()
    }

    /// Returns the instances, sorted by endpoint.
    pub fn instances(&self) -> impl DoubleEndedIterator<Item = &Arc<Instance>> + Clone {
        let (saved, listed) = match &self.0 {
            List::NotSynced => (None, None),
            List::Saved(list) => (Some(list.instances()), None),
            List::ZooKeeper(snapshot) => (None, Some(snapshot.instances())),
        };
        saved.unwrap_or_default().iter().chain(listed.into_iter().flatten())
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            List::NotSynced => 0,
            List::Saved(list) => list.instances().len(),
            List::ZooKeeper(snapshot) => snapshot.len(),
        }
    }

    /// Returns whether there are none, known or not.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for MemberSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSynced => "not synced",
            Self::Saved { .. } => "saved",
            Self::ZooKeeper => "ZooKeeper",
        })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for MemberSource {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
