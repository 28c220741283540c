//! [`Advertise`]: how the address that callers reach is found.

mod callable;
mod error;
mod interfaces;
mod lifetimes;
mod network;
mod resolve;
mod route;
pub(crate) mod tracker;

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use instance::Host;
use zk_core::ZkHost;

pub use error::{AdvertiseError, AdvertiseSyntaxError};
pub use network::{Network, NetworkError};

/// How the address that callers reach is found: what a service registers as its host.
///
/// ```
/// use zk_roster::Advertise;
///
/// let advertise: Advertise = "interface:eth0".parse()?;
/// assert_eq!(advertise, Advertise::Interface("eth0".into()));
/// // An address or a name alone is a host.
/// assert_eq!("10.0.0.7".parse::<Advertise>()?.to_string(), "host:10.0.0.7");
/// assert_eq!("network:10.0.0.0/8".parse::<Advertise>()?, Advertise::Network("10.0.0.0/8".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It parses from `route`, `host:10.0.0.7`, `interface:eth0`, `network:10.0.0.0/8` and `variable:POD_IP`, and `Display` writes
/// the same.
///
/// # When it is looked up
///
/// At the start, with every new connection to ZooKeeper, and every 30 s. When the answer is another one, the registration moves
/// to it. While there is no answer the last one stays; before the first, nothing is registered. Both are logged, and tried
/// again every second. A loopback address takes the place of another one only after 10 s: a machine whose network is configured
/// anew has no other for a moment.
///
/// # Which address
///
/// * `Interface` and `Network` look at the addresses of this machine that are usable: the interface is up and has a carrier, the
///   address is not link-local (`169.254.0.0/16`, `fe80::/10`), and the listening socket serves its family. A socket on `::`
///   serves both; where it was made to serve IPv6 only, which does not show here, name a network of IPv6.
/// * Of several, it is the one on which the socket listens, if it listens on a single address; then the lowest: IPv4 before
///   IPv6, and by number. A restart therefore finds the same one, in whatever order the kernel lists them. IPv6 addresses that
///   are temporary (for privacy) come behind those, then deprecated ones, and a loopback address is taken only if there is no
///   other.
/// * An address that nobody can call (`0.0.0.0`, `::`, multicast, `255.255.255.255`, and `fe80::/10`, which means nothing without
///   a zone) is an error, wherever it comes from.
/// * `Host` and `Variable` may say anything else, of any family: they are meant for addresses that this machine does not know,
///   as behind a port that is forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
#[non_exhaustive]
pub enum Advertise {
    /// The address on which the socket listens; where that is `0.0.0.0` or `::`, our address on the route to ZooKeeper: to the
    /// first host of the list that has a route. Nothing is sent for that.
    #[default]
    Route,
    /// This address or name.
    Host(Host),
    /// The first usable address of this network interface. `eth0` includes addresses with the label `eth0:1`.
    Interface(String),
    /// The first usable address of this machine within this network.
    Network(Network),
    /// The address or name that this environment variable contains, such as `POD_IP`. It is an error if it is not set, or empty.
    Variable(String),
}

/// Makes one attempt to find the address, which takes two seconds at most.
///
/// # Cancel safety
/// Safe. A look-up of a name that hangs does so on a thread of the runtime, which `shutdown_background` does not wait for.
pub(crate) async fn look_up(
    advertise: &Advertise,
    bound: IpAddr,
    ensemble: &[ZkHost],
) -> Result<Host, AdvertiseError> {
    // `::ffff:0.0.0.0` is `0.0.0.0` mapped into IPv6.
    let bound = bound.to_canonical();
    let (origin, host) = match advertise {
        Advertise::Route if bound.is_unspecified() => {
            return Ok(route::to_any(bound, ensemble).await?.into());
        }
        Advertise::Route => ("listen address".to_owned(), bound.into()),
        Advertise::Host(host) => ("host".to_owned(), host.clone()),
        Advertise::Interface(name) => {
            let origin = format!("interface {name}");
            return interfaces::find(bound, origin, |local| local.is_of(name)).await.map(Host::from);
        }
        Advertise::Network(network) => {
            let origin = format!("network {network}");
            return interfaces::find(bound, origin, |local| network.contains(local.ip)).await.map(Host::from);
        }
        Advertise::Variable(name) => (format!("variable {name}"), variable(name, std::env::var_os(name))?),
    };
    match host.ip() {
        Some(ip) => match callable::reason_against(ip) {
            None => Ok(ip.into()),
            Some(reason) => Err(AdvertiseError::CannotBeCalled { origin, address: ip, reason }),
        },
        None => Ok(host),
    }
}

/// Reads the value of a variable. Errors do not repeat it: a wrong name may be that of a secret.
fn variable(name: &str, value: Option<OsString>) -> Result<Host, AdvertiseError> {
    let variable = || name.to_owned();
    let Some(value) = value else { return Err(AdvertiseError::VariableNotSet { variable: variable() }) };
    if value.is_empty() {
        return Err(AdvertiseError::VariableEmpty { variable: variable() });
    }
    let invalid = |reason: String| AdvertiseError::VariableInvalid { variable: variable(), reason };
    let text = value.to_str().ok_or_else(|| invalid("it is not Unicode".into()))?;
    text.parse().map_err(|error: instance::EndpointError| invalid(error.to_string()))
}

// === Text ===

impl fmt::Display for Advertise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route => f.write_str("route"),
            Self::Host(host) => write!(f, "host:{host}"),
            Self::Interface(name) => write!(f, "interface:{name}"),
            Self::Network(network) => write!(f, "network:{network}"),
            Self::Variable(name) => write!(f, "variable:{name}"),
        }
    }
}

impl FromStr for Advertise {
    type Err = AdvertiseSyntaxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(AdvertiseSyntaxError::Empty);
        }
        if text == "route" {
            return Ok(Self::Route);
        }
        let is_name = |name: &str| !name.is_empty() && !name.contains(char::is_control);
        if let Some(name) = text.strip_prefix("interface:") {
            return if is_name(name) {
                Ok(Self::Interface(name.into()))
            } else {
                Err(AdvertiseSyntaxError::Interface)
            };
        }
        if let Some(name) = text.strip_prefix("variable:") {
            return if is_name(name) && !name.contains('=') {
                Ok(Self::Variable(name.into()))
            } else {
                Err(AdvertiseSyntaxError::Variable)
            };
        }
        if let Some(network) = text.strip_prefix("network:") {
            return Ok(Self::Network(network.parse()?));
        }
        let host: Host = text.strip_prefix("host:").unwrap_or(text).parse()?;
        match host.ip().and_then(|ip| Some((ip, callable::reason_against(ip)?))) {
            None => Ok(Self::Host(host)),
            Some((address, reason)) => Err(AdvertiseSyntaxError::CannotBeCalled { address, reason }),
        }
    }
}

impl TryFrom<String> for Advertise {
    type Error = AdvertiseSyntaxError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Advertise> for String {
    fn from(advertise: Advertise) -> Self {
        advertise.to_string()
    }
}

impl From<Host> for Advertise {
    fn from(host: Host) -> Self {
        Self::Host(host)
    }
}

impl From<IpAddr> for Advertise {
    fn from(ip: IpAddr) -> Self {
        Self::Host(ip.into())
    }
}

impl From<Network> for Advertise {
    fn from(network: Network) -> Self {
        Self::Network(network)
    }
}

#[cfg(test)]
mod tests;
