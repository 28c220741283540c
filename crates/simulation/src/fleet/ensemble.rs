//! The ensemble of a run.

use std::time::Duration;

use zk_simulated::{SimulatedEnsemble, Version, builder};

use crate::plan::Plan;

pub(super) fn build(plan: &Plan) -> SimulatedEnsemble {
    let (ms, spec) = (Duration::from_millis, &plan.spec);
    builder(plan.seed)
        .version(if spec.old { Version::V3_4 } else { Version::default() })
        .refuse_recursive_watches(spec.refuses_recursive)
        .event_zxids(spec.event_zxids)
        .tick(ms(spec.tick_ms))
        .session_timeout(spec.session_timeout())
        .round_trip(ms(spec.round_trip_ms.0)..=ms(spec.round_trip_ms.1))
        .reply_lag(Duration::ZERO..=ms(spec.reply_lag_ms))
        .servers(usize::from(spec.ensemble.max(1)))
        .follower_lag(Duration::ZERO..=ms(spec.follower_lag_ms))
        .build()
}

use zk_core::{ConnectError, State};
use zk_simulated::{Client, Restart};

use super::nemesis::Nemesis;
use crate::plan::Act;

/// How ZooKeeper comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// As it was.
    Away,
    /// With the data of so long before.
    Older(Duration),
    /// Without any.
    Empty,
}

/// What every process of the fleet authenticates with.
const USER: &str = "fleet:fleet";

/// A new client of the ensemble.
pub(super) fn client(ensemble: &SimulatedEnsemble) -> Client {
    ensemble.client().authenticated(USER)
}

