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
//! With one watch for all, its events are handed to the keepers by name, and the root's *mark* (the numbers
//! in its stat that change with every znode created or deleted below it) is kept up to date. Where it is the
//! same on the next connection of the session, nothing below came or went in between, and the keepers need
//! not look. The argument: an event that happened before a stat was answered is in the queue when the answer
//! is. So when a mark is kept, everybody has been told of all deletions before it; and a later one gives
//! another mark.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{Instrument, debug, info, info_span};
use zk_core::{
    Backoff, Connection, Error, ErrorKind, Event, EventKind, ListMark, WatchStream, Zk, ZnodePath,
};

use crate::bell::Names;
use crate::census::Census;
use crate::journal::Journal;
use crate::status::Trouble;

/// How long after a change below the root its mark is read anew, so that a thousand changes cost one read.
const MARK_AFTER: Duration = Duration::from_secs(1);
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_CAP: Duration = Duration::from_secs(1);

/// What keepers stand on.
#[derive(Clone, Debug)]
pub(crate) enum Ground {
    /// There is no connection, or none that is ready.
    Unlinked,
    /// There is a connection, and this stands in the way of its use.
    Troubled(Trouble),
    /// There is a connection, and its server has caught up with all that we know.
    Linked(Arc<Footing>),
    /// The link is closed for good.
    Closed,
}

/// A connection that keepers may use, and how their znodes are watched on it.
#[derive(Debug)]
pub(crate) struct Footing {
    /// Counts: a greater one is a later one.
    pub(crate) number: u64,
    pub(crate) connection: Connection,
    pub(crate) watched: Watched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// Every keeper watches its own znode.
    Each {
        /// Also where they are many, as the server knows nothing better.
        always: bool,
    },
    /// One watch serves all. It was there before this was said.
    Together {
        /// Nothing was created or deleted below the root since this footing's, but what was told.
        unmoved_since: u64,
    },
}

impl Footing {
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.watched, Watched::Together { .. })
    }

    /// Whether a znode that stood under the shared watch of an earlier footing, and of whose deletion
    /// nothing was told, stands still.
    pub(crate) fn confirms(&self, earlier: u64) -> bool {
        matches!(self.watched, Watched::Together { unmoved_since } if unmoved_since <= earlier)
    }
}

/// What a lookout shares with the keepers.
#[derive(Clone, Debug)]
pub(crate) struct Company {
    pub(crate) names: Arc<Names>,
    pub(crate) census: Arc<Census>,
    pub(crate) journal: Arc<Journal>,
}

pub(crate) struct Lookout {
    zk: Zk,
    root: ZnodePath,
    audit_interval: Duration,
    company: Company,
    ground: watch::Sender<Ground>,
    /// The footing in use, or the last one.
    number: u64,
    /// The root's mark as it was read last, and in which session.
    mark: Option<(u64, ListMark)>,
    /// The first footing since which the mark has been the same.
    unmoved_since: u64,
    /// The session in which a server did not know recursive watches.
    unknown_in: Option<u64>,
    pause: Backoff,
}

impl Lookout {
    /// Starts the task. It ends when the link is closed or nobody holds the ground any more.
    pub(crate) fn spawn(
        zk: Zk,
        root: ZnodePath,
        audit_interval: Duration,
        company: Company,
    ) -> watch::Receiver<Ground> {
        let (sender, ground) = watch::channel(Ground::Unlinked);
        let span = info_span!("registrar", %root);
        let lookout = Self {
            zk,
            root,
            audit_interval,
            company,
            ground: sender,
            number: 0,
            mark: None,
            unmoved_since: 0,
            unknown_in: None,
            pause: Backoff::new(PAUSE_FIRST, PAUSE_CAP),
        };
        tokio::spawn(lookout.run().instrument(span));
        ground
    }

    async fn run(mut self) {
        let (ground, company) = (self.ground.clone(), self.company.clone());
        tokio::select! {
            () = ground.closed() => {}
            () = self.watch() => {}
            () = company.journal.summaries(&company.census) => {}
        }
        company.journal.summary(&company.census);
    }

    async fn watch(&mut self) {
        while let Ok(connection) = self.zk.connected().await {
            self.serve(&connection).await;
            self.ground.send_replace(Ground::Unlinked);
        }
        self.ground.send_replace(Ground::Closed);
    }

    /// Returns when the connection has ended.
    async fn serve(&mut self, connection: &Connection) {
        let mut is_new = true;
        while !connection.has_ended() {
            match self.settle(connection, is_new).await {
                Ok(stream) => {
                    self.pause = Backoff::new(PAUSE_FIRST, PAUSE_CAP);
                    self.follow(connection, stream).await;
                    is_new = false;
                }
                Err(_) if connection.has_ended() => {}
                Err(error) => {
                    debug!(%error, "no footing on this connection yet");
                    self.ground.send_replace(Ground::Troubled(error.into()));
                    tokio::select! {
                        () = sleep(self.pause.next_wait()) => {}
                        () = connection.ended() => {}
                    }
                }
            }
        }
    }

