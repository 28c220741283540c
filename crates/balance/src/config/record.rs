//! How the configuration of a balancer is read and written by serde.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{BalancerConfig, BalancerConfigError, Subset, Zone};
use crate::ejection::Ejection;
use crate::humane;
use crate::strategy::Strategy;

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Record {
    strategy: Strategy,
    ejection: Ejection,
    zone: Option<Tagged>,
    labels: Vec<Tagged>,
    subset: Option<Share>,
    panic_threshold: f64,
    #[serde(with = "humane")]
    slow_start: Duration,
    max_in_flight: Option<u32>,
    seed: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tagged {
    tag: String,
    value: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    size: usize,
    client: String,
}

impl From<BalancerConfig> for Record {
    fn from(config: BalancerConfig) -> Self {
        Self {
            strategy: config.strategy,
            ejection: config.ejection,
            zone: config.zone.map(|Zone { tag, name }| Tagged { tag, value: name }),
            labels: config.labels.into_iter().map(|(tag, value)| Tagged { tag, value }).collect(),
            subset: config.subset.map(|Subset { size, client }| Share { size, client }),
            panic_threshold: config.panic_threshold,
            slow_start: config.slow_start,
            max_in_flight: config.max_in_flight,
            seed: config.seed,
        }
    }
}

impl TryFrom<Record> for BalancerConfig {
    type Error = BalancerConfigError;

    fn try_from(record: Record) -> Result<Self, BalancerConfigError> {
        let mut config = Self::new(record.strategy)
            .with_ejection(record.ejection)
            .with_panic_threshold(record.panic_threshold)?
            .with_slow_start(record.slow_start)?;
        if let Some(Tagged { tag, value }) = record.zone {
            config = config.with_zone(tag, value);
        }
        for Tagged { tag, value } in record.labels {
            config = config.with_label(tag, value);
        }
        if let Some(Share { size, client }) = record.subset {
            config = config.with_subset(size, &client)?;
        }
        if let Some(limit) = record.max_in_flight {
            config = config.with_max_in_flight(limit)?;
        }
        Ok(match record.seed {
            Some(seed) => config.with_seed(seed),
            None => config,
        })
    }
}
