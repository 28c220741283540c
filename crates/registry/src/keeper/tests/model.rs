//! A model of what surrounds a machine: one znode, a connection, a watch, and another client.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;
use zk_core::{ErrorKind, EventKind, SessionId, Stat, Zxid};

use super::*;

#[derive(Clone, Debug)]
pub(super) struct Znode {
    pub(super) stat: Stat,
    data: Record,
    owner: Option<u128>,
    /// Another client's, which no request of ours may change. Its versions are not those of ours.
    pub(super) is_rivals: bool,
}

/// What is on its way to the client, in this order.
enum Message {
    Reply(u64, Box<Result<Reply, ErrorKind>>),
    Fired(EventKind),
}

pub(super) struct World {
    pub(super) bench: Bench,
    pub(super) znode: Option<Znode>,
    pub(super) status: RegistrationStatus,
    pub(super) end: Option<RegistrationStatus>,
    pub(super) wish: Record,
    /// All inputs and effects.
    pub(super) log: Vec<String>,
    zxid: i64,
    rivals: i32,
    /// One watch serves all.
    is_shared: bool,
    connection: ConnectionId,
    is_linked: bool,
    is_prepared: bool,
    number: u64,
    unchanged_since: u64,
    /// A creation or deletion was not told.
    has_missed: bool,
    has_own_watch: bool,
    requests: VecDeque<(u64, Request)>,
    messages: VecDeque<Message>,
    /// Those of the shared watch, which come independently of the replies.
    events: VecDeque<EventKind>,
    is_counted: bool,
    /// The number of the last request, and whether its reply is awaited.
    request: u64,
    awaits: bool,
    waits_for_permit: bool,
    holds_permit: bool,
}

impl World {
    pub(super) fn new(is_shared: bool) -> Self {
        Self {
            bench: Bench::new(false),
            znode: None,
            status: RegistrationStatus::Pending { trouble: None },
            end: None,
            wish: record("a"),
            log: Vec::new(),
            zxid: 100,
            rivals: 0,
            is_shared,
            connection: connection(1, 0),
            is_linked: false,
            is_prepared: false,
            number: 0,
            unchanged_since: 1,
            has_missed: true,
            has_own_watch: false,
            requests: VecDeque::new(),
            messages: VecDeque::new(),
            events: VecDeque::new(),
            is_counted: false,
            request: 0,
            awaits: false,
            waits_for_permit: false,
            holds_permit: false,
        }
    }

    pub(super) fn session(&self) -> SessionId {
        self.connection.session
    }

    /// Whether everything that has happened to the znode is known to a machine that waits for changes of it.
    pub(super) fn is_at_rest(&self) -> bool {
        let is_watched = self.is_prepared && (self.is_shared || self.has_own_watch);
        let is_quiet = self.events.is_empty() && self.messages.is_empty() && !self.is_counted;
        let steps = self.awaits || self.waits_for_permit;
        is_watched && is_quiet && !steps && self.bench.machine.deadline().is_some()
    }

    pub(super) fn is_as_wished(&self) -> bool {
        let Some(znode) = &self.znode else { return false };
        let registered = RegistrationStatus::Registered { czxid: znode.stat.czxid, session: self.session() };
        if znode.is_rivals {
            return matches!(self.status, RegistrationStatus::Conflict(_));
        }
        self.status == registered
            && znode.stat.ephemeral_owner == Some(self.session())
            && znode.data == self.wish
    }

    // === The driver ===

    pub(super) fn feed(&mut self, input: Input) {
        if self.end.is_some() {
            return;
        }
        self.log.push(format!("{input:?}"));
        for effect in self.bench.feed(input) {
            self.log.push(format!("    {effect:?}"));
            match effect {
                Effect::Acquire(_) => {
                    assert!(!self.holds_permit, "{:#?}", self.log);
                    self.waits_for_permit = true;
                }
                Effect::Release => (self.waits_for_permit, self.holds_permit) = (false, false),
                Effect::Request(request) => {
                    self.request += 1;
                    self.awaits = true;
                    if self.is_linked {
                        self.requests.push_back((self.request, request));
                    } else {
                        self.reply(self.request, Err(ErrorKind::NotConnected));
                    }
                }
                Effect::Report { status, .. } => self.status = status,
                Effect::Note(_) => {}
                Effect::Finish(status) => self.end = Some(status),
            }
        }
        if self.is_linked && self.end.is_none() && self.bench.machine.wants_connection() {
            self.feed(Input::Linked(self.connection));
        }
    }

