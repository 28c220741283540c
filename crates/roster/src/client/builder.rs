//! How a service is followed and called.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use balance::{BalancerConfig, CallConfig, Strategy};
use discovery::{DiscoveryConfig, Records};
use tokio::time::{Instant, timeout};
use zk_core::{PathError, Zk, ZnodePath};

use super::Client;
use super::config::Config;
use super::members::MemberSource;
use super::shared::Shared;
use super::status::ClientStatus;
use crate::saved::SavedPlace;

/// How long ZooKeeper has to list the service before a saved list does: what is fresh is better, and a list takes milliseconds.
const HEAD_START: Duration = Duration::from_secs(1);

/// How a service is followed and called. Made by [`Client::builder`].
///
/// ```no_run
/// # use std::time::Duration;
/// # use zk_roster::{CallConfig, Client, Strategy};
/// # async fn example(zk: zk_roster::Zk) -> Result<(), Box<dyn std::error::Error>> {
/// let web = Client::builder(&zk, "/services/web")?
///     .strategy(Strategy::LeastLoaded)
///     .calls(CallConfig::new(Duration::from_millis(500), Duration::from_secs(2))?)
///     .saved_at("/var/lib/shop/web.saved")
///     .follow()
///     .await?;
/// println!("{}", web.status()); // /services/web: 12 members, live; 12 in service
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it follows nothing before `start` or `follow`"]
pub struct ClientBuilder {
    zk: Zk,
    discovery: DiscoveryConfig,
    balancer: BalancerConfig,
    call: CallConfig,
    saved_at: Option<PathBuf>,
    saved_max_age: Duration,
    known_within: Duration,
}

/// Why a service cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The path of the service is no znode path.
    #[error("the path of the service cannot be used")]
    Path(#[from] PathError),
    /// ZooKeeper did not list the service in time, or following has ended.
    #[error("not known within {waited:?}: {status}")]
    NotKnown {
        /// How long the caller waited.
        waited: Duration,
        /// How the client stood at the end; it has the reason.
        status: Box<ClientStatus>,
    },
}

impl ClientBuilder {
    /// How long [`follow`](Self::follow) waits by default: 10 s.
    pub const DEFAULT_KNOWN_WITHIN: Duration = Duration::from_secs(10);

    /// How old a saved list may be by default: 24 h. Longer than an outage of ZooKeeper that somebody repairs, and shorter than the time
    /// after which most networks give the address of an instance to somebody else.
    pub const DEFAULT_SAVED_MAX_AGE: Duration = Duration::from_secs(24 * 3600);

    pub(super) fn new(zk: &Zk, root: ZnodePath) -> Self {
        Self {
            zk: zk.clone(),
            // Weights, tags and draining instances show only in records.
            discovery: DiscoveryConfig::new(root).with_records(Records::Read),
            balancer: BalancerConfig::default(),
            call: CallConfig::default(),
            saved_at: None,
            saved_max_age: Self::DEFAULT_SAVED_MAX_AGE,
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

    /// Saves the list in this file, and uses what it finds there at the start, until ZooKeeper has listed the service: so a client
    /// can start while ZooKeeper is away. By default nothing is saved.
    ///
    /// The file is replaced as a whole, at most every 5 s, when ZooKeeper confirms another list that is not empty (and again after
    /// 1/24 of [`saved_max_age`](Self::saved_max_age), so that it says when the list was last right). It has endpoints, weights, tags
    /// and incarnations, without the instances that are draining, and only its owner can read it. The folder has to exist. Each
    /// service needs a file of its own; several processes may share one.
    ///
    /// A file that is damaged, another service's or ensemble's, too old, from the future, in a newer format, longer than 16 MiB, or that another user
    /// may have written, is reported in the log and not used. Nothing about the file makes the start fail, and a disk that does not
    /// answer does not delay it: reading and writing are done on threads.
    ///
    /// Only calls use a saved list. [`Client::discovery`] shows what ZooKeeper says; [`Client::is_saved`] tells the two apart.
    pub fn saved_at(mut self, path: impl Into<PathBuf>) -> Self {
        self.saved_at = Some(path.into());
        self
    }

    /// Sets how old a saved list may be: [`DEFAULT_SAVED_MAX_AGE`](Self::DEFAULT_SAVED_MAX_AGE) if this is not called.
    pub fn saved_max_age(mut self, age: Duration) -> Self {
        self.saved_max_age = age;
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
        let saved = self.saved_at.map(|path| SavedPlace {
            path,
            service: self.discovery.root().to_string(),
            hosts: self.zk.hosts().iter().map(ToString::to_string).collect(),
            max_age: self.saved_max_age,
        });
        let Self { discovery, balancer, call, .. } = self;
        let config = Config { discovery, balancer, call, saved };
        Client { shared: Arc::new(Shared::start(&self.zk, config)) }
    }

    /// Starts to follow, and waits until ZooKeeper has listed the service, if only to say that nobody is registered. Where a
    /// [saved list](Self::saved_at) can be used, it waits for ZooKeeper for 1 s at most.
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
        let (started, within, may_be_saved) = (Instant::now(), self.known_within, self.saved_at.is_some());
        let client = self.start();
        let mut members = client.members();
        let head_start = if may_be_saved { within.min(HEAD_START) } else { within };
        let listed = members.wait_for(|members| members.source() == MemberSource::ZooKeeper);
        if matches!(timeout(head_start, listed).await, Ok(Ok(_))) {
            return Ok(client);
        }
        let known = members.wait_for(|members| members.source() != MemberSource::NotSynced);
        if matches!(timeout(within.saturating_sub(started.elapsed()), known).await, Ok(Ok(_))) {
            return Ok(client);
        }
        let status = Box::new(client.status());
        Err(FollowError::NotKnown { waited: started.elapsed().min(within), status })
    }
}
