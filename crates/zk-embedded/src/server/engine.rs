//! The task that owns the machine: it does what comes in, in order, and never waits for a client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Shutdown;
use super::clock::Clock;
use super::command::{Command, Incoming};
use super::mailbox::{Item, Mailbox};
use crate::Version;
use crate::faults::{AfterLoss, ClockChange, FaultCommand, Op, Registry, Scope, Strike, op_code, short_name};
use crate::machine::{ConnectionId, Machine, Output, Settings};
use crate::report::{ConnectionReport, Report};
use zk_wire::{ConnectRequest, ErrorCode, Framed, Request, encode_reply};

/// The machine, and everything around it that needs no socket.
#[derive(Debug)]
pub(super) struct Engine {
    machine: Machine,
    clock: Clock,
    faults: Registry,
    mailboxes: BTreeMap<ConnectionId, Mailbox>,
    facts: Facts,
    started_ms: i64,
    received: u64,
    sent: u64,
}

/// The facts that four-letter words report and the machine does not know.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) addr: SocketAddr,
    pub(super) version: Version,
    pub(super) tick_ms: i64,
    pub(super) max_connections: usize,
    /// Connections above the limit.
    pub(super) rejected: Arc<AtomicU64>,
}

impl Engine {
    pub(super) fn new(clock: Clock, settings: Settings, facts: Facts) -> Self {
        Self {
            machine: Machine::new(settings),
            started_ms: clock.now(),
            clock,
            faults: Registry::default(),
            mailboxes: BTreeMap::new(),
            facts,
            received: 0,
            sent: 0,
        }
    }

