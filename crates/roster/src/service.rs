//! [`Service`]: the life of a service, from its first registration to its leave.

mod address;
mod driver;
mod leave;
mod listener;
mod listening;
mod mode;
mod presence;
mod readiness;
mod record;
mod running;
#[cfg(feature = "signals")]
mod signals;
mod status;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use instance::{EncodeError, Endpoint, EndpointError, Format, Host, Plain};
use registry::{Registrar, RegistrarConfig};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, info_span};
use zk_core::{PathError, Zk, ZnodePath};

pub use listening::Listening;
pub use readiness::{Liveness, Readiness};
pub use record::ServiceRecord;
pub use running::{RunningService, ServiceLeft, ServiceUpdateError};
pub use status::{InstanceStatus, LeaveError, ServiceNotRegistered, ServiceStage, ServiceStatus};

use crate::advertise::Advertise;
use crate::health::{HealthCheck, ServiceHealth, WhenSick, watch_over};
use address::Source;
use driver::{Driver, Helpers};
use leave::Leave;
use listener::Listener;
use mode::Mode;
use running::{RecordCheck, Shared};

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
    zk: Zk,
    config: Result<RegistrarConfig, PathError>,
    format: Arc<dyn Format>,
    record: ServiceRecord,
    source: Source,
    health: Option<HealthCheck>,
    settle: Duration,
}

/// Why a service cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The path of the service is no znode path.
    #[error("the path of the service cannot be used")]
    Path(#[from] PathError),
    /// The record cannot be written: its weight or one of its tags.
    #[error("the record of the service cannot be written")]
    Record(#[from] EncodeError),
    /// There is no listener.
    #[error("the service has no listener")]
    NoListener,
    /// The system does not say where the listener listens.
    #[error("the address of the listener is not known")]
    Listener(#[from] io::Error),
    /// Nothing can be called there: the port is 0.
    #[error("the service cannot be called at {bound}")]
    Endpoint {
        /// Where it listens.
        bound: SocketAddr,
        /// Why it cannot be called there.
        #[source]
        source: EndpointError,
    },
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
        Self {
            zk: zk.clone(),
            config: root.try_into().map(RegistrarConfig::new).map_err(Into::into),
            format: Arc::new(Plain),
            record: ServiceRecord::default(),
            source: Source::Advertise(Advertise::default()),
            health: None,
            settle: Self::DEFAULT_SETTLE,
        }
    }

    /// Sets the weight: its share of the calls relative to the weights of others, 0 to a million; 100 by default.
    pub fn weight(mut self, weight: u32) -> Self {
        self.record.weight = weight;
        self
    }

    /// Adds a tag, or replaces its value.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.record.set_tag(key, value);
        self
    }

    /// Adds tags, as [`tag`](Self::tag) does each.
    pub fn tags<K: Into<String>, V: Into<String>>(mut self, tags: impl IntoIterator<Item = (K, V)>) -> Self {
        self.record.tags.extend(tags.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// Sets how the address that callers reach is found. By default it is the listen address; where that is `0.0.0.0` or `::`,
    /// our address on the route to ZooKeeper.
    pub fn advertise(mut self, advertise: impl Into<Advertise>) -> Self {
        self.source = Source::Advertise(advertise.into());
        self
    }

    /// Registers the address that the program itself finds, and each that it changes to; nothing before there is one. The last
    /// one stays when the sender is dropped.
    pub fn advertise_from(mut self, addresses: watch::Receiver<Option<Host>>) -> Self {
        self.source = Source::Given(addresses);
        self
    }

    /// Registers the service only while it is healthy. Without a check it always is.
    pub fn health(mut self, check: HealthCheck) -> Self {
        self.health = Some(check);
        self
    }

    /// Sets how long the service serves on once it is deregistered. A third of that lies, within the bounds of
    /// [`leave`](RunningService::leave), between the word that it is draining and the deregistration.
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Changes how it is registered: the ACL, the audits.
    pub fn registrar(mut self, change: impl FnOnce(RegistrarConfig) -> RegistrarConfig) -> Self {
        self.config = self.config.map(change);
        self
    }

    /// Writes its records in another format.
    pub fn format(mut self, format: Arc<dyn Format>) -> Self {
        self.format = format;
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
        let config = self.config?;
        let service = config.root().clone();
        let registrar = Registrar::with_format(&self.zk, config, self.format.clone());
        let listeners =
            listeners.into_iter().map(|listener| Ok((listener.address()?, listener.is_exclusive())));
        let listeners = listeners.collect::<io::Result<Vec<(SocketAddr, bool)>>>()?;
        let mut endpoints = Vec::new();
        for (bound, _) in &listeners {
            let endpoint = Endpoint::new(IpAddr::from(Ipv4Addr::LOCALHOST), bound.port());
            endpoints.push(endpoint.map_err(|source| ServeError::Endpoint { bound: *bound, source })?);
        }
        let endpoint = endpoints.pop().ok_or(ServeError::NoListener)?;
        let owner = registrar.owner().clone().with_bound(listeners[0].0);
        let check = RecordCheck { format: self.format, owner, endpoint };
        check.check(&self.record)?;

        let mut helpers = Helpers::default();
        let mut addresses = BTreeMap::new();
        let listeners = listeners.into_iter().map(|(bound, vouched)| {
            let address = addresses.entry(bound.ip()).or_insert_with(|| {
                let (address, tracker) = self.source.follow(&self.zk, bound.ip());
                helpers.trackers.extend(tracker);
                address
            });
            Listener::new(bound, vouched, address.clone())
        });
        let listeners: Vec<Listener> = listeners.collect();
        let when_sick = self.health.as_ref().map_or(WhenSick::default(), HealthCheck::does_when_sick);
        let first = if self.health.is_some() { ServiceHealth::Unknown } else { ServiceHealth::Healthy };
        let (verdicts, health) = watch::channel(first.clone());
        helpers.health = self.health.map(|check| {
            let checking = watch_over(check, verdicts).instrument(info_span!("health", %service));
            AbortOnDropHandle::new(tokio::spawn(checking))
        });
        let (record_tx, record) = watch::channel(self.record.clone());
        let (leave_tx, leave) = watch::channel(Leave::No);
        let status = ServiceStatus {
            service: service.clone(),
            stage: ServiceStage::Serving,
            health: first,
            draining: false,
            link: self.zk.state(),
            instances: listeners.iter().map(Listener::status).collect(),
            was_registered: false,
        };
        let (status_tx, status) = watch::channel(status);
        let driver = Driver {
            zk: self.zk.clone(),
            registrar,
            listeners,
            record,
            health,
            when_sick,
            settle: self.settle,
            leave,
            status: status_tx,
            helpers,
            mode: Mode::default(),
            written: (self.record, false),
        };
        let task = tokio::spawn(driver.run().instrument(info_span!("service", %service)));
        let task = AbortOnDropHandle::new(task);
        let shared = Shared { zk: self.zk, record: record_tx, leave: leave_tx, status, check, task };
        Ok(RunningService { shared: Arc::new(shared) })
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("config", &self.config)
            .field("record", &self.record)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}
