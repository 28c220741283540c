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
