//! A machine on a bench: feeds it inputs, and shows what it asks for.

use std::time::Duration;

use instance::{Incarnation, Owner};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::Instant;
use zk_core::{Error, ErrorKind, SessionId, Stat, ZnodePath, Zxid};

pub(super) use super::super::io::{Effect, Fact, Failure, Input, Moment, Permit, Reply, Request};
use super::super::known::Known;
use super::super::machine::Machine;
use super::super::pace::Pace;
use super::super::watching::Watching;
use crate::decide::Claim;
use crate::inbox::EventCounts;
pub(super) use crate::readiness::{ConnectionId, Ready, Watched};
pub(super) use crate::status::{RegistrationStatus, Trouble, TroubleKind};
pub(super) use crate::wish::{Record, Wish};

pub(super) const AUDIT: Duration = Duration::from_secs(30);
pub(super) const OURS: SessionId = SessionId(7);
pub(super) const THEIRS: SessionId = SessionId(8);

pub(super) const OWN: Watched = Watched::Own { always: false };
pub(super) const SHARED: Watched = Watched::Shared { unchanged_since: 1 };

pub(super) struct Bench {
    pub(super) machine: Machine,
    pub(super) moment: Moment,
}

pub(super) fn owner(incarnation: u128) -> Owner {
    let owner = Owner::new(Incarnation::from_u128(incarnation)).with_host("a").with_boot_id("b");
    owner.with_netns(1).with_bound("127.0.0.1:80".parse().unwrap())
}

pub(super) fn record(text: &str) -> Record {
    text.as_bytes().to_vec().into()
}

pub(super) fn present(text: &str) -> Input {
    Input::Wish(Wish::Present(record(text)))
}

pub(super) fn leave() -> Input {
    Input::Wish(Wish::Absent)
}

pub(super) fn connection(epoch: u64, reconnects: u64) -> ConnectionId {
    ConnectionId { epoch, reconnects, session: OURS }
}

pub(super) fn ready(number: u64, watched: Watched) -> Input {
    Input::Ready(Ready { number, on: connection(1, 0), watched })
}

/// Our znode after so many writes.
pub(super) fn stat(version: i32) -> Stat {
    let mut stat = Stat::default();
    (stat.czxid, stat.mzxid, stat.version) = (Zxid(100), Zxid(100 + i64::from(version)), version);
    stat.ephemeral_owner = Some(OURS);
    stat
}

/// Ours, with data that is not.
pub(super) fn overwritten(version: i32) -> Stat {
    let mut stat = stat(version);
    stat.mzxid = Zxid(500 + i64::from(version));
    stat
}

pub(super) fn of(session: SessionId) -> Stat {
    let mut stat = stat(0);
    (stat.czxid, stat.mzxid, stat.ephemeral_owner) = (Zxid(50), Zxid(50), Some(session));
    stat
}

pub(super) fn found(stat: Stat) -> Input {
    Input::Reply(Ok(Reply::Stat(Some(stat))))
}

pub(super) fn missing() -> Input {
    Input::Reply(Ok(Reply::Stat(None)))
}

pub(super) fn written(stat: Stat) -> Input {
    Input::Reply(Ok(Reply::Written(stat)))
}

pub(super) fn done() -> Input {
    Input::Reply(Ok(Reply::Done))
}

pub(super) fn read(text: &str, owner: Option<Owner>, stat: Stat) -> Input {
    Input::Reply(Ok(Reply::Data { record: record(text), owner, stat }))
}

fn path() -> ZnodePath {
    ZnodePath::parse("/root/a:80").unwrap()
}

pub(super) fn failure(kind: ErrorKind, ended: bool) -> Input {
    Input::Reply(Err(Failure { error: Error::new("test", &path(), kind), ended }))
}

/// A trouble of this kind, as [`failed`], [`unanswered`] and [`lost`] cause it.
pub(super) fn trouble(kind: TroubleKind) -> Trouble {
    let error = match kind {
        TroubleKind::CutOff => return Trouble::cut_off(&path()),
        TroubleKind::Unanswered => ErrorKind::Timeout(Duration::from_secs(1)),
        _ => ErrorKind::Denied,
    };
    let trouble = Trouble::from(Error::new("test", &path(), error));
    if kind == TroubleKind::TakeOverDenied { trouble.at_take_over() } else { trouble }
}

pub(super) fn failed(kind: ErrorKind) -> Input {
    failure(kind, false)
}

