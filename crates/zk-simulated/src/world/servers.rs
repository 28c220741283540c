//! The servers of the ensemble: a leader, and followers that apply later what it has carried out.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt;
use tokio::time::Instant;
use zk_embedded::machine::{ConnectionId, Machine};

use super::World;
use crate::agenda::Step;
use crate::commit::{Author, Restart};
use crate::journal::Journal;
use crate::record::Note;
use crate::server::Server;

/// How long an ensemble takes to elect a leader, in milliseconds.
const ELECTION_MS: RangeInclusive<u64> = 200..=1000;

impl World {
    /// All servers, with the same data.
    pub(super) fn build_servers(&mut self, now: Instant) {
        let lag = |server: usize| match self.servers.get(server) {
            Some(server) => server.lag.clone(),
            None => self.settings.follower_lag.clone(),
        };
        let machine = self.journal.replay();
        let build = |server| Server {
            machine: machine.clone(),
            is_up: true,
            applied: self.journal.len(),
            lag: lag(server),
            last_apply: now,
        };
        self.servers = (0..self.settings.servers).map(build).collect();
    }

    pub(super) fn leader(&self) -> Option<&Machine> {
        self.leader.map(|leader| &self.servers[leader].machine)
    }

    pub(super) fn leader_mut(&mut self) -> Option<&mut Machine> {
        self.leader.map(|leader| &mut self.servers[leader].machine)
    }

    pub(crate) fn leader_number(&self) -> Option<usize> {
        self.leader
    }

    /// The server that a client is connected to.
    pub(crate) fn server_of(&self, client: u64) -> Option<usize> {
        let mut links = self.links.values().rev();
        links.find(|link| link.client == client && !link.closed).map(|link| link.server)
    }

    pub(crate) fn set_follower_lag(&mut self, server: usize, lag: RangeInclusive<Duration>) {
        if let Some(server) = self.servers.get_mut(server) {
            server.lag = lag;
        }
    }

    /// The servers forget a connection; its session stays.
    pub(super) fn disconnect(&mut self, connection: ConnectionId, server: usize, now: Instant) {
        let ms = self.ms(now);
        if let Some(leader) = self.leader_mut() {
            leader.disconnected(ms, connection);
        }
        if let Some(server) = self.servers.get_mut(server) {
            server.machine.disconnected(ms, connection);
        }
    }

    /// Plans when the followers apply the newest transaction.
    pub(super) fn replicate(&mut self, now: Instant) {
        let place = self.journal.len();
        for (number, server) in self.servers.iter_mut().enumerate() {
            if Some(number) == self.leader {
                server.applied = place;
            } else if server.is_up {
                let lag = crate::settings::drawn(&server.lag, &mut self.dice);
                server.last_apply = server.last_apply.max(now + lag);
                self.agenda.plan(server.last_apply, Step::Apply(number, place));
            }
        }
    }

    /// A follower applies transactions, and replies to those who have waited for them.
    pub(super) fn apply(&mut self, number: usize, place: u64, now: Instant) {
        while let Some(server) = self.servers.get_mut(number) {
            if !server.is_up || server.applied >= place {
                break;
            }
            let Some(entry) = self.journal.get(server.applied) else { break };
            server.applied += 1;
            let outputs = server.machine.apply(entry);
            self.emit(number, outputs, now);
        }
        let Some(applied) = self.servers.get(number).map(|server| server.applied) else { return };
        let is_ready = |(connection, link): (&ConnectionId, &crate::link::Link)| {
            let is_here =
                link.server == number && link.pending.front().is_some_and(|first| first.place <= applied);
            is_here.then_some(*connection)
        };
        let ready: Vec<_> = self.links.iter().filter_map(is_ready).collect();
        for connection in ready {
            self.reply_to_pending(connection, applied, now);
        }
        self.hand_on_sessions(number, applied, now);
    }

