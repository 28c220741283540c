use proptest::prelude::*;

use super::*;

#[test]
fn every_kind_of_host_round_trips() {
    for text in [
        "127.0.0.1:8897",
        "255.255.255.255:65535",
        "[::1]:8897",
        "[::]:1",
        "[2001:db8::7]:8897",
        "[::ffff:10.0.0.1]:80",
        "host.example:8897",
        "a:1",
        "my_container-1:80",
        "7up.example:80",
        "x-0x7f:80",
        "1.2.3.4.example:80",
    ] {
        let endpoint: Endpoint = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(endpoint.to_string(), text);
    }
}

#[test]
fn each_mistake_has_its_own_answer() {
    use EndpointError as E;

    let long_label = format!("{}.example:80", "a".repeat(64));
    let long_name = format!("{}:80", "abcdef.".repeat(36) + "xy");
    let too_long = "a".repeat(1_000_000);
    let table: &[(&str, E)] = &[
        ("", E::Empty),
        (&too_long, E::TooLong { len: 1_000_000, max: 259 }),
        ("host.example", E::MissingPort),
        ("host.example:", E::MissingPort),
        ("[::1]", E::MissingPort),
        ("[::1]:", E::MissingPort),
        (":8897", E::EmptyHost),
        (":", E::EmptyHost),
        ("a:0", E::PortZero),
        ("a:65536", E::PortOutOfRange),
        ("a:99999999999999999999", E::PortOutOfRange),
        ("a:+80", E::PortSyntax),
        ("a:-80", E::PortSyntax),
        ("a:080", E::PortSyntax),
        ("a:00", E::PortSyntax),
        ("a:http", E::PortSyntax),
        ("a:0x50", E::PortSyntax),
        ("a:8_0", E::PortSyntax),
        (" a:80", E::UnexpectedChar { found: ' ' }),
        ("a:80\n", E::UnexpectedChar { found: '\n' }),
        ("a\n:80", E::UnexpectedChar { found: '\n' }),
        ("a\0:80", E::UnexpectedChar { found: '\0' }),
        ("a:80\u{7f}", E::UnexpectedChar { found: '\u{7f}' }),
        ("bücher.example:80", E::UnexpectedChar { found: 'ü' }),
        ("a:８０", E::UnexpectedChar { found: '８' }),
        ("::1:80", E::BracketsMissing),
        ("a:80:80", E::BracketsMissing),
        ("http://a:80", E::BracketsMissing),
        ("[::1:80", E::UnclosedBracket),
        ("[::1]80", E::TextAfterBracket),
        ("[::1]]:80", E::TextAfterBracket),
        ("[]:80", E::Ipv6Syntax),
        ("[127.0.0.1]:80", E::Ipv6Syntax),
        ("[host]:80", E::Ipv6Syntax),
        ("[::12345]:80", E::Ipv6Syntax),
        ("[fe80::1%eth0]:80", E::ZoneId),
        ("256.0.0.1:80", E::Ipv4Syntax),
        ("127.1:80", E::Ipv4Syntax),
        ("127.0.0.01:80", E::Ipv4Syntax),
        ("2130706433:80", E::Ipv4Syntax),
        ("0x7f000001:80", E::Ipv4Syntax),
        ("a/b:80", E::NameChar { found: '/' }),
        ("user@host:80", E::NameChar { found: '@' }),
        ("a]:80", E::NameChar { found: ']' }),
        (".a:80", E::NameLabel),
        ("a.:80", E::NameLabel),
        ("a..b:80", E::NameLabel),
        ("-a:80", E::NameLabel),
        ("a-.b:80", E::NameLabel),
        (&long_label, E::NameLabel),
        (&long_name, E::NameTooLong { len: 254, max: 253 }),
        ("A:80", E::NotCanonical { canonical: "a:80".into() }),
        ("[::0001]:80", E::NotCanonical { canonical: "[::1]:80".into() }),
        ("[FE80::1]:80", E::NotCanonical { canonical: "[fe80::1]:80".into() }),
    ];
    for (text, expected) in table {
        let shown: String = text.chars().take(40).collect();
        assert_eq!(text.parse::<Endpoint>().as_ref(), Err(expected), "{shown:?}");
    }
}

