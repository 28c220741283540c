//! What can go wrong for the caller.

use std::time::Duration;

use instance::EncodeError;
use zk_core::{PathError, ZnodePath};

/// Why an instance cannot be registered or updated, or never will be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The instance cannot be written in the format in use.
    #[error("the instance cannot be written")]
    Encode(#[from] EncodeError),
    /// The name of the instance is no znode name.
    #[error("the instance has no usable name")]
    Name(#[from] PathError),
    /// This registrar has a registration of that name already, or one that was dropped and whose znode is
    /// not known to be gone yet.
    #[error("{0} is registered here already")]
    Duplicate(ZnodePath),
    /// An update names another endpoint than the registration.
    #[error("an update cannot move {from} to {to}: deregister, and register anew")]
    OtherName {
        /// The name of the registration.
        from: String,
        /// The name of the update.
        to: String,
    },
    /// It was deregistered, or the link to the ensemble was closed.
    #[error("{0} is deregistered")]
    Deregistered(ZnodePath),
}

/// The removal was not confirmed in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no word of the ensemble within {waited:?} that {path} is gone")]
pub struct DeregisterError {
    /// The znode that may linger.
    pub path: ZnodePath,
    /// How long was waited.
    pub waited: Duration,
}
