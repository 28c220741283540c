//! SIGUSR1: the operator releases the held instances.

use std::convert::Infallible;
use std::io;

use discovery::Discovery;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// Receives SIGUSR1. While it lives, the signal does not end the program, as it would by default.
#[derive(Debug)]
pub(crate) struct Release(Signal);

impl Release {
    /// Takes the signal over.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::user_defined1())?))
    }

    /// Releases the held instances at each SIGUSR1. A signal that finds none held has no effect later.
    ///
    /// # Cancel safety
    /// Safe; the next call receives the signals that come later.
    pub(crate) async fn release_on_signal(&mut self, discovery: &Discovery) -> Infallible {
        loop {
            if self.0.recv().await.is_none() {
                return std::future::pending().await;
            }
            // A warning, so that the operator sees the effect of the signal at the default log level.
            match discovery.view().held {
                0 => warn!("SIGUSR1: no instances are held"),
                held => {
                    warn!(released = held, "SIGUSR1: releasing the held instances");
                    discovery.release_held();
                }
            }
        }
    }
}
