//! How the rules of ejection are read and written by serde.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ejection;
use crate::config::BalancerConfigError;
use crate::humane;

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Record {
    consecutive: u32,
    consecutive_soft: u32,
    failure_share: f64,
    #[serde(with = "humane")]
    base: Duration,
    #[serde(with = "humane")]
    cap: Duration,
    max_share: f64,
}

impl Default for Record {
    fn default() -> Self {
        Ejection::default().into()
    }
}

impl From<Ejection> for Record {
    fn from(ejection: Ejection) -> Self {
        let Ejection { consecutive, consecutive_soft, failure_share, base, cap, max_share } = ejection;
        Self { consecutive, consecutive_soft, failure_share, base, cap, max_share }
    }
}

impl TryFrom<Record> for Ejection {
    type Error = BalancerConfigError;

    fn try_from(record: Record) -> Result<Self, BalancerConfigError> {
        Self::default()
            .with_consecutive(record.consecutive, record.consecutive_soft)?
            .with_failure_share(record.failure_share)?
            .with_times(record.base, record.cap)?
            .with_max_share(record.max_share)
    }
}
