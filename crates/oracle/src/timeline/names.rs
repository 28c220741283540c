//! Which children of the root are instances.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a child is surely an instance, by its name: an address in its one form, and a port. Others may be names of hosts, or
/// foreign spellings, or nothing: views may show them or not.
pub(crate) fn is_endpoint(name: &str) -> bool {
    let Some((host, port)) = name.rsplit_once(':') else { return false };
    let is_port = port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port);
    let is_v4 = |host: &str| {
        host.parse::<Ipv4Addr>().is_ok_and(|address| !address.is_unspecified() && address.to_string() == host)
    };
    let is_v6 = |host: &str| {
        host.parse::<Ipv6Addr>().is_ok_and(|address| !address.is_unspecified() && address.to_string() == host)
    };
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    is_port && inner.map_or_else(|| is_v4(host), is_v6)
}

#[cfg(test)]
mod tests {
    use super::is_endpoint;

    #[test]
    fn an_address_in_its_one_form_and_a_port_is_an_instance() {
        for name in ["127.0.0.1:8001", "10.0.0.7:65535", "[::1]:8897"] {
            assert!(is_endpoint(name), "{name}");
        }
        for name in [
            "",
            "x",
            "lock-1",
            "web:80",
            "127.0.0.1:0",
            "127.0.0.1:080",
            "127.0.0.1:99999",
            "0.0.0.0:80",
            "::1:80",
        ] {
            assert!(!is_endpoint(name), "{name}");
        }
    }
}
