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
use super::link::{Item, Link};
use super::report::{ConnectionReport, Report};
use crate::Version;
use crate::faults::{AfterLoss, ClockChange, Op, Order, Registry, Scope, Strike, short_name};
use crate::machine::{ConnectionId, Machine, Output, Settings};
use zk_wire::{ConnectRequest, ErrorCode, Framed, Request, encode_reply};

/// The machine, and everything around it that needs no socket.
#[derive(Debug)]
pub(super) struct Engine {
    machine: Machine,
    clock: Clock,
    faults: Registry,
    links: BTreeMap<ConnectionId, Link>,
    facts: Facts,
    started_ms: i64,
    received: u64,
    sent: u64,
}

/// What four-letter words tell and the machine does not know.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) addr: SocketAddr,
    pub(super) version: Version,
    pub(super) tick_ms: i64,
    pub(super) max_connections: usize,
    /// Connections above the cap.
    pub(super) rejected: Arc<AtomicU64>,
}

impl Engine {
    pub(super) fn new(clock: Clock, settings: Settings, facts: Facts) -> Self {
        Self {
            machine: Machine::new(settings),
            started_ms: clock.now(),
            clock,
            faults: Registry::default(),
            links: BTreeMap::new(),
            facts,
            received: 0,
            sent: 0,
        }
    }

