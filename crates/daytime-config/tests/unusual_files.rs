//! Missing files, files that are not regular, and files that are not text.

mod common;

use common::{Dir, client_problems, lines_and_keys, load_client};
use daytime_config::{ClientFlags, Environment, Place, Source, ZookeeperFlags, load_client_in};
use proptest::prelude::*;

#[track_caller]
fn refused_whole(path: &std::path::Path, part: &str) {
    let problems = client_problems(path);
    let [problem] = problems.listed() else { panic!("expected one problem: {problems}") };
    assert_eq!(problem.place(), &Place::File { path: path.to_owned() });
    assert!(problem.message().contains(part), "{problems}");
    assert!(problems.to_string().starts_with(&path.display().to_string()), "{problems}");
}

#[test]
fn a_missing_file_that_was_asked_for_is_refused() {
    let dir = Dir::new();
    refused_whole(&dir.path().join("none.toml"), "no such file; --config names it");
}

#[test]
fn a_missing_file_that_a_variable_names_is_refused() {
    let environment = Environment::from_iter([("DAYTIME_CONFIG", "/none/daytime.toml")]);
    let problems = load_client_in(&environment, &ZookeeperFlags::default(), &ClientFlags::default());
    let problems = problems.unwrap_err().to_string();
    assert_eq!(problems, "/none/daytime.toml: no such file; DAYTIME_CONFIG names it");
}

#[test]
fn a_directory_is_refused() {
    refused_whole(Dir::new().path(), "found a directory");
}

#[cfg(unix)]
#[test]
fn a_socket_or_a_device_is_refused_without_waiting() {
    let dir = Dir::new();
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    refused_whole(&socket, "expected a regular file");
    refused_whole("/dev/zero".as_ref(), "expected a regular file");
}

// Permissions do not stop the superuser, so this is a file that nobody can read from its start.
#[cfg(target_os = "linux")]
#[test]
fn an_unreadable_file_is_refused() {
    refused_whole("/proc/self/mem".as_ref(), "cannot be read");
}

#[cfg(unix)]
#[test]
fn a_file_below_a_file_is_refused() {
    let dir = Dir::new();
    let path = dir.write("").join("daytime.toml");
    refused_whole(&path, "cannot be read");
}

#[test]
fn a_file_over_one_mebibyte_is_refused_and_one_below_is_read() {
    let dir = Dir::new();
    refused_whole(&dir.write(vec![b'#'; 2 << 20]), "expected at most 1048576 bytes, found 2097152");
    refused_whole(&dir.write(vec![b'#'; (1 << 20) + 1]), "expected at most 1048576 bytes");
    assert!(load_client(&dir.write(vec![b'#'; 1 << 20])).is_ok());
}

#[test]
fn text_that_is_not_utf8_is_refused_at_the_first_bad_byte() {
    let dir = Dir::new();
    let problems = client_problems(&dir.write(b"[client]\n# caf\xe9\n"));
    assert_eq!(lines_and_keys(&problems), [(2, String::new())]);
    assert!(problems.to_string().contains(":2:6: expected UTF-8"), "{problems}");
    refused_whole(&dir.write(b"\xff\xfe[\0c\0"), "found UTF-16");
}

#[test]
fn an_empty_file_means_all_defaults() {
    let dir = Dir::new();
    let defaults =
        load_client_in(&Environment::default(), &ZookeeperFlags::default(), &ClientFlags::default());
    let defaults = defaults.unwrap();
    assert_eq!(defaults.source, Source::Defaults);
    for text in ["", "\n", "# nothing\n", "\u{feff}", "[client]\n[server]\n"] {
        let path = dir.write(text);
        let loaded = load_client(&path).unwrap();
        assert_eq!(loaded.config, defaults.config, "{text:?}");
        assert_eq!(loaded.source, Source::File(path));
    }
}

#[test]
fn a_bom_and_windows_line_ends_change_nothing() {
    let dir = Dir::new();
    let loaded = load_client(&dir.write("\u{feff}[client]\r\nrounds = 7\r\n")).unwrap();
    assert_eq!(loaded.config.client.rounds, 7);
    let problems = client_problems(&dir.write("\u{feff}[clint]\r\n[client]\r\nrounds = 0\r\n"));
    let text = problems.to_string();
    assert!(text.contains(":1:2: clint:") && text.contains(":3:10: client.rounds:"), "{text}");
}

#[test]
fn a_mebibyte_of_mistakes_is_a_hundred_lines_and_a_count() {
    let dir = Dir::new();
    let megabyte = |piece: &str| piece.repeat(((1 << 20) - 100) / piece.len());
    for text in [
        megabyte("x = 1\n"),
        megabyte("=\n"),
        megabyte("x\n"),
        megabyte("[client]\nrounds = 1\nrounds = 1\n"),
        format!("zookeeper.hosts = [{}]", megabyte("'',")),
        (0..50_000).map(|i| format!("[a{i}]\nx=1\nx=1\n")).collect::<String>(),
    ] {
        assert!(text.len() <= 1 << 20);
        let problems = client_problems(&dir.write(&text));
        assert_eq!(problems.listed().len(), 100, "{:?}", &text[..30]);
        let shown = problems.to_string();
        assert_eq!(shown.lines().last(), Some(format!("and {} more", problems.omitted()).as_str()));
        assert_eq!(shown.lines().count(), 101);
        assert!(problems.listed().iter().all(|problem| !problem.message().is_empty()));
    }
}

/// Pieces of valid files, and pieces that break them.
fn piece() -> impl Strategy<Value = String> {
    let known = [
        "[server]\n",
        "[client]\n",
        "[zookeeper]\n",
        "[[client]]\n",
        "server.",
        "client = ",
        "\"",
        "'''",
        "[",
        "]",
        "{",
        "}",
        ",",
        "=",
        " ",
        "\n",
        "\r\n",
        "#",
        "\u{feff}",
        "\u{0}",
        "ports = ",
        "hosts = ",
        "host = ",
        "timeout = ",
        "rounds = ",
        "'1s'",
        "\"zk1:2181/a\"",
        "8897",
        "-1",
        "1e400",
        "0x",
        "1979-05-27",
        "true",
        "\\u00",
        "é",
        "18446744073709551615s",
        "1000ms",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(String::from), 1 => ".{0,6}"]
}

proptest! {
    // A failure reports the text that caused it; nothing is stored on disk.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_each_problem_is_one_line(pieces in prop::collection::vec(piece(), 0..40)) {
        let dir = Dir::new();
        let text = pieces.concat();
        if let Err(problems) = load_client(&dir.write(&text)) {
            let lines = problems.listed().len();
            prop_assert!(lines > 0);
            prop_assert_eq!(problems.to_string().split('\n').count(), lines, "{}", problems);
        } else {
            // Our parser and the strict one agree on what is TOML.
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            prop_assert!(toml::from_str::<toml::Table>(text).is_ok());
        }
    }
}
