//! A flag beats the environment, the environment beats the file, the file beats the default.

mod common;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use balance::Strategy;
use clap::{CommandFactory, Parser};
use common::{Cli, Dir};
use daytime_config::{
    ClientConfig, ClientFlags, Environment, Place, Problems, ServerConfig, Source, ZookeeperFlags,
    load_client_in, load_server_in,
};

type Variables<'a> = &'a [(&'a str, &'a str)];

fn client(variables: Variables<'_>, arguments: &[&str]) -> Result<ClientConfig, Problems> {
    let cli = Cli::try_parse_from([&["client"], arguments].concat()).expect("the flags are right");
    let environment = variables.iter().copied().collect();
    load_client_in(&environment, &cli.zookeeper, &cli.client).map(|loaded| loaded.config)
}

fn server(variables: Variables<'_>, arguments: &[&str]) -> Result<ServerConfig, Problems> {
    let cli = Cli::try_parse_from([&["server"], arguments].concat()).expect("the flags are right");
    let environment = variables.iter().copied().collect();
    load_server_in(&environment, &cli.zookeeper, &cli.server).map(|loaded| loaded.config)
}

const FILE: &str = r#"
[zookeeper]
hosts = ["file"]
root = "/file"
session_timeout = "11s"
[server]
host = "127.0.0.11"
ports = [11]
advertise = "file"
[client]
rounds = 11
interval = "11ms"
strategy = "round-robin"
hash_key = "file"
zone = "file"
labels = ["version=11"]
subset = 11
hedge = "11ms"
timeout = "11s"
wait = "11s"
"#;

