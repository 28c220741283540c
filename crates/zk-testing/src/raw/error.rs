use std::io;

use zk_wire::{ErrorCode, Malformed};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection broke, or there was none, or the server was silent for a whole session timeout.
    ///
    /// Whether a request in flight was carried out is unknown.
    #[error("connection to the server lost")]
    Io(#[from] io::Error),
    /// The server sent what this client does not understand.
    #[error("malformed reply from the server")]
    Malformed,
    /// The session does not exist any more, or the password is wrong (-112).
    #[error("session expired")]
    SessionExpired,
    /// The session has moved to another connection (-118).
    #[error("session moved to another server")]
    SessionMoved,
    /// The node or its parent does not exist (-101).
    #[error("no such node")]
    NoNode,
    /// The node exists already (-110).
    #[error("node exists")]
    NodeExists,
    /// The node has another version than the requested one (-103).
    #[error("version does not match")]
    BadVersion,
    /// The node has children (-111).
    #[error("node has children")]
    NotEmpty,
    /// The ACL does not allow it (-102).
    #[error("not authorised")]
    NoAuth,
    /// The parent is ephemeral (-108).
    #[error("ephemeral nodes have no children")]
    NoChildrenForEphemerals,
    /// The ACL is empty or names an unknown scheme (-114).
    #[error("invalid acl")]
    InvalidAcl,
    /// The server has no majority and serves reads only (-119).
    #[error("server is read-only")]
    NotReadOnly,
    /// The session must authenticate by SASL first; the server closes the connection (-124).
    #[error("sasl authentication required")]
    SaslRequired,
    /// The authentication was refused; the server closes the connection (-115).
    #[error("authentication failed")]
    AuthFailed,
    /// A path or a flag is not valid (-8).
    #[error("bad arguments")]
    BadArguments,
    /// The server does not know the operation (-6).
    #[error("not implemented by the server")]
    Unimplemented,
    /// A quota of the tree is used up (-125).
    #[error("quota exceeded")]
    QuotaExceeded,
    /// The server replied with another of ZooKeeper's codes.
    #[error("server replied with code {0}")]
    Other(i32),
    /// One operation of a multi failed, so none was carried out.
    #[error("operation {index} of the multi failed")]
    Multi {
        /// Which one, counted from 0.
        index: usize,
        /// Why.
        source: Box<Error>,
    },
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::SessionExpired => Self::SessionExpired,
            ErrorCode::SessionMoved => Self::SessionMoved,
            ErrorCode::NoNode => Self::NoNode,
            ErrorCode::NodeExists => Self::NodeExists,
            ErrorCode::BadVersion => Self::BadVersion,
            ErrorCode::NotEmpty => Self::NotEmpty,
            ErrorCode::NoAuth => Self::NoAuth,
            ErrorCode::NoChildrenForEphemerals => Self::NoChildrenForEphemerals,
            ErrorCode::InvalidAcl => Self::InvalidAcl,
            ErrorCode::AuthFailed => Self::AuthFailed,
            ErrorCode::NotReadOnly => Self::NotReadOnly,
            ErrorCode::SessionClosedRequireSaslAuth => Self::SaslRequired,
            ErrorCode::BadArguments => Self::BadArguments,
            ErrorCode::Unimplemented => Self::Unimplemented,
            ErrorCode::QuotaExceeded => Self::QuotaExceeded,
            other => Self::Other(other.code()),
        }
    }
}

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}
