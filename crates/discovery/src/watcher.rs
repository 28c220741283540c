//! The state machine that follows a root.
//!
//! ```text
//!             link up             watch, sync, look, list if moved
//!  Unlinked ──────────▶ Syncing ──────────────────────────────────▶ Following
//!      ▲                  ▲  │ failed ─▶ Pausing ─▶ Syncing            │  │
//!      │                  └──┼─────────────────────────────────────────┘  │
//!      │                     │       the watch ended, the link did not     │
//!      └─────────────────────┴─────────────────────────────────────────────┘
//!                                    the link went down: stale
//! ```

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use instance::{Endpoint, Format};
use rand::RngExt;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{Instrument, debug, info, info_span, warn};
use zk_core::{Backoff, Connection, Error, ErrorKind, Event, EventKind, Stat, WatchStream, Zk, Zxid};

use crate::config::Config;
use crate::membership::Membership;
use crate::snapshot::Snapshot;
use crate::view::{Freshness, View};

const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_CAP: Duration = Duration::from_secs(1);

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
    /// The view is what ZooKeeper lists, and every change arrives as an event.
    Following { connection: Connection, events: WatchStream, audit: Instant },
    /// Syncing failed on a connection that still stands.
    Pausing { connection: Connection },
    /// Nobody looks any more, or the link is closed.
    Ended,
}

/// What the root's stat says about its list of children. Another one, greater or smaller, means that the
/// list may be another; the same one, that it is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Absent,
    Present { czxid: Zxid, pzxid: Zxid, cversion: i32 },
}

impl Mark {
    fn of(stat: Option<&Stat>) -> Self {
        match stat {
            None => Self::Absent,
            Some(stat) => Self::Present { czxid: stat.czxid, pzxid: stat.pzxid, cversion: stat.cversion },
        }
    }
}

pub(crate) struct Watcher {
    zk: Zk,
    config: Config,
    membership: Membership,
    /// The session in which the root was listed last; 0 before the first list.
    epoch: u64,
    /// The root as it was listed last, if no event has come since.
    mark: Option<Mark>,
    /// The membership's steps that the published snapshot shows.
    shown: u64,
    latest: Arc<ArcSwap<View>>,
    views: watch::Sender<Arc<View>>,
    orders: Orders,
    pause: Backoff,
}

impl Watcher {
    pub(crate) fn new(
        zk: Zk,
        config: Config,
        format: Box<dyn Format>,
        latest: Arc<ArcSwap<View>>,
        views: watch::Sender<Arc<View>>,
        orders: Orders,
    ) -> Self {
        let membership = Membership::new(format, config.settle());
        let pause = Backoff::new(PAUSE_FIRST, PAUSE_CAP);
        Self { zk, config, membership, epoch: 0, mark: None, shown: 0, latest, views, orders, pause }
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
                Stage::Following { connection, events, audit } => {
                    self.follow(connection, events, audit).await
                }
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
        let views = self.views.clone();
        let result = tokio::select! {
            result = self.resync(&connection) => result,
            () = views.closed() => return Stage::Ended,
        };
        match result {
            Ok(events) => {
                self.pause = Backoff::new(PAUSE_FIRST, PAUSE_CAP);
                Stage::Following { connection, events, audit: self.next_audit() }
            }
            Err(_) if connection.has_ended() => self.unlinked(),
            Err(error) => {
                let trouble: Arc<str> = error.to_string().into();
                if self.latest.load().trouble.as_ref() != Some(&trouble) {
                    warn!(%error, retry_within = ?self.pause.cap(), "cannot follow");
                }
                self.publish(|view| view.trouble = Some(trouble));
                Stage::Pausing { connection }
            }
        }
    }

    /// Watches, then reads: in this order nothing is lost in between.
    async fn resync(&mut self, connection: &Connection) -> Result<WatchStream, Error> {
        let root = self.config.root();
        self.membership.set_hold(self.config.hold(connection.session().timeout));
        self.membership.linked(Instant::now());
        // All three are on their way at once, in this order. D7: the server may lag behind what we have
        // seen; after `sync` it does not.
        let (events, synced, stat) = tokio::join!(
            biased;
            connection.watch_recursive(root),
            connection.sync(root),
            connection.stat(root),
        );
        let (mut events, stat) = (events?, stat?);
        synced?;
        let mark = Mark::of(stat.as_ref());
        // In a new session the ensemble may be another one, with the same numbers by chance.
        let new_session = self.epoch != connection.epoch();
        if self.mark == Some(mark) && !new_session {
            debug!("the root has not moved");
        } else {
            self.list(connection, mark, new_session && self.epoch != 0).await?;
        }
        self.epoch = connection.epoch();
        // What happened before the list was answered is queued by now, and is one batch with it.
        self.apply_queued(&mut events);
        self.advance();
        let since = Instant::now();
        self.publish(|view| {
            view.freshness = Freshness::Live { since };
            view.trouble = None;
        });
        let shown = self.latest.load().snapshot.as_ref().map_or(0, |snapshot| snapshot.len());
        info!(instances = shown, session = %connection.session().id, "following");
        Ok(events)
    }

