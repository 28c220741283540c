//! What the handles ask of the task.

use std::sync::Arc;

use instance::Endpoint;
use tokio::sync::{Notify, mpsc};

/// How many reports of refused connections may wait; further ones are dropped, as the next attempt reports again.
const REPORTS: usize = 64;

/// The handles' ends of the commands.
#[derive(Clone, Debug)]
pub(crate) struct Controls {
    refused: mpsc::Sender<Endpoint>,
    release: Arc<Notify>,
    stop: Arc<Notify>,
}

/// The task's ends of the commands.
#[derive(Debug)]
pub(crate) struct Commands {
    /// Endpoints that refused a connection. Closed when no handle is left.
    pub(super) refused: mpsc::Receiver<Endpoint>,
    /// Remove the held instances.
    pub(super) release: Arc<Notify>,
    /// End.
    pub(super) stop: Arc<Notify>,
}

pub(crate) fn commands() -> (Controls, Commands) {
    let (reports, refused) = mpsc::channel(REPORTS);
    let (release, stop) = <(Arc<Notify>, Arc<Notify>)>::default();
    let controls = Controls { refused: reports, release: release.clone(), stop: stop.clone() };
    (controls, Commands { refused, release, stop })
}

impl Controls {
    pub(crate) fn report_refused(&self, endpoint: &Endpoint) {
        let _ = self.refused.try_send(endpoint.clone());
    }

    pub(crate) fn release(&self) {
        self.release.notify_one();
    }

    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }
}
