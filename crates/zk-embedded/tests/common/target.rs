//! The servers that a case runs on.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::runtime::Handle;
use zk_embedded::Version;
use zk_embedded::faults::Scope;

/// The tick of both servers: sessions last from 1 s to 10 s.
const TICK: Duration = Duration::from_millis(500);

/// What differs from a server's defaults, apart from the tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Whether znodes may have a time to live.
    pub(crate) extended_types: bool,
    /// How often empty containers are looked for; by default not within a run.
    pub(crate) container_check: Duration,
    /// The release of both servers: 3.8, or 3.4.
    pub(crate) version: Version,
}

impl Default for Settings {
    fn default() -> Self {
        Self { extended_types: false, container_check: Duration::from_hours(1), version: Version::default() }
    }
}

/// A server under test.
#[derive(Debug)]
pub(crate) struct Target {
    name: &'static str,
    runtime: Handle,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Apache(Box<zk_testing::Server>),
    Embedded(zk_embedded::Server),
}

impl Target {
    /// Starts Apache ZooKeeper.
    pub(crate) fn apache(runtime: &Handle, settings: Settings) -> Self {
        let builder = zk_testing::Server::builder();
        let builder = if settings.version == Version::V3_4 { builder.old() } else { builder };
        let server = builder
            .tick(TICK)
            .java_property("zookeeper.extendedTypesEnabled", settings.extended_types)
            .java_property("znode.container.checkIntervalMs", settings.container_check.as_millis())
            .start();
        let server = runtime.block_on(server).expect("Apache ZooKeeper starts");
        Self { name: "Apache ZooKeeper", runtime: runtime.clone(), server: Server::Apache(Box::new(server)) }
    }

    /// Starts the embedded server.
    pub(crate) fn embedded(runtime: &Handle, settings: Settings) -> Self {
        let server = zk_embedded::Server::builder()
            .tick(TICK)
            .extended_types(settings.extended_types)
            .container_check(settings.container_check)
            .version(settings.version)
            .start();
        let server = runtime.block_on(server).expect("the embedded server starts");
        Self { name: "the embedded server", runtime: runtime.clone(), server: Server::Embedded(server) }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        match &self.server {
            Server::Apache(server) => server.addr(),
            Server::Embedded(server) => server.addr(),
        }
    }

    /// Ends a session by force; false if there was none.
    pub(crate) fn expire(&self, session: i64) -> bool {
        match &self.server {
            Server::Apache(server) => {
                self.runtime.block_on(zk_testing::expire_session(server.addr(), session)).is_ok()
            }
            Server::Embedded(server) => {
                let faults = server.faults();
                let expired = self.runtime.block_on(faults.expire(Scope::Session(session)));
                expired.expect("the server runs").fired() == 1
            }
        }
    }

    /// Fails unless the server still listens: what took it down is the case that has just run.
    pub(crate) fn assert_alive(&self, case: &str) {
        let log = match &self.server {
            Server::Apache(server) => server.log_tail(30),
            Server::Embedded(_) => String::new(),
        };
        assert!(
            TcpStream::connect(self.addr()).is_ok(),
            "{} is down after the case {case:?}\n{log}",
            self.name
        );
    }
}
