//! What runs on a session thread.
//!
//! The thread belongs to its [`SessionThread`](super::session::SessionThread): it ends when that is dropped, closes the
//! session, or finds the connection ended. Its end shows in [`Transport::down`](crate::transport::Transport::down).

use std::future::Future;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;
use tokio::task::coop::unconstrained;
use tokio::time::{interval, timeout};
use zookeeper_client as zk;

use super::queue::{Command, Receiver};
use super::task::{Job, Tasks};
use crate::fd_reserve::fd_reserve;
use crate::transport::latest;
use crate::transport::seam::TransportEnd;

/// How long the ensemble may take to confirm the end of a session.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the session thread fills the fd reserve.
const REFILL: Duration = Duration::from_secs(1);

/// The function of the thread: runs `main`, and catches its panics.
///
/// The crate panics if a reply is shorter than it expects. That ends this connection, and not the program.
pub(super) fn run(main: impl Future<Output = ()>, down: &latest::Sender<Option<TransportEnd>>) {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        // `main` is dropped, and with it the channel that `open` waits for.
        Err(error) => return tracing::error!(%error, "cannot start the runtime of the session thread"),
    };
    // Unwind safe: nothing that the panic may have left in an inconsistent state is used afterwards.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| runtime.block_on(main))) {
        let message = panic.downcast_ref::<&str>().copied();
        let message =
            message.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        tracing::error!(panic = message, "zookeeper-client panicked, closing its connection");
        let cause = format!("zookeeper-client panicked: {message}");
        publish(down, TransportEnd::ConnectionLost(cause));
    }
}

/// Publishes the end of the transport; the first cause remains.
pub(super) fn publish(down: &latest::Sender<Option<TransportEnd>>, end: TransportEnd) {
    down.send_if_modified(|down| {
        let is_new = down.is_none();
        down.get_or_insert(end);
        is_new
    });
}

/// A runtime that polls `serve` after every step of any other task. So `serve` acts on the end of a connection right
/// after the crate has noticed it and begun to dial, and before that dial can have succeeded.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build()
}

/// The session that the server has granted, and its timeout.
pub(super) type Granted = Result<(zk::SessionInfo, Duration), zk::Error>;

/// The main task of a session thread. Returns, which ends everything on this thread, as soon as the connection breaks,
/// and before the reconnect of the crate has sent anything.
pub(super) async fn serve(
    connector: zk::Connector,
    address: String,
    mut ready: oneshot::Sender<Granted>,
    mut queue: Receiver<Job>,
    down: latest::Sender<Option<TransportEnd>>,
) {
    let mut connecting = pin!(connector.connect(&address));
    let client = tokio::select! {
        biased;
        // The caller of `open` does not wait any more.
        () = ready.closed() => return,
        client = &mut connecting => client,
    };
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let mut states = client.state_watcher();
    // `state_watcher` treats the current state as seen (D6): read it before waiting.
    let mut state = states.peek_state();
    if ready.send(Ok((client.session().clone(), client.session_timeout()))).is_err() {
        return;
    }

    let mut tasks = Tasks::new();
    let mut refill = interval(REFILL);
    let mut last_queue = None;
    let end = loop {
        if state != zk::SessionState::SyncConnected {
            // Also if the crate reports `Expired`: that comes from its own clock, or from one server. The next attempt
            // to attach to the session gets the reply of the ensemble.
            break TransportEnd::ConnectionLost(state.to_string());
        }
        tokio::select! {
            // The end first: jobs that are queued behind it must not reach the crate.
            biased;
            changed = states.changed() => state = changed,
            // Then the requests in flight, and the first step of the latest job, which sends its request.
            Some(done) = tasks.next(), if !tasks.is_empty() => if let ControlFlow::Break(broken) = done {
                last_queue = broken.queue;
                break TransportEnd::ConnectionLost(broken.cause);
            },
            command = queue.next() => match command {
                Some(Command::Run(job)) => job(&client, &tasks),
                Some(Command::Close(confirm)) => {
                    // The end is published before the watches go silent.
                    publish(&down, TransportEnd::Closed);
                    tasks.clear();
                    // Dropping the last clone of the client sends the request to close.
                    drop(client);
                    let closed = timeout(CLOSE_TIMEOUT, async {
                        loop {
                            match states.changed().await {
                                zk::SessionState::Closed => return true,
                                zk::SessionState::SyncConnected | zk::SessionState::ConnectedReadOnly => {}
                                _ => return false,
                            }
                        }
                    });
                    let _ = confirm.send(closed.await.unwrap_or(false));
                    return;
                }
                // All handles were dropped: a later connection resumes the session, or it expires.
                None => return,
            },
            // If descriptors were short when the connection was opened.
            _ = refill.tick() => {
                let _ = fd_reserve().fill();
            }
        }
    };
    // Delivers the replies and events that arrived before the end, such as the refusal of an old server.
    let _ = unconstrained(async { while tasks.next().await.is_some() {} }).now_or_never();
    // In this order: a caller that has seen the end can send nothing more.
    drop(queue);
    publish(&down, end);
    drop(last_queue);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::seam::BoxFuture;

    #[test]
    fn a_panic_on_the_session_thread_is_a_lost_connection_with_the_message_of_the_panic() {
        let literal = || -> BoxFuture<'static, ()> { Box::pin(async { panic!("short body") }) };
        let formatted = || -> BoxFuture<'static, ()> { Box::pin(async { panic!("index {}", 3 + 4) }) };
        for (message, main) in [("short body", literal()), ("index 7", formatted())] {
            let (down, ended) = latest::channel(None);
            run(main, &down);
            let ended = (*ended.latest()).clone();
            let Some(TransportEnd::ConnectionLost(cause)) = ended else { panic!("{ended:?}") };
            assert!(cause.contains("panicked") && cause.contains(message), "{cause}");
        }
        let (down, ended) = latest::channel(Some(TransportEnd::Closed));
        run(literal(), &down);
        assert_eq!(*ended.latest(), Some(TransportEnd::Closed), "the first cause remains");
    }
}
