//! [`Host`]: the address or the name in an endpoint.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::EndpointError;

/// The longest host name in octets (RFC 1123, section 2.1, and the limits of the DNS).
pub(super) const MAX_NAME: usize = 253;

/// The longest part of a host name between two dots, in octets.
const MAX_LABEL: usize = 63;

/// A host, without a port.
///
/// Parses from any spelling of an address or name; `Display` gives the usual one, IPv6 without brackets. An IPv4
/// address that is mapped into IPv6 (`::ffff:10.0.0.7`) is read as the IPv4 address that it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Host {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, without a zone. Parsing and conversions never make one that is a mapped IPv4 address.
    V6(Ipv6Addr),
    /// A name that has to be resolved before it can be called.
    Name(HostName),
}

impl Host {
    /// Returns the address, or `None` for a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::V4(ip) => Some((*ip).into()),
            Self::V6(ip) => Some((*ip).into()),
            Self::Name(_) => None,
        }
    }

    /// Returns whether this is `0.0.0.0` or `::`: addresses to listen on, not to call.
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        self.ip().is_some_and(|ip| ip.to_canonical().is_unspecified())
    }

    /// Returns whether this only reaches the caller's own machine.
    ///
    /// True for `127.0.0.0/8`, `::1`, and for `localhost` with all names below it (RFC 6761).
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name.0.rsplit('.').next() == Some("localhost"),
            _ => self.ip().is_some_and(|ip| ip.to_canonical().is_loopback()),
        }
    }
}

/// A host name by the rules of RFC 1123, in lower case.
///
/// Letters, digits and hyphens in parts of 1 to 63 octets between dots, 253 octets in all, no hyphen at
/// the edge of a part. Underscores are tolerated, because container networks hand out such names. One dot at
/// the end, which only keeps resolvers from trying their search domains, is read and left out. A name whose
/// last part is a number is refused: resolvers would take it for an IPv4 address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(Box<str>);

impl HostName {
    /// Checks a name, makes it lower case, and takes one dot off its end.
    ///
    /// # Errors
    /// The [`EndpointError`] of the rule that the name breaks.
    pub fn new(name: &str) -> Result<Self, EndpointError> {
        if name.is_empty() {
            return Err(EndpointError::EmptyHost);
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > MAX_NAME {
            return Err(EndpointError::NameTooLong { len: name.len(), max: MAX_NAME });
        }
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(found) = name.chars().find(|&c| !known(c)) {
            return Err(EndpointError::NameChar { found });
        }
        let fits = |label: &str| {
            (1..=MAX_LABEL).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        };
        if !name.split('.').all(fits) {
            return Err(EndpointError::NameLabel);
        }
        if name.rsplit('.').next().is_some_and(is_number) {
            return Err(EndpointError::Ipv4Syntax);
        }
        Ok(Self(name.to_ascii_lowercase().into()))
    }

    /// Returns the name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns whether resolvers would read this last part of a name as a number, decimal or hexadecimal.
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x").or_else(|| label.strip_prefix("0X")) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

// === Text ===

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => ip.fmt(f),
            Self::V6(ip) => ip.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Host {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(ip.into());
        }
        // A zone after a valid address has a more helpful error than a host name with a percent sign.
        if text.split_once('%').is_some_and(|(ip, _)| ip.parse::<Ipv6Addr>().is_ok()) {
            return Err(EndpointError::ZoneId);
        }
        HostName::new(text).map(Self::Name)
    }
}

impl TryFrom<String> for Host {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

// === Conversions ===

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(ip),
        }
    }
}

impl From<Ipv4Addr> for Host {
    fn from(ip: Ipv4Addr) -> Self {
        Self::V4(ip)
    }
}

impl From<Ipv6Addr> for Host {
    fn from(ip: Ipv6Addr) -> Self {
        IpAddr::V6(ip).into()
    }
}

impl From<HostName> for Host {
    fn from(name: HostName) -> Self {
        Self::Name(name)
    }
}
