//! [`Network`]: a range of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network: all addresses that begin with the same bits. Written as in CIDR, `10.0.0.0/8` or `2001:db8::/32`.
///
/// ```
/// use zk_roster::Network;
///
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.9.8.7".parse()?));
/// assert!(!network.contains("11.0.0.1".parse()?));
/// // Bits behind the prefix are more often a slip than meant.
/// assert!("10.0.0.7/8".parse::<Network>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A network of IPv4 addresses that are mapped into IPv6 (`::ffff:10.0.0.0/104`) is the IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Why there is no such network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// No length of the prefix follows the address.
    #[error("no prefix length, expected a network as in 10.0.0.0/8")]
    NoPrefix,
    /// The text before the slash is no address.
    #[error("no IP address before the slash, expected a network as in 10.0.0.0/8")]
    Address,
    /// The text behind the slash is not the length of a prefix of such an address.
    #[error("the prefix length is not a number from 0 to {longest}")]
    Prefix {
        /// How many bits such an address has.
        longest: u8,
    },
    /// The address has bits behind the prefix.
    #[error("the address has bits behind the prefix, expected {network}")]
    HostBits {
        /// The network of this address.
        network: Network,
    },
}

impl Network {
    /// Makes a network of its first address, and how many bits of that all its addresses share.
    ///
    /// # Errors
    /// [`NetworkError::Prefix`], if the address has fewer bits; [`NetworkError::HostBits`], if it is not the first of the network.
    pub fn new(first: IpAddr, prefix: u8) -> Result<Self, NetworkError> {
        let (first, prefix) = match (first.to_canonical(), prefix) {
            (mapped @ IpAddr::V4(_), 96..=128) if first.is_ipv6() => (mapped, prefix - 96),
            _ => (first, prefix),
        };
        let longest = bits(first);
        if prefix > longest {
            return Err(NetworkError::Prefix { longest });
        }
        let network = Self { first: masked(first, prefix), prefix };
        if network.first != first {
            return Err(NetworkError::HostBits { network });
        }
        Ok(network)
    }

    /// Whether an address belongs to this network. An IPv4 address that is mapped into IPv6 is the IPv4 address.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.first.is_ipv4() && masked(ip, self.prefix) == self.first
    }

    /// Returns the first address.
    #[must_use]
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// Returns how many bits all addresses share.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// The address with zeros behind its first `prefix` bits.
fn masked(ip: IpAddr, prefix: u8) -> IpAddr {
    let behind = u32::from(bits(ip) - prefix);
    match ip {
        // A shift by all bits leaves zeros, where `<<` would overflow.
        IpAddr::V4(ip) => Ipv4Addr::from(ip.to_bits() & u32::MAX.unbounded_shl(behind)).into(),
        IpAddr::V6(ip) => Ipv6Addr::from(ip.to_bits() & u128::MAX.unbounded_shl(behind)).into(),
    }
}

// === Text ===

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, prefix) = text.split_once('/').ok_or(NetworkError::NoPrefix)?;
        let first: IpAddr = first.parse().map_err(|_| NetworkError::Address)?;
        let longest = bits(first);
        // The standard parser would take a sign and leading zeros.
        let is_plain =
            prefix.bytes().all(|byte| byte.is_ascii_digit()) && (prefix == "0" || !prefix.starts_with('0'));
        match prefix.parse() {
            Ok(prefix) if is_plain => Self::new(first, prefix),
            _ => Err(NetworkError::Prefix { longest }),
        }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_contains_what_begins_with_its_prefix() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.128/25", "10.1.2.200", "10.1.2.127"),
            ("10.1.2.3/32", "10.1.2.3", "10.1.2.2"),
            ("0.0.0.0/0", "255.0.0.1", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "2001:db8::7", "10.0.0.7"),
            ("::1/128", "::1", "::2"),
            ("10.0.0.0/8", "::ffff:10.0.0.7", "::a00:7"),
        ] {
            assert!(network(text).contains(ip(inside)), "{inside} is in {text}");
            assert!(!network(text).contains(ip(outside)), "{outside} is not in {text}");
        }
    }

    #[test]
    fn a_network_mapped_into_ipv6_is_the_ipv4_network() {
        assert_eq!(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
        assert_eq!(network("::ffff:0.0.0.0/96"), network("0.0.0.0/0"));
    }

    #[test]
    fn what_is_no_network_is_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<Network>().expect_err(text);
        assert_eq!(refused("10.0.0.7/8"), NetworkError::HostBits { network: network("10.0.0.0/8") });
        assert_eq!(refused("2001:db8::7/32"), NetworkError::HostBits { network: network("2001:db8::/32") });
        for text in ["10.0.0.0", "", "10.0.0.0:8"] {
            assert_eq!(refused(text), NetworkError::NoPrefix, "{text}");
        }
        for text in ["/8", "10.0.0/8", "eth0/8", " 10.0.0.0/8", "010.0.0.0/8", "[::]/8", "fe80::%eth0/64"] {
            assert_eq!(refused(text), NetworkError::Address, "{text}");
        }
        for prefix in ["", "33", "256", "-1", "+8", "08", "00", "8 ", "8/8", "255.0.0.0", "99999999999"] {
            let text = format!("10.0.0.0/{prefix}");
            assert_eq!(refused(&text), NetworkError::Prefix { longest: 32 }, "{text}");
        }
        assert_eq!(refused("::/129"), NetworkError::Prefix { longest: 128 });
    }

    proptest! {
        #[test]
        fn the_text_of_a_network_is_read_as_the_same_network(ip: IpAddr, prefix in 0u8..=128) {
            let ip = ip.to_canonical();
            let prefix = prefix.min(bits(ip));
            let network = Network::new(masked(ip, prefix), prefix);
            // Zeros behind the prefix may make another address a mapped one.
            prop_assume!(masked(ip, prefix).to_canonical() == masked(ip, prefix));
            let network = network.unwrap();
            prop_assert_eq!(network.to_string().parse(), Ok(network));
            prop_assert!(network.contains(ip));
        }

        #[test]
        fn an_address_is_in_a_network_if_all_bits_of_the_prefix_are_equal(a: u32, b: u32, prefix in 0u8..=32) {
            let network = Network::new(masked(Ipv4Addr::from(a).into(), prefix), prefix).unwrap();
            let equal = (a ^ b).leading_zeros() >= u32::from(prefix);
            prop_assert_eq!(network.contains(Ipv4Addr::from(b).into()), equal);
        }
    }
}
