//! The one trouble with ZooKeeper that waiting does not mend.

use zk_core::{ConnectError, Zk};

/// Resolves when the ensemble refuses our authentication before it has ever granted a session: then the
/// configuration is wrong. Later it is the ensemble that has changed, and may change back: who serves by
/// then goes on.
///
/// # Cancel safety
/// Safe.
pub(crate) async fn at_start(zk: &Zk) -> ConnectError {
    let refused = |trouble: &ConnectError| {
        matches!(trouble, ConnectError::AuthFailed { .. } | ConnectError::NotAuthenticated { .. })
    };
    let settled = |state: &zk_core::State| state.epoch > 0 || state.trouble.as_ref().is_some_and(refused);
    match zk.states().wait_for(settled).await {
        Some(zk_core::State { epoch: 0, trouble: Some(trouble), .. }) => trouble,
        _ => std::future::pending().await,
    }
}