    /// Makes a footing of a connection, and returns the watch that serves all, if one does.
    async fn settle(&mut self, connection: &Connection, is_new: bool) -> Result<Option<WatchStream>, Error> {
        let names = &self.company.names;
        let crowded = if is_new { names.reckon_crowd() } else { names.are_crowded() };
        let is_known = connection.has_recursive_watches() && self.unknown_in != Some(connection.epoch());
        self.number += 1;
        if !(crowded && is_known) {
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
        self.marked(connection, ListMark::of(stat?.as_ref()));
        while let Some(event) = events.try_next() {
            self.tell(&event);
        }
        info!(registrations = self.company.names.len(), "one watch for all");
        self.publish(connection, Watched::Together { unmoved_since: self.unmoved_since });
        Ok(Some(events))
    }

    /// Has every keeper watch its own znode.
    fn each(&mut self, connection: &Connection, always: bool) -> Option<WatchStream> {
        self.mark = None;
        self.publish(connection, Watched::Each { always });
        None
    }

    fn publish(&self, connection: &Connection, watched: Watched) {
        let footing = Footing { number: self.number, connection: connection.clone(), watched };
        self.ground.send_replace(Ground::Linked(Arc::new(footing)));
    }

    /// Keeps the mark. In a new session the ensemble may be another one, with the same numbers by chance.
    fn marked(&mut self, connection: &Connection, mark: ListMark) {
        let now = Some((connection.epoch(), mark));
        if self.mark != now {
            (self.mark, self.unmoved_since) = (now, self.number);
        }
    }

    /// Hands on events until there is another footing to be made.
    async fn follow(&mut self, connection: &Connection, mut stream: Option<WatchStream>) {
        let mut mark_at: Option<Instant> = None;
        let mut audit_at = Instant::now() + jittered(self.audit_interval);
        let mut audited = None;
        loop {
            tokio::select! {
                biased;
                event = next(&mut stream) => {
                    // `None`: the connection has ended, or we were overrun.
                    let Some(event) = event else { return };
                    if self.tell_all(event, &mut stream) {
                        mark_at.get_or_insert_with(|| Instant::now() + MARK_AFTER);
                    }
                }
                () = connection.ended() => return,
                () = self.company.names.crowding(), if stream.is_none() => {
                    let is_known = connection.has_recursive_watches() && self.unknown_in != Some(connection.epoch());
                    if is_known && self.company.names.are_crowded() {
                        return;
                    }
                }
                () = at(mark_at) => {
                    mark_at = None;
                    if let Ok(stat) = connection.stat(&self.root).await {
                        let moved = self.tell_queued(&mut stream);
                        self.marked(connection, ListMark::of(stat.as_ref()));
                        mark_at = moved.then(|| Instant::now() + MARK_AFTER);
                    }
                }
                () = sleep_until(audit_at), if stream.is_some() => {
                    audit_at = Instant::now() + jittered(self.audit_interval);
                    if let Err(error) = self.call_the_roll(connection, &mut audited).await {
                        debug!(%error, "audit failed");
                    }
                }
            }
        }
    }

    /// Compares the list with the names in use, if it has moved since it was compared last.
    async fn call_the_roll(
        &self,
        connection: &Connection,
        audited: &mut Option<ListMark>,
    ) -> Result<(), Error> {
        let mark = ListMark::of(connection.stat(&self.root).await?.as_ref());
        if *audited == Some(mark) {
            debug!("audit: the root has not moved");
            return Ok(());
        }
        let (listed, stat) = match connection.children(&self.root).await {
            Err(error) if *error.kind() == ErrorKind::NoNode => (Vec::new(), None),
            listed => listed.map(|(names, stat)| (names, Some(stat)))?,
        };
        *audited = Some(ListMark::of(stat.as_ref()));
        let missing = self.company.names.ring_missing(&listed);
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
        self.company.names.ring(&event.path, event.kind);
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

/// Waits for a moment, if there is one.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// An interval varied by a quarter, so that a fleet that started together does not audit together.
pub(crate) fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.75..1.25))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_varied_by_a_quarter() {
        let second = Duration::from_secs(1);
        let mut waits: Vec<_> = (0..400).map(|_| jittered(second)).collect();
        waits.sort();
        assert!(waits[0] >= second * 3 / 4 && waits[399] <= second * 5 / 4, "{waits:?}");
        assert!(waits[40] < second * 9 / 10 && waits[360] > second * 11 / 10, "{waits:?}");
    }
}
