//! The seam below the supervisor: what it needs from an ensemble, and no more.
//!
//! [`Ensemble`] connects, [`Transport`] is one connection with the verbs that this project uses. Threads and
//! sockets are the business of an implementation ([`apache`]); above the seam nothing depends on them, so
//! a simulated ensemble in virtual time can stand in.
//!
//! What an implementation promises:
//! * Requests of one link take effect in the order in which the verbs were *called*; dropping a returned
//!   future does not recall its request.
//! * An event is in its queue before the answer to any later request is delivered.
//! * When the link ends, every outstanding answer is an error, every event queue ends, and
//!   [`Transport::down`] tells why; after that nothing of this link reaches the ensemble any more.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::error::ErrorKind;
use crate::path::ZnodePath;
use crate::session::{Session, SessionId};

pub mod apache;

/// A boxed future, as the traits here return them.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The answer to a verb.
pub type Reply<T> = BoxFuture<'static, Result<T, ErrorKind>>;

/// The servers as one thing to connect to.
pub trait Ensemble: Send + Sync + 'static {
    /// Makes one attempt over all servers: to attach to the session of `ticket`, or to begin a new one.
    ///
    /// Dropping the future ends the attempt and leaves nothing behind but, at worst, a session that
    /// expires by itself.
    fn connect(&self, ticket: Option<Ticket>) -> BoxFuture<'_, Result<Arc<dyn Transport>, ConnectError>>;

    /// What it is called in metrics: the connect string, say.
    fn name(&self) -> String;

    /// The session timeout that a new session asks for.
    fn requested_timeout(&self) -> Duration;
}

/// What it takes to attach to a session again. Opaque; only the ensemble that made it can use it.
#[derive(Clone)]
pub struct Ticket(Arc<dyn Any + Send + Sync>);

impl Ticket {
    /// Wraps whatever an implementation needs.
    pub fn new(secret: impl Any + Send + Sync) -> Self {
        Self(Arc::new(secret))
    }

    /// What was wrapped, if it is a `T`.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

// The content is a password.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}

/// Why an attempt to connect failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The ensemble says that the session of the ticket is over. The answer is final.
    #[error("the session has expired")]
    SessionExpired,
    /// The ensemble refused the authentication, or demands one where there is none. It is tried again all
    /// the same: a password can be mended on the other side.
    #[error("{server} refuses our authentication, or that we have none")]
    AuthFailed {
        /// The server that refused.
        server: String,
    },
    /// The server did not refuse the authentication, but it ignored it: it does not count us as who we say
    /// we are.
    #[error("{server} ignores the {scheme} authentication; is it enabled there?")]
    NotAuthenticated {
        /// The server.
        server: String,
        /// The scheme of the authentication that it ignores.
        scheme: &'static str,
    },
    /// A server was reached, but did not grant or resume the session.
    #[error("{server} accepted the connection but did not {wanted}: {cause}")]
    Handshake {
        /// The server.
        server: String,
        /// What was asked of it.
        wanted: &'static str,
        /// What happened instead.
        cause: String,
    },
    /// No server could be reached; the cause for each address tried.
    #[error("no server reachable ({})", .0.join("; "))]
    Unreachable(Vec<String>),
}

/// How a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Down {
    /// The connection broke; the ensemble may still hold the session.
    ConnectionLost(String),
    /// The session was closed, by us.
    Closed,
}

/// One connection to one server, attached to one session. Ends once and for all when the connection does.
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// The session it is attached to.
    fn session(&self) -> Session;

    /// What it takes to attach to the session again.
    fn ticket(&self) -> Ticket;

    /// The server it is connected to, for logs.
    fn server(&self) -> String;

    /// Whether the server sets recursive watches (ZooKeeper 3.6), as far as is known.
    fn has_recursive_watches(&self) -> bool;

    /// Becomes `Some` when the link has ended.
    fn down(&self) -> watch::Receiver<Option<Down>>;

    /// Creates a znode.
    fn create(&self, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Reply<Stat>;

    /// Deletes a znode, if it has the version given.
    fn delete(&self, path: &ZnodePath, version: Option<i32>) -> Reply<()>;

    /// Replaces a znode of the version given by an ephemeral one of this session, in one transaction.
    fn take_over(&self, path: &ZnodePath, version: i32, data: &[u8], acl: Acl) -> Reply<()>;

    /// Looks at a znode.
    fn stat(&self, path: &ZnodePath) -> Reply<Option<Stat>>;

    /// Reads a znode.
    fn data(&self, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)>;

    /// Reads several znodes; an answer each, in their order. One request where the server knows such.
    fn read_many(&self, paths: &[ZnodePath]) -> Reply<Vec<Reading>>;

    /// Writes a znode, if it has the version given.
    fn set_data(&self, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Reply<Stat>;

    /// Lists the children, unordered.
    fn children(&self, path: &ZnodePath) -> Reply<(Vec<String>, Stat)>;

    /// Waits until the server has caught up with the ensemble's leader.
    fn sync(&self, path: &ZnodePath) -> Reply<()>;

    /// Watches a znode, present or not, and everything below it.
    fn watch_recursive(&self, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>>;

    /// Looks at a znode, and watches it for one event. The sender is dropped if the link ends first.
    fn watch_exists(&self, path: &ZnodePath) -> Reply<(Option<Stat>, oneshot::Receiver<EventKind>)>;

    /// Reads a znode, and watches it for its next write or its deletion.
    fn watch_data(&self, path: &ZnodePath) -> Reply<(Vec<u8>, Stat, oneshot::Receiver<EventKind>)>;

    /// Lists the children, and watches the list for its next change and for the znode's deletion.
    fn watch_children(&self, path: &ZnodePath) -> Reply<(Vec<String>, Stat, oneshot::Receiver<EventKind>)>;

    /// Whom the server takes us for.
    fn identities(&self) -> Reply<Vec<Identity>>;

    /// Asks the server for a sign of life.
    fn check(&self) -> Reply<()>;

    /// Ends the session; resolves to true when the ensemble has confirmed it.
    fn close(&self) -> BoxFuture<'static, bool>;
}

/// What reading one znode of several led to.
pub type Reading = Result<(Vec<u8>, Stat), ErrorKind>;

/// Whom a server takes a client for: one of possibly several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// By which scheme: `ip`, `digest`, `sasl`, `x509`.
    pub scheme: String,
    /// Who, without any secret.
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

/// Who may do what with a znode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Acl {
    /// Anybody may do anything: ZooKeeper's `world:anyone:cdrwa`.
    #[default]
    Open,
    /// Who created it may do anything, everybody else may read: ZooKeeper's `auth::cdrwa` and
    /// `world:anyone:r`. Needs an authentication; without one the server refuses the ACL.
    Creator,
}

/// The facts that ZooKeeper keeps about a znode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// The transaction that created it: its identity.
    pub czxid: Zxid,
    /// The transaction that last wrote its data.
    pub mzxid: Zxid,
    /// The transaction that last changed its list of children.
    pub pzxid: Zxid,
    /// How often its data was written. Starts at 0 with each creation: it does not tell two lives apart.
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

/// What a znode's stat says about its list of children. Another mark, greater or smaller, means that the list
/// may be another one; the same mark in the same session, that it is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListVersion {
    /// There is no znode, and so no list.
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
    /// Takes the mark of a stat, or of a znode that does not exist.
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

/// Something happened to a watched znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// To which znode.
    pub path: ZnodePath,
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
    /// A child was created or deleted; only one-shot watches of a list tell so.
    ChildrenChanged,
}
