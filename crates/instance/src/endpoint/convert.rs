//! What an [`Endpoint`] is made of, and what takes one.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::vec;

use super::{Endpoint, EndpointError, Host};

// === From a host and a port ===

impl TryFrom<(&str, u16)> for Endpoint {
    type Error = EndpointError;

    /// Joins a host in any spelling, an IPv6 address with or without brackets, and a port.
    fn try_from((host, port): (&str, u16)) -> Result<Self, Self::Error> {
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match bracketed {
            Some(ip) => Self::new(super::bracketed(ip)?, port),
            None => Self::new(host.parse::<Host>()?, port),
        }
    }
}

impl TryFrom<(String, u16)> for Endpoint {
    type Error = EndpointError;

    fn try_from((host, port): (String, u16)) -> Result<Self, Self::Error> {
        Self::try_from((host.as_str(), port))
    }
}

impl TryFrom<(IpAddr, u16)> for Endpoint {
    type Error = EndpointError;

    fn try_from((ip, port): (IpAddr, u16)) -> Result<Self, Self::Error> {
        Self::new(ip, port)
    }
}

impl TryFrom<SocketAddr> for Endpoint {
    type Error = EndpointError;

    /// Makes an endpoint of a socket address.
    ///
    /// # Errors
    /// [`EndpointError::PortZero`]: bind first, and use the listener's `local_addr()`.
    /// [`EndpointError::Unspecified`]: the socket listens on every address; use one that callers can reach.
    /// [`EndpointError::ZoneId`]: a scope id means nothing on another machine.
    fn try_from(addr: SocketAddr) -> Result<Self, Self::Error> {
        match addr {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Err(EndpointError::ZoneId),
            addr => Self::new(addr.ip(), addr.port()),
        }
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

// === To what connects ===

/// The host, an IPv6 address without brackets, and the port: what `tokio::net::TcpStream::connect` and its kin take.
impl From<&Endpoint> for (String, u16) {
    fn from(endpoint: &Endpoint) -> Self {
        (endpoint.host().to_string(), endpoint.port())
    }
}

impl From<Endpoint> for (String, u16) {
    fn from(endpoint: Endpoint) -> Self {
        (&endpoint).into()
    }
}

/// An endpoint whose host is a name, which has to be resolved before there is a socket address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no socket address: its host is a name, which has to be resolved first")]
pub struct NotAnAddress(pub Endpoint);

impl TryFrom<&Endpoint> for SocketAddr {
    type Error = NotAnAddress;

    fn try_from(endpoint: &Endpoint) -> Result<Self, Self::Error> {
        endpoint.socket_addr().ok_or_else(|| NotAnAddress(endpoint.clone()))
    }
}

/// Resolves a name by the resolver of the system, and blocks the thread meanwhile. In asynchronous code pass the pair
/// of host and port to what connects, or resolve by `tokio::net::lookup_host`.
impl ToSocketAddrs for Endpoint {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        match self.host() {
            Host::Name(name) => (name.as_str(), self.port()).to_socket_addrs(),
            _ => Ok(Vec::from_iter(self.socket_addr()).into_iter()),
        }
    }
}

/// The authority of a URI: `10.0.0.7:80`, `[::1]:80`, `web-1.example:80`.
#[cfg(feature = "http")]
impl From<&Endpoint> for http::uri::Authority {
    fn from(endpoint: &Endpoint) -> Self {
        let text = endpoint.to_string();
        text.try_into().expect("an address or a name of letters, digits, '-', '_' and '.', and a port")
    }
}

#[cfg(feature = "http")]
impl From<Endpoint> for http::uri::Authority {
    fn from(endpoint: Endpoint) -> Self {
        (&endpoint).into()
    }
}
