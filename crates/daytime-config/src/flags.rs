//! The command line flags: those of both programs, and those of each.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use balance::Strategy;
use clap::builder::TypedValueParser;
use clap::error::{ContextValue, ErrorKind};
use clap::{Arg, Args, Command, Parser};
use zk_core::ZnodePath;

use crate::diagnostics::{Diagnostics, Origin};
use crate::settings::{Settings, Sourced};
use crate::{check, schema};

/// The options of both programs. They may stand before or after a subcommand.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ZookeeperFlags {
    /// Configuration file; it must exist
    /// [env: DAYTIME_CONFIG] [default: config/daytime.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE", verbatim_doc_comment)]
    pub config: Option<PathBuf>,

    /// ZooKeeper servers: host:port,host:port, with an optional /chroot
    /// [env: DAYTIME_ZOOKEEPER] [key: zookeeper.hosts]
    /// [default: 127.0.0.1:2181]
    #[arg(long, global = true, value_name = "HOSTS", value_parser = Checked(check::ensemble), verbatim_doc_comment)]
    pub zookeeper: Option<zk_core::ZkConfig>,

    /// Znode under which servers register
    /// [env: DAYTIME_ROOT] [key: zookeeper.root] [default: /go_servers]
    #[arg(long, global = true, value_name = "PATH", value_parser = Checked(check::root), verbatim_doc_comment)]
    pub root: Option<ZnodePath>,

    /// Session timeout to request from ZooKeeper, 1s to 1h
    /// [env: DAYTIME_SESSION_TIMEOUT] [key: zookeeper.session_timeout]
    /// [default: 10s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = Checked(session_timeout), verbatim_doc_comment)]
    pub session_timeout: Option<Duration>,

    /// Address and port for Prometheus to scrape (path /metrics), or off
    /// [env: DAYTIME_METRICS] [key: metrics.listen] [default: off]
    #[arg(long, global = true, value_name = "ADDR:PORT", verbatim_doc_comment)]
    pub metrics: Option<String>,
}

/// The options of the server. They may stand before or after a subcommand.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFlags {
    /// IP address to listen on; 0.0.0.0 or :: for all
    /// [env: DAYTIME_HOST] [key: server.host] [default: 127.0.0.1]
    #[arg(long, global = true, value_name = "ADDR", value_parser = Checked(check::listen), verbatim_doc_comment)]
    pub host: Option<IpAddr>,

    /// Port to listen on, 1 to 65535; up to 64, by commas or repeated flags
    /// [env: DAYTIME_PORTS] [key: server.ports] [default: 8897,8898,8899]
    #[arg(long, global = true, value_name = "PORT", value_parser = Checked(check::port), value_delimiter = ',', verbatim_doc_comment)]
    pub port: Vec<u16>,

    /// Answer over UDP, too, on the same ports
    /// [env: DAYTIME_UDP=true] [key: server.udp] [default: false]
    #[arg(long, global = true, verbatim_doc_comment)]
    pub udp: bool,

    /// IP address or host name to register, for clients to call, or how to
    /// find it: interface:eth0, network:10.0.0.0/8, variable:POD_IP or route
    /// [env: DAYTIME_ADVERTISE] [key: server.advertise]
    /// [default: route, the address of --host; for 0.0.0.0 and :: the
    /// address of this machine on the route to ZooKeeper]
    #[arg(long, global = true, value_name = "ADDR", value_parser = Checked(check::advertise), verbatim_doc_comment)]
    pub advertise: Option<zk_roster::Advertise>,

    /// Run a ZooKeeper in this process, in memory, if the ZooKeeper address
    /// is a loopback address where no server answers
    /// [env: DAYTIME_EMBEDDED=true] [default: false]
    /// [key: zookeeper.embedded, ignored with --zookeeper]
    #[arg(long, global = true, verbatim_doc_comment)]
    pub embedded: bool,
}

