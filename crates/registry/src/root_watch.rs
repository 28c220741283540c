//! What is done once on each connection for all registrations of a registrar.
//!
//! ```text
//!            link up            few: sync                            ─▶ each keeper watches its own znode
//!  Unlinked ─────────▶ settling
//!      ▲                        many: watch the root, sync, stat it  ─▶ one watch for all
//!      │ link down                 ▲                                        │
//!      └───────────────────────────┴──── the watch ended, or few became many┘
//! ```
//!
//! With one watch for all, its events are handed to the keepers by name, and the root's *version* (the numbers
//! in its stat that change with every znode created or deleted below it) is kept up to date. Where it is the
//! same on the next connection of the session, nothing below came or went in between, and the keepers need
//! not look. The argument: an event that happened before a stat was answered is in the queue when the answer
//! is. So when a version is kept, everybody has been told of all deletions before it; and a later one gives
//! another version.

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

/// How long after a change below the root its version is read anew, so that a thousand changes cost one read.
const VERSION_AFTER: Duration = Duration::from_secs(1);

/// What keepers stand on.
#[derive(Clone, Debug)]
pub(crate) enum Readiness {
    /// There is no connection, or none that is ready.
    Unlinked,
    /// There is a connection, and this stands in the way of its use.
    Troubled(Trouble),
    /// There is a connection, and its server has caught up with all that we know.
    Ready(Arc<ReadyConnection>),
    /// The link is closed for good.
    Closed,
}

/// A connection that keepers may use, and how their znodes are watched on it.
#[derive(Debug)]
pub(crate) struct ReadyConnection {
    /// Counts: a greater one is a later one.
    pub(crate) number: u64,
    pub(crate) connection: Connection,
    pub(crate) watched: Watched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// Every keeper watches its own znode.
    Own {
        /// Also where they are many, as the server knows nothing better.
        always: bool,
    },
    /// One watch serves all. It was there before this was said.
    Shared {
        /// Nothing was created or deleted below the root since this ready's, but what was told.
        unchanged_since: u64,
    },
}

impl ReadyConnection {
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.watched, Watched::Shared { .. })
    }

    /// Whether a znode that stood under the shared watch of an earlier ready, and of whose deletion
    /// nothing was told, stands still.
    pub(crate) fn confirms(&self, earlier: u64) -> bool {
        matches!(self.watched, Watched::Shared { unchanged_since } if unchanged_since <= earlier)
    }
}

/// What a root_watch shares with the keepers.
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
    /// The ready in use, or the last one.
    number: u64,
    /// The root's version as it was read last, and in which session.
    version: Option<(u64, ListVersion)>,
    /// The first ready since which the version has been the same.
    unchanged_since: u64,
    /// The session in which a server did not know recursive watches.
    unknown_in: Option<u64>,
    pause: Backoff,
}

