//! The link to ZooKeeper, as a person wants to hear of it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use zk_core::{ConnectError, Phase, StartError, State, Zk};

use crate::error::Error;

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

/// Whether the ensemble refuses our authentication.
pub(crate) fn is_refusal(state: &State) -> bool {
    matches!(state.trouble, Some(ConnectError::AuthFailed { .. } | ConnectError::NotAuthenticated { .. }))
}

/// Resolves when the ensemble refuses our authentication before it has ever granted a session: waiting does
/// not mend that. Later it is the ensemble that has changed, and may change back.
///
/// # Cancel safety
/// Safe.
pub(crate) async fn refused_at_start(zk: &Zk) -> Error {
    match zk.states().wait_for(|state| state.epoch > 0 || is_refusal(state)).await {
        Some(State { epoch: 0, trouble: Some(trouble), .. }) => Error::Authentication(trouble),
        _ => std::future::pending().await,
    }
}

/// The one link of the process, whichever command begins it. Commands borrow it; whoever ends the process closes it,
/// on every way out. Cheap to clone; clones are the same link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link(Arc<OnceLock<Zk>>);

impl Link {
    /// Begins the link, if that was not done before.
    ///
    /// # Errors
    /// If this process can have none.
    pub(crate) fn start(&self, config: &zk_core::Config) -> Result<&Zk, StartError> {
        if let Some(zk) = self.0.get() {
            return Ok(zk);
        }
        let zk = Zk::start(config.clone())?;
        Ok(self.0.get_or_init(|| zk))
    }

    /// Ends the session, if there is one, without insisting: it takes half a second at most.
    pub(crate) async fn close(&self) {
        let Some(zk) = self.0.get() else { return };
        if let Err(lingering) = zk.close(CLOSE_TIMEOUT).await {
            tracing::debug!(%lingering, "session not closed");
        }
    }
}
