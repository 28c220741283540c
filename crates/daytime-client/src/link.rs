//! The link to ZooKeeper, as a person wants to hear of it.

use std::time::Duration;

use zk_core::{Phase, State, Zk};

/// The session of a reader owns nothing: a moment to say goodbye is enough.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Where the link stands, in words.
pub(crate) fn describe(state: &State) -> String {
    let trouble = state.trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
    match (&state.phase, &state.session) {
        (Phase::Connected, Some(session)) => format!("connected to ZooKeeper, session {}", session.id),
        (Phase::Connected, None) => "connected to ZooKeeper".into(),
        (Phase::Suspended, _) => format!("connection to ZooKeeper lost, trying again{trouble}"),
        (Phase::Lost, None) => format!("waiting for ZooKeeper{trouble}"),
        (Phase::Lost, Some(_)) => format!("ZooKeeper is away for longer than the session timeout{trouble}"),
        (Phase::Closed(_), _) => "connection to ZooKeeper closed".into(),
    }
}

/// Ends the session, without insisting.
pub(crate) async fn close(zk: &Zk) {
    if let Err(lingering) = zk.close(CLOSE_TIMEOUT).await {
        tracing::debug!(%lingering, "session not closed");
    }
}
