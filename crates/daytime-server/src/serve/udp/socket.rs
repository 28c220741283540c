//! A UDP socket that reports to which of this machine's addresses a datagram was sent.
//!
//! On `0.0.0.0` and `::` the plain calls do not report it, and the kernel would send the answer from the address of the
//! route. A caller that accepts answers from the called address only would drop such an answer.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmsg,
    sendmsg, setsockopt, sockopt,
};
use socket2::{Domain, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// How much of a datagram is read, in bytes: more than an answer line has.
const READ_LIMIT: usize = 256;

/// A bound socket.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: UdpSocket,
    local: SocketAddr,
}

/// A received datagram.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    /// The address that it was sent to.
    pub(super) to: IpAddr,
    /// Whether `to` is an address of this machine as far as the kernel reports it, and not a broadcast address.
    pub(super) sent_to_one: bool,
    /// The content, or the beginning of a long one.
    pub(super) begin: Vec<u8>,
}

impl Socket {
    /// Binds the address; an unspecified IPv6 address also for IPv4.
    ///
    /// # Errors
    /// If the address is in use, or not one of this machine.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        if address.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            // Overrides the system's default (`net.ipv6.bindv6only`). Possible only before bind.
            socket.set_only_v6(false)?;
            // Also reports the destination of IPv4 datagrams, as ::ffff:127.0.0.1.
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// The bound address.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Receives the next datagram.
    ///
    /// # Cancel safety
    /// No datagram is lost if the future is dropped.
    pub(super) async fn receive(&self) -> io::Result<Datagram> {
        self.socket.async_io(Interest::READABLE, || receive(&self.socket)).await
    }

    /// Receives the next datagram that has arrived already; `WouldBlock` if there is none.
    pub(super) fn receive_now(&self) -> io::Result<Datagram> {
        receive(&self.socket)
    }

    /// Answers a datagram: sends to its sender, from the address that it was sent to. Does not wait.
    pub(super) fn send(&self, content: &[u8], to: &Datagram) -> io::Result<()> {
        send(&self.socket, content, to)
    }
}

fn receive(socket: &UdpSocket) -> io::Result<Datagram> {
    let mut content = [0; READ_LIMIT];
    let mut control = nix::cmsg_space!(in_pktinfo, in6_pktinfo);
    let mut parts = [IoSliceMut::new(&mut content)];
    let received = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;
    let from = received.address.as_ref().and_then(address).ok_or_else(|| incomplete("no sender address"))?;
    let mut to = None;
    for message in received.cmsgs()? {
        match message {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let [at, here] = [info.ipi_addr, info.ipi_spec_dst].map(|ip| u32::from_be(ip.s_addr));
                to = Some((IpAddr::V4(at.into()), at == here));
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                to = Some((IpAddr::V6(info.ipi6_addr.s6_addr.into()), true));
            }
            _ => {}
        }
    }
    let (to, sent_to_one) = to.ok_or_else(|| incomplete("no destination address"))?;
    let length = received.bytes;
    Ok(Datagram { from, to, sent_to_one, begin: content[..length].to_vec() })
}

fn send(socket: &UdpSocket, content: &[u8], to: &Datagram) -> io::Result<()> {
    let (fd, content) = (socket.as_raw_fd(), [IoSlice::new(content)]);
    match to.from {
        SocketAddr::V4(peer) => {
            let IpAddr::V4(here) = to.to else { return Err(incomplete("addresses of two families")) };
            // Interface 0: the kernel chooses the route.
            let from = in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: nix::libc::in_addr { s_addr: u32::from(here).to_be() },
                ipi_addr: nix::libc::in_addr { s_addr: 0 },
            };
            let from = [ControlMessage::Ipv4PacketInfo(&from)];
            sendmsg(fd, &content, &from, MsgFlags::MSG_DONTWAIT, Some(&SockaddrIn::from(peer)))?;
        }
        SocketAddr::V6(peer) => {
            let IpAddr::V6(here) = to.to else { return Err(incomplete("addresses of two families")) };
            let from = in6_pktinfo {
                // The scope of a link-local peer names the interface.
                ipi6_ifindex: peer.scope_id(),
                ipi6_addr: nix::libc::in6_addr { s6_addr: here.octets() },
            };
            let from = [ControlMessage::Ipv6PacketInfo(&from)];
            sendmsg(fd, &content, &from, MsgFlags::MSG_DONTWAIT, Some(&SockaddrIn6::from(peer)))?;
        }
    }
    Ok(())
}

fn address(address: &SockaddrStorage) -> Option<SocketAddr> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Some(SocketAddr::V4((*v4).into())),
        (_, Some(v6)) => Some(SocketAddr::V6((*v6).into())),
        _ => None,
    }
}

fn incomplete(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the system reported {what}"))
}
