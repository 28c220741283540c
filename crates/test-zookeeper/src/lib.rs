//! The ZooKeeper that this project's tests run on: Apache's or the embedded one, by one switch.
//!
//! With the environment variable `ZK_TEST_SERVER=embedded` a [`Server`] is the embedded one of the crate
//! `zk-embedded`, in the test's own process; otherwise it is Apache ZooKeeper. A test does not notice: the
//! embedded one, too, can be killed and come back with its sessions and znodes, by a real refusal of its
//! port and a clock that stands still meanwhile.
//!
//! What only makes sense on the real one (ensembles, files) uses `zk_testing` directly, and begins with
//! [`require_apache`].

mod embedded;

use std::net::SocketAddr;

use embedded::Embedded;

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

/// Whether the tests run on the embedded server.
///
/// # Panics
/// If the variable holds anything but `embedded` or `apache`.
pub fn is_embedded() -> bool {
    match std::env::var("ZK_TEST_SERVER").as_deref() {
        Err(_) | Ok("" | "apache") => false,
        Ok("embedded") => true,
        Ok(other) => panic!("ZK_TEST_SERVER={other}: expected apache or embedded"),
    }
}

/// Whether a test can run: always on the embedded server, else where Apache ZooKeeper is installed. Where
/// it is not, it says so; with the variable `CI` set it panics.
pub fn require() -> Option<()> {
    if is_embedded() { Some(()) } else { zk_testing::require().map(|_| ()) }
}

/// Whether a test that only Apache ZooKeeper can serve can run. In the embedded half of the tests there is
/// nothing to run: the other half has it.
pub fn require_apache() -> Option<()> {
    if is_embedded() { None } else { zk_testing::require().map(|_| ()) }
}

impl Server {
    /// Starts a server with a tick of 200 ms on a free port.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start() -> Result<Self, StartError> {
        Ok(Self(if is_embedded() {
            Kind::Embedded(Box::new(Embedded::start().await?))
        } else {
            Kind::Apache(Box::new(zk_testing::Server::start().await?))
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

    /// Freezes it: its port accepts, and nobody answers.
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
