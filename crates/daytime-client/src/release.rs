//! SIGUSR1: the operator's word that what has disappeared is gone.

use std::convert::Infallible;
use std::io;

use discovery::Discovery;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// Listens for the word. While it lives, SIGUSR1 does not end the program, as it would by default.
#[derive(Debug)]
pub(crate) struct Release(Signal);

impl Release {
    /// Takes the signal over from the system.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::user_defined1())?))
    }

    /// Ends the hold of a mass disappearance, each time the word is given. It counts for what is held then: none
    /// is kept for later.
    ///
    /// # Cancel safety
    /// Safe; a word that comes later is heard by the next call.
    pub(crate) async fn obey(&mut self, discovery: &Discovery) -> Infallible {
        loop {
            if self.0.recv().await.is_none() {
                return std::future::pending().await;
            }
            // Shown by default, unlike what else the libraries log of it: it is the answer to whoever sent it.
            match discovery.view().held {
                0 => warn!("SIGUSR1: nothing is held, so nothing is released"),
                held => {
                    warn!(released = held, "SIGUSR1: what is held is believed gone");
                    discovery.release_held();
                }
            }
        }
    }
}
