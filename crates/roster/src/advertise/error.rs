//! [`AdvertiseError`]: why there is no address to advertise; [`AdvertiseSyntaxError`]: why a text does not say how to find one.

use std::net::IpAddr;
use std::time::Duration;

use instance::{EndpointError, Host};

use super::network::NetworkError;

/// Why a look-up found no address that callers can reach. Its text says where the address should have come from, such as
/// `variable POD_IP: not set`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvertiseError {
    /// There is an address, and nobody can call it.
    #[error("{origin}: {address} is {reason}; nobody can call it")]
    CannotBeCalled {
        /// Where the address comes from, such as `variable POD_IP` or `listen address`.
        origin: String,
        /// The address.
        address: IpAddr,
        /// What kind of address it is.
        reason: &'static str,
    },
    /// The socket listens on every address, and this machine has no route to any host of the ensemble.
    #[error("no route to ZooKeeper: {causes}")]
    NoRoute {
        /// Why not, for each host.
        causes: String,
    },
    /// No address of this machine will do.
    #[error("{origin}: no usable address; {found}")]
    NoAddress {
        /// What the address should belong to, such as `interface eth0` or `network 10.0.0.0/8`.
        origin: String,
        /// The addresses of this machine, and what is wrong with those that are meant.
        found: String,
    },
    /// The system does not say which addresses this machine has.
    #[error("{origin}: the addresses of this machine cannot be listed: {cause}")]
    Unlisted {
        /// What the address should belong to.
        origin: String,
        /// Why not.
        cause: String,
    },
    /// The variable is not set.
    #[error("variable {variable}: not set")]
    VariableNotSet {
        /// Its name.
        variable: String,
    },
    /// The variable is set, and empty.
    #[error("variable {variable}: empty")]
    VariableEmpty {
        /// Its name.
        variable: String,
    },
    /// The variable contains neither an address nor a name.
    #[error("variable {variable}: expected an address or a host name: {reason}")]
    VariableInvalid {
        /// Its name.
        variable: String,
        /// What is wrong with its value. Does not repeat that.
        reason: String,
    },
    /// There was an address that other machines can call, and for less than ten seconds a loopback address has been the only one.
    #[error("only {address} is left, which other machines cannot call")]
    OnlyLoopback {
        /// The loopback address.
        address: Host,
    },
    /// The system did not answer.
    #[error("{origin}: no answer of the system within {limit:?}")]
    TimedOut {
        /// What the address should belong to.
        origin: String,
        /// How long it had.
        limit: Duration,
    },
}

/// Why a text does not say how to find an address, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvertiseSyntaxError {
    /// There is no text.
    #[error("empty, expected {EXPECTED}")]
    Empty,
    /// It is neither one of the keywords nor an address or a name.
    #[error("expected {EXPECTED}: {0}")]
    Host(#[from] EndpointError),
    /// It is an address that nobody can call.
    #[error("{address} is {reason}; expected an address that callers can reach")]
    CannotBeCalled {
        /// The address.
        address: IpAddr,
        /// What kind of address it is.
        reason: &'static str,
    },
    /// No name of an interface follows `interface:`.
    #[error("expected the name of a network interface, as in interface:eth0")]
    Interface,
    /// No network follows `network:`.
    #[error("expected a network, as in network:10.0.0.0/8: {0}")]
    Network(#[from] NetworkError),
    /// No name of a variable follows `variable:`.
    #[error("expected the name of an environment variable, as in variable:POD_IP")]
    Variable,
}

const EXPECTED: &str =
    "an address, a host name, or one of route, host:ADDRESS, interface:NAME, network:CIDR, variable:NAME";
