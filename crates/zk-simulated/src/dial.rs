//! Attempts to connect, and what they bring.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::Duration;

use zk_core::transport::{TransportEnd, latest};
use zk_core::{ConnectError, Session};
use zk_embedded::Version;
use zk_embedded::machine::ConnectionId;

/// The name of the ensemble.
pub(crate) const ENSEMBLE: &str = "simulation";

/// The name of one of so many servers.
pub(crate) fn server_name(number: usize, of: usize) -> String {
    if of == 1 { ENSEMBLE.into() } else { format!("{ENSEMBLE}-{number}") }
}

/// What it takes to attach to a session again.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) session: i64,
    pub(crate) password: Vec<u8>,
    pub(crate) recursive: Arc<AtomicBool>,
    /// The newest transaction that a reply has shown.
    pub(crate) seen: Arc<AtomicI64>,
}

/// A connection with its session.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) connection: ConnectionId,
    /// The name of the server.
    pub(crate) server: String,
    pub(crate) session: Session,
    pub(crate) credentials: Credentials,
    /// Whether the server sets recursive watches, as far as the client knows.
    pub(crate) recursive: Arc<AtomicBool>,
    pub(crate) version: Version,
    pub(crate) down: latest::Receiver<Option<TransportEnd>>,
}

/// Hands on the outcome of an attempt.
pub(crate) type Deliver = Box<dyn FnOnce(Result<Granted, ConnectError>) + Send>;

/// The outcome of an attempt, to be handed on.
pub(crate) struct Dialled {
    pub(crate) deliver: Deliver,
    pub(crate) outcome: Result<Granted, ConnectError>,
}

/// Who connects, and how.
#[derive(Clone, Debug)]
pub(crate) struct Dialler {
    pub(crate) client: u64,
    pub(crate) timeout: Duration,
    pub(crate) user: Option<String>,
    pub(crate) credentials: Option<Credentials>,
}

/// An attempt to connect that is under way.
pub(crate) struct Attempt {
    pub(crate) dialler: Dialler,
    pub(crate) deliver: Deliver,
    pub(crate) outcome: Option<Result<Granted, ConnectError>>,
    /// The server that has to apply so many transactions before the outcome is sent.
    pub(crate) awaits: Option<(usize, u64)>,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("dialler", &self.dialler).finish()
    }
}
