//! Which requests a fault chooses, and what it does to them.

use std::collections::BTreeSet;
use std::time::Duration;

use zk_core::transport::latest;
use zk_core::{ErrorKind, EventKind, ZnodePath};

use crate::verb::Verb;

/// What a fault does to the request that it chose, or to its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is not carried out, and the reply is this error.
    Refuse(ErrorKind),
    /// It is carried out, and never replied to; the connection goes on.
    LoseReply,
    /// It is neither carried out nor replied to; the connection goes on.
    Ignore,
    /// It is carried out later by so much, and what is called behind it on its connection after it.
    Delay(Duration),
    /// It is carried out in time; its reply, and no other, comes later by so much.
    DelayReply(Duration),
    /// It is carried out in time; its reply comes later by so much, and behind it everything else that is sent on its
    /// connection, as on a real one, which keeps the order of what it brings. After 2/5 of the session timeout without a
    /// word the link gives the connection up.
    StallReplies(Duration),
    /// It is not carried out, nor is anything behind it, and its connection brings nothing more: the link gives it up, 2/5 of
    /// the session timeout later.
    Silence,
    /// It, and what is called behind it on its connection, waits until the fault is
    /// [released](crate::Injection::release).
    Hold,
    /// It is carried out in time; its reply, and no other, waits until the fault is
    /// [released](crate::Injection::release).
    HoldReply,
    /// The connection is lost before it is carried out.
    CutBefore,
    /// The connection is lost right after it was carried out.
    CutAfter,
    /// The session expires before it is carried out.
    Expire,
}

/// Chooses requests for a fault: by default the next one that fits, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    verbs: Option<BTreeSet<Verb>>,
    path: Option<ZnodePath>,
    below: Option<ZnodePath>,
    client: Option<u64>,
    skip: u64,
    times: u64,
}

impl Match {
    /// Chooses every request, the link's own checks and closes included.
    pub fn any() -> Self {
        Self { verbs: None, path: None, below: None, client: None, skip: 0, times: 1 }
    }

    /// Chooses requests of one kind. A [`Verb`] can also stand for this itself.
    pub fn verb(verb: Verb) -> Self {
        Self::verbs([verb])
    }

    /// Chooses requests of several kinds.
    pub fn verbs(verbs: impl IntoIterator<Item = Verb>) -> Self {
        Self { verbs: Some(verbs.into_iter().collect()), ..Self::any() }
    }

    /// Only requests on this path; of a [`Verb::ReadMany`] it is that of the first znode.
    #[must_use]
    pub fn path(mut self, path: &ZnodePath) -> Self {
        self.path = Some(path.clone());
        self
    }

    /// Only requests on children of this path.
    #[must_use]
    pub fn below(mut self, path: &ZnodePath) -> Self {
        self.below = Some(path.clone());
        self
    }

    /// Only requests of this client, see [`Client::number`](crate::Client::number).
    #[must_use]
    pub fn client(mut self, number: u64) -> Self {
        self.client = Some(number);
        self
    }

    /// Lets so many matching requests go by first; the default is 0.
    #[must_use]
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Chooses so many requests instead of one.
    #[must_use]
    pub fn times(mut self, requests: u64) -> Self {
        self.times = requests;
        self
    }

    /// Chooses all requests until the fault is lifted.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    pub(crate) fn fits(&self, client: u64, verb: Verb, path: &ZnodePath) -> bool {
        self.verbs.as_ref().is_none_or(|verbs| verbs.contains(&verb))
            && self.path.as_ref().is_none_or(|wanted| wanted == path)
            && self.below.as_ref().is_none_or(|parent| parent.child_name(path).is_some())
            && self.client.is_none_or(|wanted| wanted == client)
    }
}

impl From<Verb> for Match {
    fn from(verb: Verb) -> Self {
        Self::verb(verb)
    }
}

/// What a rule chooses.
#[derive(Debug)]
enum What {
    Requests(Match, Fault),
    Events { client: Option<u64>, only: Option<(ZnodePath, EventKind)> },
}

/// Something that a rule keeps until it is released.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    /// The requests of a connection.
    Requests(u64),
    /// A reply on a connection, by its number there.
    Reply(u64, u64),
}

#[derive(Debug)]
struct Rule {
    what: What,
    skip: u64,
    times: u64,
    held: Vec<Held>,
    fired: latest::Sender<u64>,
}

impl Rule {
    /// Counts one that fits, and tells whether it is chosen.
    fn count_down(&mut self) -> bool {
        if self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        self.fired.send_modify(|count| *count += 1);
        true
    }
}

/// All rules, the oldest first; each is known by its place.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

impl Rules {
    /// Adds a fault; returns its place, and how often it has happened.
    pub(crate) fn add(&mut self, matching: Match, fault: Fault) -> (usize, latest::Receiver<u64>) {
        let (skip, times) = (matching.skip, matching.times);
        self.push(What::Requests(matching, fault), skip, times)
    }

    /// Adds the loss of one event; of any, or only of one like this.
    pub(crate) fn swallow(
        &mut self,
        client: Option<u64>,
        only: Option<(ZnodePath, EventKind)>,
    ) -> (usize, latest::Receiver<u64>) {
        self.push(What::Events { client, only }, 0, 1)
    }

    fn push(&mut self, what: What, skip: u64, times: u64) -> (usize, latest::Receiver<u64>) {
        let (fired, count) = latest::channel(0);
        self.0.push(Rule { what, skip, times, held: Vec::new(), fired });
        (self.0.len() - 1, count)
    }

    /// The first rule that chooses a request.
    pub(crate) fn claim(&mut self, client: u64, verb: Verb, path: &ZnodePath) -> Option<(usize, Fault)> {
        self.0.iter_mut().enumerate().find_map(|(place, rule)| match &rule.what {
            What::Requests(matching, fault) if matching.fits(client, verb, path) => {
                let fault = fault.clone();
                rule.count_down().then_some((place, fault))
            }
            _ => None,
        })
    }

    /// Whether an event is to be lost.
    pub(crate) fn swallows(&mut self, to: u64, at: &ZnodePath, what: EventKind) -> bool {
        self.0.iter_mut().any(|rule| match &rule.what {
            What::Events { client, only } => {
                let fits = client.is_none_or(|client| client == to)
                    && only.as_ref().is_none_or(|(path, kind)| path == at && *kind == what);
                fits && rule.count_down()
            }
            What::Requests(..) => false,
        })
    }

    pub(crate) fn keep(&mut self, place: usize, held: Held) {
        if let Some(rule) = self.0.get_mut(place) {
            rule.held.push(held);
        }
    }

    /// Ends a rule; what it holds stays held.
    pub(crate) fn lift(&mut self, place: usize) {
        if let Some(rule) = self.0.get_mut(place) {
            rule.times = 0;
        }
    }

    /// Ends a rule, and returns what it holds.
    pub(crate) fn release(&mut self, place: usize) -> Vec<Held> {
        self.lift(place);
        self.0.get_mut(place).map(|rule| std::mem::take(&mut rule.held)).unwrap_or_default()
    }
}
