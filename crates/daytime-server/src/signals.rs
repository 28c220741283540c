//! SIGTERM and SIGINT, and what the second of them means.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals that ask a program to stop, treated alike.
#[derive(Debug)]
pub(crate) struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// Takes the signals over from the system, which would just kill us.
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    /// The next signal, by name.
    ///
    /// # Cancel safety
    /// No signal is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}
