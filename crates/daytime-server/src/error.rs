//! Why the server could not run.

use std::io;
use std::net::SocketAddr;

use instance::EndpointError;
use registry::RegisterError;

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
    /// A port could be listened on, and is not any more.
    #[error("the listening socket of {address} is dead")]
    Dead {
        /// The address.
        address: SocketAddr,
    },
    /// A port cannot be answered on over UDP. Nothing was registered.
    #[error("cannot listen on {address} over UDP; nothing was registered")]
    ListenUdp {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The metrics cannot be offered. Nothing was registered.
    #[error("no metrics endpoint; nothing was registered")]
    Metrics(#[from] daytime_metrics::StartError),
    /// There can be no link to ZooKeeper in this process. Nothing was registered.
    #[error("no link to ZooKeeper can be started; nothing was registered")]
    Link(#[from] zk_core::StartError),
    /// There is no room for callers: what cannot be served is not registered.
    #[error("no file descriptors are left for callers; nothing was registered")]
    Descriptors(#[source] io::Error),
    /// ZooKeeper refused the authentication before it had granted a session. Nothing was registered.
    #[error("ZooKeeper refuses [zookeeper.auth]; nothing was registered")]
    Authentication(#[source] zk_core::ConnectError),
    /// An instance has no usable endpoint.
    #[error("no endpoint to register")]
    Endpoint(#[from] EndpointError),
    /// An instance cannot be registered.
    #[error("cannot register")]
    Register(#[from] RegisterError),
    /// The system refuses what every program needs.
    #[error("cannot start")]
    Start(#[from] io::Error),
}
