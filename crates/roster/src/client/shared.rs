//! What all clones of a client share.

use std::sync::Arc;
use std::time::Duration;

use balance::{Balancer, Caller};
use discovery::Discovery;
use instance::Endpoint;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use zk_core::{Sources, States, Zk, ZnodePath};

use super::calls::Calls;
use super::config::Config;
use super::feed::feed;
use super::member::Member;
use super::members::MemberSet;
use super::status::ClientStatus;
use crate::saved;

/// How long the end of a client waits for a list that is being written: a disk that does not answer must not keep it.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// What all clones of a client share.
pub(super) struct Shared {
    service: ZnodePath,
    pub(super) discovery: Discovery,
    pub(super) balancer: Balancer<Endpoint, Member>,
    pub(super) calls: Calls,
    /// Repeats every call, and makes no trial beside one.
    #[cfg(feature = "reqwest")]
    pub(super) repeating: Calls,
    pub(super) members: watch::Receiver<Arc<MemberSet>>,
    // Neither keeps the link alive.
    states: States,
    sources: Sources,
    tasks: TaskTracker,
    /// They end with following, or with this.
    _running: Vec<AbortOnDropHandle<()>>,
}

impl Shared {
    /// Starts to follow and to pass on.
    pub(super) fn start(zk: &Zk, config: Config) -> Self {
        let service = config.discovery.root().clone();
        let discovery = Discovery::start(zk, config.discovery);
        let balancer = Balancer::new(config.balancer);
        // First: whether there is another reader must not change what a seed does with this one.
        let calls = Calls::new(Caller::new(balancer.reader(), config.call.clone()), &discovery);
        #[cfg(feature = "reqwest")]
        let repeating = {
            let config = config.call.with_idempotent(true);
            Calls::new(Caller::new(balancer.reader(), config), &discovery)
        };
        let (members_tx, members) = watch::channel(Arc::default());
        let sources = zk.sources().clone();

        let tasks = TaskTracker::new();
        let mut running = Vec::new();
        {
            let (balancer, discovery) = (balancer.clone(), discovery.clone());
            let (place, sources) = (config.saved.clone(), sources.clone());
            running.push(tasks.spawn(async move {
                let saved = async { saved::load(place?, sources).await };
                feed(&balancer, &discovery, saved, members_tx).await;
            }));
        }
        if let Some(place) = config.saved {
            let (discovery, sources) = (discovery.clone(), sources.clone());
            running.push(tasks.spawn(async move { saved::keep(place, &discovery, &sources).await }));
        }
        tasks.close();
        let running = running.into_iter().map(AbortOnDropHandle::new).collect();
        Self {
            service,
            discovery,
            balancer,
            calls,
            #[cfg(feature = "reqwest")]
            repeating,
            members,
            states: zk.states(),
            sources,
            tasks,
            _running: running,
        }
    }

    pub(super) fn status(&self) -> ClientStatus {
        let members = self.members.borrow().clone();
        let (view, state) = (self.discovery.view(), self.states.clone().latest());
        ClientStatus::new(
            &self.service,
            &members,
            &view,
            &state,
            self.balancer.status(),
            self.sources.wall_clock(),
        )
    }

    /// Resolves when following has ended.
    pub(super) async fn ended(&self) {
        let mut members = self.members.clone();
        while members.changed().await.is_ok() {}
    }

    pub(super) async fn shutdown(&self) {
        self.calls.shutdown().await;
        self.discovery.clone().shutdown().await;
        if timeout(LAST_WRITE, self.tasks.wait()).await.is_err() {
            tracing::warn!("roster: the list is not saved within {LAST_WRITE:?}");
        }
    }
}
