//! A refused authentication: the one problem with ZooKeeper that ends the server.

use zk_core::{ConnectError, Zk};

/// Resolves when the ensemble refuses our authentication before the first session: then the configuration is wrong. A
/// refusal after the first session does not resolve it: the ensemble has changed, may change back, and the server goes on.
///
/// # Cancel safety
/// Safe.
pub(crate) async fn refused_at_start(zk: &Zk) -> ConnectError {
    let refused = |trouble: &ConnectError| {
        matches!(trouble, ConnectError::AuthFailed { .. } | ConnectError::NotAuthenticated { .. })
    };
    let settled = |state: &zk_core::State| state.epoch > 0 || state.trouble.as_ref().is_some_and(refused);
    match zk.states().wait_for(settled).await {
        Some(zk_core::State { epoch: 0, trouble: Some(trouble), .. }) => trouble,
        _ => std::future::pending().await,
    }
}
