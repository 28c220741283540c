//! What is true of a registration.

use std::fmt;

use instance::Owner;
use zk_core::{Error, ErrorKind, SessionId, ZnodePath, Zxid};

/// What is true of a registration now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Status {
    /// Not registered, and being worked on.
    Pending {
        /// What stands in the way, if something failed.
        trouble: Option<Trouble>,
    },
    /// The znode stands and is ours; the link is up. It holds our data, or will in a moment: after an update, and
    /// where somebody has written over it.
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

/// What stands in the way of a registration. It is tried again, within a second where few are in trouble; but see
/// [`TroubleKind::CutOff`].
///
/// `Display` says what failed, on which znode, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    kind: TroubleKind,
    text: String,
}

/// What kind of trouble: who could help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TroubleKind {
    /// An ACL does not grant what is needed: on the root, to create below it; on the znode, to write it.
    Denied,
    /// A stale znode of ours stands, and an ACL does not let us replace it. It goes with its old session,
    /// and the name is taken then.
    TakeOverDenied,
    /// The ensemble refused for another reason.
    Refused,
    /// The ensemble did not answer in time, or has too much to do.
    Unanswered,
    /// The server cut the connection in answer to the write, twice and more, and nothing was written. So it does
    /// with requests that are larger than its `jute.maxbuffer`: raise that, or register less data. The write is
    /// tried again after a second, and ever more slowly, for each trial costs everybody else the connection.
    CutOff,
}

impl Trouble {
    /// What kind it is.
    pub fn kind(&self) -> TroubleKind {
        self.kind
    }

    /// The connection ended whenever the znode was to be written.
    pub(crate) fn cut_off(path: &ZnodePath) -> Self {
        let text = format!(
            "write {path}: the server closes the connection at this write: is its jute.maxbuffer smaller than the record?"
        );
        Self { kind: TroubleKind::CutOff, text }
    }

    /// The same trouble, met when a stale znode of ours was to be taken over.
    pub(crate) fn at_take_over(mut self) -> Self {
        if self.kind == TroubleKind::Denied {
            self.kind = TroubleKind::TakeOverDenied;
        }
        self
    }
}

impl TroubleKind {
    /// The kind as metrics call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::TakeOverDenied => "take_over_denied",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::CutOff => "cut_off",
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Denied => TroubleKind::Denied,
            ErrorKind::Busy
            | ErrorKind::NotConnected
            | ErrorKind::Timeout(_)
            | ErrorKind::ConnectionLost(_)
            | ErrorKind::SessionOver => TroubleKind::Unanswered,
            _ => TroubleKind::Refused,
        };
        Self { kind, text: error.to_string() }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
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
