use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use zk_core::ConnectError;
use zk_core::transport::{BoxFuture, Ensemble, ResumeTicket, Transport};

use crate::dial::{Credentials, Dialler, ENSEMBLE};
use crate::shared::Shared;
use crate::transport::SimulatedTransport;

/// The ensemble as one client sees it: for [`Zk::start_on`](zk_core::Zk::start_on).
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    number: u64,
    timeout: Duration,
    user: Option<String>,
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>, number: u64, timeout: Duration) -> Self {
        Self { shared, number, timeout, user: None }
    }

    /// Its number in the log and for faults. The first one is 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Requests this session timeout.
    #[must_use]
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Authenticates by the scheme `digest`, with `user:password`.
    #[must_use]
    pub fn authenticated(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("number", &self.number).finish()
    }
}

impl Ensemble for Client {
    fn connect(
        &self,
        ticket: Option<ResumeTicket>,
    ) -> BoxFuture<'_, Result<Arc<dyn Transport>, ConnectError>> {
        let credentials = ticket.and_then(|ticket| ticket.get::<Credentials>().cloned());
        let (user, timeout) = (self.user.clone(), self.timeout);
        Box::pin(async move {
            let (dialled, outcome) = oneshot::channel();
            // Weak: an attempt that is never answered must not keep the ensemble.
            let shared = Arc::downgrade(&self.shared);
            let dialler = Dialler { client: self.number, timeout, user, credentials };
            self.shared.with(|world, now| {
                let deliver = move |outcome: Result<_, _>| {
                    let Some(shared) = shared.upgrade() else { return };
                    let outcome = outcome.map(|granted| SimulatedTransport::new(shared, granted));
                    let _ = dialled.send(outcome);
                };
                world.connect(dialler, Box::new(deliver), now);
            });
            let outcome =
                outcome.await.unwrap_or_else(|_| Err(ConnectError::Unreachable(vec![ENSEMBLE.into()])));
            Ok(Arc::new(outcome?) as Arc<dyn Transport>)
        })
    }

    fn name(&self) -> String {
        ENSEMBLE.into()
    }

    fn requested_timeout(&self) -> Duration {
        self.timeout
    }
}
