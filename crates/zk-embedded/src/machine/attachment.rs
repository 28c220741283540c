//! Connections get a session here, and both end here.

use std::net::IpAddr;

use super::auth::Identity;
use super::journal::Change;
use super::password::{LENGTH, password};
use super::{ConnectionId, Machine, Output, ip};
use zk_wire::{ConnectRequest, ConnectResponse};

/// The session of a connection, and what the client has proved on it.
#[derive(Clone, Debug)]
pub(super) struct Attachment {
    pub(super) session: i64,
    /// The timeout that was granted on this connection; requests on it extend the session by as much.
    pub(super) timeout_ms: i32,
    /// The client's address, as ACLs know it.
    pub(super) address: String,
    /// The identities of the client, its address first.
    pub(super) identities: Vec<Identity>,
}

impl Machine {
    /// Takes the first frame of a connection: it opens a session, or takes over one that exists.
    ///
    /// A client that has seen a newer transaction than the machine gets no reply, and its connection is closed. A session
    /// that is taken over loses its former connection before the password is checked. If the password is wrong or the
    /// session unknown, all fields of the reply are 0, and the connection is closed.
    pub fn connect(
        &mut self,
        now: i64,
        connection: ConnectionId,
        peer: IpAddr,
        request: ConnectRequest,
    ) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.sweep.start(now);
        let repeated = self.connections.contains_key(&connection);
        if repeated || request.last_zxid_seen > self.zxid {
            self.close(connection, &mut outputs);
            return outputs;
        }
        let timeout_ms = self.settings.negotiate(request.timeout_ms);
        let attached = if request.session_id == 0 {
            self.next_zxid();
            let session = self.sessions.open(timeout_ms, now);
            self.journal.add(|| Change::SessionOpened { session, timeout_ms });
            Some(session)
        } else {
            if let Some(former) = self.sessions.detach(request.session_id) {
                self.close(former, &mut outputs);
            }
            let right = request.password.as_deref() == Some(&password(request.session_id)[..]);
            let session = Some(request.session_id).filter(|_| right);
            session.filter(|session| self.sessions.touch(*session, timeout_ms, now))
        };
        let response = |timeout_ms, session_id, password: [u8; LENGTH]| ConnectResponse {
            protocol_version: 0,
            timeout_ms,
            session_id,
            password: password.to_vec(),
            // There is no read-only server here.
            read_only: request.read_only.map(|_| false),
        };
        let Some(session) = attached else {
            outputs.push(Output::Connected { connection, response: response(0, 0, [0; LENGTH]) });
            outputs.push(Output::Close { connection });
            return outputs;
        };
        self.sessions.attach(session, connection);
        let address = ip::identity(peer);
        let identities = vec![Identity::of_peer(address.clone())];
        self.connections.insert(connection, Attachment { session, timeout_ms, address, identities });
        outputs.push(Output::Connected {
            connection,
            response: response(timeout_ms, session, password(session)),
        });
        outputs
    }

    /// Forgets a connection that its client has closed, with its watches; the session stays.
    ///
    /// A connection that is unknown, or that the machine itself has closed, is ignored.
    pub fn disconnected(&mut self, _now: i64, connection: ConnectionId) {
        let Some(gone) = self.connections.remove(&connection) else { return };
        self.watches.remove_all(connection);
        self.sessions.detach(gone.session);
    }

    /// Forgets a connection and has it closed.
    pub(super) fn close(&mut self, connection: ConnectionId, outputs: &mut Vec<Output>) {
        if let Some(closed) = self.connections.remove(&connection) {
            self.sessions.detach(closed.session);
        }
        self.watches.remove_all(connection);
        outputs.push(Output::Close { connection });
    }

    /// Ends a session that was silent for too long, and closes its connection.
    ///
    /// The connection gets no events of the deleted znodes: Apache ZooKeeper may send them, but closes at once.
    pub(super) fn end_session(&mut self, session: i64, outputs: &mut Vec<Output>) {
        if let Some(connection) = self.sessions.detach(session) {
            self.close(connection, outputs);
        }
        self.close_session(session, true, outputs);
    }

    /// Ends a session: one transaction, in which its ephemeral znodes go.
    pub(super) fn close_session(&mut self, session: i64, expired: bool, outputs: &mut Vec<Output>) {
        let zxid = self.next_zxid();
        self.sessions.remove(session);
        self.journal.add(|| Change::SessionEnded { session, expired });
        self.delete_ephemerals(session, zxid, outputs);
        outputs.push(Output::SessionEnded { session, expired });
    }
}
