//! The step `session`: does the ensemble grant a session?

use std::time::Duration;

use daytime_config::ClientConfig;
use tokio::time::timeout;
use zk_core::{ConnectError, Connection, StartError};

use super::report::{Begun, Step};
use crate::link::{self, Link};

/// An ensemble that needs longer than this to grant a session needs an operator.
const DEADLINE: Duration = Duration::from_secs(10);

/// Starts the link; returns a connection if the ensemble grants a session.
///
/// # Errors
/// If this process cannot start a link.
pub(super) async fn begin(
    config: &ClientConfig,
    link: &Link,
) -> Result<(Step, Option<Connection>), StartError> {
    let begun = Begun::new("session", "the ensemble");
    let zk = link.start(&config.zookeeper)?;
    let deadline = DEADLINE.min(config.client.wait);
    let mut states = zk.states();
    let settled = states.wait_for(|state| state.is_connected() || link::is_refusal(state));
    let state = timeout(deadline, settled).await.ok().flatten().unwrap_or_else(|| zk.state());
    let step = match (zk.connection(), &state.trouble) {
        (Some(connection), _) => {
            let (session, asked) = (connection.session(), config.zookeeper.session_timeout());
            let server = connection.server().map_or_else(String::new, |server| format!(" by {server}"));
            let timeout = if session.timeout == asked {
                format!("a timeout of {asked:?}")
            } else {
                format!("a timeout of {:?}, where {asked:?} was asked for", session.timeout)
            };
            let step = begun.fine(format!("granted {}{server}, with {timeout}", session.id));
            return Ok((step, Some(connection)));
        }
        (None, Some(trouble @ ConnectError::AuthFailed { .. })) => begun.failed(
            trouble.to_string(),
            "the server does not know this user, the password is wrong, or the server requires authentication and none \
             is configured: see [zookeeper.auth]",
        ),
        (None, Some(trouble @ ConnectError::NotAuthenticated { scheme, .. })) => begun.failed(
            trouble.to_string(),
            format!("the server does not check authentication: is {scheme} set up there? See [zookeeper.auth]"),
        ),
        (None, trouble) => {
            let cause = trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
            let hint = if config.tls {
                "see [zookeeper.tls]: do the servers use TLS on this port, has `ca` signed their certificates for the \
                 names in zookeeper.hosts, and do they trust `certificate`, if they require one?"
            } else {
                "the server accepts connections but grants no session: see its log. Possible causes are an election of \
                 a leader or a full disk"
            };
            begun.failed(format!("no session within {deadline:?}{cause}"), hint)
        }
    };
    Ok((step, None))
}
