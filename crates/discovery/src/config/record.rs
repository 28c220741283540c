//! How a configuration is read and written by serde.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zk_core::{ZnodePath, humane};

use super::{DiscoveryConfig, DiscoveryConfigError, MassDisappearance, Records};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    root: ZnodePath,
    #[serde(default = "default_audit_interval", with = "humane")]
    audit_interval: Duration,
    #[serde(default = "default_settle", with = "humane")]
    settle: Duration,
    #[serde(default, with = "humane::option")]
    hold: Option<Duration>,
    #[serde(default)]
    mass_disappearance: MassDisappearance,
    #[serde(default)]
    records: Records,
}

fn default_audit_interval() -> Duration {
    DiscoveryConfig::DEFAULT_AUDIT_INTERVAL
}

fn default_settle() -> Duration {
    DiscoveryConfig::DEFAULT_SETTLE
}

impl From<DiscoveryConfig> for Record {
    fn from(config: DiscoveryConfig) -> Self {
        let DiscoveryConfig { root, audit_interval, settle, hold, mass_disappearance, records } = config;
        Self { root, audit_interval, settle, hold, mass_disappearance, records }
    }
}

impl TryFrom<Record> for DiscoveryConfig {
    type Error = DiscoveryConfigError;

    fn try_from(record: Record) -> Result<Self, DiscoveryConfigError> {
        let config = Self::new(record.root)
            .with_audit_interval(record.audit_interval)?
            .with_settle(record.settle)?
            .with_mass_disappearance(record.mass_disappearance)
            .with_records(record.records);
        match record.hold {
            Some(hold) => config.with_hold(hold),
            None => Ok(config),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RuleRecord {
    share: f64,
    number: usize,
    #[serde(with = "humane")]
    window: Duration,
}

impl Default for RuleRecord {
    fn default() -> Self {
        MassDisappearance::default().into()
    }
}

impl From<MassDisappearance> for RuleRecord {
    fn from(MassDisappearance { share, number, window }: MassDisappearance) -> Self {
        Self { share, number, window }
    }
}

impl TryFrom<RuleRecord> for MassDisappearance {
    type Error = DiscoveryConfigError;

    fn try_from(record: RuleRecord) -> Result<Self, DiscoveryConfigError> {
        Self::default().with_share(record.share)?.with_number(record.number)?.with_window(record.window)
    }
}