/// The options of the client. They may stand before or after a subcommand.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFlags {
    /// Number of requests, at least 1
    /// [env: DAYTIME_ROUNDS] [key: client.rounds] [default: 100]
    #[arg(long, global = true, value_name = "N", value_parser = Checked(rounds), verbatim_doc_comment)]
    pub rounds: Option<u64>,

    /// Time from one request to the next, 0s to 1h
    /// [env: DAYTIME_INTERVAL] [key: client.interval] [default: 1s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = Checked(interval), verbatim_doc_comment)]
    pub interval: Option<Duration>,

    /// How to pick a server: random, round-robin, weighted, least-loaded,
    /// peak-ewma, rendezvous (by --hash-key) or sticky
    /// [env: DAYTIME_STRATEGY] [key: client.strategy] [default: random]
    #[arg(long, global = true, value_name = "NAME", value_parser = Checked(check::strategy), verbatim_doc_comment)]
    pub strategy: Option<Strategy>,

    /// Name of this client, by which rendezvous and --subset go
    /// [env: DAYTIME_HASH_KEY] [key: client.hash_key]
    /// [default: the name of this machine]
    #[arg(long, global = true, value_name = "NAME", value_parser = Checked(hash_key), verbatim_doc_comment)]
    pub hash_key: Option<String>,

    /// Prefer servers whose tag zone has this value
    /// [env: DAYTIME_ZONE] [key: client.zone] [default: no zone]
    #[arg(long, global = true, value_name = "NAME", value_parser = Checked(zone), verbatim_doc_comment)]
    pub zone: Option<String>,

    /// Ask only servers whose tag TAG has this value; by commas or repeated
    /// flags
    /// [env: DAYTIME_LABELS] [key: client.labels] [default: any server]
    #[arg(long, global = true, value_name = "TAG=VALUE", value_parser = Checked(check::label), value_delimiter = ',', verbatim_doc_comment)]
    pub label: Vec<(String, String)>,

    /// Prefer so many servers, others for each client; 0 for all
    /// [env: DAYTIME_SUBSET] [key: client.subset] [default: 0]
    #[arg(long, global = true, value_name = "N", value_parser = Checked(check::subset), verbatim_doc_comment)]
    pub subset: Option<usize>,

    /// Ask another server, too, after this time without an answer, 1ms to 1h
    /// [env: DAYTIME_HEDGE] [key: client.hedge] [default: never]
    #[arg(long, global = true, value_name = "DURATION", value_parser = Checked(hedge), verbatim_doc_comment)]
    pub hedge: Option<Duration>,

    /// Time limit of one request, retries included, 10ms to 1h
    /// [env: DAYTIME_TIMEOUT] [key: client.timeout] [default: 5s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = Checked(timeout), verbatim_doc_comment)]
    pub timeout: Option<Duration>,

    /// Time to wait for ZooKeeper and the first server, 100ms to 24h
    /// [env: DAYTIME_WAIT] [key: client.wait] [default: 60s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = Checked(wait), verbatim_doc_comment)]
    pub wait: Option<Duration>,

    /// File that keeps the list of servers, for a start without ZooKeeper, or
    /// off
    /// [env: DAYTIME_SAVED] [key: client.saved] [default: off]
    #[arg(long, global = true, value_name = "FILE", verbatim_doc_comment)]
    pub saved: Option<PathBuf>,
}

// === Value parsers ===

/// A value parser with messages of our own. Those of `clap` would show the whole value, and a mistyped value may be a
/// password.
#[derive(Clone)]
struct Checked<T>(fn(&str) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Checked<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, flag: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let checked = value.to_str().ok_or_else(|| "expected UTF-8".to_owned()).and_then(self.0);
        checked.map_err(|message| {
            let flag = flag.map(|flag| format!(" for '{flag}'")).unwrap_or_default();
            let message = format!("invalid value{flag}: {message}");
            clap::Error::raw(ErrorKind::ValueValidation, message).format(&mut command.clone())
        })
    }
}

/// Parses the command line of this process. A wrong command line ends the process with a message and
/// [`Problems::EXIT_CODE`](crate::Problems::EXIT_CODE); `--help` and `--version` end it with 0.
///
/// Unlike `clap`'s own `parse`, no message shows the text before an `@` in a stray argument: it may be a password.
#[must_use]
pub fn parse_command_line<C: Parser>() -> C {
    C::try_parse().unwrap_or_else(|error| redacted(error).exit())
}

fn redacted(mut error: clap::Error) -> clap::Error {
    let hide = |text: &str| zk_core::redact(text).into_owned();
    let hidden: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) if text.contains('@') => {
                Some((kind, ContextValue::String(hide(text))))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in hidden {
        error.insert(kind, value);
    }
    error
}

fn session_timeout(text: &str) -> Result<Duration, String> {
    check::duration(text, &schema::SESSION_TIMEOUT)
}

fn rounds(text: &str) -> Result<u64, String> {
    check::integer(text, &schema::ROUNDS)
}

fn interval(text: &str) -> Result<Duration, String> {
    check::duration(text, &schema::INTERVAL)
}

fn hash_key(text: &str) -> Result<String, String> {
    check::name(text, check::HASH_KEY)
}

fn zone(text: &str) -> Result<String, String> {
    check::name(text, check::ZONE)
}

fn hedge(text: &str) -> Result<Duration, String> {
    check::duration(text, &schema::HEDGE)
}

