//! Each mistake is made, and nothing else is.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use zk_core::transport::Acl;
use zk_core::{Connection, ErrorKind, EventKind, Zk, ZnodePath};
use zk_simulated::SimulatedEnsemble;

use super::*;

fn path() -> ZnodePath {
    "/a".parse().unwrap()
}

/// A link with a mistake, or without one.
fn link(ensemble: &SimulatedEnsemble, planted: Option<Planted>) -> Zk {
    let client = Arc::new(ensemble.client());
    let sources = ensemble.sources(client.number());
    match planted {
        Some(planted) => Zk::start_on(plant(planted, client), sources),
        None => Zk::start_on(client, sources),
    }
}

/// Breaks the connection, and waits for the next one.
async fn reconnect(ensemble: &SimulatedEnsemble, zk: &Zk, before: &Connection) -> Connection {
    ensemble.cut();
    before.ended().await;
    zk.connected().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_znode_that_exists_is_written_and_counts_as_created() {
    for planted in [None, Some(Planted::NodeExistsIsSuccess)] {
        let ensemble = SimulatedEnsemble::new(1);
        let operator = ensemble.operator();
        operator.create_ephemeral(path(), "theirs").unwrap();
        let zk = link(&ensemble, planted);
        let connection = zk.connected().await.unwrap();
        let created = connection.create_ephemeral(&path(), b"ours", Acl::Open).await;
        match planted {
            None => assert_eq!(*created.unwrap_err().kind(), ErrorKind::NodeExists),
            Some(_) => assert_eq!(created.unwrap().ephemeral_owner, Some(operator.session())),
        }
        let data = if planted.is_some() { b"ours".as_slice() } else { b"theirs" };
        assert_eq!(operator.data(path()).as_deref(), Some(data));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_resumes_a_session_sets_no_watch() {
    for planted in [None, Some(Planted::WatchNotSetAgain)] {
        let ensemble = SimulatedEnsemble::new(1);
        let (operator, zk) = (ensemble.operator(), link(&ensemble, planted));
        operator.create("/r", "").unwrap();
        let first = zk.connected().await.unwrap();
        let connection = reconnect(&ensemble, &zk, &first).await;
        let mut events = connection.watch_recursive(&"/r".parse().unwrap()).await.unwrap();
        operator.create("/r/a", "").unwrap();
        let event = timeout(Duration::from_secs(60), events.next()).await;
        assert_eq!(event.is_err(), planted.is_some());
        let (_, mut fired) = connection.watch_exists(&"/r/a".parse().unwrap()).await.unwrap();
        operator.delete("/r/a").unwrap();
        let kind = timeout(Duration::from_secs(60), fired.fired()).await.ok().flatten();
        assert_eq!(kind, planted.is_none().then_some(EventKind::Deleted));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_in_a_session_creates_its_znodes_again() {
    for planted in [None, Some(Planted::RecreatedOnReconnect)] {
        let ensemble = SimulatedEnsemble::new(1);
        let (operator, zk) = (ensemble.operator(), link(&ensemble, planted));
        let connection = zk.connected().await.unwrap();
        let created = connection.create_ephemeral(&path(), b"ours", Acl::Open).await.unwrap();
        reconnect(&ensemble, &zk, &connection).await;
        sleep(Duration::from_secs(1)).await;
        let now = operator.stat(path()).unwrap();
        assert_eq!(now.ephemeral_owner, created.ephemeral_owner);
        assert_eq!(now.czxid != created.czxid, planted.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_take_over_is_two_transactions() {
    for planted in [None, Some(Planted::TakeOverInTwoSteps)] {
        let ensemble = SimulatedEnsemble::new(1);
        let operator = ensemble.operator();
        operator.create_ephemeral(path(), "theirs").unwrap();
        let zk = link(&ensemble, planted);
        let connection = zk.connected().await.unwrap();
        let mut events = connection.watch_recursive(&path()).await.unwrap();
        connection.take_over(&path(), 0, b"ours", Acl::Open).await.unwrap();
        let (deleted, created) = (events.next().await.unwrap(), events.next().await.unwrap());
        assert_eq!((deleted.kind, created.kind), (EventKind::Deleted, EventKind::Created));
        assert_eq!(deleted.zxid != created.zxid || deleted.at != created.at, planted.is_some());
    }
}
