//! Interfaces whose addresses change: each test runs in a network namespace of its own, in a process of its own.

use std::process::{Command, Output};
use std::time::Duration;

use super::super::tracker::AddressTracker;
use super::*;
use tokio::time::timeout;
use zk_core::{Zk, ZkConfig};

/// Set for an inner half.
const INSIDE: &str = "ZK_ROSTER_TEST_NAMESPACE";
/// What the variable says that the inner halves read.
const POD_IP: &str = "10.9.0.77";

/// Makes the interface `here`, with a carrier and the address 10.9.0.7.
const INTERFACE: &str = "set -e
ip link set lo up
ip link add here type veth peer name there
ip link set there up
ip link set here up
ip address add 10.9.0.7/24 dev here
ip address add 2001:db8::7/64 dev here nodad";

/// Runs a command in a network namespace of its own, with the interface `here`. It ends with this process.
fn unshared(arguments: &[&str]) -> std::io::Result<Output> {
    let script = format!("{INTERFACE}\nexec \"$@\"");
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--net", "--kill-child", "--", "sh", "-c", &script, "sh"]);
    unshare.args(arguments).env(INSIDE, "1").env("POD_IP", POD_IP).output()
}

/// Runs the inner half of a test.
fn run_inside(test: &str) {
    match unshared(&["true"]) {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            return zk_testing::skipped(format_args!("no network namespaces here: {}", text.trim()));
        }
        Err(error) => return zk_testing::skipped(format_args!("unshare: {error}")),
    }
    let own = std::env::current_exe().unwrap().display().to_string();
    let name = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
    let output = unshared(&[&own, "--exact", &name, "--ignored", "--nocapture"]).unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{err}\n{out}");
}

fn assert_is_inside() {
    assert!(std::env::var_os(INSIDE).is_some(), "run by the test that its `ignore` names");
}

fn ip_command(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).status();
    assert!(done.unwrap().success(), "ip {arguments}");
}

/// The machine moves to another address.
fn move_to_10_9_0_8() {
    ip_command("address delete 10.9.0.7/24 dev here");
    ip_command("address add 10.9.0.8/24 dev here");
}

#[test]
fn a_look_up_finds_the_new_address_of_an_interface() {
    run_inside("inner_a_look_up_finds_the_new_address_of_an_interface");
}

#[tokio::test]
#[ignore = "run by a_look_up_finds_the_new_address_of_an_interface"]
async fn inner_a_look_up_finds_the_new_address_of_an_interface() {
    assert_is_inside();
    // A look-up sends nothing: nobody is there.
    let ensemble = hosts("10.9.0.99:2181");
    let found = async |advertise: &str, bound: &str| {
        let advertise: Advertise = advertise.parse().unwrap();
        look_up(&advertise, ip(bound), &ensemble).await.map_err(|error| error.to_string())
    };
    // The kernel notices the carrier, and its loss, in its own time.
    let is_running = async || found("interface:here", "::").await.is_ok();
    zk_testing::eventually("the interface has a carrier", is_running).await;
    let ways = ["route", "interface:here", "network:10.9.0.0/16", "network:10.0.0.0/8", "network:0.0.0.0/0"];
    for way in ways {
        for any in ["0.0.0.0", "::"] {
            assert_eq!(found(way, any).await, Ok(host("10.9.0.7")), "{way}");
        }
    }
    assert_eq!(found("interface:here", "2001:db8::7").await, Ok(host("2001:db8::7")));
    assert_eq!(found("network:2001:db8::/32", "::").await, Ok(host("2001:db8::7")));
    assert_eq!(found("interface:lo", "::").await, Ok(host("127.0.0.1")));
    assert_eq!(found("variable:POD_IP", "::").await, Ok(host(POD_IP)));
    let error = found("interface:there", "::").await.unwrap_err();
    assert!(error.starts_with("interface there: ") && error.contains("here 10.9.0.7"), "{error}");

    // The address of a prefix that the network no longer has: lower, and deprecated.
    ip_command("address add 2001:db8::5/64 dev here nodad preferred_lft 0");
    assert_eq!(found("network:2001:db8::/32", "::").await, Ok(host("2001:db8::7")));

    move_to_10_9_0_8();
    for way in ways {
        assert_eq!(found(way, "0.0.0.0").await, Ok(host("10.9.0.8")), "{way}");
    }
    // Further addresses, with a label too: the lowest one, in whatever order the kernel lists them.
    ip_command("address add 10.9.0.200/24 dev here");
    assert_eq!(found("interface:here", "::").await, Ok(host("10.9.0.8")));
    ip_command("address add 10.9.0.6/24 dev here label here:1");
    assert_eq!(found("interface:here", "::").await, Ok(host("10.9.0.6")));
    assert_eq!(found("interface:here", "10.9.0.200").await, Ok(host("10.9.0.200")));

    // The cable is pulled.
    ip_command("link set there down");
    zk_testing::eventually("no carrier", async || !is_running().await).await;
    let error = found("network:10.9.0.0/16", "::").await.unwrap_err();
    assert!(error.contains("10.9.0.8 (down)"), "{error}");
    assert_eq!(found("network:0.0.0.0/0", "0.0.0.0").await, Ok(host("127.0.0.1")), "there is no other");
    ip_command("link set here down");
    let error = found("route", "0.0.0.0").await.unwrap_err();
    assert!(error.starts_with("no route to ZooKeeper: 10.9.0.99:2181: "), "{error}");
}

#[test]
fn a_tracker_follows_the_address_with_the_next_connection() {
    run_inside("inner_a_tracker_follows_the_address_with_the_next_connection");
}

#[tokio::test]
#[ignore = "run by a_tracker_follows_the_address_with_the_next_connection"]
async fn inner_a_tracker_follows_the_address_with_the_next_connection() {
    assert_is_inside();
    // Half of the time after which a tracker would look without a connection.
    const SOON: Duration = Duration::from_secs(15);
    let server = zk_embedded::Server::builder().start().await.unwrap();
    let config = ZkConfig::new(&server.connect_string()).unwrap();
    let ensemble = config.hosts().to_vec();
    let zk = Zk::start(config).unwrap();
    let tracker = AddressTracker::start(&zk, Advertise::Interface("here".into()), ip("0.0.0.0"), ensemble);
    let mut addresses = tracker.hosts();
    let first = timeout(SOON, addresses.wait_for(Option::is_some)).await.unwrap().unwrap().clone();
    assert_eq!(first, Some(host("10.9.0.7")));

    zk.connected().await.unwrap();
    move_to_10_9_0_8();
    server.faults().drop_connections(zk_embedded::faults::Scope::All).await.unwrap();
    timeout(SOON, addresses.wait_for(|now| *now == Some(host("10.9.0.8")))).await.unwrap().unwrap();
    zk.close(SOON).await.unwrap();
}
