//! Every setting with its origin, and the relations between settings.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use balance::Strategy;
use zk_core::ZnodePath;

use crate::check;
use crate::config::{ClientConfig, ClientSettings, ServerConfig, ServerSettings};
use crate::diagnostics::{Diagnostics, Origin};
use crate::secret::Secret;
use crate::security::{self, Security};

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Sourced<T> {
    value: T,
    /// `None` if a layer set a wrong value: then `value` means nothing, and nothing is compared with it.
    origin: Option<Origin>,
}

/// Every key of the schema.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) zookeeper: Zookeeper,
    pub(crate) registry: Registry,
    pub(crate) discovery: Discovery,
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) metrics: Metrics,
}

#[derive(Clone, Debug)]
pub(crate) struct Zookeeper {
    /// Hosts and chroot; without the session timeout, which is a key of its own.
    pub(crate) hosts: Sourced<zk_core::ZkConfig>,
    pub(crate) root: Sourced<ZnodePath>,
    pub(crate) session_timeout: Sourced<Duration>,
    pub(crate) server_version: Sourced<zk_core::ServerVersion>,
    pub(crate) embedded: Sourced<bool>,
    pub(crate) auth: Auth,
    pub(crate) tls: Tls,
    /// Made of the two by `check`.
    pub(crate) security: Security,
}

#[derive(Clone, Debug)]
pub(crate) struct Auth {
    /// Where the section begins in the file.
    pub(crate) section: Option<usize>,
    pub(crate) scheme: Sourced<Option<Scheme>>,
    pub(crate) user: Sourced<Option<String>>,
    pub(crate) password_file: Sourced<Option<PathBuf>>,
    /// From the environment. Refused if `password_file` is broken, or if the TOML file has a password.
    pub(crate) password: Sourced<Option<Secret>>,
}

/// How to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Digest,
    Sasl,
}

#[derive(Clone, Debug)]
pub(crate) struct Tls {
    /// Where the section begins in the file.
    pub(crate) section: Option<usize>,
    pub(crate) ca: Sourced<Option<PathBuf>>,
    pub(crate) certificate: Sourced<Option<PathBuf>>,
    pub(crate) key: Sourced<Option<PathBuf>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Registry {
    pub(crate) acl: Sourced<zk_core::Acl>,
    pub(crate) audit_interval: Sourced<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct Discovery {
    pub(crate) records: Sourced<bool>,
    pub(crate) audit_interval: Sourced<Duration>,
    pub(crate) hold: Sourced<Option<Duration>>,
    pub(crate) hold_share: Sourced<f64>,
    pub(crate) hold_number: Sourced<usize>,
    pub(crate) hold_window: Sourced<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) host: Sourced<IpAddr>,
    pub(crate) ports: Sourced<Vec<u16>>,
    pub(crate) udp: Sourced<bool>,
    pub(crate) advertise: Sourced<zk_roster::Advertise>,
    pub(crate) max_connections: Sourced<usize>,
    pub(crate) connection_timeout: Sourced<Duration>,
    pub(crate) settle: Sourced<Duration>,
    pub(crate) grace: Sourced<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) rounds: Sourced<u64>,
    pub(crate) interval: Sourced<Duration>,
    pub(crate) strategy: Sourced<Strategy>,
    pub(crate) hash_key: Sourced<Option<String>>,
    pub(crate) zone: Sourced<Option<String>>,
    pub(crate) labels: Sourced<Vec<(String, String)>>,
    pub(crate) subset: Sourced<usize>,
    pub(crate) slow_start: Sourced<Duration>,
    pub(crate) hedge: Sourced<Option<Duration>>,
    pub(crate) timeout: Sourced<Duration>,
    pub(crate) attempt_timeout: Sourced<Duration>,
    pub(crate) connect_timeout: Sourced<Duration>,
    pub(crate) wait: Sourced<Duration>,
    pub(crate) saved: Sourced<Option<PathBuf>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) listen: Sourced<Option<SocketAddr>>,
}

// === Sourced ===

impl<T> Sourced<T> {
    pub(crate) fn default(value: T) -> Self {
        Self { value, origin: Some(Origin::Default) }
    }

    /// Stores a valid value, or reports a wrong one.
    pub(crate) fn set(
        &mut self,
        result: Result<T, String>,
        origin: Origin,
        key: &str,
        diagnostics: &mut Diagnostics,
    ) {
        match result {
            Ok(value) => *self = Self { value, origin: Some(origin) },
            Err(message) => {
                self.refuse();
                diagnostics.add(origin, key, message);
            }
        }
    }

    /// The value and its origin; `None` if a layer set a wrong value.
    pub(crate) fn get(&self) -> Option<(&T, Origin)> {
        self.origin.map(|origin| (&self.value, origin))
    }

    /// Drops the value, because a layer set a wrong one.
    pub(crate) fn refuse(&mut self) {
        self.origin = None;
    }
}

// === Relations ===

impl Settings {
    /// Checks the relations between keys.
    pub(crate) fn check(&mut self, diagnostics: &mut Diagnostics) {
        self.zookeeper.security = security::check(&self.zookeeper, &self.registry, diagnostics);
        self.check_timeouts(diagnostics);
    }

