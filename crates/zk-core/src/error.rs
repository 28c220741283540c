//! The errors of operations, and what the caller may do after one.

use std::time::Duration;

use crate::path::ZnodePath;

/// A failed operation: which one, on which path, and why.
///
/// Check [`outcome`](Error::outcome) before retrying.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} {path}: {kind}")]
pub struct Error {
    operation: &'static str,
    path: ZnodePath,
    kind: ErrorKind,
}

/// Why an operation failed.
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
    /// The ACL does not grant what the operation needs.
    #[error("access denied")]
    Denied,
    /// The data exceeds [`MAX_DATA`](crate::MAX_DATA); nothing was sent.
    #[error("{size} bytes of data exceed the limit of {limit}")]
    TooLarge {
        /// Bytes passed.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// More than [`MAX_READS`](crate::MAX_READS) znodes; nothing was sent.
    #[error("{size} znodes exceed the limit of {limit}")]
    TooMany {
        /// Znodes passed.
        size: usize,
        /// Znodes allowed.
        limit: usize,
    },
    /// The server is too old to know the request, and has closed the connection; or a server has refused this kind of
    /// request earlier in the session, and nothing was sent.
    #[error("the server does not know this request")]
    Unsupported,
    /// The server refuses the request, and would refuse it again.
    #[error("refused by the server: {0}")]
    Refused(String),
    /// 1,024 requests were in flight until the deadline, or had not left the queue of a stuck thread, and nothing was
    /// sent; or the server throttles requests (ZooKeeper's request throttling) and has done nothing.
    #[error("too many requests in flight")]
    Busy,
    /// There is no connection; nothing was sent.
    #[error("not connected")]
    NotConnected,
    /// No reply in time. The request may have been carried out, or may still be.
    #[error("no reply within {0:?}")]
    Timeout(Duration),
    /// The server replied with an error of its own, or with something that cannot be parsed. The request may have been
    /// carried out. The connection remains.
    #[error("unexpected reply: {0}")]
    Unexpected(String),
    /// The connection broke before the reply came. The request may have been carried out.
    #[error("connection lost: {0}")]
    ConnectionLost(String),
    /// The session of this connection is over, and its ephemeral znodes are gone; nothing was sent.
    #[error("session over")]
    SessionOver,
}

/// What is known about a failed operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Certainly not done: the server refused it, or nothing was sent.
    NotDone,
    /// Perhaps done: look before retrying.
    Unknown,
    /// The session is over, and with it every ephemeral znode it owned.
    SessionOver,
}

impl Error {
    /// An operation on this path that failed like this: what a test tells a machine that cannot reach an ensemble.
    pub fn new(operation: &'static str, path: &ZnodePath, kind: ErrorKind) -> Self {
        Self { operation, path: path.clone(), kind }
    }

    /// Why the operation failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The path that the caller passed.
    pub fn path(&self) -> &ZnodePath {
        &self.path
    }

    /// What the caller may count on.
    pub fn outcome(&self) -> Outcome {
        self.kind.outcome()
    }
}

impl ErrorKind {
    /// Whether the server refuses this kind of request, so that a retry is pointless: it is too old
    /// ([`Unsupported`](Self::Unsupported)), or not configured for it ([`Refused`](Self::Refused)).
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
