//! Requests: from the call of a client to its reply.

use std::time::Duration;

use tokio::time::Instant;
use zk_core::ErrorKind;
use zk_core::transport::TransportEnd;
use zk_embedded::machine::ConnectionId;
use zk_wire::{ErrorCode, Framed, Request, xid};

use super::World;
use crate::agenda::Step;
use crate::call::{Call, Deliver, Replied};
use crate::commit::Author;
use crate::link::Pending;
use crate::record::{self, Note, Outcome};
use crate::rule::{Fault, Held};
use crate::verb::Verb;
use crate::watches::Watch;
use crate::when::When;
use crate::wire::{self, Results};

/// Longer than any link waits.
const FOR_EVER: Duration = Duration::from_secs(3600);

impl World {
    /// A client calls; false if its connection has ended.
    pub(crate) fn call(&mut self, connection: ConnectionId, call: Call, now: Instant) -> bool {
        let arrives = now + self.settings.times.outward(&mut self.rng);
        let Some(link) = self.links.get_mut(&connection).filter(|link| !link.closing) else { return false };
        if call.verb == Verb::Close {
            link.closing = true;
            link.end(TransportEnd::Closed);
        }
        *self.counts.entry(link.client).or_default() += call.requests.len() as u64;
        link.last_call = link.last_call.max(arrives);
        link.calls.push_back(call);
        self.agenda.plan(link.last_call, Step::Arrive(connection));
        true
    }

    pub(super) fn open(&mut self, connection: ConnectionId, now: Instant) {
        if let Some(link) = self.links.get_mut(&connection) {
            link.shut = false;
        }
        self.serve(connection, now);
    }

    /// Looks at the requests that have arrived, as far as they need not wait.
    pub(super) fn serve(&mut self, connection: ConnectionId, now: Instant) {
        while let Some(link) = self.links.get_mut(&connection) {
            if link.shut || link.arrived == 0 {
                return;
            }
            let Some(next) = link.calls.front() else { return };
            if !link.pending.is_empty() && !next.is_write() {
                // A client reads what it has written.
                return;
            }
            let Some(call) = link.calls.pop_front() else { return };
            link.arrived -= 1;
            self.meet(connection, call, now);
        }
    }

    /// Carries out a request, unless a fault is in its way.
    fn meet(&mut self, connection: ConnectionId, mut call: Call, now: Instant) {
        let Some(link) = self.links.get(&connection) else { return };
        let (client, session) = (link.client, link.session.id);
        let fault = match call.decided {
            true => None,
            false => match self.rules.claim(client, call.verb, &call.path) {
                Some((rule, fault)) => Some((Some(rule), fault)),
                None => self.chaos.draw(&mut self.rng).map(|fault| (None, fault)),
            },
        };
        let Some((rule, fault)) = fault else {
            return self.carry_out(connection, call, None, When::InTime, now);
        };
        match &fault {
            Fault::Refuse(kind) => {
                self.record(client, &call, Outcome::Failed(kind.clone()), Some(fault.clone()), now);
                self.reply(connection, call.deliver, Err(kind.clone()), When::InTime, now);
            }
            Fault::Ignore => {
                self.record(client, &call, Outcome::NotSeen, Some(fault), now);
                self.reply(connection, call.deliver, Err(ErrorKind::NotConnected), When::Never, now);
            }
            Fault::LoseReply => self.carry_out(connection, call, Some(fault), When::Never, now),
            Fault::DelayReply(by) => {
                let when = When::Late(*by);
                self.carry_out(connection, call, Some(fault), when, now);
            }
            Fault::StallReplies(by) => {
                let when = When::Stalled(*by);
                self.carry_out(connection, call, Some(fault), when, now);
            }
            Fault::Silence => {
                self.record(client, &call, Outcome::NotSeen, Some(fault), now);
                let when = When::Stalled(FOR_EVER);
                self.reply(connection, call.deliver, Err(ErrorKind::NotConnected), when, now);
                if let Some(link) = self.links.get_mut(&connection) {
                    link.shut = true;
                }
            }
            Fault::HoldReply => {
                let when = rule.map_or(When::Never, When::Held);
                self.carry_out(connection, call, Some(fault), when, now);
            }
            Fault::Delay(_) | Fault::Hold => {
                let (verb, path) = (call.verb, call.path.clone());
                self.note(now, Note::Waits { client, verb, path, fault: fault.clone() });
                call.decided = true;
                self.put_back(connection, call);
                match (&fault, rule) {
                    (Fault::Delay(by), _) => self.agenda.plan(now + *by, Step::Open(connection)),
                    (_, Some(rule)) => self.rules.keep(rule, Held::Requests(connection)),
                    _ => {}
                }
            }
            Fault::CutBefore => {
                self.record(client, &call, Outcome::NotSeen, Some(fault), now);
                self.cut(connection, "cut before a request", now);
            }
            Fault::CutAfter => {
                self.carry_out(connection, call, Some(fault), When::Never, now);
                self.cut(connection, "cut after a request", now);
            }
            Fault::Expire => {
                self.record(client, &call, Outcome::NotSeen, Some(fault), now);
                self.reply(connection, call.deliver, Err(ErrorKind::NotConnected), When::Never, now);
                self.expire(session, now);
            }
        }
    }

