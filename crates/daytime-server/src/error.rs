//! Why the server could not run.

use std::io;
use std::net::SocketAddr;

use zk_roster::ServeError;

/// Why the server could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A port cannot be listened on. Nothing was registered.
    #[error("cannot listen on {address}; nothing was registered")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A listening socket failed for good. The instances were deregistered.
    #[error("the listening socket of {address} is dead")]
    ListenerDied {
        /// The address.
        address: SocketAddr,
    },
    /// A UDP port cannot be bound. Nothing was registered.
    #[error("cannot listen on {address} over UDP; nothing was registered")]
    ListenUdp {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The metrics endpoint cannot start. Nothing was registered.
    #[error("cannot start the metrics endpoint; nothing was registered")]
    Metrics(#[from] daytime_metrics::StartError),
    /// This process cannot start a link to ZooKeeper. Nothing was registered.
    #[error("cannot start a link to ZooKeeper; nothing was registered")]
    Link(#[from] zk_core::StartError),
    /// Too few file descriptors are left for callers. Nothing was registered.
    #[error("too few file descriptors to serve callers; nothing was registered")]
    FileDescriptors(#[source] io::Error),
    /// ZooKeeper refused the authentication before the first session. Nothing was registered.
    #[error("ZooKeeper refuses [zookeeper.auth]; nothing was registered")]
    Authentication(#[source] zk_core::ConnectError),
    /// The ports cannot be registered.
    #[error("cannot register")]
    Serve(#[from] ServeError),
    /// The system refuses threads, signal handlers or file descriptors.
    #[error("cannot start")]
    Start(#[from] io::Error),
}
