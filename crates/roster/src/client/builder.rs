//! How a service is followed and called.

use std::time::Duration;

use balance::{BalancerConfig, CallConfig, Strategy};
use discovery::{Discovery, DiscoveryConfig, NotReady, Records};
use zk_core::{PathError, Zk, ZnodePath};

use super::Client;

/// How a service is followed and called. Made by [`Client::builder`].
#[derive(Clone, Debug)]
#[must_use = "it follows nothing before `start` or `follow`"]
pub struct ClientBuilder {
    pub(super) zk: Zk,
    pub(super) discovery: DiscoveryConfig,
    pub(super) balancer: BalancerConfig,
    pub(super) call: CallConfig,
    known_within: Duration,
}

/// Why a service cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The path of the service is no znode path.
    #[error("the path of the service cannot be used")]
    Path(#[from] PathError),
    /// ZooKeeper did not list the service in time.
    #[error("the service is not known yet")]
    NotKnown(#[from] NotReady),
}

impl ClientBuilder {
    /// How long [`follow`](Self::follow) waits by default: 10 s.
    pub const DEFAULT_KNOWN_WITHIN: Duration = Duration::from_secs(10);

    pub(super) fn new(zk: &Zk, root: ZnodePath) -> Self {
        Self {
            zk: zk.clone(),
            // Weights, tags and draining instances show only in records.
            discovery: DiscoveryConfig::new(root).with_records(Records::Read),
            balancer: BalancerConfig::default(),
            call: CallConfig::default(),
            known_within: Self::DEFAULT_KNOWN_WITHIN,
        }
    }

    /// Chooses by this strategy, with the other settings of the balancer as they are.
    pub fn strategy(self, strategy: Strategy) -> Self {
        self.balancer(BalancerConfig::new(strategy))
    }

    /// Replaces all settings of the balancer: strategy, zone, labels, subset, ejection.
    pub fn balancer(mut self, config: BalancerConfig) -> Self {
        self.balancer = config;
        self
    }

    /// Replaces the deadlines and the retries of calls.
    pub fn calls(mut self, config: CallConfig) -> Self {
        self.call = config;
        self
    }

    /// Reads no records but only names: a change costs no read, every instance has the default weight and no tags, and what
    /// is draining shows only once it has left.
    pub fn names_only(mut self) -> Self {
        self.discovery = self.discovery.with_records(Records::NamesOnly);
        self
    }

    /// Changes the other settings of following: audits, holds, settling.
    pub fn discovery(mut self, change: impl FnOnce(DiscoveryConfig) -> DiscoveryConfig) -> Self {
        self.discovery = change(self.discovery);
        self
    }

    /// Sets how long [`follow`](Self::follow) waits for ZooKeeper's first list.
    pub fn known_within(mut self, within: Duration) -> Self {
        self.known_within = within;
        self
    }

    /// Starts to follow, and returns without waiting for ZooKeeper. A call waits for the first endpoints within its deadline.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(self) -> Client {
        Client::start(self)
    }

    /// Starts to follow, and waits until ZooKeeper has listed the service, if only to say that nobody is registered.
    ///
    /// # Errors
    /// [`FollowError::NotKnown`] after 10 s, or [`known_within`](Self::known_within).
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    /// Following ends if the future is dropped.
    pub async fn follow(self) -> Result<Client, FollowError> {
        let within = self.known_within;
        let client = self.start();
        client.discovery().ready(0, within).await?;
        Ok(client)
    }

    pub(super) fn start_discovery(&self) -> Discovery {
        Discovery::start(&self.zk, self.discovery.clone())
    }
}
