//! [`Service`]: what a service registers, and when.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use instance::{Format, Host, Plain};
use registry::RegistrarConfig;
use tokio::sync::watch;
use zk_core::{PathError, Zk, ZnodePath};

use super::address::Source;
use super::error::ServeError;
use super::listening::Listening;
use super::record::ServiceRecord;
use super::running::RunningService;
use super::start::{Plan, start};
use crate::advertise::Advertise;
use crate::health::HealthCheck;

/// Describes a service: what it registers, and when.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use zk_roster::Service;
///
/// let zk = zk_roster::connect("zk1:2181,zk2:2181/apps")?;
/// let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
/// let service = Service::new(&zk, "/services/web").weight(50).tag("zone", "a").serve_on(&listener)?;
/// // ... accept calls, and stop when you are told to ...
/// service.leave().await?;
/// // ... finish what is in flight ...
/// zk.close(Duration::from_secs(1)).await?;
/// # Ok(())
/// # }
/// ```
///
/// # The order
/// Listen and accept, then [`serve_on`](Self::serve_on): from then on the service is called. To stop,
/// [`leave`](RunningService::leave), which returns when callers know; then stop accepting, finish what is in flight, and close
/// the link. axum does its part by itself, with `leave_on_signal`.
///
/// # What it keeps true
/// * Registered through expired sessions, outages of ZooKeeper and deletions by hand: see the crate `registry`.
/// * Registered under the address that callers reach. When that changes, the new endpoint is registered first, and the old one
///   goes when the new one is registered. While ZooKeeper refuses the new one (another owner has its name), the old one stays
///   for as long as its address is this machine's; otherwise for a second with a link: calls to it would reach nobody, or
///   somebody else. An address is this machine's if it is a loopback address or one of an interface; a name never is.
/// * Registered while it is healthy: [`health`](Self::health).
///
/// Every listener has one instance, with the same weight and tags.
#[must_use = "it registers nothing before `serve_on`"]
pub struct Service {
    config: Result<RegistrarConfig, PathError>,
    plan: Plan,
}

impl Service {
    /// How long a service serves on once it is deregistered, by default: 300 ms. Callers that follow ZooKeeper know within a
    /// few milliseconds; calls that were chosen before are still on their way.
    pub const DEFAULT_SETTLE: Duration = Duration::from_millis(300);

    /// Begins to describe a service, whose instances are the children of `root`. A path that is none is an error of
    /// [`serve_on`](Self::serve_on).
    pub fn new<R>(zk: &Zk, root: R) -> Self
    where
        R: TryInto<ZnodePath>,
        R::Error: Into<PathError>,
    {
        let plan = Plan {
            zk: zk.clone(),
            format: Arc::new(Plain),
            record: ServiceRecord::default(),
            source: Source::Advertise(Advertise::default()),
            health: None,
            settle: Self::DEFAULT_SETTLE,
        };
        Self { config: root.try_into().map(RegistrarConfig::new).map_err(Into::into), plan }
    }

    /// Sets the weight: its share of the calls relative to the weights of others, 0 to a million; 100 by default.
    pub fn weight(mut self, weight: u32) -> Self {
        self.plan.record.weight = weight;
        self
    }

    /// Adds a tag, or replaces its value.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.plan.record.set_tag(key, value);
        self
    }

    /// Adds tags, as [`tag`](Self::tag) does each.
    pub fn tags<K: Into<String>, V: Into<String>>(mut self, tags: impl IntoIterator<Item = (K, V)>) -> Self {
        self.plan.record.tags.extend(tags.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// Sets how the address that callers reach is found. By default it is the listen address; where that is `0.0.0.0` or `::`,
    /// our address on the route to ZooKeeper.
    pub fn advertise(mut self, advertise: impl Into<Advertise>) -> Self {
        self.plan.source = Source::Advertise(advertise.into());
        self
    }

    /// Registers the address that the program itself finds, and each that it changes to; nothing before there is one. The last
    /// one stays when the sender is dropped.
    pub fn advertise_from(mut self, addresses: watch::Receiver<Option<Host>>) -> Self {
        self.plan.source = Source::Given(addresses);
        self
    }

    /// Registers the service only while it is healthy. Without a check it always is.
    pub fn health(mut self, check: HealthCheck) -> Self {
        self.plan.health = Some(check);
        self
    }

    /// Sets how long the service serves on once it is deregistered. A third of that lies, within the bounds of
    /// [`leave`](RunningService::leave), between the word that it is draining and the deregistration.
    pub fn settle(mut self, settle: Duration) -> Self {
        self.plan.settle = settle;
        self
    }

    /// Changes how it is registered: the ACL, the audits.
    pub fn registrar(mut self, change: impl FnOnce(RegistrarConfig) -> RegistrarConfig) -> Self {
        self.config = self.config.map(change);
        self
    }

    /// Writes its records in another format.
    pub fn format(mut self, format: Arc<dyn Format>) -> Self {
        self.plan.format = format;
        self
    }

    /// Declares the service registered at this listener, from now until it leaves. Listen and accept before.
    ///
    /// Returns at once: ZooKeeper may start later. [`RunningService::registered`] waits for it.
    ///
    /// # Errors
    /// [`ServeError`]: all that can be known without ZooKeeper.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn serve_on(self, listener: &(impl Listening + ?Sized)) -> Result<RunningService, ServeError> {
        self.serve_on_all([listener])
    }

    /// As [`serve_on`](Self::serve_on), for a service that listens on several ports: each is an instance. They leave together.
    ///
    /// # Errors
    /// As [`serve_on`](Self::serve_on). Nothing is registered then.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn serve_on_all<L: Listening>(
        self,
        listeners: impl IntoIterator<Item = L>,
    ) -> Result<RunningService, ServeError> {
        let listeners =
            listeners.into_iter().map(|listener| Ok((listener.address()?, listener.is_exclusive())));
        let listeners = listeners.collect::<io::Result<Vec<(SocketAddr, bool)>>>()?;
        start(self.config?, self.plan, &listeners)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("config", &self.config)
            .field("record", &self.plan.record)
            .field("health", &self.plan.health)
            .finish_non_exhaustive()
    }
}