    /// A server goes down, or comes back with what it had and all that has happened meanwhile.
    pub(crate) fn server_down(&mut self, number: usize, is_down: bool, now: Instant) {
        if self.settings.servers == 1 {
            match (number, is_down) {
                (0, true) => self.stop(now),
                (0, false) if self.stopped.is_some() => self.start(Restart::Latest, now),
                _ => {}
            }
            return;
        }
        let Some(server) = self.servers.get_mut(number).filter(|server| server.is_up == is_down) else {
            return;
        };
        if self.stopped.is_some() {
            return;
        }
        server.is_up = !is_down;
        if is_down {
            self.note(now, Note::ServerDown(number));
            self.drop_clients(Some(number), now);
            if self.leader == Some(number) || !self.has_quorum() {
                // Without a leader no server serves anybody.
                self.leader = None;
                self.drop_clients(None, now);
                self.plan_election(now);
            }
        } else {
            self.note(now, Note::ServerUp(number));
            self.catch_up(number, now);
            if self.leader.is_none() {
                self.plan_election(now);
            }
        }
    }

    /// The clients of one server, or of all, are no longer connected.
    pub(super) fn drop_clients(&mut self, server: Option<usize>, now: Instant) {
        let of_server =
            self.links.iter().filter(|(_, link)| server.is_none_or(|server| server == link.server));
        let connections: Vec<_> = of_server.map(|(connection, _)| *connection).collect();
        for connection in connections {
            self.server_is_gone(connection, now);
        }
        let numbers = server.map_or(0..self.servers.len(), |server| server..server + 1);
        for number in numbers {
            // Attempts that wait for their sessions there fail.
            self.hand_on_sessions(number, u64::MAX, now);
        }
    }

    /// A server has everything, and no connections.
    fn catch_up(&mut self, number: usize, now: Instant) {
        let machine = self.journal.replay();
        let (applied, ms) = (self.journal.len(), self.ms(now));
        let Some(server) = self.servers.get_mut(number) else { return };
        server.machine = machine;
        server.machine.restart(ms, id(number));
        (server.applied, server.last_apply) = (applied, now);
    }

    fn has_quorum(&self) -> bool {
        self.servers.iter().filter(|server| server.is_up).count() * 2 > self.servers.len()
    }

    fn plan_election(&mut self, now: Instant) {
        if self.has_quorum() && self.leader.is_none() {
            let takes = Duration::from_millis(self.dice.random_range(ELECTION_MS));
            self.agenda.plan(now + takes, Step::Elect);
        }
    }

    /// The server that is up and has most becomes the leader, and the others have as much: nothing that was committed is lost.
    /// Sessions have their whole timeout before them again.
    pub(super) fn elect(&mut self, now: Instant) {
        if self.leader.is_some() || self.stopped.is_some() || !self.has_quorum() {
            return;
        }
        let up = self.servers.iter().enumerate().filter(|(_, server)| server.is_up);
        let Some((leader, _)) = up.max_by_key(|(number, server)| (server.applied, *number)) else { return };
        for number in 0..self.servers.len() {
            if self.servers[number].is_up {
                self.catch_up(number, now);
            }
        }
        self.lead(leader, now);
        self.attach_operators(now);
    }

    /// A server becomes the leader.
    pub(super) fn lead(&mut self, number: usize, now: Instant) {
        self.leader = Some(number);
        let is_alone = self.settings.servers == 1;
        if let Some(machine) = self.leader_mut() {
            machine.keep_journal(true);
            if !is_alone {
                machine.begin_epoch();
            }
        }
        self.committed(Author::Ensemble, now);
        if !is_alone {
            let zxid = self.leader().map(Machine::zxid).unwrap_or_default();
            self.note(now, Note::Leads { server: number, zxid });
        }
    }

    /// Replaces what all servers have.
    pub(super) fn restore(&mut self, with: Restart, stopped: Duration, now: Instant) {
        let machine = match with {
            Restart::Latest => None,
            Restart::Before(time) => Some(self.journal.at(stopped.saturating_sub(time))),
            Restart::Empty => Some(Machine::new(self.settings.server())),
        };
        if let Some(machine) = machine {
            self.journal = Journal::new(machine, self.journal.len());
        }
        self.build_servers(now);
        let ms = self.ms(now);
        for (number, server) in self.servers.iter_mut().enumerate() {
            server.machine.restart(ms, id(number));
        }
    }
}

/// The number of a server in the ids of sessions.
fn id(number: usize) -> u8 {
    u8::try_from(number + 1).unwrap_or(u8::MAX)
}
