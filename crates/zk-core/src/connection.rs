//! One connection and its operations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use crate::down::Down;
use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;
use crate::path::ZnodePath;
use crate::session::Session;
use crate::transport::turn::IN_FLIGHT;
use crate::transport::{Acl, CreateMode, Identity, Reading, Reply, Stat, Transport, Turn};
use crate::watch::{OneShot, WatchStream};

/// The most data that one operation sends, in bytes: 512 KiB. A request above `jute.maxbuffer` (1 MiB by default) makes
/// the server close the connection, and everything else in flight on it fails.
pub const MAX_DATA: usize = 512 * 1024;

/// The most znodes that one [`read_many`](Connection::read_many) reads. With paths of 1 KiB that is a request of
/// 256 KiB.
pub const MAX_READS: usize = 256;

/// One connection to the ensemble: valid until it breaks, and never again afterwards.
///
/// Operations take effect in the order in which they are first polled, so what a later one sees is final for an earlier
/// one of the same connection. (With more than 1,024 in flight that is the order in which they get their turn; one
/// whose future is dropped before its turn has no effect.) Cheap to clone. Neither keeping nor dropping a connection
/// has an effect on the session.
///
/// # Errors
/// Every operation fails with an [`Error`] whose [`outcome`](Error::outcome) says what the caller may count on. Replies
/// to expect are [`ErrorKind::NoNode`], [`ErrorKind::NodeExists`] and so on. An operation waits for its reply for the
/// operation timeout.
///
/// # Cancel safety
/// Dropping the future of an operation does not recall its request: it may still take effect, in its place in the
/// order.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Only the supervisor keeps a transport alive: a connection that a caller keeps must not keep a session.
    transport: Weak<dyn Transport>,
    down: Down,
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
    in_flight: Arc<Semaphore>,
    /// The sessions up to this epoch have ended.
    ended_epoch: AtomicU64,
}

impl Scope {
    pub(crate) fn new(chroot: ZnodePath, operation_timeout: Option<Duration>, metrics: Metrics) -> Self {
        let (in_flight, ended_epoch) = (Arc::new(Semaphore::new(IN_FLIGHT)), AtomicU64::new(0));
        Self { chroot, operation_timeout, metrics, in_flight, ended_epoch }
    }

    /// The ensemble has confirmed the end of the session of this epoch.
    pub(crate) fn session_ended(&self, epoch: u64) {
        self.ended_epoch.fetch_max(epoch, Ordering::Relaxed);
    }
}

impl Connection {
    pub(crate) fn new(
        transport: &Arc<dyn Transport>,
        epoch: u64,
        reconnects: u64,
        scope: Arc<Scope>,
    ) -> Self {
        let (down, session) = (Down::new(transport.down()), transport.session());
        Self { transport: Arc::downgrade(transport), down, session, epoch, reconnects, scope }
    }

    /// The session of this connection.
    pub fn session(&self) -> Session {
        self.session
    }

    /// The server, as `IP:PORT`; `None` once the connection has ended.
    pub fn server(&self) -> Option<String> {
        self.transport.upgrade().map(|transport| transport.server())
    }

    /// The number of its session; see [`State::epoch`](crate::State).
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of this connection; see [`State::reconnects`](crate::State).
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// Whether the server sets recursive watches, which ZooKeeper 3.6 introduced. If not, use
    /// [`watch_children`](Self::watch_children) and [`watch_data`](Self::watch_data).
    ///
    /// The link detects a server before 3.6 when a session begins. A server that knows recursive watches but refuses
    /// them (ZooKeeper's `WatchManagerOptimized` does, 3.8 and 3.9) is detected by the first
    /// [`watch_recursive`](Self::watch_recursive), which fails with an error that
    /// [`is_refusal`](ErrorKind::is_refusal); from then on this is false for the session.
    ///
    /// On servers before 3.6:
    /// * detection costs a second connection with each session;
    /// * [`read_many`](Self::read_many) sends one request for each znode;
    /// * [`take_over`](Self::take_over) sends a delete and a create at the same time, and is not one transaction;
    /// * a dropped watch stays until it fires or the connection ends;
    /// * nothing can verify the authentication, which takes ZooKeeper 3.7.
    ///
    /// In an ensemble of several versions a later connection of the session may reach an old server after all: then
    /// `watch_recursive` fails with [`ErrorKind::Unsupported`], that server closes the connection, and this is false on
    /// the next connection.
    pub fn has_recursive_watches(&self) -> bool {
        self.transport.upgrade().is_none_or(|transport| transport.has_recursive_watches())
    }

