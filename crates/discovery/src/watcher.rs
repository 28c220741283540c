//! The state machine that follows a root, with any kind of [`Source`].
//!
//! ```text
//!             link up            watch, sync, stat; list if it changed
//!  Unlinked ──────────▶ Syncing ──────────────────────────────────▶ Following
//!      ▲                  ▲  │ failed ─▶ Pausing ─▶ Syncing            │  │
//!      │                  └──┼─────────────────────────────────────────┘  │
//!      │                     │       the source ended, the link did not    │
//!      └─────────────────────┴─────────────────────────────────────────────┘
//!                                    the link went down: stale
//! ```

use std::sync::Arc;
use std::time::Duration;

use instance::{Endpoint, Format};
use rand::RngExt;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{Instrument, debug, info, info_span, warn};
use zk_core::time::{jittered, until};
use zk_core::{Backoff, Connection, Error, ErrorKind, ListVersion, Zk};

use crate::config::Config;
use crate::membership::{After, Membership};
use crate::publisher::Publisher;
use crate::reads::{BatchReply, Reads};
use crate::record_cache::ReadReason;
use crate::source::{Baseline, Listing, Source, SourceError, Update};

/// After a reconnect the records are read again within this time, by each follower at random moments.
const REREAD_WITHIN: Duration = Duration::from_secs(1);

/// A record without a reply is read again after about this time.
const RETRY: Duration = Duration::from_secs(1);

/// The commands of the handles.
#[derive(Debug)]
pub(crate) struct Commands {
    /// Endpoints that refused a connection. Closed when no handle is left.
    pub(crate) refused: mpsc::Receiver<Endpoint>,
    /// Remove the held instances.
    pub(crate) release: Arc<Notify>,
}

/// A command of a handle.
enum Command {
    Refused(Endpoint),
    Release,
    /// No handle is left.
    End,
}

impl Commands {
    /// Waits for the next command. No command is lost if the future is dropped.
    async fn next(&mut self) -> Command {
        tokio::select! {
            refused = self.refused.recv() => refused.map_or(Command::End, Command::Refused),
            () = self.release.notified() => Command::Release,
        }
    }
}

/// The stage of the watcher. Every variant says what is true in it.
enum Stage {
    /// There is no connection. The view is stale, and only the operator removes instances.
    Unlinked,
    /// There is a connection, and the view has not caught up with a watch on it.
    Syncing { connection: Connection },
    /// The view is what ZooKeeper lists, and every change arrives as an update.
    Following(Box<Following>),
    /// Following failed on a connection that is still up.
    Pausing { connection: Connection },
    /// All handles are dropped, or the link is closed.
    Ended,
}

/// The data of [`Stage::Following`].
struct Following {
    connection: Connection,
    source: Source,
    reads: Reads,
    /// When the next audit is due.
    audit: Instant,
}

pub(crate) struct Watcher {
    zk: Zk,
    config: Config,
    membership: Membership,
    publisher: Publisher,
    /// The session in which the root was listed last; 0 before the first list.
    epoch: u64,
    /// The list version of the last list, unless an event has come since.
    version: Option<ListVersion>,
    commands: Commands,
    backoff: Backoff,
}

impl Watcher {
    pub(crate) fn new(
        zk: Zk,
        config: Config,
        format: Box<dyn Format>,
        publisher: Publisher,
        commands: Commands,
    ) -> Self {
        let membership = Membership::new(format, &config);
        let backoff = Backoff::default();
        Self { zk, config, membership, publisher, epoch: 0, version: None, commands, backoff }
    }

    pub(crate) async fn run(self) {
        let span = info_span!("discovery", root = %self.config.root());
        self.steps().instrument(span).await;
    }

    async fn steps(mut self) {
        let mut stage = Stage::Unlinked;
        loop {
            stage = match stage {
                Stage::Unlinked => self.await_link().await,
                Stage::Syncing { connection } => self.sync(connection).await,
                Stage::Following(following) => self.follow(following).await,
                Stage::Pausing { connection } => self.pause(connection).await,
                Stage::Ended => return,
            }
        }
    }

    async fn await_link(&mut self) -> Stage {
        loop {
            let zk = self.zk.clone();
            tokio::select! {
                connected = zk.connected() => return match connected {
                    Ok(connection) => Stage::Syncing { connection },
                    Err(_closed) => Stage::Ended,
                },
                command = self.commands.next() => match command {
                    // Without a link only the operator removes instances.
                    Command::Refused(_) => {}
                    Command::Release => self.release(),
                    Command::End => return Stage::Ended,
                },
            }
        }
    }

