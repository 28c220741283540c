//! Checks of single values: text in, checked value out, or a message with the expected form. Flags, environment and
//! file share them.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use balance::Strategy;
use toml::de::DeValue;
use zk_core::{ZkConfigError, ZnodePath};
use zk_roster::{Advertise, AdvertiseSyntaxError};

use crate::error_chain;
use crate::settings::Scheme;

/// How much of a wrong value a message shows, in characters.
const SHOWN: usize = 60;

pub(crate) const DURATION: &str = r#"a duration such as "250ms" or "10s""#;
pub(crate) const LISTEN: &str = r#"an IP address to listen on such as "127.0.0.1""#;
pub(crate) const ADVERTISE: &str =
    r#"an IP address, a host name, or how to find one, such as "192.0.2.7" or "interface:eth0""#;
pub(crate) const METRICS: &str = r#"an address and a port such as "127.0.0.1:9867", or "off""#;
pub(crate) const ROOT: &str = r#"a znode path such as "/go_servers""#;
pub(crate) const ACL: &str = r#""open" or "creator""#;
pub(crate) const SCHEME: &str = r#""digest" or "sasl""#;
pub(crate) const USER: &str = "the name of a user";
pub(crate) const PATH: &str = "the path of a file";
pub(crate) const NO_PASSWORD_HERE: &str = "a password does not belong in this file, which is copied, shown and \
     committed; set the variable DAYTIME_ZOOKEEPER_PASSWORD, or name a file of its own with password_file";
pub(crate) const SERVER_VERSION: &str = r#""auto" or "before-3.6""#;
pub(crate) const STRATEGY: &str = r#"the name of a strategy such as "random""#;
pub(crate) const HASH_KEY: &str = "a string that names this client";
pub(crate) const ZONE: &str = r#"the name of a zone such as "eu-west-1a""#;
pub(crate) const LABEL: &str = r#"a tag and its value such as "version=2""#;
pub(crate) const HOST: &str = r#"a string such as "127.0.0.1:2181""#;

/// Shows text on one line, in quotes, shortened, and without what may be a password.
pub(crate) fn quote(text: &str) -> String {
    let text = &*zk_core::redact(text);
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?} and so on", &text[..end]),
    }
}

/// Shows a duration in the form that the file takes.
pub(crate) fn show(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

pub(crate) fn duration(text: &str, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let parsed = if is_modest(text) { humantime::parse_duration(text).ok() } else { None };
    let parsed = parsed.ok_or_else(|| format!("expected {DURATION}, found {}", quote(text)))?;
    in_range(parsed, range)
}

pub(crate) fn in_range(found: Duration, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    if range.contains(&found) {
        return Ok(found);
    }
    let (min, max) = (show(*range.start()), show(*range.end()));
    Err(format!("expected a duration from {min} to {max}, found {}", show(found)))
}

/// Whether the numbers in the text are small enough for the parser, which panics where their sum overflows a `Duration`.
fn is_modest(text: &str) -> bool {
    text.len() <= 64 && text.split(|c: char| !c.is_ascii_digit()).all(|digits| digits.len() <= 10)
}

/// Reads an integer as TOML has it: `+5`, `1_000` and `0x10` are integers, `010` is not.
pub(crate) fn integer(text: &str, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let text = text.trim();
    // A comment or a line end, which TOML allows around a value, is no part of an integer.
    let is_word = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'_'));
    match DeValue::parse(text).ok().filter(|_| is_word).as_ref().map(|value| value.get_ref()) {
        Some(integer @ DeValue::Integer(_)) => integer_value(integer, range),
        _ => Err(format!("expected {}, found {}", integers(range), quote(text))),
    }
}

/// Reads an integer of the file.
pub(crate) fn integer_value(value: &DeValue<'_>, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let expected = integers(range);
    let DeValue::Integer(found) = value else {
        return Err(format!("expected {expected}, found {}", describe(value)));
    };
    match u64::from_str_radix(found.as_str(), found.radix()) {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("expected {expected}, found {}", short(&found.to_string()))),
    }
}

/// Reads a number of the file, with or without a fraction.
pub(crate) fn number(value: &DeValue<'_>, range: &RangeInclusive<f64>) -> Result<f64, String> {
    let number = match value {
        DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
        DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok().map(f64::from),
        _ => None,
    };
    let found =
        || format!("expected a number from {} to {}, found {}", range.start(), range.end(), describe(value));
    number.filter(|number| range.contains(number)).ok_or_else(found)
}

