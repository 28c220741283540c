//! The files in `config/`.

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Dir, load_client, load_server};
use daytime_config::{
    ClientFlags, ClientSettings, Environment, ServerFlags, ServerSettings, ZookeeperFlags, load_client_in,
    load_server_in,
};
use discovery::MassDisappearance;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

#[test]
fn every_shipped_file_loads() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            count += 1;
            load_client(&path).unwrap_or_else(|problems| panic!("{problems}"));
            let zookeeper = ZookeeperFlags { config: Some(path), ..ZookeeperFlags::default() };
            let server =
                ServerFlags { advertise: Some("server1".parse().unwrap()), ..ServerFlags::default() };
            load_server_in(&Environment::default(), &zookeeper, &server)
                .unwrap_or_else(|problems| panic!("{problems}"));
        }
    }
    assert!(count >= 2, "config/ has daytime.toml and ensemble.toml");
}

#[test]
fn daytime_toml_spells_out_the_defaults() {
    let path = folder().join("daytime.toml");
    let (none, zookeeper) = (Environment::default(), ZookeeperFlags::default());
    let client = load_client_in(&none, &zookeeper, &ClientFlags::default()).unwrap();
    assert_eq!(load_client(&path).unwrap().config, client.config);
    assert_eq!(client.config.client, ClientSettings::default());
    let server = load_server_in(&none, &zookeeper, &ServerFlags::default()).unwrap();
    let mut shipped = load_server(&path).unwrap().config;
    // The one exception: the shipped file works on a machine without ZooKeeper.
    assert!(shipped.embedded && !server.config.embedded);
    shipped.embedded = false;
    assert_eq!(shipped, server.config);
    assert_eq!(server.config.server, ServerSettings::default());
}

#[test]
fn the_commented_settings_load_when_uncommented() {
    let dir = Dir::new();
    for name in ["daytime.toml", "ensemble.toml"] {
        std::fs::write(dir.path().join("zookeeper.password"), "secret\n").unwrap();
        let text = std::fs::read_to_string(folder().join(name)).unwrap();
        let mut count = 0;
        let uncommented: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(setting)
                    if [
                        "hold = ",
                        "advertise = ",
                        "listen = ",
                        "[zookeeper.auth]",
                        "scheme = ",
                        "user = ",
                        "password_file = ",
                    ]
                    .iter()
                    .any(|key| setting.starts_with(key)) =>
                {
                    count += 1;
                    format!("{setting}\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        assert!(count > 0, "{name}");
        let path = dir.write(uncommented);
        load_client(&path).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        load_server(&path).unwrap_or_else(|problems| panic!("{name}: {problems}"));
    }
}

#[test]
fn the_rule_of_mass_disappearances_is_read() {
    let dir = Dir::new();
    let path = dir.write("[discovery]\nhold_share = 0.7_5\nhold_number = 0x10\nhold_window = '2s'\n");
    let rule = MassDisappearance::default().with_share(0.75).unwrap().with_number(16).unwrap();
    let expected = discovery::DiscoveryConfig::new("/go_servers".parse().unwrap())
        .with_mass_disappearance(rule.with_window(Duration::from_secs(2)).unwrap());
    assert_eq!(load_client(&path).unwrap().config.discovery, expected);
    for whole in ["0", "1"] {
        load_client(&dir.write(format!("[discovery]\nhold_share = {whole}\n"))).unwrap();
    }
}
