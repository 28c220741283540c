//! A session thread: it runs one client of the crate, for the life of one connection.
//!
//! The thread has a runtime of its own, so that neither a busy application nor the crate can stall the other: a session
//! must send pings whatever the program does. Nothing of the crate is polled anywhere else. Operations arrive as jobs;
//! replies and events leave through channels. When the connection breaks the runtime is dropped with everything on it,
//! and every channel closes.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use zookeeper_client as zk;

use super::capabilities::Capabilities;
use super::dial::Dialled;
use super::eager::{Breaths, eager};
use super::errors;
use super::queue::{Sender, queue};
use super::settings::Settings;
use super::task::{Job, Task};
use super::thread::{publish, run, serve};
use crate::error::ErrorKind;
use crate::session::{Session, SessionId};
use crate::transport::connect_error::ConnectError;
use crate::transport::latest;
use crate::transport::seam::{BoxFuture, Reply, TransportEnd};
use crate::transport::turn::Turn;

/// How long a server may take to grant or resume a session; the crate allows 2/5 of the session timeout, if that is
/// less. A hung server must not use up the rest of a long session timeout.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The content of a [`ResumeTicket`].
#[derive(Clone)]
pub(super) struct Credentials {
    info: zk::SessionInfo,
    pub(super) capabilities: Arc<Capabilities>,
}

/// The handle of a session thread. When the last one is dropped the thread ends, and a later connection resumes the
/// session, or it expires.
pub(super) struct SessionThread {
    pub(super) session: Session,
    pub(super) credentials: Credentials,
    pub(super) server: SocketAddr,
    queue: Sender<Job>,
    pub(super) down: latest::Receiver<Option<TransportEnd>>,
    /// Publishes the end when this handle is dropped: the thread may be stuck.
    dropped: latest::Sender<Option<TransportEnd>>,
}

impl Drop for SessionThread {
    fn drop(&mut self) {
        let cause = "the link has given the connection up".into();
        publish(&self.dropped, TransportEnd::ConnectionLost(cause));
    }
}

impl fmt::Debug for SessionThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionThread")
            .field("session", &self.session.id)
            .field("server", &self.server)
            .finish()
    }
}

/// Starts a session thread whose client attaches to the session of the credentials, or begins a new one.
pub(super) async fn open(
    server: &Dialled,
    credentials: Option<&Credentials>,
    settings: &Settings,
) -> Result<SessionThread, ConnectError> {
    let address = server.address;
    let wanted = if credentials.is_some() { "resume the session" } else { "grant a session" };
    let failed = |cause: String| ConnectError::Handshake { server: address.to_string(), wanted, cause };
    if let Some(cause) = settings.unusable(server) {
        return Err(failed(cause));
    }
    let capabilities = credentials
        .map_or_else(|| Arc::new(Capabilities::new(settings.version)), |known| known.capabilities.clone());

    let connector = settings.connector(credentials.map(|known| &known.info), &capabilities);
    let (ready, granted) = oneshot::channel();
    let (sender, receiver) = queue();
    let (down_tx, down) = latest::channel(None);
    let (died, dropped) = (down_tx.clone(), down_tx.clone());
    let main = serve(connector, settings.connect_string(server), ready, receiver, down_tx);
    std::thread::Builder::new()
        .name("zk-session".into())
        .spawn(move || run(main, &died))
        .map_err(|error| failed(format!("cannot start the session thread: {error}")))?;

    let limit = settings.session_timeout.min(HANDSHAKE_TIMEOUT);
    match timeout(limit, granted).await {
        Ok(Ok(Ok((info, timeout)))) => {
            let session = Session { id: SessionId(info.id().0), timeout };
            Ok(SessionThread {
                session,
                credentials: Credentials { info, capabilities },
                server: address,
                queue: sender,
                down,
                dropped,
            })
        }
        Ok(Ok(Err(zk::Error::SessionExpired))) => Err(ConnectError::SessionExpired),
        Ok(Ok(Err(zk::Error::AuthFailed))) => Err(ConnectError::AuthFailed { server: address.to_string() }),
        Ok(Ok(Err(zk::Error::NoHosts))) => Err(failed(match settings.diagnose(server).await {
            Some(cause) => cause,
            None => "it closed the connection, or sent nothing; is it part of a quorum?".into(),
        })),
        Ok(Ok(Err(error))) => Err(failed(error.to_string())),
        Ok(Err(_)) => Err(failed("the session thread ended".into())),
        Err(_) => Err(failed(format!("no reply within {limit:?}"))),
    }
}

