use std::net::IpAddr;

/// Writes an address as Java does: IPv6 in full, without the short form for zeros.
pub(super) fn identity(peer: IpAddr) -> String {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address.segments().map(|segment| format!("{segment:x}")).join(":"),
    }
}

/// Returns whether an id can stand in an ACL: an IPv4 address, or one with the number of bits that count.
pub(super) fn is_valid(id: &str) -> bool {
    Range::parse(id).is_some()
}

/// Returns whether an id of an ACL stands for an address; for no IPv6 address, as on Apache ZooKeeper.
pub(super) fn matches(id: &str, address: &str) -> bool {
    let range = Range::parse(id).zip(octets(address));
    range.is_some_and(|(range, address)| (range.address ^ address) & range.mask() == 0)
}

struct Range {
    address: u32,
    bits: u32,
}

impl Range {
    fn parse(id: &str) -> Option<Self> {
        let (address, bits) = match id.split_once('/') {
            Some((address, bits)) => (address, bits.parse::<i32>().ok()?),
            None => (id, 32),
        };
        let bits = u32::try_from(bits).ok().filter(|bits| *bits <= 32)?;
        Some(Self { address: octets(address)?, bits })
    }

    fn mask(&self) -> u32 {
        u32::MAX.checked_shl(32 - self.bits).unwrap_or(0)
    }
}

/// Reads four numbers; signs and leading zeros are let through, as on Apache ZooKeeper.
fn octets(address: &str) -> Option<u32> {
    let mut numbers = address.split('.');
    let mut value = 0;
    for _ in 0..4 {
        let number = numbers.next()?.parse::<i32>().ok().filter(|number| (0..=255).contains(number))?;
        value = value << 8 | u32::try_from(number).ok()?;
    }
    numbers.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_java_writes_them() {
        let written = |address: &str| identity(address.parse().unwrap());
        assert_eq!(written("127.0.0.1"), "127.0.0.1");
        assert_eq!(written("::1"), "0:0:0:0:0:0:0:1");
        assert_eq!(written("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(written("fe80::ab:1"), "fe80:0:0:0:0:0:ab:1");
    }

    #[test]
    fn an_id_is_an_ipv4_address_with_up_to_32_bits() {
        assert_eq!(["1.2.3.4", "1.2.3.4/0", "1.2.3.4/32", "0.0.0.0/8", "01.+2.3.4"].map(is_valid), [true; 5]);
        let bad =
            ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-4", "a.b.c.d", "1.2.3.4/33", "1.2.3.4/-1", "::1"];
        assert_eq!(bad.map(is_valid), [false; 9]);
        assert!(!is_valid("1.2.3.4/") && !is_valid("1.2.3.4/8/8"));
    }

    #[test]
    fn only_the_bits_that_count_are_compared() {
        assert!(matches("10.1.2.3", "10.1.2.3") && !matches("10.1.2.3", "10.1.2.4"));
        assert!(matches("10.0.0.0/8", "10.200.1.1") && !matches("10.0.0.0/8", "11.0.0.0"));
        assert!(matches("10.1.2.128/25", "10.1.2.200") && !matches("10.1.2.128/25", "10.1.2.100"));
        assert!(matches("1.2.3.4/0", "99.99.99.99"));
        assert!(!matches("0.0.0.0/0", "0:0:0:0:0:0:0:1"), "an IPv6 address matches nothing");
    }
}
