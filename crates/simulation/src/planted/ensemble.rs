//! The ensemble as a faulty client has it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use zk_core::transport::{Acl, BoxFuture, ConnectError, CreateMode, Ensemble, ResumeTicket, Transport, Turn};
use zk_core::{SessionId, ZnodePath};

use super::Planted;
use super::transport::FaultyTransport;

/// The ensemble as a client with a mistake has it.
pub(super) struct Faulty {
    planted: Planted,
    ensemble: Arc<dyn Ensemble>,
    memory: Arc<Memory>,
}

/// What the client remembers over its connections.
#[derive(Default)]
pub(super) struct Memory {
    /// The session of the last connection.
    session: Mutex<Option<SessionId>>,
    /// The ephemeral znodes that it has created.
    pub(super) ephemerals: Mutex<BTreeMap<ZnodePath, (Vec<u8>, Acl)>>,
}

impl Faulty {
    pub(super) fn new(planted: Planted, ensemble: Arc<dyn Ensemble>) -> Self {
        Self { planted, ensemble, memory: Arc::default() }
    }

    /// Creates all ephemeral znodes again. Nobody waits for the replies: the requests take effect in this order, and before any
    /// later one.
    fn create_again(&self, transport: &dyn Transport) {
        for (path, (data, acl)) in &*self.memory.ephemerals.lock() {
            drop(transport.delete(Turn::default(), path, None));
            drop(transport.create(Turn::default(), path, data, CreateMode::Ephemeral, *acl));
        }
    }
}

impl Ensemble for Faulty {
    fn connect(
        &self,
        ticket: Option<ResumeTicket>,
    ) -> BoxFuture<'_, Result<Arc<dyn Transport>, ConnectError>> {
        Box::pin(async move {
            let transport = self.ensemble.connect(ticket).await?;
            let session = transport.session().id;
            let resumes = self.memory.session.lock().replace(session) == Some(session);
            if !resumes {
                self.memory.ephemerals.lock().clear();
            } else if self.planted == Planted::RecreatedOnReconnect {
                self.create_again(&*transport);
            }
            let memory = self.memory.clone();
            let faulty = FaultyTransport::new(self.planted, transport, resumes, memory);
            Ok(Arc::new(faulty) as Arc<dyn Transport>)
        })
    }

    fn name(&self) -> String {
        self.ensemble.name()
    }

    fn requested_timeout(&self) -> Duration {
        self.ensemble.requested_timeout()
    }
}
