//! How a configuration is read and written by serde.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ServerVersion, ZkConfig, ZkConfigError, ZkHost};
use crate::humane;
use crate::path::ZnodePath;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    hosts: Vec<ZkHost>,
    #[serde(default = "ZnodePath::root")]
    chroot: ZnodePath,
    #[serde(default = "default_session_timeout", with = "humane")]
    session_timeout: Duration,
    #[serde(default, with = "humane::option")]
    operation_timeout: Option<Duration>,
    #[serde(default)]
    server_version: ServerVersion,
}

fn default_session_timeout() -> Duration {
    ZkConfig::DEFAULT_SESSION_TIMEOUT
}

impl From<ZkConfig> for Record {
    fn from(config: ZkConfig) -> Self {
        Self {
            hosts: config.hosts,
            chroot: config.chroot,
            session_timeout: config.session_timeout,
            operation_timeout: config.operation_timeout,
            server_version: config.server_version,
        }
    }
}

impl TryFrom<Record> for ZkConfig {
    type Error = ZkConfigError;

    fn try_from(record: Record) -> Result<Self, ZkConfigError> {
        let config = Self::from_hosts(record.hosts, record.chroot)?
            .with_session_timeout(record.session_timeout)?
            .with_server_version(record.server_version);
        match record.operation_timeout {
            Some(timeout) => config.with_operation_timeout(timeout),
            None => Ok(config),
        }
    }
}