    /// Runs until it is shut down or `dropped`, or no sender of commands is left.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, dropped: CancellationToken) {
        loop {
            let deadline = self.deadline();
            let sleep = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let command = tokio::select! {
                () = dropped.cancelled() => None,
                () = sleep => {
                    self.advance();
                    continue;
                }
                command = commands.recv() => command,
            };
            match command {
                Some(Command::Opened { connection, peer, outgoing }) => {
                    let mailbox = Mailbox::new(peer, self.clock.now(), outgoing);
                    self.opened(connection, mailbox);
                }
                Some(Command::Incoming { connection, incoming }) => self.incoming(connection, incoming),
                Some(Command::Drained { connection }) => self.pump(connection),
                Some(Command::Fault(command)) => self.fault(command),
                Some(Command::Shutdown(how)) => {
                    self.shut_down(how);
                    break;
                }
                None => break,
            }
        }
        // A client that has just connected is disconnected.
        commands.close();
        while let Ok(command) = commands.try_recv() {
            if let Command::Opened { outgoing, .. } = command {
                outgoing.abort();
            }
        }
    }

    /// When the machine has to be advanced.
    fn deadline(&self) -> Option<Instant> {
        let deadline = self.machine.next_deadline().filter(|_| !self.faults.stalls_all());
        deadline.and_then(|deadline| self.clock.when(deadline))
    }

    fn advance(&mut self) {
        let outputs = self.machine.advance(self.clock.now());
        self.deliver(outputs);
    }

    fn opened(&mut self, connection: ConnectionId, mut mailbox: Mailbox) {
        if self.faults.refuses(|scope| scope == Scope::All) {
            mailbox.outgoing.abort();
            return;
        }
        mailbox.stalled = self.faults.stalls(0);
        mailbox.outgoing.pause(mailbox.stalled);
        self.mailboxes.insert(connection, mailbox);
    }

    fn incoming(&mut self, connection: ConnectionId, incoming: Incoming) {
        // What a dropped connection still sends is ignored.
        let Some(mailbox) = self.mailboxes.get_mut(&connection) else { return };
        let frames = mailbox.take_in(incoming);
        self.received += frames;
        let session = mailbox.report.session;
        self.restall(connection);
        if self.mailboxes.get(&connection).is_some_and(|mailbox| mailbox.stalled) {
            self.faults.count_stalled(session, frames);
        }
        self.pump(connection);
    }

    /// Does what a connection has asked for, as far as it may be done now.
    fn pump(&mut self, connection: ConnectionId) {
        while let Some(mailbox) = self.mailboxes.get_mut(&connection)
            && let Some(item) = mailbox.next()
        {
            match item {
                Item::Connect(request) => self.connect(connection, request),
                Item::Request(framed, _permit) => self.request(connection, framed),
                Item::Report(report_tx) => {
                    // The connection that asked may be closed.
                    let _ = report_tx.send(self.report());
                }
                Item::Gone => {
                    self.mailboxes.remove(&connection);
                    self.machine.disconnected(self.clock.now(), connection);
                }
            }
        }
    }

    fn connect(&mut self, connection: ConnectionId, request: ConnectRequest) {
        let asked = request.session_id;
        // A refusal of all would have struck when the connection was opened.
        let refused = self.faults.refuses(|scope| scope == Scope::Session(asked));
        let strike = self.faults.strike(asked, Some(Op::Connect), None);
        let Some(mailbox) = self.mailboxes.get(&connection).filter(|_| !refused && strike.fail.is_none())
        else {
            self.cut(connection);
            return;
        };
        let peer = mailbox.report.peer.ip();
        let outputs = self.machine.connect(self.clock.now(), connection, peer, request);
        self.deliver_struck(outputs, connection, strike);
    }

    fn request(&mut self, connection: ConnectionId, framed: Framed) {
        let op_code = op_code(&framed.request);
        if let Some(mailbox) = self.mailboxes.get_mut(&connection) {
            mailbox.report.last_op = short_name(op_code);
            if framed.xid >= 0 {
                mailbox.report.last_xid = Some(framed.xid);
            }
        }
        let session = self.session(connection);
        let strike = self.faults.strike(session, op_code, Some(&framed.request));
        let now = self.clock.now();
        let outputs = match strike.fail {
            None => self.machine.request(now, connection, framed),
            Some(code) => {
                // The request keeps its session alive, as a ping does.
                let ping = Framed { xid: framed.xid, request: Request::Ping };
                let mut outputs = self.machine.request(now, connection, ping);
                replace_reply(&mut outputs, connection, framed.xid, code);
                outputs
            }
        };
        self.deliver_struck(outputs, connection, strike);
    }

    /// Delivers what came of a request of a connection that a fault may have struck.
    fn deliver_struck(&mut self, mut outputs: Vec<Output>, connection: ConnectionId, strike: Strike) {
        if strike.lose.is_some() {
            outputs.retain(|output| !is_reply(output, connection));
        }
        match strike.delay {
            None => self.deliver(outputs),
            Some(by) => {
                let not_before = Instant::now().checked_add(by);
                for output in outputs {
                    let time = not_before.filter(|_| is_reply(&output, connection));
                    self.send(output, time);
                }
            }
        }
        if strike.lose == Some(AfterLoss::Cut) {
            self.cut(connection);
        }
    }

    fn deliver(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            self.send(output, None);
        }
    }

    fn send(&mut self, output: Output, not_before: Option<Instant>) {
        match output {
            Output::Connected { connection, response } => {
                let bytes = response.encode();
                if let Some(mailbox) = self.mailboxes.get_mut(&connection) {
                    mailbox.report.session = response.session_id;
                    mailbox.report.timeout_ms = response.timeout_ms;
                    mailbox.report.last_op = "SESS";
                }
                self.push(connection, bytes, not_before);
                self.restall(connection);
            }
            Output::Reply { connection, xid, zxid, result } => {
                let now = self.clock.now();
                if let Some(mailbox) = self.mailboxes.get_mut(&connection) {
                    mailbox.report.last_zxid = zxid;
                    mailbox.report.last_response_ms = now;
                }
                self.push(connection, encode_reply(xid, zxid, &result), not_before);
            }
            Output::Event { connection, zxid, event } => {
                self.push(connection, event.encode_with_zxid(zxid), None);
            }
            Output::Close { connection } => {
                if let Some(mailbox) = self.mailboxes.get_mut(&connection) {
                    mailbox.closing = true;
                    mailbox.outgoing.finish();
                }
            }
            Output::SessionEnded { session, expired } => debug!(session, expired, "session ended"),
        }
    }

    fn push(&mut self, connection: ConnectionId, bytes: Vec<u8>, not_before: Option<Instant>) {
        let Some(mailbox) = self.mailboxes.get_mut(&connection) else { return };
        mailbox.report.sent += 1;
        self.sent += 1;
        if mailbox.outgoing.push(bytes, not_before).is_err() {
            warn!(connection, peer = %mailbox.report.peer, "client disconnected: it does not read");
            self.cut(connection);
        }
    }

    /// Ends a connection at once, with all that is on its way.
    fn cut(&mut self, connection: ConnectionId) {
        if let Some(mailbox) = self.mailboxes.remove(&connection) {
            mailbox.outgoing.abort();
            self.machine.disconnected(self.clock.now(), connection);
        }
    }

    fn session(&self, connection: ConnectionId) -> i64 {
        self.mailboxes.get(&connection).map_or(0, |mailbox| mailbox.report.session)
    }

    /// Stalls a connection, or lets it go on, as the faults say.
    fn restall(&mut self, connection: ConnectionId) {
        if let Some(mailbox) = self.mailboxes.get_mut(&connection) {
            let stalled = self.faults.stalls(mailbox.report.session);
            if stalled != mailbox.stalled {
                mailbox.stalled = stalled;
                mailbox.outgoing.pause(stalled);
            }
        }
    }

    fn fault(&mut self, command: FaultCommand) {
        // The caller may have dropped its future, which changes nothing.
        match command {
            FaultCommand::Expire(scope, done) => drop(done.send(self.expire(scope))),
            FaultCommand::Drop(scope, done) => {
                let dropped = self.connections(|mailbox| scope.covers(mailbox.report.session));
                for connection in &dropped {
                    self.cut(*connection);
                }
                let _ = done.send(dropped.len() as u64);
            }
            FaultCommand::Put(kind, done) => {
                let put = self.faults.put(kind);
                self.restall_all();
                let _ = done.send(put);
            }
            FaultCommand::End(id, done) => {
                self.faults.end(id);
                self.restall_all();
                let _ = done.send(());
            }
            FaultCommand::Clock(change, done) => {
                match change {
                    ClockChange::Freeze => self.clock.freeze(),
                    ClockChange::Step(by) => self.clock.step(by),
                    ClockChange::Release => self.clock.release(),
                }
                if change != ClockChange::Freeze && !self.faults.stalls_all() {
                    self.advance();
                }
                let _ = done.send(self.clock.now());
            }
        }
    }

    fn expire(&mut self, scope: Scope) -> u64 {
        let sessions = match scope {
            Scope::Session(id) => vec![id],
            Scope::All => self.machine.statistics().sessions.iter().map(|session| session.session).collect(),
        };
        let mut ended = 0;
        for session in sessions {
            let outputs = self.machine.expire(self.clock.now(), session);
            ended += outputs.iter().filter(|output| matches!(output, Output::SessionEnded { .. })).count();
            self.deliver(outputs);
        }
        ended as u64
    }

    fn restall_all(&mut self) {
        for connection in self.connections(|_| true) {
            self.restall(connection);
            // Requests that came in during the stall are carried out before any session expires.
            self.pump(connection);
        }
    }

    fn connections(&self, matches: impl Fn(&Mailbox) -> bool) -> Vec<ConnectionId> {
        self.mailboxes
            .iter()
            .filter(|(_, mailbox)| matches(mailbox))
            .map(|(connection, _)| *connection)
            .collect()
    }

    fn shut_down(&mut self, how: Shutdown) {
        for (_, mailbox) in std::mem::take(&mut self.mailboxes) {
            match how {
                Shutdown::CloseConnections => {
                    mailbox.outgoing.pause(false);
                    mailbox.outgoing.finish();
                }
                Shutdown::DropConnections => mailbox.outgoing.abort(),
            }
        }
    }

    fn report(&self) -> Report {
        let connections: Vec<_> = self
            .mailboxes
            .values()
            .map(|mailbox| ConnectionReport { queued: mailbox.queued(), ..mailbox.report.clone() })
            .collect();
        Report {
            uptime_ms: self.clock.now() - self.started_ms,
            addr: self.facts.addr,
            version: self.facts.version,
            tick_ms: self.facts.tick_ms,
            max_connections: self.facts.max_connections,
            rejected: self.facts.rejected.load(Ordering::Relaxed),
            received: self.received,
            sent: self.sent,
            outstanding: connections.iter().map(|connection| connection.queued).sum(),
            connections,
            statistics: self.machine.statistics(),
        }
    }
}

impl Drop for Engine {
    /// However it ends, no client waits for a reply that will not come.
    fn drop(&mut self) {
        for mailbox in self.mailboxes.values() {
            mailbox.outgoing.abort();
        }
    }
}

/// Whether an output is the reply to the request that a connection has just sent.
fn is_reply(output: &Output, asker: ConnectionId) -> bool {
    matches!(output, Output::Reply { connection, .. } | Output::Connected { connection, .. } if *connection == asker)
}

/// Puts an error into the place of the reply.
fn replace_reply(outputs: &mut [Output], asker: ConnectionId, asked: i32, code: ErrorCode) {
    for output in outputs {
        if let Output::Reply { connection, xid, result, .. } = output
            && *connection == asker
            && result.is_ok()
        {
            (*xid, *result) = (asked, Err(code));
        }
    }
}