    /// Lets a request, and everything behind it, wait.
    fn put_back(&mut self, connection: ConnectionId, call: Call) {
        if let Some(link) = self.links.get_mut(&connection) {
            link.calls.push_front(call);
            link.arrived += 1;
            link.shut = true;
        }
    }

    fn carry_out(
        &mut self,
        connection: ConnectionId,
        mut call: Call,
        fault: Option<Fault>,
        when: When,
        now: Instant,
    ) {
        let is_granted = self.leader().is_some_and(|leader| leader.session_of(connection).is_some());
        let Some(link) = self.links.get_mut(&connection) else { return };
        let (client, server, is_write) = (link.client, link.server, call.is_write());
        let is_at_follower = Some(server) != self.leader;
        let is_remote = is_at_follower && (is_write || call.verb == Verb::Sync);
        if link.closed || is_remote && !is_granted {
            // The ensemble has closed the connection, or is about to: nothing reaches it any more.
            self.record(client, &call, Outcome::NotSeen, fault, now);
            return self.reply(connection, call.deliver, Err(ErrorKind::NotConnected), When::Never, now);
        }
        for removal in link.watches.sweep() {
            self.ask_at(server, connection, removal, Author::Client(client), now);
        }
        let results = if call.watch == Some(Watch::Recursive) && self.settings.refuses_recursive_watches {
            if let Some(link) = self.links.get(&connection) {
                link.recursive.store(false, std::sync::atomic::Ordering::Relaxed);
            }
            vec![Err(ErrorCode::MarshallingError)]
        } else {
            let (requests, author) = (std::mem::take(&mut call.requests), Author::Client(client));
            let at = self.leader.filter(|_| is_write).unwrap_or(server);
            requests
                .into_iter()
                .flat_map(|request| self.ask_at(at, connection, request, author, now))
                .collect()
        };
        if is_at_follower && !is_write {
            self.touch(connection, now);
        }
        let outcome = match wire::last(results.clone()) {
            Ok(_) => Outcome::Done,
            Err(kind) => Outcome::Failed(kind),
        };
        let watching = self.watch(connection, &call, &outcome);
        self.record(client, &call, outcome, fault, now);
        let deliver = call.deliver;
        let place = self.journal.len();
        if is_remote && self.servers[server].applied < place {
            if let Some(link) = self.links.get_mut(&connection) {
                link.pending.push_back(Pending { place, deliver, results, when });
            }
            return;
        }
        let zxid = self.servers[server].machine.zxid();
        self.reply(connection, deliver, Ok(Replied { results, watching, zxid }), when, now);
    }