    pub(super) fn permit(&mut self) {
        if mem::take(&mut self.waits_for_permit) {
            self.holds_permit = true;
            self.feed(Input::Permit);
        }
    }

    pub(super) fn timer(&mut self) {
        if let Some(at) = self.bench.machine.deadline() {
            self.bench.moment.now = self.bench.moment.now.max(at);
            self.feed(Input::Timer);
        }
    }

    fn reply(&mut self, number: u64, reply: Result<Reply, ErrorKind>) {
        self.messages.push_back(Message::Reply(number, Box::new(reply)));
    }

    /// A message arrives. A reply that is not awaited any more is dropped.
    pub(super) fn deliver(&mut self) {
        match self.messages.pop_front() {
            Some(Message::Fired(kind)) => self.feed(Input::Fired(kind)),
            Some(Message::Reply(number, reply)) if number == self.request && mem::take(&mut self.awaits) => {
                match *reply {
                    Ok(reply) => self.feed(Input::Reply(Ok(reply))),
                    Err(kind) => self.feed(failure(kind, !self.is_linked)),
                }
            }
            _ => {}
        }
    }

    /// An event of the shared watch is counted; the machine is told later.
    pub(super) fn count(&mut self) {
        let Some(kind) = self.events.pop_front() else { return };
        let counts = &mut self.bench.moment.counts;
        *(if kind == EventKind::Deleted { &mut counts.deleted } else { &mut counts.written }) += 1;
        self.is_counted = true;
    }

    pub(super) fn tell_counts(&mut self) {
        if mem::take(&mut self.is_counted) {
            self.feed(Input::Counted);
        }
    }

    // === The connection ===

    pub(super) fn link(&mut self) {
        if !mem::replace(&mut self.is_linked, true) {
            self.connection.reconnects += 1;
            // A machine that leaves may use it.
            self.feed(Input::Counted);
        }
    }

    pub(super) fn prepare(&mut self) {
        self.link();
        if mem::replace(&mut self.is_prepared, true) {
            return;
        }
        self.number += 1;
        if mem::take(&mut self.has_missed) {
            self.unchanged_since = self.number;
        }
        let shared = Watched::Shared { unchanged_since: self.unchanged_since };
        let watched = if self.is_shared { shared } else { OWN };
        self.feed(Input::Ready(Ready { number: self.number, on: self.connection, watched }));
    }

    fn end_shared_watch(&mut self) {
        while !self.events.is_empty() {
            self.count();
        }
        self.is_prepared = false;
    }

    pub(super) fn lose_watch(&mut self, trouble: Option<Trouble>) {
        if self.is_prepared && self.is_shared {
            self.end_shared_watch();
            self.feed(Input::Unprepared(trouble));
        }
    }

    /// The connection ends, with some requests carried out and some replies read, and the session perhaps, too.
    pub(super) fn disconnect(&mut self, rng: &mut SmallRng) {
        if !self.is_linked {
            return;
        }
        self.end_shared_watch();
        while rng.random_bool(0.5) && !self.requests.is_empty() {
            self.carry_out();
        }
        self.requests.clear();
        (self.has_own_watch, self.is_linked) = (false, false);
        if rng.random_bool(0.5) {
            self.messages.clear();
        }
        if rng.random_bool(0.5) {
            self.feed(Input::Down);
        }
        while !self.messages.is_empty() {
            self.deliver();
        }
        if mem::take(&mut self.awaits) {
            self.feed(lost());
        }
        self.messages.clear();
        self.awaits = false;
        self.feed(Input::Down);
        if rng.random_bool(0.2) {
            let before = self.session();
            self.connection.epoch += 1;
            self.connection.session = SessionId(100 + self.connection.epoch as i64);
            self.has_missed = true;
            // Or later.
            if rng.random_bool(0.7) {
                self.expire(before);
            }
        }
    }

    fn expire(&mut self, session: SessionId) {
        if self.znode.as_ref().is_some_and(|znode| znode.stat.ephemeral_owner == Some(session)) {
            self.delete();
        }
    }

    /// Sessions of ours that were replaced end.
    pub(super) fn expire_earlier(&mut self) {
        let owner = self.znode.as_ref().and_then(|znode| znode.stat.ephemeral_owner);
        if let Some(owner) = owner.filter(|owner| ![THEIRS, self.session()].contains(owner)) {
            self.expire(owner);
        }
    }

    // === The server ===

