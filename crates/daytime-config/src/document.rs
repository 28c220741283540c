//! Reads a parsed file section by section into the settings, and reports what differs from the schema.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use discovery::MassDisappearance;
use toml::Spanned;
use toml::de::{DeString, DeValue};

use crate::diagnostics::{Diagnostics, Origin};
use crate::settings::{
    Auth, Client, Discovery, Metrics, Registry, Server, Settings, Sourced, Tls, Zookeeper,
};
use crate::syntax::{self, Broken};
use crate::{check, schema};

type Key<'a> = Spanned<DeString<'a>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// Reads the text of `diagnostics` into `settings`.
pub(crate) fn read(settings: &mut Settings, diagnostics: &mut Diagnostics) {
    let (text, mut repaired) = (diagnostics.text().to_owned(), String::new());
    let (document, broken) = syntax::parse(&text, &mut repaired, diagnostics);
    let mut walk = Walk { broken, diagnostics };
    for (key, value) in &document {
        let name = key.get_ref().as_ref();
        // A name with a dot was written in quotes, and is no section of ours.
        let Some(keys) = schema::keys(name).filter(|_| !name.contains('.')) else {
            // A broken line has been reported already.
            if !walk.is_broken(key, value) {
                let at = Origin::File(key.span().start);
                walk.diagnostics.add(at, join("", name), schema::unknown_section(name));
            }
            continue;
        };
        walk.section(settings, name, keys, key, value);
    }
}

/// The key within a section, in quotes if it is not a plain one.
pub(crate) fn join(section: &str, key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let key = if !key.is_empty() && key.len() <= 64 && key.chars().all(is_plain) {
        key.to_owned()
    } else {
        check::quote(key)
    };
    if section.is_empty() { key } else { format!("{section}.{key}") }
}

/// One value and its key as messages show it.
struct Item<'a, 'i> {
    key: String,
    value: &'a Value<'i>,
}

struct Walk<'f> {
    broken: Broken,
    diagnostics: &'f mut Diagnostics,
}

