//! How a configuration is read and written by serde.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zk_core::{Acl, ZnodePath, humane};

use super::{RegistrarConfig, RegistrarConfigError};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    root: ZnodePath,
    #[serde(default)]
    acl: Acl,
    #[serde(default = "default_audit_interval", with = "humane")]
    audit_interval: Duration,
}

fn default_audit_interval() -> Duration {
    RegistrarConfig::DEFAULT_AUDIT_INTERVAL
}

impl From<RegistrarConfig> for Record {
    fn from(RegistrarConfig { root, acl, audit_interval, .. }: RegistrarConfig) -> Self {
        Self { root, acl, audit_interval }
    }
}

impl TryFrom<Record> for RegistrarConfig {
    type Error = RegistrarConfigError;

    fn try_from(Record { root, acl, audit_interval }: Record) -> Result<Self, RegistrarConfigError> {
        Self::new(root).with_acl(acl).with_audit_interval(audit_interval)
    }
}
