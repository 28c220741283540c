#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn hosts(text: &str) -> Vec<ZkHost> {
    zk_core::ZkConfig::new(text).unwrap().hosts().to_vec()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn host(text: &str) -> Host {
    text.parse().unwrap()
}

// === Look-ups ===

#[tokio::test]
async fn an_unspecified_address_is_replaced_by_the_one_on_the_route() {
    for any in ["0.0.0.0", "::ffff:0.0.0.0", "::"] {
        let found = look_up(&Advertise::Route, ip(any), &hosts("127.0.0.1:2181")).await;
        assert_eq!(found, Ok(host("127.0.0.1")), "{any}");
    }
}

#[tokio::test]
async fn a_host_or_a_listen_address_needs_no_route() {
    let configured = Advertise::Host(host("10.1.2.3"));
    assert_eq!(look_up(&configured, ip("0.0.0.0"), &[]).await, Ok(host("10.1.2.3")));
    assert_eq!(look_up(&Advertise::Route, ip("127.0.0.2"), &[]).await, Ok(host("127.0.0.2")));
    let mapped = look_up(&Advertise::Route, ip("::ffff:127.0.0.2"), &[]).await;
    assert_eq!(mapped, Ok(host("127.0.0.2")));
}

#[tokio::test]
async fn an_address_that_nobody_can_call_is_refused_by_where_it_comes_from() {
    for text in ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "fe80::1"] {
        let error = look_up(&Advertise::Host(ip(text).into()), ip("127.0.0.1"), &[]).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("host: {text} is ")), "{error}");
    }
    let mapped = Host::V6("::ffff:0.0.0.0".parse().unwrap());
    let error = look_up(&Advertise::Host(mapped), ip("127.0.0.1"), &[]).await.unwrap_err();
    assert!(matches!(error, AdvertiseError::CannotBeCalled { .. }), "{error}");
    let error = look_up(&Advertise::Route, ip("fe80::1"), &[]).await.unwrap_err();
    assert!(error.to_string().starts_with("listen address: fe80::1 is "), "{error}");
}

#[tokio::test]
async fn the_loopback_interface_and_network_are_found_on_any_machine() {
    let network = Advertise::Network("127.0.0.0/8".parse().unwrap());
    assert_eq!(look_up(&network, ip("::"), &[]).await, Ok(host("127.0.0.1")));
    assert_eq!(look_up(&network, ip("127.0.0.1"), &[]).await, Ok(host("127.0.0.1")));
    let error = look_up(&network, ip("::1"), &[]).await.unwrap_err().to_string();
    assert!(error.starts_with("network 127.0.0.0/8: no usable address") && error.contains("IPv6"), "{error}");
}

#[tokio::test]
async fn a_variable_that_is_not_set_is_an_error_that_names_it() {
    for name in ["ZK_ROSTER_NO_SUCH_VARIABLE", "", "A=B", "A\0B"] {
        let error = look_up(&Advertise::Variable(name.into()), ip("127.0.0.1"), &[]).await.unwrap_err();
        assert_eq!(error, AdvertiseError::VariableNotSet { variable: name.into() });
    }
}

#[test]
fn the_value_of_a_variable_is_an_address_or_a_name() {
    let read = |value: &str| variable("POD_IP", Some(value.into()));
    assert_eq!(read("10.0.0.7"), Ok(host("10.0.0.7")));
    assert_eq!(read("2001:db8::7"), Ok(host("2001:db8::7")));
    assert_eq!(read("web-0.web.example"), Ok(host("web-0.web.example")));
    assert_eq!(variable("POD_IP", None).unwrap_err().to_string(), "variable POD_IP: not set");
    assert_eq!(read("").unwrap_err().to_string(), "variable POD_IP: empty");
    for value in ["10.0.0.7:80", "10.0.0.256", "joe:secret@host", "no host", "10.0.0.7\n", "fe80::1%eth0"] {
        let text = read(value).unwrap_err().to_string();
        assert!(text.starts_with("variable POD_IP: expected an address or a host name: "), "{text}");
        assert!(!text.contains(value), "a value may be a secret: {text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        let text = variable("POD_IP", Some(OsString::from_vec(vec![0xff]))).unwrap_err().to_string();
        assert!(text.starts_with("variable POD_IP: ") && text.ends_with("not Unicode"), "{text}");
    }
}

// === Text ===

#[test]
fn every_way_is_read_as_it_is_written() {
    for (text, advertise) in [
        ("route", Advertise::Route),
        ("host:10.0.0.7", Advertise::Host(host("10.0.0.7"))),
        ("host:2001:db8::7", Advertise::Host(host("2001:db8::7"))),
        ("host:name.example", Advertise::Host(host("name.example"))),
        ("host:route", Advertise::Host(host("route"))),
        ("interface:eth0", Advertise::Interface("eth0".into())),
        ("interface:eth0:1", Advertise::Interface("eth0:1".into())),
        ("network:10.0.0.0/8", Advertise::Network("10.0.0.0/8".parse().unwrap())),
        ("variable:POD_IP", Advertise::Variable("POD_IP".into())),
    ] {
        assert_eq!(text.parse(), Ok(advertise.clone()), "{text}");
        assert_eq!(advertise.to_string(), text);
    }
    assert_eq!(Advertise::default(), Advertise::Route);
}

#[test]
fn a_host_needs_no_keyword() {
    for text in ["10.0.0.7", "2001:db8::7", "::1", "name.example", "interface", "localhost"] {
        assert_eq!(text.parse(), Ok(Advertise::Host(host(text))), "{text}");
    }
}

#[test]
fn text_that_says_no_way_is_refused_with_what_was_expected() {
    for (text, expected) in [
        ("", "empty, expected an address"),
        ("host:", "expected an address"),
        ("iface:eth0", "interface:NAME"),
        ("a host", "expected an address"),
        ("Route:", "expected an address"),
        ("0.0.0.0", "0.0.0.0 is an address to listen on"),
        ("host:::", ":: is an address to listen on"),
        ("::ffff:0.0.0.0", "0.0.0.0 is an address to listen on"),
        ("239.1.1.1", "multicast"),
        ("interface:", "as in interface:eth0"),
        ("interface:a\n", "as in interface:eth0"),
        ("variable:", "as in variable:POD_IP"),
        ("variable:A=B", "as in variable:POD_IP"),
        ("network:", "no prefix length"),
        ("network:10.0.0.7/8", "expected 10.0.0.0/8"),
    ] {
        let error = text.parse::<Advertise>().expect_err(text).to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn serde_reads_and_writes_the_text() {
    let advertise: Advertise = serde_json::from_str(r#""network:10.0.0.0/8""#).unwrap();
    assert_eq!(advertise, Advertise::Network("10.0.0.0/8".parse().unwrap()));
    assert_eq!(serde_json::to_string(&advertise).unwrap(), r#""network:10.0.0.0/8""#);
    assert!(serde_json::from_str::<Advertise>(r#""0.0.0.0""#).is_err());
    let network: Network = serde_json::from_str(r#""::/0""#).unwrap();
    assert_eq!(serde_json::to_string(&network).unwrap(), r#""::/0""#);
}

#[cfg(target_os = "linux")]
mod in_namespace;
