//! Operators: those who change znodes without a link.

use std::sync::Arc;

use tokio::time::Instant;
use zk_core::{ErrorKind, SessionId};
use zk_embedded::machine::ConnectionId;
use zk_wire::{Framed, Request, xid};

use super::World;
use crate::commit::Author;
use crate::dial::Credentials;
use crate::operator_session::OperatorSession;
use crate::record::Note;
use crate::wire::Results;

/// The credentials of every operator.
const USER: &str = "operator:operator";

impl World {
    /// Opens a session of an operator; while the ensemble is away, later.
    pub(crate) fn open_operator(&mut self, now: Instant) -> ConnectionId {
        self.connections += 1;
        let connection = self.connections;
        if self.attach_operator(connection, None, now).is_none() {
            let none_yet = OperatorSession { session: 0, password: Vec::new(), ended: false };
            self.operators.insert(connection, none_yet);
        }
        connection
    }

    fn attach_operator(
        &mut self,
        connection: ConnectionId,
        known: Option<&Credentials>,
        now: Instant,
    ) -> Option<()> {
        let response = self.open_session(connection, i32::MAX, known, Author::Ensemble, now)?;
        self.authenticate(connection, USER, now);
        let (session, password) = (response.session_id, response.password);
        self.operators.insert(connection, OperatorSession { session, password, ended: false });
        Some(())
    }

    /// Lets operators go on after a restart: with their sessions, or with new ones where the data know them no more.
    pub(super) fn attach_operators(&mut self, now: Instant) {
        let lasting = self.operators.iter().filter(|(_, operator)| !operator.ended);
        let operators: Vec<_> = lasting.map(|(connection, _)| *connection).collect();
        for connection in operators {
            let known = self.operators.get(&connection).map(|operator| Credentials {
                session: operator.session,
                password: operator.password.clone(),
                recursive: Arc::default(),
                seen: Arc::default(),
            });
            if self.attach_operator(connection, known.as_ref(), now).is_none() {
                let _ = self.attach_operator(connection, None, now);
            }
        }
    }

    pub(super) fn ping_operators(&mut self, now: Instant) {
        let ms = self.ms(now);
        for (operator, _) in self.operators.iter().filter(|(_, operator)| !operator.ended) {
            let ping = Framed { xid: xid::PING, request: Request::Ping };
            if let Some(leader) = self.leader {
                self.servers[leader].machine.request(ms, *operator, ping);
            }
        }
    }

    /// The session of an operator, or its last one.
    pub(crate) fn operator_session(&self, operator: ConnectionId) -> Option<SessionId> {
        self.operators.get(&operator).map(|operator| SessionId(operator.session))
    }

    /// An operator does no more. While the ensemble is away its session cannot be closed, and expires later.
    pub(crate) fn end_operator(&mut self, operator: ConnectionId, now: Instant) {
        let _ = self.operate(operator, Request::CloseSession, now);
        self.operator_is_over(operator);
    }

    pub(super) fn operator_is_over(&mut self, connection: ConnectionId) {
        if let Some(operator) = self.operators.get_mut(&connection) {
            operator.ended = true;
        }
    }

    /// An operator acts, at once.
    pub(crate) fn operate(
        &mut self,
        operator: ConnectionId,
        request: Request,
        now: Instant,
    ) -> Result<Results, ErrorKind> {
        let paths = request.paths().into_iter().cloned().collect();
        self.note(now, Note::Operated { operator, op_code: request.op_code(), paths });
        self.look(operator, request, now)
    }

    /// An operator looks.
    pub(crate) fn look(
        &mut self,
        operator: ConnectionId,
        request: Request,
        now: Instant,
    ) -> Result<Results, ErrorKind> {
        let leader = self.leader.ok_or(ErrorKind::NotConnected)?;
        let author = self.operator_session(operator).map_or(Author::Ensemble, Author::Operator);
        Ok(self.ask_at(leader, operator, request, author, now))
    }
}
