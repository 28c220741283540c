//! RFC 867 over UDP, on real sockets. ZooKeeper is away: the server does not wait for it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{IpAddr, SocketAddr, TcpListener as StdListener, UdpSocket as StdUdp};

use daytime_config::{ServerConfig, ServerSettings};
use daytime_server::{Error, run};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zk_testing::{SOON, eventually};

fn config(host: &str, port: u16) -> ServerConfig {
    let host: IpAddr = host.parse().unwrap();
    let server = ServerSettings {
        host,
        ports: vec![port],
        udp: true,
        advertise: "127.0.0.1".parse().unwrap(),
        ..ServerSettings::default()
    };
    // No process listens on port 1.
    let zookeeper = zk_core::ZkConfig::new("127.0.0.1:1").unwrap();
    let registry = zk_roster::RegistrarConfig::new("/go_servers".parse().unwrap());
    ServerConfig { zookeeper, embedded: false, registry, server, metrics: None }
}

/// A port that is free for both transports, on every address.
fn free_port() -> u16 {
    loop {
        let tcp = StdListener::bind("[::]:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        if StdUdp::bind(("::", port)).is_ok() {
            return port;
        }
    }
}

struct Running {
    port: u16,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), Error>>,
}

impl Running {
    /// Starts a server and waits until it accepts.
    async fn on(host: &str) -> Self {
        let port = free_port();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(run(config(host, port), async {
            let _ = stopped.await;
        }));
        let reached: IpAddr = match host {
            "0.0.0.0" | "::" => "127.0.0.1".parse().unwrap(),
            host => host.parse().unwrap(),
        };
        let accepts = async || {
            assert!(!server.is_finished(), "the server has ended");
            TcpStream::connect((reached, port)).await.is_ok()
        };
        eventually("the server accepts connections", accepts).await;
        Self { port, stop, server }
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        timeout(SOON, self.server).await.expect("the server stops in time").unwrap().unwrap();
    }
}

/// A socket that takes datagrams from this one peer only.
async fn caller(from: &str, peer: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(from).await.unwrap();
    socket.connect(peer).await.unwrap();
    socket
}

async fn answer(caller: &UdpSocket) -> String {
    let mut line = vec![0; 512];
    let length = timeout(SOON, caller.recv(&mut line)).await.expect("an answer in time").unwrap();
    line.truncate(length);
    String::from_utf8(line).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_datagram_is_answered_like_a_connection_from_the_address_that_it_was_sent_to() {
    let cases = [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1:0"),
        ("::1", "::1", "[::1]:0"),
        ("0.0.0.0", "127.0.0.5", "127.0.0.1:0"),
        ("::", "::1", "[::1]:0"),
        ("::", "127.0.0.5", "127.0.0.1:0"),
    ];
    for (host, called, from) in cases {
        let server = Running::on(host).await;
        let peer = SocketAddr::new(called.parse().unwrap(), server.port);
        let caller = caller(from, peer).await;
        for content in [&b""[..], b"timestamp", &[0xff; 1200]] {
            caller.send(content).await.unwrap();
            let line = answer(&caller).await;
            let mut by_tcp = String::new();
            TcpStream::connect(peer).await.unwrap().read_to_string(&mut by_tcp).await.unwrap();
            let [(name, time), (name_by_tcp, _)] =
                [&line, &by_tcp].map(|line| line.split_at(line.len() - ":2026-11-22T12:00:00.123Z\n".len()));
            assert_eq!((name, name_by_tcp), (&*peer.to_string(), &*peer.to_string()), "on {host}");
            assert!(time.ends_with("Z\n") && line.matches('\n').count() == 1, "{line:?}");
        }
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_daytime_server_gets_no_answer() {
    let server = Running::on("127.0.0.1").await;
    let peer = SocketAddr::new("127.0.0.1".parse().unwrap(), server.port);
    let twin = caller(&format!("127.0.0.2:{}", server.port), peer).await;
    twin.send(b"timestamp").await.unwrap();
    let other = caller("127.0.0.1:0", peer).await;
    other.send(b"127.0.0.2:9999:2026-11-22T12:00:00.123Z\n").await.unwrap();
    // One loop receives in order: when this caller has its answer, the other datagrams have been received.
    let third = caller("127.0.0.1:0", peer).await;
    third.send(b"timestamp").await.unwrap();
    answer(&third).await;
    for silent in [&twin, &other] {
        let mut line = [0; 512];
        assert!(silent.try_recv(&mut line).is_err(), "it was answered");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_udp_port_in_use_ends_the_start_with_an_error() {
    let port = free_port();
    let taken = StdUdp::bind(("127.0.0.1", port)).unwrap();
    let error = timeout(SOON, run(config("127.0.0.1", port), std::future::pending())).await.unwrap();
    assert!(matches!(&error, Err(Error::ListenUdp { address, .. }) if address.port() == port), "{error:?}");
    drop(taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datagrams_that_arrived_before_the_stop_are_answered_and_the_port_is_freed() {
    let server = Running::on("127.0.0.1").await;
    let peer = SocketAddr::new("127.0.0.1".parse().unwrap(), server.port);
    let callers = [caller("127.0.0.1:0", peer).await, caller("127.0.0.1:0", peer).await];
    for caller in &callers {
        caller.send(b"").await.unwrap();
    }
    server.stop().await;
    for caller in &callers {
        answer(caller).await;
    }
    StdUdp::bind(peer).expect("the port is free");
}
