//! The end of a connection.

use tokio::sync::watch;

use crate::transport::TransportEnd;

/// Whether a transport has ended. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Down(watch::Receiver<Option<TransportEnd>>);

impl Down {
    pub(crate) fn new(down: watch::Receiver<Option<TransportEnd>>) -> Self {
        Self(down)
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) {
        let mut down = self.0.clone();
        // An error means that the transport has been dropped.
        let _ = down.wait_for(Option::is_some).await;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }
}
