//! [`Endpoint`]: an address and a port, with one way to write them.

mod convert;
mod error;
mod host;

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

pub use convert::NotAnAddress;
pub use error::EndpointError;
pub use host::{Host, HostName};

/// A host name of 253 octets, a dot at its end, a colon and five digits.
const MAX_LEN: usize = host::MAX_NAME + 7;

/// An address that can be called: a host and a port from 1 to 65535.
///
/// One endpoint has one form, and `Display` writes it: `127.0.0.1:8897`, `[::1]:8897` or
/// `host.example:8897`. IPv6 addresses are compressed as in RFC 5952, an IPv4 address mapped into IPv6 is the
/// IPv4 address, host names are lower case without a dot at the end, ports have no sign and no leading zero.
///
/// Parsing reads the other spellings of an address or a name as the same endpoint, as other programs may have
/// written them: `[::ffff:127.0.0.1]:80`, `[0:0:0:0:0:0:0:1]:80`, `Host-A.example.:80`. Ambiguous text is refused:
/// leading zeros in a port or an IPv4 address (octal to some), IPv6 without brackets, a zone.
///
/// `0.0.0.0` and `::`, in any spelling, are no endpoints: they are addresses to listen on, and a caller that dials them
/// reaches itself.
///
/// The order is IPv4 by number, then IPv6 by number, then names by their letters; within a host, by port.
/// It is stable: pickers that walk a sorted list rely on it.
///
/// # Examples
/// ```
/// use instance::{Endpoint, EndpointError};
///
/// let endpoint: Endpoint = "[0:0:0:0:0:0:0:1]:8897".parse()?;
/// assert_eq!(endpoint.to_string(), "[::1]:8897");
/// assert_eq!("[::ffff:10.0.0.7]:80".parse::<Endpoint>()?, "10.0.0.7:80".parse()?);
/// assert_eq!("0.0.0.0:80".parse::<Endpoint>(), Err(EndpointError::Unspecified));
///
/// // From a host and a port, and to what connects.
/// let endpoint = Endpoint::try_from(("web-1.example", 80))?;
/// let (host, port): (String, u16) = endpoint.into();
/// assert_eq!((host.as_str(), port), ("web-1.example", 80));
/// # Ok::<(), EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Endpoint {
    host: Host,
    port: NonZeroU16,
}

impl Endpoint {
    /// Joins a host and a port.
    ///
    /// # Errors
    /// [`EndpointError::PortZero`]: nothing can be called at port 0.
    /// [`EndpointError::Unspecified`]: nor can `0.0.0.0` or `::`.
    pub fn new(host: impl Into<Host>, port: u16) -> Result<Self, EndpointError> {
        let port = NonZeroU16::new(port).ok_or(EndpointError::PortZero)?;
        Self::checked(host.into(), port)
    }

    fn checked(host: Host, port: NonZeroU16) -> Result<Self, EndpointError> {
        // The variants of a host are public, so one may contain a mapped address.
        let host = host.ip().map_or(host, Host::from);
        if host.is_unspecified() {
            return Err(EndpointError::Unspecified);
        }
        Ok(Self { host, port })
    }

    fn read(text: &str) -> Result<Self, EndpointError> {
        if text.is_empty() {
            return Err(EndpointError::Empty);
        }
        if text.len() > MAX_LEN {
            return Err(EndpointError::TooLong { len: text.len(), max: MAX_LEN });
        }
        if let Some(found) = text.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(EndpointError::UnexpectedChar { found });
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (inside, after) = rest.split_once(']').ok_or(EndpointError::UnclosedBracket)?;
            if after.is_empty() {
                return Err(EndpointError::MissingPort);
            }
            let port = after.strip_prefix(':').ok_or(EndpointError::TextAfterBracket)?;
            (bracketed(inside)?.into(), port)
        } else {
            let (host, port) = text.split_once(':').ok_or(EndpointError::MissingPort)?;
            if port.contains(':') {
                return Err(EndpointError::BracketsMissing);
            }
            (host.parse()?, port)
        };
        Self::checked(host, parse_port(port)?)
    }

    /// Returns the host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the port, which is never 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.get()
    }

    /// Returns the socket address, or `None` for a host name, which has to be resolved first.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.host.ip().map(|ip| SocketAddr::new(ip, self.port()))
    }

    /// Returns whether the host only reaches the caller's own machine: `127.0.0.0/8`, `::1`, `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host.is_loopback()
    }
}

/// Parses the text between brackets.
fn bracketed(inside: &str) -> Result<Ipv6Addr, EndpointError> {
    if inside.contains('%') {
        return Err(EndpointError::ZoneId);
    }
    inside.parse().map_err(|_| EndpointError::Ipv6Syntax)
}

fn parse_port(text: &str) -> Result<NonZeroU16, EndpointError> {
    if text.is_empty() {
        return Err(EndpointError::MissingPort);
    }
    // The standard parser would take a leading '+' and leading zeros, which are octal to others.
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(EndpointError::PortSyntax);
    }
    if text == "0" {
        return Err(EndpointError::PortZero);
    }
    if text.starts_with('0') {
        return Err(EndpointError::PortSyntax);
    }
    text.parse().map_err(|_| EndpointError::PortOutOfRange)
}

// === Text ===

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::V6(ip) => write!(f, "[{ip}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text)
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
