//! Connections: how they live and how they end.

use tokio::time::Instant;
use zk_core::SessionId;
use zk_core::transport::TransportEnd;
use zk_embedded::machine::ConnectionId;

use super::World;
use crate::agenda::Step;
use crate::commit::Author;
use crate::record::Note;

impl World {
    /// The client shows that it lives, and will again.
    pub(super) fn ping(&mut self, connection: ConnectionId, now: Instant) {
        let Some(link) = self.links.get(&connection).filter(|link| !link.closing && !link.closed) else {
            return;
        };
        self.agenda.plan(now + link.session.timeout / 3, Step::Ping(connection));
        self.touch(connection, now);
    }

    /// The connection breaks, on both sides at once.
    pub(crate) fn cut(&mut self, connection: ConnectionId, cause: &'static str, now: Instant) {
        let Some(mut link) = self.links.remove(&connection) else { return };
        self.disconnect(connection, link.server, now);
        self.note(now, Note::Lost { client: link.client, cause });
        link.end(TransportEnd::ConnectionLost(cause.into()));
    }

    /// Breaks the connections of one client, or of all.
    pub(crate) fn cut_all(&mut self, client: Option<u64>, now: Instant) {
        let chosen = self.links.iter().filter(|(_, link)| client.is_none_or(|client| client == link.client));
        let chosen: Vec<_> = chosen.map(|(connection, _)| *connection).collect();
        for connection in chosen {
            self.cut(connection, "cut by the test", now);
        }
    }

    /// The client lets go of a connection; a close that is under way goes on.
    pub(crate) fn hang_up(&mut self, connection: ConnectionId, now: Instant) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        if link.closing && !link.calls.is_empty() {
            return;
        }
        link.end(TransportEnd::ConnectionLost("dropped".into()));
        let (client, server) = (link.client, link.server);
        self.links.remove(&connection);
        self.disconnect(connection, server, now);
        self.note(now, Note::HungUp(client));
    }

    /// The ensemble has closed a connection, which its client learns behind everything that is on its way.
    pub(super) fn closed(&mut self, connection: ConnectionId, arrives: Instant) {
        self.operator_is_over(connection);
        let Some(link) = self.links.get_mut(&connection) else { return };
        link.closed = true;
        if link.closing {
            // It ends behind the confirmation.
            return;
        }
        let arrives = arrives.max(link.last_reply).max(link.last_event);
        self.agenda.plan(arrives, Step::End(connection));
    }

    pub(super) fn ended(&mut self, connection: ConnectionId, now: Instant) {
        let Some(mut link) = self.links.remove(&connection) else { return };
        self.disconnect(connection, link.server, now);
        if !link.closing {
            self.note(now, Note::Lost { client: link.client, cause: "closed by the ensemble" });
        }
        link.end(TransportEnd::ConnectionLost("closed by the ensemble".into()));
    }

    /// Ends a session as if it had been silent for too long.
    pub(crate) fn expire(&mut self, session: SessionId, now: Instant) {
        let (ms, Some(leader)) = (self.ms(now), self.leader) else { return };
        let outputs = self.servers[leader].machine.expire(ms, session.0);
        self.committed(Author::Ensemble, now);
        self.emit(leader, outputs, now);
    }

    /// The session of a client, if it is connected.
    pub(crate) fn session_of(&self, client: u64) -> Option<SessionId> {
        let mut links = self.links.values().rev();
        links.find(|link| link.client == client && !link.closed).map(|link| link.session.id)
    }
}
