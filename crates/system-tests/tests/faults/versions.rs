//! The programs on other servers than an ordinary member of an ensemble of today.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::{Node, SESSION, TICK, TestBed, free_port, free_ports};
use test_zookeeper::Version;
use tokio::time::sleep;
use zk_testing::Ensemble;

use crate::support::*;

/// The life of a registration, as all see it.
async fn everything_works(bed: &TestBed) {
    let watch = bed.client(&["watch", "--json"]);
    let ports = free_ports(2);
    let first = bed.server(&ports[..1]);
    let second = bed.server(&ports[1..]);
    let before = bed.observer.until("registered", SOON, all_of(&ports)).await.unwrap();
    prints(&watch, 2).await.unwrap();
    let asking = bed.client(&["--rounds", "20", "--interval", "1ms"]);
    answered(asking, 20).await.unwrap();
    let list = bed.client(&["list"]).exit(SOON).await.unwrap();
    assert_eq!((list.code, list.out.len()), (Some(0), 3), "{}", list.err);

    // Killed and started again within its session: it takes its own stale znode over.
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
    until("it is printed", SOON, || replay(&events(&watch)) == [name(ports[0])].into()).await.unwrap();
    let left: Vec<_> = events(&watch).into_iter().filter(|(event, _)| event == "left").collect();
    assert_eq!(left.last().map(|(_, endpoint)| endpoint), Some(&name(ports[1])));
    no_panic(&watch.err()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zookeeper_3_4_is_enough_whether_it_is_named_or_found_out() {
    for version in ["auto", "before-3.6"] {
        let server = zk_embedded::Server::builder().version(Version::V3_4).tick(TICK);
        let zk = server.start().await.unwrap();
        let bed = TestBed::new(real(), vec![zk.addr()]);
        bed.write("config/daytime.toml", &format!("[zookeeper]\nserver_version = '{version}'\n"));
        everything_works(&bed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_serves_as_any_other_and_a_read_only_server_is_waited_out() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let mut ensemble = Ensemble::builder(3).with_observer().read_only_mode().start().await.unwrap();
    let observer = ensemble.observers()[0].addr();
    let bed = TestBed::new(real(), vec![observer]);
    everything_works(&bed).await;

    // Without a majority the observer goes on, for who asks to read only: that is nobody here.
    let port = free_port();
    let server = bed.server(&[port]);
    let registered = async |when| {
        let there = |nodes: &BTreeMap<String, Node>| nodes.contains_key(&name(port));
        bed.observer.until(when, SOON, there).await.unwrap();
    };
    registered("at first").await;
    let asking = bed.client(&FOR_EVER);
    answers(&asking, 20).await.unwrap();
    for index in 0..2 {
        ensemble.server(index).kill().await;
    }
    let lost = || asking.err().contains("stale; the last set keeps serving");
    until("the link is lost", SOON, lost).await.unwrap();
    sleep(SESSION).await;
    answers_on(&asking).await.unwrap();
    for index in 0..2 {
        ensemble.server(index).start_again().await.unwrap();
    }
    // Whether a session lives through it depends on how soon the observer is back after the others.
    for program in [&server, &asking] {
        let connects = || {
            let log = program.err();
            log.matches("supervisor: connected").count() + log.matches("session resumed").count()
        };
        let connected = until("connected again", SOON, || connects() == 2).await;
        assert!(connected.is_ok(), "{}", program.err());
    }
    registered("again").await;
    // Nor is what is registered then a ghost.
    sleep(gone_within()).await;
    registered("for good").await;
    answers_on(&asking).await.unwrap();
}