pub(super) fn unanswered() -> Input {
    failed(ErrorKind::Timeout(Duration::from_secs(1)))
}

pub(super) fn lost() -> Input {
    failure(ErrorKind::ConnectionLost("reset".into()), true)
}

pub(super) fn look(watch: bool) -> Effect {
    Effect::Request(Request::Stat { watch, sync: false })
}

pub(super) fn synced_look() -> Effect {
    Effect::Request(Request::Stat { watch: false, sync: true })
}

pub(super) fn create(text: &str) -> Effect {
    Effect::Request(Request::Create(record(text)))
}

pub(super) fn write(text: &str, version: i32, is_update: bool) -> Effect {
    Effect::Request(Request::Write { record: record(text), version, is_update })
}

pub(super) fn tell_leave(version: i32) -> Effect {
    Effect::Request(Request::Leave { version })
}

pub(super) fn delete(version: i32) -> Effect {
    Effect::Request(Request::Delete { version })
}

pub(super) fn acquire(permit: Permit) -> Effect {
    Effect::Acquire(permit)
}

pub(super) fn report(status: RegistrationStatus) -> Effect {
    Effect::Report { status, took_over: None }
}

pub(super) fn registered() -> Effect {
    report(RegistrationStatus::Registered { czxid: Zxid(100), session: OURS })
}

pub(super) fn pending() -> Effect {
    report(RegistrationStatus::Pending { trouble: None })
}

pub(super) fn troubled(kind: TroubleKind) -> Effect {
    report(RegistrationStatus::Pending { trouble: Some(trouble(kind)) })
}

pub(super) fn noted(kind: TroubleKind) -> Effect {
    Effect::Note(Fact::Failed(trouble(kind)))
}

impl Bench {
    /// A keeper whose caller wants a znode with the data `a`.
    pub(super) fn new(vouched: bool) -> Self {
        let pace = Pace::new(SmallRng::seed_from_u64(1), AUDIT);
        let claim = Claim::new(owner(1), vouched);
        let watching = Watching::new(EventCounts::default());
        let known = Known::new(path(), claim, watching, pace);
        let moment = Moment {
            now: Instant::now(),
            counts: EventCounts::default(),
            needs_shared_watch: false,
            shared_audits: 2 * AUDIT,
            pending: 1,
            cut_off: 0,
        };
        Self { machine: Machine::new(Wish::Present(record("a")), known), moment }
    }

    /// The same, registered under its own watch or the shared one.
    pub(super) fn registered(watched: Watched) -> Self {
        let mut bench = Self::creating(watched);
        bench.feed(written(stat(0)));
        if watched == OWN {
            bench.feed(found(stat(0)));
        }
        assert!(bench.machine.deadline().is_some(), "an audit");
        bench
    }

    /// The same, with the create under way.
    pub(super) fn creating(watched: Watched) -> Self {
        let mut bench = Self::new(false);
        bench.feed(ready(1, watched));
        assert_eq!(bench.feed(Input::Permit), [create("a")]);
        bench
    }

    /// The same, with a step that failed.
    pub(super) fn waiting(watched: Watched) -> Self {
        let mut bench = Self::creating(watched);
        let waits = [noted(TroubleKind::Denied), troubled(TroubleKind::Denied), Effect::Release];
        assert_eq!(bench.feed(failed(ErrorKind::Denied)), waits);
        bench
    }

    pub(super) fn feed(&mut self, input: Input) -> Vec<Effect> {
        self.machine.handle(input, &self.moment);
        std::iter::from_fn(|| self.machine.next_effect()).collect()
    }

    /// Feeds the permit that a step waits for.
    pub(super) fn step(&mut self, input: Input, permit: Permit) -> Vec<Effect> {
        assert_eq!(self.feed(input), [acquire(permit)]);
        self.feed(Input::Permit)
    }

    /// Waits until the deadline, and returns how long that is.
    pub(super) fn wait(&mut self) -> Duration {
        let deadline = self.machine.deadline().expect("a deadline");
        let wait = deadline - self.moment.now;
        self.moment.now = deadline;
        wait
    }

    /// The shared watch reports a write.
    pub(super) fn count_write(&mut self) -> Vec<Effect> {
        self.moment.counts.written += 1;
        self.feed(Input::Counted)
    }

    pub(super) fn count_deletion(&mut self) -> Vec<Effect> {
        self.moment.counts.deleted += 1;
        self.feed(Input::Counted)
    }
}
