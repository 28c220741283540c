//! The programs on servers of 3.4, on an observer, and on a read-only server.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::{Node, SESSION, TICK, TestBed, free_port, free_ports};
use test_zookeeper::Version;
use tokio::time::sleep;
use zk_testing::Ensemble;

use crate::support::*;

/// A registration from its beginning to its end, as observer, `watch`, `list` and rounds show it.
async fn everything_works(bed: &TestBed) {
    let watch = bed.client(&["watch", "--json"]);
    let ports = free_ports(2);
    let first = bed.server(&ports[..1]);
    let second = bed.server(&ports[1..]);
    let before = bed.registered(&ports).await;
    until_changes(&watch, 2).await.unwrap();
    let asking = bed.client(&["--rounds", "20", "--interval", "1ms"]);
    all_answered(asking, 20).await.unwrap();
    let list = bed.client(&["list"]).exit(SOON).await.unwrap();
    assert_eq!((list.code, list.out.len()), (Some(0), 3), "{}", list.err);

    // A server that is killed and started again within its session takes over its own stale znode.
    first.kill().await;
    let first = bed.server(&ports[..1]);
    let anew = |nodes: &BTreeMap<String, Node>| {
        let node = nodes.get(&name(ports[0]));
        node.is_some_and(|node| node.owner != before[&name(ports[0])].owner)
    };
    bed.observer.until("taken over", SESSION, anew).await.unwrap();
    no_panic(&first.err()).unwrap();

    second.signal(Signal::SIGTERM);
    let exit = second.exit(Duration::from_secs(5)).await.unwrap();
    assert_eq!(exit.code, Some(0), "{}", exit.err);
    bed.observer.until("one has left", SOON, all_of(&ports[..1])).await.unwrap();
    until("it is printed", SOON, || replay(&changes(&watch)) == [name(ports[0])].into()).await.unwrap();
    let left: Vec<_> = changes(&watch).into_iter().filter(|(event, _)| event == "left").collect();
    assert_eq!(left.last().map(|(_, endpoint)| endpoint), Some(&name(ports[1])));
    no_panic(&watch.err()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_programs_work_on_zookeeper_3_4_whether_configured_or_detected() {
    for version in ["auto", "before-3.6"] {
        let server = zk_embedded::Server::builder().version(Version::V3_4).tick(TICK);
        let zk = server.start().await.unwrap();
        let bed = TestBed::new(real(), vec![zk.addr()]);
        bed.write("config/daytime.toml", &format!("[zookeeper]\nserver_version = '{version}'\n"));
        everything_works(&bed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_serves_like_any_member_and_a_read_only_server_is_waited_out() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let mut ensemble = Ensemble::builder(3).with_observer().read_only_mode().start().await.unwrap();
    let observer = ensemble.observers()[0].addr();
    let bed = TestBed::new(real(), vec![observer]);
    everything_works(&bed).await;

    // Without a majority the observer serves only clients that ask to read only: not these programs.
    let port = free_port();
    let server = bed.server(&[port]);
    let registered = async |when| {
        let there = |nodes: &BTreeMap<String, Node>| nodes.contains_key(&name(port));
        bed.observer.until(when, SOON, there).await.unwrap();
    };
    registered("at first").await;
    let asking = bed.client(&FOR_EVER);
    until_answers(&asking, 20).await.unwrap();
    for index in 0..2 {
        ensemble.server(index).kill().await;
    }
    asking.until_logged("discovery view is stale").await;
    sleep(SESSION).await;
    still_answered(&asking).await.unwrap();
    for index in 0..2 {
        ensemble.server(index).start_again().await.unwrap();
    }
    // A session survives this if the observer is back soon after the others.
    for program in [&server, &asking] {
        let connects = || {
            let log = program.err();
            log.matches("supervisor: connected").count() + log.matches("session resumed").count()
        };
        let connected = until("connected again", SOON, || connects() == 2).await;
        assert!(connected.is_ok(), "{}", program.err());
    }
    registered("again").await;
    // The znode is not one of an old session, which would go now.
    sleep(gone_within()).await;
    registered("for good").await;
    still_answered(&asking).await.unwrap();
}