impl Nemesis<'_> {
    /// Whether ZooKeeper serves nobody.
    pub(super) fn is_away(&self) -> bool {
        self.ensemble.leader().is_none()
    }

    fn anybody_is_connected(&self) -> bool {
        self.numbers().any(|client| self.ensemble.session_of(client).is_some())
    }

    pub(super) fn away(&mut self, act: &Act, outage: Outage, for_ms: u64) {
        let id = self.begin(act, None);
        if self.anybody_is_connected() {
            self.recorder.took_effect(id);
        }
        self.ensemble.stop();
        self.outages.push((id, outage));
        let least = if outage == Outage::Away { 0 } else { self.replacing_takes_ms() };
        self.lasts(id, for_ms.max(least), move |nemesis| nemesis.come_back(id));
    }

    /// How long it takes at least to replace the data of an ensemble, whose servers have to be stopped and started again. The
    /// root watch counts on half a session timeout, and who is cut off at that moment may notice late: see its limits.
    fn replacing_takes_ms(&self) -> u64 {
        self.plan.spec.session_timeout_ms + 100
    }

    /// The end of an outage. ZooKeeper comes back with the last one.
    fn come_back(&mut self, id: u32) {
        let Some(at) = self.outages.iter().position(|(other, _)| *other == id) else { return };
        let (_, outage) = self.outages.remove(at);
        if !self.outages.is_empty() {
            return;
        }
        self.ensemble.start(match outage {
            Outage::Away => Restart::Latest,
            Outage::Older(before) => Restart::Before(before),
            Outage::Empty => Restart::Empty,
        });
        // Older data may have other rights.
        self.has_other_rights = true;
        self.catch_up();
    }

    /// Lets the data be replaced that are about to be: not even a heal does that at once.
    pub(super) async fn finish_replacing(&mut self) {
        if self.outages.iter().any(|(_, outage)| *outage != Outage::Away) {
            self.let_pass(Duration::from_millis(self.replacing_takes_ms())).await;
        }
    }

    /// ZooKeeper comes back, whoever keeps it away.
    pub(super) fn end_outages(&mut self) {
        for (id, _) in self.outages.clone() {
            self.come_back(id);
        }
    }

    pub(super) fn server_down(&mut self, act: &Act, server: u8, for_ms: u64) {
        if self.plan.spec.ensemble <= 1 {
            return self.away(act, Outage::Away, for_ms);
        }
        let id = self.begin(act, None);
        if server >= self.plan.spec.ensemble {
            return self.at_once(id, false);
        }
        if self.serves_somebody(server) || self.ensemble.leader() == Some(usize::from(server)) {
            self.recorder.took_effect(id);
        }
        self.down.insert(id, server);
        self.ensemble.server_down(usize::from(server), true);
        self.lasts(id, for_ms, move |nemesis| {
            nemesis.down.remove(&id);
            if !nemesis.down.values().any(|down| *down == server) {
                nemesis.ensemble.server_down(usize::from(server), false);
            }
        });
    }

    /// Whether a process is connected to a server of the ensemble.
    fn serves_somebody(&self, server: u8) -> bool {
        self.numbers().any(|client| self.ensemble.server_of(client) == Some(usize::from(server)))
    }

    /// The clients of the ensemble that all processes are.
    fn numbers(&self) -> impl Iterator<Item = u64> {
        let servers = self.servers.iter().flatten().map(|server| server.client);
        self.clients.iter().map(|client| client.client).chain(servers)
    }

    pub(super) fn slow(&mut self, act: &Act, by_ms: u64, for_ms: u64) {
        let id = self.begin(act, None);
        if by_ms > 0 && self.anybody_is_connected() {
            self.recorder.took_effect(id);
        }
        self.delays.insert(id, by_ms);
        self.apply_delays();
        self.lasts(id, for_ms, move |nemesis| {
            nemesis.delays.remove(&id);
            nemesis.apply_delays();
        });
    }

    /// The slowest decides.
    fn apply_delays(&self) {
        let slowest = self.delays.values().copied().max().unwrap_or_default();
        self.ensemble.set_extra_delay(Duration::from_millis(slowest));
    }

    pub(super) fn behind(&mut self, act: &Act, server: u8, by_ms: u64, for_ms: u64) {
        let id = self.begin(act, None);
        let leads = self.ensemble.leader() == Some(usize::from(server));
        if server >= self.plan.spec.ensemble {
            return self.at_once(id, false);
        }
        if !leads && by_ms > 0 && self.serves_somebody(server) {
            self.recorder.took_effect(id);
        }
        self.behind.insert(id, (server, by_ms));
        self.apply_lag(server);
        self.lasts(id, for_ms, move |nemesis| {
            nemesis.behind.remove(&id);
            nemesis.apply_lag(server);
        });
    }

    /// The longest lag decides.
    fn apply_lag(&self, server: u8) {
        let of_it = self.behind.values().filter(|(behind, _)| *behind == server).map(|(_, by_ms)| *by_ms);
        let ms = Duration::from_millis;
        let lag = match of_it.max() {
            Some(by_ms) => ms(by_ms)..=ms(by_ms),
            None => Duration::ZERO..=ms(self.plan.spec.follower_lag_ms),
        };
        self.ensemble.set_follower_lag(usize::from(server), lag);
    }

    pub(super) fn clamp(&mut self, act: &Act, to_ms: u64, for_ms: u64) {
        let id = self.begin(act, None);
        self.clamps.insert(id, Duration::from_millis(to_ms));
        self.apply_clamps();
        self.lasts(id, for_ms, move |nemesis| {
            let wanted = nemesis.plan.spec.session_timeout();
            if nemesis.states().any(|state| state.session.is_some_and(|session| session.timeout < wanted)) {
                nemesis.recorder.took_effect(id);
            }
            nemesis.clamps.remove(&id);
            nemesis.apply_clamps();
        });
    }

    /// The lowest decides.
    fn apply_clamps(&self) {
        self.ensemble.clamp_timeouts(self.clamps.values().copied().min());
    }

    pub(super) fn refuse_authentication(&mut self, act: &Act, for_ms: u64) {
        let id = self.begin(act, None);
        self.refusals.insert(id);
        self.ensemble.refuse_authentication(true);
        self.lasts(id, for_ms, move |nemesis| {
            if nemesis.states().any(|state| matches!(state.trouble, Some(ConnectError::AuthFailed { .. }))) {
                nemesis.recorder.took_effect(id);
            }
            nemesis.refusals.remove(&id);
            nemesis.ensemble.refuse_authentication(!nemesis.refusals.is_empty());
        });
    }

    /// The states of all links.
    fn states(&self) -> impl Iterator<Item = State> {
        let clients = self.clients.iter().map(|client| client.zk.state());
        clients.chain(self.servers.iter().flatten().map(|server| server.zk.state()))
    }
}
