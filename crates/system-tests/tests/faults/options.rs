//! Socket options that the programs set themselves, whatever the system's defaults are.

use std::net::{SocketAddr, UdpSocket as StdUdp};

use system_tests::{TestBed, free_port};
use test_zookeeper::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::namespace::{is_inside, run, run_inside};
use crate::support::*;

const WHY: &str = "another default for IPv6 sockets takes a network namespace";

#[tokio::test]
async fn a_server_on_every_address_serves_ipv4_and_ipv6_whatever_bindv6only_says() {
    run_inside("options::in_namespace_a_server_serves_ipv4_and_ipv6", WHY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by a_server_on_every_address_serves_ipv4_and_ipv6_whatever_bindv6only_says"]
async fn in_namespace_a_server_serves_ipv4_and_ipv6() {
    assert!(is_inside());
    run("ip", "link set lo up");
    std::fs::write("/proc/sys/net/ipv6/bindv6only", "1").unwrap();
    let plain = TcpListener::bind("[::]:0").await.unwrap();
    let plain = plain.local_addr().unwrap().port();
    assert!(TcpStream::connect(("127.0.0.1", plain)).await.is_err(), "the fault did not take effect");

    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (port, metrics) = (free_port(), free_port());
    let (port_text, listen) = (port.to_string(), format!("[::]:{metrics}"));
    let everywhere = ["--zookeeper", bed.hosts(), "--host", "::", "--udp", "--port", &port_text];
    let _server = bed.server_with(&[&everywhere[..], &["--metrics", &listen]].concat());
    // The server registers its address on the route to the ensemble, which is an IPv4 one.
    bed.observer.until("the server", SOON, all_of(&[port])).await.unwrap();
    for host in ["127.0.0.1", "::1"] {
        let at = |port| SocketAddr::new(host.parse().unwrap(), port);
        let mut line = String::new();
        let mut stream = TcpStream::connect(at(port)).await.unwrap_or_else(|e| panic!("{host}: {e}"));
        stream.read_to_string(&mut line).await.unwrap();
        assert!(line.starts_with(&at(port).to_string()), "{line:?}");

        // The caller's socket is of one family.
        let socket = StdUdp::bind(at(0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = UdpSocket::from_std(socket).unwrap();
        socket.send_to(b"", at(port)).await.unwrap();
        let mut answer = [0; 256];
        let (length, from) = timeout(SOON, socket.recv_from(&mut answer)).await.expect("an answer").unwrap();
        assert_eq!(from, at(port));
        assert!(answer[..length].starts_with(at(port).to_string().as_bytes()));

        let mut stream = TcpStream::connect(at(metrics)).await.unwrap_or_else(|e| panic!("{host}: {e}"));
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").await.unwrap();
        let mut metrics = String::new();
        stream.read_to_string(&mut metrics).await.unwrap();
        assert!(metrics.contains("daytime_requests_total"), "{metrics}");
    }
}
