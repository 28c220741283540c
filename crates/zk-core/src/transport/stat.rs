//! The metadata of a znode.

use std::fmt;

use crate::session::SessionId;

/// The metadata of a znode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// The transaction that created it: its identity.
    pub czxid: Zxid,
    /// The transaction that last wrote its data.
    pub mzxid: Zxid,
    /// The transaction that last changed its list of children.
    pub pzxid: Zxid,
    /// How often its data was written. Starts at 0 with each creation, so it does not reveal a recreated znode.
    pub version: i32,
    /// How often its list of children changed.
    pub cversion: i32,
    /// The session that owns it; `None` for a persistent znode.
    pub ephemeral_owner: Option<SessionId>,
    /// Bytes of data.
    pub data_length: i32,
    /// Number of children.
    pub num_children: i32,
}

/// The version of a znode's list of children. Another list version, greater or smaller, means that the list may have
/// changed; the same list version in the same session means that it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListVersion {
    /// The znode does not exist, so there is no list.
    Absent,
    /// The numbers that change with every child created or deleted, and with the znode itself.
    Present {
        /// The znode's identity.
        czxid: Zxid,
        /// The transaction that last changed the list.
        pzxid: Zxid,
        /// How often the list changed.
        cversion: i32,
    },
}

impl ListVersion {
    /// The list version of a stat, or of a znode that does not exist.
    pub fn of(stat: Option<&Stat>) -> Self {
        match stat {
            None => Self::Absent,
            Some(stat) => Self::Present { czxid: stat.czxid, pzxid: stat.pzxid, cversion: stat.cversion },
        }
    }
}

/// A ZooKeeper transaction id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Zxid(pub i64);

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// In hexadecimal, as it shows.
#[cfg(feature = "serde")]
impl serde::Serialize for Zxid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
