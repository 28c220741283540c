//! A UDP socket that knows to which of this machine's addresses a datagram was sent.
//!
//! On `0.0.0.0` and `::` the plain calls tell nothing about that, and the kernel would send the answer
//! from whichever address the route begins with: a caller that is particular about who answers it would
//! throw the answer away.

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

/// How much of a datagram is looked at, in bytes: more than an answer of ours has.
const LOOKED_AT: usize = 256;

/// A bound socket.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: UdpSocket,
    local: SocketAddr,
}

/// A datagram that was received.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    /// The address that it was sent to.
    pub(super) to: IpAddr,
    /// Whether that is this machine's own, as far as the kernel says; not a broadcast address.
    pub(super) sent_to_one: bool,
    /// The content; of a long one the beginning.
    pub(super) begin: Vec<u8>,
}

impl Socket {
    /// Takes the address for itself; an unspecified IPv6 address for IPv4, too.
    ///
    /// # Errors
    /// If it is in use, or not this machine's.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        if address.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            // Whatever the system's default is (`net.ipv6.bindv6only`). It is too late once there is an address.
            socket.set_only_v6(false)?;
            // Tells the destination of IPv4 datagrams, too, as ::ffff:127.0.0.1.
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// What it is bound to.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The next datagram.
    ///
    /// # Cancel safety
    /// No datagram is lost if the future is dropped.
    pub(super) async fn receive(&self) -> io::Result<Datagram> {
        self.socket.async_io(Interest::READABLE, || receive(&self.socket)).await
    }

    /// The next datagram of those that have arrived.
    pub(super) fn receive_now(&self) -> io::Result<Datagram> {
        receive(&self.socket)
    }

    /// Sends to where a datagram came from, from where it was sent to. Does not wait.
    pub(super) fn send(&self, content: &[u8], to: &Datagram) -> io::Result<()> {
        send(&self.socket, content, to)
    }
}

fn receive(socket: &UdpSocket) -> io::Result<Datagram> {
    let mut content = [0; LOOKED_AT];
    let mut facts = nix::cmsg_space!(in_pktinfo, in6_pktinfo);
    let mut parts = [IoSliceMut::new(&mut content)];
    let received =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut facts), MsgFlags::MSG_DONTWAIT)?;
    let from = received.address.as_ref().and_then(address).ok_or_else(|| incomplete("no sender"))?;
    let mut to = None;
    for fact in received.cmsgs()? {
        match fact {
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
    let (to, sent_to_one) = to.ok_or_else(|| incomplete("no destination"))?;
    let length = received.bytes;
    Ok(Datagram { from, to, sent_to_one, begin: content[..length].to_vec() })
}

fn send(socket: &UdpSocket, content: &[u8], to: &Datagram) -> io::Result<()> {
    let (fd, content) = (socket.as_raw_fd(), [IoSlice::new(content)]);
    match to.from {
        SocketAddr::V4(peer) => {
            let IpAddr::V4(here) = to.to else { return Err(incomplete("two families")) };
            // Interface 0: by whichever way leads there.
            let from = in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: nix::libc::in_addr { s_addr: u32::from(here).to_be() },
                ipi_addr: nix::libc::in_addr { s_addr: 0 },
            };
            let from = [ControlMessage::Ipv4PacketInfo(&from)];
            sendmsg(fd, &content, &from, MsgFlags::MSG_DONTWAIT, Some(&SockaddrIn::from(peer)))?;
        }
        SocketAddr::V6(peer) => {
            let IpAddr::V6(here) = to.to else { return Err(incomplete("two families")) };
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
    io::Error::new(io::ErrorKind::InvalidData, format!("the system told {what}"))
}