fn timeout(text: &str) -> Result<Duration, String> {
    check::duration(text, &schema::TIMEOUT)
}

fn wait(text: &str) -> Result<Duration, String> {
    check::duration(text, &schema::WAIT)
}

// === Overriding ===

// The fields are public, so a value may not have passed the parsers above: the ranges are checked again.

impl ZookeeperFlags {
    pub(crate) fn apply(&self, settings: &mut Settings, diagnostics: &mut Diagnostics) {
        let into = &mut settings.zookeeper;
        apply(self.zookeeper.clone().map(Ok), "--zookeeper", "zookeeper.hosts", &mut into.hosts, diagnostics);
        let root = self.root.as_ref().map(|root| check::root(root.as_str()));
        apply(root, "--root", "zookeeper.root", &mut into.root, diagnostics);
        let timeout = self.session_timeout.map(|time| check::in_range(time, &schema::SESSION_TIMEOUT));
        let key = "zookeeper.session_timeout";
        apply(timeout, "--session-timeout", key, &mut into.session_timeout, diagnostics);
        let metrics = self.metrics.as_deref().map(check::metrics);
        apply(metrics, "--metrics", "metrics.listen", &mut settings.metrics.listen, diagnostics);
    }
}

impl ServerFlags {
    pub(crate) fn apply(&self, settings: &mut Settings, diagnostics: &mut Diagnostics) {
        let into = &mut settings.server;
        apply(
            self.host.map(|ip| Ok(ip.to_canonical())),
            "--host",
            "server.host",
            &mut into.host,
            diagnostics,
        );
        let ports = (!self.port.is_empty()).then(|| check::ports(&self.port));
        apply(ports, "--port", "server.ports", &mut into.ports, diagnostics);
        apply(self.udp.then_some(Ok(true)), "--udp", "server.udp", &mut into.udp, diagnostics);
        let advertise = self.advertise.as_ref().map(|advertise| check::advertise(&advertise.to_string()));
        apply(advertise, "--advertise", "server.advertise", &mut into.advertise, diagnostics);
        let embedded = self.embedded.then_some(Ok(true));
        let into = &mut settings.zookeeper.embedded;
        apply(embedded, "--embedded", "zookeeper.embedded", into, diagnostics);
    }
}

impl ClientFlags {
    pub(crate) fn apply(&self, settings: &mut Settings, diagnostics: &mut Diagnostics) {
        let into = &mut settings.client;
        let rounds = self.rounds.map(|rounds| check::integer(&rounds.to_string(), &schema::ROUNDS));
        apply(rounds, "--rounds", "client.rounds", &mut into.rounds, diagnostics);
        let interval = self.interval.map(|time| check::in_range(time, &schema::INTERVAL));
        apply(interval, "--interval", "client.interval", &mut into.interval, diagnostics);
        apply(self.strategy.map(Ok), "--strategy", "client.strategy", &mut into.strategy, diagnostics);
        let name = self.hash_key.as_ref().map(|name| check::name(name, check::HASH_KEY).map(Some));
        apply(name, "--hash-key", "client.hash_key", &mut into.hash_key, diagnostics);
        let zone = self.zone.as_ref().map(|zone| check::name(zone, check::ZONE).map(Some));
        apply(zone, "--zone", "client.zone", &mut into.zone, diagnostics);
        let labels = (!self.label.is_empty()).then(|| check::labels(self.label.iter().cloned().map(Ok)));
        apply(labels, "--label", "client.labels", &mut into.labels, diagnostics);
        let subset = self.subset.map(|size| check::subset(&size.to_string()));
        apply(subset, "--subset", "client.subset", &mut into.subset, diagnostics);
        let hedge = self.hedge.map(|time| check::in_range(time, &schema::HEDGE).map(Some));
        apply(hedge, "--hedge", "client.hedge", &mut into.hedge, diagnostics);
        let timeout = self.timeout.map(|time| check::in_range(time, &schema::TIMEOUT));
        apply(timeout, "--timeout", "client.timeout", &mut into.timeout, diagnostics);
        let wait = self.wait.map(|time| check::in_range(time, &schema::WAIT));
        apply(wait, "--wait", "client.wait", &mut into.wait, diagnostics);
        let saved = self.saved.clone().map(check::saved);
        apply(saved, "--saved", "client.saved", &mut into.saved, diagnostics);
    }
}

fn apply<T>(
    flag_value: Option<Result<T, String>>,
    flag: &'static str,
    key: &str,
    into: &mut Sourced<T>,
    diagnostics: &mut Diagnostics,
) {
    if let Some(value) = flag_value {
        into.set(value, Origin::Flag(flag), key, diagnostics);
    }
}
