//! A client process: a link, what follows the service on it, and calls.

use oracle::What;
use tokio::task::JoinSet;
use zk_core::Zk;
use zk_core::transport::latest;
use zk_roster::{BalancerConfig, Strategy};

use super::callees::Callees;
use super::calls::Calls;
use super::recorder::Recorder;
use super::{AUDIT, ROOT, call_config, follow};
use crate::plan::Caller;

/// What a client process is made of.
pub(super) struct Birth {
    pub(super) name: String,
    pub(super) config: Caller,
    pub(super) client: u64,
    pub(super) zk: Zk,
    pub(super) callees: Callees,
    pub(super) recorder: Recorder,
    pub(super) seed: u64,
}

/// A client process.
pub(super) struct Client {
    /// Its client of the ensemble.
    pub(super) client: u64,
    pub(super) zk: Zk,
    service: zk_roster::Client,
    paused: latest::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Client {
    pub(super) fn start(birth: Birth) -> Self {
        let Birth { name, config, client, zk, callees, recorder, seed } = birth;
        recorder.record(What::Spawned { process: name.clone() });
        let strategy = Strategy::ALL[usize::from(config.strategy) % Strategy::ALL.len()];
        let mut builder = zk_roster::Client::builder(&zk, ROOT)
            .expect("a path")
            .balancer(BalancerConfig::new(strategy).with_seed(seed))
            .calls(call_config())
            .discovery(|config| config.with_audit_interval(AUDIT).expect("an allowed interval"));
        if !config.records {
            builder = builder.names_only();
        }
        let service = builder.start();
        let (paused, pauses) = latest::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(follow::link(name.clone(), zk.states(), recorder.clone()));
        tasks.spawn(follow::views(name.clone(), service.discovery().views(), recorder.clone()));
        let calls = Calls {
            process: name,
            client: service.clone(),
            idempotent: config.idempotent,
            strategy,
            callees,
            recorder,
            paused: pauses,
            seed,
        };
        tasks.spawn(calls.run());
        Self { client, zk, service, paused, tasks }
    }

    /// Makes no calls, or makes them again.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused.send(paused);
    }

    /// Believes everything that is held; false if nothing is.
    pub(super) fn release(&self) -> bool {
        let holds = self.service.discovery().view().held > 0;
        self.service.discovery().release_held();
        holds
    }

    /// Ends.
    pub(super) async fn end(mut self) {
        self.tasks.shutdown().await;
        self.service.shutdown().await;
    }
}
