//! Attempts to connect: the server that a client gets, and the session that it is granted.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use zk_core::{ConnectError, Session, SessionId};
use zk_embedded::Version;
use zk_embedded::machine::{ConnectionId, Output};
use zk_wire::{ConnectRequest, ConnectResponse, Framed, Request, xid};

use super::World;
use crate::agenda::Step;
use crate::commit::Author;
use crate::dial::{Attempt, Credentials, Deliver, Dialled, Dialler, ENSEMBLE, Granted, server_name};
use crate::link::Link;
use crate::record::Note;

/// How long a client waits for the grant of a session, as the link of zk-core does.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

impl World {
    pub(crate) fn connect(&mut self, dialler: Dialler, deliver: Deliver, now: Instant) {
        self.attempted += 1;
        let is_dead = self.killed.contains(&dialler.client);
        self.attempts.insert(self.attempted, Attempt { dialler, deliver, outcome: None, awaits: None });
        if is_dead {
            return;
        }
        let arrives = now + self.settings.times.outward(&mut self.rng);
        self.agenda.plan(arrives, Step::Dial(self.attempted));
    }

    /// An attempt reaches the ensemble.
    pub(super) fn dial(&mut self, number: u64, now: Instant) {
        let Some(dialler) = self.attempts.get(&number).map(|attempt| attempt.dialler.clone()) else { return };
        let (client, before) = (dialler.client, self.journal.len());
        let outcome = match self.choose(client) {
            Some(server) => {
                let outcome = self.attach(server, dialler, now);
                let choice = self.choices.entry(client).or_default();
                match &outcome {
                    Ok(_) => choice.connected(server),
                    Err(ConnectError::SessionExpired) => choice.replied(server),
                    Err(_) => choice.failed(server),
                }
                outcome
            }
            None => {
                self.note(now, Note::NotConnected { client, why: "refused" });
                let refused = |server| format!("{}: refused", server_name(server, self.settings.servers));
                Err(ConnectError::Unreachable((0..self.settings.servers).map(refused).collect()))
            }
        };
        let place = self.journal.len();
        let is_new = outcome.is_ok() && place > before;
        let server = outcome.as_ref().ok().and_then(|granted| self.links.get(&granted.connection));
        let behind = server.map(|link| link.server).filter(|server| self.servers[*server].applied < place);
        let Some(attempt) = self.attempts.get_mut(&number) else { return };
        attempt.outcome = Some(outcome);
        if let Some(server) = behind.filter(|_| is_new) {
            // The server grants a new session when it has learned of it.
            attempt.awaits = Some((server, place));
            let limit = attempt.dialler.timeout.min(HANDSHAKE_TIMEOUT);
            return self.agenda.plan(now + limit, Step::GiveUp(number));
        }
        let arrives = now + self.settings.times.back(&mut self.rng);
        self.agenda.plan(arrives, Step::Dialled(number));
    }

    /// A client stops waiting for the grant of a session, which lingers.
    pub(super) fn give_up(&mut self, number: u64, now: Instant) {
        let Some(attempt) = self.attempts.get_mut(&number) else { return };
        let (Some((server, _)), client) = (attempt.awaits.take(), attempt.dialler.client) else { return };
        let limit = attempt.dialler.timeout.min(HANDSHAKE_TIMEOUT);
        let (name, cause) =
            (server_name(server, self.settings.servers), format!("no reply within {limit:?}"));
        let error = ConnectError::Handshake { server: name, wanted: "grant a session", cause };
        if let Some(Ok(granted)) = attempt.outcome.replace(Err(error)) {
            self.links.remove(&granted.connection);
            self.disconnect(granted.connection, server, now);
        }
        self.choices.entry(client).or_default().failed(server);
        self.note(now, Note::NotConnected { client, why: "no reply" });
        self.agenda.plan(now, Step::Dialled(number));
    }

    /// The server that a client gets: of those that accept connections.
    fn choose(&mut self, client: u64) -> Option<usize> {
        if self.stopped.is_some() || self.refusing_all || self.refusing.contains(&client) {
            return None;
        }
        if self.servers.len() == 1 {
            return Some(0);
        }
        let choice = self.choices.entry(client).or_default();
        let order = choice.order(self.servers.len(), &mut self.dice);
        order.into_iter().find(|server| self.servers[*server].is_up)
    }

    /// Sends the outcomes that have waited for a server to apply so many transactions.
    pub(super) fn hand_on_sessions(&mut self, server: usize, applied: u64, now: Instant) {
        for (number, attempt) in &mut self.attempts {
            if attempt.awaits.is_some_and(|(at, place)| at == server && place <= applied) {
                attempt.awaits = None;
                let arrives = now + self.settings.times.back(&mut self.rng);
                self.agenda.plan(arrives, Step::Dialled(*number));
            }
        }
    }

