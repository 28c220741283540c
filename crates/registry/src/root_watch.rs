//! The root watch: does once on each connection what all registrations of a registrar need.
//!
//! ```text
//!            link up              few names: sync                       ─▶ each keeper watches its own znode ─┐
//! Unlinked ───────────▶ preparing                                                                             │
//!  ▲                     ▲        many names: watch root, sync, stat it ─▶ one watch serves all ──────────────┤
//!  │                     │                                                                                    │
//!  │                     └─ the shared watch has ended, or few names have become many ────────────────────────┤
//!  └─ link down ──────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The root watch passes the events of the shared watch to the keepers by name, and keeps the root's *list version*
//! (the numbers in its stat that change with every child created or deleted) up to date. If the list version is the
//! same on the next connection of the session, no child was created or deleted in between, and the keepers need not
//! read their znodes. Proof: ZooKeeper sends the event of a change before the reply to a later stat. So when a list
//! version is kept, the keepers have been notified of every deletion before it, and a later deletion gives another
//! list version.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{Instrument, debug, info, info_span};
use zk_core::time::{jittered, until};
use zk_core::{
    Backoff, Connection, Error, ErrorKind, Event, EventKind, ListVersion, WatchStream, Zk, ZnodePath,
};

use crate::log_limiter::LogLimiter;
use crate::metrics::Metrics;
use crate::notify::Names;
use crate::status::Trouble;

/// How long after a change below the root the list version is read, so that a thousand changes cost one read.
const LIST_VERSION_DELAY: Duration = Duration::from_secs(1);

/// Whether keepers can work.
#[derive(Clone, Debug)]
pub(crate) enum Readiness {
    /// There is no connection, or it is not prepared yet.
    Unlinked,
    /// There is a connection, and preparing it has failed.
    Troubled(Trouble),
    /// There is a connection, and its server has caught up with everything that we know.
    Ready(Arc<ReadyConnection>),
    /// The link is closed for good.
    Closed,
}

/// A connection that keepers may use, and how their znodes are watched on it.
#[derive(Debug)]
pub(crate) struct ReadyConnection {
    /// A later one has a greater number.
    pub(crate) number: u64,
    pub(crate) connection: Connection,
    pub(crate) watched: Watched,
}

/// How the znodes of the keepers are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// Every keeper watches its own znode.
    Own {
        /// However many they are: the server has no recursive watches.
        always: bool,
    },
    /// One watch serves all, and was installed before this value was published.
    Shared {
        /// Since the ready connection of this number, the keepers were notified of everything that was created or
        /// deleted below the root.
        unchanged_since: u64,
    },
}

impl ReadyConnection {
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.watched, Watched::Shared { .. })
    }

    /// Whether a znode that was registered under the shared watch of an earlier ready connection, and whose keeper was
    /// notified of no deletion, still exists.
    pub(crate) fn confirms(&self, earlier: u64) -> bool {
        matches!(self.watched, Watched::Shared { unchanged_since } if unchanged_since <= earlier)
    }
}

/// What the root watch shares with the keepers.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) names: Arc<Names>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Arc<LogLimiter>,
}

pub(crate) struct RootWatch {
    zk: Zk,
    root: ZnodePath,
    audit_interval: Duration,
    context: Context,
    readiness: watch::Sender<Readiness>,
    /// The number of the ready connection in use, or of the last one.
    number: u64,
    /// The root's list version as it was read last, and the epoch in which it was.
    list_version: Option<(u64, ListVersion)>,
    /// The number of the first ready connection with this list version.
    unchanged_since: u64,
    /// The epoch in which a server refused recursive watches.
    refused_in: Option<u64>,
    backoff: Backoff,
}