/// Describes a value of the wrong type.
pub(crate) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string {}", quote(text)),
        DeValue::Integer(number) => format!("the integer {}", short(&number.to_string())),
        DeValue::Float(number) => format!("the float {}", short(number.as_str())),
        DeValue::Boolean(truth) => format!("the boolean {truth}"),
        DeValue::Datetime(time) => format!("the date or time {time}"),
        DeValue::Array(_) => "an array".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// The beginning of a number, which may be a megabyte long.
fn short(digits: &str) -> String {
    match digits.char_indices().nth(24) {
        None => digits.into(),
        Some((end, _)) => format!("{}...", &digits[..end]),
    }
}

/// Names a range of integers.
pub(crate) fn integers(range: &RangeInclusive<u64>) -> String {
    match (range.start(), range.end()) {
        (min, &u64::MAX) => format!("an integer of at least {min}"),
        (min, max) => format!("an integer from {min} to {max}"),
    }
}

pub(crate) fn port(text: &str) -> Result<u16, String> {
    let port = integer(text, &crate::schema::PORTS)?;
    Ok(u16::try_from(port).expect("ports end at 65535"))
}

/// Refuses a port that is in the list already.
pub(crate) fn distinct(port: u16, before: &[u16]) -> Result<u16, String> {
    match before.contains(&port) {
        true => Err(format!("expected different ports, found {port} twice")),
        false => Ok(port),
    }
}

/// Refuses a list of ports with a bad length or with one port twice.
pub(crate) fn ports(ports: &[u16]) -> Result<Vec<u16>, String> {
    let (min, max) = crate::schema::PORT_COUNT.into_inner();
    if !(min..=max).contains(&ports.len()) {
        return Err(format!("expected {min} to {max} ports, found {}", ports.len()));
    }
    for (index, port) in ports.iter().enumerate() {
        distinct(*port, &ports[..index])?;
    }
    Ok(ports.to_vec())
}

pub(crate) fn listen(text: &str) -> Result<IpAddr, String> {
    let parsed = text.parse::<IpAddr>();
    // An IPv4 address mapped into IPv6 becomes plain IPv4, for listening and for advertising.
    parsed.map(|ip| ip.to_canonical()).map_err(|_| {
        let hint = if text.parse::<SocketAddr>().is_ok() { "; its port belongs in server.ports" } else { "" };
        format!("expected {LISTEN}, found {}{hint}", quote(text))
    })
}

/// Reads the address of the metrics endpoint; `None` for `off`.
pub(crate) fn metrics(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() > 0 => Ok(Some(address)),
        _ => Err(format!("expected {METRICS}, found {}", quote(text))),
    }
}

pub(crate) fn advertise(text: &str) -> Result<Advertise, String> {
    text.parse::<Advertise>().map_err(|error| match error {
        AdvertiseSyntaxError::CannotBeCalled { .. } => {
            format!("expected an address that clients can call, found {}: {error}", quote(text))
        }
        // Its own text says again what is expected.
        AdvertiseSyntaxError::Host(reason) => {
            format!("expected {ADVERTISE}, found {}: {reason}", quote(text))
        }
        _ => format!("expected {ADVERTISE}, found {}: {error}", quote(text)),
    })
}

pub(crate) fn root(text: &str) -> Result<ZnodePath, String> {
    match ZnodePath::parse(text) {
        Ok(path) if path.is_root() => Err(format!("expected {ROOT}, found the top of the tree, \"/\"")),
        Ok(path) => Ok(path),
        Err(error) => Err(format!("expected {ROOT}: {error}")),
    }
}

pub(crate) fn acl(text: &str) -> Result<zk_core::Acl, String> {
    match text {
        "open" => Ok(zk_core::Acl::Open),
        "creator" => Ok(zk_core::Acl::Creator),
        _ => Err(format!("expected {ACL}, found {}", quote(text))),
    }
}

pub(crate) fn scheme(text: &str) -> Result<Scheme, String> {
    match text {
        "digest" => Ok(Scheme::Digest),
        "sasl" => Ok(Scheme::Sasl),
        // The text is not shown: it may be "digest:user:password".
        _ => Err(format!("expected {SCHEME}, found something else")),
    }
}

pub(crate) fn server_version(text: &str) -> Result<zk_core::ServerVersion, String> {
    match text {
        "auto" => Ok(zk_core::ServerVersion::Detect),
        "before-3.6" => Ok(zk_core::ServerVersion::Before3_6),
        _ => Err(format!("expected {SERVER_VERSION}, found {}", quote(text))),
    }
}

pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    text.trim().parse().map_err(|_| format!("expected true or false, found {}", quote(text)))
}

