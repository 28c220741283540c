//! How the limits of a call are read and written by serde.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{BalancerConfigError, Budget, CallConfig};
use crate::call::budget::BudgetError;
use crate::humane;

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Record {
    #[serde(with = "humane")]
    attempt: Duration,
    #[serde(with = "humane")]
    overall: Duration,
    #[serde(with = "humane::option")]
    connect: Option<Duration>,
    idempotent: bool,
    max_attempts: u32,
    max_refused: u32,
    #[serde(with = "humane::option")]
    hedge_after: Option<Duration>,
    budget: BudgetRecord,
}

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BudgetRecord {
    share: f32,
    floor_per_second: u32,
    #[serde(with = "humane")]
    ttl: Duration,
}

#[derive(Debug, Error)]
pub(super) enum Invalid {
    #[error(transparent)]
    Call(#[from] BalancerConfigError),
    #[error(transparent)]
    Budget(#[from] BudgetError),
}

impl Default for Record {
    fn default() -> Self {
        let mut record = Self::from(CallConfig::default());
        // A shorter attempt has a shorter time for connecting.
        record.connect = None;
        record
    }
}

impl Default for BudgetRecord {
    fn default() -> Self {
        Self { share: Budget::SHARE, floor_per_second: Budget::FLOOR_PER_SECOND, ttl: Budget::TTL }
    }
}

impl From<CallConfig> for Record {
    fn from(config: CallConfig) -> Self {
        let (share, floor_per_second, ttl) = config.budget.numbers();
        Self {
            attempt: config.attempt,
            overall: config.overall,
            connect: Some(config.connect),
            idempotent: config.is_idempotent,
            max_attempts: config.max_attempts,
            max_refused: config.max_refused,
            hedge_after: config.hedge_after,
            budget: BudgetRecord { share, floor_per_second, ttl },
        }
    }
}

impl TryFrom<Record> for CallConfig {
    type Error = Invalid;

    fn try_from(record: Record) -> Result<Self, Invalid> {
        let BudgetRecord { share, floor_per_second, ttl } = record.budget;
        let mut config = Self::new(record.attempt, record.overall)?
            .with_idempotent(record.idempotent)
            .with_max_attempts(record.max_attempts, record.max_refused)?
            .with_budget(Budget::new(share, floor_per_second, ttl)?);
        if let Some(connect) = record.connect {
            config = config.with_connect(connect)?;
        }
        if let Some(after) = record.hedge_after {
            config = config.with_hedge_after(after)?;
        }
        Ok(config)
    }
}
