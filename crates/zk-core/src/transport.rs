//! The seam between the supervisor and an ensemble: [`Ensemble`] connects, and a [`Transport`] is one connection with
//! the operations that this project uses.
//!
//! An implementation ([`apache`]) owns the threads and sockets; nothing above the seam depends on them, so tests can
//! use a simulated ensemble in virtual time.
//!
//! An implementation promises:
//! * Requests of one transport take effect in the order in which its methods were *called*; dropping a returned future
//!   does not recall its request.
//! * An event is in its queue before the reply to any later request is delivered.
//! * When the transport ends, [`Transport::down`] has the cause first, and every event queue ends after that; outstanding
//!   replies become errors, before or after it. Then nothing of this transport reaches the ensemble any more.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::error::ErrorKind;
use crate::path::ZnodePath;
use crate::session::{Session, SessionId};

pub mod apache;

/// A boxed future, as these traits return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The reply to a request.
pub type Reply<T> = BoxFuture<'static, Result<T, ErrorKind>>;

/// The right to have one request in flight. The caller keeps a clone until it has the reply, or stops to wait for it;
/// an implementation keeps one until the request has left every queue of this process. So the queues are bounded, also
/// by requests whose callers have given up.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl Turn {
    pub(crate) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: Some(Arc::new(permit)) }
    }
}

/// The servers of an ensemble, as one thing to connect to.
pub trait Ensemble: Send + Sync + 'static {
    /// Makes one attempt to connect, over all servers: attaches to the session of `ticket`, or begins a new one.
    ///
    /// Dropping the future ends the attempt and leaves nothing behind but, at worst, a session that expires.
    fn connect(
        &self,
        ticket: Option<ResumeTicket>,
    ) -> BoxFuture<'_, Result<Arc<dyn Transport>, ConnectError>>;

    /// The value of the label `ensemble` in metrics, such as the connect string.
    fn name(&self) -> String;

    /// The session timeout that a new session requests.
    fn requested_timeout(&self) -> Duration;
}

/// The credentials to attach to a session again. Opaque; only the ensemble that made the ticket can use it.
#[derive(Clone)]
pub struct ResumeTicket(Arc<dyn Any + Send + Sync>);

impl ResumeTicket {
    /// Wraps the credentials of an implementation.
    pub fn new(secret: impl Any + Send + Sync) -> Self {
        Self(Arc::new(secret))
    }

    /// The wrapped credentials, if they are a `T`.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

// A ticket contains the password of the session.
impl fmt::Debug for ResumeTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeTicket(..)")
    }
}

/// Why an attempt to connect failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The ensemble replied that the session of the ticket has ended. This is final.
    #[error("the session has expired")]
    SessionExpired,
    /// The ensemble refused the authentication, or requires one and none is configured. The link retries all the same:
    /// somebody may correct the password on the server.
    #[error("{server} refuses our authentication, or requires one and none is configured")]
    AuthFailed {
        /// The server that refused.
        server: String,
    },
    /// The server did not refuse the authentication, but ignored it: it did not record our identity.
    #[error("{server} ignores the {scheme} authentication; is it enabled there?")]
    NotAuthenticated {
        /// The server.
        server: String,
        /// The scheme of the authentication that it ignores.
        scheme: &'static str,
    },
    /// A server accepted the connection, but did not grant or resume the session.
    #[error("{server} accepted the connection but did not {wanted}: {cause}")]
    Handshake {
        /// The server.
        server: String,
        /// What we requested.
        wanted: &'static str,
        /// What happened instead.
        cause: String,
    },
    /// No server could be reached; the cause for each address.
    #[error("no server reachable ({})", .0.join("; "))]
    Unreachable(Vec<String>),
}

/// How a transport ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportEnd {
    /// The connection broke; the ensemble may still keep the session.
    ConnectionLost(String),
    /// We closed the session.
    Closed,
}

