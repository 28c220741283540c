//! `[zookeeper.auth]`, `[zookeeper.tls]` and `registry.acl`: valid and refused settings; and that no secret is shown.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use clap::Parser;
use common::{Cli, Dir, client_problems, load_client, load_server, server_problems};
use daytime_config::{ClientFlags, Environment, Loaded, Problems, ServerConfig, ServerFlags, ZookeeperFlags};
use zk_core::{Acl, Auth};

const SECRET: &str = "hunter2";

fn with_variable(path: &Path, password: &str) -> Result<Loaded<ServerConfig>, Problems> {
    let environment: Environment = [("DAYTIME_ZOOKEEPER_PASSWORD", password)].into_iter().collect();
    assert!(!format!("{environment:?}").contains(password), "the environment shows its values");
    let zookeeper = ZookeeperFlags { config: Some(path.to_owned()), ..ZookeeperFlags::default() };
    daytime_config::load_server_in(&environment, &zookeeper, &ServerFlags::default())
}

/// Writes a file that only its owner can read.
fn secret_file(dir: &Dir, name: &str, content: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The default configuration of the link, with this authentication.
fn expected(auth: Auth) -> zk_core::ZkConfig {
    zk_core::ZkConfig::new("127.0.0.1:2181").unwrap().with_auth(auth)
}

const DIGEST: &str = "[zookeeper.auth]\nscheme = 'digest'\nuser = 'joe'\n";

#[test]
fn a_password_comes_from_the_variable_or_else_from_its_file() {
    let dir = Dir::new();
    let path = dir.write(format!("{DIGEST}password_file = 'pw'\n[registry]\nacl = 'creator'\n"));
    for content in ["from file\n", "from file\r\n", "from file"] {
        secret_file(&dir, "pw", content);
        let loaded = load_server(&path).unwrap();
        assert_eq!(
            loaded.config.zookeeper,
            expected(Auth::digest("joe", "from file").unwrap()),
            "{content:?}"
        );
        assert_eq!(loaded.config.registry, registry(Acl::Creator));
        assert_eq!(loaded.warnings, []);
        assert_eq!(load_client(&path).unwrap().config.zookeeper, loaded.config.zookeeper);
    }
    // The file need not even be there.
    std::fs::remove_file(dir.path().join("pw")).unwrap();
    let loaded = with_variable(&path, SECRET).unwrap();
    assert_eq!(loaded.config.zookeeper, expected(Auth::digest("joe", SECRET).unwrap()));
    assert!(!format!("{loaded:?}").contains(SECRET));
}

fn registry(acl: Acl) -> registry::RegistrarConfig {
    registry::RegistrarConfig::new("/go_servers".parse().unwrap()).with_acl(acl)
}

#[test]
fn without_the_sections_the_client_does_not_authenticate_and_the_acl_is_open() {
    let dir = Dir::new();
    let loaded = load_server(&dir.write("")).unwrap();
    assert_eq!(loaded.config.zookeeper, zk_core::ZkConfig::new("127.0.0.1:2181").unwrap());
    assert_eq!(loaded.config.registry, registry(Acl::Open));
}

#[test]
fn a_password_in_the_file_is_refused_with_the_reason_and_not_shown() {
    let dir = Dir::new();
    let path = dir.write(format!("{DIGEST}password = '{SECRET}'\n"));
    let problems = client_problems(&path).to_string();
    let expected = format!(
        "{}:4:12: zookeeper.auth.password: a password does not belong in this file, which is copied, shown and \
         committed; set the variable DAYTIME_ZOOKEEPER_PASSWORD, or name a file of its own with password_file",
        path.display()
    );
    assert_eq!(problems, expected);
    for invalid in [
        format!("[zookeeper.auth]\npassword = ['{SECRET}']"),
        format!("[zookeeper.auth]\npassword = {SECRET}"),
        format!("[zookeeper.auth]\npassword = \"{SECRET}"),
        format!("[zookeeper.auth]\npassword = '{SECRET} '{SECRET}'"),
        format!("[zookeeper.auth]\npassword = \"\\{SECRET}\""),
        format!("[zookeeper.auth]\npassword {SECRET}"),
        format!("[zookeeper.auth]\npassword: {SECRET}"),
        format!("[zookeeper.auth]\npassword = {{ value = '{SECRET}' }}"),
        format!("[zookeeper.auth]\npassword = '{SECRET}'\npassword = '{SECRET}'"),
        format!("[zookeeper.auth]\npasswort = '{SECRET}'"),
        format!("[zookeeper.auth]\nscheme = 'digest:joe:{SECRET}'"),
        format!("[zookeeper.auth]\nscheme = ['{SECRET}']"),
        format!("[zookeeper.auth]\nscheme = 'digest'\nuser = ['joe', '{SECRET}']"),
        format!("[zookeeper.auth]\nscheme = 'digest'\nuser = 'joe'\npassword_file = '{SECRET}'\nx = 1"),
        format!("[zookeeper.auth]\nscheme = 'digest'\nuser = 'joe'\npassword_file = ['{SECRET}']"),
        format!("[zookeeper.auth.password]\nvalue = '{SECRET}'"),
        format!("[zookeeper]\npassword = '{SECRET}'"),
        format!("[zookeeper]\nauth = 'digest:joe:{SECRET}'"),
        format!("[zookeeper]\nauth.password = '{SECRET}'"),
        format!("[zookeeper]\nhosts = ['joe:{SECRET}@zk1:2181']"),
        format!("[zookeeper]\nhosts = ['zk1', 'joe:{SECRET}@zk2:2181/app']"),
        format!("[zookeeper]\nhosts = ['digest:joe:{SECRET}']"),
        format!("[zookeeper]\nhosts = ['joe:{SECRET},zk1']"),
        format!("[zookeeper]\nhosts = ['joe:{SECRET}/app', 'zk1']"),
        format!("[zookeeper]\nhosts = 'joe:{SECRET}@zk1:2181'"),
        format!("[zookeeper]\nroot = 'joe:{SECRET}@zk1:2181/app'"),
        format!("[server]\nadvertise = 'joe:{SECRET}@host'"),
        format!("[server]\nadvertise = 'network:joe:{SECRET}@host'"),
        format!("[metrics]\nlisten = 'joe:{SECRET}@127.0.0.1:1'"),
        format!("joe:{SECRET}@zk1 = 1"),
        format!("[zookeeper.auth]\nscheme = 'digest'\nuser = 'joe:{SECRET}'"),
    ] {
        let problems = server_problems(&dir.write(&invalid));
        assert!(!problems.to_string().contains(SECRET), "{invalid}\n{problems}");
        // Also where the variable has a password.
        let problems = with_variable(&dir.write(&invalid), "another").expect_err("the file is wrong");
        assert!(!problems.to_string().contains(SECRET), "{invalid}\n{problems}");
    }
}

/// Terminals, supervisors and logs show and keep command lines and variables.
#[test]
fn a_possible_password_in_a_flag_or_a_variable_is_not_shown() {
    let secrets = [
        format!("joe:{SECRET}@zk1:2181"),
        format!("joe:hun/{SECRET}@zk1:2181"),
        format!("zk1,joe:{SECRET}@zk2/app"),
        format!("http://joe:{SECRET}@zk1"),
        format!("{SECRET}@zk1 "),
    ];
    let flags = [
        ("--zookeeper", "DAYTIME_ZOOKEEPER"),
        ("--root", "DAYTIME_ROOT"),
        ("--metrics", "DAYTIME_METRICS"),
        ("--host", "DAYTIME_HOST"),
        ("--advertise", "DAYTIME_ADVERTISE"),
        ("--port", "DAYTIME_PORTS"),
        ("--session-timeout", "DAYTIME_SESSION_TIMEOUT"),
    ];
    for secret in &secrets {
        for (flag, variable) in flags {
            let environment: Environment = [(variable, secret)].into_iter().collect();
            let (zookeeper, server) = (ZookeeperFlags::default(), ServerFlags::default());
            let said =
                daytime_config::load_server_in(&environment, &zookeeper, &server).unwrap_err().to_string();
            assert!(said.starts_with(variable) && !said.contains(SECRET), "{variable}={secret}: {said}");
            let said = match Cli::try_parse_from(["x", flag, secret]) {
                Err(error) => error.to_string(),
                Ok(cli) => {
                    let none = Environment::default();
                    daytime_config::load_server_in(&none, &cli.zookeeper, &cli.server)
                        .unwrap_err()
                        .to_string()
                }
            };
            assert!(said.contains(flag) && !said.contains(SECRET), "{flag} {secret}: {said}");
        }
    }
    // Without an @, only a list of hosts may contain a password.
    for secret in [format!("digest:joe:{SECRET}"), format!("joe:{SECRET}"), format!("zk1,joe:{SECRET}/app")] {
        let environment: Environment = [("DAYTIME_ZOOKEEPER", &secret)].into_iter().collect();
        let (zookeeper, server) = (ZookeeperFlags::default(), ServerFlags::default());
        let said = daytime_config::load_server_in(&environment, &zookeeper, &server).unwrap_err().to_string();
        assert!(!said.contains(SECRET), "{secret}: {said}");
        let said = Cli::try_parse_from(["x", "--zookeeper", &secret]).unwrap_err().to_string();
        assert!(said.contains("--zookeeper") && !said.contains(SECRET), "{secret}: {said}");
    }
}

#[test]
fn a_password_is_one_line_wherever_it_comes_from() {
    let dir = Dir::new();
    let path = dir.write(format!("{DIGEST}password_file = 'pw'\n"));
    for text in ["hunter2", "hunter2\n", "hunter2\r\n", " hunter2 ", "hun\nter2", "hunter2\n\n", "\n"] {
        secret_file(&dir, "pw", text);
        let by_file = load_server(&path).map(|loaded| loaded.config);
        let by_variable = with_variable(&path, text).map(|loaded| loaded.config);
        assert_eq!(by_file.as_ref().ok(), by_variable.as_ref().ok(), "{text:?}");
        for problems in [by_file, by_variable].into_iter().filter_map(Result::err) {
            assert!(!problems.to_string().contains("hun"), "{problems}");
        }
    }
}

/// The problems of a file, without its path.
fn said(dir: &Dir, text: &str) -> Vec<String> {
    let path = dir.write(text);
    let folder = dir.path().display().to_string();
    let problems = server_problems(&path);
    let lines = problems.to_string().replace(&format!("{folder}/"), "");
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn missing_and_contradictory_settings_are_reported_with_their_lines() {
    let dir = Dir::new();
    secret_file(&dir, "empty", "\n");
    secret_file(&dir, "two", "one\ntwo\n");
    std::fs::write(dir.path().join("binary"), [0xff, 0xfe, 0xfd]).unwrap();
    let cases = [
        (
            "[zookeeper.auth]\n",
            vec![
                "daytime.toml:1:12: zookeeper.auth: expected a password in the variable DAYTIME_ZOOKEEPER_PASSWORD, or a password_file",
                r#"daytime.toml:1:12: zookeeper.auth.scheme: expected "digest" or "sasl", found nothing"#,
                "daytime.toml:1:12: zookeeper.auth.user: expected the name of a user, found nothing",
            ],
        ),
        (
            "[zookeeper.auth]\nscheme = 'plain'\nuser = ''\npassword_file = ''\n",
            vec![
                r#"daytime.toml:2:10: zookeeper.auth.scheme: expected "digest" or "sasl", found something else"#,
                "daytime.toml:4:17: zookeeper.auth.password_file: expected the path of a file, found an empty string",
            ],
        ),
        (
            "[zookeeper.auth]\nscheme = 'digest'\nuser = ''\npassword_file = 'two'\n",
            vec![
                "daytime.toml:4:17: zookeeper.auth.password_file: \"two\": expected a password on one line, found several lines",
            ],
        ),
        (
            "[zookeeper.auth]\nscheme = 'digest'\nuser = 'a'\npassword_file = 'empty'\n",
            vec![
                "daytime.toml:4:17: zookeeper.auth.password_file: \"empty\": expected a password, found nothing",
            ],
        ),
        (
            "[zookeeper.auth]\nscheme = 'digest'\nuser = 'a'\npassword_file = 'no/such'\n",
            vec![
                "daytime.toml:4:17: zookeeper.auth.password_file: no such file, relative to the folder of this one; \
                 the name is not shown, as it may be the password itself",
            ],
        ),
        (
            "[registry]\nacl = 'creator'\n",
            vec![
                "daytime.toml:2:7: registry.acl: \"creator\" is for a client that authenticates: expected a section [zookeeper.auth]",
            ],
        ),
        (
            "[registry]\nacl = 'closed'\n",
            vec![r#"daytime.toml:2:7: registry.acl: expected "open" or "creator", found "closed""#],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(said(&dir, text), expected, "{text}");
    }
    let directory = said(&dir, &format!("{DIGEST}password_file = '.'\n"));
    assert!(directory[0].ends_with("expected a file, found a directory"), "{directory:?}");
    for user in ["", "a:b"] {
        let path = dir.write(format!("[zookeeper.auth]\nscheme = 'digest'\nuser = '{user}'\n"));
        let problems = with_variable(&path, SECRET).expect_err("no such user").to_string();
        assert!(
            problems.contains("daytime.toml:1:12: zookeeper.auth: authentication: the user "),
            "{problems}"
        );
    }
    let problems = with_variable(&dir.write(""), SECRET).expect_err("a password without a user").to_string();
    assert_eq!(
        problems,
        "DAYTIME_ZOOKEEPER_PASSWORD: zookeeper.auth: expected a section [zookeeper.auth] in the file, with scheme \
         and user for the password"
    );
}

#[test]
fn a_secret_that_other_users_can_read_causes_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    secret_file(&dir, "pw", SECRET);
    let path = dir.write(format!("{DIGEST}password_file = 'pw'\n"));
    std::fs::set_permissions(dir.path().join("pw"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let loaded = load_client(&path).unwrap();
    let [warning] = &loaded.warnings[..] else { panic!("{:?}", loaded.warnings) };
    let text = warning.to_string().replace(&format!("{}/", dir.path().display()), "");
    assert_eq!(
        text,
        "daytime.toml:4:17: zookeeper.auth.password_file: \"pw\": other users have access to this secret \
         (mode 640); run chmod 600"
    );
    // The variable replaces the file, so the file is not checked.
    assert_eq!(with_variable(&path, SECRET).unwrap().warnings, []);
}

#[test]
#[cfg(not(feature = "sasl"))]
fn without_the_cargo_feature_sasl_is_refused() {
    let dir = Dir::new();
    let path = dir.write("[zookeeper.auth]\nscheme = 'sasl'\nuser = 'joe'\n");
    let problems = with_variable(&path, SECRET).expect_err("no SASL").to_string();
    assert!(
        problems.ends_with(":2:10: zookeeper.auth.scheme: this build has no SASL (cargo feature `sasl`)"),
        "{problems}"
    );
}

#[test]
#[cfg(feature = "sasl")]
fn sasl_takes_the_same_user_and_password() {
    let dir = Dir::new();
    let path = dir.write("[zookeeper.auth]\nscheme = 'sasl'\nuser = 'joe'\n[registry]\nacl = 'creator'\n");
    let loaded = with_variable(&path, SECRET).unwrap();
    let sasl = zk_core::Sasl::digest_md5("joe", SECRET).unwrap();
    assert_eq!(loaded.config.zookeeper, zk_core::ZkConfig::new("127.0.0.1:2181").unwrap().with_sasl(sasl));
    assert!(!format!("{loaded:?}").contains(SECRET));
}

/// The problems of `[zookeeper.tls]`, without the line about the missing cargo feature.
fn said_of_tls(dir: &Dir, text: &str) -> Vec<String> {
    let mut said = said(dir, text);
    let no_tls = "daytime.toml:1:12: zookeeper.tls: this build has no TLS (cargo feature `tls`)";
    assert_eq!(said.iter().any(|line| line == no_tls), cfg!(not(feature = "tls")), "{said:?}");
    said.retain(|line| line != no_tls);
    said
}

#[test]
fn the_files_of_tls_are_checked_in_every_build() {
    let dir = Dir::new();
    secret_file(&dir, "invalid.pem", "no certificate");
    let text = "[zookeeper.tls]\nca = 'invalid.pem'\ncertificate = 'c'\nkye = 'k'\n";
    assert_eq!(
        said_of_tls(&dir, text),
        [
            r#"daytime.toml:2:6: zookeeper.tls.ca: "invalid.pem": expected a PEM file, found no -----BEGIN in it"#,
            r#"daytime.toml:3:15: zookeeper.tls.certificate: "c": no such file"#,
            "daytime.toml:3:15: zookeeper.tls.certificate: expected zookeeper.tls.key, too: a certificate needs its key, and a key its certificate",
            "daytime.toml:4:1: zookeeper.tls.kye: unknown key; [zookeeper.tls] has ca, certificate, key",
        ]
    );
    let nothing =
        "daytime.toml:1:12: zookeeper.tls.ca: expected the path of a PEM file with the certificates to trust";
    assert_eq!(said_of_tls(&dir, "[zookeeper.tls]\n"), [nothing]);
}

#[test]
#[cfg(feature = "tls")]
fn a_pem_file_without_a_certificate_is_named() {
    let dir = Dir::new();
    secret_file(&dir, "ca.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
    let said = said(&dir, "[zookeeper.tls]\nca = 'ca.pem'\n");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with(r#"daytime.toml:2:6: zookeeper.tls.ca: "ca.pem": "#), "{said:?}");
}

#[test]
fn subsections_may_be_written_in_every_way_of_toml() {
    let dir = Dir::new();
    for text in [
        "[zookeeper]\nauth = { scheme = 'digest', user = 'joe' }\n",
        "[zookeeper]\nauth.scheme = 'digest'\nauth.user = 'joe'\n",
        "zookeeper.auth.scheme = 'digest'\nzookeeper.auth.user = 'joe'\n",
    ] {
        let loaded =
            with_variable(&dir.write(text), SECRET).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
        assert_eq!(loaded.config.zookeeper, expected(Auth::digest("joe", SECRET).unwrap()));
    }
    let quoted = client_problems(&dir.write("['zookeeper.auth']\nscheme = 'digest'\n")).to_string();
    assert!(quoted.contains("unknown section"), "{quoted}");
}

/// Every user of a machine can see command lines.
#[test]
fn no_flag_takes_a_password() {
    use clap::{Args, Command};
    let command = ClientFlags::augment_args(ZookeeperFlags::augment_args(Command::new("x")));
    let flags: Vec<_> = command.get_arguments().map(|flag| flag.get_id().to_string()).collect();
    assert!(flags.len() > 5 && !flags.iter().any(|flag| flag.contains("pass")), "{flags:?}");
}
