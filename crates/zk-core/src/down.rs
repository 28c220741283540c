//! The end of a connection.

use crate::transport::{TransportEnd, latest};

/// Whether a transport has ended. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Down(latest::Receiver<Option<TransportEnd>>);

impl Down {
    pub(crate) fn new(down: latest::Receiver<Option<TransportEnd>>) -> Self {
        Self(down)
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) {
        // `None` means that the transport has been dropped.
        self.0.clone().wait_for(Option::is_some).await;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.latest().is_some() || self.0.has_ended()
    }
}
