//! A link on ensembles with observers, and with members that lost their quorum.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{SOON, config, connected, observer, path, state_within};
use tokio::time::sleep;
use zk_core::{Acl, ErrorKind, EventKind, Outcome, Phase, State, Zk};
use zk_testing::{Ensemble, Server, raw};

/// Waits longer than other tests: an election takes time.
async fn reach(zk: &Zk, wanted: impl FnMut(&State) -> bool) -> State {
    state_within(zk, 3 * SOON, "the wanted properties", wanted).await
}

#[tokio::test]
async fn an_observer_serves_like_any_other_member_and_a_session_outlives_it() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let mut ensemble = Ensemble::builder(2).with_observer().start().await.unwrap();
    let observer_address = ensemble.observers()[0].connect_string();
    let hosts = format!("{observer_address},{}", ensemble.servers()[0].connect_string());
    // The order is random: sooner or later the link dials the observer first.
    let zk = loop {
        let zk = Zk::start(config(&hosts)).unwrap();
        if connected(&zk).await.server().as_ref() == Some(&observer_address) {
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
        let event = events.try_next().expect("the event arrives before the reply");
        assert_eq!((event.kind, event.path.as_str()), (EventKind::Created, expected));
    }
    // After a sync the observer has the writes of other members.
    let elsewhere = observer(ensemble.servers()[1].addr()).await;
    elsewhere.set("/root/a", b"2", None).await.unwrap();
    connection.sync(&path("/root")).await.unwrap();
    assert_eq!(connection.data(&path("/root/a")).await.unwrap().0, b"2");

    let session = connection.session();
    ensemble.server(2).kill().await;
    let state = reach(&zk, |state| state.reconnects == 1 && state.is_connected()).await;
    assert_eq!((state.session, state.epoch), (Some(session), 1));
    let after = connected(&zk).await.stat(&path("/root/a")).await.unwrap().expect("still there");
    assert_eq!(after.czxid, born.czxid);
}

#[tokio::test]
async fn a_link_does_not_use_a_read_only_member_and_its_session_outlives_the_lost_quorum() {
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
    // The member serves clients that request read-only mode. A link does not, with a session or without.
    raw::Client::connect_read_only(ensemble.servers()[0].addr(), Duration::from_secs(2)).await.unwrap();
    let new = Zk::start(config(&alone)).unwrap();
    let state = reach(&new, |state| state.trouble.is_some()).await;
    assert!(state.trouble.unwrap().to_string().contains("did not grant a session"), "{:?}", new.state());
    sleep(Duration::from_secs(3)).await;
    assert_eq!((new.state().phase, new.state().epoch), (Phase::Lost, 0));
    assert!(!zk.state().is_connected(), "{:?}", zk.state());

    // The link uses another host, which serves.
    let other = Server::start().await.unwrap();
    for _ in 0..3 {
        let zk = Zk::start(config(&format!("{alone},{}", other.connect_string()))).unwrap();
        assert_eq!(connected(&zk).await.server(), Some(other.connect_string()));
    }

    ensemble.server(1).start_again().await.unwrap();
    let state = reach(&zk, State::is_connected).await;
    assert_eq!((state.session, state.epoch), (Some(session), 1), "the same session");
    assert_eq!(connected(&zk).await.stat(&path("/here")).await.unwrap(), Some(born));
    reach(&new, State::is_connected).await;
}

/// ZooKeeper replies -120 if the session is local and must not own ephemeral znodes.
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