pub(crate) fn strategy(text: &str) -> Result<Strategy, String> {
    text.parse::<Strategy>().map_err(|error| error.to_string())
}

/// Reads a name that is not empty.
pub(crate) fn name(text: &str, expected: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err(format!("expected {expected}, found {}", quote(text))),
        name => Ok(name.to_owned()),
    }
}

/// Reads where the list of servers is saved: a path, or `off`.
pub(crate) fn saved(path: PathBuf) -> Result<Option<PathBuf>, String> {
    match path.as_os_str().as_encoded_bytes() {
        b"" => Err(format!("expected {PATH} or \"off\", found an empty string")),
        b"off" => Ok(None),
        _ => Ok(Some(path)),
    }
}

/// Reads a tag and the value that it must have.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    match text.trim().split_once('=') {
        Some((tag, value)) if !tag.is_empty() && !text.contains(',') => {
            Ok((tag.to_owned(), value.to_owned()))
        }
        _ => Err(format!("expected {LABEL}, found {}", quote(text))),
    }
}

/// Refuses a label whose tag is among the earlier ones: it has the same value, or no server can have both.
pub(crate) fn distinct_label(
    label: (String, String),
    earlier: &[(String, String)],
) -> Result<(String, String), String> {
    match earlier.iter().any(|(tag, _)| *tag == label.0) {
        true => Err(format!("expected different tags, found {} twice", quote(&label.0))),
        false => Ok(label),
    }
}

/// Refuses a list of labels with one tag twice.
pub(crate) fn labels(
    labels: impl IntoIterator<Item = Result<(String, String), String>>,
) -> Result<Vec<(String, String)>, String> {
    labels.into_iter().try_fold(Vec::new(), |mut good, label| {
        good.push(distinct_label(label?, &good)?);
        Ok(good)
    })
}

pub(crate) fn subset(text: &str) -> Result<usize, String> {
    integer(text, &crate::schema::SUBSET)
        .map(|size| usize::try_from(size).expect("a million fits everywhere"))
}

/// Reads a whole connect string.
pub(crate) fn ensemble(text: &str) -> Result<zk_core::ZkConfig, String> {
    zk_core::ZkConfig::new(text)
        .map_err(|error| format!("expected host:port,host:port or host:port/chroot: {}", error_chain(&error)))
}

/// Reads a list of hosts, of which the last may carry a chroot, by the rules of a connect string and no others.
pub(crate) fn hosts(entries: &[&str]) -> Result<zk_core::ZkConfig, String> {
    ensemble(&entries.join(","))
}

/// Checks one entry of a list of hosts.
pub(crate) fn host(text: &str, last: bool) -> Result<(), String> {
    let refuse = |reason: &str| Err(format!("expected host:port; {reason}"));
    if text.contains(',') {
        return refuse("each host is a string of its own");
    }
    let entry = text.trim();
    // "scheme://" is no chroot; the parser of hosts has a message for it.
    let found = match entry.find('/').filter(|_| !entry.contains("://")) {
        Some(_) if !last => return refuse("a chroot stands once, behind the last host"),
        // A chroot alone, behind the comma.
        Some(0) => zk_core::ZkConfig::new(&format!("host:1{entry}")).err(),
        Some(_) => zk_core::ZkConfig::new(entry).err(),
        None if entry.contains('@') => Some(ZkConfigError::AtSign),
        None => zk_core::ZkHost::parse(entry).err(),
    };
    match found {
        None => Ok(()),
        // The place of the problem says which host.
        Some(ZkConfigError::Host { reason, .. }) => refuse(reason),
        Some(error) => refuse(&error_chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: RangeInclusive<Duration> = Duration::ZERO..=Duration::MAX;

    #[test]
    fn durations_are_numbers_with_units() {
        let ms = Duration::from_millis;
        let cases = [
            ("250ms", Some(ms(250))),
            ("1m 30s", Some(ms(90_000))),
            ("1.5s", Some(ms(1_500))),
            ("0s", Some(ms(0))),
            ("10", None),
            ("", None),
            ("-1s", None),
            ("1 fortnight", None),
            ("s", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration(text, &ANY).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn durations_whose_sum_overflows_are_refused() {
        assert!(duration("18446744073709551615s 1000ms", &ANY).is_err());
        assert!(duration("9999999999years 9999999999years 9999999999years", &ANY).is_ok());
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(quote("a\nb"), r#""a\nb""#);
        let shown = quote(&"ü".repeat(1000));
        assert_eq!(shown.chars().filter(|c| *c == 'ü').count(), SHOWN);
    }
}
