//! [`Listening`]: where a service listens.

use std::io;
use std::net::SocketAddr;

use socket2::SockRef;

/// What a service listens on: a listener or a socket, or its address where somebody else has it.
///
/// With a TCP listener at hand the registration vouches for it, and takes over at once what a predecessor that was killed left
/// under its name: no other process can listen on that address, unless the socket has `SO_REUSEPORT`. A bare address vouches
/// for nothing, and waits until the predecessor's session ends; nor does a UDP socket, beside which another process may listen
/// on the same address over TCP.
pub trait Listening {
    /// Returns the address that it listens on.
    ///
    /// # Errors
    /// If the system does not say.
    fn address(&self) -> io::Result<SocketAddr>;

    /// Returns whether no other process can be called at the address while this listens, whatever the transport.
    fn is_exclusive(&self) -> bool;
}

impl Listening for SocketAddr {
    fn address(&self) -> io::Result<SocketAddr> {
        Ok(*self)
    }

    fn is_exclusive(&self) -> bool {
        false
    }
}

impl Listening for std::net::TcpListener {
    fn address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn is_exclusive(&self) -> bool {
        has_no_reuse_port(SockRef::from(self))
    }
}

impl Listening for tokio::net::TcpListener {
    fn address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn is_exclusive(&self) -> bool {
        has_no_reuse_port(SockRef::from(self))
    }
}

impl Listening for std::net::UdpSocket {
    fn address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn is_exclusive(&self) -> bool {
        false
    }
}

impl Listening for tokio::net::UdpSocket {
    fn address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn is_exclusive(&self) -> bool {
        false
    }
}

impl<L: Listening + ?Sized> Listening for &L {
    fn address(&self) -> io::Result<SocketAddr> {
        (**self).address()
    }

    fn is_exclusive(&self) -> bool {
        (**self).is_exclusive()
    }
}

/// A socket that does not say counts as shared.
fn has_no_reuse_port(socket: SockRef<'_>) -> bool {
    socket.reuse_port().is_ok_and(|shared| !shared)
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn only_a_socket_that_shares_its_address_with_no_other_is_exclusive() {
        let listen = |reuse_port| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_reuse_port(reuse_port).unwrap();
            socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
            socket.listen(1).unwrap();
            std::net::TcpListener::from(socket)
        };
        assert!(listen(false).is_exclusive());
        assert!(!listen(true).is_exclusive());
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(!udp.is_exclusive(), "another process may listen on its port over TCP");
        let address = listen(false).address().unwrap();
        assert!(!address.is_exclusive(), "{address}: the process may listen on it, or another one");
    }
}
