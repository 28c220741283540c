//! Clients that are cut off: nothing travels, in either direction, and no connection breaks.

use tokio::time::Instant;
use zk_embedded::machine::ConnectionId;

use super::World;
use crate::agenda::Step;

impl World {
    /// Lets everything that concerns a client stand still. Its link notices after 2/5 of the session timeout.
    pub(crate) fn stall(&mut self, client: u64, now: Instant) {
        if self.stalled.contains_key(&client) {
            return;
        }
        self.stalled.insert(client, (now, Vec::new()));
        self.note(now, format!("client {client} is cut off"));
        for (connection, link) in self.links.iter().filter(|(_, link)| link.client == client) {
            self.agenda.plan(now + link.session.timeout * 2 / 5, Step::Silent(*connection));
        }
    }

    /// Lets it go on: what has waited arrives now.
    pub(crate) fn resume(&mut self, client: u64, now: Instant) {
        let Some((_, steps)) = self.stalled.remove(&client) else { return };
        self.note(now, format!("client {client} is no longer cut off"));
        for step in steps {
            self.agenda.plan(now, step);
        }
    }

    /// Keeps a step back if its client is cut off.
    pub(super) fn unless_stalled(&mut self, step: Step) -> Option<Step> {
        let link = step.connection().and_then(|connection| self.links.get(&connection));
        let attempt = step.attempt().and_then(|attempt| self.attempts.get(&attempt));
        let client = link.map(|link| link.client).or(attempt.map(|attempt| attempt.dialler.client));
        match client.and_then(|client| self.stalled.get_mut(&client)) {
            Some((_, steps)) => {
                steps.push(step);
                None
            }
            None => Some(step),
        }
    }

    pub(super) fn give_up_if_silent(&mut self, connection: ConnectionId, now: Instant) {
        let Some(link) = self.links.get(&connection) else { return };
        let Some((since, _)) = self.stalled.get(&link.client) else { return };
        if now >= *since + link.session.timeout * 2 / 5 {
            self.cut(connection, "silence", now);
        }
    }
}
