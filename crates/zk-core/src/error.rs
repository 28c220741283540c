//! What a verb can fail with, and the one question that matters then: what may the caller do now?

use std::time::Duration;

use crate::path::ZnodePath;

/// A verb that failed: which one, on which path, and why.
///
/// Ask [`outcome`](Error::outcome) before doing it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{verb} {path}: {kind}")]
pub struct Error {
    verb: &'static str,
    path: ZnodePath,
    kind: ErrorKind,
}

/// Why a verb failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The znode, or the parent of the one to be created, does not exist.
    #[error("no such znode")]
    NoNode,
    /// The znode to be created exists.
    #[error("the znode exists")]
    NodeExists,
    /// The znode's version is not the expected one.
    #[error("the znode has another version")]
    BadVersion,
    /// The znode to be deleted has children.
    #[error("the znode has children")]
    NotEmpty,
    /// The ACL does not grant what the verb needs.
    #[error("access denied")]
    Denied,
    /// The data is larger than what may be sent; nothing was sent.
    #[error("{size} bytes of data exceed the limit of {limit}")]
    TooLarge {
        /// Bytes given.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// More znodes than one request may name; nothing was sent.
    #[error("{size} znodes exceed the limit of {limit}")]
    TooMany {
        /// Znodes given.
        size: usize,
        /// Znodes allowed.
        limit: usize,
    },
    /// The server is too old to know the request, and has closed the connection; or it has refused the same kind of
    /// request in this session before, and nothing was sent.
    #[error("the server does not know this request")]
    Unsupported,
    /// The server refuses the request, and would again.
    #[error("refused by the server: {0}")]
    Refused(String),
    /// Too many requests (1,024) were on their way for all of the deadline, and nothing was sent; or the server has
    /// too many of them (ZooKeeper's request throttling) and has done nothing.
    #[error("too many requests on their way")]
    Busy,
    /// There is no connection; nothing was sent.
    #[error("not connected")]
    NotConnected,
    /// No answer in time. The request may have been carried out, or may yet be.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The server answered with an error of its own, or with something that makes no sense. The request may have been
    /// carried out. The connection stands.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
    /// The connection broke before the answer came. The request may have been carried out.
    #[error("connection lost: {0}")]
    ConnectionLost(String),
    /// The session of this connection is over, and its ephemeral znodes are gone; nothing was sent.
    #[error("session over")]
    SessionOver,
}

/// What is known after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Certainly not done: the server said no, or nothing was sent.
    NotDone,
    /// Perhaps done: look before doing it again.
    Unknown,
    /// The session is over, and with it every ephemeral znode it owned.
    SessionOver,
}

impl Error {
    pub(crate) fn new(verb: &'static str, path: &ZnodePath, kind: ErrorKind) -> Self {
        Self { verb, path: path.clone(), kind }
    }

    /// Why.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The path that the verb was called with.
    pub fn path(&self) -> &ZnodePath {
        &self.path
    }

    /// What the caller may count on.
    pub fn outcome(&self) -> Outcome {
        self.kind.outcome()
    }
}

impl ErrorKind {
    /// Whether the server refuses this kind of request, and will not answer otherwise when asked again: it is too old
    /// ([`Unsupported`](Self::Unsupported)), or not set up for it ([`Refused`](Self::Refused)).
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Unsupported | Self::Refused(_))
    }

    /// What the caller may count on.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NoNode
            | Self::NodeExists
            | Self::BadVersion
            | Self::NotEmpty
            | Self::Denied
            | Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::Unsupported
            | Self::Refused(_)
            | Self::Busy
            | Self::NotConnected => Outcome::NotDone,
            Self::Timeout(_) | Self::Unexpected(_) | Self::ConnectionLost(_) => Outcome::Unknown,
            Self::SessionOver => Outcome::SessionOver,
        }
    }
}