impl SessionThread {
    /// Whether the server is assumed to know the requests of ZooKeeper 3.6.
    pub(super) fn is_modern(&self) -> bool {
        self.credentials.capabilities.modern()
    }

    /// Whether the server is assumed to know the request for our identities.
    pub(super) fn can_list_identities(&self) -> bool {
        self.credentials.capabilities.who_am_i()
    }

    /// Sends an operation to the session thread and returns its reply. Requests are sent in the order of these calls:
    /// jobs run in order, and the tasks that they push are first polled in order. The operation returns its value, and
    /// the task of its watch, if it has one, which stays on the session thread after the reply.
    pub(super) fn submit<T, F>(
        &self,
        turn: Turn,
        operation: impl FnOnce(zk::Client) -> F + Send + 'static,
    ) -> Reply<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<(T, Option<Task>), ErrorKind>> + Send + 'static,
    {
        self.push(turn, operation, |task| task)
    }

    /// As [`submit`](Self::submit), with a task that the operation and its watch run in.
    pub(super) fn submit_eager<T, F>(
        &self,
        turn: Turn,
        operation: impl FnOnce(zk::Client, Breaths) -> F + Send + 'static,
    ) -> Reply<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<(T, Option<Task>), ErrorKind>> + Send + 'static,
    {
        let breaths = Breaths::default();
        let counted = breaths.clone();
        self.push(turn, move |client| operation(client, counted), move |task| eager(task, breaths))
    }

    fn push<T, F>(
        &self,
        turn: Turn,
        operation: impl FnOnce(zk::Client) -> F + Send + 'static,
        spawn: impl FnOnce(Task) -> Task + Send + 'static,
    ) -> Reply<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<(T, Option<Task>), ErrorKind>> + Send + 'static,
    {
        let (reply, replied) = oneshot::channel();
        let job: Job = Box::new(move |client, tasks| {
            let operation = operation(client.clone());
            // The request has left the queue, and waits for its reply.
            drop(turn);
            tasks.push(spawn(Box::pin(async move {
                let (result, watch) = match operation.await {
                    Ok((value, watch)) => (Ok(value), watch),
                    Err(error) => (Err(error), None),
                };
                // If the caller has dropped the reply, dropping the watch removes it from the server.
                match (reply.send(result), watch) {
                    (Ok(()), Some(watch)) => watch.await,
                    _ => ControlFlow::Continue(()),
                }
            })));
        });
        if let Err(refusal) = self.queue.run(job) {
            return Box::pin(async { Err(refusal) });
        }
        Box::pin(async move {
            // A dropped sender: the thread has ended, possibly after sending the request.
            replied.await.unwrap_or_else(|_| Err(ErrorKind::ConnectionLost("the connection ended".into())))
        })
    }

    /// Closes the session, after all requests before; true when the ensemble has confirmed it.
    pub(super) fn close_session(&self) -> BoxFuture<'static, bool> {
        let confirmed = self.queue.close();
        Box::pin(async move { confirmed.await.unwrap_or(false) })
    }

    pub(super) fn call<T, F>(
        &self,
        turn: Turn,
        operation: impl FnOnce(zk::Client) -> F + Send + 'static,
    ) -> Reply<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, zk::Error>> + Send + 'static,
    {
        self.submit(turn, move |client| {
            let operation = operation(client);
            async move { Ok((operation.await.map_err(errors::kind)?, None)) }
        })
    }
}

#[cfg(test)]
mod tests;
