//! Clients that are cut off: nothing travels, in either direction, and no connection breaks.

use tokio::time::Instant;
use zk_embedded::machine::ConnectionId;

use super::World;
use crate::agenda::Step;
use crate::record::Note;

impl World {
    /// Lets everything that concerns a client stand still. Its link notices after 2/5 of the session timeout.
    pub(crate) fn stall(&mut self, client: u64, now: Instant) {
        if self.stalled.contains_key(&client) {
            return;
        }
        self.stalled.insert(client, (now, Vec::new()));
        self.note(now, Note::Stalled(client));
        for (connection, link) in self.links.iter().filter(|(_, link)| link.client == client) {
            self.agenda.plan(now + link.patience(), Step::Silent(*connection));
        }
    }

    /// Lets it go on: what has waited arrives now.
    pub(crate) fn resume(&mut self, client: u64, now: Instant) {
        let Some((_, steps)) = self.stalled.remove(&client) else { return };
        self.note(now, Note::Resumed(client));
        for step in steps {
            self.agenda.plan(now, step);
        }
    }

    /// Keeps a step back if its client is cut off, and for good if it was killed.
    pub(super) fn unless_stalled(&mut self, step: Step) -> Option<Step> {
        let link = step.connection().and_then(|connection| self.links.get(&connection));
        let attempt = step.attempt().and_then(|attempt| self.attempts.get(&attempt));
        let client = link.map(|link| link.client).or(attempt.map(|attempt| attempt.dialler.client));
        if client.is_some_and(|client| self.killed.contains(&client)) {
            return None;
        }
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
        let cut_off = self.stalled.get(&link.client).map(|(since, _)| *since);
        let silent = link.silence.filter(|(_, until)| now < *until).map(|(since, _)| since);
        let since = [cut_off, silent].into_iter().flatten().min();
        if since.is_some_and(|since| now >= since + link.patience()) {
            self.cut(connection, "silence", now);
        }
    }

    /// Kills a client: from now on nothing of it reaches the ensemble, and nothing reaches it, not even the end of its connection.
    /// Its session stays, until it has been silent for too long.
    pub(crate) fn kill(&mut self, client: u64, now: Instant) {
        if !self.killed.insert(client) {
            return;
        }
        self.note(now, Note::Killed(client));
        self.stalled.remove(&client);
        let dead: Vec<_> = self.links.extract_if(.., |_, link| link.client == client).collect();
        for (connection, link) in dead {
            self.disconnect(connection, link.server, now);
            self.buried.push(link);
        }
    }
}
