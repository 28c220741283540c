//! The link on ensembles whose members are not alike: observers, and members that lost their quorum.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{SOON, config, connected, path};
use tokio::time::{sleep, timeout};
use zk_core::{Acl, ErrorKind, EventKind, Outcome, Phase, State, Zk};
use zk_testing::{Ensemble, Server, raw};

async fn reach(zk: &Zk, wanted: impl FnMut(&State) -> bool) -> State {
    let mut states = zk.states();
    let found = timeout(3 * SOON, states.wait_for(wanted)).await;
    found.unwrap_or_else(|_| panic!("it is {:?}", zk.state())).expect("not closed")
}

#[tokio::test]
async fn an_observer_serves_like_any_other_member_and_its_sessions_outlive_it() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let mut ensemble = Ensemble::builder(2).with_observer().start().await.unwrap();
    let observer = ensemble.observers()[0].connect_string();
    let hosts = format!("{observer},{}", ensemble.servers()[0].connect_string());
    // In random order: sooner or later the observer is the first to be tried.
    let zk = loop {
        let zk = Zk::start(config(&hosts)).unwrap();
        if connected(&zk).await.server().as_ref() == Some(&observer) {
            break zk;
        }
        zk.close(SOON).await.unwrap();
    };
    let connection = connected(&zk).await;
    assert!(connection.has_recursive_watches());
    let mut events = connection.watch_recursive(&path("/root")).await.unwrap();
    connection.ensure_path(&path("/root"), Acl::Open).await.unwrap();
    let born = connection.create_ephemeral(&path("/root/a"), b"1", Acl::Open).await.unwrap();
    for expected in ["/root", "/root/a"] {
        let event = events.try_next().expect("told before the answer");
        assert_eq!((event.kind, event.path.as_str()), (EventKind::Created, expected));
    }
    // What others write at another member, it has after a sync.
    let elsewhere = raw::Client::connect(ensemble.servers()[1].addr(), Duration::from_secs(4)).await.unwrap();
    elsewhere.set("/root/a", b"2", None).await.unwrap();
    connection.sync(&path("/root")).await.unwrap();
    assert_eq!(connection.data(&path("/root/a")).await.unwrap().0, b"2");

    let session = connection.session();
    ensemble.server(2).kill().await;
    let state = reach(&zk, |state| state.reconnects == 1 && state.is_connected()).await;
    assert_eq!((state.session, state.epoch), (Some(session), 1));
    let stands = connected(&zk).await.stat(&path("/root/a")).await.unwrap().expect("still there");
    assert_eq!(stands.czxid, born.czxid);
}

#[tokio::test]
async fn a_member_that_serves_reads_only_is_not_used_and_the_session_outlives_the_lost_quorum() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let mut ensemble = Ensemble::builder(3).read_only_mode().local_sessions().start().await.unwrap();
    let zk = Zk::start(config(&ensemble.connect_string())).unwrap();
    let born = connected(&zk).await.create_ephemeral(&path("/here"), b"", Acl::Open).await.unwrap();
    let session = zk.state().session.unwrap();

    for gone in [1, 2] {
        ensemble.server(gone).kill().await;
    }
    ensemble.servers()[0].wait_read_only().await.unwrap();
    let alone = ensemble.servers()[0].connect_string();
    // It serves those who ask for it, and we do not: neither with a session, nor without.
    raw::Client::connect_read_only(ensemble.servers()[0].addr(), Duration::from_secs(2)).await.unwrap();
    let new = Zk::start(config(&alone)).unwrap();
    let state = reach(&new, |state| state.trouble.is_some()).await;
    assert!(state.trouble.unwrap().to_string().contains("did not grant a session"), "{:?}", new.state());
    sleep(Duration::from_secs(3)).await;
    assert_eq!((new.state().phase, new.state().epoch), (Phase::Lost, 0));
    assert!(!zk.state().is_connected(), "{:?}", zk.state());

    // Another host is tried: one that serves.
    let other = Server::start().await.unwrap();
    for _ in 0..3 {
        let zk = Zk::start(config(&format!("{alone},{}", other.connect_string()))).unwrap();
        assert_eq!(connected(&zk).await.server(), Some(other.connect_string()));
    }

    ensemble.server(1).start_again().await.unwrap();
    let state = reach(&zk, State::is_connected).await;
    assert_eq!((state.session, state.epoch), (Some(session), 1), "the session that it had");
    assert_eq!(connected(&zk).await.stat(&path("/here")).await.unwrap(), Some(born));
    reach(&new, State::is_connected).await;
}

/// -120 is what ZooKeeper answers where sessions are local and must not own ephemeral znodes.
#[tokio::test]
async fn an_error_code_that_the_client_crate_does_not_know_is_a_refusal_and_no_lost_connection() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let local = Server::builder().config("localSessionsEnabled", true);
    let ensemble = Ensemble::start_with(3, local).await.unwrap();
    let zk = Zk::start(config(&ensemble.connect_string())).unwrap();
    let connection = connected(&zk).await;
    let refused = connection.create_ephemeral(&path("/here"), b"", Acl::Open).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Refused(why) if why.contains("local session")), "{refused}");
    assert_eq!(refused.outcome(), Outcome::NotDone);
    assert!(!connection.has_ended());
    connection.stat(&path("/here")).await.unwrap();
}
