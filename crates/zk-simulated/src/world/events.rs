//! What the ensemble sends.

use tokio::time::Instant;
use zk_core::{Event, ZnodePath, Zxid};
use zk_embedded::machine::{ConnectionId, Output};
use zk_wire::WatchEvent;

use super::World;
use crate::agenda::Step;
use crate::record::Note;
use crate::wire::{self, Results};

impl World {
    /// Sends what the machine of a server has put out; everything of one call travels together. Returns the results of requests.
    pub(super) fn emit(&mut self, from: usize, outputs: Vec<Output>, now: Instant) -> Results {
        let is_sent = |output: &Output| matches!(output, Output::Event { .. } | Output::Close { .. });
        let mut arrives = now;
        if outputs.iter().any(is_sent) {
            arrives += self.settings.times.back(&mut self.rng);
        }
        let mut results = Vec::new();
        for output in outputs {
            match output {
                Output::Event { connection, zxid, event } => {
                    let zxid = (zxid != WatchEvent::NO_ZXID).then_some(Zxid(zxid));
                    self.send_event(connection, event, zxid, now, arrives);
                }
                Output::Reply { result, .. } => results.push(result),
                // The connection of another server ends when that one learns of it.
                Output::Close { connection } if self.is_elsewhere(connection, from) => {}
                Output::Close { connection } => self.closed(connection, arrives),
                Output::SessionEnded { .. } if Some(from) != self.leader => {}
                Output::SessionEnded { session, expired } => {
                    self.note(now, Note::SessionEnded { session, expired });
                }
                Output::Connected { .. } => {}
            }
        }
        results
    }

    fn is_elsewhere(&self, connection: ConnectionId, server: usize) -> bool {
        self.links.get(&connection).is_some_and(|link| link.server != server)
    }

    fn send_event(
        &mut self,
        connection: ConnectionId,
        event: WatchEvent,
        zxid: Option<Zxid>,
        now: Instant,
        arrives: Instant,
    ) {
        let (Some(kind), Ok(path)) = (wire::event_kind(event.kind), ZnodePath::parse(&event.path)) else {
            return;
        };
        let Some(link) = self.links.get_mut(&connection) else { return };
        if self.rules.swallows(link.client, &path, kind) {
            let client = link.client;
            self.note(now, Note::NotTold { client, kind, path });
            return;
        }
        link.last_event = link.last_event.max(arrives);
        link.keep_event(Event { kind, path, zxid, at: arrives });
        self.agenda.plan(link.last_event, Step::Event(connection));
    }

    pub(super) fn deliver_event(&mut self, connection: ConnectionId, now: Instant) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        if let Some(event) = link.deliver_event(now) {
            let client = link.client;
            self.note(now, Note::Told { client, kind: event.kind, path: event.path });
        }
    }
}
