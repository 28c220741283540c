//! Three services, of which one is stopped by SIGTERM and one killed, and a restart of all, while they are called: no call is lost,
//! whatever a client makes its calls with.
//!
//! The balancers that tonic and tower bring are beside that, measured and not judged. This prints the table of
//! `docs/lost-calls.md`:
//!
//! ```sh
//! FAULTS=all cargo test -p system-tests --test lost_calls -- --nocapture table
//! ```
//!
//! The services are processes (`src/bin/greeter.rs`) on the embedded ZooKeeper; with `FAULTS=all` on an ensemble, too, and with 200 calls
//! a second from each client.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod grpc;
mod method;
mod ours;
mod over_http2;
mod peers;
mod plain_http;
mod scene;
mod table;

use std::time::Duration;

use system_tests::{TICK, heavy};
use zk_roster::Zk;
use zk_testing::{Ensemble, SESSION};

use crate::method::{Method, Tally};
use crate::scene::{Pace, Scene, Tallies};
use crate::table::Table;

/// For every day, on a machine that does much else: fewer calls, and a session timeout that is over soon.
const SHORT: Pace = Pace {
    interval: Duration::from_millis(20),
    session: SESSION,
    calm: Duration::from_millis(300),
    after_kill: Duration::from_millis(2_500),
};
/// 200 calls a second, and the default session timeout: a killed service is listed to the end.
const LONG: Pace = Pace {
    interval: Duration::from_millis(5),
    session: Duration::from_secs(10),
    calm: Duration::from_secs(2),
    after_kill: Duration::from_secs(7),
};

async fn ours(zk: &Zk) -> Vec<Method> {
    vec![ours::call(zk).await, ours::tower(zk).await, ours::tonic(zk).await, ours::reqwest(zk).await]
}

async fn peers(zk: &Zk) -> Vec<Method> {
    vec![ours::single_attempt(zk).await, peers::tonic(zk).await, peers::tower(zk).await]
}

/// Checks that nothing was lost, and that calls were made as often as they should.
fn assert_nothing_lost(scene: &str, methods: &[Method], tallies: &[Tally]) {
    for (method, tally) in methods.iter().zip(tallies) {
        assert_eq!(tally.lost, 0, "{scene}, {}: {tally:?}", method.name);
        assert!(tally.calls > 50, "{scene}, {}: {tally:?}", method.name);
    }
}

/// Plays both scenes with all the methods: (one stopped and one killed, all restarted).
async fn play(zk: &Zk, hosts: String, pace: Pace, methods: &[Method]) -> (Tallies, Tallies) {
    let mut scene = Scene::start(zk, hosts, pace).await;
    for method in methods {
        // The first call waits for the first endpoints and connections.
        method.call().await.unwrap_or_else(|error| panic!("{}: {error}", method.name));
    }
    (scene.stop_one_and_kill_one(methods).await, scene.restart_all(methods).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_when_one_service_stops_and_one_dies_and_when_all_are_restarted() {
    let zookeeper = zk_embedded::Server::builder().tick(TICK).start().await.unwrap();
    let hosts = zookeeper.addr().to_string();
    let zk = zk_roster::connect(&hosts).unwrap();
    let methods = ours(&zk).await;
    let control = [ours::single_attempt(&zk).await];
    let all = [&methods[..], &control].concat();
    let (one_killed, restarted) = play(&zk, hosts, SHORT, &all).await;
    assert_nothing_lost("one stopped, one killed", &methods, &one_killed);
    assert_nothing_lost("all restarted", &methods, &restarted);
    let control = one_killed.last().unwrap();
    assert!(control.lost > 0, "a call that is not made again is lost at a killed service: {control:?}");
}

/// Plays both scenes at the default timeouts, with the peers beside, and adds the columns. Judges ours alone.
async fn measure(table: &mut Table, place: &str, hosts: String) {
    let zk = zk_roster::connect(&hosts).unwrap();
    let ours = ours(&zk).await;
    let all = [ours.clone(), peers(&zk).await].concat();
    let (one_killed, restarted) = play(&zk, hosts, LONG, &all).await;
    for (scene, tallies) in [("one stopped, one killed", one_killed), ("all restarted", restarted)] {
        let title = format!("{scene}; {place}");
        assert_nothing_lost(&title, &ours, &tallies);
        for (method, tally) in all.iter().zip(&tallies) {
            println!("{title}, {}: {tally:?}", method.name);
            table.add(method.name, &title, tally);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table() {
    let Some(()) = heavy("what is lost at the default timeouts, beside tonic's and tower's own balancers")
    else {
        return;
    };
    let mut table = Table::default();
    // Ticks that allow the default session timeout.
    let tick = LONG.session / 10;
    let zookeeper = zk_embedded::Server::builder().tick(tick).start().await.unwrap();
    measure(&mut table, "embedded server", zookeeper.addr().to_string()).await;
    if let Some(()) = test_zookeeper::require_apache() {
        let ensemble = Ensemble::start_with(3, zk_testing::Server::builder().tick(tick)).await.unwrap();
        measure(&mut table, "ensemble of three", ensemble.connect_string()).await;
    }
    println!("{table}");
}