    /// Sends the replies that have waited for a server to apply so many transactions, and looks at what waits behind them.
    pub(super) fn reply_to_pending(&mut self, connection: ConnectionId, applied: u64, now: Instant) {
        while let Some(link) = self.links.get_mut(&connection) {
            let zxid = self.servers[link.server].machine.zxid();
            let Some(pending) = link.pending.pop_front_if(|pending| pending.place <= applied) else { break };
            let Pending { deliver, results, when, .. } = pending;
            self.reply(connection, deliver, Ok(Replied { results, watching: None, zxid }), when, now);
        }
        self.serve(connection, now);
    }

    /// A request that only a follower sees keeps the session, too.
    pub(super) fn touch(&mut self, connection: ConnectionId, now: Instant) {
        let ms = self.ms(now);
        if let Some(leader) = self.leader_mut() {
            leader.request(ms, connection, Framed { xid: xid::PING, request: Request::Ping });
        }
    }

    /// Carries out a request of the wire at a server, and sends what follows from it.
    pub(super) fn ask_at(
        &mut self,
        server: usize,
        connection: ConnectionId,
        request: Request,
        author: Author,
        now: Instant,
    ) -> Results {
        let ms = self.ms(now);
        let outputs = self.servers[server].machine.request(ms, connection, Framed { xid: 1, request });
        self.committed(author, now);
        self.emit(server, outputs, now)
    }

    fn watch(
        &mut self,
        connection: ConnectionId,
        call: &Call,
        outcome: &Outcome,
    ) -> Option<crate::watches::Watching> {
        let watch = call.watch?;
        let is_set = match outcome {
            Outcome::Done => true,
            Outcome::Failed(ErrorKind::NoNode) => watch == Watch::Exists,
            _ => false,
        };
        let capacity = self.settings.event_capacity;
        let link = self.links.get_mut(&connection).filter(|_| is_set)?;
        Some(link.watches.add(watch, &call.path, capacity))
    }

    fn reply(
        &mut self,
        connection: ConnectionId,
        deliver: Deliver,
        result: Result<Replied, ErrorKind>,
        when: When,
        now: Instant,
    ) {
        let arrives = now + self.settings.times.back(&mut self.rng) + self.settings.times.lag(&mut self.rng);
        let Some(link) = self.links.get_mut(&connection) else { return };
        let number = link.keep_reply(deliver, result);
        // Behind the events that come before it.
        let in_time = link.last_reply.max(link.last_event).max(arrives);
        let arrives = match when {
            When::InTime => {
                link.last_reply = in_time;
                in_time
            }
            When::Late(by) => in_time + by,
            When::Stalled(by) => {
                let until = in_time + by;
                let begins = link.last_reply.max(link.last_event).max(now);
                let since = link.silence.filter(|(_, until)| now < *until).map_or(begins, |(since, _)| since);
                link.silence = Some((since, until));
                (link.last_reply, link.last_event) = (until, until);
                self.agenda.plan(since + link.patience(), Step::Silent(connection));
                until
            }
            When::Held(_) | When::Never => in_time,
        };
        let is_over = link.closing && link.closed;
        match when {
            When::InTime | When::Late(_) | When::Stalled(_) => {
                self.agenda.plan(arrives, Step::Reply(connection, number))
            }
            When::Held(rule) => return self.rules.keep(rule, Held::Reply(connection, number)),
            When::Never => {}
        }
        if is_over {
            self.agenda.plan(arrives, Step::End(connection));
        }
    }

    fn record(&mut self, client: u64, call: &Call, outcome: Outcome, fault: Option<Fault>, now: Instant) {
        let (verb, path, version) = (call.verb, call.path.clone(), call.version);
        let (data, znodes) = (call.data.clone(), call.znodes);
        let at = self.since(now);
        self.log.request(record::Request { at, client, verb, path, znodes, data, version, outcome, fault });
    }
}
