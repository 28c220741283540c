//! Does the ensemble grant a session?

use std::time::Duration;

use daytime_config::ClientConfig;
use tokio::time::timeout;
use zk_core::{ConnectError, Connection, StartError};

use super::report::{Begun, Step};
use crate::link::{self, Link};

/// What takes longer than this is no state to be in.
const DEADLINE: Duration = Duration::from_secs(10);

/// Begins a session; returns a connection if there is one.
///
/// # Errors
/// If this process can have no link.
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
            "the server does not know this user, its password is another one, or the server wants to know who is \
             there and nothing says so: see [zookeeper.auth]",
        ),
        (None, Some(trouble @ ConnectError::NotAuthenticated { scheme, .. })) => begun.failed(
            trouble.to_string(),
            format!("the server lets everybody in and asks nobody: is {scheme} set up there? See [zookeeper.auth]"),
        ),
        (None, trouble) => {
            let cause = trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
            let hint = if config.tls {
                "see [zookeeper.tls]: do the servers speak TLS on this port, has `ca` signed their certificates, for \
                 the names in zookeeper.hosts, and do they trust `certificate`, if they ask for one?"
            } else {
                "the server answers but grants no session, and only its log says why: a leader that is being \
                 elected does so, for one, or a full disk"
            };
            begun.failed(format!("none within {deadline:?}{cause}"), hint)
        }
    };
    Ok((step, None))
}
