use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use zk_core::transport::{TransportEnd, latest};
use zk_core::{ErrorKind, Event, Session};

use crate::call::{Call, Deliver, Replied};
use crate::dial::Credentials;
use crate::watches::Watches;
use crate::when::When;
use crate::wire::Results;

/// A reply to what the leader has carried out, which waits until the client's own server has applied it.
pub(crate) struct Pending {
    /// How many transactions the server has to have.
    pub(crate) place: u64,
    pub(crate) deliver: Deliver,
    pub(crate) results: Results,
    pub(crate) when: When,
}

/// One connection: what is under way on it in both directions, and its watches.
pub(crate) struct Link {
    pub(crate) client: u64,
    /// Which server it is to.
    pub(crate) server: usize,
    pub(crate) session: Session,
    /// Whether the servers of the session set recursive watches, as far as the client knows.
    pub(crate) recursive: Arc<AtomicBool>,
    /// The newest transaction that a reply has shown.
    seen: Arc<AtomicI64>,
    down: latest::Sender<Option<TransportEnd>>,
    pub(crate) watches: Watches,
    /// Requests on their way, and those that have arrived and wait.
    pub(crate) calls: VecDeque<Call>,
    /// How many of the calls have arrived.
    pub(crate) arrived: usize,
    /// Requests that have arrived have to wait.
    pub(crate) shut: bool,
    /// The client has called `close`.
    pub(crate) closing: bool,
    /// The ensemble has closed the connection, which the client is about to learn.
    pub(crate) closed: bool,
    /// Replies that wait until the server has applied what they are about.
    pub(crate) pending: VecDeque<Pending>,
    /// Replies on their way, and those that never come.
    replies: BTreeMap<u64, (Deliver, Result<Replied, ErrorKind>)>,
    replied: u64,
    /// Events on their way.
    events: VecDeque<Event>,
    /// When the last one of each kind that is on its way arrives: those behind it do not overtake it.
    pub(crate) last_call: Instant,
    pub(crate) last_reply: Instant,
    pub(crate) last_event: Instant,
    /// Since when nothing arrives, and until when.
    pub(crate) silence: Option<(Instant, Instant)>,
}

impl Link {
    pub(crate) fn new(
        client: u64,
        server: usize,
        session: Session,
        known: &Credentials,
        now: Instant,
    ) -> Self {
        Self {
            client,
            server,
            session,
            recursive: known.recursive.clone(),
            seen: known.seen.clone(),
            down: latest::Sender::new(None),
            watches: Watches::default(),
            calls: VecDeque::new(),
            arrived: 0,
            shut: false,
            closing: false,
            closed: false,
            pending: VecDeque::new(),
            replies: BTreeMap::new(),
            replied: 0,
            events: VecDeque::new(),
            last_call: now,
            last_reply: now,
            last_event: now,
            silence: None,
        }
    }

    pub(crate) fn down(&self) -> latest::Receiver<Option<TransportEnd>> {
        self.down.subscribe()
    }

    /// For how long the client hears nothing before it gives the connection up.
    pub(crate) fn patience(&self) -> Duration {
        self.session.timeout * 2 / 5
    }

    /// Keeps a reply until it is delivered, and returns its number.
    pub(crate) fn keep_reply(&mut self, deliver: Deliver, reply: Result<Replied, ErrorKind>) -> u64 {
        self.replied += 1;
        self.replies.insert(self.replied, (deliver, reply));
        self.replied
    }

    pub(crate) fn deliver_reply(&mut self, number: u64) {
        if let Some((deliver, reply)) = self.replies.remove(&number) {
            if let Ok(replied) = &reply {
                self.seen.fetch_max(replied.zxid, Ordering::Relaxed);
            }
            deliver(reply);
        }
    }

    pub(crate) fn keep_event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(crate) fn deliver_event(&mut self, now: Instant) -> Option<Event> {
        let event = Event { at: now, ..self.events.pop_front()? };
        self.watches.deliver(&event);
        Some(event)
    }

    /// Ends the client's side: first the cause, then the watches, then the replies. Calls on their way stay.
    pub(crate) fn end(&mut self, end: TransportEnd) {
        self.down.send_if_modified(|down| {
            let is_new = down.is_none();
            down.get_or_insert(end);
            is_new
        });
        self.events.clear();
        self.watches = Watches::default();
        self.replies.clear();
        for pending in &mut self.pending {
            pending.deliver = Box::new(|_| {});
        }
        for call in &mut self.calls {
            call.deliver = Box::new(|_| {});
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("client", &self.client).field("session", &self.session).finish()
    }
}
