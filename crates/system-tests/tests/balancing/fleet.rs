//! Servers that never answer: sockets of the test, or none. `Drop` closes them.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use futures_util::future::join_all;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use system_tests::free_port;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// In which way a server does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The kernel accepts for it, and it never answers.
    Silent,
    /// Its queue is full, and so the kernel drops every SYN.
    SynUnanswered,
    /// Its name does not exist.
    Unresolvable,
    /// The name service does not answer; needs root, as its address is in a file of the system.
    NameUnanswered,
    /// Nobody listens.
    Refusing,
}

/// Servers with one fault.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) endpoints: Vec<String>,
    /// The silent name service, if there is one.
    name_service: Option<(Ipv4Addr, UdpSocket)>,
    _listeners: Vec<TcpListener>,
    /// Connections that fill the queues of the listeners.
    _queued: Vec<TcpStream>,
}

impl Fleet {
    pub(crate) async fn start(fault: Fault, count: usize) -> Self {
        let port = free_port();
        let addresses: Vec<_> = (0..count).map(|number| SocketAddrV4::new(address(number), port)).collect();
        let (mut listeners, mut queued, mut name_service) = (Vec::new(), Vec::new(), None);
        match fault {
            Fault::Silent => listeners = listen(&addresses, 1024),
            Fault::SynUnanswered => {
                listeners = listen(&addresses, 0);
                queued = join_all(addresses.iter().map(fill)).await.into_iter().flatten().collect();
            }
            Fault::Unresolvable | Fault::Refusing => {}
            Fault::NameUnanswered => {
                // Each fleet has an address of its own, as the port is given.
                let address = Ipv4Addr::from(0x7f5a_0000 | u32::from(port));
                name_service = Some((address, UdpSocket::bind((address, 53)).unwrap()));
            }
        }
        let endpoints = match fault {
            Fault::Unresolvable | Fault::NameUnanswered => {
                (0..count).map(|number| format!("host-{number}.invalid:80")).collect()
            }
            _ => addresses.iter().map(ToString::to_string).collect(),
        };
        Self { endpoints, name_service, _listeners: listeners, _queued: queued }
    }

    /// The address of the name service that the callers of the fleet must have.
    pub(crate) fn name_service(&self) -> Option<Ipv4Addr> {
        self.name_service.as_ref().map(|(address, _)| *address)
    }
}

/// Loopback addresses that nothing else uses: a fleet has one port, and an address for each server.
fn address(number: usize) -> Ipv4Addr {
    let byte = |number: usize| u8::try_from(number).unwrap();
    Ipv4Addr::new(127, 91, byte(number / 250), byte(number % 250 + 1))
}

fn listen(addresses: &[SocketAddrV4], backlog: u32) -> Vec<TcpListener> {
    // Fleets of several tests are open at one time.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let listening = |address: &SocketAddrV4| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((*address).into()).unwrap();
        socket.listen(backlog).unwrap()
    };
    addresses.iter().map(listening).collect()
}

/// Connects until that is not answered any more, and returns the connections that fill the queue.
async fn fill(address: &SocketAddrV4) -> Vec<TcpStream> {
    let mut queued = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
        assert!(queued.len() < 8, "the queue of {address} is never full");
    }
    queued
}
