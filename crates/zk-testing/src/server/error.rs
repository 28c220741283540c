use std::io;
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::time::Duration;

use crate::installation::MissingZooKeeper;

/// Why a server or an ensemble did not come up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Java or ZooKeeper is not installed.
    #[error("apache zookeeper cannot be run here")]
    Missing(#[from] MissingZooKeeper),
    /// The server is up already; stop or kill it first.
    #[error("the server at {0} is running already")]
    AlreadyRunning(SocketAddr),
    /// An ensemble needs at least two servers.
    #[error("an ensemble needs at least 2 servers, not {0}")]
    TooSmall(usize),
    /// Something else listens on one of the ports.
    #[error("a port of the server at {addr} is in use by something else; the end of its log is:\n{log}")]
    AddressInUse {
        /// Where clients would have connected.
        addr: SocketAddr,
        /// The end of its log.
        log: String,
    },
    /// The server ended before it served a client.
    #[error("the server at {addr} ended early ({status}); the end of its log is:\n{log}")]
    Exited {
        /// Where clients would have connected.
        addr: SocketAddr,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// The server runs, but did not serve in time.
    #[error("the server at {addr} did not serve within {waited:?}; the end of its log is:\n{log}")]
    Timeout {
        /// Where clients would connect.
        addr: SocketAddr,
        /// How long it was waited for.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
    /// A folder, file, port or process could not be made.
    #[error("could not {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl StartError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    pub(crate) fn is_address_in_use(&self) -> bool {
        matches!(self, Self::AddressInUse { .. })
    }
}

/// Why a running or a stopped server cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Only a running server can be paused or resumed.
    #[error("the server at {0} is not running")]
    NotRunning(SocketAddr),
    /// Data can be wiped only under a server that is down.
    #[error("the server at {0} is running; stop or kill it before its data is wiped")]
    Running(SocketAddr),
    /// The system refused.
    #[error("could not {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl ServerError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
