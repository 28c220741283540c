//! The built-in default of every setting. The help texts in `flags` and `config/daytime.toml` repeat them.

use std::net::Ipv4Addr;
use std::time::Duration;

use balance::Strategy;

use crate::check;
use crate::security::Security;
use crate::settings::{
    Auth, Client, Discovery, Metrics, Registry, Server, Settings, Sourced, Tls, Zookeeper,
};

impl Default for Settings {
    fn default() -> Self {
        let ms = |ms| Sourced::default(Duration::from_millis(ms));
        Self {
            zookeeper: Zookeeper {
                hosts: Sourced::default(check::ensemble("127.0.0.1:2181").expect("the default is a host")),
                root: Sourced::default(check::root("/go_servers").expect("the default is a path")),
                session_timeout: Sourced::default(zk_core::ZkConfig::DEFAULT_SESSION_TIMEOUT),
                server_version: Sourced::default(zk_core::ServerVersion::Detect),
                embedded: Sourced::default(false),
                auth: Auth {
                    section: None,
                    scheme: Sourced::default(None),
                    user: Sourced::default(None),
                    password_file: Sourced::default(None),
                    password: Sourced::default(None),
                },
                tls: Tls {
                    section: None,
                    ca: Sourced::default(None),
                    certificate: Sourced::default(None),
                    key: Sourced::default(None),
                },
                security: Security::default(),
            },
            registry: Registry {
                acl: Sourced::default(zk_core::Acl::Open),
                audit_interval: Sourced::default(registry::RegistrarConfig::DEFAULT_AUDIT_INTERVAL),
            },
            discovery: Discovery {
                records: Sourced::default(false),
                audit_interval: Sourced::default(discovery::DiscoveryConfig::DEFAULT_AUDIT_INTERVAL),
                hold: Sourced::default(None),
                hold_share: Sourced::default(discovery::MassDisappearance::DEFAULT_SHARE),
                hold_number: Sourced::default(discovery::MassDisappearance::DEFAULT_NUMBER),
                hold_window: Sourced::default(discovery::MassDisappearance::DEFAULT_WINDOW),
            },
            server: Server {
                host: Sourced::default(Ipv4Addr::LOCALHOST.into()),
                ports: Sourced::default(vec![8897, 8898, 8899]),
                udp: Sourced::default(false),
                advertise: Sourced::default(zk_roster::Advertise::default()),
                max_connections: Sourced::default(1024),
                connection_timeout: ms(2_000),
                settle: ms(300),
                grace: ms(2_000),
            },
            client: Client {
                rounds: Sourced::default(100),
                interval: ms(1_000),
                strategy: Sourced::default(Strategy::default()),
                hash_key: Sourced::default(None),
                zone: Sourced::default(None),
                labels: Sourced::default(Vec::new()),
                subset: Sourced::default(0),
                slow_start: ms(0),
                hedge: Sourced::default(None),
                timeout: ms(5_000),
                attempt_timeout: ms(1_000),
                connect_timeout: ms(300),
                wait: ms(60_000),
                saved: Sourced::default(None),
            },
            metrics: Metrics { listen: Sourced::default(None) },
        }
    }
}
