use proptest::prelude::*;

use super::*;

#[test]
fn every_kind_of_host_round_trips() {
    for text in [
        "127.0.0.1:8897",
        "255.255.255.255:65535",
        "[::1]:8897",
        "[::2]:1",
        "[2001:db8::7]:8897",
        "[64:ff9b::a00:1]:80",
        "[::a00:1]:80",
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
fn each_invalid_text_has_its_own_error() {
    use EndpointError as E;

    let long_label = format!("{}.example:80", "a".repeat(64));
    let long_name = format!("{}:80", "abcdef.".repeat(36) + "xy");
    let too_long = "a".repeat(1_000_000);
    let table: &[(&str, E)] = &[
        ("", E::Empty),
        (&too_long, E::TooLong { len: 1_000_000, max: 260 }),
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
        ("010.0.0.1:80", E::Ipv4Syntax),
        ("10.0.0.1.:80", E::Ipv4Syntax),
        ("[::ffff:010.0.0.1]:80", E::Ipv6Syntax),
        ("2130706433:80", E::Ipv4Syntax),
        ("0x7f000001:80", E::Ipv4Syntax),
        ("a/b:80", E::NameChar { found: '/' }),
        ("user@host:80", E::NameChar { found: '@' }),
        ("a]:80", E::NameChar { found: ']' }),
        (".a:80", E::NameLabel),
        ("a..:80", E::NameLabel),
        (".:80", E::NameLabel),
        ("a..b:80", E::NameLabel),
        ("-a:80", E::NameLabel),
        ("a-.b:80", E::NameLabel),
        (&long_label, E::NameLabel),
        (&long_name, E::NameTooLong { len: 254, max: 253 }),
        ("[00001::]:80", E::Ipv6Syntax),
        ("0.0.0.0:80", E::Unspecified),
        ("[::]:80", E::Unspecified),
        ("[0:0:0:0:0:0:0:0]:80", E::Unspecified),
        ("[::0.0.0.0]:80", E::Unspecified),
        ("[::ffff:0.0.0.0]:80", E::Unspecified),
        ("[::FFFF:0:0]:80", E::Unspecified),
    ];
    for (text, expected) in table {
        let shown: String = text.chars().take(40).collect();
        assert_eq!(text.parse::<Endpoint>().as_ref(), Err(expected), "{shown:?}");
    }
}

#[test]
fn every_spelling_of_an_endpoint_is_that_endpoint() {
    let longest = "abcdefg.".repeat(31) + "abcde";
    for (canonical, spellings) in [
        (
            "host.example:80",
            vec!["Host.Example:80", "HOST.EXAMPLE:80", "host.example.:80", "Host.example.:80"],
        ),
        ("a:80", vec!["A:80", "a.:80"]),
        ("[::1]:80", vec!["[0:0:0:0:0:0:0:1]:80", "[::0001]:80", "[0::1]:80", "[::0.0.0.1]:80"]),
        ("[2001:db8::]:80", vec!["[2001:DB8::0]:80", "[2001:0db8:0000::]:80", "[2001:db8:0:0::0:0]:80"]),
        ("[fe80::1]:80", vec!["[FE80::1]:80"]),
        (
            "127.0.0.1:80",
            vec!["[::ffff:127.0.0.1]:80", "[::FFFF:7F00:1]:80", "[0:0:0:0:0:ffff:127.0.0.1]:80"],
        ),
        (&format!("{longest}:65535"), vec![&format!("{longest}.:65535")]),
    ] {
        let endpoint: Endpoint = canonical.parse().unwrap();
        assert_eq!(endpoint.to_string(), canonical);
        for spelling in spellings {
            assert_eq!(spelling.parse().as_ref(), Ok(&endpoint), "{spelling}");
        }
    }
    assert_eq!("::1".parse::<Host>().unwrap().to_string(), "::1");
    assert_eq!("::ffff:10.0.0.1".parse::<Host>().unwrap().to_string(), "10.0.0.1");
    assert_eq!("Host.".parse::<Host>(), "host".parse());
    assert_eq!("fe80::1%eth0".parse::<Host>(), Err(EndpointError::ZoneId));
}

#[test]
fn every_constructor_refuses_an_unspecified_address() {
    for host in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
        let ip: std::net::IpAddr = host.parse().unwrap();
        let by_hand = match ip {
            std::net::IpAddr::V4(ip) => Host::V4(ip),
            std::net::IpAddr::V6(ip) => Host::V6(ip),
        };
        assert!(by_hand.is_unspecified(), "{host}");
        assert_eq!(Endpoint::new(by_hand, 80), Err(EndpointError::Unspecified), "{host}");
        assert_eq!(Endpoint::new(ip, 80), Err(EndpointError::Unspecified), "{host}");
        assert_eq!(Endpoint::new(host.parse::<Host>().unwrap(), 80), Err(EndpointError::Unspecified));
        assert_eq!(Endpoint::try_from(SocketAddr::new(ip, 80)), Err(EndpointError::Unspecified), "{host}");
        let text = SocketAddr::new(ip, 80).to_string();
        assert_eq!(text.parse::<Endpoint>(), Err(EndpointError::Unspecified), "{text}");
        assert!(serde_json::from_str::<Endpoint>(&format!("{text:?}")).is_err(), "{text}");
    }
    let said = EndpointError::Unspecified.to_string();
    assert!(said.contains("0.0.0.0") && said.contains("that callers can reach"), "{said}");
}

#[test]
fn the_order_is_by_number_then_by_letter_then_by_port() {
    let sorted = ["9.0.0.1:1", "10.0.0.1:80", "10.0.0.1:8080", "[::1]:1", "[::a]:1", "a:2", "a:10", "b:1"];
    let mut endpoints: Vec<Endpoint> = sorted.iter().rev().map(|text| text.parse().unwrap()).collect();
    endpoints.sort();
    assert_eq!(endpoints.iter().map(Endpoint::to_string).collect::<Vec<_>>(), sorted);
}

#[test]
fn loopback_is_recognised_in_every_family() {
    let is = |text: &str| text.parse::<Endpoint>().unwrap().is_loopback();
    for text in
        ["127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1", "a.localhost:1", "LOCALHOST.:1"]
    {
        assert!(is(text), "{text}");
    }
    for text in ["10.0.0.1:1", "[fe80::1]:1", "localhost.example:1"] {
        assert!(!is(text), "{text}");
    }
}

#[test]
fn socket_addresses_convert_unless_they_cannot_be_called() {
    let addr: SocketAddr = "[::1]:8897".parse().unwrap();
    let endpoint = Endpoint::try_from(addr).unwrap();
    assert_eq!(endpoint.socket_addr(), Some(addr));
    let mapped: SocketAddr = "[::ffff:10.0.0.1]:80".parse().unwrap();
    assert_eq!(Endpoint::try_from(mapped).unwrap().socket_addr(), "10.0.0.1:80".parse().ok());
    assert_eq!(Endpoint::try_from(SocketAddr::from(([127, 0, 0, 1], 0))), Err(EndpointError::PortZero));
    let scoped: SocketAddr = "[fe80::1%3]:80".parse().unwrap();
    assert_eq!(Endpoint::try_from(scoped), Err(EndpointError::ZoneId));
    assert_eq!("a:1".parse::<Endpoint>().unwrap().socket_addr(), None);
}

#[test]
fn serde_reads_every_spelling_and_writes_one() {
    for text in [r#""[::1]:8897""#, r#""[::01]:8897""#] {
        let endpoint: Endpoint = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&endpoint).unwrap(), r#""[::1]:8897""#);
    }
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

/// Any endpoint.
fn endpoints() -> impl Strategy<Value = Endpoint> {
    (hosts(), 1..=u16::MAX).prop_filter_map("0.0.0.0 and ::", |(host, port)| Endpoint::new(host, port).ok())
}

#[cfg(feature = "http")]
proptest! {
    #[test]
    fn every_endpoint_is_an_authority(endpoint in endpoints()) {
        let authority = http::uri::Authority::from(&endpoint);
        prop_assert_eq!(authority.port_u16(), Some(endpoint.port()));
        prop_assert_eq!(authority.as_str(), endpoint.to_string());
    }
}

proptest! {
    #[test]
    fn every_endpoint_reads_back_as_itself(endpoint in endpoints()) {
        prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
    }

    #[test]
    fn every_parsed_endpoint_is_written_in_one_form_that_parses_to_itself(
        text in prop_oneof![".*", "[\\[]?[0-9a-fA-FxX:.%+ _-]{0,24}[\\]]?:[+0]?[0-9]{0,6}"],
    ) {
        if let Ok(endpoint) = text.parse::<Endpoint>() {
            let written = endpoint.to_string();
            prop_assert_eq!(written.parse::<Endpoint>().map(|again| again.to_string()), Ok(written));
            prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        }
    }

    #[test]
    fn case_and_a_dot_at_the_end_of_a_name_change_nothing(
        name in "[a-zA-Z_]([a-zA-Z0-9_-]{0,20}[a-zA-Z0-9_])?(\\.[a-zA-Z_]([a-zA-Z0-9_-]{0,20}[a-zA-Z0-9_])?){0,3}",
        port in 1..=u16::MAX,
    ) {
        let endpoint: Endpoint = format!("{}:{port}", name.to_ascii_lowercase()).parse().unwrap();
        prop_assert_eq!(format!("{name}:{port}").parse(), Ok(endpoint.clone()));
        prop_assert_eq!(format!("{name}.:{port}").parse(), Ok(endpoint));
    }

    #[test]
    fn an_address_is_one_endpoint_in_every_notation(groups in prop::array::uniform8(prop_oneof![Just(0u16), any::<u16>()]), port in 1..=u16::MAX) {
        let ip = Ipv6Addr::from(groups);
        let long: Vec<_> = groups.iter().map(|group| format!("{group:04X}")).collect();
        let long = format!("[{}]:{port}", long.join(":"));
        prop_assert_eq!(long.parse::<Endpoint>(), format!("[{ip}]:{port}").parse());
        prop_assert_eq!(long.parse::<Endpoint>(), Endpoint::new(ip, port));
    }

    #[test]
    fn an_ipv4_address_mapped_into_ipv6_is_itself(ip: [u8; 4], port in 1..=u16::MAX) {
        let ip = std::net::Ipv4Addr::from(ip);
        let mapped = format!("[{}]:{port}", ip.to_ipv6_mapped());
        prop_assert_eq!(mapped.parse::<Endpoint>(), Endpoint::new(ip, port));
        prop_assert_eq!(Endpoint::new(Host::V6(ip.to_ipv6_mapped()), port), Endpoint::new(ip, port));
    }
}
