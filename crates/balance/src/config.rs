//! The configuration of a balancer.

pub(crate) mod error;
#[cfg(feature = "serde")]
mod record;

use std::time::Duration;

use crate::ejection::Ejection;
use crate::strategy::Strategy;

pub(crate) use error::MAX_TIME;

pub use error::BalancerConfigError;

/// Which endpoints a [`Balancer`](crate::Balancer) prefers, how it picks among them, and when it ejects one.
///
/// `docs/balancing.md` gives the reason of every number.
///
/// With the feature `serde` it is read and written as `{"strategy":"least-loaded","ejection":{...},"zone":{"tag":"zone",
/// "value":"a"},"labels":[{"tag":"version","value":"2"}],"subset":{"size":20,"client":"web-7"},"panic_threshold":0.0,
/// "slow_start":"30s","max_in_flight":100,"seed":null}`: any of them may be missing, and an unknown key is an error.
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "record::Record", into = "record::Record")
)]
#[derive(Clone, Debug, Default)]
pub struct BalancerConfig {
    pub(crate) strategy: Strategy,
    pub(crate) ejection: Ejection,
    pub(crate) zone: Option<Zone>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) subset: Option<Subset>,
    pub(crate) panic_threshold: f64,
    pub(crate) slow_start: Duration,
    pub(crate) max_in_flight: Option<u32>,
    pub(crate) seed: Option<u64>,
}

/// The endpoints of which zone are preferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    pub(crate) tag: String,
    pub(crate) name: String,
}

/// Which endpoints are preferred of a large set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subset {
    pub(crate) size: usize,
    pub(crate) client: String,
}

impl BalancerConfig {
    /// Chooses a strategy, and the defaults for all else.
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        Self { strategy, ..Self::default() }
    }

    /// Sets when endpoints are ejected, and for how long.
    #[must_use]
    pub fn with_ejection(mut self, ejection: Ejection) -> Self {
        self.ejection = ejection;
        self
    }

    /// Prefers the endpoints whose tag `tag` has the value `zone`.
    ///
    /// While fewer than 1 / 1.4 of the zone's endpoints are in service, a part of the calls spills over to the others: with a
    /// share `s` in service, 1.4 `s` of the calls stay. With nobody of the zone in service, all go to the others. Endpoints that
    /// [drain](crate::EndpointInfo::is_draining) or have the weight 0 do not count; [held](crate::EndpointInfo::is_held) ones count
    /// as out of service.
    #[must_use]
    pub fn with_zone(mut self, tag: impl Into<String>, zone: impl Into<String>) -> Self {
        self.zone = Some(Zone { tag: tag.into(), name: zone.into() });
        self
    }

    /// Uses only endpoints whose tag `tag` has this value; repeated, only those that have all of them.
    ///
    /// Unlike a zone and a subset this is no preference: the others are never called.
    #[must_use]
    pub fn with_label(mut self, tag: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((tag.into(), value.into()));
        self
    }

    /// Prefers `size` of the endpoints, chosen by rendezvous hashing of `client`: each client has a subset of its own, which
    /// depends on nothing but its name and the set, and an endpoint that comes or goes changes at most one member of it. With
    /// a zone, the zone's endpoints come first. With nobody of the subset in service, the whole set is used.
    ///
    /// # Errors
    /// [`BalancerConfigError::Subset`], if `size` is 0.
    pub fn with_subset(mut self, size: usize, client: &str) -> Result<Self, BalancerConfigError> {
        if size == 0 {
            return Err(BalancerConfigError::Subset);
        }
        self.subset = Some(Subset { size, client: client.to_owned() });
        Ok(self)
    }

    /// Sets the share of endpoints in service below which all are used, but for those that refuse connections; 0 by default:
    /// only when nobody is in service.
    ///
    /// # Errors
    /// [`BalancerConfigError::Share`], unless 0 <= `share` <= 1.
    pub fn with_panic_threshold(mut self, share: f64) -> Result<Self, BalancerConfigError> {
        self.panic_threshold = error::share("panic threshold", share)?;
        Ok(self)
    }

    /// Lets an endpoint that comes into a set that is in use have its full share only after this time: until then its share grows
    /// from a tenth. Zero, the default, gives it its share at once. It has no part in rendezvous hashing and `sticky`.
    ///
    /// # Errors
    /// [`BalancerConfigError::SlowStart`], above 1 h.
    pub fn with_slow_start(mut self, time: Duration) -> Result<Self, BalancerConfigError> {
        if time > MAX_TIME {
            return Err(BalancerConfigError::SlowStart { time });
        }
        self.slow_start = time;
        Ok(self)
    }

    /// Limits the calls in flight to each endpoint, from this balancer; by default they are not limited. An endpoint at its limit is
    /// not picked.
    ///
    /// # Errors
    /// [`BalancerConfigError::MaxInFlight`], if it is 0.
    pub fn with_max_in_flight(mut self, limit: u32) -> Result<Self, BalancerConfigError> {
        if limit == 0 {
            return Err(BalancerConfigError::MaxInFlight);
        }
        self.max_in_flight = Some(limit);
        Ok(self)
    }

    /// Makes all random choices repeatable; by default each balancer has a random seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}