    fn attach(&mut self, server: usize, dialler: Dialler, now: Instant) -> Result<Granted, ConnectError> {
        let Dialler { client, timeout, user, credentials } = dialler;
        let name = server_name(server, self.settings.servers);
        let seen = credentials.as_ref().map_or(0, |known| known.seen.load(Ordering::Relaxed));
        let is_behind = self.settings.presents_zxid && seen > self.servers[server].machine.zxid();
        if is_behind || self.leader.is_none() {
            let why = if is_behind { "the server is behind" } else { "the servers have no leader" };
            self.note(now, Note::NotConnected { client, why });
            // All that a client learns of either.
            let wanted = if credentials.is_some() { "resume the session" } else { "grant a session" };
            let cause = "it closed the connection, or sent nothing; is it part of a quorum?".into();
            return Err(ConnectError::Handshake { server: name, wanted, cause });
        }
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
                self.disconnect(connection, server, now);
                self.note(now, Note::NotConnected { client, why: "authentication refused" });
                return Err(ConnectError::AuthFailed { server: name });
            }
            self.authenticate(connection, &user, now);
        }
        if let Some(leader) = self.leader.filter(|leader| *leader != server) {
            // Both are there, and they are not the same.
            if let Ok([leader, follower]) = self.servers.get_disjoint_mut([leader, server]) {
                follower.machine.adopt(connection, &leader.machine);
            }
        }
        let timeout = Duration::from_millis(u64::try_from(response.timeout_ms).unwrap_or(0));
        let session = Session { id: SessionId(response.session_id), timeout };
        let has_recursive = self.settings.version >= Version::V3_6;
        let several = (self.settings.servers > 1).then_some(server);
        self.note(now, Note::Connected { client, connection, session: session.id, server: several });
        let (recursive, seen) = match credentials {
            Some(known) => (known.recursive, known.seen),
            None => (Arc::new(AtomicBool::new(has_recursive)), Arc::default()),
        };
        let (session_id, password) = (response.session_id, response.password);
        let credentials = Credentials { session: session_id, password, recursive: recursive.clone(), seen };
        let link = Link::new(client, server, session, &credentials, now);
        let down = link.down();
        self.links.insert(connection, link);
        self.agenda.plan(now + timeout / 3, Step::Ping(connection));
        let version = self.settings.version;
        Ok(Granted { connection, server: name, session, credentials, recursive, version, down })
    }

    pub(super) fn open_session(
        &mut self,
        connection: ConnectionId,
        timeout_ms: i32,
        credentials: Option<&Credentials>,
        author: Author,
        now: Instant,
    ) -> Option<ConnectResponse> {
        let (ms, leader) = (self.ms(now), self.leader?);
        let mut request = ConnectRequest::new(timeout_ms);
        if let Some(credentials) = credentials {
            (request.session_id, request.password) =
                (credentials.session, Some(credentials.password.clone()));
        }
        let machine = &mut self.servers[leader].machine;
        let mut outputs = machine.connect(ms, connection, Ipv4Addr::LOCALHOST.into(), request);
        self.committed(author, now);
        let response = outputs.iter().find_map(|output| match output {
            Output::Connected { response, .. } => Some(response.clone()),
            _ => None,
        });
        outputs.retain(|output| !matches!(output, Output::Connected { .. }));
        // The session has moved: its former connection ends, wherever that is.
        let from = outputs.iter().find_map(|output| match output {
            Output::Close { connection } => self.links.get(connection).map(|link| link.server),
            _ => None,
        });
        self.emit(from.unwrap_or(leader), outputs, now);
        response.filter(|response| !response.is_refusal())
    }

    pub(super) fn authenticate(&mut self, connection: ConnectionId, user: &str, now: Instant) {
        let data = Some(user.as_bytes().to_vec());
        let request = Request::Auth { kind: 0, scheme: "digest".into(), data };
        let ms = self.ms(now);
        if let Some(leader) = self.leader_mut() {
            leader.request(ms, connection, Framed { xid: xid::AUTH, request });
        }
    }

    /// The outcome of an attempt reaches its client.
    pub(super) fn dialled(&mut self, number: u64) -> Option<Dialled> {
        let Attempt { deliver, outcome, .. } = self.attempts.remove(&number)?;
        let mut outcome = outcome?;
        if outcome.as_ref().is_ok_and(|granted| !self.links.contains_key(&granted.connection)) {
            let server = outcome.map_or_else(|_| ENSEMBLE.into(), |granted| granted.server);
            let cause = "the connection was lost".into();
            outcome = Err(ConnectError::Handshake { server, wanted: "grant a session", cause });
        }
        Some(Dialled { deliver, outcome })
    }
}