/// One connection to one server, attached to one session. It ends for good when the connection ends.
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// The session of this transport.
    fn session(&self) -> Session;

    /// The credentials to attach to the session again.
    fn ticket(&self) -> ResumeTicket;

    /// The address of the server, for logs.
    fn server(&self) -> String;

    /// Whether the server sets recursive watches (ZooKeeper 3.6), as far as is known.
    fn has_recursive_watches(&self) -> bool;

    /// Becomes `Some` when the transport has ended.
    fn down(&self) -> watch::Receiver<Option<TransportEnd>>;

    /// Creates a znode.
    fn create(&self, turn: Turn, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Reply<Stat>;

    /// Deletes a znode; with a `version`, only if the znode has it.
    fn delete(&self, turn: Turn, path: &ZnodePath, version: Option<i32>) -> Reply<()>;

    /// Replaces a znode that has this `version` by an ephemeral one of this session, in one transaction.
    fn take_over(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8], acl: Acl) -> Reply<()>;

    /// Writes a znode that has this `version` and deletes it, in one transaction: a leave that is told.
    fn write_and_delete(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8]) -> Reply<()>;

    /// Returns the stat of a znode.
    fn stat(&self, turn: Turn, path: &ZnodePath) -> Reply<Option<Stat>>;

    /// Reads the data of a znode.
    fn data(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)>;

    /// Reads several znodes; one result for each, in the same order. One request if the server supports that.
    fn read_many(&self, turn: Turn, paths: &[ZnodePath]) -> Reply<Vec<Reading>>;

    /// Writes the data of a znode; with a `version`, only if the znode has it.
    fn set_data(&self, turn: Turn, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Reply<Stat>;

    /// Lists the children, unordered.
    fn children(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<String>, Stat)>;

    /// Waits until the server has caught up with the ensemble's leader.
    fn sync(&self, turn: Turn, path: &ZnodePath) -> Reply<()>;

    /// Watches a znode, present or not, and everything below it.
    fn watch_recursive(&self, turn: Turn, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>>;

    /// Returns the stat of a znode, and watches it for one event. The sender is dropped if the transport ends first.
    fn watch_exists(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Option<Stat>, oneshot::Receiver<EventKind>)>;

    /// Reads the data of a znode, and watches it for its next write or its deletion.
    fn watch_data(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<u8>, Stat, oneshot::Receiver<EventKind>)>;

    /// Lists the children, and watches the znode for the next change of the list or its deletion.
    fn watch_children(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<String>, Stat, oneshot::Receiver<EventKind>)>;

    /// The identities that the server has recorded for this connection.
    fn identities(&self, turn: Turn) -> Reply<Vec<Identity>>;

    /// Sends a request that any living server replies to.
    fn check(&self) -> Reply<()>;

    /// Closes the session; resolves to true when the ensemble has confirmed it.
    fn close(&self) -> BoxFuture<'static, bool>;
}

/// The result of reading one znode of several.
pub type Reading = Result<(Vec<u8>, Stat), ErrorKind>;

/// An identity that a server has recorded for a client, which may have several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The scheme: `ip`, `digest`, `sasl`, `x509`.
    pub scheme: String,
    /// The user or address, without any secret.
    pub user: String,
}

/// How long a znode lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CreateMode {
    /// Until it is deleted.
    Persistent,
    /// Until it is deleted, or the session that created it ends.
    Ephemeral,
}

/// The rights on a znode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Acl {
    /// Anybody may do anything: ZooKeeper's `world:anyone:cdrwa`.
    #[default]
    Open,
    /// The creator may do anything, everybody else may read: ZooKeeper's `auth::cdrwa` and `world:anyone:r`.
    /// Needs an authentication; without one the server refuses the ACL.
    Creator,
}

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

/// An event of a watched znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Which znode it happened to.
    pub path: ZnodePath,
    /// The transaction that caused it; `None` before ZooKeeper 3.9, which does not tell.
    pub zxid: Option<Zxid>,
    /// When the transport received it, by the clock of the thread that did: later delays do not show.
    pub at: Instant,
}

/// What happened to a znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It was created.
    Created,
    /// It was deleted.
    Deleted,
    /// Its data was written.
    DataChanged,
    /// A child was created or deleted; only one-shot watches of a list report this.
    ChildrenChanged,
}
