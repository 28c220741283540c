//! [`ServeError`]: why a service cannot be served.

use std::io;
use std::net::SocketAddr;

use instance::{EncodeError, EndpointError};
use zk_core::PathError;

/// Why a service cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The path of the service is no znode path.
    #[error("the path of the service cannot be used")]
    Path(#[from] PathError),
    /// The record cannot be written: its weight or one of its tags.
    #[error("the record of the service cannot be written")]
    Record(#[from] EncodeError),
    /// There is no listener.
    #[error("the service has no listener")]
    NoListener,
    /// The system does not say where the listener listens.
    #[error("the address of the listener is not known")]
    Listener(#[from] io::Error),
    /// Nothing can be called there: the port is 0.
    #[error("the service cannot be called at {bound}")]
    Endpoint {
        /// Where it listens.
        bound: SocketAddr,
        /// Why it cannot be called there.
        #[source]
        source: EndpointError,
    },
}
