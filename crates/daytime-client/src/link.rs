//! The one link of the process.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use zk_core::{ConnectError, StartError, State, Zk};

use crate::error::Error;

/// A reader's session owns no znodes, so closing it may be short.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Whether the ensemble refuses our authentication.
pub(crate) fn is_refusal(state: &State) -> bool {
    matches!(state.trouble, Some(ConnectError::AuthFailed { .. } | ConnectError::NotAuthenticated { .. }))
}

/// Resolves when the ensemble refuses our authentication before the first session: waiting cannot help. A refusal after
/// the first session does not resolve it: the ensemble has changed, and may change back.
///
/// # Cancel safety
/// Safe.
pub(crate) async fn refused_at_start(zk: &Zk) -> Error {
    match zk.states().wait_for(|state| state.epoch > 0 || is_refusal(state)).await {
        Some(State { epoch: 0, trouble: Some(trouble), .. }) => Error::Authentication(trouble),
        _ => std::future::pending().await,
    }
}

/// The one link of the process. The command starts it, and `main` closes it on every way out. Cheap to clone; clones are
/// the same link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link(Arc<OnceLock<Zk>>);

impl Link {
    /// Starts the link, unless it is started already.
    ///
    /// # Errors
    /// If this process cannot start a link.
    pub(crate) fn start(&self, config: &zk_core::ZkConfig) -> Result<&Zk, StartError> {
        if let Some(zk) = self.0.get() {
            return Ok(zk);
        }
        let zk = Zk::start(config.clone())?;
        Ok(self.0.get_or_init(|| zk))
    }

    /// Closes the session, if there is one. Takes half a second at most, and then leaves the session to its timeout.
    pub(crate) async fn close(&self) {
        let Some(zk) = self.0.get() else { return };
        // `zk_core` logs a session that it could not close in time.
        let _ = zk.close(CLOSE_TIMEOUT).await;
    }
}
