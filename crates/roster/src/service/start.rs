//! Starts the task of a service.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use instance::{Endpoint, Format};
use registry::{Registrar, RegistrarConfig};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, info_span};
use zk_core::Zk;

use super::address::Source;
use super::driver::Driver;
use super::error::ServeError;
use super::leave::Leave;
use super::listener::Listener;
use super::mode::Mode;
use super::record::ServiceRecord;
use super::running::{RecordCheck, RunningService, Shared};
use super::status::{ServiceStage, ServiceStatus};
use crate::advertise::tracker::AddressTracker;
use crate::health::{HealthCheck, ServiceHealth, WhenSick, watch_over};

/// What is known of a service before it starts.
pub(super) struct Plan {
    pub(super) zk: Zk,
    pub(super) format: Arc<dyn Format>,
    pub(super) record: ServiceRecord,
    pub(super) source: Source,
    pub(super) health: Option<HealthCheck>,
    pub(super) settle: Duration,
}

/// Starts a service on these addresses; of each it is known whether this process alone listens there.
pub(super) fn start(
    config: RegistrarConfig,
    plan: Plan,
    bound: &[(SocketAddr, bool)],
) -> Result<RunningService, ServeError> {
    let Plan { zk, format, record, source, health: check, settle } = plan;
    let service = config.root().clone();
    let registrar = Registrar::with_format(&zk, config, format.clone());
    let record_check = record_check(&registrar, format, bound)?;
    record_check.check(&record)?;

    let (listeners, trackers) = listen(&zk, &source, bound);
    let when_sick = check.as_ref().map_or(WhenSick::default(), HealthCheck::does_when_sick);
    let first = if check.is_some() { ServiceHealth::Unknown } else { ServiceHealth::Healthy };
    let (verdicts, health) = watch::channel(first.clone());
    let checking = check.map(|check| {
        let checking = watch_over(check, verdicts).instrument(info_span!("health", %service));
        AbortOnDropHandle::new(tokio::spawn(checking))
    });
    let status = ServiceStatus {
        service: service.clone(),
        stage: ServiceStage::Serving,
        health: first,
        draining: false,
        link: zk.state(),
        instances: listeners.iter().map(Listener::status).collect(),
        was_registered: false,
    };
    let written = (record.clone(), false);
    let (record_tx, record) = watch::channel(record);
    let (leave_tx, leave) = watch::channel(Leave::No);
    let (status_tx, status) = watch::channel(status);
    let driver = Driver {
        zk: zk.clone(),
        registrar,
        listeners,
        record,
        health,
        when_sick,
        settle,
        leave,
        status: status_tx,
        helpers: (trackers, checking),
        mode: Mode::default(),
        last_listed: None,
        written,
    };
    let task = AbortOnDropHandle::new(tokio::spawn(driver.run().instrument(info_span!("service", %service))));
    let shared = Shared { zk, record: record_tx, leave: leave_tx, status, check: record_check, _task: task };
    Ok(RunningService { shared: Arc::new(shared) })
}

/// What refuses a record that cannot be written at one of these addresses.
fn record_check(
    registrar: &Registrar,
    format: Arc<dyn Format>,
    bound: &[(SocketAddr, bool)],
) -> Result<RecordCheck, ServeError> {
    let mut last = None;
    for (bound, _) in bound {
        // The address is found later; the port is that of the listener.
        let endpoint = Endpoint::new(IpAddr::from(Ipv4Addr::LOCALHOST), bound.port());
        let endpoint = endpoint.map_err(|source| ServeError::Endpoint { bound: *bound, source })?;
        last = Some((registrar.owner().clone().with_bound(*bound), endpoint));
    }
    let (owner, endpoint) = last.ok_or(ServeError::NoListener)?;
    Ok(RecordCheck { format, owner, endpoint })
}

/// The listeners, and what looks their addresses up: once for all that are bound to one address.
fn listen(zk: &Zk, source: &Source, bound: &[(SocketAddr, bool)]) -> (Vec<Listener>, Vec<AddressTracker>) {
    let (mut trackers, mut addresses) = (Vec::new(), BTreeMap::new());
    let listener = |(bound, is_exclusive): &(SocketAddr, bool)| {
        let address = addresses.entry(bound.ip()).or_insert_with(|| {
            let (address, tracker) = source.follow(zk, bound.ip());
            trackers.extend(tracker);
            address
        });
        Listener::new(*bound, *is_exclusive, address.clone())
    };
    let listeners = bound.iter().map(listener).collect();
    (listeners, trackers)
}
