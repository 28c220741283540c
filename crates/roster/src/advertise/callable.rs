//! Which addresses can be called at all.

use std::net::IpAddr;

/// Why nobody can call an address, if so.
pub(super) fn reason_against(ip: IpAddr) -> Option<&'static str> {
    match ip.to_canonical() {
        ip if ip.is_unspecified() => Some("an address to listen on"),
        ip if ip.is_multicast() => Some("a multicast address"),
        IpAddr::V4(ip) if ip.is_broadcast() => Some("the broadcast address"),
        // IPv4's can be called from machines on the same link. IPv6's cannot, without a zone of the caller's.
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Some("a link-local address, which needs a zone"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_mean_nobody_or_everybody_cannot_be_called() {
        for text in [
            "0.0.0.0",
            "::",
            "::ffff:0.0.0.0",
            "224.0.0.1",
            "239.255.255.250",
            "ff02::1",
            "::ffff:224.0.0.1",
            "255.255.255.255",
            "fe80::1",
            "febf::1",
        ] {
            assert!(reason_against(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in
            ["10.0.0.7", "127.0.0.1", "::1", "169.254.1.1", "2001:db8::7", "::ffff:10.0.0.7", "fec0::1"]
        {
            assert_eq!(reason_against(text.parse().unwrap()), None, "{text}");
        }
    }
}