    async fn sync(&mut self, connection: Connection) -> Stage {
        let closed = self.publisher.closed();
        let result = tokio::select! {
            result = self.resync(&connection) => result,
            () = closed => return Stage::Ended,
        };
        match result {
            Ok(source) => {
                self.backoff = Backoff::default();
                let (reads, audit) = (Reads::default(), self.next_audit());
                Stage::Following(Box::new(Following { connection, source, reads, audit }))
            }
            Err(_) if connection.has_ended() => self.unlinked(),
            Err(error) => {
                self.stale();
                self.report_trouble(connection, &error)
            }
        }
    }

    async fn resync(&mut self, connection: &Connection) -> Result<Source, Error> {
        let root = self.config.root();
        self.membership.set.set_hold(self.config.hold(connection.session().timeout));
        self.membership.set.link_up(Instant::now());
        let (mut source, baseline) = Source::start(connection.clone(), root).await?;
        // In a new session the ensemble may be another one, with the same list version by chance.
        let new_session = self.epoch != connection.epoch();
        let listing = match baseline {
            Baseline::Version(version) if self.version == Some(version) && !new_session => {
                debug!("list unchanged");
                None
            }
            Baseline::Version(ListVersion::Absent) => Some(Listing::absent()),
            Baseline::Version(ListVersion::Present { .. }) => {
                self.publisher.metrics.lists.increment(1);
                Some(source.list().await?)
            }
            Baseline::Listed(listing) => {
                self.publisher.metrics.lists.increment(1);
                Some(listing)
            }
        };
        if let Some(listing) = listing {
            self.listed(&listing, new_session && self.epoch != 0);
        }
        self.epoch = connection.epoch();
        // The updates from before the reply are queued by now, and make one view with the list.
        self.apply_queued(&mut source);
        let now = Instant::now();
        self.membership.reread_all(now, REREAD_WITHIN, ReadReason::Resync, &mut rand::rng());
        self.membership.advance(now);
        self.publisher.metrics.confirm();
        let was_live = self.publisher.is_live();
        self.publisher.live(&self.membership);
        let (instances, session) = (self.membership.set.len(), connection.session().id);
        if was_live {
            info!(instances, %session, "discovery watch replaced");
        } else {
            info!(instances, %session, "discovery view is live");
        }
        Ok(source)
    }

    /// Applies a list; returns whether it differs from what was listed before.
    fn listed(&mut self, listing: &Listing, new_session: bool) -> bool {
        self.version = Some(listing.version);
        let after = if new_session {
            After::NewSession
        } else if self.epoch == 0 {
            After::Gap
        } else {
            After::Following
        };
        !self.membership.listed(&listing.names, &listing.recreated, after, Instant::now()).is_empty()
    }

    async fn follow(&mut self, mut following: Box<Following>) -> Stage {
        let Following { connection, source, reads, audit } = &mut *following;
        self.send_reads(source, reads);
        let due = self.membership.next_deadline();
        let read_due = if reads.has_room() { self.membership.next_read() } else { None };
        tokio::select! {
            // Updates first: queued ones make one view with what is due.
            biased;
            update = source.next() => match update {
                Ok(update) => {
                    self.apply(update);
                    self.apply_queued(source);
                    self.publisher.metrics.confirm();
                }
                Err(_) if connection.has_ended() => return self.unlinked(),
                Err(error) => {
                    self.version = None;
                    self.stale();
                    return match error {
                        SourceError::WatchLost => Stage::Syncing { connection: connection.clone() },
                        SourceError::Failed(error) => self.report_trouble(connection.clone(), &error),
                    };
                }
            },
            () = connection.ended() => return self.unlinked(),
            command = self.commands.next() => match command {
                Command::Refused(endpoint) => self.refused(&endpoint),
                Command::Release => self.release(),
                Command::End => return Stage::Ended,
            },
            reply = reads.next() => {
                self.apply_queued(source);
                if self.apply_reply(reply, source) {
                    return self.replace_watch(connection.clone());
                }
            }
            () = until(due) => {}
            () = until(read_due) => {}
            () = sleep_until(*audit) => {
                match self.audit(connection, source).await {
                    Ok(false) => {}
                    Ok(true) => return self.replace_watch(connection.clone()),
                    // A server may send no events to a session that may not read the root.
                    Err(error) if *error.kind() == ErrorKind::Denied => {
                        self.version = None;
                        self.stale();
                        return self.report_trouble(connection.clone(), &error);
                    }
                    Err(error) => debug!(%error, "audit failed"),
                }
                *audit = self.next_audit();
            }
        }
        self.membership.advance(Instant::now());
        self.publisher.publish(&self.membership);
        Stage::Following(following)
    }

