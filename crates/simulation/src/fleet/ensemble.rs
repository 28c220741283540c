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
        .build()
}

use zk_core::SessionId;
use zk_simulated::{Client, Injection};

use super::nemesis::Nemesis;
use super::recorder::Recorder;
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

pub(super) fn client(ensemble: &SimulatedEnsemble) -> Client {
    ensemble.client()
}

pub(super) fn kill(ensemble: &SimulatedEnsemble, client: u64) {
    ensemble.refuse_connects_of(client, true);
    ensemble.cut_client(client);
}

pub(super) fn request_count(ensemble: &SimulatedEnsemble, client: u64) -> u64 {
    let _ = (ensemble, client);
    0
}

pub(super) fn step_clock(ensemble: &SimulatedEnsemble, client: u64, by_ms: i64) {
    let _ = (ensemble, client, by_ms);
}

pub(super) fn expire(ensemble: &SimulatedEnsemble, recorder: &Recorder, session: SessionId) -> bool {
    let _ = recorder;
    ensemble.expire(session);
    true
}

pub(super) fn swallow_next_event_of(ensemble: &SimulatedEnsemble, client: u64) -> Option<Injection> {
    let _ = (ensemble, client);
    None
}

impl Nemesis<'_> {
    pub(super) fn is_away(&self) -> bool {
        !self.outages.is_empty()
    }

    fn anybody_is_connected(&self) -> bool {
        let clients = self.clients.iter().map(|client| client.client);
        let servers = self.servers.iter().flatten().map(|server| server.client);
        clients.chain(servers).any(|client| self.ensemble.session_of(client).is_some())
    }

    pub(super) fn away(&mut self, act: &Act, outage: Outage, for_ms: u64) {
        let id = self.begin(act, None);
        if self.anybody_is_connected() {
            self.recorder.took_effect(id);
        }
        self.ensemble.refuse_connects(true);
        self.ensemble.cut();
        self.outages.push((id, outage));
        self.lasts(id, for_ms, move |nemesis| nemesis.come_back(id));
    }

    /// The end of an outage; ZooKeeper comes back with the last one.
    fn come_back(&mut self, id: u32) {
        let before = self.outages.len();
        self.outages.retain(|(other, _)| *other != id);
        if before == 1 && self.outages.is_empty() {
            self.ensemble.refuse_connects(false);
        }
    }

    /// ZooKeeper comes back, whoever keeps it away.
    pub(super) fn end_outages(&mut self) {
        for (id, _) in self.outages.clone() {
            self.come_back(id);
        }
    }

    pub(super) fn server_down(&mut self, act: &Act, server: u8, for_ms: u64) {
        let id = self.begin(act, None);
        let _ = (server, for_ms);
        self.at_once(id, false);
    }

    pub(super) fn slow(&mut self, act: &Act, by_ms: u64, for_ms: u64) {
        let id = self.begin(act, None);
        let _ = (by_ms, for_ms);
        self.at_once(id, false);
    }

    pub(super) fn behind(&mut self, act: &Act, server: u8, by_ms: u64, for_ms: u64) {
        let id = self.begin(act, None);
        let _ = (server, by_ms, for_ms);
        self.at_once(id, false);
    }

    pub(super) fn clamp(&mut self, act: &Act, to_ms: u64, for_ms: u64) {
        let id = self.begin(act, None);
        let _ = (to_ms, for_ms);
        self.at_once(id, false);
    }

    pub(super) fn refuse_authentication(&mut self, act: &Act, for_ms: u64) {
        let id = self.begin(act, None);
        let _ = for_ms;
        self.at_once(id, false);
    }
}