    /// Reads the list, and returns whether it was news.
    async fn list(&mut self, connection: &Connection, mark: Mark, new_session: bool) -> Result<bool, Error> {
        let (names, mark) = match mark {
            Mark::Absent => (Vec::new(), mark),
            Mark::Present { .. } => match connection.children(self.config.root()).await {
                Ok((names, stat)) => (names, Mark::of(Some(&stat))),
                Err(error) if *error.kind() == ErrorKind::NoNode => (Vec::new(), Mark::Absent),
                Err(error) => return Err(error),
            },
        };
        let news = self.membership.listed(&names, Instant::now(), new_session);
        self.mark = Some(mark);
        Ok(news)
    }

    async fn follow(&mut self, connection: Connection, mut events: WatchStream, audit: Instant) -> Stage {
        let due = self.membership.next_deadline();
        tokio::select! {
            // Events first: what is queued belongs together with what is due.
            biased;
            event = events.next() => match event {
                Some(event) => {
                    self.apply(event);
                    self.apply_queued(&mut events);
                }
                None if connection.has_ended() => return self.unlinked(),
                None => {
                    // The connection is about to be known as ended, or the queue was overrun.
                    self.mark = None;
                    self.stale();
                    return Stage::Syncing { connection };
                }
            },
            () = connection.ended() => return self.unlinked(),
            order = self.orders.next() => match order {
                Order::Refused(endpoint) => self.refused(&endpoint),
                Order::Release => self.release(),
                Order::End => return Stage::Ended,
            },
            () = at(due) => {}
            () = sleep_until(audit) => {
                if let Err(error) = self.audit(&connection, &mut events).await {
                    debug!(%error, "audit failed");
                }
                self.advance();
                return Stage::Following { connection, events, audit: self.next_audit() };
            }
        }
        self.advance();
        Stage::Following { connection, events, audit }
    }

    /// Compares the view with the truth, and mends it.
    async fn audit(&mut self, connection: &Connection, events: &mut WatchStream) -> Result<(), Error> {
        let mark = Mark::of(connection.stat(self.config.root()).await?.as_ref());
        self.apply_queued(events);
        if self.mark == Some(mark) {
            return Ok(());
        }
        // Events have come since the last list, or should have.
        let quiet = self.mark.is_some();
        let news = self.list(connection, mark, false).await?;
        self.apply_queued(events);
        if quiet && news {
            warn!("audit: the list had changed, and no event told");
        }
        Ok(())
    }

    fn apply_queued(&mut self, events: &mut WatchStream) {
        while let Some(event) = events.try_next() {
            self.apply(event);
        }
    }

    fn apply(&mut self, event: Event) {
        // Grandchildren, and the root itself, are none of our business.
        let Some(name) = self.config.root().child_name(&event.path) else {
            return;
        };
        match event.kind {
            EventKind::Created => self.membership.created(name),
            EventKind::Deleted => self.membership.deleted(name, Instant::now()),
            EventKind::DataChanged | EventKind::ChildrenChanged => return,
        }
        self.mark = None;
    }

    fn refused(&mut self, endpoint: &Endpoint) {
        if self.membership.refused(endpoint) {
            info!(%endpoint, "held, but refuses connections: believed gone");
            self.publish(|_| {});
        }
    }

    fn release(&mut self) {
        info!(held = self.membership.held(), "released by the operator");
        self.membership.release();
        self.publish(|_| {});
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

    fn unlinked(&mut self) -> Stage {
        self.stale();
        Stage::Unlinked
    }

    /// Nothing is followed from here on: the set stays as it is.
    fn stale(&mut self) {
        let since = Instant::now();
        if self.latest.load().is_live() {
            info!("stale; the last set keeps serving");
            self.publish(|view| view.freshness = Freshness::Stale { since });
        }
    }

    fn advance(&mut self) {
        self.membership.advance(Instant::now());
        self.publish(|_| {});
    }

    fn next_audit(&self) -> Instant {
        let interval = self.config.audit_interval();
        Instant::now() + interval.mul_f64(rand::rng().random_range(0.75..1.25))
    }

    /// The one place where the view changes.
    fn publish(&mut self, change: impl FnOnce(&mut View)) {
        let before = self.latest.load_full();
        let mut view = View::clone(&before);
        change(&mut view);
        // Nothing is known before the first listing.
        if self.epoch != 0 {
            let steps = self.membership.steps();
            if view.snapshot.is_none() || steps != self.shown {
                self.shown = steps;
                let instances = self.membership.instances();
                let revision = match &view.snapshot {
                    None => Some(1),
                    // Gone and come again between two views: not news.
                    Some(old) if *old.instances() == *instances => None,
                    Some(old) => Some(old.revision() + 1),
                };
                if let Some(revision) = revision {
                    view.snapshot = Some(Arc::new(Snapshot::new(revision, instances)));
                }
            }
        }
        view.held = self.membership.held();
        view.skipped = self.membership.skipped();
        if view != *before {
            let view = Arc::new(view);
            self.latest.store(view.clone());
            self.views.send_replace(view);
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
