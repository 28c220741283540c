//! The verbs, on one connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;
use crate::path::ZnodePath;
use crate::session::Session;
use crate::transport::{Acl, CreateMode, Down, Identity, Reading, Reply, Stat, Transport};
use crate::watch::{OneShot, WatchStream};

/// The most data that a verb sends, in bytes: 512 KiB. The server closes the connection, and with it
/// everything else in flight, above `jute.maxbuffer` (1 MiB by default) for a whole request.
pub const MAX_DATA: usize = 512 * 1024;

/// The most znodes that one [`read_many`](Connection::read_many) reads. With the longest sensible names that
/// is a request of 256 KiB.
pub const MAX_READS: usize = 256;

/// Requests that may be waited for at one time. More wait for their turn, within their deadline.
const IN_FLIGHT: usize = 1_024;

/// One connection to the ensemble: valid until it breaks, and never again afterwards.
///
/// Verbs take effect in the order in which they are first polled, so what a later one sees is final for
/// an earlier one of the same connection. (With more than 1,024 on their way that is the order in which they
/// get their turn; one that is dropped before has no effect.) Cheap to clone. Neither keeping nor dropping it has an effect on
/// the session.
///
/// # Errors
/// Every verb fails with an [`Error`] whose [`outcome`](Error::outcome) says what to count on. Answers
/// that a caller should expect are [`ErrorKind::NoNode`], [`ErrorKind::NodeExists`] and so on. A verb
/// waits for its answer for the operation timeout.
///
/// # Cancel safety
/// Dropping a verb's future does not recall its request: it may still take effect, in its place in the
/// order.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Only the supervisor keeps a link alive: a connection that is kept must not keep a session.
    link: Weak<dyn Transport>,
    down: watch::Receiver<Option<Down>>,
    session: Session,
    epoch: u64,
    reconnects: u64,
    scope: Arc<Scope>,
}

/// What all connections of one [`Zk`](crate::Zk) share.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) chroot: ZnodePath,
    pub(crate) operation_timeout: Option<Duration>,
    pub(crate) metrics: Metrics,
    in_flight: Semaphore,
    /// The sessions up to this epoch are known to be over.
    over: AtomicU64,
}

impl Scope {
    pub(crate) fn new(chroot: ZnodePath, operation_timeout: Option<Duration>, metrics: Metrics) -> Self {
        let (in_flight, over) = (Semaphore::new(IN_FLIGHT), AtomicU64::new(0));
        Self { chroot, operation_timeout, metrics, in_flight, over }
    }

    /// The ensemble has said that the session of this epoch is over.
    pub(crate) fn session_over(&self, epoch: u64) {
        self.over.fetch_max(epoch, Ordering::Relaxed);
    }
}

impl Connection {
    pub(crate) fn new(link: &Arc<dyn Transport>, epoch: u64, reconnects: u64, scope: Arc<Scope>) -> Self {
        let (down, session) = (link.down(), link.session());
        Self { link: Arc::downgrade(link), down, session, epoch, reconnects, scope }
    }

    /// The session it is attached to.
    pub fn session(&self) -> Session {
        self.session
    }

    /// The server that it leads to, as `IP:PORT`; `None` once it has ended.
    pub fn server(&self) -> Option<String> {
        self.link.upgrade().map(|link| link.server())
    }

    /// Which session of this program that is; see [`State::epoch`](crate::State).
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Which connection this is; see [`State::reconnects`](crate::State).
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// Whether the server sets recursive watches, which came with ZooKeeper 3.6. Where it does not,
    /// [`watch_children`](Self::watch_children) and [`watch_data`](Self::watch_data) take their place.
    ///
    /// A server before 3.6 is found out when a session begins. One that knows them and refuses them (ZooKeeper's
    /// `WatchManagerOptimized` does, 3.8 and 3.9) is found out by [`watch_recursive`](Self::watch_recursive), which then
    /// fails with an error that [`is_refusal`](ErrorKind::is_refusal); from then on the answer here is no, for the session.
    ///
    /// In an ensemble of several versions a later connection of the session may find an old server after all: then
    /// `watch_recursive` fails with [`ErrorKind::Unsupported`], that server closes the connection, and the next connection
    /// says no.
    pub fn has_recursive_watches(&self) -> bool {
        self.link.upgrade().is_none_or(|link| link.has_recursive_watches())
    }