    /// Runs until it is shut down or `dropped`, or nobody can command it any more.
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
                    let link = Link::new(peer, self.clock.now(), outgoing);
                    self.opened(connection, link);
                }
                Some(Command::Incoming { connection, incoming }) => self.incoming(connection, incoming),
                Some(Command::Drained { connection }) => self.pump(connection),
                Some(Command::Fault(order)) => self.order(order),
                Some(Command::Shutdown(how)) => {
                    self.shut_down(how);
                    break;
                }
                None => break,
            }
        }
        // Whoever has just connected learns that nobody is here.
        commands.close();
        while let Ok(command) = commands.try_recv() {
            if let Command::Opened { outgoing, .. } = command {
                outgoing.abort();
            }
        }
    }

    /// When time has to be told to the machine.
    fn deadline(&self) -> Option<Instant> {
        let deadline = self.machine.next_deadline().filter(|_| !self.faults.stalls_all());
        deadline.and_then(|deadline| self.clock.when(deadline))
    }

    fn advance(&mut self) {
        let outputs = self.machine.advance(self.clock.now());
        self.deliver(outputs);
    }

    fn opened(&mut self, connection: ConnectionId, mut link: Link) {
        if self.faults.refuses(|scope| scope == Scope::All) {
            link.outgoing.abort();
            return;
        }
        link.stalled = self.faults.stalls(0);
        link.outgoing.hold(link.stalled);
        self.links.insert(connection, link);
    }

    fn incoming(&mut self, connection: ConnectionId, incoming: Incoming) {
        // One that was dropped here is not heard any more.
        let Some(link) = self.links.get_mut(&connection) else { return };
        let frames = link.take_in(incoming);
        self.received += frames;
        let session = link.report.session;
        self.restall(connection);
        if self.links.get(&connection).is_some_and(|link| link.stalled) {
            self.faults.count_stalled(session, frames);
        }
        self.pump(connection);
    }

    /// Does what a connection has asked for, as far as it may be done now.
    fn pump(&mut self, connection: ConnectionId) {
        while let Some(link) = self.links.get_mut(&connection)
            && let Some(item) = link.next()
        {
            match item {
                Item::Connect(request) => self.connect(connection, request),
                Item::Request(framed, _permit) => self.request(connection, framed),
                Item::Report(answer) => {
                    // Whoever asked may have gone.
                    let _ = answer.send(self.report());
                }
                Item::Gone => {
                    self.links.remove(&connection);
                    self.machine.disconnected(self.clock.now(), connection);
                }
            }
        }
    }

    fn connect(&mut self, connection: ConnectionId, request: ConnectRequest) {
        let asked = request.session_id;
        // For everybody, it would have been refused when it was opened.
        let refused = self.faults.refuses(|scope| scope == Scope::Session(asked));
        let strike = self.faults.strike(asked, Op::Connect, None);
        let Some(link) = self.links.get(&connection).filter(|_| !refused && strike.fail.is_none()) else {
            self.cut(connection);
            return;
        };
        let peer = link.report.peer.ip();
        let outputs = self.machine.connect(self.clock.now(), connection, peer, request);
        self.deliver_struck(outputs, connection, strike);
    }

    fn request(&mut self, connection: ConnectionId, framed: Framed) {
        let op = Op::of(&framed.request);
        if let Some(link) = self.links.get_mut(&connection) {
            link.report.last_op = short_name(&framed.request);
            if framed.xid >= 0 {
                link.report.last_xid = Some(framed.xid);
            }
        }
        let session = self.session(connection);
        let strike = self.faults.strike(session, op, Some(&framed.request));
        let now = self.clock.now();
        let outputs = match strike.fail {
            None => self.machine.request(now, connection, framed),
            Some(code) => {
                // The request is heard, so it keeps its session alive as a ping does, and is as old as one.
                let ping = Framed { xid: framed.xid, request: Request::Ping };
                let mut outputs = self.machine.request(now, connection, ping);
                replace_answer(&mut outputs, connection, framed.xid, code);
                outputs
            }
        };
        self.deliver_struck(outputs, connection, strike);
    }

    /// Delivers what came of a request of a connection that a fault may have struck.
    fn deliver_struck(&mut self, mut outputs: Vec<Output>, connection: ConnectionId, strike: Strike) {
        if strike.lose.is_some() {
            outputs.retain(|output| !is_answer(output, connection));
        }
        match strike.delay {
            None => self.deliver(outputs),
            Some(by) => {
                let not_before = Instant::now().checked_add(by);
                for output in outputs {
                    let time = not_before.filter(|_| is_answer(&output, connection));
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
                if let Some(link) = self.links.get_mut(&connection) {
                    link.report.session = response.session_id;
                    link.report.timeout_ms = response.timeout_ms;
                    link.report.last_op = "SESS";
                }
                self.push(connection, bytes, not_before);
                self.restall(connection);
            }
            Output::Reply { connection, xid, zxid, result } => {
                let now = self.clock.now();
                if let Some(link) = self.links.get_mut(&connection) {
                    link.report.last_zxid = zxid;
                    link.report.last_response_ms = now;
                }
                self.push(connection, encode_reply(xid, zxid, &result), not_before);
            }
            Output::Event { connection, event } => self.push(connection, event.encode(), None),
            Output::Close { connection } => {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.closing = true;
                    link.outgoing.finish();
                }
            }
            Output::SessionEnded { session, expired } => debug!(session, expired, "session ended"),
        }
    }

    fn push(&mut self, connection: ConnectionId, bytes: Vec<u8>, not_before: Option<Instant>) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        link.report.sent += 1;
        self.sent += 1;
        if link.outgoing.push(bytes, not_before).is_err() {
            warn!(connection, peer = %link.report.peer, "cut off: it does not read what it is sent");
            self.cut(connection);
        }
    }

    /// Ends a connection at once, with all that is on its way.
    fn cut(&mut self, connection: ConnectionId) {
        if let Some(link) = self.links.remove(&connection) {
            link.outgoing.abort();
            self.machine.disconnected(self.clock.now(), connection);
        }
    }

    fn session(&self, connection: ConnectionId) -> i64 {
        self.links.get(&connection).map_or(0, |link| link.report.session)
    }

    /// Stalls a connection, or lets it go on, as the faults say.
    fn restall(&mut self, connection: ConnectionId) {
        if let Some(link) = self.links.get_mut(&connection) {
            let stalled = self.faults.stalls(link.report.session);
            if stalled != link.stalled {
                link.stalled = stalled;
                link.outgoing.hold(stalled);
            }
        }
    }

    fn order(&mut self, order: Order) {
        // Whoever ordered may have gone, which changes nothing.
        match order {
            Order::Expire(scope, done) => drop(done.send(self.expire(scope))),
            Order::Drop(scope, done) => {
                let dropped = self.connections(|link| scope.covers(link.report.session));
                for connection in &dropped {
                    self.cut(*connection);
                }
                let _ = done.send(dropped.len() as u64);
            }
            Order::Put(kind, done) => {
                let put = self.faults.put(kind);
                self.restall_all();
                let _ = done.send(put);
            }
            Order::End(id, done) => {
                self.faults.end(id);
                self.restall_all();
                let _ = done.send(());
            }
            Order::Clock(change, done) => {
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
            // What came in while nobody was answered is done before any session is found to be silent.
            self.pump(connection);
        }
    }

    fn connections(&self, matches: impl Fn(&Link) -> bool) -> Vec<ConnectionId> {
        self.links.iter().filter(|(_, link)| matches(link)).map(|(connection, _)| *connection).collect()
    }

    fn shut_down(&mut self, how: Shutdown) {
        for (_, link) in std::mem::take(&mut self.links) {
            match how {
                Shutdown::CloseConnections => {
                    link.outgoing.hold(false);
                    link.outgoing.finish();
                }
                Shutdown::DropConnections => link.outgoing.abort(),
            }
        }
    }

    fn report(&self) -> Report {
        let connections: Vec<_> = self
            .links
            .values()
            .map(|link| ConnectionReport { queued: link.queued(), ..link.report.clone() })
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
    /// However it ended: nobody waits for answers that will not come.
    fn drop(&mut self) {
        for link in self.links.values() {
            link.outgoing.abort();
        }
    }
}

/// Tells whether an output is the answer to what a connection has just asked.
fn is_answer(output: &Output, asker: ConnectionId) -> bool {
    matches!(output, Output::Reply { connection, .. } | Output::Connected { connection, .. } if *connection == asker)
}

/// Puts an error into the place of the answer.
fn replace_answer(outputs: &mut [Output], asker: ConnectionId, asked: i32, code: ErrorCode) {
    for output in outputs {
        if let Output::Reply { connection, xid, result, .. } = output
            && *connection == asker
            && result.is_ok()
        {
            (*xid, *result) = (asked, Err(code));
        }
    }
}
