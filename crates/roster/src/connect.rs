//! The link to ZooKeeper, from one line of text.

use zk_core::{StartError, Zk, ZkConfig, ZkConfigError};

/// Why [`connect`] made no link.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectStringError {
    /// The connect string is wrong.
    #[error("the connect string cannot be used")]
    Config(#[from] ZkConfigError),
    /// The link cannot be started.
    #[error("the link to ZooKeeper cannot be started")]
    Start(#[from] StartError),
}

/// Starts a link to the ensemble of a connect string, `zk1:2181,zk2:2181/apps`, with the defaults of everything else. Returns at
/// once: ZooKeeper may start later. [`Zk::start`] takes timeouts, authentication and TLS.
///
/// # Errors
/// If the connect string is wrong, or file descriptors or threads are short.
///
/// # Panics
/// Outside a tokio runtime.
pub fn connect(connect_string: &str) -> Result<Zk, ConnectStringError> {
    Ok(Zk::start(ZkConfig::new(connect_string)?)?)
}
