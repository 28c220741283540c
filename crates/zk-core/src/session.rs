//! One ZooKeeper session: its id and its negotiated timeout.

use std::fmt;
use std::time::Duration;

/// A ZooKeeper session id, shown in hexadecimal as the server's own logs do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub i64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// In hexadecimal, as it shows.
#[cfg(feature = "serde")]
impl serde::Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One ZooKeeper session, as the ensemble granted it.
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id: the `ephemeralOwner` in the stat of its ephemeral znodes.
    pub id: SessionId,
    /// The negotiated session timeout: the ensemble clamps the requested one to 2 to 20 of its ticks.
    #[cfg_attr(feature = "serde", serde(with = "crate::humane"))]
    pub timeout: Duration,
}
