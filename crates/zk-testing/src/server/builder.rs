use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{Server, StartError};
use crate::installation::Installation;
use crate::ports::Lease;
use crate::tls::Stores;

/// How often another port is tried when something outside took ours between the look and the start.
pub(crate) const PORT_ATTEMPTS: usize = 5;

/// Settings of a server that is to be started; see [`Server::builder`].
#[derive(Clone, Debug)]
pub struct ServerBuilder {
    pub(super) tick: Duration,
    port: Option<u16>,
    pub(super) config: BTreeMap<String, String>,
    pub(super) java_properties: BTreeMap<String, String>,
    pub(super) jvm_options: Vec<String>,
    pub(super) id: Option<usize>,
    old: bool,
    pub(super) sasl_users: BTreeMap<String, String>,
    pub(super) tls: Option<Stores>,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        Self {
            tick: Duration::from_millis(200),
            port: None,
            config: pairs(&[
                ("4lw.commands.whitelist", "*"),
                ("admin.enableServer", "false"),
                ("maxClientCnxns", "0"),
            ]),
            java_properties: pairs(&[
                ("zookeeper.forceSync", "no"),
                // KiB of log file written ahead; the default of 64 MiB is much for a folder of a test.
                ("zookeeper.preAllocSize", "1024"),
                ("org.slf4j.simpleLogger.showDateTime", "true"),
                ("org.slf4j.simpleLogger.dateTimeFormat", "HH:mm:ss.SSS"),
                ("org.slf4j.simpleLogger.showThreadName", "false"),
                ("org.slf4j.simpleLogger.showShortLogName", "true"),
            ]),
            jvm_options: ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
                .map(str::to_owned)
                .to_vec(),
            id: None,
            old: false,
            sasl_users: BTreeMap::new(),
            tls: None,
        }
    }

    /// Sets ZooKeeper's tickTime; the default is 200 ms.
    ///
    /// The server grants session timeouts from 2 to 20 ticks, and rounds their expiry up to ticks. Whole milliseconds
    /// count; at least one.
    #[must_use]
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick.max(Duration::from_millis(1));
        self
    }

    /// Fixes the client port; by default a free one is picked.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Limits the connections that the server accepts from one address, 127.0.0.1 being one; 0, the default here, is no
    /// limit.
    ///
    /// The start itself asks by short connections, one at a time; the last of them may count for a moment longer.
    #[must_use]
    pub fn max_client_connections(self, limit: u32) -> Self {
        self.config("maxClientCnxns", limit)
    }

    /// Sets one line of `zoo.cfg`, replacing a default.
    ///
    /// `dataDir`, `tickTime` and the client port have their own ways and are not taken from here. A
    /// `4lw.commands.whitelist` must keep `srvr` and `conf`, by which the start knows that the server is ready.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        self.config.insert(key.into(), value.to_string());
        self
    }

    /// Sets a Java system property, such as `jute.maxbuffer` or `zookeeper.skipACL`.
    #[must_use]
    pub fn java_property(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        self.java_properties.insert(key.into(), value.to_string());
        self
    }

    /// Adds an option for the Java machine; a later one wins over an earlier, such as `-Xmx1g` over the default
    /// `-Xmx128m`.
    #[must_use]
    pub fn jvm_option(mut self, option: impl Into<String>) -> Self {
        self.jvm_options.push(option.into());
        self
    }

    /// Chooses whether each write is forced to the disk; the default is `false`.
    ///
    /// Data written without it survives a kill of the server all the same; only a crash of the machine can lose it.
    #[must_use]
    pub fn force_sync(self, on: bool) -> Self {
        self.java_property("zookeeper.forceSync", if on { "yes" } else { "no" })
    }

    /// Runs the older ZooKeeper that [`Installation::find_old`] finds.
    ///
    /// A test that uses it begins with [`require_old`](crate::require_old).
    #[must_use]
    pub fn old(mut self) -> Self {
        self.old = true;
        self
    }

    /// Starts the server and waits until it serves clients, for at most 30 s.
    ///
    /// # Errors
    /// [`StartError`]; an error has the end of the log.
    ///
    /// # Cancel safety
    /// Dropping the future kills what was started and deletes its data.
    pub async fn start(self) -> Result<Server, StartError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut server = self.clone().prepare()?;
            match server.start_again().await {
                Ok(()) => return Ok(server),
                Err(error)
                    if error.is_address_in_use() && self.port.is_none() && attempts < PORT_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes the folder and takes the port, but starts nothing.
    pub(crate) fn prepare(self) -> Result<Server, StartError> {
        let installation = if self.old { Installation::find_old()? } else { Installation::find()? };
        let dir = tempfile::Builder::new()
            .prefix("zk-testing-")
            .tempdir()
            .map_err(StartError::io("make a folder for the server's data"))?;
        let lease = match self.port {
            Some(_) => None,
            None => Some(Lease::any().map_err(StartError::io("find a free port"))?),
        };
        let port = self.port.or(lease.as_ref().map(Lease::port)).unwrap_or_default();
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let secure_lease = self.lease_secure_port()?;
        Ok(Server { installation, settings: self, dir, addr, _lease: lease, secure_lease, process: None })
    }

    /// Makes it one of an ensemble, with an id counted from 1.
    pub(crate) fn member(mut self, id: usize) -> Self {
        self.port = None;
        self.id = Some(id);
        self
    }
}
