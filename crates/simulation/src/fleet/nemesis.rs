//! Does what a plan says, and ends it in its time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oracle::What;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use zk_core::transport::latest;
use zk_simulated::SimulatedEnsemble;
use zk_wire::permission;

use super::callees::Callees;
use super::client::Client;
use super::ensemble::Outage;
use super::others::Leavers;
use super::recorder::Recorder;
use super::server::Server;
use super::{ATTEMPT, Wrap};
use crate::plan::{Act, Plan, Who};

/// How often the requests of each process are counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// How long the end of a run waits before it looks again whether ZooKeeper has a leader.
const ELECTION: Duration = Duration::from_millis(50);

/// Ends a fault.
type End<'a> = Box<dyn FnOnce(&mut Nemesis<'a>) + 'a>;

/// The fleet, and what is being done to it.
pub(super) struct Nemesis<'a> {
    pub(super) plan: &'a Plan,
    pub(super) ensemble: SimulatedEnsemble,
    pub(super) recorder: Recorder,
    pub(super) wrap: Wrap<'a>,
    pub(super) callees: Callees,
    pub(super) servers: Vec<Option<Server>>,
    pub(super) clients: Vec<Client>,
    pub(super) rng: SmallRng,
    /// Whom faults keep from connecting, and whose traffic they stop: of whatever process, or of one client of the ensemble.
    pub(super) isolated: BTreeMap<u32, Who>,
    pub(super) stalled: BTreeMap<u32, (Who, Option<u64>)>,
    pub(super) outages: Vec<(u32, Outage)>,
    pub(super) leavers: Leavers,
    /// Whether the rights on the root are not yet those that they are to be.
    pub(super) has_other_rights: bool,
    /// Which servers of the ensemble are down, and by how much which are behind, by fault.
    pub(super) down: BTreeMap<u32, u8>,
    pub(super) behind: BTreeMap<u32, (u8, u64)>,
    /// The rights on the root that nobody has at present, by fault.
    pub(super) denied: BTreeMap<u32, i32>,
    /// By how much which fault slows everything down, which timeouts it clamps to, and which ones refuse authentication.
    pub(super) delays: BTreeMap<u32, u64>,
    pub(super) clamps: BTreeMap<u32, Duration>,
    pub(super) refusals: BTreeSet<u32>,
    /// What ends when.
    endings: BTreeMap<(Instant, u32), End<'a>>,
    /// Faults that wait for something to happen. All of them end when everything is healed.
    pub(super) waiting: JoinSet<()>,
    pub(super) healed: latest::Sender<bool>,
    next_count: Instant,
    counted: BTreeMap<u64, u64>,
}

