//! A session thread on the embedded server.

use std::sync::mpsc;

use tokio::task::coop::unconstrained;
use zk_testing::poll_at_most;

use super::*;
use crate::config::{ZkConfig, ZkHost};
use crate::connection::{Connection, Scope};
use crate::metrics::Metrics;
use crate::path::ZnodePath;
use crate::transport::seam::Transport;
use crate::transport::turn::IN_FLIGHT;

/// A session thread, and a connection on it whose operations take up to a quarter of a second.
async fn connect(server: &zk_embedded::Server) -> (Arc<SessionThread>, Connection) {
    crate::transport::apache::prepare().unwrap();
    let hosts = server.connect_string();
    let settings = Settings::of(&ZkConfig::new(&hosts).unwrap());
    let dialled = Dialled { address: hosts.parse().unwrap(), host: ZkHost::parse(&hosts).unwrap() };
    let thread = Arc::new(open(&dialled, None, &settings).await.unwrap());
    let limit = Duration::from_millis(250);
    let scope = Scope::new(ZnodePath::root(), Some(limit), Metrics::new("test".into()));
    let transport: Arc<dyn Transport> = thread.clone();
    (thread, Connection::new(&transport, 1, 0, Arc::new(scope)))
}

/// Blocks the thread until the returned sender is dropped.
async fn block(thread: &SessionThread) -> mpsc::Sender<()> {
    let (unblock, blocked) = mpsc::channel::<()>();
    let (started, starting) = oneshot::channel();
    drop(thread.call(Turn::default(), move |_| {
        let _ = started.send(());
        let _ = blocked.recv();
        async { Ok(()) }
    }));
    starting.await.unwrap();
    unblock
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_give_up_leave_as_many_jobs_with_a_stuck_thread_as_may_be_in_flight() {
    let server = zk_embedded::Server::start().await.unwrap();
    let (thread, connection) = connect(&server).await;
    let root = ZnodePath::root();
    connection.stat(&root).await.unwrap();
    let unblock = block(&thread).await;
    for _ in 0..5_000 {
        assert!(poll_at_most(1, unconstrained(connection.stat(&root))).await.is_none(), "nothing replies");
    }
    assert_eq!(thread.queue.len(), IN_FLIGHT);
    let started = tokio::time::Instant::now();
    assert_eq!(connection.stat(&root).await.unwrap_err().kind(), &ErrorKind::Busy);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop(unblock);
    zk_testing::eventually("the turns come back", async || connection.stat(&root).await.is_ok()).await;

    // A close finds room behind them, and what comes after it is not sent.
    let unblock = block(&thread).await;
    for _ in 0..5_000 {
        let _ = poll_at_most(1, unconstrained(connection.stat(&root))).await;
    }
    let closed = thread.close();
    drop(unblock);
    assert!(closed.await);
}

/// Else the next connection of the link would have no turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_turns_of_a_stuck_thread_come_back_when_its_handle_is_dropped() {
    let server = zk_embedded::Server::start().await.unwrap();
    let (thread, connection) = connect(&server).await;
    let root = ZnodePath::root();
    let unblock = block(&thread).await;
    for _ in 0..2_000 {
        let _ = poll_at_most(1, unconstrained(connection.stat(&root))).await;
    }
    assert_eq!(connection.stat(&root).await.unwrap_err().kind(), &ErrorKind::Busy);
    drop(thread);
    // With a turn it would have been sent, if there were a connection.
    assert_eq!(connection.stat(&root).await.unwrap_err().kind(), &ErrorKind::NotConnected);
    drop(unblock);
}

/// The supervisor drops the handle of a thread that does not reply.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_on_a_stuck_thread_ends_when_its_handle_is_dropped() {
    let server = zk_embedded::Server::start().await.unwrap();
    let (thread, connection) = connect(&server).await;
    let mut recursive = connection.watch_recursive(&ZnodePath::parse("/a").unwrap()).await.unwrap();
    let (_, mut one_shot) = connection.watch_exists(&ZnodePath::parse("/b").unwrap()).await.unwrap();
    let unblock = block(&thread).await;
    let waits = tokio::spawn(async move {
        connection.ended().await;
        assert!(connection.has_ended());
        assert_eq!((recursive.next().await, one_shot.fired().await), (None, None));
        assert_eq!((recursive.next().await, one_shot.fired().await), (None, None));
    });
    drop(thread);
    timeout(zk_testing::SOON, waits).await.expect("every wait ends").unwrap();
    drop(unblock);
}
