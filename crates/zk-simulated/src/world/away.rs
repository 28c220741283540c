//! The ensemble as a whole goes away, and comes back.

use tokio::time::Instant;
use zk_embedded::machine::{ConnectionId, Machine};

use super::World;
use crate::agenda::Step;
use crate::commit::Restart;
use crate::journal::Journal;
use crate::record::Note;

/// The number of the only server: it is in the ids of sessions.
const ONLY: u8 = 1;

impl World {
    /// Stops all servers: connections break, nobody can connect, and nothing expires.
    pub(crate) fn stop(&mut self, now: Instant) {
        if self.stopped.is_some() {
            return;
        }
        self.stopped = Some(self.since(now));
        self.note(now, Note::Stopped);
        let all: Vec<_> = self.links.keys().copied().collect();
        for connection in all {
            self.server_is_gone(connection, now);
        }
    }

    /// The server of a connection is gone. A client that is cut off learns it when it no longer is.
    pub(super) fn server_is_gone(&mut self, connection: ConnectionId, now: Instant) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        if self.stalled.contains_key(&link.client) {
            link.closed = true;
            self.agenda.plan(now, Step::End(connection));
        } else {
            self.cut(connection, "its server is gone", now);
        }
    }

    /// Starts all servers, with more or less of what they had.
    pub(crate) fn start(&mut self, with: Restart, now: Instant) {
        self.stop(now);
        let Some(stopped) = self.stopped.take() else { return };
        match with {
            Restart::Latest => {}
            Restart::Before(time) => self.journal.cut(stopped.saturating_sub(time)),
            Restart::Empty => self.journal = Journal::new(Machine::new(self.settings.server())),
        }
        self.machine = self.journal.replay();
        self.machine.restart(self.ms(now), ONLY);
        self.machine.keep_journal(true);
        self.note(now, Note::Started { with, zxid: self.machine.zxid() });
        if with != Restart::Latest {
            self.show_restored(now);
        }
        self.attach_operators(now);
    }
}