#[test]
fn metrics_are_off_until_a_layer_sets_an_address_and_a_higher_layer_can_turn_them_off() {
    let dir = Dir::new();
    let path = dir.write("[metrics]\nlisten = '127.0.0.1:1'\n");
    let file = ["--config", path.to_str().unwrap()];
    let by_flag = [&file[..], &["--metrics", "[::1]:3"]].concat();
    let off = [&file[..], &["--metrics", "off"]].concat();
    let cases: [(Variables<'_>, &[&str], Option<&str>); 6] = [
        (&[], &[], None),
        (&[], &file, Some("127.0.0.1:1")),
        (&[("DAYTIME_METRICS", "127.0.0.1:2")], &file, Some("127.0.0.1:2")),
        (&[("DAYTIME_METRICS", "off")], &file, None),
        (&[("DAYTIME_METRICS", "off")], &by_flag, Some("[::1]:3")),
        (&[], &off, None),
    ];
    for (variables, arguments, expected) in cases {
        let expected = expected.map(|address| address.parse().unwrap());
        assert_eq!(server(variables, arguments).unwrap().metrics, expected, "{variables:?} {arguments:?}");
        assert_eq!(client(variables, arguments).unwrap().metrics, expected, "{variables:?} {arguments:?}");
    }
    for wrong in ["9867", "localhost:9867", "127.0.0.1", "127.0.0.1:0", "On"] {
        let problems = client(&[("DAYTIME_METRICS", wrong)], &[]).unwrap_err().to_string();
        let expected = format!(
            r#"DAYTIME_METRICS: metrics.listen: expected an address and a port such as "127.0.0.1:9867", or "off", found "{wrong}""#
        );
        assert_eq!(problems, expected);
    }
}

#[test]
fn the_list_is_saved_where_a_layer_says_so_and_a_higher_layer_can_turn_it_off() {
    let dir = Dir::new();
    let path = dir.write("[client]\nsaved = 'here.saved'\n");
    let file = ["--config", path.to_str().unwrap()];
    let beside = path.with_file_name("here.saved");
    let by_flag = [&file[..], &["--saved", "/flag"]].concat();
    let off = [&file[..], &["--saved", "off"]].concat();
    let cases: [(Variables<'_>, &[&str], Option<PathBuf>); 6] = [
        (&[], &[], None),
        (&[], &file, Some(beside)),
        (&[("DAYTIME_SAVED", "env")], &file, Some("env".into())),
        (&[("DAYTIME_SAVED", "off")], &file, None),
        (&[("DAYTIME_SAVED", "env")], &by_flag, Some("/flag".into())),
        (&[], &off, None),
    ];
    for (variables, arguments, expected) in cases {
        assert_eq!(
            client(variables, arguments).unwrap().client.saved,
            expected,
            "{variables:?} {arguments:?}"
        );
    }
    for wrong in ["''", "7", "[]"] {
        let path = dir.write(format!("[client]\nsaved = {wrong}\n"));
        let problems = client(&[], &["--config", path.to_str().unwrap()]).unwrap_err().to_string();
        assert!(problems.contains(":2:9: client.saved: expected the path of a file"), "{problems}");
    }
}

#[test]
fn the_server_version_is_detected_unless_the_file_sets_it() {
    let dir = Dir::new();
    let with = |version: &str| {
        let path = dir.write(format!("[zookeeper]\nserver_version = '{version}'\n"));
        client(&[], &["--config", path.to_str().unwrap()])
    };
    let by_default = zk_core::ZkConfig::new("127.0.0.1:2181").unwrap();
    let (auto, old) = (zk_core::ServerVersion::Detect, zk_core::ServerVersion::Before3_6);
    assert_eq!(client(&[], &[]).unwrap().zookeeper, by_default.clone().with_server_version(auto));
    assert_eq!(with("auto").unwrap().zookeeper, by_default.clone().with_server_version(auto));
    assert_eq!(with("before-3.6").unwrap().zookeeper, by_default.with_server_version(old));
    let problems = with("3.5").unwrap_err().to_string();
    let expected = r#":2:18: zookeeper.server_version: expected "auto" or "before-3.6", found "3.5""#;
    assert!(problems.ends_with(expected), "{problems}");
}

#[test]
fn records_are_read_where_the_file_or_a_variable_says_so() {
    let dir = Dir::new();
    let path = dir.write("[discovery]\nrecords = true\n");
    let file = ["--config", path.to_str().unwrap()];
    let names = discovery::DiscoveryConfig::new("/go_servers".parse().unwrap());
    let read = names.clone().with_records(discovery::Records::Read);
    let cases: [(Variables<'_>, &[&str], _); 4] = [
        (&[], &[], &names),
        (&[], &file, &read),
        (&[("DAYTIME_RECORDS", "true")], &[], &read),
        (&[("DAYTIME_RECORDS", "false")], &file, &names),
    ];
    for (variables, arguments, expected) in cases {
        assert_eq!(client(variables, arguments).unwrap().discovery, *expected, "{variables:?} {arguments:?}");
    }
    let problems = client(&[("DAYTIME_RECORDS", "yes")], &[]).unwrap_err().to_string();
    assert_eq!(problems, r#"DAYTIME_RECORDS: discovery.records: expected true or false, found "yes""#);
}

#[test]
fn udp_is_off_until_a_layer_turns_it_on() {
    let dir = Dir::new();
    let path = dir.write("[server]\nudp = true\n");
    let file = ["--config", path.to_str().unwrap()];
    let udp = |variables, arguments: &[&str]| server(variables, arguments).unwrap().server.udp;
    assert!(!udp(&[], &[]));
    assert!(udp(&[], &file));
    assert!(!udp(&[("DAYTIME_UDP", "false")], &file));
    assert!(udp(&[("DAYTIME_UDP", "true")], &[]));
    assert!(udp(&[("DAYTIME_UDP", "false")], &["--udp"]));
    let problems = server(&[("DAYTIME_UDP", "yes")], &[]).unwrap_err().to_string();
    assert_eq!(problems, r#"DAYTIME_UDP: server.udp: expected true or false, found "yes""#);
}

#[test]
fn each_layer_of_the_server_beats_the_one_below() {
    let dir = Dir::new();
    let path = dir.write(FILE);
    let file = ["--config", path.to_str().unwrap()];
    let variables = [
        ("DAYTIME_ZOOKEEPER", "environment1,environment2/env"),
        ("DAYTIME_ROOT", "/environment"),
        ("DAYTIME_SESSION_TIMEOUT", "12s"),
        ("DAYTIME_HOST", "127.0.0.12"),
        ("DAYTIME_PORTS", "12, 13"),
        ("DAYTIME_ADVERTISE", "environment"),
    ];
    let flags = [
        &file[..],
        &[
            "--zookeeper",
            "flag:13/flag",
            "--root",
            "/flag",
            "--session-timeout",
            "13s",
            "--host",
            "127.0.0.13",
        ],
        &["--port", "14", "--port", "15,16", "--advertise", "flag"],
    ]
    .concat();
    let view = |config: ServerConfig| {
        let hosts: Vec<String> = config.zookeeper.hosts().iter().map(ToString::to_string).collect();
        format!(
            "{} {} {} {:?} {} {:?} {}",
            hosts.join(","),
            config.zookeeper.chroot(),
            config.registry.root(),
            config.zookeeper.session_timeout(),
            config.server.host,
            config.server.ports,
            config.server.advertise,
        )
    };
    let by_default = view(server(&[], &[]).unwrap());
    assert_eq!(by_default, "127.0.0.1:2181 / /go_servers 10s 127.0.0.1 [8897, 8898, 8899] route");
    let by_file = view(server(&[], &file).unwrap());
    assert_eq!(by_file, "file:2181 / /file 11s 127.0.0.11 [11] host:file");
    let by_environment = view(server(&variables, &file).unwrap());
    let expected =
        "environment1:2181,environment2:2181 /env /environment 12s 127.0.0.12 [12, 13] host:environment";
    assert_eq!(by_environment, expected);
    let by_flag = view(server(&variables, &flags).unwrap());
    assert_eq!(by_flag, "flag:13 /flag /flag 13s 127.0.0.13 [14, 15, 16] host:flag");
}

#[test]
fn each_layer_of_the_client_beats_the_one_below() {
    let dir = Dir::new();
    let path = dir.write(FILE);
    let file = ["--config", path.to_str().unwrap()];
    let variables = [
        ("DAYTIME_ROUNDS", "12"),
        ("DAYTIME_INTERVAL", "12ms"),
        ("DAYTIME_STRATEGY", "random"),
        ("DAYTIME_HASH_KEY", "env"),
        ("DAYTIME_ZONE", "env"),
        ("DAYTIME_LABELS", "version=12,track=env"),
        ("DAYTIME_SUBSET", "12"),
        ("DAYTIME_HEDGE", "12ms"),
        ("DAYTIME_TIMEOUT", "12s"),
        ("DAYTIME_WAIT", "12s"),
    ];
    let flags = [
        &file[..],
        &[
            "--rounds",
            "13",
            "--interval",
            "13ms",
            "--strategy",
            "round-robin",
            "--hash-key",
            "flag",
            "--zone",
            "flag",
            "--label",
            "version=13",
            "--label",
            "a=b,c=d",
            "--subset",
            "13",
            "--hedge",
            "13ms",
            "--timeout",
            "13s",
            "--wait",
            "13s",
        ],
    ]
    .concat();
    let view = |config: ClientConfig| {
        let client = config.client;
        (
            client.rounds,
            client.interval.as_millis(),
            client.strategy,
            client.timeout.as_secs(),
            client.wait.as_secs(),
        )
    };
    assert_eq!(view(client(&[], &[]).unwrap()), (100, 1000, Strategy::Random, 5, 60));
    assert_eq!(view(client(&[], &file).unwrap()), (11, 11, Strategy::RoundRobin, 11, 11));
    assert_eq!(view(client(&variables, &file).unwrap()), (12, 12, Strategy::Random, 12, 12));
    assert_eq!(view(client(&variables, &flags).unwrap()), (13, 13, Strategy::RoundRobin, 13, 13));

    let choice = |config: ClientConfig| {
        let client = config.client;
        let labels: Vec<_> = client.labels.iter().map(|(tag, value)| format!("{tag}={value}")).collect();
        let hedge = client.hedge.map(|time| time.as_millis());
        format!("{:?} {:?} {labels:?} {} {hedge:?}", client.hash_key, client.zone, client.subset)
    };
    assert_eq!(choice(client(&[], &[]).unwrap()), "None None [] 0 None");
    let by_file = choice(client(&[], &file).unwrap());
    assert_eq!(by_file, r#"Some("file") Some("file") ["version=11"] 11 Some(11)"#);
    let by_environment = choice(client(&variables, &file).unwrap());
    assert_eq!(by_environment, r#"Some("env") Some("env") ["version=12", "track=env"] 12 Some(12)"#);
    let by_flag = choice(client(&variables, &flags).unwrap());
    assert_eq!(by_flag, r#"Some("flag") Some("flag") ["version=13", "a=b", "c=d"] 13 Some(13)"#);
}

#[test]
fn records_are_read_where_the_choice_of_a_server_needs_them_and_only_there() {
    let names = discovery::DiscoveryConfig::new("/go_servers".parse().unwrap());
    let records = names.clone().with_records(discovery::Records::Read);
    let reads = |arguments: &[&str]| {
        let found = client(&[], arguments).unwrap().discovery;
        assert!(found == names || found == records);
        found == records
    };
    for strategy in Strategy::ALL {
        assert_eq!(reads(&["--strategy", strategy.name()]), strategy == Strategy::Weighted, "{strategy}");
    }
    assert!(reads(&["--zone", "a"]) && reads(&["--label", "version=2"]));
    assert!(!reads(&["--subset", "7", "--hash-key", "a", "--hedge", "1s"]));
}

#[test]
fn the_flag_for_the_file_beats_the_variable() {
    let dir = Dir::new();
    let path = dir.write(FILE);
    let path = path.to_str().unwrap();
    assert_eq!(client(&[("DAYTIME_CONFIG", path)], &[]).unwrap().client.rounds, 11);
    assert!(client(&[("DAYTIME_CONFIG", "/none")], &[]).is_err());
    assert!(client(&[("DAYTIME_CONFIG", "/none")], &["--config", path]).is_ok());
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let variables = [
        ("DAYTIME_CONFIG", ""),
        ("DAYTIME_ZOOKEEPER", ""),
        ("DAYTIME_ROOT", ""),
        ("DAYTIME_PORTS", ""),
        ("DAYTIME_ADVERTISE", ""),
    ];
    assert_eq!(server(&variables, &[]), server(&[], &[]));
}

#[test]
fn flags_may_stand_before_and_after_a_subcommand() {
    for arguments in [["--rounds", "7", "--root", "/x", "list"], ["list", "--rounds", "7", "--root", "/x"]] {
        let config = client(&[], &arguments).unwrap();
        assert_eq!((config.client.rounds, config.discovery.root().as_str()), (7, "/x"));
    }
}

#[test]
fn mistakes_of_variables_and_of_the_file_are_reported_at_once() {
    let dir = Dir::new();
    let path = dir.write("[client]\nrounds = 0\n");
    let variables = [
        ("DAYTIME_CONFIG", path.to_str().unwrap()),
        ("DAYTIME_ROOT", "x"),
        ("DAYTIME_ROUNDS", "-1"),
        ("DAYTIME_WAIT", "60"),
        ("DAYTIME_PORTS", "the client does not read it"),
    ];
    let problems = client(&variables, &[]).unwrap_err();
    let shown = problems.to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 4, "{shown}");
    assert!(lines[0].contains(":2:10: client.rounds: expected an integer of at least 1, found 0"), "{shown}");
    assert!(lines[1].starts_with("DAYTIME_ROOT: zookeeper.root: expected a znode path"), "{shown}");
    assert_eq!(lines[2], "DAYTIME_ROUNDS: client.rounds: expected an integer of at least 1, found -1");
    assert!(lines[3].starts_with("DAYTIME_WAIT: client.wait: expected a duration such as"), "{shown}");
}

#[test]
fn a_variable_with_bad_ports_names_the_bad_one() {
    for (value, part) in [
        ("8897,", "found \"\""),
        ("8897,99999", "found 99999"),
        ("1,2,1", "found 1 twice"),
        ("http", "found \"http\""),
    ] {
        let problems = server(&[("DAYTIME_PORTS", value)], &[]).unwrap_err();
        assert_eq!(problems.listed()[0].place(), &Place::Environment { name: "DAYTIME_PORTS" });
        assert!(problems.to_string().contains(part), "{problems}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"/\xff");
    let environment = Environment::from_iter([("DAYTIME_ROOT", value)]);
    let problems = load_client_in(&environment, &ZookeeperFlags::default(), &ClientFlags::default());
    assert_eq!(problems.unwrap_err().to_string(), "DAYTIME_ROOT: zookeeper.root: expected UTF-8");
}

#[test]
fn a_shorter_request_shortens_its_attempts() {
    let dir = Dir::new();
    let path = dir.write("[client]\nattempt_timeout = '2s'\n");
    let file = ["--config", path.to_str().unwrap()];
    let timeouts = |config: ClientConfig| {
        let client = config.client;
        [client.timeout, client.attempt_timeout, client.connect_timeout].map(|timeout| timeout.as_millis())
    };
    let by_variable = client(&[("DAYTIME_TIMEOUT", "1500ms")], &file).unwrap();
    assert_eq!(timeouts(by_variable), [1500, 1500, 300]);
    let by_flag = client(&[("DAYTIME_TIMEOUT", "1h")], &[&file[..], &["--timeout", "200ms"]].concat());
    assert_eq!(timeouts(by_flag.unwrap()), [200, 200, 200]);
}

#[test]
fn a_request_that_is_too_short_for_a_hedge_of_a_lower_layer_has_none() {
    let dir = Dir::new();
    let path = dir.write("[client]\nhedge = '400ms'\n");
    let file = ["--config", path.to_str().unwrap()];
    let hedge = |variables: &[(&str, &str)], flags: &[&str]| {
        client(variables, &[&file[..], flags].concat()).map(|config| config.client.hedge)
    };
    let ms = |ms: u64| Some(Duration::from_millis(ms));
    assert_eq!(hedge(&[], &[]).unwrap(), ms(400));
    assert_eq!(hedge(&[], &["--timeout", "400ms"]).unwrap(), ms(400));
    assert_eq!(hedge(&[], &["--timeout", "399ms"]).unwrap(), None);
    assert_eq!(hedge(&[("DAYTIME_TIMEOUT", "200ms")], &[]).unwrap(), None);
    assert_eq!(hedge(&[("DAYTIME_HEDGE", "300ms")], &["--timeout", "200ms"]).unwrap(), None);
    let asked = hedge(&[], &["--timeout", "200ms", "--hedge", "300ms"]).unwrap_err().to_string();
    assert_eq!(
        asked,
        "--hedge: client.hedge: expected at most client.attempt_timeout (200ms, --timeout), found 300ms"
    );
    let asked = hedge(&[("DAYTIME_TIMEOUT", "200ms")], &["--hedge", "1s"]).unwrap_err().to_string();
    assert!(asked.contains("client.attempt_timeout (200ms, DAYTIME_TIMEOUT), found 1s"), "{asked}");
}

#[test]
fn hosts_of_a_higher_layer_disable_the_embedded_zookeeper_unless_a_higher_layer_enables_it() {
    let dir = Dir::new();
    let path = dir.write("[zookeeper]\nembedded = true\n");
    let file = ["--config", path.to_str().unwrap()];
    let embedded = |variables: &[(&str, &str)], flags: &[&str]| {
        server(variables, &[&file[..], flags].concat()).unwrap().embedded
    };
    assert!(embedded(&[], &[]));
    assert!(!embedded(&[], &["--zookeeper", "zk1"]));
    assert!(!embedded(&[("DAYTIME_ZOOKEEPER", "zk1")], &[]));
    assert!(embedded(&[], &["--zookeeper", "zk1", "--embedded"]));
    assert!(embedded(&[("DAYTIME_ZOOKEEPER", "zk1"), ("DAYTIME_EMBEDDED", "true")], &[]));
    assert!(!embedded(&[("DAYTIME_EMBEDDED", "false")], &[]));
    let problems = server(&[("DAYTIME_EMBEDDED", "yes")], &[]).unwrap_err();
    assert!(problems.to_string().contains("DAYTIME_EMBEDDED: zookeeper.embedded: expected true or false"));
}

#[test]
fn a_mistake_in_a_flag_names_the_flag() {
    let ports = server(&[], &["--port", "1,1"]).unwrap_err();
    assert_eq!(ports.to_string(), "--port: server.ports: expected different ports, found 1 twice");
}

#[test]
fn a_flag_can_repair_a_relation_but_the_file_is_still_checked() {
    let dir = Dir::new();
    let relation = dir.write("[client]\ntimeout = '500ms'\n");
    let fixed = client(&[], &["--config", relation.to_str().unwrap(), "--timeout", "3s"]).unwrap();
    assert_eq!(fixed.client.timeout, Duration::from_secs(3));
    let wrong = dir.write("[client]\ntimeout = 500\n");
    assert!(client(&[], &["--config", wrong.to_str().unwrap(), "--timeout", "3s"]).is_err());
}

#[test]
fn the_values_of_flags_are_checked_when_they_are_parsed() {
    let cases = [
        ("--root", "/", "the top of the tree"),
        ("--zookeeper", "zk1,,zk2", "empty"),
        ("--session-timeout", "10", "expected a duration such as \"250ms\" or \"10s\", found \"10\""),
        ("--rounds", "0", "expected an integer of at least 1, found 0"),
        ("--interval", "2h", "expected a duration from 0s to 1h"),
        ("--strategy", "best", "expected one of: random, round-robin, weighted"),
        ("--timeout", "1ms", "expected a duration from 10ms to 1h"),
        ("--wait", "x", "expected a duration"),
    ];
    for (flag, value, part) in cases {
        let error = Cli::try_parse_from(["client", flag, value]).unwrap_err();
        assert_eq!(error.exit_code(), i32::from(Problems::EXIT_CODE));
        assert!(error.to_string().contains(part) && error.to_string().contains(flag), "{error}");
    }
    let cases = [
        ("--host", "localhost", "expected an IP address to listen on"),
        ("--port", "0", "expected an integer from 1 to 65535, found 0"),
        ("--advertise", "0.0.0.0", "expected an address that clients can call"),
    ];
    for (flag, value, part) in cases {
        let error = Cli::try_parse_from(["server", flag, value]).unwrap_err();
        assert!(error.to_string().contains(part) && error.to_string().contains(flag), "{error}");
    }
}

#[test]
fn flags_that_were_not_parsed_are_checked_by_the_loader() {
    let flags = ClientFlags { rounds: Some(0), wait: Some(Duration::MAX), ..ClientFlags::default() };
    let problems = load_client_in(&Environment::default(), &ZookeeperFlags::default(), &flags).unwrap_err();
    assert_eq!(problems.listed().len(), 2, "{problems}");
}

#[test]
fn the_help_names_the_variable_and_the_default_of_every_flag_within_80_columns() {
    let command = Cli::command();
    command.clone().debug_assert();
    for argument in command.get_arguments() {
        let Some(long) = argument.get_long() else { continue };
        let variable = format!("[env: DAYTIME_{}", long.replace('-', "_").to_uppercase());
        let help = argument.get_help().unwrap().to_string();
        assert!(help.contains(&variable) && help.contains("[default: "), "--{long}: {help}");
        // 80 columns, less the indentation: no line has to wrap.
        assert!(help.lines().all(|line| line.len() <= 70), "--{long}: {help}");
    }
}

// === The real environment ===

/// Runs the example with these `DAYTIME_` variables and no others.
fn show(directory: &std::path::Path, variables: Variables<'_>, arguments: &[&str]) -> Output {
    let mut command = Command::new(example());
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"DAYTIME_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(directory)
        .envs(variables.iter().copied())
        .args(arguments)
        .output()
        .expect("the example is built")
}

/// `cargo test` builds the examples of a crate along with its tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let target = test.parent().and_then(|deps| deps.parent()).expect("tests are built in target/*/deps");
    target.join("examples").join(format!("show{}", std::env::consts::EXE_SUFFIX))
}

#[test]
fn a_process_reads_its_environment_and_the_file_in_its_directory() {
    let dir = Dir::new();
    let text = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();

    let bare = show(dir.path(), &[], &["client"]);
    assert!(text(&bare).starts_with(&format!("# {}\n", Source::Defaults)), "{bare:?}");
    assert!(text(&bare).contains("rounds: 100"), "{bare:?}");

    std::fs::create_dir(dir.path().join("config")).unwrap();
    std::fs::write(dir.path().join("config/daytime.toml"), FILE).unwrap();
    let file = show(dir.path(), &[], &["client"]);
    assert!(text(&file).starts_with("# config/daytime.toml\n"), "{file:?}");
    assert!(text(&file).contains("rounds: 11"), "{file:?}");

    let variable = show(dir.path(), &[("DAYTIME_ROUNDS", "12")], &["client"]);
    assert!(text(&variable).contains("rounds: 12"), "{variable:?}");
    let flag = show(dir.path(), &[("DAYTIME_ROUNDS", "12")], &["client", "--rounds", "13"]);
    assert!(text(&flag).contains("rounds: 13"), "{flag:?}");

    let wrong = show(dir.path(), &[("DAYTIME_ROUNDS", "many")], &["client"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert!(text(&wrong).is_empty() && wrong.stderr.starts_with(b"DAYTIME_ROUNDS: "), "{wrong:?}");
    let usage = show(dir.path(), &[], &["client", "--rounds", "many"]);
    assert_eq!(usage.status.code(), Some(2), "{usage:?}");

    // In the place of a command.
    let stray = show(dir.path(), &[], &["joe:hunter2@zk1:2181"]);
    let said = String::from_utf8_lossy(&stray.stderr).into_owned();
    assert_eq!(stray.status.code(), Some(2), "{stray:?}");
    assert!(said.contains("***@zk1:2181") && !said.contains("hunter2"), "{said}");
}
