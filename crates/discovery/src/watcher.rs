//! The state machine that follows a root. What its [`Source`] is makes no difference to it.
//!
//! ```text
//!             link up            watch, sync, look; list if need be
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

use crate::config::{Config, Records};
use crate::membership::Membership;
use crate::publisher::Publisher;
use crate::reads::{Read, Reads};
use crate::record_cache::Why;
use crate::source::{Listing, News, Silence, Source, Start};

/// After a reconnect the records are read again within this time, each follower at moments of its own.
const REREAD_WITHIN: Duration = Duration::from_secs(1);

/// A record that could not be asked for is asked for again after about this time.
const RETRY: Duration = Duration::from_secs(1);

/// What handles ask for.
#[derive(Debug)]
pub(crate) struct Orders {
    /// Endpoints that refused a connection. Closed when no handle is left.
    pub(crate) refused: mpsc::Receiver<Endpoint>,
    /// Believe what is held.
    pub(crate) release: Arc<Notify>,
}

/// One of them.
enum Order {
    Refused(Endpoint),
    Release,
    /// No handle is left.
    End,
}

impl Orders {
    /// The next order. No order is lost if the future is dropped.
    async fn next(&mut self) -> Order {
        tokio::select! {
            refused = self.refused.recv() => refused.map_or(Order::End, Order::Refused),
            () = self.release.notified() => Order::Release,
        }
    }
}

/// Where the watcher stands. Every variant says what holds while it is in it.
enum Stage {
    /// There is no connection. The view is stale, and nothing is removed from it.
    Unlinked,
    /// There is a connection, and no watch whose beginning is known to the view.
    Syncing { connection: Connection },
    /// The view is what ZooKeeper lists, and every change arrives as news.
    Following(Box<Following>),
    /// Syncing failed on a connection that still stands.
    Pausing { connection: Connection },
    /// Nobody looks any more, or the link is closed.
    Ended,
}

/// What it takes to follow.
struct Following {
    connection: Connection,
    source: Source,
    reads: Reads,
    audit: Instant,
}

pub(crate) struct Watcher {
    zk: Zk,
    config: Config,
    membership: Membership,
    publisher: Publisher,
    /// The session in which the root was listed last; 0 before the first list.
    epoch: u64,
    /// The root as it was listed last, if no event has come since.
    version: Option<ListVersion>,
    orders: Orders,
    pause: Backoff,
}

