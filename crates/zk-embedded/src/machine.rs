//! The server without sockets, clocks and chance: requests in, replies and events out.
//!
//! A [`Machine`] holds the data tree, the sessions and the watches, and does what Apache ZooKeeper 3.8 does with them. Time
//! comes in with every call as milliseconds since 1970, and the caller numbers the connections.
//! The same calls give the same outputs, byte for byte.
//!
//! ```
//! use std::net::Ipv4Addr;
//! use zk_embedded::machine::{Machine, Output, Settings};
//! use zk_wire::{ConnectRequest, Framed, Request, Response};
//!
//! let mut machine = Machine::new(Settings::default());
//! let (now, connection) = (1_700_000_000_000, 1);
//! machine.connect(now, connection, Ipv4Addr::LOCALHOST.into(), ConnectRequest::new(10_000));
//! let list = Request::GetChildren { path: "/".into(), watch: false };
//! let outputs = machine.request(now, connection, Framed { xid: 1, request: list });
//! let result = Ok(Response::Strings(vec!["zookeeper".into()]));
//! assert_eq!(outputs, [Output::Reply { connection, xid: 1, zxid: 1, result }]);
//! ```

mod access;
mod attachment;
mod auth;
mod commit;
mod containers;
mod deliver;
mod digest;
mod expiry;
mod hash_order;
mod ip;
mod journal;
mod multi;
mod output;
mod owner;
mod password;
mod path;
mod prepare;
mod query;
mod replay;
mod request;
mod scratch;
mod sessions;
mod settings;
mod statistics;
mod tree;
mod watch_table;
mod watches;
mod znode;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use attachment::Attachment;
use containers::Sweep;
use journal::Journal;
use sessions::Sessions;
use tree::Tree;
use watches::Watches;

pub use journal::{Change, Entry, Hidden};
pub use output::{ConnectionId, Output};
pub use settings::Settings;
pub use statistics::{SessionStatistics, Statistics, WatchKind, WatchStatistics};
pub use watch_table::WatchMode;

/// A ZooKeeper server as a state machine.
///
/// Session ids, passwords, zxids, sequence numbers and negotiated timeouts follow the rules of Apache ZooKeeper. Where that
/// leaves an order to a hash table (children in a list, watchers of one znode), this one sorts.
#[derive(Clone, Debug)]
pub struct Machine {
    settings: Settings,
    /// The newest transaction.
    zxid: i64,
    tree: Tree,
    watches: Watches,
    sessions: Sessions,
    connections: BTreeMap<ConnectionId, Attachment>,
    sweep: Sweep,
    journal: Journal,
}

impl Machine {
    /// Makes a server with an empty tree: `/zookeeper` and what is below it, and nothing else.
    pub fn new(settings: Settings) -> Self {
        Self {
            zxid: settings.first_zxid,
            tree: Tree::new(settings.version),
            watches: Watches::default(),
            sessions: Sessions::new(settings.first_session, settings.tick_ms),
            connections: BTreeMap::new(),
            sweep: Sweep::new(settings.container_check_ms),
            journal: Journal::default(),
            settings,
        }
    }

    /// Lets time pass: ends the sessions that were silent for too long, and deletes containers that have emptied.
    ///
    /// A session ends at the first whole tick after its timeout, as on Apache ZooKeeper. Nothing else ends one: a request
    /// that comes in later than that, but before this is called, keeps the session.
    pub fn advance(&mut self, now: i64) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.sweep.start(now);
        while let Some(deadline) = self.next_deadline().filter(|deadline| *deadline <= now) {
            match self.sessions.take_expired(deadline) {
                Some(session) => self.end_session(session, &mut outputs),
                None => self.sweep_containers(deadline, now, &mut outputs),
            }
        }
        self.sweep.skip(now);
        outputs
    }

    /// Returns when [`advance`](Self::advance) has something to do, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<i64> {
        let sweep = self.sweep.due().filter(|_| self.tree.has_sweepable());
        [self.sessions.next_expiry(), sweep].into_iter().flatten().min()
    }

    /// Ends a session now, as if it had been silent for too long; an unknown one is ignored.
    pub fn expire(&mut self, _now: i64, session: i64) -> Vec<Output> {
        let mut outputs = Vec::new();
        if self.sessions.contains(session) {
            self.end_session(session, &mut outputs);
        }
        outputs
    }

    /// Returns the session that is attached to a connection.
    pub fn session_of(&self, connection: ConnectionId) -> Option<i64> {
        self.connections.get(&connection).map(|connection| connection.session)
    }

    /// Returns the newest transaction.
    pub fn zxid(&self) -> i64 {
        self.zxid
    }

    /// Numbers a new transaction.
    fn next_zxid(&mut self) -> i64 {
        self.zxid += 1;
        self.journal.begin(self.zxid);
        self.zxid
    }
}