impl RootWatch {
    /// Starts the task. It ends when the link is closed or the last receiver is dropped.
    pub(crate) fn spawn(
        zk: Zk,
        root: ZnodePath,
        audit_interval: Duration,
        context: Context,
    ) -> watch::Receiver<Readiness> {
        let (sender, readiness) = watch::channel(Readiness::Unlinked);
        let span = info_span!("registrar", %root);
        let root_watch = Self {
            zk,
            root,
            audit_interval,
            context,
            readiness: sender,
            number: 0,
            list_version: None,
            unchanged_since: 0,
            refused_in: None,
            backoff: Backoff::default(),
        };
        tokio::spawn(root_watch.run().instrument(span));
        readiness
    }

    async fn run(mut self) {
        let (readiness, context) = (self.readiness.clone(), self.context.clone());
        tokio::select! {
            () = readiness.closed() => {}
            () = self.watch() => {}
            () = context.log.summaries(&context.metrics) => {}
        }
        context.log.summary(&context.metrics);
    }

    async fn watch(&mut self) {
        while let Ok(connection) = self.zk.connected().await {
            self.serve(&connection).await;
            self.readiness.send_replace(Readiness::Unlinked);
        }
        self.readiness.send_replace(Readiness::Closed);
    }

    /// Returns when the connection has ended.
    async fn serve(&mut self, connection: &Connection) {
        let mut is_new = true;
        while !connection.has_ended() {
            match self.prepare(connection, is_new).await {
                Ok(stream) => {
                    self.backoff = Backoff::default();
                    self.follow(connection, stream).await;
                    is_new = false;
                }
                Err(_) if connection.has_ended() => {}
                Err(error) => {
                    debug!(%error, "root watch or sync failed, retrying");
                    self.readiness.send_replace(Readiness::Troubled(error.into()));
                    tokio::select! {
                        () = sleep(self.backoff.next_wait(&mut rand::rng())) => {}
                        () = connection.ended() => {}
                    }
                }
            }
        }
    }

    /// Prepares and publishes a ready connection. Returns the shared watch, if there is one.
    async fn prepare(&mut self, connection: &Connection, is_new: bool) -> Result<Option<WatchStream>, Error> {
        let names = &self.context.names;
        let needs_shared_watch = if is_new { names.recount() } else { names.needs_shared_watch() };
        let has_recursive = self.has_recursive_watches(connection);
        self.number += 1;
        if !(needs_shared_watch && has_recursive) {
            // D7: the server may lag behind what we have seen, until a sync.
            connection.sync(&self.root).await?;
            self.publish_own_watches(connection, !has_recursive);
            return Ok(None);
        }
        // All three are sent at once, in this order.
        let (events, synced, stat) = tokio::join!(
            biased;
            connection.watch_recursive(&self.root),
            connection.sync(&self.root),
            connection.stat(&self.root),
        );
        let mut events = match events {
            // ZooKeeper before 3.6, which also closes the connection, or one that refuses these watches: they are not
            // requested again in this session.
            Err(error) if error.kind().is_refusal() || *error.kind() == ErrorKind::Denied => {
                debug!(%error, "recursive watch refused: every znode has its own watch");
                self.refused_in = Some(connection.epoch());
                synced?;
                self.publish_own_watches(connection, true);
                return Ok(None);
            }
            events => events?,
        };
        synced?;
        self.keep_list_version(connection, ListVersion::of(stat?.as_ref()));
        while let Some(event) = events.try_next() {
            self.notify(&event);
        }
        info!(registrations = self.context.names.len(), "shared watch installed");
        self.publish(connection, Watched::Shared { unchanged_since: self.unchanged_since });
        Ok(Some(events))
    }

    /// Whether the server has recursive watches, as far as this session knows.
    fn has_recursive_watches(&self, connection: &Connection) -> bool {
        connection.has_recursive_watches() && self.refused_in != Some(connection.epoch())
    }

    /// Publishes a ready connection on which every keeper watches its own znode.
    fn publish_own_watches(&mut self, connection: &Connection, always: bool) {
        self.list_version = None;
        self.publish(connection, Watched::Own { always });
    }