    /// Waits until the connection has ended.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ended(&self) {
        let mut down = self.down.clone();
        // An error means that the link is gone altogether.
        let _ = down.wait_for(Option::is_some).await;
    }

    /// Whether the connection has ended.
    pub fn has_ended(&self) -> bool {
        self.down.borrow().is_some() || self.down.has_changed().is_err()
    }

    /// Creates an ephemeral znode: it lives as long as the session.
    pub async fn create_ephemeral(&self, path: &ZnodePath, data: &[u8], acl: Acl) -> Result<Stat, Error> {
        self.check_size("create", path, data)?;
        self.run("create", path, |link, at| link.create(at, data, CreateMode::Ephemeral, acl)).await
    }

    /// Makes sure that a persistent znode exists, with its parents and with the chroot. Existing ones
    /// are left alone.
    pub async fn ensure_path(&self, path: &ZnodePath, acl: Acl) -> Result<(), Error> {
        let limit = self.operation_timeout();
        let steps = self.make_missing(path, acl);
        let done = tokio::time::timeout(limit, steps).await;
        done.unwrap_or_else(|_| Err(Error::new("ensure path", path, ErrorKind::Timeout(limit))))
    }

    async fn make_missing(&self, path: &ZnodePath, acl: Acl) -> Result<(), Error> {
        // From below upwards to what exists, by looking: rights to create may be missing above.
        let mut missing = Vec::new();
        let mut next = Some(path.under(&self.scope.chroot));
        while let Some(at) = next {
            if at.is_root() || self.run_at("ensure path", path, |link| link.stat(&at)).await?.is_some() {
                break;
            }
            next = at.parent();
            missing.push(at);
        }
        for at in missing.iter().rev() {
            let created =
                self.run_at("ensure path", path, |link| link.create(at, b"", CreateMode::Persistent, acl));
            match created.await {
                Ok(_) => {}
                // Somebody else was faster.
                Err(error) if *error.kind() == ErrorKind::NodeExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes a znode without children, if it has the version given.
    pub async fn delete(&self, path: &ZnodePath, version: Option<i32>) -> Result<(), Error> {
        self.run("delete", path, |link, at| link.delete(at, version)).await
    }

    /// Replaces a znode of the version given by an ephemeral one of this session, in one transaction:
    /// no reader ever sees the name missing, and the new znode outlives the old one's session.
    ///
    /// The version does not tell two lives of a znode apart (it starts at 0 with each): compare
    /// [`Stat::czxid`] just before.
    pub async fn take_over(
        &self,
        path: &ZnodePath,
        version: i32,
        data: &[u8],
        acl: Acl,
    ) -> Result<(), Error> {
        self.check_size("take over", path, data)?;
        self.run("take over", path, |link, at| link.take_over(at, version, data, acl)).await
    }

    /// Looks at a znode; `None` if it does not exist.
    pub async fn stat(&self, path: &ZnodePath) -> Result<Option<Stat>, Error> {
        self.run("stat", path, |link, at| link.stat(at)).await
    }

    /// Reads a znode.
    pub async fn data(&self, path: &ZnodePath) -> Result<(Vec<u8>, Stat), Error> {
        self.run("read", path, |link, at| link.data(at)).await
    }

    /// Reads several znodes, and returns what each led to, in their order: the data, or
    /// [`ErrorKind::NoNode`] or [`ErrorKind::Denied`]. It is one request, and one moment of the tree, where
    /// the server has [recursive watches](Self::has_recursive_watches); otherwise a request each.
    ///
    /// At most [`MAX_READS`]. How large the answer becomes is up to who wrote the data: ZooKeeper lets it be
    /// 1 MiB a znode.
    pub async fn read_many(&self, paths: &[ZnodePath]) -> Result<Vec<Reading>, Error> {
        let Some(first) = paths.first() else {
            return Ok(Vec::new());
        };
        let at: Vec<_> = paths.iter().map(|path| path.under(&self.scope.chroot)).collect();
        if at.len() > MAX_READS {
            let (size, limit) = (at.len(), MAX_READS);
            return Err(Error::new("read", first, ErrorKind::TooMany { size, limit }));
        }
        self.run_at("read", first, |link| link.read_many(&at)).await
    }

    /// Writes a znode, if it has the version given.
    pub async fn set_data(&self, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Result<Stat, Error> {
        self.check_size("write", path, data)?;
        self.run("write", path, |link, at| link.set_data(at, data, version)).await
    }

    /// Lists the names of a znode's children, unordered.
    pub async fn children(&self, path: &ZnodePath) -> Result<(Vec<String>, Stat), Error> {
        self.run("list", path, |link, at| link.children(at)).await
    }

    /// Waits until the server that we are connected to has caught up with the ensemble's leader. A read
    /// after it sees everything that anybody had seen before it.
    pub async fn sync(&self, path: &ZnodePath) -> Result<(), Error> {
        self.run("sync", path, |link, at| link.sync(at)).await
    }

    /// Watches a znode and everything below it. The znode need not exist; read rights are enough.
    ///
    /// Watch first, then read: the other way round loses what happens in between. Needs
    /// [`has_recursive_watches`](Self::has_recursive_watches).
    /// ZooKeeper keeps one kind of watch per path and session (ZOOKEEPER-4466): do not set
    /// [`watch_exists`](Self::watch_exists) on the same path.
    pub async fn watch_recursive(&self, path: &ZnodePath) -> Result<WatchStream, Error> {
        let events = self.run("watch", path, |link, at| link.watch_recursive(at)).await?;
        Ok(WatchStream { events, chroot: self.scope.chroot.clone() })
    }

    /// Looks at a znode, and watches it for its creation, deletion or next write.
    pub async fn watch_exists(&self, path: &ZnodePath) -> Result<(Option<Stat>, OneShot), Error> {
        let (stat, fired) = self.run("watch", path, |link, at| link.watch_exists(at)).await?;
        Ok((stat, OneShot::new(fired)))
    }

    /// Reads a znode, and watches it for its next write and its deletion.
    pub async fn watch_data(&self, path: &ZnodePath) -> Result<(Vec<u8>, Stat, OneShot), Error> {
        let (data, stat, fired) = self.run("watch", path, |link, at| link.watch_data(at)).await?;
        Ok((data, stat, OneShot::new(fired)))
    }

    /// Lists the names of a znode's children, unordered, and watches it for the next change of the list
    /// and for its deletion.
    pub async fn watch_children(&self, path: &ZnodePath) -> Result<(Vec<String>, Stat, OneShot), Error> {
        let (names, stat, fired) = self.run("watch", path, |link, at| link.watch_children(at)).await?;
        Ok((names, stat, OneShot::new(fired)))
    }

    /// Whom the server takes us for: the address, and what we have authenticated ourselves as.
    ///
    /// Servers before ZooKeeper 3.7 cannot be asked: [`ErrorKind::Unsupported`].
    pub async fn identities(&self) -> Result<Vec<Identity>, Error> {
        self.run("identify", &ZnodePath::root(), |link, _| link.identities()).await
    }

    /// How long a verb waits for its answer.
    pub fn operation_timeout(&self) -> Duration {
        self.scope.operation_timeout.unwrap_or(self.session.timeout * 3 / 4)
    }

    fn check_size(&self, verb: &'static str, path: &ZnodePath, data: &[u8]) -> Result<(), Error> {
        let (size, limit) = (data.len(), MAX_DATA);
        if size > limit {
            return Err(Error::new(verb, path, ErrorKind::TooLarge { size, limit }));
        }
        Ok(())
    }

    /// Sends a verb on a path below the chroot.
    async fn run<T>(
        &self,
        verb: &'static str,
        path: &ZnodePath,
        send: impl FnOnce(&dyn Transport, &ZnodePath) -> Reply<T>,
    ) -> Result<T, Error> {
        let at = path.under(&self.scope.chroot);
        self.run_at(verb, path, |link| send(link, &at)).await
    }

    async fn run_at<T>(
        &self,
        verb: &'static str,
        path: &ZnodePath,
        send: impl FnOnce(&dyn Transport) -> Reply<T>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let result = self.send(verb, path, send).await;
        self.scope.metrics.request(verb, started.elapsed(), &result);
        result
    }

    /// Sends a verb, when it is its turn, and waits for the answer.
    async fn send<T>(
        &self,
        verb: &'static str,
        path: &ZnodePath,
        send: impl FnOnce(&dyn Transport) -> Reply<T>,
    ) -> Result<T, Error> {
        let limit = self.operation_timeout();
        let deadline = Instant::now() + limit;
        let failed = |kind| Error::new(verb, path, kind);
        let turn = tokio::time::timeout_at(deadline, self.scope.in_flight.acquire()).await;
        // The semaphore is never closed: what fails here is the deadline. Whose turn comes with it is late, too.
        let _turn = match turn {
            Ok(Ok(turn)) if Instant::now() < deadline => turn,
            _ => return Err(failed(ErrorKind::Busy)),
        };
        let answer = match self.link.upgrade() {
            Some(link) if !self.has_ended() => send(&*link),
            _ if self.epoch <= self.scope.over.load(Ordering::Relaxed) => {
                return Err(failed(ErrorKind::SessionOver));
            }
            _ => return Err(failed(ErrorKind::NotConnected)),
        };
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(result) => result.map_err(failed),
            Err(_) => Err(failed(ErrorKind::Timeout(limit))),
        }
    }
}
