//! Everything that is simulated, without tasks: what is planned happens when [`World::run`] is called at its time.

mod connections;
mod events;
mod requests;
mod stalls;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::Instant;
use zk_embedded::machine::{ConnectionId, Machine};
use zk_wire::{Framed, Request, xid};

use crate::agenda::{Agenda, Step};
use crate::chaos::Chaos;
use crate::dial::{Attempt, Dialled};
use crate::link::Link;
use crate::record::Log;
use crate::rule::{Held, Rules};
use crate::settings::Settings;

/// The wall-clock time at which an ensemble begins, in milliseconds since 1970: 14 November 2023, 22:13:20.
pub(crate) const EPOCH_MS: i64 = 1_700_000_000_000;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    start: Instant,
    machine: Machine,
    agenda: Agenda,
    links: BTreeMap<ConnectionId, Link>,
    attempts: BTreeMap<u64, Attempt>,
    /// Connections of operators: their sessions do not expire by themselves.
    operators: BTreeSet<ConnectionId>,
    clients: u64,
    connections: ConnectionId,
    attempted: u64,
    /// Which clients cannot connect.
    pub(crate) refusing: BTreeSet<u64>,
    pub(crate) refusing_all: bool,
    pub(crate) rules: Rules,
    pub(crate) chaos: Chaos,
    pub(crate) log: Log,
    rng: SmallRng,
    /// Clients that are cut off: since when, and what waits until they no longer are.
    stalled: BTreeMap<u64, (Instant, Vec<Step>)>,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let mut server = zk_embedded::machine::Settings::default();
        server.tick_ms = i64::try_from(settings.tick.as_millis()).unwrap_or(i64::MAX).max(1);
        server.version = settings.version;
        server.event_zxids = settings.event_zxids;
        Self {
            start: Instant::now(),
            machine: Machine::new(server),
            agenda: Agenda::default(),
            links: BTreeMap::new(),
            attempts: BTreeMap::new(),
            operators: BTreeSet::new(),
            clients: 0,
            connections: 0,
            attempted: 0,
            refusing: BTreeSet::new(),
            refusing_all: false,
            rules: Rules::default(),
            chaos: Chaos::default(),
            log: Log::default(),
            rng: SmallRng::seed_from_u64(settings.seed),
            stalled: BTreeMap::new(),
            settings,
        }
    }

    pub(crate) fn next_client(&mut self) -> u64 {
        self.clients += 1;
        self.clients
    }

    /// The time since the beginning.
    pub(crate) fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    /// The wall-clock time, in milliseconds since 1970.
    fn ms(&self, now: Instant) -> i64 {
        EPOCH_MS + i64::try_from(self.since(now).as_millis()).unwrap_or(i64::MAX - EPOCH_MS)
    }

    fn machine_due(&self) -> Option<Instant> {
        let due = u64::try_from(self.machine.next_deadline()? - EPOCH_MS).unwrap_or(0);
        Some(self.start + Duration::from_millis(due))
    }

    pub(crate) fn note(&mut self, now: Instant, text: impl Into<String>) {
        self.log.note(self.since(now), text.into());
    }

    /// Does everything that is due, and returns when there is more to do. Outcomes of attempts to connect are for the
    /// caller to hand on.
    pub(crate) fn run(&mut self, now: Instant, dialled: &mut Vec<Dialled>) -> Option<Instant> {
        loop {
            let (planned, server) = (self.agenda.next(), self.machine_due());
            let next = [planned, server].into_iter().flatten().min().filter(|next| *next <= now);
            if next.is_none() {
                return [planned, server].into_iter().flatten().min();
            }
            if server == next {
                self.let_time_pass(now);
            } else if let Some(step) = self.agenda.take() {
                self.take(step, now, dialled);
            }
        }
    }

    fn let_time_pass(&mut self, now: Instant) {
        let ms = self.ms(now);
        for operator in self.operators.clone() {
            let ping = Framed { xid: xid::PING, request: Request::Ping };
            self.machine.request(ms, operator, ping);
        }
        let outputs = self.machine.advance(ms);
        self.emit(outputs, now);
    }

    fn take(&mut self, step: Step, now: Instant, dialled: &mut Vec<Dialled>) {
        let Some(step) = self.unless_stalled(step) else { return };
        match step {
            Step::Dial(attempt) => self.dial(attempt, now),
            Step::Dialled(attempt) => dialled.extend(self.dialled(attempt)),
            Step::Arrive(connection) => {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.arrived += 1;
                }
                self.serve(connection, now);
            }
            Step::Open(connection) => self.open(connection, now),
            Step::Reply(connection, number) => {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.deliver_reply(number);
                }
            }
            Step::Event(connection) => self.deliver_event(connection, now),
            Step::End(connection) => self.ended(connection, now),
            Step::Ping(connection) => self.ping(connection, now),
            Step::Silent(connection) => self.give_up_if_silent(connection, now),
        }
    }

    /// Lets go what a rule has held.
    pub(crate) fn release(&mut self, rule: usize, now: Instant) {
        for held in self.rules.release(rule) {
            match held {
                Held::Requests(connection) => self.agenda.plan(now, Step::Open(connection)),
                Held::Reply(connection, number) => self.agenda.plan(now, Step::Reply(connection, number)),
            }
        }
    }
}