    fn event(&mut self, kind: EventKind) {
        self.log.push(format!("  {kind:?} -> {:?}", self.znode));
        if mem::take(&mut self.has_own_watch) {
            self.messages.push_back(Message::Fired(kind));
        }
        match kind {
            EventKind::Deleted | EventKind::DataChanged if self.is_shared && self.is_prepared => {
                self.events.push_back(kind);
            }
            EventKind::Deleted | EventKind::Created => self.has_missed |= !self.is_prepared,
            _ => {}
        }
    }

    fn create(&mut self, session: SessionId, data: Record, owner: u128, version: i32) -> Stat {
        self.zxid += 1;
        let mut stat = Stat::default();
        (stat.czxid, stat.mzxid, stat.version) = (Zxid(self.zxid), Zxid(self.zxid), version);
        stat.ephemeral_owner = Some(session);
        self.znode = Some(Znode { stat, data, owner: Some(owner), is_rivals: session == THEIRS });
        self.event(EventKind::Created);
        stat
    }

    fn write(&mut self, data: Record, owner: Option<u128>) -> Stat {
        self.zxid += 1;
        let znode = self.znode.as_mut().expect("a znode");
        (znode.stat.mzxid, znode.data, znode.owner) = (Zxid(self.zxid), data, owner);
        znode.stat.version += 1;
        let stat = znode.stat;
        self.event(EventKind::DataChanged);
        stat
    }

    pub(super) fn delete(&mut self) {
        if self.znode.take().is_some() {
            self.event(EventKind::Deleted);
        }
    }

    pub(super) fn overwrite(&mut self) {
        if let Some(znode) = &self.znode {
            let owner = znode.is_rivals.then_some(2);
            self.write(record("x"), owner);
        }
    }

    /// Another client takes the name, if need be from us.
    pub(super) fn rival(&mut self) {
        self.delete();
        self.rivals += 1;
        self.create(THEIRS, record("r"), 2, 1_000 * self.rivals);
    }

    fn stat(&self) -> Option<Stat> {
        self.znode.as_ref().map(|znode| znode.stat)
    }

    fn admits(&self, version: i32) -> Result<(), ErrorKind> {
        let znode = self.znode.as_ref().ok_or(ErrorKind::NoNode)?;
        if znode.stat.version != version {
            return Err(ErrorKind::BadVersion);
        }
        assert!(!znode.is_rivals, "a request changes the znode of another owner: {:#?}", self.log);
        Ok(())
    }

    fn reply_to(&mut self, request: Request) -> Result<Reply, ErrorKind> {
        match request {
            Request::Stat { watch, .. } => {
                self.has_own_watch = watch;
                Ok(Reply::Stat(self.stat()))
            }
            Request::Audit => Ok(Reply::Audit(self.stat())),
            Request::Data(_) => {
                let Znode { stat, data, owner: writer, .. } = self.znode.clone().ok_or(ErrorKind::NoNode)?;
                Ok(Reply::Data { record: data, owner: writer.map(owner), stat })
            }
            Request::Create(_) if self.znode.is_some() => Err(ErrorKind::NodeExists),
            Request::Create(data) => Ok(Reply::Written(self.create(self.session(), data, 1, 0))),
            Request::Write { record, version, .. } => {
                self.admits(version)?;
                Ok(Reply::Written(self.write(record, Some(1))))
            }
            Request::TakeOver { record, seen } => {
                self.admits(seen.version)?;
                self.delete();
                self.create(self.session(), record, 1, 0);
                Ok(Reply::Done)
            }
            Request::Delete { version } => {
                self.admits(version)?;
                self.delete();
                Ok(Reply::Done)
            }
            Request::Leave { version } => {
                self.admits(version)?;
                self.write(record(""), None);
                self.delete();
                Ok(Reply::Done)
            }
            Request::Sync | Request::EnsureRoot => Ok(Reply::Done),
        }
    }

    /// The server carries out the next request.
    pub(super) fn carry_out(&mut self) {
        if let Some((number, request)) = self.requests.pop_front() {
            let reply = self.reply_to(request);
            self.reply(number, reply);
        }
    }

    /// The same, and the reply is lost.
    pub(super) fn carry_out_silently(&mut self) {
        if let Some((number, request)) = self.requests.pop_front() {
            let _ = self.reply_to(request);
            self.reply(number, Err(ErrorKind::Timeout(Duration::from_secs(1))));
        }
    }

    pub(super) fn refuse(&mut self) {
        if let Some((number, _)) = self.requests.pop_front() {
            self.reply(number, Err(ErrorKind::Busy));
        }
    }
}
