//! What the kernel says about IPv6 addresses beyond that there are: which of them last.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// How long an address can be expected to stay, the longest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lifetime {
    /// For as long as the network has it. All that is known of IPv4 addresses, and where the kernel does not say.
    #[default]
    Lasting,
    /// Made for privacy, and replaced within a day or so (RFC 8981).
    Temporary,
    /// Another one has taken its place; it is kept for hours, for old connections.
    Deprecated,
    /// Not used yet, or never: another machine may have it, too (RFC 4862, section 5.4).
    Tentative,
}

/// The lifetimes by interface and address.
pub(super) type Lifetimes = BTreeMap<(String, Ipv6Addr), Lifetime>;

/// Asks the kernel. Nothing where it does not say, as on other systems than Linux.
pub(super) fn read() -> Lifetimes {
    std::fs::read_to_string("/proc/net/if_inet6").map(|text| parse(&text)).unwrap_or_default()
}

/// Reads lines of an address, the number of the interface, the length of the prefix, the scope, flags, and the name of the
/// interface; all numbers are hexadecimal. Skips what is none.
fn parse(text: &str) -> Lifetimes {
    text.lines().filter_map(line).collect()
}

fn line(text: &str) -> Option<((String, Ipv6Addr), Lifetime)> {
    const TEMPORARY: u8 = 0x01;
    const DUPLICATE: u8 = 0x08;
    const DEPRECATED: u8 = 0x20;
    const TENTATIVE: u8 = 0x40;
    let mut words = text.split_ascii_whitespace();
    let address = u128::from_str_radix(words.next()?, 16).ok()?;
    let flags = u8::from_str_radix(words.nth(3)?, 16).ok()?;
    let interface = words.next()?.to_owned();
    let lifetime = if flags & (TENTATIVE | DUPLICATE) != 0 {
        Lifetime::Tentative
    } else if flags & DEPRECATED != 0 {
        Lifetime::Deprecated
    } else if flags & TEMPORARY != 0 {
        Lifetime::Temporary
    } else {
        Lifetime::Lasting
    };
    Some(((interface, address.into()), lifetime))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_tell_how_long_an_address_stays() {
        let text = "00000000000000000000000000000001 01 80 10 80       lo\n\
                    20010db8000000000000000000000005 03 40 00 a0     eth0\n\
                    20010db8000000000000000000000006 03 40 00 01     eth0\n\
                    20010db8000000000000000000000007 03 40 00 80     eth0\n\
                    20010db8000000000000000000000008 03 40 00 40     eth0\n\
                    20010db8000000000000000000000009 03 40 00 88     eth0\n\
                    20010db800000000000000000000000a 03 40 00 21     eth0\n\
                    no line of the kernel's\n\
                    20010db8000000000000000000000007 03 40 00\n";
        let found: Vec<_> = parse(text)
            .into_iter()
            .map(|((interface, ip), lifetime)| (format!("{interface} {ip}"), lifetime))
            .collect();
        let expected = [
            ("eth0 2001:db8::5", Lifetime::Deprecated),
            ("eth0 2001:db8::6", Lifetime::Temporary),
            ("eth0 2001:db8::7", Lifetime::Lasting),
            ("eth0 2001:db8::8", Lifetime::Tentative),
            ("eth0 2001:db8::9", Lifetime::Tentative),
            ("eth0 2001:db8::a", Lifetime::Deprecated),
            ("lo ::1", Lifetime::Lasting),
        ];
        assert_eq!(found, expected.map(|(name, lifetime)| (name.to_owned(), lifetime)));
    }
}
