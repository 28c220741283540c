//! One listener of a service, and its registrations.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, unfold};
use instance::{Endpoint, Host};
use registry::{Registrar, Registration, RegistrationStatus};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::address::{Address, is_this_machines};
use super::presence::{Effect, Input, Presence};
use super::record::ServiceRecord;
use super::status::InstanceStatus;

/// Has an item whenever something has changed.
pub(super) type Changes = BoxStream<'static, ()>;

/// One listener, and what is registered for it.
pub(super) struct Listener {
    bound: SocketAddr,
    /// This process alone listens there.
    vouched: bool,
    address: Address,
    presence: Presence,
    kept: BTreeMap<Endpoint, Kept>,
    /// The last endpoint that could not be registered at all, and why.
    refused: Option<(Endpoint, String)>,
    /// The present address, if nobody can call it, and why.
    unusable: Option<(Host, String)>,
}

/// A registration, until its name is free again.
struct Kept {
    /// `None` while it is being deregistered.
    registration: Option<Registration>,
    status: watch::Receiver<RegistrationStatus>,
}

/// What every listener of a service is to be.
pub(super) struct Wanted<'a> {
    pub(super) registrar: &'a Registrar,
    pub(super) linked: bool,
    pub(super) listed: bool,
    pub(super) record: &'a ServiceRecord,
    pub(super) draining: bool,
}

impl Listener {
    pub(super) fn new(bound: SocketAddr, vouched: bool, address: Address) -> Self {
        let (presence, kept) = (Presence::default(), BTreeMap::new());
        Self { bound, vouched, address, presence, kept, refused: None, unusable: None }
    }

    /// Compares what is registered with what is wanted, and declares the difference. Returns what reports the changes of new
    /// registrations.
    pub(super) fn reconcile(&mut self, wanted: &Wanted<'_>) -> Vec<Changes> {
        let mut inputs = vec![Input::Linked(wanted.linked), Input::Wanted(wanted.listed)];
        inputs.extend(self.found().map(Input::Found));
        self.kept.retain(|endpoint, kept| {
            let status = kept.status.borrow();
            let is_registered =
                matches!(*status, RegistrationStatus::Registered { .. } | RegistrationStatus::Unconfirmed);
            inputs.push(match status.is_final() {
                true => Input::Gone(endpoint.clone()),
                false => Input::Registered(endpoint.clone(), is_registered),
            });
            // Its name is free again.
            !(status.is_final() && kept.registration.is_none())
        });
        // They were refused.
        let unkept = self.presence.held().filter(|endpoint| !self.kept.contains_key(*endpoint));
        inputs.extend(unkept.cloned().map(Input::Gone).collect::<Vec<_>>());
        inputs.push(Input::Timer);
        let mut changes = Vec::new();
        for input in inputs {
            for effect in self.presence.apply(input, Instant::now(), is_this_machines) {
                changes.extend(self.perform(effect, wanted));
            }
        }
        changes
    }

    /// Where callers reach it, once that is known. An address that nobody can call changes nothing: only the program itself finds
    /// such a one.
    fn found(&mut self) -> Option<Endpoint> {
        let host = self.address.host.borrow().clone()?;
        let error = match Endpoint::new(host.clone(), self.bound.port()) {
            Ok(endpoint) => {
                self.unusable = None;
                return Some(endpoint);
            }
            Err(error) => error,
        };
        if self.unusable.as_ref().is_none_or(|(before, _)| *before != host) {
            warn!(bound = %self.bound, %host, %error, "address cannot be advertised, keeping the last one");
            self.unusable = Some((host, error.to_string()));
        }
        None
    }

    fn perform(&mut self, effect: Effect, wanted: &Wanted<'_>) -> Option<Changes> {
        match effect {
            Effect::Register(endpoint) => {
                for former in self.presence.former() {
                    info!(%former, %endpoint, "address changed: registering under the new one");
                }
                let instance = wanted.record.instance(endpoint.clone(), wanted.draining);
                let registered = match self.vouched {
                    true => wanted.registrar.register_bound(instance, self.bound),
                    false => wanted.registrar.register(instance),
                };
                let registration = match registered {
                    Ok(registration) => registration,
                    Err(error) => {
                        warn!(%endpoint, %error, "cannot be registered");
                        self.refused = Some((endpoint, error.to_string()));
                        return None;
                    }
                };
                let status = registration.statuses();
                let changes = changes_of(status.clone());
                self.kept.insert(endpoint, Kept { registration: Some(registration), status });
                Some(changes)
            }
            Effect::Deregister(endpoint) => {
                if let Some(kept) = self.kept.get_mut(&endpoint) {
                    debug!(%endpoint, "deregistering");
                    kept.registration = None;
                }
                None
            }
        }
    }

    /// Writes another record for all that is registered.
    pub(super) fn update(&mut self, record: &ServiceRecord, draining: bool) {
        for (endpoint, kept) in &self.kept {
            let Some(registration) = &kept.registration else { continue };
            if let Err(error) = registration.update(record.instance(endpoint.clone(), draining)) {
                warn!(%endpoint, %error, "record not updated");
            }
        }
    }

    /// Its registrations with their endpoints, without those that are being deregistered.
    pub(super) fn registrations(&self) -> impl Iterator<Item = (&Endpoint, &Registration)> {
        self.kept.iter().filter_map(|(endpoint, kept)| Some((endpoint, kept.registration.as_ref()?)))
    }

    /// Whether callers may find it: it is declared registered, or not known to be deregistered yet.
    pub(super) fn may_be_listed(&self) -> bool {
        !self.kept.is_empty()
    }

    /// What reports the changes of its address.
    pub(super) fn changes(&self) -> impl Iterator<Item = Changes> {
        let troubles = self.address.trouble.clone().map(changes_of);
        [changes_of(self.address.host.clone())].into_iter().chain(troubles)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.presence.deadline()
    }

    fn address_trouble(&self) -> Option<String> {
        let unusable = self.unusable.as_ref().map(|(_, why)| why.clone());
        unusable.or_else(|| Some(self.address.trouble.as_ref()?.borrow().as_ref()?.to_string()))
    }

    pub(super) fn status(&self) -> InstanceStatus {
        let endpoint = self.presence.target().cloned();
        let kept = endpoint.as_ref().and_then(|endpoint| self.kept.get(endpoint));
        let refused = self.refused.as_ref().filter(|(refused, _)| Some(refused) == endpoint.as_ref());
        InstanceStatus {
            bound: self.bound,
            address_trouble: self.address_trouble(),
            registration: kept.map(|kept| kept.status.borrow().clone()),
            refused: refused.map(|(_, why)| why.clone()),
            former: self.presence.former().cloned().collect(),
            endpoint,
        }
    }
}

/// Has an item for each change of a value; ends with its sender.
pub(super) fn changes_of<T: Send + Sync + 'static>(value: watch::Receiver<T>) -> Changes {
    unfold(value, |mut value| async { value.changed().await.ok().map(|()| ((), value)) }).boxed()
}
