//! The problems of a wrong file: line, key, and the expected value.

mod common;

use common::{Dir, client_problems, lines_and_keys, server_problems};

/// A file, the line and the key of its problem, and a part of the message.
type Case = (&'static str, usize, &'static str, &'static str);

fn check(cases: &[Case]) {
    let dir = Dir::new();
    for (text, line, key, part) in cases {
        let path = dir.write(text);
        for problems in [client_problems(&path), server_problems(&path)] {
            assert_eq!(lines_and_keys(&problems), [(*line, (*key).to_owned())], "{text:?}:\n{problems}");
            let message = problems.listed()[0].message();
            assert!(message.contains(part), "{text:?}: expected {part:?} in {message:?}");
            assert_eq!(problems.to_string().lines().count(), 1, "{text:?}:\n{problems}");
        }
    }
}

#[test]
fn an_unknown_section_or_key_lists_the_known_ones() {
    check(&[
        ("[sever]\n", 1, "sever", "did you mean [server]?"),
        (
            "[sever]\n",
            1,
            "sever",
            "[zookeeper], [zookeeper.auth], [zookeeper.tls], [registry], [discovery], [server], [client], [metrics]",
        ),
        ("[server]\n[logging]\nlevel = 'x'\n", 2, "logging", "unknown section; the sections are [zookeeper]"),
        ("[[daytime]]\n", 1, "daytime", "unknown section"),
        ("host = '127.0.0.1'\n", 1, "host", "as a key it belongs in [server]"),
        ("audit_interval = '1s'\n", 1, "audit_interval", "[registry] or [discovery]"),
        ("server.prots = [1]\n", 1, "server.prots", "did you mean ports?"),
        ("[server]\nPorts = [1]\n", 2, "server.Ports", "did you mean ports?"),
        ("[client]\nattempt-timeout = '1s'\n", 2, "client.attempt-timeout", "did you mean attempt_timeout?"),
        ("[server]\nroot = '/x'\n", 2, "server.root", "it belongs in [zookeeper]"),
        (
            "[zookeeper]\nembeded = true\n",
            2,
            "zookeeper.embeded",
            "did you mean embedded? [zookeeper] has hosts, root",
        ),
        ("[registry]\n\nttl = 1\n", 3, "registry.ttl", "[registry] has acl, audit_interval"),
        ("[discovery.cache]\nx = 1\n", 1, "discovery.cache", "unknown key"),
        ("[\"\"]\n", 1, "\"\"", "unknown section"),
        ("[client]\n\"a\\nb\" = 1\n", 2, "client.\"a\\nb\"", "unknown key"),
    ]);
}

#[test]
fn a_value_of_the_wrong_type_is_described() {
    check(&[
        ("server = 5\n", 1, "server", "expected one section [server], found the integer 5"),
        ("[[client]]\nrounds = 1\n", 1, "client", "expected one section [client], found an array"),
        (
            "[zookeeper]\nhosts = 'zk1'\n",
            2,
            "zookeeper.hosts",
            "expected an array such as [\"zk1:2181\"], found the string \"zk1\"",
        ),
        ("[zookeeper]\nhosts = ['zk1',\n 2181]\n", 3, "zookeeper.hosts[1]", "found the integer 2181"),
        ("[zookeeper]\nroot = ['/x']\n", 2, "zookeeper.root", "\"/go_servers\", found an array"),
        ("[server]\nhost = 127.0\n", 2, "server.host", "found the float 127.0"),
        (
            "[server]\nports = 8897\n",
            2,
            "server.ports",
            "expected an array such as [8897, 8898], found the integer 8897",
        ),
        (
            "[server]\nports = ['8897']\n",
            2,
            "server.ports[0]",
            "an integer from 1 to 65535, found the string \"8897\"",
        ),
        ("[server]\nadvertise = true\n", 2, "server.advertise", "found the boolean true"),
        ("[server]\nmax_connections = 10.5\n", 2, "server.max_connections", "found the float 10.5"),
        ("[server]\ngrace = { s = 1 }\n", 2, "server.grace", "found a table"),
        (
            "[client]\nrounds = '100'\n",
            2,
            "client.rounds",
            "an integer of at least 1, found the string \"100\"",
        ),
        (
            "[client]\ninterval = 1\n",
            2,
            "client.interval",
            "expected a duration such as \"250ms\" or \"10s\", found the integer 1",
        ),
        ("[client]\ntimeout = 00:00:05\n", 2, "client.timeout", "found the date or time 00:00:05"),
        (
            "[client]\nstrategy = 1\n",
            2,
            "client.strategy",
            "expected the name of a strategy such as \"random\", found the integer 1",
        ),
        ("[client]\nhash_key = 7\n", 2, "client.hash_key", "found the integer 7"),
        ("[client]\nzone = ['a']\n", 2, "client.zone", "\"eu-west-1a\", found an array"),
        (
            "[client]\nlabels = 'a=b'\n",
            2,
            "client.labels",
            "an array such as [\"version=2\"], found the string",
        ),
        ("[client]\nlabels = ['a=b',\n 7]\n", 3, "client.labels[1]", "found the integer 7"),
        ("[client]\nlabels = ['a=b', 'c']\n", 2, "client.labels[1]", "\"version=2\", found \"c\""),
        (
            "[client]\nlabels = ['a=b', 'c=d',\n 'a=e']\n",
            3,
            "client.labels[2]",
            "expected different tags, found \"a\" twice",
        ),
        ("[client]\nsubset = '5'\n", 2, "client.subset", "from 0 to 1000000, found the string"),
        ("[client]\nslow_start = 5\n", 2, "client.slow_start", "found the integer 5"),
        ("[client]\nhedge = '0s'\n", 2, "client.hedge", "from 1ms to 1h, found 0s"),
        ("[discovery]\nrecords = 1\n", 2, "discovery.records", "found the integer 1"),
        ("[discovery]\nhold = false\n", 2, "discovery.hold", "found the boolean false"),
        (
            "[discovery]\nhold_share = '0.5'\n",
            2,
            "discovery.hold_share",
            "expected a number from 0 to 1, found the string \"0.5\"",
        ),
        ("[discovery]\nhold_number = 2.5\n", 2, "discovery.hold_number", "found the float 2.5"),
    ]);
}

#[test]
fn a_value_out_of_range_names_the_range() {
    check(&[
        (
            "[zookeeper]\nsession_timeout = '99ms'\n",
            2,
            "zookeeper.session_timeout",
            "from 1s to 1h, found 99ms",
        ),
        (
            "[zookeeper]\nsession_timeout = '61m'\n",
            2,
            "zookeeper.session_timeout",
            "from 1s to 1h, found 1h 1m",
        ),
        (
            "[zookeeper]\nembedded = 'yes'\n",
            2,
            "zookeeper.embedded",
            "expected true or false, found the string",
        ),
        ("[registry]\naudit_interval = '0s'\n", 2, "registry.audit_interval", "from 100ms to 1h"),
        ("[discovery]\naudit_interval = '2h'\n", 2, "discovery.audit_interval", "from 100ms to 1h"),
        ("[discovery]\nhold = '11m'\n", 2, "discovery.hold", "from 0s to 10m"),
        ("[discovery]\nhold_share = 1.01\n", 2, "discovery.hold_share", "found the float 1.01"),
        ("[discovery]\nhold_share = -1\n", 2, "discovery.hold_share", "found the integer -1"),
        ("[discovery]\nhold_share = nan\n", 2, "discovery.hold_share", "from 0 to 1, found the float nan"),
        ("[discovery]\nhold_number = 0\n", 2, "discovery.hold_number", "from 1 to 1000000, found 0"),
        ("[discovery]\nhold_window = '61s'\n", 2, "discovery.hold_window", "from 10ms to 1m"),
        ("[server]\nports = []\n", 2, "server.ports", "expected 1 to 64 ports, found 0"),
        ("[server]\nports = [0]\n", 2, "server.ports[0]", "expected an integer from 1 to 65535, found 0"),
        (
            "[server]\nports = [1,\n99999]\n",
            3,
            "server.ports[1]",
            "expected an integer from 1 to 65535, found 99999",
        ),
        ("[server]\nports = [-1]\n", 2, "server.ports[0]", "found -1"),
        ("[server]\nports = [8897, 8898, 8897]\n", 2, "server.ports[2]", "found 8897 twice"),
        ("[server]\nmax_connections = 0\n", 2, "server.max_connections", "from 1 to 1000000, found 0"),
        ("[server]\nmax_connections = 1_000_001\n", 2, "server.max_connections", "found 1000001"),
        (
            "[server]\nconnection_timeout = '90s'\n",
            2,
            "server.connection_timeout",
            "from 100ms to 1m, found 1m 30s",
        ),
        ("[server]\nsettle = '11s'\n", 2, "server.settle", "from 0s to 10s"),
        ("[server]\ngrace = '61s'\n", 2, "server.grace", "from 0s to 1m"),
        ("[client]\nrounds = 0\n", 2, "client.rounds", "at least 1, found 0"),
        ("[client]\nrounds = 99999999999999999999\n", 2, "client.rounds", "found 99999999999999999999"),
        ("[client]\ninterval = '61m'\n", 2, "client.interval", "from 0s to 1h"),
        ("[client]\nconnect_timeout = '9ms'\n", 2, "client.connect_timeout", "from 10ms to 1h"),
        ("[client]\nwait = '25h'\n", 2, "client.wait", "from 100ms to 1day"),
    ]);
}

#[test]
fn unusable_text_is_refused_with_the_reason() {
    check(&[
        ("[zookeeper]\nhosts = []\n", 2, "zookeeper.hosts", "at least one host"),
        ("[zookeeper]\nhosts = ['']\n", 2, "zookeeper.hosts[0]", "empty; expected host:port"),
        ("[zookeeper]\nhosts = ['zk1', 'zk2:x']\n", 2, "zookeeper.hosts[1]", "its port is no number"),
        (
            "[zookeeper]\nhosts = ['zk1:2181,zk2:2181']\n",
            2,
            "zookeeper.hosts[0]",
            "each host is a string of its own",
        ),
        ("[zookeeper]\nhosts = ['zk1/a', 'zk2']\n", 2, "zookeeper.hosts[0]", "behind the last host"),
        ("[zookeeper]\nhosts = ['zk1/a//b']\n", 2, "zookeeper.hosts[0]", "a segment is empty"),
        ("[zookeeper]\nhosts = ['tcp://zk1']\n", 2, "zookeeper.hosts[0]", "in the settings for all hosts"),
        ("[zookeeper]\nhosts = ['::1']\n", 2, "zookeeper.hosts[0]", "brackets"),
        ("[zookeeper]\nroot = '/'\n", 2, "zookeeper.root", "the top of the tree"),
        ("[zookeeper]\nroot = 'go_servers'\n", 2, "zookeeper.root", "begin with '/'"),
        ("[zookeeper]\nroot = '/a/'\n", 2, "zookeeper.root", "a segment is empty"),
        ("[zookeeper]\nroot = \"/a\\u0007\"\n", 2, "zookeeper.root", "control character"),
        (
            "[zookeeper]\nsession_timeout = '10'\n",
            2,
            "zookeeper.session_timeout",
            "such as \"250ms\" or \"10s\", found \"10\"",
        ),
        ("[zookeeper]\nsession_timeout = ''\n", 2, "zookeeper.session_timeout", "found \"\""),
        ("[server]\nhost = 'localhost'\n", 2, "server.host", "expected an IP address to listen on"),
        ("[server]\nhost = '127.0.0.1:8897'\n", 2, "server.host", "its port belongs in server.ports"),
        (
            "[server]\nadvertise = '0.0.0.0'\n",
            2,
            "server.advertise",
            "that clients can call, found \"0.0.0.0\"",
        ),
        ("[server]\nadvertise = '::'\n", 2, "server.advertise", "that clients can call"),
        ("[server]\nadvertise = 'a host'\n", 2, "server.advertise", "unexpected character ' '"),
        ("[server]\nadvertise = 'a:80'\n", 2, "server.advertise", "unexpected character ':'"),
        ("[server]\nadvertise = 'interface:'\n", 2, "server.advertise", "interface:eth0"),
        ("[server]\nadvertise = 'network:10.0.0.1/8'\n", 2, "server.advertise", "expected 10.0.0.0/8"),
        (
            "[client]\nstrategy = 'Random'\n",
            2,
            "client.strategy",
            "\"Random\", expected one of: random, round-robin",
        ),
        ("[client]\nwait = 'for ever'\n", 2, "client.wait", "found \"for ever\""),
        ("[client]\nwait = '-1s'\n", 2, "client.wait", "found \"-1s\""),
    ]);
}

#[test]
fn invalid_toml_is_reported_once_for_each_mistake() {
    // Where no part of the message is expected here, the parser words it.
    check(&[
        ("[server\nhost = '127.0.0.1'\n", 1, "", ""),
        ("[server]]\n", 1, "", ""),
        ("[]\n", 1, "", ""),
        ("[server]\nhost '127.0.0.1'\n", 2, "", ""),
        ("[server]\nhost =\n", 2, "server.host", "expected a value, found none"),
        ("[server]\nhost = localhost\n", 2, "server.host", "must be in quotes"),
        ("[server]\nhost = \"127.0.0.1\n", 2, "server.host", ""),
        ("[server]\nhost = \"\\q\"\n", 2, "server.host", ""),
        ("[server]\nports = [1, 2\nhost = '::1'\n[client]\nwait = '1s'\n", 2, "server.ports", ""),
        ("[server]\nports = [1 2]\n", 2, "server.ports", "expected a value"),
        ("[client]\nrounds = 010\n", 2, "client.rounds", ""),
        ("[client]\nrounds = 1 wait = '1s'\n", 2, "client.rounds", ""),
        ("[client]\nwait: '1s'\n", 2, "", ""),
        ("{ \"server\": { \"port\": 1 } }\n", 1, "", ""),
        ("[client]\nwait = '1s'\n\u{0}\n", 3, "", ""),
        ("[client]\nrounds = 1\nwait = '1s'\nrounds = 2\n", 4, "client.rounds", "set twice; first on line 2"),
        ("[client]\nrounds = 1\n[server]\n[client]\nwait = '1s'\n", 4, "client", "appears twice"),
        ("client.wait = '1s'\n[client]\nrounds = 1\n", 2, "client", "twice"),
        ("\n \u{feff}[client]\n", 2, "", ""),
        ("[client]\rrounds = 0\r", 1, "", ""),
    ]);
}

#[test]
fn a_broken_relation_names_both_keys_and_lines() {
    check(&[
        (
            "[client]\nattempt_timeout = '1s'\nconnect_timeout = '2s'\n",
            3,
            "client.connect_timeout",
            "expected at most client.attempt_timeout (1s, line 2), found 2s",
        ),
        (
            "[client]\nattempt_timeout = '6s'\n",
            2,
            "client.attempt_timeout",
            "expected at most client.timeout (5s, the default), found 6s",
        ),
        (
            "[client]\ntimeout = '500ms'\nattempt_timeout = '1s'\n",
            3,
            "client.attempt_timeout",
            "expected at most client.timeout (500ms, line 2), found 1s",
        ),
        (
            "[client]\nhedge = '1500ms'\n",
            2,
            "client.hedge",
            "expected at most client.attempt_timeout (1s, the default), found 1s 500ms",
        ),
        (
            "[client]\nhedge = '300ms'\ntimeout = '2s'\nattempt_timeout = '200ms'\nconnect_timeout = '100ms'\n",
            2,
            "client.hedge",
            "expected at most client.attempt_timeout (200ms, line 4), found 300ms",
        ),
        // The wrong attempt_timeout is not compared with anything.
        (
            "[client]\ntimeout = '500ms'\nattempt_timeout = 1\n",
            3,
            "client.attempt_timeout",
            "such as \"250ms\"",
        ),
        ("[client]\nattempt_timeout = x\ntimeout = '500ms'\n", 2, "client.attempt_timeout", "in quotes"),
    ]);
}

#[test]
fn eight_mistakes_are_eight_lines_in_the_order_of_the_file() {
    let dir = Dir::new();
    let text = r#"# one a line, from here
[zookeeper]
hosts = ["zk1", "zk 2"]
session_timeout = 10
[server]
host = "localhost"
ports = [8897, 99999]
[clinet]
[client]
rounds
strategy = "best"
timeout = "1s"
connect_timeout = "5s"
"#;
    let problems = client_problems(&dir.write(text));
    let expected = [
        (3, "zookeeper.hosts[1]"),
        (4, "zookeeper.session_timeout"),
        (6, "server.host"),
        (7, "server.ports[1]"),
        (8, "clinet"),
        (10, ""),
        (11, "client.strategy"),
        (13, "client.connect_timeout"),
    ];
    assert_eq!(lines_and_keys(&problems), expected.map(|(line, key)| (line, key.to_owned())), "{problems}");
    assert_eq!(problems.to_string().lines().count(), 8);
}

#[test]
fn a_problem_shows_as_file_line_column_key_and_message() {
    let dir = Dir::new();
    let path = dir.write("[server]\nports = [8897,99999]\n");
    let expected =
        format!("{}:2:15: server.ports[1]: expected an integer from 1 to 65535, found 99999", path.display());
    assert_eq!(client_problems(&path).to_string(), expected);
}

#[test]
fn keys_below_a_broken_header_are_not_checked() {
    let dir = Dir::new();
    let text = "[client]\nrounds = 0\n[server\nhost = 1\n  [zookeeper]\nroot = '/'\n";
    let problems = client_problems(&dir.write(text));
    let expected = [(2, "client.rounds"), (3, ""), (6, "zookeeper.root")];
    assert_eq!(lines_and_keys(&problems), expected.map(|(line, key)| (line, key.to_owned())), "{problems}");
}