impl<'a> Nemesis<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        ensemble: &SimulatedEnsemble,
        recorder: &Recorder,
        wrap: Wrap<'a>,
    ) -> Self {
        let (healed, _) = latest::channel(false);
        Self {
            plan,
            ensemble: ensemble.clone(),
            recorder: recorder.clone(),
            wrap,
            callees: Callees::new(recorder, plan.seed, ATTEMPT),
            servers: Vec::new(),
            clients: Vec::new(),
            rng: SmallRng::seed_from_u64(plan.seed ^ 0x006e_656d_6573_6973),
            isolated: BTreeMap::new(),
            stalled: BTreeMap::new(),
            outages: Vec::new(),
            leavers: Leavers::new(ensemble),
            has_other_rights: false,
            down: BTreeMap::new(),
            behind: BTreeMap::new(),
            denied: BTreeMap::new(),
            delays: BTreeMap::new(),
            clamps: BTreeMap::new(),
            refusals: BTreeSet::new(),
            endings: BTreeMap::new(),
            waiting: JoinSet::new(),
            healed,
            next_count: Instant::now() + COUNT_EVERY,
            counted: BTreeMap::new(),
        }
    }

    /// Lets time pass, and ends what ends meanwhile.
    pub(super) async fn let_pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let ending = self.endings.first_key_value().map(|((at, _), _)| *at);
            let next = ending.map_or(self.next_count, |at| at.min(self.next_count));
            if next > until {
                break;
            }
            sleep_until(next).await;
            if ending == Some(next)
                && let Some((_, end)) = self.endings.pop_first()
            {
                end(self);
            } else {
                self.count_requests();
                self.catch_up();
            }
        }
        sleep_until(until).await;
    }

    fn count_requests(&mut self) {
        self.next_count += COUNT_EVERY;
        let servers = self.servers.iter().flatten().map(|server| server.client);
        for client in servers.chain(self.clients.iter().map(|client| client.client)) {
            let so_far = self.ensemble.request_count(client);
            let before = self.counted.insert(client, so_far).unwrap_or_default();
            if so_far > before
                && let Some(process) = self.recorder.process_of(client)
            {
                self.recorder.record(What::Requests { process, count: so_far - before });
            }
        }
    }

    /// Records that a fault begins.
    pub(super) fn begin(&self, act: &Act, who: Option<Who>) -> u32 {
        self.recorder.fault(act.kind(), who.map(|who| who.to_string()), format!("{act:?}"))
    }

    /// Records a fault that is over at once.
    pub(super) fn at_once(&self, id: u32, has_effect: bool) {
        if has_effect {
            self.recorder.took_effect(id);
        }
        self.recorder.fault_over(id);
    }

    /// Ends a fault in so many milliseconds, or when everything is healed.
    pub(super) fn lasts(&mut self, id: u32, for_ms: u64, end: impl FnOnce(&mut Self) + 'a) {
        let at = Instant::now() + Duration::from_millis(for_ms.max(1));
        let end = move |nemesis: &mut Self| {
            end(nemesis);
            nemesis.recorder.fault_over(id);
        };
        self.endings.insert((at, id), Box::new(end));
    }

    /// Ends everything that is not over yet.
    pub(super) async fn heal(&mut self) {
        self.end_outages();
        while let Some((_, end)) = self.endings.pop_first() {
            end(self);
        }
        self.healed.send(true);
        while self.waiting.join_next().await.is_some() {}
        while self.is_away() {
            sleep(ELECTION).await;
        }
        self.catch_up();
        // Older data may have brought back others who had gone.
        for session in self.recorder.sessions_of_others() {
            self.ensemble.expire(session);
        }
    }

    /// Does what could not be done while ZooKeeper was away.
    pub(super) fn catch_up(&mut self) {
        self.leavers.go();
        if self.has_other_rights {
            self.set_rights();
        }
    }

    /// Does something.
    pub(super) fn act(&mut self, act: &Act) {
        match act {
            Act::Cut(who) => self.cut(act, *who),
            Act::Isolate(who, for_ms) => self.isolate(act, *who, *for_ms),
            Act::Stall(who, for_ms) => self.stall(act, *who, *for_ms),
            Act::Lose(who, loss) => self.lose(act, *who, *loss, false),
            Act::LoseWrite(who, loss) => self.lose(act, *who, *loss, true),
            Act::Expire(who) => self.expire(act, *who),
            Act::Swallow(who) => self.swallow(act, *who),
            Act::Away(for_ms) => self.away(act, Outage::Away, *for_ms),
            Act::Older(for_ms, before) => {
                self.away(act, Outage::Older(Duration::from_millis(*before)), *for_ms);
            }
            Act::Empty(for_ms) => self.away(act, Outage::Empty, *for_ms),
            Act::ServerDown(server, for_ms) => self.server_down(act, *server, *for_ms),
            Act::Slow(by, for_ms) => self.slow(act, *by, *for_ms),
            Act::Behind(server, by, for_ms) => self.behind(act, *server, *by, *for_ms),
            Act::Clamp(to, for_ms) => self.clamp(act, *to, *for_ms),
            Act::RefuseAuthentication(for_ms) => self.refuse_authentication(act, *for_ms),
            Act::DenyCreate(for_ms) => self.deny(act, permission::CREATE, *for_ms),
            Act::DenyRead(for_ms) => self.deny(act, permission::READ, *for_ms),
            Act::Kill(server) => self.kill(act, *server),
            Act::Start(server) => self.start(act, *server),
            Act::Stop(server) => self.stop(act, *server),
            Act::Pause(who, for_ms) => self.pause(act, *who, *for_ms),
            Act::ClockStep(who, by) => self.step_clock(act, *who, *by),
            Act::Reweigh(server, weight) => self.reweigh(act, *server, *weight),
            Act::Drain(server, draining) => self.drain(act, *server, *draining),
            Act::Callee(server, trouble, for_ms) => self.callee(act, *server, *trouble, *for_ms),
            Act::DeleteZnode(server) => self.delete_znode(act, *server),
            Act::DeleteAll => self.delete_all(act),
            Act::DeleteRoot => self.delete_root(act),
            Act::Overwrite(server) => self.overwrite(act, *server),
            Act::Rival(server, for_ms) => self.rival(act, *server, *for_ms),
            Act::Foreign(for_ms) => self.foreign(act, *for_ms),
            Act::Impostor(for_ms) => self.impostor(act, *for_ms),
            Act::Crowd(count, for_ms) => self.crowd(act, *count, *for_ms),
            Act::Release(client) => self.release(act, *client),
        }
    }

    /// Ends all processes, without ZooKeeper: the order in which a runtime drops its tasks is no part of a run.
    pub(super) async fn end(mut self) {
        let servers = self.servers.iter().flatten().map(|server| server.client);
        for client in self.clients.iter().map(|client| client.client).chain(servers) {
            self.ensemble.kill(client);
        }
        for client in std::mem::take(&mut self.clients) {
            client.end().await;
        }
        for server in std::mem::take(&mut self.servers).into_iter().flatten() {
            server.kill();
        }
    }
}
