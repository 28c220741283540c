//! What is done to processes.

use std::sync::Arc;

use zk_core::Zk;

use super::nemesis::Nemesis;
use super::server::{self, Server};
use super::{client, ensemble};
use crate::plan::{Act, Trouble, Who};

/// The port of the first server.
const PORT: u16 = 8001;

/// The port of a server.
pub(super) fn port(server: u8) -> u16 {
    PORT + u16::from(server)
}

impl Nemesis<'_> {
    /// Starts everybody.
    pub(super) fn spawn_all(&mut self) {
        self.servers.resize_with(self.plan.spec.servers.len(), || None);
        for server in (0..=u8::MAX).take(self.servers.len()) {
            self.spawn_server(server);
        }
        for (number, config) in (0..=u8::MAX).zip(&self.plan.spec.clients) {
            let who = Who::Client(number);
            let (client, zk) = self.link(who);
            let seed = self.seed(client);
            let (callees, recorder) = (self.callees.clone(), self.recorder.clone());
            let (name, config) = (who.to_string(), *config);
            let birth = client::Birth { name, config, client, zk, callees, recorder, seed };
            self.clients.push(client::Client::start(birth));
        }
    }

    /// A link of a new process.
    fn link(&mut self, who: Who) -> (u64, Zk) {
        let client = ensemble::client(&self.ensemble);
        let number = client.number();
        self.recorder.name_client(number, &who.to_string());
        self.apply_to_client(who, number);
        let sources = self.ensemble.sources(number);
        (number, Zk::start_on((self.wrap)(Arc::new(client)), sources))
    }

    fn seed(&self, number: u64) -> u64 {
        self.plan.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ number
    }

    fn spawn_server(&mut self, server: u8) {
        let who = Who::Server(server);
        let Some(config) = self.plan.spec.servers.get(usize::from(server)).copied() else { return };
        let (client, zk) = self.link(who);
        let (callees, recorder) = (self.callees.clone(), self.recorder.clone());
        let (name, port) = (who.to_string(), port(server));
        let birth = server::Birth { name, port, config, client, zk, callees, recorder };
        self.servers[usize::from(server)] = Some(Server::start(birth));
    }

    /// A server process that has not ended.
    pub(super) fn server(&mut self, server: u8) -> Option<&mut Server> {
        self.servers.get_mut(usize::from(server))?.as_mut().filter(|server| server.is_alive())
    }

    /// The client of the ensemble that a process is, and its link; `None` if it does not run.
    pub(super) fn link_of(&self, who: Who) -> Option<(u64, &Zk)> {
        match who {
            Who::Server(server) => {
                let server = self.servers.get(usize::from(server))?.as_ref();
                server.filter(|server| server.is_alive()).map(|server| (server.client, &server.zk))
            }
            Who::Client(client) => {
                let client = self.clients.get(usize::from(client))?;
                Some((client.client, &client.zk))
            }
        }
    }

    pub(super) fn kill(&mut self, act: &Act, server: u8) {
        let id = self.begin(act, Some(Who::Server(server)));
        let killed = self.server(server).is_some();
        if killed && let Some(server) = self.servers[usize::from(server)].take() {
            self.ensemble.kill(server.client);
            server.kill();
        }
        self.at_once(id, killed);
    }

    pub(super) fn start(&mut self, act: &Act, server: u8) {
        let id = self.begin(act, Some(Who::Server(server)));
        let starts = usize::from(server) < self.servers.len() && self.server(server).is_none();
        if starts {
            self.spawn_server(server);
        }
        self.at_once(id, starts);
    }

    pub(super) fn stop(&mut self, act: &Act, server: u8) {
        let id = self.begin(act, Some(Who::Server(server)));
        let stops = self.server(server).filter(|server| server.is_serving());
        let has_effect = stops.map(Server::stop).is_some();
        self.at_once(id, has_effect);
    }

    /// A stopped process: nothing travels on its link, callers hang, and it calls nobody. Its timers run on, as they would in a
    /// process that is starved rather than stopped: what is due while it stands still is done at once, and reaches nobody.
    pub(super) fn pause(&mut self, act: &Act, who: Who, for_ms: u64) {
        let id = self.begin(act, Some(who));
        let Some((number, _)) = self.link_of(who) else { return self.at_once(id, false) };
        self.recorder.took_effect(id);
        self.stalled.insert(id, (who, Some(number)));
        self.apply_pauses(who);
        self.lasts(id, for_ms, move |nemesis| {
            nemesis.stalled.remove(&id);
            nemesis.apply_pauses(who);
        });
    }

    /// Lets a process stand still, or go on. One that was started since is another one.
    fn apply_pauses(&mut self, who: Who) {
        self.apply_to_link(who);
        let Some((number, _)) = self.link_of(who) else { return };
        let paused = self.stalled.values().any(|stalled| *stalled == (who, Some(number)));
        match who {
            Who::Server(server) => self.callees.pause(&server::endpoint(port(server)), paused),
            Who::Client(client) => self.clients[usize::from(client)].pause(paused),
        }
    }

    pub(super) fn step_clock(&mut self, act: &Act, who: Who, by_ms: i64) {
        let id = self.begin(act, Some(who));
        let client = self.link_of(who).map(|(client, _)| client);
        if let Some(client) = client {
            self.ensemble.step_clock(client, by_ms);
        }
        self.at_once(id, client.is_some() && by_ms != 0);
    }

    pub(super) fn reweigh(&mut self, act: &Act, server: u8, weight: u32) {
        let id = self.begin(act, Some(Who::Server(server)));
        let changes = self.server(server).is_some_and(|server| server.reweigh(weight));
        self.at_once(id, changes);
    }

    pub(super) fn drain(&mut self, act: &Act, server: u8, draining: bool) {
        let id = self.begin(act, Some(Who::Server(server)));
        let changes = self.server(server).is_some_and(|server| server.drain(draining));
        self.at_once(id, changes);
    }

    pub(super) fn callee(&mut self, act: &Act, server: u8, trouble: Trouble, for_ms: u64) {
        let id = self.begin(act, Some(Who::Server(server)));
        let endpoint = server::endpoint(port(server));
        self.callees.trouble(&endpoint, id, trouble);
        self.lasts(id, for_ms, move |nemesis| nemesis.callees.end_trouble(&endpoint, id));
    }
}
