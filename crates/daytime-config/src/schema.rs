//! The sections, the keys, and the ranges of their values.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Every section with its keys, subsections behind their section, in the order of the shipped file.
pub(crate) const SECTIONS: [(&str, &[&str]); 8] = [
    ("zookeeper", &["hosts", "root", "session_timeout", "server_version", "embedded"]),
    ("zookeeper.auth", &["scheme", "user", "password_file"]),
    ("zookeeper.tls", &["ca", "certificate", "key"]),
    ("registry", &["acl", "audit_interval"]),
    ("discovery", &["records", "audit_interval", "hold", "hold_share", "hold_number", "hold_window"]),
    (
        "server",
        &["host", "ports", "udp", "advertise", "max_connections", "connection_timeout", "settle", "grace"],
    ),
    (
        "client",
        &[
            "rounds",
            "interval",
            "strategy",
            "hash_key",
            "zone",
            "labels",
            "subset",
            "slow_start",
            "timeout",
            "attempt_timeout",
            "connect_timeout",
            "hedge",
            "wait",
            "saved",
        ],
    ),
    ("metrics", &["listen"]),
];

pub(crate) const PORTS: RangeInclusive<u64> = 1..=65535;
pub(crate) const PORT_COUNT: RangeInclusive<usize> = 1..=64;
pub(crate) const MAX_CONNECTIONS: RangeInclusive<u64> = 1..=1_000_000;
pub(crate) const ROUNDS: RangeInclusive<u64> = 1..=u64::MAX;
/// 0 means the whole set.
pub(crate) const SUBSET: RangeInclusive<u64> = 0..=1_000_000;

pub(crate) const SESSION_TIMEOUT: RangeInclusive<Duration> = millis(1_000, HOUR);
pub(crate) const CONNECTION_TIMEOUT: RangeInclusive<Duration> = millis(100, 60_000);
pub(crate) const SETTLE: RangeInclusive<Duration> = millis(0, 10_000);
pub(crate) const GRACE: RangeInclusive<Duration> = millis(0, 60_000);
pub(crate) const INTERVAL: RangeInclusive<Duration> = millis(0, HOUR);
/// For the whole request, one attempt, and connecting.
pub(crate) const TIMEOUT: RangeInclusive<Duration> = millis(10, HOUR);
pub(crate) const SLOW_START: RangeInclusive<Duration> = millis(0, HOUR);
pub(crate) const HEDGE: RangeInclusive<Duration> = millis(1, HOUR);
pub(crate) const WAIT: RangeInclusive<Duration> = millis(100, 24 * HOUR);

const HOUR: u64 = 3_600_000;

const fn millis(min: u64, max: u64) -> RangeInclusive<Duration> {
    Duration::from_millis(min)..=Duration::from_millis(max)
}

/// The keys of a section; `None` if there is no such section.
pub(crate) fn keys(section: &str) -> Option<&'static [&'static str]> {
    SECTIONS.iter().find(|(name, _)| *name == section).map(|(_, keys)| *keys)
}

/// The message for a key that `section` does not have.
pub(crate) fn unknown_key(section: &str, known: &[&str], name: &str) -> String {
    let list = known.join(", ");
    let homes = homes(name);
    let hint = match nearest(name, known) {
        Some(near) => format!("did you mean {near}? "),
        None if homes.is_empty() => String::new(),
        None => format!("it belongs in {homes}; "),
    };
    format!("unknown key; {hint}[{section}] has {list}")
}

/// The message for a section that does not exist, or for a key outside of any section.
pub(crate) fn unknown_section(name: &str) -> String {
    let homes = homes(name);
    if !homes.is_empty() {
        return format!("unknown section; as a key it belongs in {homes}");
    }
    let names = SECTIONS.map(|(section, _)| section);
    let hint = nearest(name, &names).map(|near| format!("did you mean [{near}]? ")).unwrap_or_default();
    let list = names.map(|section| format!("[{section}]")).join(", ");
    format!("unknown section; {hint}the sections are {list}")
}

/// The sections that have a key of this name, as text.
fn homes(name: &str) -> String {
    let homes = SECTIONS.iter().filter(|(_, keys)| keys.contains(&name));
    homes.map(|(section, _)| format!("[{section}]")).collect::<Vec<_>>().join(" or ")
}

/// The known name that was probably meant: it differs by at most two letters, and by fewer than half of its letters.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(32).map(|c| c.to_ascii_lowercase()).collect();
    let scored = known.iter().map(|known| (distance(&name, known), *known));
    scored.filter(|(off, known)| *off <= 2 && off * 2 < known.len()).min().map(|(_, known)| known)
}

/// The edit distance, one row of the usual matrix at a time.
fn distance(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, b) in b.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, a) in a.iter().enumerate() {
            let changed = diagonal + usize::from(*a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[a.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_gets_the_nearest_known_name() {
        let keys = ["host", "ports", "advertise", "max_connections"];
        let cases = [
            ("port", Some("ports")),
            ("Host", Some("host")),
            ("max-connections", Some("max_connections")),
            ("advertize", Some("advertise")),
            ("hold", None),
            ("embedded", None),
            ("x", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(nearest(name, &keys), expected, "{name}");
        }
    }

    #[test]
    fn every_key_is_in_the_shipped_file() {
        let file = include_str!("../../../config/daytime.toml");
        let mut section = "";
        let mut found = Vec::new();
        for line in file.lines() {
            if let Some(name) =
                line.trim_start_matches("# ").strip_prefix('[').and_then(|line| line.strip_suffix(']'))
            {
                section = name;
            } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
                found.push((section, key));
            }
        }
        for (section, keys) in SECTIONS {
            for key in keys {
                assert!(found.contains(&(section, key)), "[{section}] {key}");
            }
        }
    }

    #[test]
    fn the_ranges_are_those_of_the_libraries() {
        let config = zk_core::ZkConfig::new("zk").unwrap();
        for timeout in [SESSION_TIMEOUT.start(), SESSION_TIMEOUT.end()] {
            assert!(config.clone().with_session_timeout(*timeout).is_ok());
        }
    }
}