    /// Waits until the connection has ended.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ended(&self) {
        self.down.ended().await;
    }

    /// Whether the connection has ended.
    pub fn has_ended(&self) -> bool {
        self.down.has_ended()
    }

    /// Creates an ephemeral znode, which lives as long as the session.
    pub async fn create_ephemeral(&self, path: &ZnodePath, data: &[u8], acl: Acl) -> Result<Stat, Error> {
        self.check_size("create", path, data)?;
        self.run("create", path, |transport, turn, at| {
            transport.create(turn, at, data, CreateMode::Ephemeral, acl)
        })
        .await
    }

    /// Creates a persistent znode, its parents and the chroot where they are missing. Existing znodes stay as they are.
    pub async fn ensure_path(&self, path: &ZnodePath, acl: Acl) -> Result<(), Error> {
        let limit = self.operation_timeout();
        let steps = self.make_missing(path, acl);
        let done = tokio::time::timeout(limit, steps).await;
        done.unwrap_or_else(|_| Err(Error::new("ensure path", path, ErrorKind::Timeout(limit))))
    }

    async fn make_missing(&self, path: &ZnodePath, acl: Acl) -> Result<(), Error> {
        // Stats from the znode upwards to the first that exists: the right to create may be missing further up.
        let mut missing = Vec::new();
        let mut next = Some(path.under(&self.scope.chroot));
        while let Some(at) = next {
            if at.is_root()
                || self
                    .run_at("ensure path", path, |transport, turn| transport.stat(turn, &at))
                    .await?
                    .is_some()
            {
                break;
            }
            next = at.parent();
            missing.push(at);
        }
        for at in missing.iter().rev() {
            let created = self.run_at("ensure path", path, |transport, turn| {
                transport.create(turn, at, b"", CreateMode::Persistent, acl)
            });
            match created.await {
                Ok(_) => {}
                // Another client was faster.
                Err(error) if *error.kind() == ErrorKind::NodeExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes a znode without children; with a `version`, only if the znode has it.
    pub async fn delete(&self, path: &ZnodePath, version: Option<i32>) -> Result<(), Error> {
        self.run("delete", path, |transport, turn, at| transport.delete(turn, at, version)).await
    }

    /// Replaces a znode that has this `version` by an ephemeral one of this session, in one transaction: no reader ever
    /// sees the name missing, and the new znode outlives the session of the old one. On servers before 3.6 it is a
    /// delete and a create that are sent at the same time.
    ///
    /// The version does not distinguish a znode from its recreation (it starts at 0 each time): compare
    /// [`Stat::czxid`] just before.
    pub async fn take_over(
        &self,
        path: &ZnodePath,
        version: i32,
        data: &[u8],
        acl: Acl,
    ) -> Result<(), Error> {
        self.check_size("take over", path, data)?;
        self.run("take over", path, |transport, turn, at| transport.take_over(turn, at, version, data, acl))
            .await
    }

    /// Writes a znode that has this `version`, and deletes it, in one transaction: a deletion that is told. A recursive
    /// watcher receives the write and the deletion next to each other, which neither the end of a session nor a plain
    /// delete produces. No reader ever sees the data.
    ///
    /// Needs the right to write the znode, and no quota in its way; where this is refused a plain
    /// [`delete`](Self::delete) may still be allowed. Before ZooKeeper 3.6 it fails with [`ErrorKind::Unsupported`].
    pub async fn write_and_delete(&self, path: &ZnodePath, version: i32, data: &[u8]) -> Result<(), Error> {
        self.check_size("leave", path, data)?;
        self.run("leave", path, |transport, turn, at| transport.write_and_delete(turn, at, version, data))
            .await
    }

    /// Returns the stat of a znode; `None` if it does not exist.
    pub async fn stat(&self, path: &ZnodePath) -> Result<Option<Stat>, Error> {
        self.run("stat", path, |transport, turn, at| transport.stat(turn, at)).await
    }

    /// Reads the data of a znode.
    pub async fn data(&self, path: &ZnodePath) -> Result<(Vec<u8>, Stat), Error> {
        self.run("read", path, |transport, turn, at| transport.data(turn, at)).await
    }

    /// Reads several znodes, and returns one result for each, in the same order: the data, or [`ErrorKind::NoNode`] or
    /// [`ErrorKind::Denied`]. From ZooKeeper 3.6 on this is one request, which reads one moment of the tree; on older
    /// servers, and with [`ServerVersion::Before3_6`](crate::ServerVersion), it is one request for each znode.
    ///
    /// At most [`MAX_READS`] znodes. The size of the reply depends on the data: ZooKeeper allows 1 MiB for each znode.
    pub async fn read_many(&self, paths: &[ZnodePath]) -> Result<Vec<Reading>, Error> {
        let Some(first) = paths.first() else {
            return Ok(Vec::new());
        };
        let at: Vec<_> = paths.iter().map(|path| path.under(&self.scope.chroot)).collect();
        if at.len() > MAX_READS {
            let (size, limit) = (at.len(), MAX_READS);
            return Err(Error::new("read", first, ErrorKind::TooMany { size, limit }));
        }
        self.run_at("read", first, |transport, turn| transport.read_many(turn, &at)).await
    }

    /// Writes the data of a znode; with a `version`, only if the znode has it.
    pub async fn set_data(&self, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Result<Stat, Error> {
        self.check_size("write", path, data)?;
        self.run("write", path, |transport, turn, at| transport.set_data(turn, at, data, version)).await
    }

    /// Lists the names of a znode's children, unordered.
    pub async fn children(&self, path: &ZnodePath) -> Result<(Vec<String>, Stat), Error> {
        self.run("list", path, |transport, turn, at| transport.children(turn, at)).await
    }

    /// Waits until the server of this connection has caught up with the leader of the ensemble. A read after the sync
    /// sees everything that any client had seen before the sync.
    pub async fn sync(&self, path: &ZnodePath) -> Result<(), Error> {
        self.run("sync", path, |transport, turn, at| transport.sync(turn, at)).await
    }

    /// Watches a znode and everything below it. The znode need not exist; the right to read is enough. Needs
    /// [`has_recursive_watches`](Self::has_recursive_watches).
    ///
    /// Watch first, then read: the other order misses changes in between. ZooKeeper keeps one kind of watch per path
    /// and session (ZOOKEEPER-4466): do not set [`watch_exists`](Self::watch_exists) on the same path.
    pub async fn watch_recursive(&self, path: &ZnodePath) -> Result<WatchStream, Error> {
        let events =
            self.run("watch", path, |transport, turn, at| transport.watch_recursive(turn, at)).await?;
        Ok(WatchStream { events, down: self.down.clone(), chroot: self.scope.chroot.clone() })
    }

    /// Returns the stat of a znode, and watches it for its creation, deletion or next write.
    pub async fn watch_exists(&self, path: &ZnodePath) -> Result<(Option<Stat>, OneShot), Error> {
        let (stat, fired) =
            self.run("watch", path, |transport, turn, at| transport.watch_exists(turn, at)).await?;
        Ok((stat, OneShot::new(fired, self.down.clone())))
    }

    /// Reads the data of a znode, and watches it for its next write or its deletion.
    pub async fn watch_data(&self, path: &ZnodePath) -> Result<(Vec<u8>, Stat, OneShot), Error> {
        let (data, stat, fired) =
            self.run("watch", path, |transport, turn, at| transport.watch_data(turn, at)).await?;
        Ok((data, stat, OneShot::new(fired, self.down.clone())))
    }

    /// Lists the names of a znode's children, unordered, and watches the znode for the next change of the list or its
    /// deletion.
    pub async fn watch_children(&self, path: &ZnodePath) -> Result<(Vec<String>, Stat, OneShot), Error> {
        let (names, stat, fired) =
            self.run("watch", path, |transport, turn, at| transport.watch_children(turn, at)).await?;
        Ok((names, stat, OneShot::new(fired, self.down.clone())))
    }

    /// The identities that the server has recorded for this connection: its address, and what it authenticated as.
    ///
    /// Servers before ZooKeeper 3.7 do not know this request: [`ErrorKind::Unsupported`].
    pub async fn identities(&self) -> Result<Vec<Identity>, Error> {
        self.run("identify", &ZnodePath::root(), |transport, turn, _| transport.identities(turn)).await
    }

    /// How long an operation waits for its reply.
    pub fn operation_timeout(&self) -> Duration {
        self.scope.operation_timeout.unwrap_or(self.session.timeout * 3 / 4)
    }

    fn check_size(&self, operation: &'static str, path: &ZnodePath, data: &[u8]) -> Result<(), Error> {
        let (size, limit) = (data.len(), MAX_DATA);
        if size > limit {
            return Err(Error::new(operation, path, ErrorKind::TooLarge { size, limit }));
        }
        Ok(())
    }

    /// Runs an operation on a path below the chroot.
    async fn run<T>(
        &self,
        operation: &'static str,
        path: &ZnodePath,
        send: impl FnOnce(&dyn Transport, Turn, &ZnodePath) -> Reply<T>,
    ) -> Result<T, Error> {
        let at = path.under(&self.scope.chroot);
        self.run_at(operation, path, |transport, turn| send(transport, turn, &at)).await
    }

    async fn run_at<T>(
        &self,
        operation: &'static str,
        path: &ZnodePath,
        send: impl FnOnce(&dyn Transport, Turn) -> Reply<T>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let result = self.send(operation, path, send).await;
        self.scope.metrics.request(operation, started.elapsed(), &result);
        result
    }

    /// Waits for a turn until the deadline. After the end of the connection nothing is sent, and no turn needed.
    async fn turn(&self, deadline: Instant) -> Option<Turn> {
        if let Ok(permit) = self.scope.in_flight.clone().try_acquire_owned() {
            return Some(Turn::new(permit));
        }
        tokio::select! {
            biased;
            // The semaphore is never closed.
            permit = self.scope.in_flight.clone().acquire_owned() => permit.ok().map(Turn::new),
            () = self.ended() => Some(Turn::default()),
            () = sleep_until(deadline) => None,
        }
    }

    /// Sends the request of an operation when it is its turn, and waits for the reply.
    async fn send<T>(
        &self,
        operation: &'static str,
        path: &ZnodePath,
        send: impl FnOnce(&dyn Transport, Turn) -> Reply<T>,
    ) -> Result<T, Error> {
        let limit = self.operation_timeout();
        let deadline = Instant::now() + limit;
        let failed = |kind| Error::new(operation, path, kind);
        let turn = match self.turn(deadline).await {
            // A turn that comes at the deadline is too late.
            Some(turn) if Instant::now() < deadline => turn,
            _ => return Err(failed(ErrorKind::Busy)),
        };
        let reply = match self.transport.upgrade() {
            Some(transport) if !self.has_ended() => send(&*transport, turn.clone()),
            _ if self.epoch <= self.scope.ended_epoch.load(Ordering::Relaxed) => {
                return Err(failed(ErrorKind::SessionOver));
            }
            _ => return Err(failed(ErrorKind::NotConnected)),
        };
        match tokio::time::timeout_at(deadline, reply).await {
            Ok(Err(kind @ ErrorKind::ConnectionLost(_))) => {
                // The end is published right after such an error: then the caller finds it, too.
                let _ = tokio::time::timeout_at(deadline, self.ended()).await;
                Err(failed(kind))
            }
            Ok(result) => result.map_err(failed),
            Err(_) => Err(failed(ErrorKind::Timeout(limit))),
        }
    }
}
