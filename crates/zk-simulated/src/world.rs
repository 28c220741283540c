//! Everything that is simulated, without tasks: what is planned happens when [`World::run`] is called at its time.

mod away;
mod commits;
mod connections;
mod dialling;
mod events;
mod operators;
mod requests;
mod servers;
mod stalls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::Instant;
use zk_embedded::machine::{ConnectionId, Machine};

use crate::agenda::{Agenda, Step};
use crate::chaos::Chaos;
use crate::commit::{Author, Observer};
use crate::dial::{Attempt, Dialled};
use crate::journal::Journal;
use crate::link::Link;
use crate::operator_session::OperatorSession;
use crate::record::{Log, Note};
use crate::rule::{Held, Rules};
use crate::server::{Choice, Server};
use crate::settings::Settings;

/// The wall-clock time at which an ensemble begins, in milliseconds since 1970: 14 November 2023, 22:13:20.
pub(crate) const EPOCH_MS: i64 = 1_700_000_000_000;

/// Tells the randomness of what there is only with several servers from the other.
const SERVERS: u64 = 0xd1b5_4a32_d192_ed03;

pub(crate) struct World {
    pub(crate) settings: Settings,
    start: Instant,
    servers: Vec<Server>,
    leader: Option<usize>,
    /// How clients choose servers.
    choices: BTreeMap<u64, Choice>,
    journal: Journal,
    /// Since when the ensemble is away.
    stopped: Option<Duration>,
    agenda: Agenda,
    /// When [`run`](Self::run) is called next; `None` for never.
    asleep_until: Option<Instant>,
    links: BTreeMap<ConnectionId, Link>,
    attempts: BTreeMap<u64, Attempt>,
    /// By their connections: their sessions do not expire by themselves.
    operators: BTreeMap<ConnectionId, OperatorSession>,
    /// Whose each session is or was; `None` for those of operators.
    sessions: BTreeMap<i64, Option<u64>>,
    observers: Vec<Observer>,
    clients: u64,
    connections: ConnectionId,
    attempted: u64,
    /// How many requests each client has sent.
    counts: BTreeMap<u64, u64>,
    /// By how many milliseconds the wall clock of each client is off.
    clocks: BTreeMap<u64, Arc<AtomicI64>>,
    /// Which clients cannot connect.
    pub(crate) refusing: BTreeSet<u64>,
    pub(crate) refusing_all: bool,
    pub(crate) refusing_authentication: bool,
    /// The longest session timeout that is granted.
    pub(crate) clamp: Option<Duration>,
    pub(crate) rules: Rules,
    pub(crate) chaos: Chaos,
    pub(crate) log: Log,
    rng: SmallRng,
    /// For what there is only with several servers.
    dice: SmallRng,
    /// Clients that are cut off: since when, and what waits until they no longer are.
    stalled: BTreeMap<u64, (Instant, Vec<Step>)>,
    /// Clients that were killed, and what is left of their connections: nobody may notice anything there.
    killed: BTreeSet<u64>,
    buried: Vec<Link>,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let now = Instant::now();
        let journal = Journal::new(Machine::new(settings.server()), 0);
        let mut world = Self {
            start: now,
            servers: Vec::new(),
            leader: None,
            choices: BTreeMap::new(),
            journal,
            stopped: None,
            agenda: Agenda::default(),
            asleep_until: None,
            links: BTreeMap::new(),
            attempts: BTreeMap::new(),
            operators: BTreeMap::new(),
            sessions: BTreeMap::new(),
            observers: Vec::new(),
            clients: 0,
            connections: 0,
            attempted: 0,
            counts: BTreeMap::new(),
            clocks: BTreeMap::new(),
            refusing: BTreeSet::new(),
            refusing_all: false,
            refusing_authentication: false,
            clamp: None,
            rules: Rules::default(),
            chaos: Chaos::default(),
            log: Log::default(),
            rng: SmallRng::seed_from_u64(settings.seed),
            dice: SmallRng::seed_from_u64(settings.seed ^ SERVERS),
            stalled: BTreeMap::new(),
            killed: BTreeSet::new(),
            buried: Vec::new(),
            settings,
        };
        world.build_servers(now);
        world.lead(world.servers.len() - 1, now);
        world
    }

    pub(crate) fn next_client(&mut self) -> u64 {
        self.clients += 1;
        self.clients
    }

    /// By how many milliseconds the wall clock of a client is off.
    pub(crate) fn clock(&mut self, client: u64) -> Arc<AtomicI64> {
        self.clocks.entry(client).or_default().clone()
    }

    /// How many requests a client has sent.
    pub(crate) fn request_count(&self, client: u64) -> u64 {
        self.counts.get(&client).copied().unwrap_or_default()
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
        let due = u64::try_from(self.leader()?.next_deadline()? - EPOCH_MS).unwrap_or(0);
        Some(self.start + Duration::from_millis(due))
    }

    pub(crate) fn note(&mut self, now: Instant, note: Note) {
        self.log.note(self.since(now), note);
    }

    /// Whether there is something to do before the time that [`run`](Self::run) has returned.
    pub(crate) fn is_overslept(&self) -> bool {
        let next = [self.agenda.next(), self.machine_due()].into_iter().flatten().min();
        next.is_some_and(|next| self.asleep_until.is_none_or(|until| next < until))
    }

    /// Does everything that is due, and returns when there is more to do. Outcomes of attempts to connect are for the
    /// caller to hand on.
    pub(crate) fn run(&mut self, now: Instant, dialled: &mut Vec<Dialled>) -> Option<Instant> {
        loop {
            let (planned, server) = (self.agenda.next(), self.machine_due());
            let next = [planned, server].into_iter().flatten().min();
            if next.is_none_or(|next| next > now) {
                self.asleep_until = next;
                return next;
            }
            if server == next {
                self.let_time_pass(now);
            } else if let Some(step) = self.agenda.take() {
                self.take(step, now, dialled);
            }
        }
    }

    fn let_time_pass(&mut self, now: Instant) {
        self.ping_operators(now);
        let (ms, Some(leader)) = (self.ms(now), self.leader) else { return };
        let outputs = self.servers[leader].machine.advance(ms);
        self.committed(Author::Ensemble, now);
        self.emit(leader, outputs, now);
    }

    fn take(&mut self, step: Step, now: Instant, dialled: &mut Vec<Dialled>) {
        let Some(step) = self.unless_stalled(step) else { return };
        match step {
            Step::Dial(attempt) => self.dial(attempt, now),
            Step::Dialled(attempt) => dialled.extend(self.dialled(attempt)),
            Step::GiveUp(attempt) => self.give_up(attempt, now),
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
            Step::Apply(server, place) => self.apply(server, place, now),
            Step::Elect => self.elect(now),
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

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("settings", &self.settings).finish_non_exhaustive()
    }
}