#[test]
fn what_a_person_typed_is_put_into_the_one_spelling() {
    for (typed, canonical) in [
        ("Host.Example:80", "host.example:80"),
        ("[0:0:0:0:0:0:0:1]:80", "[::1]:80"),
        ("[2001:DB8::0]:80", "[2001:db8::]:80"),
    ] {
        assert_eq!(Endpoint::parse_lenient(typed).unwrap().to_string(), canonical);
    }
    assert_eq!("::1".parse::<Host>().unwrap().to_string(), "::1");
    assert_eq!("fe80::1%eth0".parse::<Host>(), Err(EndpointError::ZoneId));
}

#[test]
fn the_order_is_by_number_then_by_letter_then_by_port() {
    let sorted = ["9.0.0.1:1", "10.0.0.1:80", "10.0.0.1:8080", "[::1]:1", "[::a]:1", "a:2", "a:10", "b:1"];
    let mut endpoints: Vec<Endpoint> = sorted.iter().rev().map(|text| text.parse().unwrap()).collect();
    endpoints.sort();
    assert_eq!(endpoints.iter().map(Endpoint::to_string).collect::<Vec<_>>(), sorted);
}

#[test]
fn unspecified_and_loopback_are_recognised_in_every_family() {
    let is = |text: &str| {
        let endpoint: Endpoint = text.parse().unwrap();
        (endpoint.is_unspecified(), endpoint.is_loopback())
    };
    for text in ["0.0.0.0:1", "[::]:1", "[::ffff:0.0.0.0]:1"] {
        assert_eq!(is(text), (true, false), "{text}");
    }
    for text in ["127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1", "a.localhost:1"] {
        assert_eq!(is(text), (false, true), "{text}");
    }
    for text in ["10.0.0.1:1", "[fe80::1]:1", "localhost.example:1"] {
        assert_eq!(is(text), (false, false), "{text}");
    }
}

#[test]
fn socket_addresses_convert_unless_they_cannot_be_called() {
    let addr: SocketAddr = "[::1]:8897".parse().unwrap();
    let endpoint = Endpoint::try_from(addr).unwrap();
    assert_eq!(endpoint.socket_addr(), Some(addr));
    assert_eq!(Endpoint::try_from(SocketAddr::from(([127, 0, 0, 1], 0))), Err(EndpointError::PortZero));
    let scoped: SocketAddr = "[fe80::1%3]:80".parse().unwrap();
    assert_eq!(Endpoint::try_from(scoped), Err(EndpointError::ZoneId));
    assert_eq!("a:1".parse::<Endpoint>().unwrap().socket_addr(), None);
}

#[test]
fn serde_uses_the_one_spelling() {
    let endpoint: Endpoint = serde_json::from_str(r#""[::1]:8897""#).unwrap();
    assert_eq!(serde_json::to_string(&endpoint).unwrap(), r#""[::1]:8897""#);
    assert!(serde_json::from_str::<Endpoint>(r#""[::01]:8897""#).is_err());
}

fn hosts() -> impl Strategy<Value = Host> {
    let name = "[a-z_]([a-z0-9_-]{0,20}[a-z0-9_])?(\\.[a-z_]([a-z0-9_-]{0,20}[a-z0-9_])?){0,3}";
    prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| Host::V4(ip.into())),
        any::<[u16; 8]>().prop_map(|ip| Host::V6(ip.into())),
        // Sparse addresses are the ones that get compressed.
        prop::array::uniform8(prop_oneof![Just(0u16), any::<u16>()]).prop_map(|ip| Host::V6(ip.into())),
        name.prop_map(|name| Host::Name(HostName::new(&name).unwrap())),
    ]
}

proptest! {
    #[test]
    fn every_endpoint_reads_back_as_itself(host in hosts(), port in 1..=u16::MAX) {
        let endpoint = Endpoint::new(host, port).unwrap();
        prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
    }

    #[test]
    fn what_parses_is_spelled_in_one_way_only(text in ".*") {
        if let Ok(endpoint) = text.parse::<Endpoint>() {
            prop_assert_eq!(endpoint.to_string(), text);
        }
    }

    #[test]
    fn near_misses_are_spelled_in_one_way_only(text in "[\\[]?[0-9a-fA-FxX:.%+ _-]{0,24}[\\]]?:[+0]?[0-9]{0,6}") {
        if let Ok(endpoint) = text.parse::<Endpoint>() {
            prop_assert_eq!(endpoint.to_string(), text.as_str());
        }
        if let Ok(endpoint) = Endpoint::parse_lenient(&text) {
            prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        }
    }
}
