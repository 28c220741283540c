//! Does what the machine asks for.

use std::fmt;

use futures_util::FutureExt;
use tokio::task::coop::unconstrained;
use tokio::time::Instant;
use tracing::trace;
use zk_core::time::until;
use zk_core::{Connection, Zk, ZnodePath};

use crate::config::RootWatchConfig;
use crate::io::{Effect, Input, Record};
use crate::machine::Machine;
use crate::requests::{Reply, Requests};
use crate::update::{Live, Update};
use crate::watches::Watches;

/// How many events are taken from the queue of the watch before a reply: as many as it holds, so all that came before.
const EVENTS_WAITING: usize = 16_384;

/// Follows the children of a root over all connections of a link. Not a task: its user polls it inside its own, and
/// nothing happens while it does not.
///
/// `Drop` removes the watch from the server; before ZooKeeper 3.6 it stays until it fires or the connection ends.
pub struct RootWatch {
    zk: Zk,
    root: ZnodePath,
    machine: Machine,
    /// The connection in use.
    connection: Option<Connection>,
    watches: Watches,
    requests: Requests,
    /// How many requests to list the children were sent.
    lists: u64,
}

impl fmt::Debug for RootWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootWatch").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl RootWatch {
    /// Follows nothing yet: see [`set_followed`](Self::set_followed).
    pub fn new(zk: &Zk, config: RootWatchConfig) -> Self {
        let root = config.root.clone();
        let machine = Machine::new(config, zk.sources().rng());
        let (watches, requests) = (Watches::default(), Requests::default());
        Self { zk: zk.clone(), root, machine, connection: None, watches, requests, lists: 0 }
    }

    /// Sets whether the children are followed; at first they are not, and connections are only prepared.
    ///
    /// `true` takes effect at once: on a connection that is prepared another [`Live`] follows. `false` takes effect on the
    /// next connection, or when the watch ends.
    pub fn set_followed(&mut self, followed: bool) {
        self.handle(Input::SetFollowed(followed));
    }

    /// Reads the data of children, at most [`max_batch`](Self::max_batch) of them; the reply is [`Update::Records`]. With
    /// watches that fire once each record is watched, too.
    ///
    /// A read while the root is not followed gets no reply. One that the end of the watch interrupts ([`Update::Down`],
    /// [`Update::Lost`], [`Update::Trouble`]) gets none, or has no reading in it.
    pub fn read(&mut self, ticket: u64, names: Vec<String>) {
        self.handle(Input::Wanted { ticket, names });
    }

    /// How many records one [`read`](Self::read) may ask for, on the present connection.
    pub fn max_batch(&self) -> usize {
        self.machine.max_batch()
    }

    /// How many requests to list the children were sent so far.
    pub fn lists(&self) -> u64 {
        self.lists
    }

    /// The user has found that an event was lost, as a list or a record changed without one. The watch is replaced
    /// ([`Update::Lost`], then [`Update::Live`]), and what was lost is found out again.
    pub fn distrust(&mut self) {
        self.handle(Input::Distrust);
    }

    /// Waits for the next update. After [`Update::Closed`] it is that again, at once.
    ///
    /// # Cancel safety
    /// No update is lost if the future is dropped.
    pub async fn next(&mut self) -> Update {
        loop {
            while let Some(effect) = self.machine.poll_effect() {
                if let Some(update) = self.carry_out(effect) {
                    return update;
                }
            }
            if self.machine.is_closed() {
                return Update::Closed;
            }
            self.step().await;
        }
    }

    /// Returns an update that has arrived already; `None` also after [`Update::Closed`].
    pub fn try_next(&mut self) -> Option<Update> {
        // Outside of the task's budget, which would hide an update that has arrived.
        let was_closed = self.machine.is_closed();
        let update = unconstrained(self.next()).now_or_never()?;
        (!(was_closed && matches!(update, Update::Closed))).then_some(update)
    }

    /// Waits for something to happen, and passes it to the machine.
    async fn step(&mut self) {
        let Self { zk, machine, connection, watches, requests, .. } = self;
        let takes_events = machine.takes_events();
        // A recursive watch ends after its connection, and after the events that came before.
        let has_stream = watches.events.is_some() && takes_events;
        tokio::select! {
            // Replies first: that sends the requests. The events from before a reply are in the queue by then, and are
            // passed before it.
            biased;
            reply = requests.next() => self.replied(reply),
            input = watches.next(takes_events) => self.watched(input),
            () = async { connection.as_ref()?.ended().await; Some(()) }.map(|_| ()), if connection.is_some() && !has_stream => {
                self.ended();
            }
            connected = zk.connected(), if connection.is_none() => {
                let input = match connected {
                    Ok(connected) => {
                        let (epoch, recursive) = (connected.epoch(), connected.has_recursive_watches());
                        let timeout = connected.session().timeout;
                        *connection = Some(connected);
                        Input::Connected { epoch, timeout, recursive }
                    }
                    Err(_closed) => Input::Closed,
                };
                self.handle(input);
            }
            () = until(machine.deadline()) => self.handle(Input::Due),
        }
    }

    fn handle(&mut self, input: Input) {
        trace!(?input, "input");
        self.machine.handle(input, Instant::now());
    }

    fn watched(&mut self, input: Input) {
        let is_end = matches!(input, Input::WatchEnded);
        if is_end && self.connection.as_ref().is_none_or(Connection::has_ended) {
            return self.ended();
        }
        self.handle(input);
    }

    fn ended(&mut self) {
        self.drain();
        self.connection = None;
        self.handle(Input::Ended);
    }

    /// Passes what has arrived by the watches.
    fn drain(&mut self) {
        for _ in 0..EVENTS_WAITING {
            let Some(input) = self.watches.try_next() else { break };
            self.handle(input);
        }
    }

    fn replied(&mut self, reply: Reply) {
        // Before a watch of the reply takes the place of another one. A new recursive watch has no predecessor.
        self.drain();
        let input = match reply {
            Reply::Synced(synced) => Input::Synced(synced),
            Reply::WatchSet { events, sync, stat } => {
                let watch = events.map(|events| self.watches.events = Some(events));
                self.drain();
                Input::WatchSet { watch, sync, stat }
            }
            Reply::Stat(stat) => Input::Stat(stat),
            Reply::Listed(listed) => Input::Listed(listed),
            Reply::WatchedList(listed) => Input::Listed(listed.map(|(children, watch)| {
                self.watches.list = Some(watch);
                children
            })),
            Reply::Read { ticket, records } => {
                let records = records.into_iter().map(|(name, reading, watch)| {
                    let watched = watch.is_some();
                    if let Some(watch) = watch {
                        self.watches.watch_record(name.clone(), watch);
                    }
                    Record { name, reading, watched }
                });
                Input::Read { ticket, records: records.collect() }
            }
        };
        self.handle(input);
    }

    /// Carries out an effect, or returns the update that it is.
    fn carry_out(&mut self, effect: Effect) -> Option<Update> {
        trace!(?effect, "effect");
        match effect {
            Effect::Report(update) => return Some(update),
            Effect::Clear => {
                self.watches = Watches::default();
                self.requests = Requests::default();
            }
            effect => {
                // Without a connection nothing is sent: its end has been reported, or is about to be.
                let connection = self.connection.clone()?;
                if let Effect::Live { watched, whole } = effect {
                    return Some(Update::Live(Live { connection, watched, whole }));
                }
                self.lists += u64::from(matches!(effect, Effect::List | Effect::WatchedList { .. }));
                self.requests.send(connection, self.root.clone(), effect);
            }
        }
        None
    }
}
