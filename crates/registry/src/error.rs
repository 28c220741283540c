//! Errors of the public calls.

use std::time::Duration;

use instance::EncodeError;
use zk_core::{PathError, State, ZnodePath};

use crate::status::RegistrationStatus;

/// Why an instance cannot be registered or updated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The instance cannot be written in the registrar's format.
    #[error("the instance cannot be written")]
    Encode(#[from] EncodeError),
    /// The name of the instance is no znode name.
    #[error("the name of the instance is no znode name")]
    Name(#[from] PathError),
    /// This registrar has a registration of that name already, or one that was dropped and whose znode is not known to
    /// be gone yet.
    #[error("{0} is already registered by this registrar")]
    Duplicate(ZnodePath),
    /// The instance of an update has another endpoint than that of the registration.
    #[error("an update cannot rename {from} to {to}: deregister it and register {to}")]
    OtherName {
        /// The name of the registration.
        from: String,
        /// The name of the update.
        to: String,
    },
    /// The registrar was shut down.
    #[error("the registrar is shut down")]
    ShutDown,
    /// The instance was deregistered or abandoned, or the link was closed.
    #[error("{0} is deregistered")]
    Deregistered(ZnodePath),
}

/// An instance was not registered, or not with the latest record, in time, or is registered no more.
///
/// `Display` says why: `/services/web/10.0.0.7:80 is not registered after 2s: pending; waiting for ZooKeeper: no server
/// reachable (127.0.0.1:2181: Connection refused (os error 111))`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{path} {} after {waited:?}: {status}{}", missing(.status), cause(.link))]
pub struct NotRegistered {
    /// The znode.
    pub path: ZnodePath,
    /// How long the caller waited.
    pub waited: Duration,
    /// The status at the end: a conflict, for example, or what refuses the registration.
    pub status: Box<RegistrationStatus>,
    /// The state of the link at the end: its [`trouble`](State::trouble) is why there is no connection, if a cause is known by
    /// then. A server that does not answer is one after 2 s.
    pub link: Box<State>,
}

fn missing(status: &RegistrationStatus) -> &'static str {
    if status.is_registered() { "has not the latest record" } else { "is not registered" }
}

fn cause(state: &State) -> String {
    if state.is_connected() { String::new() } else { format!("; {state}") }
}

/// The ensemble did not confirm a deletion in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ZooKeeper did not confirm the deletion of {path} within {waited:?}")]
pub struct DeregisterError {
    /// The znode, which may still exist.
    pub path: ZnodePath,
    /// How long the caller waited.
    pub waited: Duration,
}

/// Registrations of a registrar were not deregistered in time, or not at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{left} registrations were not deregistered within {waited:?}")]
pub struct ShutdownError {
    /// How many names may still have a znode.
    pub left: usize,
    /// How long the caller waited.
    pub waited: Duration,
}
