use std::collections::BTreeMap;

use super::ConnectionId;
use super::expiry::Expiry;

/// The live sessions.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    next_id: i64,
    sessions: BTreeMap<i64, Session>,
    expiry: Expiry,
}

/// A session, whether or not it has a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    /// The timeout that was granted last.
    pub(super) timeout_ms: i32,
    pub(super) connection: Option<ConnectionId>,
    /// When it ends, if its client sends nothing.
    pub(super) expires_at: i64,
}

impl Sessions {
    /// Begins without sessions.
    pub(super) fn new(first_id: i64, tick_ms: i64) -> Self {
        Self { next_id: first_id, sessions: BTreeMap::new(), expiry: Expiry::new(tick_ms) }
    }

    /// Opens a session and returns its id.
    pub(super) fn open(&mut self, timeout_ms: i32, now: i64) -> i64 {
        // 0 and the lowest number have another meaning as the owner of a znode.
        while matches!(self.next_id, 0 | i64::MIN) {
            self.next_id += 1;
        }
        let session = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        self.sessions.insert(session, Session { timeout_ms, connection: None, expires_at: 0 });
        self.touch(session, timeout_ms, now);
        session
    }

    /// Adds a session that another machine has opened. It does not expire here.
    pub(super) fn insert(&mut self, id: i64, timeout_ms: i32) {
        self.sessions.insert(id, Session { timeout_ms, connection: None, expires_at: 0 });
    }

    /// Lets all sessions begin anew, without connections, and the ids of new ones at a number.
    pub(super) fn restart(&mut self, now: i64, next_id: i64) {
        self.next_id = next_id;
        for (id, session) in &mut self.sessions {
            session.connection = None;
            self.expiry.update(*id, session.timeout_ms, now);
        }
    }

    /// Extends a session, if it lives.
    pub(super) fn touch(&mut self, session: i64, timeout_ms: i32, now: i64) -> bool {
        let Some(found) = self.sessions.get_mut(&session) else { return false };
        found.timeout_ms = timeout_ms;
        self.expiry.update(session, timeout_ms, now);
        true
    }

    /// Gives a session a connection.
    pub(super) fn attach(&mut self, session: i64, connection: ConnectionId) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.connection = Some(connection);
        }
    }

    /// Takes the connection from a session, and returns it.
    pub(super) fn detach(&mut self, session: i64) -> Option<ConnectionId> {
        self.sessions.get_mut(&session)?.connection.take()
    }

    /// Ends a session.
    pub(super) fn remove(&mut self, session: i64) {
        self.sessions.remove(&session);
        self.expiry.remove(session);
    }

    /// Returns whether a session lives.
    pub(super) fn contains(&self, session: i64) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Returns when the next session is due.
    pub(super) fn next_expiry(&self) -> Option<i64> {
        self.expiry.next()
    }

    /// Returns a session that is due at `now` or before, and takes it out of the queue.
    pub(super) fn take_expired(&mut self, now: i64) -> Option<i64> {
        let session = self.expiry.due(now)?;
        self.expiry.remove(session);
        Some(session)
    }

    /// Returns all sessions, by id.
    pub(super) fn all(&self) -> impl Iterator<Item = (i64, Session)> {
        let expires_at = |id| self.expiry.of(id).unwrap_or_default();
        self.sessions
            .iter()
            .map(move |(id, session)| (*id, Session { expires_at: expires_at(*id), ..*session }))
    }
}
