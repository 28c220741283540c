//! The traits that an implementation provides, and what their methods pass.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::connect_error::ConnectError;
use super::event::{Event, EventKind};
use super::latest;
use super::stat::Stat;
use super::turn::Turn;
use super::znode::{Acl, CreateMode, Identity};
use crate::error::ErrorKind;
use crate::path::ZnodePath;
use crate::session::Session;

/// A boxed future, as these traits return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The reply to a request.
pub type Reply<T> = BoxFuture<'static, Result<T, ErrorKind>>;

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

    /// Becomes `Some` when the transport has ended; all receivers are of one channel.
    fn down(&self) -> latest::Receiver<Option<TransportEnd>>;

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
