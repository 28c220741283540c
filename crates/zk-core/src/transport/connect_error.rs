//! Why an attempt to connect failed.

/// Why an attempt to connect failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The ensemble replied that the session of the ticket has ended. This is final.
    #[error("the session has expired")]
    SessionExpired,
    /// The ensemble refused the authentication, or requires one and none is configured. The link retries all the same:
    /// somebody may correct the password on the server.
    #[error("{server} refuses our authentication, or requires one and none is configured")]
    AuthFailed {
        /// The server that refused.
        server: String,
    },
    /// The server did not refuse the authentication, but ignored it: it did not record our identity.
    #[error("{server} ignores the {scheme} authentication; is it enabled there?")]
    NotAuthenticated {
        /// The server.
        server: String,
        /// The scheme of the authentication that it ignores.
        scheme: &'static str,
    },
    /// A server accepted the connection, but did not grant or resume the session.
    #[error("{server} accepted the connection but did not {wanted}: {cause}")]
    Handshake {
        /// The server.
        server: String,
        /// What we requested.
        wanted: &'static str,
        /// What happened instead.
        cause: String,
    },
    /// No server could be reached; the cause for each address.
    #[error("no server reachable ({})", .0.join("; "))]
    Unreachable(Vec<String>),
}

/// As its text.
#[cfg(feature = "serde")]
impl serde::Serialize for ConnectError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