    /// Puts the client's timeouts in order. A layer that shortens the whole request also shortens the attempt and connect
    /// timeouts of the layers below, and takes away a hedge that would come later; any other wrong order is a mistake.
    fn check_timeouts(&mut self, diagnostics: &mut Diagnostics) {
        let Client { timeout, attempt_timeout, connect_timeout, hedge, .. } = &mut self.client;
        let whole = ("client.timeout", &*timeout);
        if is_cut(("client.attempt_timeout", attempt_timeout), whole, diagnostics) {
            *attempt_timeout = timeout.clone();
        }
        let attempt = ("client.attempt_timeout", &*attempt_timeout);
        if is_cut(("client.connect_timeout", connect_timeout), attempt, diagnostics) {
            *connect_timeout = attempt_timeout.clone();
        }
        // An attempt that is shorter than the wait for its answer ends before it.
        if let Some(after) = hedge.value
            && is_cut(("client.hedge", &Sourced { value: after, origin: hedge.origin }), attempt, diagnostics)
        {
            hedge.value = None;
        }
    }
}

/// Requires `low` to be at most `high`. Returns whether it is longer, and belongs to a layer below.
fn is_cut(
    (low_key, low): (&str, &Sourced<Duration>),
    (high_key, high): (&str, &Sourced<Duration>),
    diagnostics: &mut Diagnostics,
) -> bool {
    let (Some(low_origin), Some(high_origin)) = (low.origin, high.origin) else { return false };
    if low.value <= high.value {
        return false;
    }
    if high_origin.rank() > low_origin.rank() {
        return true;
    }
    let (low_shown, high_shown, other) =
        (check::show(low.value), check::show(high.value), diagnostics.name(high_origin));
    let message = format!("expected at most {high_key} ({high_shown}, {other}), found {low_shown}");
    diagnostics.add(low_origin, low_key, message);
    false
}

// === Configurations ===

/// The rank of a value from the file.
const FILE: u8 = Origin::File(0).rank();

const CHECKED: &str = "the schema has the ranges of the libraries";

impl Settings {
    pub(crate) fn server_config(self) -> ServerConfig {
        let registry = registry::RegistrarConfig::new(self.zookeeper.root.value.clone())
            .with_acl(self.registry.acl.value)
            .with_audit_interval(self.registry.audit_interval.value)
            .expect(CHECKED);
        ServerConfig {
            zookeeper: self.zookeeper_config(),
            embedded: self.embedded(),
            registry,
            server: self.server_settings(),
            metrics: self.metrics.listen.value,
        }
    }

    /// `embedded = true` in the file applies to the hosts of the file. Where a flag or a variable sets other hosts, a
    /// flag or a variable has to ask for an embedded ZooKeeper, too.
    fn embedded(&self) -> bool {
        let overridden = |origin: Option<Origin>| origin.is_some_and(|origin| origin.rank() > FILE);
        let Zookeeper { hosts, embedded, .. } = &self.zookeeper;
        embedded.value && (overridden(embedded.origin) || !overridden(hosts.origin))
    }

    pub(crate) fn client_config(self) -> ClientConfig {
        // Weights and tags are in the records.
        let client = &self.client;
        let needs_records = client.strategy.value.needs_records()
            || client.zone.value.is_some()
            || !client.labels.value.is_empty();
        let records = match self.discovery.records.value || needs_records {
            true => discovery::Records::Read,
            false => discovery::Records::NamesOnly,
        };
        let rule = discovery::MassDisappearance::default();
        let rule = rule.with_share(self.discovery.hold_share.value).expect(CHECKED);
        let rule = rule.with_number(self.discovery.hold_number.value).expect(CHECKED);
        let rule = rule.with_window(self.discovery.hold_window.value).expect(CHECKED);
        let mut discovery = discovery::DiscoveryConfig::new(self.zookeeper.root.value.clone())
            .with_records(records)
            .with_mass_disappearance(rule)
            .with_audit_interval(self.discovery.audit_interval.value)
            .expect(CHECKED);
        if let Some(hold) = self.discovery.hold.value {
            discovery = discovery.with_hold(hold).expect(CHECKED);
        }
        ClientConfig {
            zookeeper: self.zookeeper_config(),
            tls: self.zookeeper.tls.section.is_some(),
            discovery,
            client: self.client_settings(),
            metrics: self.metrics.listen.value,
        }
    }

    fn zookeeper_config(&self) -> zk_core::ZkConfig {
        let config = self.zookeeper.hosts.value.clone();
        let config = config.with_session_timeout(self.zookeeper.session_timeout.value).expect(CHECKED);
        let config = config.with_server_version(self.zookeeper.server_version.value);
        self.zookeeper.security.apply(config)
    }

    pub(crate) fn server_settings(&self) -> ServerSettings {
        let server = &self.server;
        ServerSettings {
            host: server.host.value,
            ports: server.ports.value.clone(),
            udp: server.udp.value,
            advertise: server.advertise.value.clone(),
            max_connections: server.max_connections.value,
            connection_timeout: server.connection_timeout.value,
            settle: server.settle.value,
            grace: server.grace.value,
        }
    }

    pub(crate) fn client_settings(&self) -> ClientSettings {
        let client = &self.client;
        ClientSettings {
            rounds: client.rounds.value,
            interval: client.interval.value,
            strategy: client.strategy.value,
            hash_key: client.hash_key.value.clone(),
            zone: client.zone.value.clone(),
            labels: client.labels.value.clone(),
            subset: client.subset.value,
            slow_start: client.slow_start.value,
            hedge: client.hedge.value,
            timeout: client.timeout.value,
            attempt_timeout: client.attempt_timeout.value,
            connect_timeout: client.connect_timeout.value,
            wait: client.wait.value,
            saved: client.saved.value.clone(),
        }
    }
}
