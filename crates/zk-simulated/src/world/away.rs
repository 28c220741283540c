//! The ensemble as a whole goes away, and comes back.

use tokio::time::Instant;
use zk_embedded::machine::ConnectionId;

use super::World;
use crate::agenda::Step;
use crate::commit::Restart;
use crate::record::Note;

impl World {
    /// Stops all servers: connections break, nobody can connect, and nothing expires.
    pub(crate) fn stop(&mut self, now: Instant) {
        if self.stopped.is_some() {
            return;
        }
        self.stopped = Some(self.since(now));
        self.leader = None;
        self.note(now, Note::Stopped);
        self.drop_clients(None, now);
    }

    /// The server of a connection is gone. A client that is cut off learns it when it no longer is.
    pub(super) fn server_is_gone(&mut self, connection: ConnectionId, now: Instant) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        if self.stalled.contains_key(&link.client) {
            let server = link.server;
            link.closed = true;
            self.agenda.plan(now, Step::End(connection));
            self.disconnect(connection, server, now);
        } else {
            self.cut(connection, "its server is gone", now);
        }
    }

    /// Starts all servers, with more or less of what they had.
    pub(crate) fn start(&mut self, with: Restart, now: Instant) {
        self.stop(now);
        let Some(stopped) = self.stopped.take() else { return };
        self.restore(with, stopped, now);
        let last = self.servers.len() - 1;
        self.note(now, Note::Started { with, zxid: self.servers[last].machine.zxid() });
        if with != Restart::Latest {
            self.show_restored(last, now);
        }
        self.lead(last, now);
        self.attach_operators(now);
    }
}
