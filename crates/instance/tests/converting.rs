//! What endpoints are made of, what takes them, and how all types serialise.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use instance::{Endpoint, EndpointError, Host, Incarnation, Instance, NotAnAddress, Owner};
use serde_json::{from_value, json, to_value};

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

#[test]
fn an_endpoint_is_made_of_a_host_and_a_port() {
    for (host, expected) in [
        ("10.0.0.7", "10.0.0.7:80"),
        ("::1", "[::1]:80"),
        ("[::1]", "[::1]:80"),
        ("::ffff:10.0.0.7", "10.0.0.7:80"),
        ("Web-1.example.", "web-1.example:80"),
    ] {
        assert_eq!(Endpoint::try_from((host, 80)).unwrap(), endpoint(expected), "{host}");
        assert_eq!(Endpoint::try_from((host.to_owned(), 80)).unwrap(), endpoint(expected), "{host}");
    }
    let ip: IpAddr = "10.0.0.7".parse().unwrap();
    assert_eq!(Endpoint::try_from((ip, 80)).unwrap(), endpoint("10.0.0.7:80"));
    assert_eq!(Endpoint::try_from("10.0.0.7:80").unwrap(), endpoint("10.0.0.7:80"));
    assert_eq!(Endpoint::try_from(("10.0.0.7", 0)), Err(EndpointError::PortZero));
    assert_eq!(Endpoint::try_from(("0.0.0.0", 80)), Err(EndpointError::Unspecified));
    assert_eq!(Endpoint::try_from(("[10.0.0.7]", 80)), Err(EndpointError::Ipv6Syntax));
    assert_eq!(Endpoint::try_from(("", 80)), Err(EndpointError::EmptyHost));
    assert!(Endpoint::try_from(("a:1", 80)).is_err());
}

#[test]
fn an_endpoint_is_what_connects() {
    let pair: (String, u16) = endpoint("[::1]:80").into();
    assert_eq!(pair, ("::1".to_owned(), 80));
    let addr = SocketAddr::try_from(&endpoint("[::1]:80")).unwrap();
    assert_eq!(addr, "[::1]:80".parse().unwrap());
    assert_eq!(
        endpoint("10.0.0.7:80").to_socket_addrs().unwrap().collect::<Vec<_>>(),
        ["10.0.0.7:80".parse().unwrap()]
    );
    let named = endpoint("web-1.example:80");
    assert_eq!(SocketAddr::try_from(&named), Err(NotAnAddress(named)));
    let local: Vec<_> = endpoint("localhost:80").to_socket_addrs().unwrap().collect();
    assert!(!local.is_empty() && local.iter().all(|addr| addr.ip().is_loopback()), "{local:?}");
}

#[cfg(feature = "http")]
#[test]
fn an_endpoint_is_an_authority() {
    for text in ["10.0.0.7:80", "[::1]:8897", "a_b.web-1.example:443"] {
        assert_eq!(http::uri::Authority::from(&endpoint(text)), text);
    }
}

#[test]
fn tags_come_from_any_iterator() {
    let tags = BTreeMap::from([("version".to_owned(), "2".to_owned()), ("zone".to_owned(), "a".to_owned())]);
    let new = || Instance::new(endpoint("10.0.0.7:80"));
    let expected = new().with_tag("zone", "a").with_tag("version", "2");
    assert_eq!(new().with_tags([("zone", "a"), ("version", "2")]), expected);
    assert_eq!(new().with_tags(&tags), expected);
    assert_eq!(new().with_tags(tags), expected);
    assert_eq!(new().with_tag("old", "x").with_tags([("zone", "b"), ("zone", "a")]).tags().len(), 1);
}

#[test]
fn an_instance_shows_on_one_line() {
    let instance = Instance::new(endpoint("10.0.0.7:80"));
    assert_eq!(instance.to_string(), "10.0.0.7:80 weight=100");
    let instance = instance.with_weight(7).with_draining(true).with_tags([("k\n", "a=b"), ("zone", "a")]);
    assert_eq!(instance.to_string(), r#"10.0.0.7:80 weight=7 draining "k\n"="a=b" zone=a"#);
    assert!(instance.with_tag("x", "y".repeat(100_000)).to_string().len() < 300);
}

#[test]
fn what_serialises_reads_back_as_itself() {
    let owner = Owner::new(Incarnation::from_u128(7))
        .with_host("db-7")
        .with_boot_id("b1")
        .with_netns(4_026_531_840)
        .with_pid(77)
        .with_started_ms(1)
        .with_bound(([127, 0, 0, 1], 8897).into());
    let plain = Instance::new(endpoint("10.0.0.7:80"));
    let full = plain.clone().with_weight(7).with_tag("zone", "a").with_draining(true).with_owner(owner);
    for instance in [&plain, &full] {
        assert_eq!(from_value::<Instance>(to_value(instance).unwrap()).unwrap(), *instance);
    }
    assert_eq!(
        to_value(&full).unwrap(),
        json!({
            "endpoint": "10.0.0.7:80", "weight": 7, "tags": {"zone": "a"}, "draining": true,
            "owner": {
                "incarnation": "00000000000000000000000000000007", "host": "db-7", "boot_id": "b1",
                "netns": 4_026_531_840_u64, "pid": 77, "started_ms": 1, "bound": "127.0.0.1:8897",
            },
        })
    );
    assert_eq!(from_value::<Instance>(json!({"endpoint": "10.0.0.7:80", "later": 1})).unwrap(), plain);
    assert_eq!(from_value::<Host>(json!("::1")).unwrap(), "::1".parse().unwrap());
}

#[test]
fn what_is_invalid_does_not_deserialise() {
    for invalid in [json!({}), json!({"endpoint": "0.0.0.0:80"}), json!({"endpoint": "10.0.0.7"})] {
        assert!(from_value::<Instance>(invalid.clone()).is_err(), "{invalid}");
    }
    assert!(from_value::<Incarnation>(json!("7")).is_err());
    let unknown = json!({"incarnation": "0".repeat(32), "host": ""});
    assert_eq!(from_value::<Owner>(unknown).unwrap().host(), None);
}
