//! Connections: how they begin and how they end.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::Instant;
use zk_core::transport::TransportEnd;
use zk_core::{ConnectError, Session, SessionId};
use zk_embedded::Version;
use zk_embedded::machine::{ConnectionId, Output};
use zk_wire::{ConnectRequest, ConnectResponse, Framed, Request, xid};

use super::World;
use crate::agenda::Step;
use crate::commit::Author;
use crate::dial::{Attempt, Credentials, Deliver, Dialled, Dialler, Granted, SERVER};
use crate::link::Link;
use crate::record::Note;

impl World {
    pub(crate) fn connect(&mut self, dialler: Dialler, deliver: Deliver, now: Instant) {
        self.attempted += 1;
        let is_dead = self.killed.contains(&dialler.client);
        self.attempts.insert(self.attempted, Attempt { dialler, deliver, outcome: None });
        if is_dead {
            return;
        }
        let arrives = now + self.settings.times.outward(&mut self.rng);
        self.agenda.plan(arrives, Step::Dial(self.attempted));
    }

    /// An attempt reaches the ensemble.
    pub(super) fn dial(&mut self, number: u64, now: Instant) {
        let Some(dialler) = self.attempts.get(&number).map(|attempt| attempt.dialler.clone()) else { return };
        let client = dialler.client;
        let is_refused = self.stopped.is_some() || self.refusing_all || self.refusing.contains(&client);
        let outcome = if is_refused {
            self.note(now, Note::NotConnected { client, why: "refused" });
            Err(ConnectError::Unreachable(vec![format!("{SERVER}: refused")]))
        } else {
            self.attach(dialler, now)
        };
        if let Some(attempt) = self.attempts.get_mut(&number) {
            attempt.outcome = Some(outcome);
        }
        let arrives = now + self.settings.times.back(&mut self.rng);
        self.agenda.plan(arrives, Step::Dialled(number));
    }

    fn attach(&mut self, dialler: Dialler, now: Instant) -> Result<Granted, ConnectError> {
        let Dialler { client, timeout, user, credentials } = dialler;
        let timeout = self.clamp.map_or(timeout, |clamp| timeout.min(clamp));
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        self.connections += 1;
        let (connection, author) = (self.connections, Author::Client(client));
        let opened = self.open_session(connection, timeout_ms, credentials.as_ref(), author, now);
        let Some(response) = opened else {
            self.note(now, Note::NotConnected { client, why: "the session has expired" });
            return Err(ConnectError::SessionExpired);
        };
        if let Some(user) = user {
            if self.refusing_authentication {
                // The session is there all the same, until it expires or a later attempt attaches to it.
                self.machine.disconnected(self.ms(now), connection);
                self.note(now, Note::NotConnected { client, why: "authentication refused" });
                return Err(ConnectError::AuthFailed { server: SERVER.into() });
            }
            self.authenticate(connection, &user, now);
        }
        let timeout = Duration::from_millis(u64::try_from(response.timeout_ms).unwrap_or(0));
        let session = Session { id: SessionId(response.session_id), timeout };
        let has_recursive = self.settings.version >= Version::V3_6;
        let known = credentials.map(|credentials| credentials.recursive);
        self.note(now, Note::Connected { client, connection, session: session.id });
        let recursive = known.unwrap_or_else(|| Arc::new(AtomicBool::new(has_recursive)));
        let link = Link::new(client, session, recursive.clone(), now);
        let down = link.down();
        self.links.insert(connection, link);
        self.agenda.plan(now + timeout / 3, Step::Ping(connection));
        let credentials = Credentials {
            session: response.session_id,
            password: response.password,
            recursive: recursive.clone(),
        };
        let version = self.settings.version;
        Ok(Granted { connection, session, credentials, recursive, version, down })
    }

    pub(super) fn open_session(
        &mut self,
        connection: ConnectionId,
        timeout_ms: i32,
        credentials: Option<&Credentials>,
        author: Author,
        now: Instant,
    ) -> Option<ConnectResponse> {
        if self.stopped.is_some() {
            return None;
        }
        let mut request = ConnectRequest::new(timeout_ms);
        if let Some(credentials) = credentials {
            (request.session_id, request.password) =
                (credentials.session, Some(credentials.password.clone()));
        }
        let mut outputs = self.machine.connect(self.ms(now), connection, Ipv4Addr::LOCALHOST.into(), request);
        self.committed(author, now);
        let response = outputs.iter().find_map(|output| match output {
            Output::Connected { response, .. } => Some(response.clone()),
            _ => None,
        });
        outputs.retain(|output| !matches!(output, Output::Connected { .. }));
        self.emit(outputs, now);
        response.filter(|response| !response.is_refusal())
    }

    pub(super) fn authenticate(&mut self, connection: ConnectionId, user: &str, now: Instant) {
        let data = Some(user.as_bytes().to_vec());
        let request = Request::Auth { kind: 0, scheme: "digest".into(), data };
        self.machine.request(self.ms(now), connection, Framed { xid: xid::AUTH, request });
    }

    /// The outcome of an attempt reaches its client.
    pub(super) fn dialled(&mut self, number: u64) -> Option<Dialled> {
        let Attempt { deliver, outcome, .. } = self.attempts.remove(&number)?;
        let mut outcome = outcome?;
        if outcome.as_ref().is_ok_and(|granted| !self.links.contains_key(&granted.connection)) {
            let (server, cause) = (SERVER.into(), "the connection was lost".into());
            outcome = Err(ConnectError::Handshake { server, wanted: "grant a session", cause });
        }
        Some(Dialled { deliver, outcome })
    }

    /// The client shows that it lives, and will again.
    pub(super) fn ping(&mut self, connection: ConnectionId, now: Instant) {
        let Some(link) = self.links.get(&connection).filter(|link| !link.closing && !link.closed) else {
            return;
        };
        self.agenda.plan(now + link.session.timeout / 3, Step::Ping(connection));
        self.machine.request(self.ms(now), connection, Framed { xid: xid::PING, request: Request::Ping });
    }

    /// The connection breaks, on both sides at once.
    pub(crate) fn cut(&mut self, connection: ConnectionId, cause: &'static str, now: Instant) {
        let Some(mut link) = self.links.remove(&connection) else { return };
        self.machine.disconnected(self.ms(now), connection);
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
        let client = link.client;
        self.links.remove(&connection);
        self.machine.disconnected(self.ms(now), connection);
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
        self.machine.disconnected(self.ms(now), connection);
        if !link.closing {
            self.note(now, Note::Lost { client: link.client, cause: "closed by the ensemble" });
        }
        link.end(TransportEnd::ConnectionLost("closed by the ensemble".into()));
    }

    /// Ends a session as if it had been silent for too long.
    pub(crate) fn expire(&mut self, session: SessionId, now: Instant) {
        if self.stopped.is_some() {
            return;
        }
        let outputs = self.machine.expire(self.ms(now), session.0);
        self.committed(Author::Ensemble, now);
        self.emit(outputs, now);
    }

    /// The session of a client, if it is connected.
    pub(crate) fn session_of(&self, client: u64) -> Option<SessionId> {
        let mut links = self.links.values().rev();
        links.find(|link| link.client == client && !link.closed).map(|link| link.session.id)
    }
}
