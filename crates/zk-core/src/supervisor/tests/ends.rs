//! How a link ends without being asked: its task has an end that every handle shows.

use tokio::task::JoinSet;

use super::*;
use crate::connection::Connection;

const SOON: Duration = Duration::from_secs(10);

/// Every call that waits for the link, begun and under way.
fn waits(zk: &Zk, wait: &tokio::runtime::Handle) -> JoinSet<()> {
    let mut waits = JoinSet::new();
    let (connected, mut changed, mut wanted) = (zk.clone(), zk.states(), zk.states());
    waits.spawn_on(
        async move {
            while connected.connected().await.is_ok() {
                tokio::task::yield_now().await
            }
        },
        wait,
    );
    waits.spawn_on(async move { while changed.changed().await.is_some() {} }, wait);
    waits.spawn_on(async move { assert_eq!(wanted.wait_for(|_| false).await, None) }, wait);
    waits
}

async fn all_end(waits: JoinSet<()>) {
    tokio::time::timeout(SOON, waits.join_all()).await.expect("every wait ends");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_ensemble_closes_the_link_and_every_wait_ends() {
    let (script, zk) = start([ConnectReply::Panic]);
    all_end(waits(&zk, &tokio::runtime::Handle::current())).await;
    assert_eq!(zk.state().phase, Phase::Closed(CloseReason::Clean), "there was no session");
    zk.close(SOON).await.unwrap();
    assert_eq!(Arc::strong_count(&script), 1, "the task refers to nothing any more");

    let (script, zk) = start([ConnectReply::Session(1), ConnectReply::Panic]);
    let connection = zk.connected().await.unwrap();
    script.cut();
    all_end(waits(&zk, &tokio::runtime::Handle::current())).await;
    let lingering = Lingering { session: SessionId(1), up_to: TIMEOUT };
    assert_eq!(zk.state().phase, Phase::Closed(CloseReason::Lingering(lingering.clone())));
    assert_eq!(zk.close(SOON).await, Err(lingering));
    assert!(zk.connection().is_none() && connection.has_ended());
    let error = connection.stat(&ZnodePath::root()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotConnected);
}

#[test]
fn a_runtime_that_goes_away_ends_every_wait_on_another_one() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (link, other) = (runtime(), runtime());
    let (script, zk) = link.block_on(async { start([ConnectReply::Session(1)]) });
    let connection: Connection = other.block_on(zk.connected()).unwrap();
    let mut waiting = waits(&zk, other.handle());
    let closed = zk.clone();
    let ended = connection.clone();
    waiting.spawn_on(async move { ended.ended().await }, other.handle());
    // Unreachable from now on: so `connected` waits for a connection.
    script.cut();
    other.block_on(reach(&zk, |state| !state.is_connected()));
    drop(link);
    other.block_on(all_end(waiting));
    assert_eq!(other.block_on(closed.close(SOON)).unwrap_err().session, SessionId(1));
}

#[tokio::test(start_paused = true)]
async fn the_task_of_a_link_has_ended_when_close_returns() {
    let (script, zk) = start([ConnectReply::Session(1)]);
    zk.connected().await.unwrap();
    let waits = waits(&zk, &tokio::runtime::Handle::current());
    let (first, second) = (zk.clone(), zk.clone());
    let (first, second) = tokio::join!(first.close(SOON), second.close(SOON));
    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_eq!(Arc::strong_count(&script), 1, "the task refers to nothing any more");
    all_end(waits).await;
    zk.close(SOON).await.unwrap();
}

/// A turn is not needed to learn that the connection has ended.
#[tokio::test(start_paused = true)]
async fn an_operation_that_waits_for_its_turn_ends_with_its_connection() {
    let (script, zk) = start([ConnectReply::Session(1)]);
    let (connection, root) = (zk.connected().await.unwrap(), ZnodePath::root());
    let mut others = JoinSet::new();
    for _ in 0..1_024 {
        let (connection, root) = (connection.clone(), root.clone());
        others.spawn(async move { connection.stat(&root).await });
    }
    sleep(Duration::from_millis(1)).await;
    let started = Instant::now();
    let (error, ()) = tokio::join!(connection.sync(&root), async { script.cut() });
    assert_eq!(error.unwrap_err().kind(), &ErrorKind::NotConnected);
    assert_eq!(started.elapsed(), Duration::ZERO);
}