    fn publish(&self, connection: &Connection, watched: Watched) {
        let ready = ReadyConnection { number: self.number, connection: connection.clone(), watched };
        self.readiness.send_replace(Readiness::Ready(Arc::new(ready)));
    }

    /// Keeps a list version that was read, and since when it has been the same. In a new session the ensemble may be
    /// another one, with the same numbers by chance: it counts as changed.
    fn keep_list_version(&mut self, connection: &Connection, read: ListVersion) {
        let now = Some((connection.epoch(), read));
        if self.list_version != now {
            (self.list_version, self.unchanged_since) = (now, self.number);
        }
    }

    /// Passes events to the keepers until another ready connection has to be prepared.
    async fn follow(&mut self, connection: &Connection, mut stream: Option<WatchStream>) {
        let mut read_version_at: Option<Instant> = None;
        let mut audit_at = Instant::now() + jittered(self.audit_interval, &mut rand::rng());
        let mut audited = None;
        loop {
            tokio::select! {
                biased;
                event = next(&mut stream) => {
                    // `None`: the connection has ended, or too many events were waiting.
                    let Some(event) = event else { return };
                    if self.notify_all(event, &mut stream) {
                        read_version_at.get_or_insert_with(|| Instant::now() + LIST_VERSION_DELAY);
                    }
                }
                () = connection.ended() => return,
                () = self.context.names.until_shared_watch_needed(), if stream.is_none() => {
                    if self.has_recursive_watches(connection) && self.context.names.needs_shared_watch() {
                        return;
                    }
                }
                () = until(read_version_at) => {
                    read_version_at = None;
                    if let Ok(stat) = connection.stat(&self.root).await {
                        let changed = self.notify_queued(&mut stream);
                        self.keep_list_version(connection, ListVersion::of(stat.as_ref()));
                        read_version_at = changed.then(|| Instant::now() + LIST_VERSION_DELAY);
                    }
                }
                () = sleep_until(audit_at), if stream.is_some() => {
                    audit_at = Instant::now() + jittered(self.audit_interval, &mut rand::rng());
                    if let Err(error) = self.audit(connection, &mut audited).await {
                        debug!(%error, "audit failed");
                    }
                }
            }
        }
    }

    /// Compares the list of children with the names of the registrar, if it has changed since the last comparison.
    async fn audit(&self, connection: &Connection, audited: &mut Option<ListVersion>) -> Result<(), Error> {
        let version = ListVersion::of(connection.stat(&self.root).await?.as_ref());
        if *audited == Some(version) {
            debug!("audit: list unchanged");
            return Ok(());
        }
        let (listed, stat) = match connection.children(&self.root).await {
            Err(error) if *error.kind() == ErrorKind::NoNode => (Vec::new(), None),
            listed => listed.map(|(names, stat)| (names, Some(stat)))?,
        };
        *audited = Some(ListVersion::of(stat.as_ref()));
        let missing = self.context.names.notify_missing(&listed);
        debug!(missing, "audit: list compared with the registrations");
        Ok(())
    }

    /// Passes an event, and all that wait behind it, to the keepers. Returns whether the list of children has changed.
    fn notify_all(&self, first: Event, stream: &mut Option<WatchStream>) -> bool {
        let changed = self.notify(&first);
        self.notify_queued(stream) | changed
    }

    fn notify_queued(&self, stream: &mut Option<WatchStream>) -> bool {
        let mut changed = false;
        while let Some(event) = stream.as_mut().and_then(WatchStream::try_next) {
            changed |= self.notify(&event);
        }
        changed
    }

    fn notify(&self, event: &Event) -> bool {
        self.context.names.notify(&event.path, event.kind);
        event.kind != EventKind::DataChanged
    }
}

/// The next event, if there is a watch.
async fn next(stream: &mut Option<WatchStream>) -> Option<Event> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}
