//! What is wrong with a configuration.

use std::time::Duration;

use crate::path::{PathError, ZnodePath};

/// An error in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZkConfigError {
    /// The host list names no host.
    #[error("the host list is empty; expected host:port, separated by commas")]
    NoHosts,
    /// An entry of the host list cannot be used. The message shows only the name of the host, and only if one precedes
    /// a colon: the rest may be a misplaced password.
    #[error("host {number}{}: {reason}", named(.name))]
    Host {
        /// The number of the entry, from 1.
        number: usize,
        /// The text before the colon, if it could be a name; else empty.
        name: String,
        /// What is wrong and what was expected.
        reason: &'static str,
    },
    /// The host list contains an `@`, and the text before that may be a password.
    #[error(
        "the host list contains an '@', so it may contain a password and is not shown; expected only hosts: user and \
         password are configured as an authentication"
    )]
    AtSign,
    /// The text after the last host is no znode path.
    #[error("chroot")]
    Chroot(#[source] PathError),
    /// The text after the last host is a znode path, but looks like a mistake.
    #[error("chroot {chroot:?}: {reason}")]
    SuspectChroot {
        /// The chroot.
        chroot: ZnodePath,
        /// What it looks like, and what was expected.
        reason: &'static str,
    },
    /// A timeout is out of range.
    #[error("{what} of {value:?} is out of range; expected {min:?} to {max:?}")]
    Timeout {
        /// Which timeout.
        what: &'static str,
        /// The configured value.
        value: Duration,
        /// The smallest that is allowed.
        min: Duration,
        /// The largest that is allowed.
        max: Duration,
    },
    /// A user name or a password cannot be used.
    #[error("authentication: {0}")]
    Auth(&'static str),
    /// A certificate or a key cannot be used.
    #[error("TLS: {what}: {reason}")]
    Tls {
        /// Which of them.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

fn named(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" ({name})") }
}
