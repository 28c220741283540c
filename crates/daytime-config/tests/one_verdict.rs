//! Flag, variable and file accept the same values, with the same meaning.

mod common;

use clap::Parser;
use common::{Cli, Dir};
use daytime_config::{ClientConfig, Environment, ServerConfig, load_client_in, load_server_in};

/// The configurations of both programs; `None` if the value is refused.
type Verdict = Option<(ServerConfig, ClientConfig)>;

fn verdict(environment: &Environment, arguments: &[String]) -> Verdict {
    let arguments = ["x".to_owned()].into_iter().chain(arguments.iter().cloned());
    let cli = Cli::try_parse_from(arguments).ok()?;
    let server = load_server_in(environment, &cli.zookeeper, &cli.server);
    let client = load_client_in(environment, &cli.zookeeper, &cli.client);
    Some((server.ok()?.config, client.ok()?.config))
}

/// How the file writes a value.
#[derive(Clone, Copy)]
enum Kind {
    /// As a string.
    Text,
    /// Without quotes.
    Bare,
    /// Without quotes, in brackets.
    BareList,
    /// As strings, split at the commas, in brackets.
    TextList,
}

impl Kind {
    fn in_file(self, value: &str) -> String {
        match self {
            Self::Text => quoted(value),
            Self::Bare => value.into(),
            Self::BareList => format!("[{value}]"),
            Self::TextList => format!("[{}]", value.split(',').map(quoted).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\U{:08X}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

const HOSTS: &[&str] = &[
    "zk1",
    "zk1:2181",
    " zk1:2181",
    "zk1:2181 ",
    "\tzk1\t",
    "zk1,zk2",
    "zk1, zk2",
    "zk1 , zk2:2182 ",
    "zk1,",
    "zk1, ",
    ",zk1",
    "zk1,,zk2",
    ",",
    " ",
    "zk1/app",
    "zk1/app/",
    "zk1/",
    " zk1/app ",
    "zk1 /app",
    "zk1,zk2/app",
    "zk1,zk2,/app",
    "zk1,zk2, /app",
    "/app",
    "zk1/app,zk2",
    "zk1/app,zk2/app",
    "zk1//app",
    "zk1/a//b",
    "zk1/a b",
    "zk1/./a",
    "zk1/svc😀",
    "zk1/a\u{7}",
    "10.0.0.1/:2181",
    "zk1/:2181",
    "zk1:2181/zk2:2181",
    "zk1/2181",
    "zk1:2181/2181",
    "zk1,zk2/2181",
    "zk1,zk2:2181/2181",
    "zk1:02181",
    "zk1:+2181",
    "zk1:0",
    "zk1:65536",
    "zk1:",
    ":2181",
    "[::1]",
    "[::1]:2181",
    " [::1]:2181",
    "::1",
    "[::1",
    "zk 1",
    "zk\u{a0}1",
    "tcp://zk1",
    "tcp+tls://zk1",
    "joe:pw@zk1",
    "zk1/a@b",
];

const PATHS: &[&str] = &[
    "/a",
    "/a/b",
    "/",
    "a",
    "/a/",
    "//a",
    "/a//b",
    "/.",
    "/a/..",
    " /a",
    "/a ",
    "/a b",
    "/ü",
    "/svc😀",
    "/\u{e000}",
    "/\u{fff0}",
    "/a\u{7}",
    "/a\n",
    "/a@b",
    "/:2181",
    " ",
];

const DURATIONS: &[&str] = &[
    "1s",
    "1500ms",
    "2m",
    "1h",
    " 2s",
    "2s ",
    "2 s",
    "1m 30s",
    "2",
    "2S",
    "2sec",
    "1.5s",
    "1e3s",
    "+2s",
    "-2s",
    "0s",
    "0",
    "2,5s",
    "1_000ms",
    "９s",
    "24h",
    "25h",
    "9999999999999s",
    "18446744073709551615s",
    "2s\n",
    "x",
    " ",
];

const INTEGERS: &[&str] = &[
    "1",
    "7",
    "0",
    "-1",
    "+7",
    "-0",
    "007",
    "010",
    "00",
    " 7",
    "7 ",
    "7\t",
    "1_000",
    "1__0",
    "_1",
    "0x10",
    "0X10",
    "0o17",
    "0b1",
    "7.0",
    "1e3",
    "7u64",
    "٧",
    "65535",
    "65536",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "nan",
    "true",
    "x",
    " ",
];

const PORT_LISTS: &[&str] = &[
    "1,2", "1, 2", " 1 ,2 ", "1,,2", ",1", "1,1", "1,+2", "1,0x2", "1,02", "1;2", "1 2", "0,1", "1,65536",
    ",",
];

const BOOLEANS: &[&str] =
    &["true", "false", "True", "TRUE", " true", "false ", "1", "0", "yes", "on", "t", " "];

const ADDRESSES: &[&str] = &[
    "127.0.0.1",
    "::1",
    "[::1]",
    "0.0.0.0",
    "::",
    "::ffff:127.0.0.1",
    "::FFFF:7F00:1",
    "::ffff:0.0.0.0",
    " 127.0.0.1",
    "127.0.0.1 ",
    "127.0.0.01",
    "127.1",
    "0x7f000001",
    "127.0.0.1:80",
    "fe80::1%1",
    "localhost",
    "Host.Example",
    "host.example.",
    "host_1",
    "-a",
    "a@b",
    "ü",
];

const SOCKETS: &[&str] = &[
    "127.0.0.1:1",
    "[::1]:1",
    "::1:1",
    "127.0.0.1:0",
    "127.0.0.1:01",
    "127.0.0.1:+1",
    "127.0.0.1",
    "127.0.0.1:65536",
    " 127.0.0.1:1",
    "127.0.0.1:1 ",
    "0.0.0.0:1",
    "localhost:1",
    ":1",
    "off",
    "Off",
    " off",
];

const LABELS: &[&str] = &[
    "version=2",
    "version=2,zone=a",
    "version=2,version=3",
    "version=2,zone=a,version=2",
    "a=",
    "a=b=c",
    " a=b ",
    "a = b",
    "=b",
    "a",
    "a=b,",
    ",a=b",
    " ",
    "ü=é",
    ",",
];

/// How an address is found.
const WAYS: &[&str] = &[
    "route",
    " route",
    "Route",
    "route:",
    "host:10.0.0.7",
    "host:0.0.0.0",
    "host:",
    "interface:eth0",
    "interface: ",
    "interface:",
    "interface",
    "network:10.0.0.0/8",
    "network:10.0.0.1/8",
    "network:10.0.0.0",
    "variable:POD_IP",
    "variable:POD=IP",
    "variable:",
    "interface:eth0,interface:eth1",
];

const WORDS: &[&str] = &["a", " a ", "a b", "ü", " ", "\t", "a,b", "0"];

const NAMES: &[&str] = &[
    "random",
    "round-robin",
    "weighted",
    "least-loaded",
    "peak-ewma",
    "rendezvous",
    "sticky",
    "Random",
    " random",
    "random ",
    "round_robin",
    "best",
    "0",
];

#[test]
fn flag_variable_and_file_accept_the_same_values() {
    use Kind::{Bare, BareList, Text, TextList};
    let table: [(&str, &str, &str, Kind, &[&str]); 22] = [
        ("--zookeeper", "ZOOKEEPER", "zookeeper.hosts", TextList, HOSTS),
        ("--root", "ROOT", "zookeeper.root", Text, PATHS),
        ("--session-timeout", "SESSION_TIMEOUT", "zookeeper.session_timeout", Text, DURATIONS),
        ("--metrics", "METRICS", "metrics.listen", Text, SOCKETS),
        ("--host", "HOST", "server.host", Text, ADDRESSES),
        ("--port", "PORTS", "server.ports", BareList, PORT_LISTS),
        ("--port", "PORTS", "server.ports", BareList, INTEGERS),
        ("", "UDP", "server.udp", Bare, BOOLEANS),
        ("--advertise", "ADVERTISE", "server.advertise", Text, ADDRESSES),
        ("--advertise", "ADVERTISE", "server.advertise", Text, WAYS),
        ("", "EMBEDDED", "zookeeper.embedded", Bare, BOOLEANS),
        ("", "RECORDS", "discovery.records", Bare, BOOLEANS),
        ("--rounds", "ROUNDS", "client.rounds", Bare, INTEGERS),
        ("--interval", "INTERVAL", "client.interval", Text, DURATIONS),
        ("--strategy", "STRATEGY", "client.strategy", Text, NAMES),
        ("--hash-key", "HASH_KEY", "client.hash_key", Text, WORDS),
        ("--zone", "ZONE", "client.zone", Text, WORDS),
        ("--label", "LABELS", "client.labels", TextList, LABELS),
        ("--subset", "SUBSET", "client.subset", Bare, INTEGERS),
        ("--hedge", "HEDGE", "client.hedge", Text, DURATIONS),
        ("--timeout", "TIMEOUT", "client.timeout", Text, DURATIONS),
        ("--wait", "WAIT", "client.wait", Text, DURATIONS),
    ];
    let dir = Dir::new();
    let mut differ = Vec::new();
    for (flag, variable, key, kind, values) in table {
        let mut accepted = 0;
        for value in values {
            let path = dir.write(format!("{key} = {}\n", kind.in_file(value)));
            let file = verdict(&Environment::default(), &[format!("--config={}", path.display())]);
            let environment = [(format!("DAYTIME_{variable}"), *value)].into_iter().collect();
            let by_variable = verdict(&environment, &[]);
            let by_flag = match flag {
                // A switch, which takes no value.
                "" => file.clone(),
                _ => verdict(&Environment::default(), &[format!("{flag}={value}")]),
            };
            accepted += usize::from(file.is_some());
            let shown = |verdict: &Verdict| if verdict.is_some() { "accepted" } else { "refused" };
            if file != by_variable || file != by_flag {
                differ.push(format!(
                    "{key} {value:?}: {} by the file, {} by the variable, {} by the flag",
                    shown(&file),
                    shown(&by_variable),
                    shown(&by_flag)
                ));
            }
        }
        assert!((1..values.len()).contains(&accepted), "{key}: some values are valid, and some are not");
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
