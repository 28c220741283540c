//! Row 64: a machine whose address changes. The inner half runs in a network namespace.

use std::net::SocketAddr;

use system_tests::{TestBed, free_port};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep};
use zk_testing::proxy::Proxy;

use crate::namespace::{is_inside, run, run_inside};
use crate::support::*;

const WHY: &str = "an address of its own takes a network namespace";

#[tokio::test]
async fn fault_64_a_machine_whose_address_changes_is_listed_under_the_new_one_alone() {
    run_inside("address::in_namespace_fault_64_a_server_moves_with_its_address", WHY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by fault_64"]
async fn in_namespace_fault_64_a_server_moves_with_its_address() {
    assert!(is_inside());
    run("ip", "link set lo up");
    run("ip", "link add here type veth peer name there");
    run("ip", "link set there up");
    run("ip", "link set here up");
    // Not of one network: without its first address the kernel would take the others away, too.
    run("ip", "addr add 10.9.0.1/32 dev here");
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let through = Proxy::start(zk.addr()).await.unwrap();
    let (port, hosts) = (free_port(), through.connect_string());
    let listen = ["--host", "0.0.0.0", "--advertise", "interface:here", "--port", &port.to_string()];
    let server =
        bed.server_with(&[&["--zookeeper", &hosts, "--session-timeout", "4s"], &listen[..]].concat());
    let name = |last: u8| SocketAddr::from(([10, 9, 0, last], port)).to_string();
    bed.observer.until("the server", SOON, |nodes| nodes.keys().eq([&name(1)])).await.unwrap();

    for (last, is_away) in [(2, false), (3, true)] {
        let begun = Instant::now();
        if is_away {
            through.refuse().await;
        }
        run("ip", &format!("addr add 10.9.0.{last}/32 dev here"));
        run("ip", &format!("addr del 10.9.0.{}/32 dev here", last - 1));
        if is_away {
            // The address changes while there is no link, for much less than a session timeout.
            sleep(BACKOFF).await;
            through.pass().await.unwrap();
        } else {
            through.cut().await;
        }
        let moved = |nodes: &std::collections::BTreeMap<String, _>| nodes.keys().eq([&name(last)]);
        bed.observer.until("the new address alone", SOON, moved).await.unwrap();
        println!("moved after {:?} (away: {is_away})", begun.elapsed());
        for sighting in bed.observer.since(begun) {
            let nodes = sighting.nodes.unwrap_or_default();
            assert!(!nodes.is_empty(), "I7: at {:?} no server is listed", sighting.at - begun);
        }
        // And it answers there.
        let asked = bed.client(&["--rounds", "1"]).exit(SOON).await.unwrap();
        assert!(asked.code == Some(0) && asked.out[0].1.starts_with(&name(last)), "{asked:?}");
    }
    assert!(server.has_logged("address changed"), "{}", server.err());
}
