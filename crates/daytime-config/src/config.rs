//! The checked values that the programs receive.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::settings::Settings;
use balance::Strategy;

/// The configuration of `daytime-server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Which ensemble to connect to.
    pub zookeeper: zk_core::ZkConfig,
    /// Whether to start a ZooKeeper in this process if no server answers at that address; false by default.
    pub embedded: bool,
    /// Where and how to register.
    pub registry: registry::RegistrarConfig,
    /// What to listen on, and how to serve.
    pub server: ServerSettings,
    /// The address of the metrics endpoint; `None`, the default, starts none.
    pub metrics: Option<SocketAddr>,
}

/// The configuration of `daytime-client`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Which ensemble to connect to.
    pub zookeeper: zk_core::ZkConfig,
    /// Whether the link uses TLS, so that only the link can talk to a server; false by default.
    pub tls: bool,
    /// Which root to follow, and how.
    pub discovery: discovery::DiscoveryConfig,
    /// How to make requests, and how long to wait.
    pub client: ClientSettings,
    /// The address of the metrics endpoint; `None`, the default, starts none.
    pub metrics: Option<SocketAddr>,
}

/// The section `[server]`. The loader guarantees the ranges named here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address to listen on, also `0.0.0.0` or `::`; `127.0.0.1` by default.
    pub host: IpAddr,
    /// The ports to listen on: 1 to 64 different ones, none of them 0; 8897 to 8899 by default.
    pub ports: Vec<u16>,
    /// Whether to answer on the same ports over UDP, too; false by default.
    pub udp: bool,
    /// How the host to register is found; never an unspecified address. By default it is `host`, or, where that is unspecified,
    /// this machine's own address on the route to ZooKeeper.
    pub advertise: zk_roster::Advertise,
    /// How many connections one port serves at a time: 1 to 1,000,000; 1024 by default.
    pub max_connections: usize,
    /// How long one connection may take: 100 ms to 60 s; 2 s by default.
    pub connection_timeout: Duration,
    /// How long to keep serving after deregistering: up to 10 s; 300 ms by default, zero stops at once.
    pub settle: Duration,
    /// How long open connections may take to finish after that: up to 60 s; 2 s by default, zero closes them at once.
    pub grace: Duration,
}

/// The section `[client]`. The loader guarantees the ranges named here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// How many requests to make, at least 1; 100 by default.
    pub rounds: u64,
    /// The time from one request to the next: up to 1 h; 1 s by default, zero makes no pause.
    pub interval: Duration,
    /// How to pick a server; `random` by default.
    pub strategy: Strategy,
    /// The name of this client, by which `rendezvous` and `subset` go; `None`, the default, is the name of the machine.
    pub hash_key: Option<String>,
    /// The zone whose servers are preferred: those whose tag `zone` has this value.
    pub zone: Option<String>,
    /// Tags and values that a server must have to be asked; no tag twice.
    pub labels: Vec<(String, String)>,
    /// How many servers are preferred of a large set, up to 1,000,000; 0, the default, is all.
    pub subset: usize,
    /// The time in which a new server comes to its full share: up to 1 h; zero by default.
    pub slow_start: Duration,
    /// After which time without an answer another server is asked, too: 1 ms to `attempt_timeout`; never by default.
    pub hedge: Option<Duration>,
    /// How long a whole request may take, retries included: 10 ms to 1 h; 5 s by default.
    pub timeout: Duration,
    /// How long one attempt may take, at most `timeout`; 1 s by default.
    pub attempt_timeout: Duration,
    /// How long connecting may take, at most `attempt_timeout`; 300 ms by default.
    pub connect_timeout: Duration,
    /// How long to wait for ZooKeeper and the first server: 100 ms to 24 h; 60 s by default.
    pub wait: Duration,
    /// The file that keeps the list of servers for a start without ZooKeeper; `None`, the default, keeps none.
    pub saved: Option<PathBuf>,
}

/// The built-in defaults.
impl Default for ServerSettings {
    fn default() -> Self {
        Settings::default().server_settings()
    }
}

/// The built-in defaults.
impl Default for ClientSettings {
    fn default() -> Self {
        Settings::default().client_settings()
    }
}
