//! Events of watched znodes.

use tokio::time::Instant;

use super::stat::Zxid;
use crate::path::ZnodePath;

/// An event of a watched znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Which znode it happened to.
    pub path: ZnodePath,
    /// The transaction that caused it; `None` before ZooKeeper 3.9, which does not tell.
    pub zxid: Option<Zxid>,
    /// When the transport received it, by the clock of the thread that did: later delays do not show.
    pub at: Instant,
}

/// What happened to a znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It was created.
    Created,
    /// It was deleted.
    Deleted,
    /// Its data was written.
    DataChanged,
    /// A child was created or deleted; only one-shot watches of a list report this.
    ChildrenChanged,
}
