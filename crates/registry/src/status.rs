//! [`RegistrationStatus`] of a registration, and what keeps it from being registered.

use std::fmt;

use instance::Owner;
use zk_core::{Error, ErrorKind, SessionId, ZnodePath, Zxid};

/// Where a registration stands.
///
/// `Display` is one line for an operator: `pending: create /go_servers/127.0.0.1:8897: access denied`. Serialised (feature
/// `serde`), the field `status` names it: `{"status":"registered","czxid":"0x7","session":"0x1a2"}`.
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "status", rename_all = "snake_case"))]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RegistrationStatus {
    /// Not registered; the keeper is at work.
    Pending {
        /// Why it is not registered yet, if a request failed.
        trouble: Option<Trouble>,
    },
    /// The znode exists and is ours, and the link is up. It has our data, or will in a moment: after an update, and
    /// where another client has overwritten it.
    Registered {
        /// The transaction that created the znode: another one means that it was created again.
        czxid: Zxid,
        /// The session that owns it.
        session: SessionId,
    },
    /// Registered when the link went down, or when the watch that reports changes ended and could not be set again. The
    /// znode exists for as long as the session does, unless somebody has deleted it since.
    Unconfirmed,
    /// Another owner has the name. The keeper takes it once it is free.
    Conflict(Holder),
    /// Deregistered, and the znode is gone. Final.
    Deregistered,
    /// The link was closed before the ensemble confirmed a deletion, or the task that kept the znode has ended, by a panic
    /// or with its runtime: the znode ends with its session. Final.
    Abandoned,
}

/// The owner of a name that is not ours.
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// The session that owns the znode; `None` for a persistent znode, which does not end with a session.
    pub session: Option<SessionId>,
    /// The owner that the data names, if it names one.
    pub owner: Option<Owner>,
}

/// Why an instance is not registered. The keeper retries within a second where few registrations are pending; but see
/// [`TroubleKind::CutOff`].
///
/// `Display` has the failed request, its znode and the reason.
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    kind: TroubleKind,
    text: String,
}

/// The kind of a [`Trouble`]: where to look for the cause.
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TroubleKind {
    /// An ACL does not allow the request: on the root, to create below it; on the znode, to write it.
    Denied,
    /// A stale znode of ours exists, and an ACL does not let us replace it. The keeper takes the name when the old
    /// session ends.
    TakeOverDenied,
    /// The ensemble refused for another reason.
    Refused,
    /// The ensemble did not reply in time, or is overloaded.
    Unanswered,
    /// The server closed the connection on the write twice in a row or more, and a read after each found nothing
    /// written. A server does so with requests larger than its `jute.maxbuffer`: raise that, or register less data.
    ///
    /// The keeper waits before each further attempt: 1 s, doubled each time up to the audit interval (or up to 1 s for
    /// each registration with this trouble, if that is more), as each costs the whole link a reconnect. The reconnects
    /// change no znode. Other data is written at once. A link that breaks twice during one write for another reason
    /// delays that write by 1 s, too.
    CutOff,
}

impl Trouble {
    /// Returns the kind.
    pub fn kind(&self) -> TroubleKind {
        self.kind
    }

    /// The server closes the connection on the write of this znode.
    pub(crate) fn cut_off(path: &ZnodePath) -> Self {
        let text = format!(
            "write {path}: the server closes the connection on this write; its jute.maxbuffer may be too small for it"
        );
        Self { kind: TroubleKind::CutOff, text }
    }

    /// The same trouble, on a take-over.
    pub(crate) fn at_take_over(mut self) -> Self {
        if self.kind == TroubleKind::Denied {
            self.kind = TroubleKind::TakeOverDenied;
        }
        self
    }
}

impl TroubleKind {
    /// The label of the kind in metrics.
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

impl RegistrationStatus {
    /// Whether the znode is known to exist at this moment.
    pub fn is_registered(&self) -> bool {
        matches!(self, Self::Registered { .. })
    }

    /// Whether the status never changes again: the instance is not registered any more.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Deregistered | Self::Abandoned)
    }

    /// Its name, whatever its fields are.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Registered { .. } => "registered",
            Self::Unconfirmed => "unconfirmed",
            Self::Conflict(_) => "conflict",
            Self::Deregistered => "deregistered",
            Self::Abandoned => "abandoned",
        }
    }
}

impl fmt::Display for RegistrationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending { trouble: None } => f.write_str("pending"),
            Self::Pending { trouble: Some(trouble) } => write!(f, "pending: {trouble}"),
            Self::Registered { czxid, session } => write!(f, "registered, session {session}, czxid {czxid}"),
            Self::Unconfirmed => f.write_str("unconfirmed: the znode may still exist"),
            Self::Conflict(holder) => write!(f, "conflict with {holder}"),
            Self::Deregistered => f.write_str("deregistered"),
            Self::Abandoned => f.write_str("abandoned: the znode ends with its session"),
        }
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
