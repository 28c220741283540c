//! The environment variables that override the file.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::diagnostics::{Diagnostics, Origin};
use crate::secret::Secret;
use crate::settings::{Settings, Sourced};
use crate::{check, schema};

pub(crate) const CONFIG: &str = "DAYTIME_CONFIG";
pub(crate) const PASSWORD: &str = "DAYTIME_ZOOKEEPER_PASSWORD";

/// The environment variables that may hold settings: those whose names begin with `DAYTIME_`.
///
/// An empty one counts as unset. Programs use [`of_process`](Self::of_process); tests collect pairs.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Copies the environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Overrides the settings that both programs share.
    pub(crate) fn apply_zookeeper(&self, settings: &mut Settings, diagnostics: &mut Diagnostics) {
        let mut reader = Reader { environment: self, diagnostics };
        let into = &mut settings.zookeeper;
        reader.read("DAYTIME_ZOOKEEPER", "zookeeper.hosts", check::ensemble, &mut into.hosts);
        reader.read("DAYTIME_ROOT", "zookeeper.root", check::root, &mut into.root);
        let timeout = |text: &str| check::duration(text, &schema::SESSION_TIMEOUT);
        let key = "zookeeper.session_timeout";
        reader.read("DAYTIME_SESSION_TIMEOUT", key, timeout, &mut into.session_timeout);
        let secret = |text: &str| Secret::read(text).map(Some);
        let into = &mut settings.zookeeper.auth.password;
        reader.read(PASSWORD, "zookeeper.auth", secret, into);
        let into = &mut settings.metrics.listen;
        reader.read("DAYTIME_METRICS", "metrics.listen", check::metrics, into);
    }

    /// Overrides the settings of the server.
    pub(crate) fn apply_server(&self, settings: &mut Settings, diagnostics: &mut Diagnostics) {
        let mut reader = Reader { environment: self, diagnostics };
        let into = &mut settings.server;
        reader.read("DAYTIME_HOST", "server.host", check::listen, &mut into.host);
        reader.read("DAYTIME_PORTS", "server.ports", ports, &mut into.ports);
        reader.read("DAYTIME_ADVERTISE", "server.advertise", check::advertise, &mut into.advertise);
        reader.read("DAYTIME_UDP", "server.udp", check::boolean, &mut into.udp);
        let into = &mut settings.zookeeper.embedded;
        reader.read("DAYTIME_EMBEDDED", "zookeeper.embedded", check::boolean, into);
    }

    /// Overrides the settings of the client.
    pub(crate) fn apply_client(&self, settings: &mut Settings, diagnostics: &mut Diagnostics) {
        let mut reader = Reader { environment: self, diagnostics };
        let into = &mut settings.client;
        let rounds = |text: &str| check::integer(text, &schema::ROUNDS);
        reader.read("DAYTIME_ROUNDS", "client.rounds", rounds, &mut into.rounds);
        let interval = |text: &str| check::duration(text, &schema::INTERVAL);
        reader.read("DAYTIME_INTERVAL", "client.interval", interval, &mut into.interval);
        reader.read("DAYTIME_STRATEGY", "client.strategy", check::strategy, &mut into.strategy);
        let hash_key = |text: &str| check::name(text, check::HASH_KEY).map(Some);
        reader.read("DAYTIME_HASH_KEY", "client.hash_key", hash_key, &mut into.hash_key);
        let zone = |text: &str| check::name(text, check::ZONE).map(Some);
        reader.read("DAYTIME_ZONE", "client.zone", zone, &mut into.zone);
        let labels = |text: &str| check::labels(text.split(',').map(check::label));
        reader.read("DAYTIME_LABELS", "client.labels", labels, &mut into.labels);
        reader.read("DAYTIME_SUBSET", "client.subset", check::subset, &mut into.subset);
        let hedge = |text: &str| check::duration(text, &schema::HEDGE).map(Some);
        reader.read("DAYTIME_HEDGE", "client.hedge", hedge, &mut into.hedge);
        let timeout = |text: &str| check::duration(text, &schema::TIMEOUT);
        reader.read("DAYTIME_TIMEOUT", "client.timeout", timeout, &mut into.timeout);
        let wait = |text: &str| check::duration(text, &schema::WAIT);
        reader.read("DAYTIME_WAIT", "client.wait", wait, &mut into.wait);
        let saved = |text: &str| check::saved(text.into());
        reader.read("DAYTIME_SAVED", "client.saved", saved, &mut into.saved);
        let into = &mut settings.discovery.records;
        reader.read("DAYTIME_RECORDS", "discovery.records", check::boolean, into);
    }
}

/// Keeps the variables whose names begin with `DAYTIME_` and that are not empty.
impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let ours = |name: &OsStr| name.as_encoded_bytes().starts_with(b"DAYTIME_");
        Self(variables.filter(|(name, value)| ours(name) && !value.is_empty()).collect())
    }
}

/// Shows the names only: a value may be a password.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

struct Reader<'a> {
    environment: &'a Environment,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn read<T>(
        &mut self,
        name: &'static str,
        key: &str,
        check: impl FnOnce(&str) -> Result<T, String>,
        into: &mut Sourced<T>,
    ) {
        let Some(value) = self.environment.get(name) else { return };
        let text = value.to_str().ok_or_else(|| "expected UTF-8".to_owned());
        into.set(text.and_then(check), Origin::Environment(name), key, self.diagnostics);
    }
}

/// Reads port numbers separated by commas.
fn ports(text: &str) -> Result<Vec<u16>, String> {
    let ports = text.split(',').map(check::port).collect::<Result<Vec<_>, _>>()?;
    check::ports(&ports)
}