impl RootWatch {
    /// Starts the task. It ends when the link is closed or nobody holds the readiness any more.
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
            version: None,
            unchanged_since: 0,
            unknown_in: None,
            pause: Backoff::default(),
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
            match self.settle(connection, is_new).await {
                Ok(stream) => {
                    self.pause = Backoff::default();
                    self.follow(connection, stream).await;
                    is_new = false;
                }
                Err(_) if connection.has_ended() => {}
                Err(error) => {
                    debug!(%error, "no ready on this connection yet");
                    self.readiness.send_replace(Readiness::Troubled(error.into()));
                    tokio::select! {
                        () = sleep(self.pause.next_wait()) => {}
                        () = connection.ended() => {}
                    }
                }
            }
        }
    }

    /// Makes a ready of a connection, and returns the watch that serves all, if one does.
    async fn settle(&mut self, connection: &Connection, is_new: bool) -> Result<Option<WatchStream>, Error> {
        let names = &self.context.names;
        let needs_shared_watch = if is_new { names.recount() } else { names.need_shared_watch() };
        let is_known = connection.has_recursive_watches() && self.unknown_in != Some(connection.epoch());
        self.number += 1;
        if !(needs_shared_watch && is_known) {
            // D7: the server may lag behind what we have seen, until it is told to catch up.
            connection.sync(&self.root).await?;
            return Ok(self.each(connection, !is_known));
        }
        // All are on their way at once, in this order.
        let (events, synced, stat) = tokio::join!(
            biased;
            connection.watch_recursive(&self.root),
            connection.sync(&self.root),
            connection.stat(&self.root),
        );
        let mut events = match events {
            // ZooKeeper before 3.6, which closes the connection, too, or one that refuses these watches: not again in
            // this session.
            Err(error) if error.kind().is_refusal() || *error.kind() == ErrorKind::Denied => {
                debug!(%error, "no recursive watches here: every znode has its own");
                self.unknown_in = Some(connection.epoch());
                synced?;
                return Ok(self.each(connection, true));
            }
            events => events?,
        };
        synced?;
        self.set_version(connection, ListVersion::of(stat?.as_ref()));
        while let Some(event) = events.try_next() {
            self.tell(&event);
        }
        info!(registrations = self.context.names.len(), "one watch for all");
        self.publish(connection, Watched::Shared { unchanged_since: self.unchanged_since });
        Ok(Some(events))
    }

    /// Has every keeper watch its own znode.
    fn each(&mut self, connection: &Connection, always: bool) -> Option<WatchStream> {
        self.version = None;
        self.publish(connection, Watched::Own { always });
        None
    }

    fn publish(&self, connection: &Connection, watched: Watched) {
        let ready = ReadyConnection { number: self.number, connection: connection.clone(), watched };
        self.readiness.send_replace(Readiness::Ready(Arc::new(ready)));
    }

    /// Keeps the version. In a new session the ensemble may be another one, with the same numbers by chance.
    fn set_version(&mut self, connection: &Connection, version: ListVersion) {
        let now = Some((connection.epoch(), version));
        if self.version != now {
            (self.version, self.unchanged_since) = (now, self.number);
        }
    }

    /// Hands on events until there is another ready to be made.
    async fn follow(&mut self, connection: &Connection, mut stream: Option<WatchStream>) {
        let mut version_at: Option<Instant> = None;
        let mut audit_at = Instant::now() + jittered(self.audit_interval);
        let mut audited = None;
        loop {
            tokio::select! {
                biased;
                event = next(&mut stream) => {
                    // `None`: the connection has ended, or we were overrun.
                    let Some(event) = event else { return };
                    if self.tell_all(event, &mut stream) {
                        version_at.get_or_insert_with(|| Instant::now() + VERSION_AFTER);
                    }
                }
                () = connection.ended() => return,
                () = self.context.names.shared_watch_needed(), if stream.is_none() => {
                    let is_known = connection.has_recursive_watches() && self.unknown_in != Some(connection.epoch());
                    if is_known && self.context.names.need_shared_watch() {
                        return;
                    }
                }
                () = until(version_at) => {
                    version_at = None;
                    if let Ok(stat) = connection.stat(&self.root).await {
                        let moved = self.tell_queued(&mut stream);
                        self.set_version(connection, ListVersion::of(stat.as_ref()));
                        version_at = moved.then(|| Instant::now() + VERSION_AFTER);
                    }
                }
                () = sleep_until(audit_at), if stream.is_some() => {
                    audit_at = Instant::now() + jittered(self.audit_interval);
                    if let Err(error) = self.audit(connection, &mut audited).await {
                        debug!(%error, "audit failed");
                    }
                }
            }
        }
    }

    /// Compares the list with the names in use, if it has moved since it was compared last.
    async fn audit(&self, connection: &Connection, audited: &mut Option<ListVersion>) -> Result<(), Error> {
        let version = ListVersion::of(connection.stat(&self.root).await?.as_ref());
        if *audited == Some(version) {
            debug!("audit: the root has not moved");
            return Ok(());
        }
        let (listed, stat) = match connection.children(&self.root).await {
            Err(error) if *error.kind() == ErrorKind::NoNode => (Vec::new(), None),
            listed => listed.map(|(names, stat)| (names, Some(stat)))?,
        };
        *audited = Some(ListVersion::of(stat.as_ref()));
        let missing = self.context.names.notify_missing(&listed);
        debug!(missing, "audit: compared with the list");
        Ok(())
    }

    /// Hands on an event, and all that are there already. Returns whether the list of children moved.
    fn tell_all(&self, first: Event, stream: &mut Option<WatchStream>) -> bool {
        let moved = self.tell(&first);
        self.tell_queued(stream) | moved
    }

    fn tell_queued(&self, stream: &mut Option<WatchStream>) -> bool {
        let mut moved = false;
        while let Some(event) = stream.as_mut().and_then(WatchStream::try_next) {
            moved |= self.tell(&event);
        }
        moved
    }

    fn tell(&self, event: &Event) -> bool {
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
