//! The ZooKeeper that this project's tests run on: Apache's, an older one, or the embedded one, by one switch.
//!
//! | `ZK_TEST_SERVER` | a [`Server`] is |
//! | --- | --- |
//! | not set | Apache ZooKeeper where it is installed; elsewhere the embedded one, and one line on standard error says so |
//! | `apache` | Apache ZooKeeper |
//! | `embedded` | the embedded one of the crate `zk-embedded`, in the test's own process; with `ZK_TEST_VERSION=3.4` it behaves as that version |
//! | `old` | an Apache ZooKeeper of 3.4 from the folder that `ZOOKEEPER_OLD_HOME` names |
//!
//! With the variable `CI` set, a missing Apache ZooKeeper fails the tests: the embedded one takes its place only where
//! `ZK_TEST_SERVER` says so.
//!
//! A test does not notice the difference: the embedded one, too, can be killed and come back with its sessions and
//! znodes, by a real refusal of its port and a clock that stands still meanwhile. It begins with [`require`]. A test that
//! only Apache ZooKeeper can serve (ensembles, files, SASL, TLS) uses `zk_testing` directly, and begins with
//! [`require_apache`]. A test of what ZooKeeper 3.4 does not know asks [`is_old`].
//!
//! With `ZK_TEST_WATCHES=one-shot` the server, Apache's or the embedded one, knows recursive watches and refuses them,
//! as ZooKeeper does with `watchManagerName=...WatchManagerOptimized`. A test of these asks [`has_recursive_watches`].

mod choice;
mod embedded;

use std::net::SocketAddr;

use choice::{Choice, Wanted};
use embedded::Embedded;

pub use zk_embedded::Version;

/// A ZooKeeper for one test. `Drop` ends it.
#[derive(Debug)]
pub struct Server(Kind);

#[derive(Debug)]
enum Kind {
    Apache(Box<zk_testing::Server>),
    Embedded(Box<Embedded>),
}

/// Why the server could not be started.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// Whether the tests run on the embedded server, as whichever version.
///
/// # Panics
/// If the variables that choose the server make no sense.
pub fn is_embedded() -> bool {
    matches!(Choice::of_environment(), Choice::Embedded(_) | Choice::EmbeddedInstead(_))
}

/// Whether the tests run on a server of 3.4, real or embedded: one that knows neither containers nor
/// persistent watches.
///
/// # Panics
/// As [`is_embedded`].
pub fn is_old() -> bool {
    version() == Version::V3_4
}

/// The version of the server that the tests run on: what it knows depends on it.
///
/// # Panics
/// As [`is_embedded`].
pub fn version() -> Version {
    Choice::of_environment().version()
}

/// Whether the server that the tests run on sets recursive watches. Where it does, it answers reads of several
/// znodes, too; where it does not, it may be [old](is_old).
///
/// # Panics
/// As [`is_embedded`].
pub fn has_recursive_watches() -> bool {
    Wanted::of_environment().has_recursive_watches()
}

/// Whether a test can run: always on the embedded server, be it chosen or in the place of an Apache ZooKeeper that is
/// not installed. `None`, after a line `SKIPPED ...` on standard error, where `ZK_TEST_SERVER` demands a server that is
/// not there.
///
/// # Panics
/// As [`is_embedded`]; and without Apache ZooKeeper if the variable `CI` is set, unless it is the old one that is missing.
pub fn require() -> Option<()> {
    match Choice::of_environment() {
        Choice::Apache => zk_testing::require().map(|_| ()),
        Choice::Old => zk_testing::require_old().map(|_| ()),
        Choice::Embedded(_) | Choice::EmbeddedInstead(_) => Some(()),
    }
}

/// Whether a test that only Apache ZooKeeper can serve can run. `None`, after a line `SKIPPED ...` on standard error,
/// with any other server.
///
/// # Panics
/// As [`require`].
pub fn require_apache() -> Option<()> {
    match Choice::of_environment().why_not_apache() {
        None => zk_testing::require().map(|_| ()),
        Some(reason) => {
            zk_testing::skipped(format_args!("only Apache ZooKeeper can serve this test: {reason}"));
            None
        }
    }
}

impl Server {
    /// Starts a server with a tick of 200 ms on a free port.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start() -> Result<Self, StartError> {
        let Wanted { server, refuses_recursive_watches } = Wanted::of_environment();
        let mut apache = zk_testing::Server::builder();
        if refuses_recursive_watches {
            let optimized = "org.apache.zookeeper.server.watch.WatchManagerOptimized";
            apache = apache.java_property("zookeeper.watchManagerName", optimized);
        }
        Ok(Self(match server {
            Choice::Apache => Kind::Apache(Box::new(apache.start().await?)),
            Choice::Old => Kind::Apache(Box::new(apache.old().start().await?)),
            Choice::Embedded(_) | Choice::EmbeddedInstead(_) => {
                let server = Embedded::start(server.version(), refuses_recursive_watches);
                Kind::Embedded(Box::new(server.await?))
            }
        }))
    }

    /// Where clients connect; the same for the life of this value.
    pub fn addr(&self) -> SocketAddr {
        match &self.0 {
            Kind::Apache(server) => server.addr(),
            Kind::Embedded(server) => server.addr(),
        }
    }

    /// Where clients connect, as `127.0.0.1:PORT`.
    pub fn connect_string(&self) -> String {
        self.addr().to_string()
    }

    /// Takes the server away, as `kill -9` does: its port refuses, its data and sessions are kept.
    pub async fn kill(&mut self) {
        match &mut self.0 {
            Kind::Apache(server) => server.kill().await,
            Kind::Embedded(server) => {
                server
                    .kill()
                    .await
                    .unwrap_or_else(|error| panic!("the embedded server cannot be killed: {error}"));
            }
        }
    }

    /// Brings it back, on the same port, and waits until it serves.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start_again(&mut self) -> Result<(), StartError> {
        match &mut self.0 {
            Kind::Apache(server) => Ok(server.start_again().await?),
            Kind::Embedded(server) => server.start_again().await,
        }
    }

    /// Deletes its data while it is killed.
    ///
    /// # Errors
    /// If it is not killed.
    pub fn wipe(&mut self) -> Result<(), StartError> {
        match &mut self.0 {
            Kind::Apache(server) => Ok(server.wipe()?),
            Kind::Embedded(server) => server.wipe(),
        }
    }

    /// Freezes it: its port accepts connections, and no reply comes.
    ///
    /// # Errors
    /// If it is killed.
    pub async fn pause(&self) -> Result<(), StartError> {
        match &self.0 {
            Kind::Apache(server) => Ok(server.pause().await?),
            Kind::Embedded(server) => server.pause().await,
        }
    }
}
