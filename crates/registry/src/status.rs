//! What is true of a registration.

use std::fmt;

use instance::Owner;
use zk_core::{SessionId, Zxid};

/// What is true of a registration now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Status {
    /// Not registered, and being worked on.
    Pending {
        /// What stands in the way, if something failed.
        trouble: Option<String>,
    },
    /// The znode stands, is ours, and holds our data; the link is up.
    Registered {
        /// The znode's birth: another one means that it was created anew.
        czxid: Zxid,
        /// The session that owns it.
        session: SessionId,
    },
    /// It was registered when the link went down. The znode stands for as long as the ensemble holds
    /// the session.
    Unconfirmed,
    /// Somebody else holds the name. It is taken when it falls free.
    Conflict(Holder),
    /// Deregistered, and gone. Final.
    Deregistered,
    /// The link to the ensemble was closed first, and without the ensemble's word: the znode goes with
    /// its session. Final.
    Abandoned,
}

/// Who holds a name that is not ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// The session that owns the znode; `None` for a persistent znode, which no session's end removes.
    pub session: Option<SessionId>,
    /// Who says to have written it, where the data tells.
    pub owner: Option<Owner>,
}

impl Status {
    /// Whether the znode is known to stand at this moment.
    pub fn is_registered(&self) -> bool {
        matches!(self, Self::Registered { .. })
    }

    /// Whether it will never be registered again.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Deregistered | Self::Abandoned)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.session {
            Some(session) => write!(f, "session {session}")?,
            None => f.write_str("a persistent znode, to be deleted by hand")?,
        }
        if let Some(owner) = &self.owner {
            write!(f, ", incarnation {}", owner.incarnation())?;
            if let Some(host) = owner.host() {
                write!(f, ", host {host}")?;
            }
            if let Some(pid) = owner.pid() {
                write!(f, ", pid {pid}")?;
            }
        }
        Ok(())
    }
}