impl Watcher {
    pub(crate) fn new(
        zk: Zk,
        config: Config,
        format: Box<dyn Format>,
        publisher: Publisher,
        orders: Orders,
    ) -> Self {
        let records = config.records() == Records::Read;
        let membership = Membership::new(format, config.settle(), records);
        let pause = Backoff::default();
        Self { zk, config, membership, publisher, epoch: 0, version: None, orders, pause }
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
                order = self.orders.next() => match order {
                    // Without a link only the operator's word removes anything.
                    Order::Refused(_) => {}
                    Order::Release => self.release(),
                    Order::End => return Stage::Ended,
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
                self.pause = Backoff::default();
                let (reads, audit) = (Reads::default(), self.next_audit());
                Stage::Following(Box::new(Following { connection, source, reads, audit }))
            }
            Err(_) if connection.has_ended() => self.unlinked(),
            Err(error) => {
                self.stale();
                self.in_trouble(connection, &error)
            }
        }
    }

    async fn resync(&mut self, connection: &Connection) -> Result<Source, Error> {
        let root = self.config.root();
        self.membership.set_hold(self.config.hold(connection.session().timeout));
        self.membership.linked(Instant::now());
        let (mut source, start) = Source::begin(connection.clone(), root).await?;
        // In a new session the ensemble may be another one, with the same numbers by chance.
        let new_session = self.epoch != connection.epoch();
        let listing = match start {
            Start::Version(version) if self.version == Some(version) && !new_session => {
                debug!("the root has not moved");
                None
            }
            Start::Version(ListVersion::Absent) => Some(Listing::absent()),
            Start::Version(ListVersion::Present { .. }) => {
                self.publisher.metrics.lists.increment(1);
                Some(source.list().await?)
            }
            Start::Listed(listing) => {
                self.publisher.metrics.lists.increment(1);
                Some(listing)
            }
        };
        if let Some(listing) = listing {
            self.listed(&listing, new_session && self.epoch != 0);
        }
        self.epoch = connection.epoch();
        // What happened before the list was answered is queued by now, and is one batch with it.
        self.apply_queued(&mut source);
        let now = Instant::now();
        self.membership.sweep(now, REREAD_WITHIN, Why::Gap, &mut rand::rng());
        self.membership.advance(now);
        self.publisher.metrics.confirm();
        self.publisher.live(&self.membership);
        info!(instances = self.membership.len(), session = %connection.session().id, "following");
        Ok(source)
    }

    /// Takes in a list, and returns whether it was news.
    fn listed(&mut self, listing: &Listing, new_session: bool) -> bool {
        self.version = Some(listing.version);
        self.membership.listed(listing, Instant::now(), new_session)
    }

    async fn follow(&mut self, mut following: Box<Following>) -> Stage {
        let Following { connection, source, reads, audit } = &mut *following;
        self.send_reads(source, reads);
        let due = self.membership.next_deadline();
        let read_due = if reads.has_room() { self.membership.next_read() } else { None };
        tokio::select! {
            // News first: what is queued belongs together with what is due.
            biased;
            news = source.next() => match news {
                Ok(news) => {
                    self.apply(news);
                    self.apply_queued(source);
                    self.publisher.metrics.confirm();
                }
                Err(_) if connection.has_ended() => return self.unlinked(),
                Err(silence) => {
                    self.version = None;
                    self.stale();
                    return match silence {
                        Silence::Overrun => Stage::Syncing { connection: connection.clone() },
                        Silence::Failed(error) => self.in_trouble(connection.clone(), &error),
                    };
                }
            },
            () = connection.ended() => return self.unlinked(),
            order = self.orders.next() => match order {
                Order::Refused(endpoint) => self.refused(&endpoint),
                Order::Release => self.release(),
                Order::End => return Stage::Ended,
            },
            read = reads.next() => {
                self.apply_queued(source);
                if self.answered(read, source) {
                    return self.distrust(connection.clone());
                }
            }
            () = until(due) => {}
            () = until(read_due) => {}
            () = sleep_until(*audit) => {
                match self.audit(connection, source).await {
                    Ok(false) => {}
                    Ok(true) => return self.distrust(connection.clone()),
                    // A server may keep events from those who may not look.
                    Err(error) if *error.kind() == ErrorKind::Denied => {
                        self.version = None;
                        self.stale();
                        return self.in_trouble(connection.clone(), &error);
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

    /// Compares the view with the truth, and mends it. Returns whether there was a change of which no event
    /// had told.
    async fn audit(&mut self, connection: &Connection, source: &mut Source) -> Result<bool, Error> {
        let version = ListVersion::of(connection.stat(self.config.root()).await?.as_ref());
        self.apply_queued(source);
        if self.version != Some(version) && !source.is_behind() {
            // Events have come since the last list, or should have.
            let unchanged = self.version.is_some();
            self.publisher.metrics.lists.increment(1);
            let listing = source.list().await?;
            let news = self.listed(&listing, false);
            self.apply_queued(source);
            if unchanged && news {
                warn!("audit: the list had changed, and no event told");
                return Ok(true);
            }
        }
        self.publisher.metrics.confirm();
        let within = self.config.audit_interval() / 2;
        self.membership.sweep(Instant::now(), within, Why::Audit, &mut rand::rng());
        Ok(false)
    }

    /// Something happened and no event told: whatever watch there is, a new one takes its place.
    fn distrust(&mut self, connection: Connection) -> Stage {
        self.publisher.metrics.audit_mismatches.increment(1);
        self.version = None;
        Stage::Syncing { connection }
    }

    /// Sends for the records that are to be read by now.
    fn send_reads(&mut self, source: &Source, reads: &mut Reads) {
        while reads.has_room()
            && let Some(batch) = self.membership.take_reads(Instant::now(), source.most_reads())
        {
            let records = batch.names.len();
            debug!(records, "reading records");
            self.publisher.metrics.record_reads.increment(records.try_into().unwrap_or(u64::MAX));
            reads.send(source, batch);
        }
    }

    /// Takes in a batch of records. Returns whether there was a change of which no event had told.
    fn answered(&mut self, read: Read, source: &mut Source) -> bool {
        let retry = Instant::now() + RETRY.mul_f64(rand::rng().random_range(0.5..1.5));
        let mut surprise = false;
        for answer in read.answers {
            if let Some(watch) = answer.watch {
                source.keep(&answer.name, watch);
            }
            if self.membership.answered(read.ticket, &answer.name, answer.reading, retry) {
                warn!(child = answer.name, "audit: the record had changed, and no event told");
                surprise = true;
            }
        }
        surprise
    }

    fn apply_queued(&mut self, source: &mut Source) {
        while let Some(news) = source.try_next() {
            self.apply(news);
        }
    }

    fn apply(&mut self, news: News) {
        let (now, metrics) = (Instant::now(), &self.publisher.metrics);
        match news {
            News::Created(name) => {
                metrics.created.increment(1);
                self.membership.created(&name, now);
                self.version = None;
            }
            News::Deleted(name) => {
                metrics.deleted.increment(1);
                self.membership.deleted(&name, now);
                self.version = None;
            }
            News::Written(name) => {
                metrics.written.increment(1);
                self.membership.written(&name, now);
            }
            News::Listed(listing) => {
                metrics.children.increment(1);
                metrics.lists.increment(1);
                self.listed(&listing, false);
            }
        }
    }

    fn refused(&mut self, endpoint: &Endpoint) {
        if self.membership.refused(endpoint) {
            info!(%endpoint, "held, but refuses connections: believed gone");
        }
    }

    fn release(&mut self) {
        info!(held = self.membership.held(), "released by the operator");
        self.membership.release();
        if self.epoch != 0 {
            self.publisher.publish(&self.membership);
        }
    }

    async fn pause(&mut self, connection: Connection) -> Stage {
        tokio::select! {
            () = connection.ended() => return self.unlinked(),
            order = self.orders.next() => match order {
                Order::Refused(_) => {}
                Order::Release => self.release(),
                Order::End => return Stage::Ended,
            },
            () = sleep(self.pause.next_wait()) => {}
        }
        Stage::Syncing { connection }
    }

    fn in_trouble(&mut self, connection: Connection, error: &Error) -> Stage {
        use ErrorKind::{ConnectionLost, NotConnected, SessionOver};
        if let ConnectionLost(_) | NotConnected | SessionOver = error.kind() {
            // An answer may tell before the link does; it is the link's trouble.
            debug!(%error, "cannot follow");
            return Stage::Pausing { connection };
        }
        let trouble = error.to_string();
        if self.publisher.trouble() != Some(&trouble) {
            warn!(%error, retry_within = ?self.pause.cap(), "cannot follow");
        }
        self.publisher.in_trouble(trouble);
        Stage::Pausing { connection }
    }

    fn unlinked(&mut self) -> Stage {
        self.membership.unlinked(Instant::now());
        self.stale();
        Stage::Unlinked
    }

    /// Nothing is followed from here on: the set stays as it is.
    fn stale(&mut self) {
        if self.publisher.is_live() {
            info!("stale; the last set keeps serving");
            // Nobody reads the records that they wait for.
            self.membership.hurry();
            self.publisher.stale(&self.membership);
        }
    }

    fn next_audit(&self) -> Instant {
        Instant::now() + jittered(self.config.audit_interval())
    }
}