impl Walk<'_> {
    fn is_broken(&self, key: &Key<'_>, value: &Value<'_>) -> bool {
        self.broken.has(value.span().start, self.diagnostics.line(key.span().start))
    }

    /// Reads a section and its subsections.
    fn section(
        &mut self,
        settings: &mut Settings,
        name: &str,
        keys: &[&str],
        key: &Key<'_>,
        value: &Value<'_>,
    ) {
        let DeValue::Table(table) = value.get_ref() else {
            if !self.is_broken(key, value) {
                let found = match name {
                    // It may hold a password.
                    "zookeeper.auth" => "something else".into(),
                    _ => check::describe(value.get_ref()),
                };
                let message = format!("expected one section [{name}], found {found}");
                self.diagnostics.add(Origin::File(value.span().start), name, message);
            }
            return;
        };
        match name {
            "zookeeper.auth" => settings.zookeeper.auth.section = Some(key.span().start),
            "zookeeper.tls" => settings.zookeeper.tls.section = Some(key.span().start),
            _ => {}
        }
        for (key, value) in table {
            let within = format!("{name}.{}", key.get_ref());
            if let Some(keys) = schema::keys(&within) {
                self.section(settings, &within, keys, key, value);
                continue;
            }
            let item = Item { key: join(name, key.get_ref()), value };
            if self.is_broken(key, value) {
                self.refuse(settings, name, key.get_ref());
            } else if !self.item(settings, name, key.get_ref(), &item) {
                let message = schema::unknown_key(name, keys, key.get_ref());
                self.diagnostics.add(Origin::File(key.span().start), item.key, message);
            }
        }
    }

    /// Reads one value into its setting; `false` if there is no such key.
    fn item(&mut self, settings: &mut Settings, section: &str, key: &str, item: &Item<'_, '_>) -> bool {
        match section {
            "zookeeper" => self.zookeeper(&mut settings.zookeeper, key, item),
            "zookeeper.auth" => self.auth(&mut settings.zookeeper.auth, key, item),
            "zookeeper.tls" => self.tls(&mut settings.zookeeper.tls, key, item),
            "registry" => self.registry(&mut settings.registry, key, item),
            "discovery" => self.discovery(&mut settings.discovery, key, item),
            "server" => self.server(&mut settings.server, key, item),
            "client" => self.client(&mut settings.client, key, item),
            "metrics" => self.metrics(&mut settings.metrics, key, item),
            _ => unreachable!("only sections of the schema are walked"),
        }
    }

    fn zookeeper(&mut self, into: &mut Zookeeper, key: &str, item: &Item<'_, '_>) -> bool {
        match key {
            "hosts" => self.hosts(item, &mut into.hosts),
            "root" => self.text(item, check::ROOT, check::root, &mut into.root),
            "session_timeout" => self.duration(item, schema::SESSION_TIMEOUT, &mut into.session_timeout),
            "server_version" => {
                self.text(item, check::SERVER_VERSION, check::server_version, &mut into.server_version);
            }
            "embedded" => self.boolean(item, &mut into.embedded),
            _ => return false,
        }
        true
    }

    fn auth(&mut self, into: &mut Auth, key: &str, item: &Item<'_, '_>) -> bool {
        match key {
            "scheme" => {
                let scheme = |text: &str| check::scheme(text).map(Some);
                self.confidential(item, check::SCHEME, scheme, &mut into.scheme);
            }
            "user" => self.confidential(item, check::USER, |text| Ok(Some(text.to_owned())), &mut into.user),
            "password_file" => self.path(item, &mut into.password_file),
            "password" => {
                let at = Origin::File(item.value.span().start);
                self.diagnostics.add(at, &item.key, check::NO_PASSWORD_HERE);
                // Reported once: the password that is missing elsewhere is this one.
                into.password.refuse();
            }
            _ => return false,
        }
        true
    }

    fn tls(&mut self, into: &mut Tls, key: &str, item: &Item<'_, '_>) -> bool {
        match key {
            "ca" => self.path(item, &mut into.ca),
            "certificate" => self.path(item, &mut into.certificate),
            "key" => self.path(item, &mut into.key),
            _ => return false,
        }
        true
    }

    fn registry(&mut self, into: &mut Registry, key: &str, item: &Item<'_, '_>) -> bool {
        match key {
            "acl" => self.text(item, check::ACL, check::acl, &mut into.acl),
            "audit_interval" => {
                self.duration(item, registry::RegistrarConfig::AUDIT_INTERVALS, &mut into.audit_interval);
            }
            _ => return false,
        }
        true
    }

    fn discovery(&mut self, into: &mut Discovery, key: &str, item: &Item<'_, '_>) -> bool {
        match key {
            "records" => self.boolean(item, &mut into.records),
            "audit_interval" => {
                self.duration(item, discovery::DiscoveryConfig::AUDIT_INTERVALS, &mut into.audit_interval);
            }
            "hold" => {
                let hold = |text: &str| check::duration(text, &discovery::DiscoveryConfig::HOLDS).map(Some);
                self.text(item, check::DURATION, hold, &mut into.hold);
            }
            "hold_share" => {
                let share = check::number(item.value.get_ref(), &MassDisappearance::SHARES);
                self.set(item, share, &mut into.hold_share);
            }
            "hold_number" => {
                let (min, max) = MassDisappearance::NUMBERS.into_inner();
                let number = check::integer_value(item.value.get_ref(), &(min as u64..=max as u64));
                let number = number.map(|number| usize::try_from(number).expect("a million fits everywhere"));
                self.set(item, number, &mut into.hold_number);
            }
            "hold_window" => self.duration(item, MassDisappearance::WINDOWS, &mut into.hold_window),
            _ => return false,
        }
        true
    }

    fn server(&mut self, into: &mut Server, key: &str, item: &Item<'_, '_>) -> bool {
        match key {
            "host" => self.text(item, check::LISTEN, check::listen, &mut into.host),
            "ports" => self.ports(item, &mut into.ports),
            "udp" => self.boolean(item, &mut into.udp),
            "advertise" => {
                self.text(item, check::ADVERTISE, check::advertise, &mut into.advertise);
            }
            "max_connections" => {
                let number = check::integer_value(item.value.get_ref(), &schema::MAX_CONNECTIONS);
                let number = number.map(|number| usize::try_from(number).expect("a million fits everywhere"));
                self.set(item, number, &mut into.max_connections);
            }
            "connection_timeout" => {
                self.duration(item, schema::CONNECTION_TIMEOUT, &mut into.connection_timeout);
            }
            "settle" => self.duration(item, schema::SETTLE, &mut into.settle),
            "grace" => self.duration(item, schema::GRACE, &mut into.grace),
            _ => return false,
        }
        true
    }

    fn client(&mut self, into: &mut Client, key: &str, item: &Item<'_, '_>) -> bool {
        match key {
            "rounds" => {
                let rounds = check::integer_value(item.value.get_ref(), &schema::ROUNDS);
                self.set(item, rounds, &mut into.rounds);
            }
            "interval" => self.duration(item, schema::INTERVAL, &mut into.interval),
            "strategy" => self.text(item, check::STRATEGY, check::strategy, &mut into.strategy),
            "hash_key" => {
                let name = |text: &str| check::name(text, check::HASH_KEY).map(Some);
                self.text(item, check::HASH_KEY, name, &mut into.hash_key);
            }
            "zone" => {
                let name = |text: &str| check::name(text, check::ZONE).map(Some);
                self.text(item, check::ZONE, name, &mut into.zone);
            }
            "labels" => self.labels(item, &mut into.labels),
            "subset" => {
                let size = check::integer_value(item.value.get_ref(), &schema::SUBSET);
                let size = size.map(|size| usize::try_from(size).expect("a million fits everywhere"));
                self.set(item, size, &mut into.subset);
            }
            "slow_start" => self.duration(item, schema::SLOW_START, &mut into.slow_start),
            "hedge" => {
                let hedge = |text: &str| check::duration(text, &schema::HEDGE).map(Some);
                self.text(item, check::DURATION, hedge, &mut into.hedge);
            }
            "timeout" => self.duration(item, schema::TIMEOUT, &mut into.timeout),
            "attempt_timeout" => self.duration(item, schema::TIMEOUT, &mut into.attempt_timeout),
            "connect_timeout" => self.duration(item, schema::TIMEOUT, &mut into.connect_timeout),
            "wait" => self.duration(item, schema::WAIT, &mut into.wait),
            "saved" => {
                let folder = self.diagnostics.folder().to_owned();
                let saved = |text: &str| Ok(check::saved(text.into())?.map(|path| folder.join(path)));
                self.text(item, check::PATH, saved, &mut into.saved);
            }
            _ => return false,
        }
        true
    }

    fn metrics(&mut self, into: &mut Metrics, key: &str, item: &Item<'_, '_>) -> bool {
        match key {
            "listen" => self.text(item, check::METRICS, check::metrics, &mut into.listen),
            _ => return false,
        }
        true
    }

    /// Excludes a broken value from the checks between keys.
    fn refuse(&mut self, settings: &mut Settings, section: &str, key: &str) {
        match (section, key) {
            ("zookeeper.auth", "scheme") => settings.zookeeper.auth.scheme.refuse(),
            ("zookeeper.auth", "user") => settings.zookeeper.auth.user.refuse(),
            ("zookeeper.auth", "password" | "password_file") => settings.zookeeper.auth.password.refuse(),
            ("zookeeper.tls", "ca") => settings.zookeeper.tls.ca.refuse(),
            ("zookeeper.tls", "certificate") => settings.zookeeper.tls.certificate.refuse(),
            ("zookeeper.tls", "key") => settings.zookeeper.tls.key.refuse(),
            ("registry", "acl") => settings.registry.acl.refuse(),
            ("server", "host") => settings.server.host.refuse(),
            ("server", "advertise") => settings.server.advertise.refuse(),
            ("client", "timeout") => settings.client.timeout.refuse(),
            ("client", "attempt_timeout") => settings.client.attempt_timeout.refuse(),
            ("client", "connect_timeout") => settings.client.connect_timeout.refuse(),
            ("client", "hedge") => settings.client.hedge.refuse(),
            _ => {}
        }
    }

    // === Kinds of values ===

    fn set<T>(&mut self, item: &Item<'_, '_>, result: Result<T, String>, sourced: &mut Sourced<T>) {
        sourced.set(result, Origin::File(item.value.span().start), &item.key, self.diagnostics);
    }

    fn text<T>(
        &mut self,
        item: &Item<'_, '_>,
        expected: &str,
        check: impl FnOnce(&str) -> Result<T, String>,
        sourced: &mut Sourced<T>,
    ) {
        let result = text(item.value.get_ref(), expected).and_then(check);
        self.set(item, result, sourced);
    }

    fn duration(
        &mut self,
        item: &Item<'_, '_>,
        range: RangeInclusive<Duration>,
        sourced: &mut Sourced<Duration>,
    ) {
        self.text(item, check::DURATION, |text| check::duration(text, &range), sourced);
    }

    /// The path of another file, relative to the folder of this one.
    fn path(&mut self, item: &Item<'_, '_>, sourced: &mut Sourced<Option<PathBuf>>) {
        let folder = self.diagnostics.folder().to_owned();
        let path = |text: &str| match text {
            "" => Err(format!("expected {}, found an empty string", check::PATH)),
            _ => Ok(Some(folder.join(text))),
        };
        self.confidential(item, check::PATH, path, sourced);
    }

    /// Text that may be a misplaced password: messages do not show it.
    fn confidential<T>(
        &mut self,
        item: &Item<'_, '_>,
        expected: &str,
        check: impl FnOnce(&str) -> Result<T, String>,
        sourced: &mut Sourced<T>,
    ) {
        let result = match item.value.get_ref() {
            DeValue::String(text) => check(text),
            _ => Err(format!("expected {expected} as a string, found something else")),
        };
        self.set(item, result, sourced);
    }

    fn boolean(&mut self, item: &Item<'_, '_>, sourced: &mut Sourced<bool>) {
        let result = match item.value.get_ref() {
            DeValue::Boolean(truth) => Ok(*truth),
            other => Err(format!("expected true or false, found {}", check::describe(other))),
        };
        self.set(item, result, sourced);
    }

    fn ports(&mut self, item: &Item<'_, '_>, sourced: &mut Sourced<Vec<u16>>) {
        let (min, max) = schema::PORT_COUNT.into_inner();
        let values = match item.value.get_ref() {
            DeValue::Array(values) if schema::PORT_COUNT.contains(&values.len()) => values,
            DeValue::Array(values) => {
                let message = format!("expected {min} to {max} ports, found {}", values.len());
                return self.set(item, Err(message), sourced);
            }
            other => {
                let message =
                    format!("expected an array such as [8897, 8898], found {}", check::describe(other));
                return self.set(item, Err(message), sourced);
            }
        };
        let ports = self.elements(item, values.iter(), |value, ports: &[u16], _| {
            let port = check::integer_value(value, &schema::PORTS)?;
            let port = u16::try_from(port).expect("ports end at 65535");
            check::distinct(port, ports)
        });
        match ports {
            Some(ports) => self.set(item, Ok(ports), sourced),
            None => sourced.refuse(),
        }
    }

    fn hosts(&mut self, item: &Item<'_, '_>, sourced: &mut Sourced<zk_core::ZkConfig>) {
        let values = match item.value.get_ref() {
            DeValue::Array(values) if !values.is_empty() => values,
            DeValue::Array(_) => {
                return self.set(item, Err("expected at least one host, found none".into()), sourced);
            }
            other => {
                let message =
                    format!("expected an array such as [\"zk1:2181\"], found {}", check::describe(other));
                return self.set(item, Err(message), sourced);
            }
        };
        let texts: Option<Vec<&str>> = values.iter().map(|value| value.get_ref().as_str()).collect();
        let whole = texts.filter(|texts| !texts.iter().any(|text| text.contains(',')));
        let wrong = match whole.map(|texts| check::hosts(&texts)) {
            Some(Ok(hosts)) => return self.set(item, Ok(hosts), sourced),
            Some(Err(wrong)) => Some(wrong),
            None => None,
        };
        let last = values.len() - 1;
        let entries = self.elements(item, values.iter(), |value, _: &[()], index| {
            check::host(text(value, check::HOST)?, index == last)
        });
        match wrong.filter(|_| entries.is_some()) {
            // Every entry is valid, but the list is not.
            Some(wrong) => self.set(item, Err(wrong), sourced),
            None => sourced.refuse(),
        }
    }

    fn labels(&mut self, item: &Item<'_, '_>, sourced: &mut Sourced<Vec<(String, String)>>) {
        let DeValue::Array(values) = item.value.get_ref() else {
            let found = check::describe(item.value.get_ref());
            let message = format!("expected an array such as [\"version=2\"], found {found}");
            return self.set(item, Err(message), sourced);
        };
        let labels = self.elements(item, values.iter(), |value, earlier, _| {
            check::distinct_label(check::label(text(value, check::LABEL)?)?, earlier)
        });
        match labels {
            Some(labels) => self.set(item, Ok(labels), sourced),
            None => sourced.refuse(),
        }
    }

    /// Checks each element against those before it; `None` if one is wrong.
    fn elements<'a, 'i: 'a, T>(
        &mut self,
        item: &Item<'_, '_>,
        values: impl Iterator<Item = &'a Value<'i>>,
        check: impl Fn(&DeValue<'i>, &[T], usize) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let mut good = Vec::new();
        let mut all_good = true;
        for (index, value) in values.enumerate() {
            match check(value.get_ref(), &good, index) {
                Ok(element) => good.push(element),
                Err(message) => {
                    all_good = false;
                    let at = Origin::File(value.span().start);
                    self.diagnostics.add(at, format!("{}[{index}]", item.key), message);
                }
            }
        }
        all_good.then_some(good)
    }
}

fn text<'a>(value: &'a DeValue<'_>, expected: &str) -> Result<&'a str, String> {
    match value {
        DeValue::String(text) => Ok(text),
        other => Err(format!("expected {expected}, found {}", check::describe(other))),
    }
}