    /// Compares the view with ZooKeeper, and corrects it. Returns whether there is a mismatch: the list changed
    /// without an event.
    async fn audit(&mut self, connection: &Connection, source: &mut Source) -> Result<bool, Error> {
        let version = ListVersion::of(connection.stat(self.config.root()).await?.as_ref());
        self.apply_queued(source);
        if self.version != Some(version) && !source.is_behind() {
            // If no event has come since the last list, one is missing.
            let no_event = self.version.is_some();
            self.publisher.metrics.lists.increment(1);
            let listing = source.list().await?;
            let changed = self.listed(&listing, false);
            self.apply_queued(source);
            if no_event && changed {
                warn!("audit mismatch: the list changed without an event");
                return Ok(true);
            }
        }
        self.publisher.metrics.confirm();
        let within = self.config.audit_interval() / 2;
        self.membership.reread_all(Instant::now(), within, ReadReason::Audit, &mut rand::rng());
        Ok(false)
    }

    /// An audit found a mismatch: a new watch replaces the present one.
    fn replace_watch(&mut self, connection: Connection) -> Stage {
        self.publisher.metrics.audit_mismatches.increment(1);
        self.version = None;
        Stage::Syncing { connection }
    }

    /// Sends the reads that are due.
    fn send_reads(&mut self, source: &Source, reads: &mut Reads) {
        while reads.has_room()
            && let Some(batch) = self.membership.take_reads(Instant::now(), source.max_batch())
        {
            let records = batch.names.len();
            debug!(records, "reading records");
            self.publisher.metrics.record_reads.increment(records.try_into().unwrap_or(u64::MAX));
            reads.send(source, batch);
        }
    }

    /// Applies the reply for a batch of records. Returns whether there is a mismatch: a record changed without an
    /// event.
    fn apply_reply(&mut self, reply: BatchReply, source: &mut Source) -> bool {
        let retry = Instant::now() + RETRY.mul_f64(rand::rng().random_range(0.5..1.5));
        let mut mismatch = false;
        for record in reply.records {
            if let Some(watch) = record.watch {
                source.keep_watch(&record.name, watch);
            }
            if self.membership.apply_reply(reply.ticket, &record.name, record.reading, Instant::now(), retry)
            {
                warn!(child = record.name, "audit mismatch: the record changed without an event");
                mismatch = true;
            }
        }
        mismatch
    }

    fn apply_queued(&mut self, source: &mut Source) {
        while let Some(update) = source.try_next() {
            self.apply(update);
        }
    }

    fn apply(&mut self, update: Update) {
        let (now, metrics) = (Instant::now(), &self.publisher.metrics);
        match update {
            Update::Created(name) => {
                metrics.created.increment(1);
                self.membership.created(&name, now);
                self.version = None;
            }
            Update::Deleted(name) => {
                metrics.deleted.increment(1);
                self.membership.deleted(&name, false, now);
                self.version = None;
            }
            Update::Written(name) => {
                metrics.written.increment(1);
                self.membership.written(&name, now);
            }
            Update::Listed(listing) => {
                metrics.children.increment(1);
                metrics.lists.increment(1);
                self.listed(&listing, false);
            }
        }
    }

    fn refused(&mut self, endpoint: &Endpoint) {
        if self.membership.set.refused(endpoint) {
            info!(%endpoint, "held instance removed: it refuses connections");
        }
    }

    fn release(&mut self) {
        let held = self.membership.set.held();
        if held > 0 {
            debug!(held, "held instances released");
        }
        self.membership.set.release_held();
        if self.epoch != 0 {
            self.publisher.publish(&self.membership);
        }
    }

    async fn pause(&mut self, connection: Connection) -> Stage {
        tokio::select! {
            () = connection.ended() => return self.unlinked(),
            command = self.commands.next() => match command {
                Command::Refused(_) => {}
                Command::Release => self.release(),
                Command::End => return Stage::Ended,
            },
            () = sleep(self.backoff.next_wait(&mut rand::rng())) => {}
        }
        Stage::Syncing { connection }
    }

    fn report_trouble(&mut self, connection: Connection, error: &Error) -> Stage {
        use ErrorKind::{ConnectionLost, NotConnected, SessionOver};
        if let ConnectionLost(_) | NotConnected | SessionOver = error.kind() {
            // The connection is ending, which is no trouble of the root.
            debug!(%error, "cannot follow the root: the connection is ending");
            return Stage::Pausing { connection };
        }
        let trouble = error.to_string();
        if self.publisher.trouble() != Some(&trouble) {
            warn!(%error, retry_within = ?self.backoff.cap(), "cannot follow the root");
        }
        self.publisher.report_trouble(trouble);
        Stage::Pausing { connection }
    }

    fn unlinked(&mut self) -> Stage {
        self.membership.set.link_down(Instant::now());
        self.stale();
        Stage::Unlinked
    }

    /// The root is not followed any more: the last set stays.
    fn stale(&mut self) {
        if self.publisher.is_live() {
            info!(instances = self.membership.set.len(), "discovery view is stale");
            // The records that instances wait for are not read any more.
            self.membership.show_without_records();
            self.publisher.stale(&self.membership);
        }
    }

    fn next_audit(&self) -> Instant {
        Instant::now() + jittered(self.config.audit_interval(), &mut rand::rng())
    }
}
